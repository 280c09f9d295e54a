"""What each event out says of an account (contract, section 5): plain dataclasses, without pydantic."""

from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.alerts import Unit
from chalicelib.domain.findings import Drift
from chalicelib.domain.grace import End
from chalicelib.domain.ids import Instant, MerchantId, TransactionId

Status = Literal["enabled", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What every event out says: whose account, which of its transactions is the fact, and the balance after it."""

    merchant_id: MerchantId
    transaction_id: TransactionId | None
    sequence: int
    balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOpened(Payload):
    """An account was opened: with its trial, or with the balance that it had in the old service."""

    transaction_id: TransactionId
    initial_balance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsMoved(Payload):
    """Credits were moved by `amount`, signed, for the business fact that `reference_type` and `reference_id` name."""

    transaction_id: TransactionId
    amount: int
    new_balance: int
    source: str
    reference_type: str
    reference_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReversed(Payload):
    """A payment went back, or came back after a dispute, by `amount`, signed; `debt` is what it made the shop owe."""

    transaction_id: TransactionId
    amount: int
    debt: int
    payment_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdPassed(Payload):
    """The balance has passed the low-balance threshold; without a transaction, the threshold has passed it."""

    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceExhausted(Payload):
    """The last credit is used."""

    transaction_id: TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged(Payload):
    """The shop's plugin was switched on or off.

    Without a transaction, the shop has gone or has come back, or the time of a grace is over.
    """

    previous_status: Status
    current_status: Status
    reason: str
    timestamp: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsExpiring(Payload):
    """So many credits will lapse at `expires_at`, in about so many days, unless they are used before."""

    credits: int
    expires_at: Instant
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsExpired(Payload):
    """So many credits have lapsed, which were to by `expires_at`."""

    transaction_id: TransactionId
    credits: int
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCrossed(Payload):
    """The account fell to a level or below it (`down`), or rose above it (`up`).

    Without a transaction, time alone did it, or an admin or a setting changed the levels.
    """

    level: str
    at: int
    unit: Unit
    direction: Literal["down", "up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraceStarted(Payload):
    """The last credit is used, and the plugin stays on until `ends_at`, or until so many `credits` are owed."""

    transaction_id: TransactionId
    ends_at: Instant | None
    credits: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraceEnded(Payload):
    """A grace is over; without a transaction, its time was. Only an inflow leaves the plugin on."""

    reason: End


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftDetected(Payload):
    """The ledger does not prove itself: `kind` names what was found at this sequence, `detail` says it in a sentence.

    `balance` is what the account says, 0 where it cannot be read; without a transaction, the account is at fault.
    """

    kind: Drift
    detail: str

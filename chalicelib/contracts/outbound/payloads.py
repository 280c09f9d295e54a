"""The payload of each outbound event (contract, section 5): plain dataclasses, without pydantic."""

from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.findings import Drift
from chalicelib.domain.grace import End
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.terms import Unit

Status = Literal["enabled", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What every outbound event has: the merchant, the transaction that is its fact, and the balance after it."""

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
    """A payment was refunded or disputed, or a dispute was won; `amount` is signed, `debt` what the shop owes by it."""

    transaction_id: TransactionId
    amount: int
    debt: int
    payment_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdPassed(Payload):
    """The balance passed the low-balance threshold; without a transaction, a changed threshold passed it."""

    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceExhausted(Payload):
    """The last credit is used."""

    transaction_id: TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged(Payload):
    """The shop's plugin was switched on or off.

    Without a transaction, the shop removed the app or came back, or the time of a grace is over.
    """

    previous_status: Status
    current_status: Status
    reason: str
    timestamp: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsExpiring(Payload):
    """Credits will lapse at `expires_at`, in about `days` days, unless they are used before."""

    credits: int
    expires_at: Instant
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsExpired(Payload):
    """Credits have lapsed that were valid until `expires_at`."""

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
    """The last credit is used, and the plugin stays on until `ends_at`, or until that many `credits` are owed."""

    transaction_id: TransactionId
    ends_at: Instant | None
    credits: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraceEnded(Payload):
    """A grace ended; without a transaction, by time. The plugin stays on only after an inflow."""

    reason: End


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftDetected(Payload):
    """The ledger has drift: `kind` is what was found at this sequence, `detail` a sentence about it.

    `balance` is the account's, 0 if that cannot be read; without a transaction, the account is at fault.
    """

    kind: Drift
    detail: str

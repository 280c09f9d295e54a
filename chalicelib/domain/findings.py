"""The kinds of drift in a ledger, and findings with their place."""

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.ids import MerchantId, TransactionId


class Drift(StrEnum):
    """The kinds of drift."""

    TRANSACTION_MISSING = "record_missing"
    TRANSACTION_INSERTED = "record_inserted"
    TRANSACTION_CHANGED = "record_changed"
    TRANSACTION_UNREADABLE = "record_unreadable"
    TRANSACTION_WRONG = "record_wrong"
    CHAIN_BROKEN = "chain_broken"
    BALANCE_BROKEN = "balance_broken"
    REFUND_WRONG = "refund_wrong"
    EDIT_WRONG = "edit_wrong"
    TALLY_WRONG = "tally_wrong"
    ACCOUNT_MISSING = "account_missing"
    ACCOUNT_UNREADABLE = "account_unreadable"
    ACCOUNT_BALANCE = "account_balance"
    ACCOUNT_SEQUENCE = "account_sequence"
    ACCOUNT_HASH = "account_hash"
    ACCOUNT_COUNTER = "account_counter"
    ACCOUNT_STATUS = "account_status"
    ACCOUNT_THRESHOLD = "account_threshold"
    ACCOUNT_TIME = "account_time"
    ACCOUNT_LEVEL = "account_level"
    ACCOUNT_LOTS = "account_lots"
    ACCOUNT_DUE = "account_due"
    CROSSING_WRONG = "crossing_wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A difference, at the transaction with this `sequence` or on the account that has reached it.

    `detail` is a sentence with our own numbers and ids only, so it may be logged, published and printed.
    """

    kind: Drift
    merchant_id: MerchantId
    sequence: int
    detail: str
    transaction_id: TransactionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableTransaction:
    """An item at this sequence that cannot be read as a transaction; `why` names the first fault.

    A `newer` one is no fault: only a newer release knows its form.
    """

    transaction_id: TransactionId
    sequence: int
    why: str
    newer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableAccount:
    """An account's item that cannot be read as one; `why` and `newer` are as with a transaction."""

    merchant_id: MerchantId
    why: str
    newer: bool = False

"""Orders in their source: a shop's own list, with which the ledger is compared (contract, section 17)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from chalicelib.domain.ids import Instant, MerchantId


class NotOrdersError(Exception):
    """Raised for a file that cannot be read any further; the text says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePosition:
    """A position in a file at which reading can continue, as the bytes and lines before it.

    `columns` is the header of a CSV, which is at the file's beginning only.
    """

    position: int = 0
    lines: int = 0
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be read for certain: where and why, without its value, which may be personal."""

    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRefund:
    """A refund of an order by its own id; `amount` is the money, None for a full refund."""

    refund_id: str
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOrder:
    """An order in its source. `paid`: whether it must be charged, `paid_at` when it was paid.

    `refunded` is the money that went back in all, `refunds` the same by refund; each is None where the file does not
    state it.
    """

    line: int
    merchant_id: MerchantId
    order_id: str
    paid: bool
    paid_at: Instant
    total: Decimal | None
    currency: str | None
    lines: int = 1
    refunded: Decimal | None = None
    refunds: tuple[SourceRefund, ...] | None = None


class DifferenceKind(StrEnum):
    """What a comparison can find."""

    BAD_ROW = "bad_row"
    DOUBLED = "doubled"
    NO_ACCOUNT = "no_account"
    MISSING = "missing"
    REFUND_MISSING = "refund_missing"
    PARKED = "parked"
    OTHER_TOTAL = "other_total"
    OTHER_CURRENCY = "other_currency"
    OTHER_REFUND = "other_refund"
    NOT_PAID_THERE = "not_paid_there"
    NOT_THERE = "not_there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs between the ledger and a file; a `row` of the file is None where only the ledger has the order.

    `refund` is the one that is missing, if it is one.
    """

    kind: DifferenceKind
    what: str
    line: int | None = None
    column: str = ""
    merchant_id: MerchantId | None = None
    order_id: str | None = None
    row: SourceOrder | None = None
    refund: SourceRefund | None = None

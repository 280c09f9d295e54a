"""What an order costs, and what a refund of it gives back (contract, section 3)."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Self

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant

CREDITS_MAX = 1_000_000_000
"""The most credits one movement may ask for (contract, section 4)."""

# Money comes with at most 32 digits, so no sum or product of a few of them is rounded at this precision.
EXACT = Context(prec=200)
_PERCENT = Decimal(100)


class Direction(StrEnum):
    """Which way credits move."""

    INCREASE = "INCREASE"
    DECREASE = "DECREASE"


class Basis(StrEnum):
    """What an order is charged by."""

    ORDER = "order"
    ITEM = "item"
    TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How an order is charged: `fixed_amount` and `minimum` in credits, `percentage` of the total, 0 to 100."""

    direction: Direction = Direction.DECREASE
    basis: Basis = Basis.ORDER
    fixed_amount: int = 1
    percentage: Decimal = Decimal(0)
    minimum: int = 0

    def __str__(self) -> str:
        """Return the text recorded with each order, which `parse` reads back."""
        text = f"{self.direction} {self.basis} {self.fixed_amount}"
        return f"{text} {self.percentage}% {self.minimum}" if self.basis is Basis.TOTAL else text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the policy that `str()` wrote; an order charged by it is charged the same again."""
        direction, basis, fixed_amount, *share = text.split(" ")
        policy = cls(direction=Direction(direction), basis=Basis(basis), fixed_amount=int(fixed_amount))
        if not share:
            return policy
        return replace(policy, percentage=Decimal(share[0].rstrip("%")), minimum=int(share[1]))


def charge(policy: Policy, *, lines: int, total: Decimal | None) -> int:
    """Return what an order of `lines` entries and `total` money asks for, in credits.

    Raises:
        Rejected: `total_missing` if the policy charges by a total and there is none, and
        `credits_invalid` above `CREDITS_MAX`.
    """
    if policy.basis is Basis.ORDER:
        credits_asked = policy.fixed_amount
    elif policy.basis is Basis.ITEM:
        credits_asked = policy.fixed_amount * lines
    elif total is None:
        raise Rejected(Code.TOTAL_MISSING, "orders are charged by their total, and this one has none", field="total")
    else:
        share = EXACT.divide(EXACT.multiply(total, policy.percentage), _PERCENT)
        rounded = int(share.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=EXACT))
        credits_asked = max(policy.fixed_amount, rounded, policy.minimum)
    if credits_asked > CREDITS_MAX:
        raise Rejected(
            Code.CREDITS_INVALID,
            f"the order would move {credits_asked} credits, over {CREDITS_MAX}",
            field="total",
        )
    return credits_asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """The effect of an order's newer versions (contract, section 12).

    `updated_at` is the time of the newest version seen, None where none stated it. `charged` is what that one asks
    for, in credits, and `total` its money; `taken` is what the edits have moved in all, in the direction of the order.
    """

    updated_at: Instant | None
    charged: int
    taken: int = 0
    total: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The sums of an order's refunds and edits so far; the only part of a transaction that changes.

    `count` refunds asked for `credits` in all. `money` is the sum of their amounts and `total` the order
    total it is a share of, both unknown (None) until a refund names them; `full` once a refund was full. `edits` is
    None until a newer version of the order was seen.
    """

    count: int = 0
    credits: int = 0
    money: Decimal = Decimal(0)
    total: Decimal | None = None
    full: bool = False
    edits: Edits | None = None


def refund(
    tally: Tally,
    *,
    taken: int,
    recorded_total: Decimal | None,
    amount: Decimal | None,
    order_total: Decimal | None,
) -> tuple[int, Tally]:
    """Return the credits that the next refund of an order asks back, and the tally after it.

    The sum over all refunds is what the order took (`taken`, in credits, edits included) × the refunded share, rounded
    down, and never more than `taken`; a refund without an amount is full (contract, "Refund arithmetic"). The share of
    an edited order is one of its newest total, whatever total a refund names: that may be the one before the edit.

    Raises:
        Rejected: `key_reused` where the order total contradicts an earlier refund's, `total_missing` where
            an amount is given and no total is known from anywhere.
    """
    newest = tally.edits.total if tally.edits else None
    fixed = tally.total if newest is not None else _fixed_total(tally, recorded_total, amount, order_total)
    full = tally.full or amount is None
    money = tally.money if amount is None else EXACT.add(tally.money, amount)
    share = _share(money, newest if newest is not None else fixed, full=full)
    due = max(0, int(taken * share) - tally.credits)
    return due, replace(tally, count=tally.count + 1, credits=tally.credits + due, money=money, total=fixed, full=full)


def _fixed_total(
    tally: Tally, recorded_total: Decimal | None, amount: Decimal | None, order_total: Decimal | None
) -> Decimal | None:
    """Return the total of which an order's refunds are shares: the first that a refund named, else the order's own."""
    if order_total is not None and tally.total is not None and order_total != tally.total:
        raise Rejected(
            Code.KEY_REUSED,
            f"an earlier refund of the order counted with an order total of {tally.total}, this one says {order_total}",
            field="order_total",
        )
    denominator = tally.total if tally.total is not None else order_total
    if amount is None or denominator is not None:
        return denominator
    if recorded_total is None:
        raise total_missing()
    return recorded_total


def total_missing() -> Rejected:
    """Return the error for a refund of an amount if no total of its order is known."""
    return Rejected(
        Code.TOTAL_MISSING, "a refund of an amount needs the order's total, and none is known", field="order_total"
    )


def _share(money: Decimal, total: Decimal | None, *, full: bool) -> Fraction:
    if full:
        return Fraction(1)
    return min(Fraction(1), Fraction(money) / Fraction(total)) if total else Fraction(0)

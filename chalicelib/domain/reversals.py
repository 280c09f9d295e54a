"""What the reversal of a payment takes, and what a won dispute returns (contract, section 14).

Pure arithmetic in exact rationals, as for refunds of orders. A payment's tally keeps the sums and the newest cumulative
figure apart, so that senders may mix the forms in which they report the refunds of one payment, in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Self

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.orders import EXACT, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """How much of a payment is reversed, in one of four forms; this is the content of a reversal.

    Whole `credits`; an `amount` of the `payment_total`; the cumulative sum `refunded` of it; or, with a `dispute_id`,
    everything that is left of the payment.
    """

    credits: int | None = None
    amount: Decimal | None = None
    refunded: Decimal | None = None
    payment_total: Decimal | None = None
    dispute_id: str | None = None

    @classmethod
    def recorded(cls, metadata: Mapping[str, str | int]) -> Self:
        """Return the portion that a reversal's transaction keeps."""
        credits_back, dispute_id = metadata.get("credits"), metadata.get("dispute_id")
        return cls(
            credits=None if credits_back is None else int(credits_back),
            amount=_money(metadata.get("amount")),
            refunded=_money(metadata.get("amount_refunded")),
            payment_total=_money(metadata.get("payment_total")),
            dispute_id=None if dispute_id is None else str(dispute_id),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTally(Tally):
    """The sums of a payment's reversals so far; the one part of its transaction that changes.

    `credits` are asked back in all and not returned; `whole`, `money` and `seen` are what the three forms of a refund
    add up to: credits, amounts, and the greatest cumulative figure. `disputes` are open, and asked for `disputed`
    credits, of which `held` were taken or became debt.
    """

    whole: int = 0
    seen: Decimal = Decimal(0)
    disputes: int = 0
    disputed: int = 0
    held: int = 0


def outdated(tally: Tally | None, portion: Portion) -> bool:
    """Return whether the portion is a cumulative figure smaller than one that was counted: nothing new."""
    if portion.refunded is None or not isinstance(tally, PaymentTally):
        return False
    return portion.payment_total == tally.total and portion.refunded < tally.seen


def reverse(tally: Tally | None, portion: Portion, *, given: int) -> tuple[int, PaymentTally]:
    """Return the credits that the next reversal of a payment asks back, and the tally after it.

    The sum over all of them is what the payment gave × the share that went back, rounded down, and never more than it
    gave. While a dispute is open, all of it is asked back.

    Raises:
        Rejected: `key_reused` where the payment's total contradicts an earlier reversal's.
    """
    known = _of_payment(tally)
    if None not in (portion.payment_total, known.total) and portion.payment_total != known.total:
        raise Rejected(
            Code.KEY_REUSED,
            f"an earlier reversal of the payment counted with a total of {known.total}, this one has "
            f"{portion.payment_total}",
            field="payment_total",
        )
    disputed = portion.dispute_id is not None
    after = replace(
        known,
        count=known.count + 1,
        whole=known.whole + (portion.credits or 0),
        money=EXACT.add(known.money, portion.amount or Decimal(0)),
        seen=max(known.seen, portion.refunded or Decimal(0)),
        total=known.total if portion.payment_total is None else portion.payment_total,
        disputes=known.disputes + disputed,
    )
    due = max(0, (given if after.disputes else _refunded(after, given)) - known.credits)
    return due, replace(after, credits=known.credits + due, disputed=known.disputed + (due if disputed else 0))


def holding(tally: PaymentTally, portion: Portion, credits_got: int) -> PaymentTally:
    """Return the tally after the reversal got this many credits, from the balance or as debt."""
    return replace(tally, held=tally.held + credits_got) if portion.dispute_id is not None else tally


def win(tally: Tally | None, *, given: int) -> tuple[int, PaymentTally]:
    """Return the credits that come back when one of the open disputes is won, and the tally after it.

    What the disputes got comes back with the last of them, less refunds that came meanwhile and found nothing to take.
    """
    known = _of_payment(tally)
    assert known.disputes, "a dispute that is recorded and not won is open"
    after = replace(known, count=known.count + 1, disputes=known.disputes - 1)
    if after.disputes:
        return 0, after
    share = _refunded(after, given)
    missed = share - (known.credits - known.disputed)
    return max(0, known.held - missed), replace(after, credits=share, disputed=0, held=0)


def _of_payment(tally: Tally | None) -> PaymentTally:
    return tally if isinstance(tally, PaymentTally) else PaymentTally()


def _refunded(tally: PaymentTally, given: int) -> int:
    """Return what the refunds so far are due, in credits; what a cumulative figure includes is not counted twice."""
    parts, all_so_far = Fraction(tally.whole), Fraction(0)
    if tally.total:
        parts += given * Fraction(tally.money) / Fraction(tally.total)
        all_so_far = given * Fraction(tally.seen) / Fraction(tally.total)
    return min(given, int(max(parts, all_so_far)))


def _money(text: str | int | None) -> Decimal | None:
    return None if text is None else Decimal(text)

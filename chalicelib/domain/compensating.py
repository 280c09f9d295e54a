"""How refunds, reversals and won disputes are posted: as which kind, for how many credits, and the tally after it.

Pure, given the grounds: the order or payment, and for a won dispute the dispute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from chalicelib.domain import edits
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.grace import DEBT
from chalicelib.domain.ids import transaction_id
from chalicelib.domain.lots import Lots, given_back
from chalicelib.domain.movements import (
    DisputeWonMovement,
    Kind,
    Movement,
    RefundMovement,
    ReversalMovement,
    payment_key,
)
from chalicelib.domain.names import imported
from chalicelib.domain.orders import Tally, refund
from chalicelib.domain.outcomes import Duplicate, recorded_money
from chalicelib.domain.reversals import PaymentTally, holding, outdated, reverse, win
from chalicelib.domain.transactions import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What to post, and the tally of the order or the payment after it.

    `parts` are the lots that credits go back to, with the instants they had, or that a reversal takes from first.
    """

    kind: Kind
    requested: int
    metadata: Mapping[str, str | int]
    tally: Tally
    parts: Lots = ()


def refunded_by(
    movement: RefundMovement, order: Transaction | None, tally: Tally | None
) -> Effect | Rejected | RetryLater:
    """Return what a refund gives back from its order, or takes back if the order earned credits.

    Raises:
        Rejected: it contradicts an earlier refund of the order, or has an amount while no total is known.
    """
    if order is None:
        return RetryLater(Code.ORDER_MISSING, f"order {movement.order_id} is not in the ledger yet", field="order_id")
    if not order.kind.is_order:
        return imported(movement)
    before = tally or Tally()
    due, after = refund(
        before,
        taken=edits.taken(order, before),
        recorded_total=recorded_money(order, "total"),
        amount=movement.amount,
        order_total=movement.order_total,
    )
    # After the arithmetic: a refund that is impossible in any currency poisons its whole message.
    if (error := _other_currency(movement, order)) is not None:
        return error
    return Effect(
        kind=Kind.REFUND_RETURNED if order.kind is Kind.ORDER_USED else Kind.REFUND_TAKEN,
        requested=due,
        metadata={**movement.metadata, **edits.counted_by(movement, before)},
        tally=after,
        parts=given_back(order.drawn, held=edits.left(order, before), credits_back=due),
    )


def reversed_by(
    movement: ReversalMovement, payment: Transaction | None, tally: Tally | None, *, balance: int
) -> Effect | Duplicate | Rejected | RetryLater:
    """Return what a reversal takes from an account with this balance; the rest becomes debt, if it is owed.

    Raises:
        Rejected: it contradicts an earlier reversal of the payment.
    """
    if payment is None:
        return _payment_missing(movement.payment_id)
    if payment.kind is not Kind.PAYMENT:
        return imported(movement)
    if outdated(tally, movement.portion):
        return Duplicate(None)
    due, after = reverse(tally, movement.portion, given=payment.amount)
    debt = max(0, due - balance) if movement.owed else 0
    return Effect(
        kind=Kind.REVERSAL,
        requested=due,
        metadata={**movement.metadata, DEBT: debt} if debt else movement.metadata,
        tally=holding(after, movement.portion, min(due, balance) + debt),
        parts=payment.drawn,
    )


def returned_by(
    movement: DisputeWonMovement, payment: Transaction | None, tally: Tally | None, dispute: Transaction | None
) -> Effect | Rejected | RetryLater:
    """Return what a won dispute gives back.

    Raises:
        Rejected: the dispute is another payment's.
    """
    if payment is None:
        return _payment_missing(movement.payment_id)
    if payment.kind is not Kind.PAYMENT:
        return imported(movement)
    if dispute is None:
        return RetryLater(
            Code.DISPUTE_MISSING, f"dispute {movement.dispute_id} is not in the ledger yet", field="dispute_id"
        )
    named = str(dispute.metadata["payment_id"])
    if transaction_id(movement.merchant_id, payment_key(named)) != payment.transaction_id:
        raise Rejected(
            Code.KEY_REUSED,
            f"dispute {movement.dispute_id} was recorded as one of payment {named}, this one is of payment "
            f"{movement.payment_id}",
            field="payment_id",
        )
    if not (isinstance(tally, PaymentTally) and tally.disputes):
        # A restore may leave this state; the audit reports it, and a rebuild recounts the transactions.
        reason = f"dispute {movement.dispute_id} is not counted on the transaction of payment {payment.reference_id}"
        return RetryLater(Code.DISPUTE_MISSING, reason, field="dispute_id")
    back, after = win(tally, given=payment.amount)
    return Effect(
        kind=Kind.REVERSAL_RETURNED,
        requested=back,
        metadata=movement.metadata,
        tally=after,
        # What other disputes of the payment took, or what became debt, is of no lot.
        parts=given_back(dispute.drawn, held=max(back, abs(dispute.amount)), credits_back=back),
    )


def of_an_amount(movement: Movement) -> TypeGuard[RefundMovement]:
    """Whether the refund has an amount, but no total that the amount is a share of."""
    return isinstance(movement, RefundMovement) and movement.amount is not None and movement.order_total is None


def _payment_missing(payment_id: str) -> RetryLater:
    return RetryLater(Code.PAYMENT_MISSING, f"payment {payment_id} is not in the ledger yet", field="payment_id")


def _other_currency(refund: RefundMovement, order: Transaction) -> Rejected | None:
    """Return why the refund's currency contradicts the order's, None if it does not (contract, section 12).

    The order's currency is that of its transaction, else the one that the refund states. The currency of a repeat is
    not kept.
    """
    sold, returned = order.metadata.get("currency", refund.order_currency), refund.metadata.get("currency")
    if sold is None or returned is None or sold == returned:
        return None
    return Rejected(
        Code.CURRENCY_MISMATCH,
        f"order {refund.order_id} was sold in {sold}, and its refund is in {returned}",
        field="currency",
    )

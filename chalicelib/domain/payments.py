"""How a payment that goes back is posted, given its grounds: as what, for how many credits, and with which tally."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.debt import DEBT
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.ids import TransactionId, transaction_id
from chalicelib.domain.ledger import Transaction
from chalicelib.domain.movements import (
    DisputeWonMovement,
    Kind,
    Movement,
    RefundMovement,
    ReversalMovement,
    payment_key,
)
from chalicelib.domain.orders import Tally
from chalicelib.domain.outcomes import Duplicate
from chalicelib.domain.reversals import PaymentTally, holding, outdated, reverse, win


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What to post, and the payment's tally after it."""

    kind: Kind
    requested: int
    metadata: Mapping[str, str | int]
    tally: PaymentTally


def reversed_by(
    movement: ReversalMovement, payment: Transaction | None, tally: Tally | None, *, balance: int
) -> Back | Duplicate | RetryLater:
    """Return what a reversal takes from an account with this balance; what is not there becomes debt, where owed.

    Raises:
        Rejected: it contradicts an earlier reversal of the payment.
    """
    if payment is None:
        return _payment_missing(movement.payment_id)
    if outdated(tally, movement.portion):
        return Duplicate(None)
    due, after = reverse(tally, movement.portion, given=payment.amount)
    debt = max(0, due - balance) if movement.owed else 0
    return Back(
        kind=Kind.REVERSAL,
        requested=due,
        metadata={**movement.metadata, DEBT: debt} if debt else movement.metadata,
        tally=holding(after, movement.portion, min(due, balance) + debt),
    )


def returned_by(
    movement: DisputeWonMovement, payment: Transaction | None, tally: Tally | None, dispute: Transaction | None
) -> Back | RetryLater:
    """Return what a dispute that was won gives back.

    Raises:
        Rejected: the dispute is another payment's.
    """
    if payment is None:
        return _payment_missing(movement.payment_id)
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
        # As a restore may leave it; the audit names it, and a rebuild counts what the records prove.
        reason = f"dispute {movement.dispute_id} is not counted on the record of payment {payment.reference_id}"
        return RetryLater(Code.DISPUTE_MISSING, reason, field="dispute_id")
    back, after = win(tally, given=payment.amount)
    return Back(kind=Kind.REVERSAL_RETURNED, requested=back, metadata=movement.metadata, tally=after)


def grounds(movement: Movement) -> tuple[TransactionId, ...]:
    """Return the ids of the records that a movement builds on, besides the account; none for most."""
    if isinstance(movement, RefundMovement):
        return (movement.order_transaction_id,)
    if isinstance(movement, DisputeWonMovement):
        return (movement.payment_transaction_id, movement.dispute_transaction_id)
    return (movement.payment_transaction_id,) if isinstance(movement, ReversalMovement) else ()


def _payment_missing(payment_id: str) -> RetryLater:
    return RetryLater(Code.PAYMENT_MISSING, f"payment {payment_id} is not in the ledger yet", field="payment_id")

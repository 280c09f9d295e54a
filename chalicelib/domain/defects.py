"""What makes a whole message impossible, found beside the ledger before any of its movements is applied."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from chalicelib.domain.errors import Rejected
from chalicelib.domain.fold import arranged
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.ledger import Transaction
from chalicelib.domain.movements import Movement, OrderMovement, RefundMovement
from chalicelib.domain.orders import charge, total_missing
from chalicelib.domain.outcomes import recorded_money


def defects(
    requests: Sequence[Sequence[Movement]], *, stored: Mapping[TransactionId, Transaction]
) -> list[Rejected | None]:
    """Return for each message what makes one of its movements impossible, so that none of them is applied.

    The form of a message was checked when it was read; this finds the two defects that only show beside
    the ledger: an order without the total that its charge needs, and a refund of an amount of an order
    whose total nobody named, neither the ledger nor what is delivered with it, all messages of one merchant.
    What is recorded already has no defect: it is a duplicate or a conflict.
    """
    found: list[Rejected | None] = [None] * len(requests)
    while True:
        standing = [place for place, error in enumerate(found) if error is None]
        # What a rejected message names is not delivered, so its neighbours are looked at again without it.
        untotalled = _untotalled([movement for place in standing for movement in requests[place]], stored=stored)
        for place in standing:
            found[place] = _first_defect(requests[place], stored=stored, untotalled=untotalled)
        if all(found[place] is None for place in standing):
            return found


def _first_defect(
    request: Sequence[Movement], *, stored: Mapping[TransactionId, Transaction], untotalled: Collection[TransactionId]
) -> Rejected | None:
    for movement in request:
        if movement.transaction_id in stored:
            continue
        if isinstance(movement, OrderMovement):
            try:
                charge(movement.policy, lines=movement.lines, total=movement.total)
            except Rejected as error:
                return error
        elif _of_an_amount(movement) and movement.transaction_id in untotalled:
            return total_missing()
    return None


def _untotalled(movements: Sequence[Movement], *, stored: Mapping[TransactionId, Transaction]) -> set[TransactionId]:
    """Return the refunds of an amount whose order is there, but no total of it when their turn comes."""
    found: set[TransactionId] = set()
    if not any(isinstance(movement, RefundMovement) and movement.amount is not None for movement in movements):
        return found
    totals: dict[TransactionId, Decimal | None] = {}
    for index in arranged(movements, stored=stored):
        movement = movements[index]
        if movement.transaction_id in stored:
            continue
        if isinstance(movement, OrderMovement):
            totals.setdefault(movement.transaction_id, movement.total)
        elif isinstance(movement, RefundMovement):
            order_id = movement.order_transaction_id
            if order_id not in totals and order_id in stored:
                order = stored[order_id]
                counted = order.tally.total if order.tally else None
                totals[order_id] = counted if counted is not None else recorded_money(order, "total")
            if order_id in totals and totals[order_id] is None:
                totals[order_id] = movement.order_total
                if _of_an_amount(movement):
                    found.add(movement.transaction_id)
    return found


def _of_an_amount(movement: Movement) -> bool:
    """Whether it is a refund of an amount that does not say of which total.

    Another message may ask for a full refund under the same id, which needs none.
    """
    return isinstance(movement, RefundMovement) and movement.amount is not None and movement.order_total is None

"""Edited orders: which version of an order counts, and how many credits it moves (contract, section 12).

Pure. An order is charged by its first delivery, under the policy recorded with it. A newer version that is charged
otherwise posts the difference, so that the newest version's charge results from any order of arrival.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from chalicelib.domain.errors import Rejected
from chalicelib.domain.grace import DEBT
from chalicelib.domain.ids import Instant, TransactionId, transaction_id
from chalicelib.domain.movements import Kind, OrderMovement, RefundMovement, edit_key
from chalicelib.domain.orders import Basis, Direction, Edits, Policy, Tally, charge
from chalicelib.domain.outcomes import Duplicate, compare, recorded_money
from chalicelib.domain.transactions import Transaction

EDITED_TOTAL = "edited_total"
"""In the metadata of a refund or an edit: the order's newest total, if nothing else in the transaction holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A newer version of an order: it asks for `requested` credits as a movement of `kind`; None: for nothing.

    `edits` are the order's with this version, without what this movement takes.
    """

    kind: Kind | None
    requested: int
    edits: Edits


def newest(order: Transaction, tally: Tally | None) -> Edits:
    """Return the newest known version of a recorded order, which may be the recorded one."""
    if tally is not None and tally.edits is not None:
        return tally.edits
    updated_at = order.metadata.get("updated_at")
    return Edits(
        updated_at=None if updated_at is None else Instant(str(updated_at)),
        charged=order.requested,
        total=recorded_money(order, "total"),
    )


def taken(order: Transaction, tally: Tally | None) -> int:
    """Return the credits that an order and its edits have moved in the order's own direction, unsigned."""
    return _charged(order) + newest(order, tally).taken


def left(order: Transaction, tally: Tally | None) -> int:
    """Return the credits that an order and its edits have moved and refunds have not given back."""
    return taken(order, tally) - (tally.credits if tally else 0)


def version(movement: OrderMovement, order: Transaction, tally: Tally | None) -> Edit | Duplicate | Rejected:
    """Return what an event of a recorded order asks for: an edit, if it has a newer version.

    An older version is a duplicate. An event without a version, or with the newest one again, is compared as any other
    repeat: if the charge differs, nothing decides which of the two counts.
    """
    seen, asked = newest(order, tally), _charge(movement, order)
    if movement.updated_at is not None and seen.updated_at is not None and movement.updated_at < seen.updated_at:
        return Duplicate(order)
    if asked is None or movement.updated_at in (None, seen.updated_at):
        return Duplicate(order) if asked == seen.charged else compare(movement, order)
    if asked == seen.charged and movement.total is None and _policy(order.metadata).basis is Basis.ORDER:
        return Duplicate(order)  # Neither its charge nor its total can be another, so its time need not be known.
    return _step(order, tally, updated_at=movement.updated_at, charged=asked, total=movement.total)


def repeated(movement: OrderMovement, edit: Transaction) -> bool:
    """Return whether a recorded edit is that of the movement's version, with the same charge."""
    return not edit.kind.is_order and _charge(movement, edit) == _recorded_charge(edit)


def replayed(edit: Transaction, order: Transaction, tally: Tally) -> Edit:
    """Return what a recorded edit had to ask for, given its order's `tally` before it."""
    return _step(
        order,
        tally,
        updated_at=Instant(str(edit.metadata["updated_at"])),
        charged=_recorded_charge(edit),
        total=newest_total(edit),
    )


def moved(edit: Edit, transaction: Transaction, order: Transaction) -> Edits:
    """Return the order's edits once `edit` is recorded as `transaction`.

    What it gives back counts in full, as with refunds: what the account could not pay is shortfall.
    """
    change = _charged(transaction) if transaction.kind.direction is order.kind.direction else -transaction.requested
    return replace(edit.edits, taken=edit.edits.taken + change)


def edit_metadata(movement: OrderMovement, order: Transaction, edits: Edits) -> dict[str, str | int]:
    """Return the metadata of an edit: everything its charge follows from, so that the order's tally can be proven."""
    metadata = {**movement.metadata, "order_id": order.reference_id, "policy": order.metadata["policy"]}
    if movement.total is None and edits.total is not None:
        metadata[EDITED_TOTAL] = f"{edits.total:f}"
    return metadata


def known_total(order: Transaction, tally: Tally | None) -> Decimal | None:
    """Return the total that a refund counts by: that of the newest version, else an earlier refund's, else its own."""
    if tally is not None and tally.edits is not None and tally.edits.total is not None:
        return tally.edits.total
    counted = tally.total if tally else None
    return counted if counted is not None else recorded_money(order, "total")


def as_edit(movement: OrderMovement) -> OrderMovement:
    """Return the movement under the key of its version's edit, which must have a time."""
    assert movement.updated_at is not None, "a version without a time is no edit"
    return replace(movement, key=edit_key(movement.reference_id, movement.updated_at))


def counted_by(refund: RefundMovement, tally: Tally) -> dict[str, str | int]:
    """Return what a refund's transaction must keep of an edited order: the newest total, of which it is a share."""
    if refund.amount is None or tally.edits is None or tally.edits.total is None:
        return {}
    return {EDITED_TOTAL: f"{tally.edits.total:f}"}


def edit_id(movement: OrderMovement) -> TransactionId | None:
    """Return the id under which this version of the order is recorded if it is an edit, None where it has no time."""
    if movement.updated_at is None:
        return None
    return transaction_id(movement.merchant_id, edit_key(movement.reference_id, movement.updated_at))


def newest_total(transaction: Transaction) -> Decimal | None:
    """Return the newest total of an edited order as a refund or an edit of it proves it."""
    named = recorded_money(transaction, "total")
    return named if named is not None else recorded_money(transaction, EDITED_TOTAL)


def _step(order: Transaction, tally: Tally | None, *, updated_at: Instant, charged: int, total: Decimal | None) -> Edit:
    """Return the edit that brings an order to a newer version.

    If the charge has grown, the edit asks for the growth, but for no more than is missing to the new charge: refunds
    may have kept an earlier edit from giving all back. If it has shrunk, the edit gives back what was taken above the
    new charge (a shortfall may have kept that lower), but never what refunds gave back already.
    """
    seen, net = newest(order, tally), taken(order, tally)
    after = Edits(
        updated_at=updated_at, charged=charged, taken=seen.taken, total=total if total is not None else seen.total
    )
    direction = order.kind.direction
    if charged > seen.charged:
        return Edit(kind=_KINDS[direction], requested=min(charged - seen.charged, max(0, charged - net)), edits=after)
    if charged == seen.charged:
        return Edit(kind=None, requested=0, edits=after)
    refunded = tally.credits if tally else 0
    requested = min(seen.charged - charged, max(0, net - charged), max(0, net - refunded))
    return Edit(kind=_KINDS[_REVERSE[direction]], requested=requested, edits=after)


_KINDS = {Direction.INCREASE: Kind.EDIT_ADDED, Direction.DECREASE: Kind.EDIT_REMOVED}
_REVERSE = {Direction.INCREASE: Direction.DECREASE, Direction.DECREASE: Direction.INCREASE}


def _charged(transaction: Transaction) -> int:
    """Return what an order or an edit took, unsigned, including its debt during a grace."""
    return abs(transaction.amount) + int(transaction.metadata.get(DEBT, 0))


def _policy(metadata: Mapping[str, str | int]) -> Policy:
    return Policy.parse(str(metadata["policy"]))


def _charge(movement: OrderMovement, transaction: Transaction) -> int | None:
    """Return what a version asks for under the policy recorded with its order, None if that charges nothing."""
    try:
        return charge(_policy(transaction.metadata), lines=movement.lines, total=movement.total)
    except Rejected:
        return None


def _recorded_charge(edit: Transaction) -> int:
    lines = int(edit.metadata["lines"])
    return charge(_policy(edit.metadata), lines=lines, total=recorded_money(edit, "total"))

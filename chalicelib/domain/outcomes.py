"""The outcome of a movement: recorded, recorded before, impossible, or to be retried."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.freeze import FREEZE, UNTIL, FreezeMovement
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import (
    ORDER_UPDATED,
    DisputeWonMovement,
    FixedMovement,
    Kind,
    Movement,
    OrderMovement,
    RefundMovement,
    ReversalMovement,
)
from chalicelib.domain.orders import Basis, Policy, charge
from chalicelib.domain.reversals import Portion
from chalicelib.domain.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Posted:
    """The movement was recorded."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The movement had been recorded before, as `transaction` (None if it was not read).

    `order_changed`: the order came again with data that would be charged differently (contract, "Conflict or
    duplicate").
    """

    transaction: Transaction | None
    order_changed: bool = False


Outcome = Posted | Duplicate | Rejected | RetryLater


def contradicts_record(outcome: Outcome) -> bool:
    """Return whether the movement is recorded with other content."""
    return isinstance(outcome, Rejected) and outcome.code is Code.KEY_REUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What to write (None: nothing) and an outcome for each movement, None for one that waits for the next write.

    `foreseen` are the outcomes if this write succeeds; with `foresee`, those of the following writes too.
    """

    commit: Commit | None
    outcomes: tuple[Outcome | None, ...]
    foreseen: tuple[Outcome | None, ...]


def compare(movement: Movement, transaction: Transaction) -> Duplicate | Rejected:
    """Return whether this is the recorded movement again, or its key with other content.

    Contract, section 2, rule 4.
    """
    if transaction.kind is Kind.OPENING:
        # The old service recorded it, and its content is not known here (contract, section 20).
        return Duplicate(transaction)
    if isinstance(movement, FixedMovement):
        same = movement.kind is Kind.TRIAL or (
            movement.kind is transaction.kind
            and movement.credits == transaction.requested
            and not _lapses_otherwise(movement, transaction)
            and not (isinstance(movement, FreezeMovement) and _freezes_otherwise(movement, transaction))
        )
    elif isinstance(movement, RefundMovement):
        same = _refunded_otherwise(movement, transaction) is None
    elif isinstance(movement, ReversalMovement | DisputeWonMovement):
        same = _contradicted(movement, transaction) is None
    else:
        same = _charged_the_same(movement, transaction)
        if not same and (_updated(movement) or transaction.metadata.get("source") == ORDER_UPDATED):
            return Duplicate(transaction, order_changed=True)
    if same:
        return _repeated_too_late(movement, transaction) or Duplicate(transaction)
    return Rejected(
        Code.KEY_REUSED,
        f"{movement.key} was recorded before with other content, as transaction {transaction.transaction_id}",
        field=_differing(movement, transaction),
    )


def _lapses_otherwise(movement: FixedMovement, transaction: Transaction) -> bool:
    """Return whether the event and the transaction name different instants at which the credits lapse."""
    stated = movement.expires_at if movement.expiry_stated else None
    return stated is not None and any(part.expires_at != stated for part in transaction.drawn)


def _freezes_otherwise(movement: FreezeMovement, transaction: Transaction) -> bool:
    """Return whether the transaction does something else to a freeze, or names another end; why and who may differ."""
    recorded = transaction.metadata.get(FREEZE), transaction.metadata.get(UNTIL)
    return recorded != (movement.note, movement.until)


def _repeated_too_late(movement: Movement, transaction: Transaction) -> Rejected | None:
    """Return why a renewal cannot be a repeat of the recorded one, None where it can be (contract, section 12)."""
    if not isinstance(movement, FixedMovement) or movement.repeat_days is None:
        return None
    # A transaction without a time may come from this very event, whose time was too far ahead to be kept: no proof.
    own = movement.occurred_at or (movement.ahead if transaction.occurred_at else None)
    if own is None:
        return None
    recorded = transaction.occurred_at or transaction.created_at
    later = datetime.fromisoformat(own) - datetime.fromisoformat(recorded)
    if later <= timedelta(days=movement.repeat_days):
        return None
    return Rejected(
        Code.PERIOD_REPEATED,
        f"this period was recorded at {recorded}, as transaction {transaction.transaction_id}; the same name came "
        f"again at {own}, more than {movement.repeat_days} days later",
        field="period_start",
    )


def _differing(movement: Movement, transaction: Transaction) -> str | None:
    """Return the first field in which an event contradicts the transaction, None if no single field does."""
    if isinstance(movement, FixedMovement):
        if isinstance(movement, FreezeMovement):
            return "until" if transaction.metadata.get(FREEZE) == movement.note else None
        if movement.kind is transaction.kind:
            return "expires_at" if movement.credits == transaction.requested else "credits"
        return "operation_type"
    if isinstance(movement, RefundMovement):
        return _refunded_otherwise(movement, transaction)
    if isinstance(movement, ReversalMovement | DisputeWonMovement):
        return _contradicted(movement, transaction)
    if not isinstance(movement, OrderMovement) or "policy" not in transaction.metadata:
        return None
    basis = Policy.parse(str(transaction.metadata["policy"])).basis
    return {Basis.TOTAL: "total", Basis.ITEM: "order_items", Basis.ORDER: None}[basis]


def _refunded_otherwise(movement: RefundMovement, transaction: Transaction) -> str | None:
    """Return the first field in which a refund contradicts its transaction, None for a repeat."""
    pairs = (
        ("order_id", movement.order_id, transaction.metadata.get("order_id")),
        ("refund_amount", movement.amount, recorded_money(transaction, "refund_amount")),
        ("order_total", movement.order_total, recorded_money(transaction, "order_total")),
    )
    return next((name for name, stated, recorded in pairs if stated != recorded), None)


def _contradicted(movement: ReversalMovement | DisputeWonMovement, transaction: Transaction) -> str | None:
    """Return the first field in which a reversal or won dispute contradicts its transaction, None for a repeat."""
    if transaction.metadata.get("payment_id") != movement.payment_id:
        return "payment_id"
    if transaction.kind is not (Kind.REVERSAL if isinstance(movement, ReversalMovement) else Kind.REVERSAL_RETURNED):
        # The key of a dispute named WON_… may be that of a dispute which was won.
        return "dispute_id"
    if isinstance(movement, DisputeWonMovement):
        return None if transaction.metadata.get("dispute_id") == movement.dispute_id else "dispute_id"
    stated, recorded = movement.portion, Portion.recorded(transaction.metadata)
    pairs: tuple[tuple[str, object, object], ...] = (
        ("credits", stated.credits, recorded.credits),
        ("amount", stated.amount, recorded.amount),
        ("amount_refunded", stated.refunded, recorded.refunded),
        ("payment_total", stated.payment_total, recorded.payment_total),
        # By which of its names a dispute comes says nothing about what goes back.
        ("dispute_id", stated.dispute_id is None, recorded.dispute_id is None),
    )
    return next((name for name, one, other in pairs if one != other), None)


def _updated(movement: Movement) -> bool:
    return isinstance(movement, OrderMovement) and movement.updated


def _charged_the_same(movement: Movement, transaction: Transaction) -> bool:
    if not isinstance(movement, OrderMovement):
        return False
    try:
        asked = charge(Policy.parse(str(transaction.metadata["policy"])), lines=movement.lines, total=movement.total)
    except Rejected:
        return False
    return asked == transaction.requested


def recorded_money(transaction: Transaction, name: str) -> Decimal | None:
    """Return the amount of money that the transaction's metadata keep under `name`, None where they keep none."""
    text = transaction.metadata.get(name)
    return None if text is None else Decimal(text)

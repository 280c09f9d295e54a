"""Edited orders, by the contract's section 12 once more: which version counts, what it moves and what is kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.oracles.grace import took
from tests.simulator.asks import DECREASE, INCREASE, Ask, Row, charge, order_key, record_id

EDITED = "ORDER_EDITED"
ATTRIBUTE = "edited"


@dataclass
class Editions:
    """What the versions of a recorded order have made of it; `taken` is what its edits moved, as the order does."""

    charged: int
    at: str | None
    total: Decimal | None
    taken: int = 0
    told: bool = False
    charges: set[int] = field(default_factory=set)
    totals_known: list[tuple[Decimal, float]] = field(default_factory=list)


def editions_of(order: Row) -> Editions:
    """Return an order as its own transaction tells it."""
    kept = order["extra_metadata"]
    return Editions(order["requested"], kept.get("updated_at"), _money(kept.get("total")), charges={order["requested"]})


def edit_of(ask: Ask) -> Ask:
    """Return what an order's event asks for where the order is recorded already."""
    return replace(
        ask,
        type=EDITED,
        key=edit_key(ask, ask.reference),
        order=ask.reference,
        kept=(("order_id", ask.reference), *ask.kept),
    )


def edit_key(ask: Ask, order: str) -> str:
    """Return the key of an edit of the order of this name."""
    assert ask.at is not None
    return f"{order_key(order)}_EDIT_{round(datetime.fromisoformat(ask.at).timestamp() * 1000)}"


def edited(state: Editions, ask: Ask, row: Row, order: Row, *, refunded: int, at: float) -> tuple[int, str] | str:
    """Count an edit's transaction, and return what it had to ask for and which way, or why it must not be."""
    kept = row["extra_metadata"]
    asked = charge(order["extra_metadata"]["policy"], ask)
    if asked is None or asked == state.charged or kept["policy"] != order["extra_metadata"]["policy"]:
        return f"an edit that changes nothing, or under another policy than its order {order}"
    assert ask.at is not None
    if state.at is not None and ask.at <= state.at:
        return f"an edit of {ask.at}, and the order has seen {state.at}"
    net, forward = took(order) + state.taken, order["operation_type"]
    if asked > state.charged:
        wanted, direction = min(asked - state.charged, max(0, asked - net)), forward
    else:
        wanted, direction = min(state.charged - asked, max(0, net - asked), net - refunded), _other(forward)
    state.charged, state.at, state.told = asked, ask.at, True
    state.charges.add(asked)
    state.taken += took(row) if row["operation_type"] == forward else -row["requested"]
    _take_total(state, ask.total, at)
    return wanted, direction


def refunded_by(state: Editions, row: Row, versions: Sequence[Ask], *, at: float) -> str | None:
    """Take the newest total that a refund says it counted by, and return why it must not be, None where it may."""
    said = _money(row["extra_metadata"].get("edited_total"))
    if said is None:
        wrong = "refund_amount" in row["extra_metadata"] and state.told and state.total is not None
        return f"a refund that does not tell the newest total, {state.total}" if wrong else None
    if state.told and said == state.total:
        return None
    # A version of this very write, which moved nothing, was first.
    if not any(_money(ask.total) == said for ask in versions if ask.at and (state.at is None or ask.at > state.at)):
        return f"a refund counted by {said}, which no newer version than {state.at} told"
    state.told = True
    _take_total(state, str(said), at)
    return None


def noted(state: Editions, item: Mapping[str, Any], order: Row, versions: Sequence[Ask], *, at: float) -> str | None:
    """Take what stands on an order's item after a write, and return why it must not be, None where it may."""
    if ATTRIBUTE not in item:
        return f"an edited order that does not say so: {item}" if state.told else None
    charged, taken, seen, total = item[ATTRIBUTE]["S"].split(" ")
    if seen != state.at:
        if state.at is not None and seen < state.at:
            return f"an order that has seen {state.at} goes back to {seen}"
        version = next((ask for ask in versions if ask.at == seen), None)
        if version is None or charge(order["extra_metadata"]["policy"], version) != state.charged:
            return f"a version {seen} noted, which nobody told or which is charged otherwise"
        state.at, state.told = seen, True
        _take_total(state, version.total, at)
    should = (state.charged, state.taken, None if state.total is None else state.total)
    stands = (int(charged), int(taken), None if total == "-" else Decimal(total))
    return None if stands == should else f"an edited order at {stands}, should be {should}"


def missed(ask: Ask, order: Row | None, state: Editions | None) -> bool:
    """Whether an event's version is newer than all that its order has seen."""
    if ask.type != "ORDER_PAID" or ask.at is None or order is None:
        return False
    seen = (state or editions_of(order)).at
    return seen is None or seen < ask.at


def order_record(row: Row) -> str:
    """Return the id of the order's transaction that a refund or an edit is of."""
    return record_id(row["merchant_id"], order_key(row["extra_metadata"]["order_id"]))


def net_taken(order: Row, rows: Sequence[Row]) -> int:
    """Return what an order and its edits have moved in the order's direction, by their transactions."""
    taken = took(order)
    for row in rows:
        if row["transaction_type"] == EDITED and order_record(row) == order["transaction_id"]:
            forward = row["operation_type"] == order["operation_type"]
            taken += took(row) if forward else -row["requested"]
    return taken


def _take_total(state: Editions, total: str | None, at: float) -> None:
    if total is not None:
        state.total = Decimal(total)
        state.totals_known.append((state.total, at))


def _other(direction: str) -> str:
    return DECREASE if direction == INCREASE else INCREASE


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

"""An account's counters in its item: a map that every release reads, or one text where that would be above 1 KB."""

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.adapters.dynamodb.time_attributes import BASE, in_base
from chalicelib.domain.ledger import Total
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction

# In the map, the whole names of these too would cost the largest account another write unit.
_SHORT: Final = {
    Kind.REVERSAL: "RV",
    Kind.REVERSAL_RETURNED: "RR",
    Kind.DEBT_REPAID: "DR",
    Kind.EDIT_ADDED: "EA",
    Kind.EDIT_REMOVED: "ER",
    Kind.EXPIRY: "EX",
}
_MEMBERS: Final = {
    Direction.INCREASE: ("increases", "credits_in"),
    Direction.DECREASE: ("decreases", "credits_out"),
}
_CODES: Final = {
    **_SHORT,
    Kind.TRIAL: "TR",
    Kind.ORDER_USED: "OU",
    Kind.ORDER_EARNED: "OE",
    Kind.REFUND_RETURNED: "FR",
    Kind.REFUND_TAKEN: "FT",
    Kind.PAYMENT: "PA",
    Kind.SUBSCRIPTION: "SU",
    Kind.MANUAL_ADDED: "MA",
    Kind.MANUAL_REMOVED: "MR",
    Kind.OPENING: "OP",
}
_KINDS: Final = {code: kind for kind, code in _CODES.items()}


def totals_map(totals: Mapping[Kind, Total]) -> dict[str, Any]:
    """Return the counters as a map by transaction type."""
    by_type: dict[str, dict[str, Any]] = {}
    for kind, total in totals.items():
        name, counted, moved = _names(kind)
        members = by_type.setdefault(name, {})
        members |= {counted: {"N": str(total.count)}, moved: {"N": str(total.credits)}}
    return {name: {"M": members} for name, members in by_type.items()}


def totals_from(by_type: Mapping[str, Any]) -> dict[Kind, Total]:
    """Return the counters that `totals_map` wrote."""
    totals = {}
    for kind in Kind:
        name, counted, moved = _names(kind)
        members = by_type.get(name, {"M": {}})["M"]
        if counted in members:
            totals[kind] = Total(count=int(members[counted]["N"]), credits=int(members[moved]["N"]))
    return totals


def counters_text(totals: Mapping[Kind, Total]) -> str:
    """Return the counters as one text, such as `OU2s:a PA1:5k`: code of the kind, transactions, credits, in base 36."""
    return " ".join(f"{_CODES[kind]}{in_base(total.count)}:{in_base(total.credits)}" for kind, total in totals.items())


def counters_from(text: str) -> dict[Kind, Total]:
    """Return the counters that `counters_text` wrote."""
    parts = (part.partition(":") for part in text.split())
    return {
        _KINDS[counted[:2]]: Total(count=int(counted[2:], BASE), credits=int(moved, BASE))
        for counted, _, moved in parts
    }


def _names(kind: Kind) -> tuple[str, str, str]:
    """Return under which name the map keeps the totals of a kind, and under which the count and the credits there."""
    short = _SHORT.get(kind)
    return (short, "n", "c") if short else (kind.transaction_type, *_MEMBERS[kind.direction])

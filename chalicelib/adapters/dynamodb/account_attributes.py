"""The parts of an account's item that are short texts, its counters, and its places in the sparse indexes.

The texts are short because an account is to stay under 1 KB.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from chalicelib.domain.alerts import Alerts, Watched
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.grace import End, Grace
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant, milliseconds
from chalicelib.domain.lots import Lot, Lots
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.runway import ORDERS_MIN, Use
from chalicelib.domain.terms import GraceTerms, Level, Outdated
from chalicelib.domain.transactions import Total

if TYPE_CHECKING:
    from chalicelib.domain.ledger import Account

DUE_SHARDS = 8
"""How many partitions each hour of the index is spread over: 8,000 accounts may fall due in a second."""

LEVEL_SHARDS = 8
"""How many partitions each level of the sparse index is spread over."""
LEVELS_OF: Mapping[str, tuple[str, ...]] = {
    "zero": ("zero",),
    "low": ("low", "both"),
    "off": ("zero", "both", "off"),
}
"""Which levels of the sparse index list the accounts at zero, the low ones, and those whose plugin is off. With credits
a plugin is off while the account is closed or frozen; at zero, a grace may keep it on."""

_HOUR_LENGTH: Final = len("2026-01-31T12")
_DIGITS: Final = digits + ascii_lowercase
_BASE: Final = len(_DIGITS)
"""The base in which items keep numbers as text."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

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


def lots_text(lots: Lots) -> str:
    """Return lots as one text, such as `mb8owhs0:2s mbjnjgg0:a`: instant in milliseconds and credits, in base 36.

    As decimal JSON, eight lots would take another 200 bytes, and an account's item must stay under 1 KB.
    """
    return " ".join(f"{_in_base(milliseconds(lot.expires_at))}:{_in_base(lot.credits)}" for lot in lots)


def lots_from(text: str | None) -> Lots:
    """Return the lots that `lots_text` wrote, none of None."""
    parts = (part.partition(":") for part in (text or "").split())
    return tuple(
        Lot(expires_at=instant(_EPOCH + int(at, _BASE) * _MILLISECOND), credits=int(left, _BASE))
        for at, _, left in parts
    )


def level(account: "Account") -> str | None:
    """Return the partition of the sparse index that lists this account, such as `zero#5`, None if none does."""
    if not account.balance:
        name = "zero"
    elif account.low:
        name = "low" if account.enabled else "both"
    elif not account.enabled:
        name = "off"
    else:
        return None
    return f"{name}#{level_shard(account.merchant_id)}"


def level_shard(merchant_id: MerchantId) -> int:
    """Return which partition of its level lists the merchant."""
    return crc32(merchant_id.encode()) % LEVEL_SHARDS


def due_attributes(account: "Account") -> dict[str, Any]:
    """Return the two attributes by which the index lists an account, none if nothing will fall due."""
    if account.due_at is None:
        return {}
    return {"due_at": {"S": account.due_at}, "due_shard": {"S": due_partition(account.merchant_id, account.due_at)}}


def due_partition(merchant_id: MerchantId, due_at: Instant) -> str:
    """Return the partition of the index that lists the merchant's account: the hour of its instant, and a shard."""
    return f"{hour_of(due_at)}#{crc32(merchant_id.encode()) % DUE_SHARDS}"


def hour_of(time: Instant) -> str:
    """Return the hour of an instant, as partitions of the index are named."""
    return time[:_HOUR_LENGTH]


def _in_base(number: int) -> str:
    """Return a whole number of at least 0 in `_BASE`, which `int` reads."""
    assert number >= 0, "credits and instants after 1970 are not below 0"
    text = ""
    while number or not text:
        number, digit = divmod(number, _BASE)
        text = _DIGITS[digit] + text
    return text


def outdated_text(outdated: Outdated) -> str:
    """Return the default threshold before the last change of the setting, and when it was replaced."""
    return f"{outdated.threshold} {outdated.replaced_at}"


def outdated_from(text: str | None) -> Outdated | None:
    """Return what `outdated_text` wrote, None where there is none."""
    threshold, _, replaced_at = (text or "").partition(" ")
    return Outdated(threshold=int(threshold), replaced_at=Instant(replaced_at)) if replaced_at else None


def closure_text(closure: Closure) -> str:
    """Return whether the account is closed, and when that was last reported."""
    return f"{'closed' if closure.closed else 'open'} {closure.at}"


def closure_from(text: str | None, *, back_at: int | None) -> Closure | None:
    """Return the closure that `closure_text` wrote, None where there is none; `back_at` is in Unix milliseconds."""
    word, _, at = (text or "").partition(" ")
    back = instant(_EPOCH + back_at * _MILLISECOND) if back_at is not None and word == "open" else None
    return Closure(closed=word == "closed", at=Instant(at), back_at=back) if at else None


def freeze_text(freeze: Freeze) -> str:
    """Return a freeze as JSON: its start, its transaction, its end or null, its admin and its reason."""
    kept = [freeze.since, freeze.transaction_id, freeze.until, freeze.admin_id, freeze.reason]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def freeze_from(text: str | None) -> Freeze | None:
    """Return the freeze that `freeze_text` wrote, None where there is none."""
    if text is None:
        return None
    since, transaction_id, until, admin_id, reason = json.loads(text)
    return Freeze(
        since=Instant(since),
        transaction_id=TransactionId(transaction_id),
        reason=reason,
        admin_id=admin_id,
        until=None if until is None else Instant(until),
    )


def use_text(use: Use) -> str:
    """Return what the account's orders use: three numbers, or the sum alone of an old account."""
    return f"{use.weighted}" if use.since is None else f"{use.weighted} {use.since} {use.orders}"


def use_from(text: str | None) -> Use | None:
    """Return the use that `use_text` wrote, None where there is none."""
    if text is None:
        return None
    weighted, *young = map(int, text.split(" "))
    since, orders = young or (None, ORDERS_MIN)
    return Use(weighted=weighted, since=since, orders=orders)


def alerts_text(alerts: Alerts) -> str:
    """Return the levels in force, such as `full=100 -week:7d +half:50%`: `-` where the account is below."""
    parts = ["own=1"] if alerts.own else []
    parts += [f"full={alerts.full}"] if alerts.full is not None else []
    parts += [f"look={alerts.look_at}"] if alerts.look_at else []
    parts += [f"outdated={alerts.outdated.threshold}/{alerts.outdated.replaced_at}"] if alerts.outdated else []
    return " ".join([*parts, *(f"{'-' if one.below else '+'}{one.level}" for one in alerts.watched)])


def alerts_from(text: str | None) -> Alerts | None:
    """Return the alerts that `alerts_text` wrote, None where there are none."""
    if text is None:
        return None
    parts = text.split()
    kept = dict(part.split("=", 1) for part in parts if part[0] not in "-+")
    stamp, _, replaced_at = kept.get("outdated", "").partition("/")
    return Alerts(
        watched=tuple(Watched(level=Level.parse(one[1:]), below=one[0] == "-") for one in parts if one[0] in "-+"),
        own="own" in kept,
        full=int(kept["full"]) if "full" in kept else None,
        look_at=Instant(kept["look"]) if "look" in kept else None,
        outdated=Outdated(threshold=int(stamp), replaced_at=Instant(replaced_at)) if stamp else None,
    )


def grace_text(grace: Grace) -> str:
    """Return a grace: its start, its end by time or `-`, its credits and those used, and when and why it is over."""
    over = f" {grace.over[0]} {grace.over[1]}" if grace.over else ""
    return f"{grace.started_at} {grace.until or '-'} {grace.credits} {grace.used}{over}"


def grace_from(text: str | None) -> Grace | None:
    """Return the grace that `grace_text` wrote, None where there is none."""
    if text is None:
        return None
    started_at, until, limit, used, *over = text.split()
    return Grace(
        started_at=Instant(started_at),
        until=None if until == "-" else Instant(until),
        credits=int(limit),
        used=int(used),
        over=(Instant(over[0]), End(over[1])) if over else None,
    )


def grace_terms_text(terms: GraceTerms) -> str:
    """Return an account's own limits of a grace: its hours and its credits."""
    return f"{terms.hours} {terms.credits}"


def grace_terms_from(text: str | None) -> GraceTerms | None:
    """Return the limits that `grace_terms_text` wrote, None where there are none."""
    if text is None:
        return None
    hours, limit = map(int, text.split())
    return GraceTerms(hours=hours, credits=limit)


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
    return " ".join(
        f"{_CODES[kind]}{_in_base(total.count)}:{_in_base(total.credits)}" for kind, total in totals.items()
    )


def counters_from(text: str) -> dict[Kind, Total]:
    """Return the counters that `counters_text` wrote."""
    parts = (part.partition(":") for part in text.split())
    return {
        _KINDS[counted[:2]]: Total(count=int(counted[2:], _BASE), credits=int(moved, _BASE))
        for counted, _, moved in parts
    }


def _names(kind: Kind) -> tuple[str, str, str]:
    """Return the name of a kind's totals in the map, and the names of its count and its credits there."""
    short = _SHORT.get(kind)
    return (short, "n", "c") if short else (kind.transaction_type, *_MEMBERS[kind.direction])

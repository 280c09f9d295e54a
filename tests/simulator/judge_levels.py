"""Levels and graces, judged write by write: what each transaction, time alone or an admin made of them.

(contract, section 16)
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracles.grace import NOTES, Graces, switches, uses
from tests.oracles.levels import Crossed, Levels, Watch, named, of_setting
from tests.oracles.lots import read
from tests.oracles.runway import DailyUse
from tests.simulator.asks import LEVELS, Row

LEVEL_CROSSED, STATUS_CHANGED = "level_crossed", "plugin_status_changed"

Crossing = Mapping[str, Any]


@dataclass
class AlertBooks:
    """The judge's copy of one account's levels, its use and its grace; `look` is when levels in days are looked at."""

    watch: Watch = field(default_factory=Watch)
    use: DailyUse = field(default_factory=DailyUse)
    graces: Graces = field(default_factory=Graces)
    look: str | None = None

    @property
    def grace_ends(self) -> str | None:
        """When a running grace ends by time."""
        return self.graces.running.until if self.graces.running else None

    def instants(self) -> list[str]:
        """Return the instants at which time alone may change something."""
        return [at for at in (self.grace_ends, self.look) if at is not None]


def fleet_levels(environment: Mapping[str, str]) -> Levels:
    """Return the levels of accounts without their own."""
    return of_setting(environment.get("ALERT_LEVELS", ""))


def fleet_grace(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the hours and credits of a grace of accounts without their own limits."""
    return int(environment.get("GRACE_HOURS", "0")), int(environment.get("GRACE_CREDITS", "0"))


def noted_wrongly(books: AlertBooks, row: Row, environment: Mapping[str, str], *, debt: int) -> tuple[int, str | None]:
    """Take a transaction through the grace, and return what it owes by that, and why it does not say so."""
    should = books.graces.take(row, debt=debt, fleet=fleet_grace(environment))
    of_grace = (*NOTES, "debt") if uses(row) else NOTES
    said = {name: row["extra_metadata"][name] for name in of_grace if name in row["extra_metadata"]}
    return int(should.get("debt", 0)), None if said == should else f"it should say {should} of a grace and debt"


def levels_after(books: AlertBooks, row: Row, environment: Mapping[str, str], *, opening: bool) -> list[Crossing] | str:
    """Take a transaction through the levels, and return what it crossed, or why it does not say so."""
    books.use.take(row)
    books.watch.in_force(fleet_levels(environment), row["created_at"])
    text = row["extra_metadata"].get(LEVELS, "")
    said = None if opening else text.split(" ") if text else []
    crossed = books.watch.compared(said, row["balance_after"], books.use, row["created_at"], row=row)
    if isinstance(crossed, str):
        return crossed
    if " ".join(map(str, crossed)) != text:
        return f"it says that it crossed {text!r}"
    return [{"type": LEVEL_CROSSED, "row": row, "more": _of(one)} for one in crossed]


def switched_by(row: Row) -> Iterator[Crossing]:
    """Yield what a transaction's note of a grace makes it publish, and whether it switches the plugin."""
    kept = row["extra_metadata"]
    note = kept.get("grace")
    if note == "started":
        limits = {"ends_at": kept.get("grace_until"), "credits": kept.get("grace_credits")}
        yield {"type": "grace_started", "row": row, "more": limits}
    if note in ("used_up", "paid"):
        yield {"type": "grace_ended", "row": row, "more": {"reason": "credits" if note == "used_up" else "inflow"}}
    if switches(row):
        yield {"type": STATUS_CHANGED, "row": row}


@dataclass(frozen=True)
class Brought:
    """A write that may bring what time changed: its time, the account after it, and the true time in seconds."""

    now: str
    account: Row
    at: float
    balance: int
    sequence: int
    lapses: Sequence[str]
    """The instants of the lots that lapse in it."""

    def crossing(self, kind: str, **more: Any) -> Crossing:
        """Return something that was crossed without a transaction."""
        told = {"type": kind, "row": None, "merchant_id": self.account["merchant_id"], "more": more}
        return {**told, "version": self.account["version"], "time": self.now} | {
            "balance": self.balance,
            "sequence": self.sequence,
        }


def changed_by_time(books: AlertBooks, write: Brought, *, skew: float) -> list[Crossing] | str:
    """Return what time alone crossed until a write, before its first movement, or why it must not be.

    A lapse before the instant at which levels would be looked at compares them too, so they need no look then.
    """
    found: list[Crossing] = []
    until, look = books.grace_ends, books.look
    if books.graces.ended_by(write.now):
        assert until is not None
        if write.at < read(until).timestamp() - skew:
            return "a grace that ended before its time"
        off = {"previous_status": "enabled", "current_status": "disabled", "reason": "Insufficient credits"}
        found += [write.crossing("grace_ended", reason="time")]
        found += [write.crossing(STATUS_CHANGED, **off, timestamp=write.now)]
    if look is not None and look <= write.now and not any(end <= look for end in write.lapses):
        if write.at < read(look).timestamp() - skew:
            return "levels looked at before their instant"
        crossed = books.watch.compared(carried(write.account), write.balance, books.use, write.now)
        if isinstance(crossed, str):
            return f"by time alone: {crossed}"
        found += [write.crossing(LEVEL_CROSSED, **_of(one)) for one in crossed]
    return found


def levels_set(
    books: AlertBooks, asked: Mapping[str, Any], write: Brought, environment: Mapping[str, str]
) -> list[Crossing] | str:
    """Return what an admin's levels crossed, or why they must not have."""
    books.watch.given(named(asked["levels"]), fleet_levels(environment))
    crossed = books.watch.compared(carried(write.account), write.balance, books.use, write.now)
    if isinstance(crossed, str):
        return f"by an admin's levels: {crossed}"
    return [write.crossing(LEVEL_CROSSED, **_of(one)) for one in crossed]


def carried(account: Row) -> list[str]:
    """Return the levels that a write crossed without a transaction, as its item says."""
    letters = {"credits": "c", "percent": "%", "days": "d"}
    found = []
    for one in json.loads(account.get("crossings", "[]")):
        if one["type"] == LEVEL_CROSSED and one["transaction_id"] is None:
            told = one["details"]
            sign = "-" if told["direction"] == "down" else "+"
            found.append(f"{sign}{told['level']}:{told['at']}{letters[told['unit']]}")
    return found


def wrong_item(books: AlertBooks, account: Row, *, last: Row, early: bool) -> dict[str, Any]:
    """Return what an account's item says wrongly of levels and graces, each with what it should; and take its look."""
    watch, graces = books.watch, books.graces
    kept, levels = _kept(account.get("alerts", ""))
    books.look = kept.get("look")
    should: dict[str, Any] = {
        "own": "1" if watch.own else None,
        "full": None if watch.full is None else str(watch.full),
        "outdated": watch.outdated and watch.outdated[1],
    }
    stands: dict[str, Any] = {name: kept.get(name) for name in should}
    stands["outdated"] = stands["outdated"] and stands["outdated"].partition("/")[2]
    should |= {"watched": [f"{'-' if watch.below[one.name] else '+'}{one}" for one in watch.levels]}
    should |= {"alerts": watch.known, "grace": _written(graces), "grace_terms": None}
    if graces.own is not None:
        should["grace_terms"] = f"{graces.own[0]} {graces.own[1]}"
    stands |= {"watched": levels, "alerts": "alerts" in account}
    stands |= {name: account.get(name) for name in ("grace", "grace_terms")}
    wrong = {name: (stands[name], value) for name, value in should.items() if stands[name] != value}
    now = account["updated_at"]
    if why := watch.wrong_look(books.look, last["balance_after"], books.use, now, early=early):
        wrong["look"] = books.look, why
    return wrong


def _kept(alerts: str) -> tuple[dict[str, str], list[str]]:
    parts = alerts.split()
    return dict(part.split("=", 1) for part in parts if part[0] not in "-+"), [one for one in parts if one[0] in "-+"]


def _written(graces: Graces) -> str | None:
    grace = graces.last
    if grace is None:
        return None
    over = f" {grace.over[0]} {grace.over[1]}" if grace.over else ""
    return f"{grace.started_at} {grace.until or '-'} {grace.limit} {grace.used}{over}"


def _of(one: Crossed) -> dict[str, Any]:
    level = one.level
    return {"level": level.name, "at": level.at, "unit": level.unit, "direction": "down" if one.down else "up"}

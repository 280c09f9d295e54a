"""Levels that an account's credits fall below or rise above, each reported once (contract, section 16, "Levels").

Pure. An account keeps the levels in force at its last write and which of them it is below; every write compares again,
so a crossing is the difference between the two and cannot be reported twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from zlib import crc32

from chalicelib.domain.ids import Instant
from chalicelib.domain.movements import OPENS, Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.runway import Use, known_from, lasts_beyond, lasts_beyond_from, per_day
from chalicelib.domain.terms import Level, Levels, Outdated, Unit, default_in_force

CROSSED: Final = "levels"
"""In a transaction's metadata: the levels that it crossed, as `crossed_text` writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A level in force, and whether the account is below it."""

    level: Level
    below: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCrossed:
    """A level that the account fell to or below (`down`), or rose above."""

    level: Level
    down: bool

    def details(self) -> Mapping[str, str | int]:
        """Return the members that only its event has, by their names there."""
        direction = "down" if self.down else "up"
        return {"level": self.level.name, "at": self.level.at, "unit": self.level.unit, "direction": direction}

    def __str__(self) -> str:
        """Return the crossing as metadata have it, such as `-week:7d`."""
        return f"{'-' if self.down else '+'}{self.level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The levels in force at an account's last write.

    `own`: an admin set them, and the fleet's do not count; `watched` may be empty then. `full` is the balance after the
    last inflow, kept while a level counts in percent. `look_at` is when time alone may next change something, if no
    order comes. `outdated` names the fleet's levels before the last change of the setting, while that is recent.
    """

    watched: tuple[Watched, ...] = ()
    own: bool = False
    full: int | None = None
    look_at: Instant | None = None
    outdated: Outdated | None = None

    @property
    def levels(self) -> Levels:
        """The levels in force."""
        return tuple(one.level for one in self.watched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What levels are compared with: the balance, and the use as of `last`, at the time `now`."""

    balance: int
    use: Use | None
    last: Instant | None
    now: Instant


Compared = tuple[Alerts | None, tuple[LevelCrossed, ...]]


def after_movement(alerts: Alerts | None, fleet: Levels | None, kind: Kind, supply: Supply) -> Compared:
    """Return an account's alerts after a transaction of this kind, and the levels that it crossed.

    `fleet` are the levels of accounts without their own, None if those in force stay. `supply` is the one after the
    transaction. Opening an account crosses nothing.
    """
    if alerts is None and not fleet:
        return None, ()
    before = alerts or Alerts()
    used = before if fleet is None else _in_force(before, fleet, supply.now)
    after, crossed = _compare(used, supply, before=before, kind=kind)
    return after, () if kind in OPENS else crossed


def after_change(alerts: Alerts | None, own: Levels | None, fleet: Levels, supply: Supply) -> Compared:
    """Return an account's alerts with levels of its own (None: the fleet's), and those that this crossed."""
    before = alerts or Alerts()
    if own is None:
        changed = replace(before, own=False, watched=_watched(fleet, before), outdated=None)
    else:
        changed = replace(before, own=True, watched=_watched(own, before), outdated=None)
    return _compare(changed, supply, before=before, kind=None)


def after_time(alerts: Alerts, supply: Supply) -> Compared:
    """Return an account's alerts after time alone has passed, and the levels that this crossed."""
    return _compare(alerts, supply, before=alerts, kind=None)


def crossed_text(crossed: Iterable[LevelCrossed]) -> str:
    """Return crossings as a transaction's metadata keep them."""
    return " ".join(str(one) for one in crossed)


def crossed_from(text: str) -> tuple[LevelCrossed, ...]:
    """Return the crossings that `crossed_text` wrote."""
    return tuple(LevelCrossed(level=Level.parse(one[1:]), down=one[0] == "-") for one in text.split())


def _watched(levels: Levels, before: Alerts) -> tuple[Watched, ...]:
    """Return levels with their state: one that was not in force before is not below yet."""
    below = {one.level.name: one.below for one in before.watched}
    return tuple(Watched(level=level, below=below.get(level.name, False)) for level in levels)


def _in_force(alerts: Alerts, fleet: Levels, now: Instant) -> Alerts:
    """Return the alerts with the levels in force: each account changes to new ones of the fleet once.

    During a gradual release, workers with two settings run side by side (`default_in_force`).
    """
    if alerts.own:
        return alerts
    stamped, asked = _stamp(alerts.levels), _stamp(fleet)
    used, outdated = default_in_force(stamped, alerts.outdated, default=asked, now=now)
    watched = alerts.watched if used == stamped else _watched(fleet, alerts)
    return replace(alerts, watched=watched, outdated=outdated)


def _stamp(levels: Levels) -> int:
    return crc32(" ".join(map(str, levels)).encode())


def _compare(alerts: Alerts, supply: Supply, *, before: Alerts, kind: Kind | None) -> Compared:
    """Return the alerts compared with `supply`, and what changed; `kind` is the transaction's, if one caused it."""
    full = _full(alerts, supply.balance, kind)
    daily = per_day(supply.use, last=supply.last, now=supply.now)
    inflow = kind in _INFLOWS
    watched = tuple(
        Watched(level=one.level, below=_below(one, supply.balance, full, daily, inflow=inflow))
        for one in alerts.watched
    )
    crossed = tuple(
        LevelCrossed(level=after.level, down=after.below)
        for known, after in zip(alerts.watched, watched, strict=True)
        if known.below != after.below
    )
    if not (watched or alerts.own or alerts.outdated):
        return None, crossed
    kept = before.look_at if kind is Kind.ORDER_USED and not crossed and alerts.levels == before.levels else None
    look_at = _look_at(watched, daily, supply, kept=kept)
    return replace(alerts, watched=watched, full=full, look_at=look_at), crossed


def _full(alerts: Alerts, balance: int, kind: Kind | None) -> int | None:
    """Return the balance after the last inflow, or the present balance if no inflow is known yet."""
    if not any(one.level.unit is Unit.PERCENT for one in alerts.watched):
        return None
    if alerts.full is None or kind in _INFLOWS or kind is Kind.DEBT_REPAID:
        return balance
    return alerts.full


def _below(watched: Watched, balance: int, full: int | None, daily: int | None, *, inflow: bool) -> bool:
    at = watched.level.at
    if watched.level.unit is Unit.CREDITS:
        return balance <= at
    if watched.level.unit is Unit.PERCENT:
        return balance * 100 <= at * (full or 0)
    if daily is None:
        return watched.below
    if not watched.below:
        return not lasts_beyond(balance, daily, at)
    # The daily use varies, so more is needed to rise above a level than to stay above it: a quarter more after an
    # inflow, else twice as much.
    return not (lasts_beyond(4 * balance, daily, 5 * at) if inflow else lasts_beyond(balance, daily, _RISE * at))


def _look_at(
    watched: tuple[Watched, ...], daily: int | None, supply: Supply, *, kept: Instant | None
) -> Instant | None:
    """Return when time alone may next change something of levels in days: it only makes the credits last longer.

    `kept` is an earlier answer that is still early enough: orders only postpone the true instant. So an order seldom
    changes it; each change costs an index entry.
    """
    days = [one for one in watched if one.level.unit is Unit.DAYS]
    use, last = supply.use, supply.last
    if not days or use is None or last is None:
        return None
    if daily is None:
        return known_from(use)
    if kept is not None and kept > supply.now:
        return kept
    instants = (
        lasts_beyond_from(use, supply.balance, _RISE * one.level.at, last=last, now=supply.now)
        for one in days
        if one.below
    )
    return min((at for at in instants if at is not None), default=None)


_RISE: Final = 2
_BACK: Final = frozenset({Kind.REFUND_RETURNED, Kind.EDIT_ADDED})
_INFLOWS: Final = frozenset(kind for kind in Kind if kind.direction is Direction.INCREASE) - _BACK
"""What brings new credits; what goes back of orders brings none."""

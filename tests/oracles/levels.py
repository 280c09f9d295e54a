"""Which levels an account is below, decided a second time from the contract alone (section 16, "Levels").

No line is shared with the service. A level in days depends on a use that the two count a little differently: where it
is closer than that, either answer is right, and the one that was published counts.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from tests.oracles.runway import DailyUse, lasts

CREDITS, PERCENT, DAYS = "credits", "percent", "days"
SETTLING_SECONDS = 3600.0
MINUTE_SECONDS = 60.0
RISE, RISE_BY_INFLOW = 2.0, 1.25
"""How much more credits than a level's days need must be there to rise above it."""
_LETTERS = {CREDITS: "c", PERCENT: "%", DAYS: "d"}
_GIVING = ("TRIAL", "OPENING", "PAYMENT", "SUBSCRIPTION", "MANUAL", "ORDER_PAID", "REVERSAL_RETURNED")


@dataclass(frozen=True)
class Level:
    """A level, by its name."""

    name: str
    at: int
    unit: str

    def __str__(self) -> str:
        return f"{self.name}:{self.at}{_LETTERS[self.unit]}"


Levels = tuple[Level, ...]


@dataclass(frozen=True)
class Crossed:
    """A level that was crossed, downwards or up."""

    level: Level
    down: bool

    def __str__(self) -> str:
        return f"{'-' if self.down else '+'}{self.level}"


def of_setting(text: str) -> Levels:
    """Return the levels of the setting `ALERT_LEVELS`."""
    found = []
    for part in filter(None, text.split(",")):
        name, _, rest = part.strip().partition("=")
        at, unit = re.fullmatch(r"(\d+) ?(\D*)", rest).groups()  # type: ignore[union-attr]
        found.append(Level(name, int(at), {"": CREDITS, "%": PERCENT}.get(unit, unit.rstrip("s") + "s")))
    return tuple(found)


def gives(row: Mapping[str, object]) -> bool:
    """Return whether a transaction brings new credits: what goes back of orders brings none."""
    return row["operation_type"] == "INCREASE" and row["transaction_type"] in _GIVING


@dataclass
class Watch:
    """The levels of one account as of its last write, and which of them it is below."""

    levels: Levels = ()
    below: dict[str, bool] = field(default_factory=dict)
    own: bool = False
    full: int | None = None
    outdated: tuple[Levels, str] | None = None
    """The fleet's levels that a changed setting replaced, and when."""

    @property
    def known(self) -> bool:
        """Whether there is anything to keep on the account."""
        return bool(self.levels or self.own or self.outdated)

    def in_force(self, fleet: Levels, now: str) -> None:
        """Take over the fleet's levels; each account does so once, and a worker of the old ones takes none back."""
        if self.own or (not self.known and not fleet):
            return
        if self.outdated and _seconds(now) - _seconds(self.outdated[1]) >= SETTLING_SECONDS:
            self.outdated = None
        if fleet != self.levels and not (self.outdated and fleet == self.outdated[0]):
            self.outdated = (self.levels, now)
            self._watch(fleet)

    def given(self, own: Levels | None, fleet: Levels) -> None:
        """Take levels that an admin set, None for the fleet's."""
        self.own, self.outdated = own is not None, None
        self._watch(fleet if own is None else own)

    def compared(
        self,
        said: Iterable[str] | None,
        balance: int,
        use: DailyUse,
        now: str,
        *,
        row: Mapping[str, object] | None = None,
    ) -> list[Crossed] | str:
        """Compare again, and return what was crossed, or why what is `said` to have been cannot be.

        `row` is the transaction that this comes after, None where there is none. `said` is None of an account's
        opening, which crosses nothing.
        """
        percent = any(level.unit == PERCENT for level in self.levels)
        if not percent:
            self.full = None
        elif self.full is None or (row is not None and (gives(row) or row["transaction_type"] == "DEBT_REPAID")):
            self.full = balance
        inflow = row is not None and gives(row)
        claimed, found = list(said or ()), []
        daily = use.per_day(_seconds(now)) if self.levels else None
        for level in self.levels:
            was = self.below[level.name]
            should = self._below(level, balance, daily, inflow=inflow)
            if said is None:
                self.below[level.name] = bool(should)
                continue
            toggled = Crossed(level, down=not was)
            crossed = str(toggled) in claimed
            if should not in (None, was != crossed):
                return f"it is {'' if should else 'not '}below {level}"
            if crossed:
                claimed.remove(str(toggled))
                self.below[level.name] = not was
                found.append(toggled)
        return f"levels that it did not cross: {claimed}" if claimed else found

    def _below(self, level: Level, balance: int, daily: float | None, *, inflow: bool) -> bool | None:
        """Return whether an account is below a level now, None where either answer is right."""
        if level.unit == CREDITS:
            return balance <= level.at
        if level.unit == PERCENT:
            return Fraction(balance, self.full) <= Fraction(level.at, 100) if self.full else not balance
        was = self.below[level.name]
        if daily is None:
            return was
        share = 1.0 if not was else RISE_BY_INFLOW if inflow else RISE
        enough = lasts(balance, daily, level.at * share)
        return None if enough is None else not enough

    def _watch(self, levels: Levels) -> None:
        self.below = {level.name: self.below.get(level.name, False) for level in levels}
        self.levels = levels

    def wrong_look(self, look: str | None, balance: int, use: DailyUse, now: str, *, early: bool) -> str | None:
        """Return why the levels must not be looked at next at `look`, None where they may.

        No crossing by time alone may come late. `early`: an order may have put it off, so it may come too soon.
        """
        days = [level for level in self.levels if level.unit == DAYS]
        if not days or not use.orders:
            return None if look is None else "there is nothing to look at"
        if use.per_day(_seconds(now)) is None:
            known = use.known_from()
            return None if (look and _seconds(look)) == known else f"the daily use is known from {known}"
        low = [level for level in days if self.below[level.name]]
        if look is None:
            return "time will lift it above a level" if low and balance else None
        if not low or look <= now:
            return "there is nothing to look at then"
        if any(self._risen(level, balance, use, _seconds(look) - MINUTE_SECONDS) for level in low):
            return "it is above a level sooner"
        if not early and all(self._risen(level, balance, use, _seconds(look)) is False for level in low):
            return "it is still below all levels then"
        return None

    def _risen(self, level: Level, balance: int, use: DailyUse, at: float) -> bool | None:
        daily = use.per_day(at)
        assert daily is not None, "a use that is known stays known"
        return lasts(balance, daily, level.at * RISE)


def named(levels: Sequence[Mapping[str, object]] | None) -> Levels | None:
    """Return the levels of an admin's request, None where it restores the fleet's."""
    if levels is None:
        return None
    return tuple(Level(str(one["name"]), int(str(one["at"])), str(one["unit"])) for one in levels)


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()

"""What is set for accounts: their thresholds, levels and grace, and what time changes (contract, sections 5 and 16)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.domain.ids import Instant
from chalicelib.domain.orders import CREDITS_MAX

LEVELS_MAX: Final = 5
"""The most levels of an account."""
NAME_LENGTH_MAX: Final = 24
SETTLING = timedelta(hours=1)
"""How long workers with the old setting may still post after a change: as long as a deployment may take."""
HOURS_MAX: Final = 8760


class Unit(StrEnum):
    """What a level counts: credits, percent of the balance after the last inflow, or days of runway."""

    CREDITS = "credits"
    PERCENT = "percent"
    DAYS = "days"


AT_MOST: Final[Mapping[Unit, int]] = {Unit.CREDITS: CREDITS_MAX, Unit.PERCENT: 100, Unit.DAYS: 365}
"""The highest level of each unit; the lowest is 0 credits, 1 percent, 1 day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level: the account is below it at `at` of `unit` or less."""

    name: str
    at: int
    unit: Unit

    def __str__(self) -> str:
        """Return the level as items and metadata have it, such as `week:7d`."""
        return f"{self.name}:{self.at}{_LETTERS[self.unit]}"

    @classmethod
    def parse(cls, text: str) -> "Level":
        """Return the level that `str()` wrote."""
        name, _, rest = text.rpartition(":")
        return cls(name=name, at=int(rest[:-1]), unit=_UNITS[rest[-1]])

    @classmethod
    def named(cls, text: str) -> "Level":
        """Return the level that a person wrote, such as `week=7 days`, `half=50%` or `few=20` (credits).

        Raises:
            ValueError: `text` is not a level.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            raise ValueError(
                f"{text!r} is not a level: write name=number unit, such as week=7 days, half=50% or few=20"
            )
        unit = (found["unit"] or Unit.CREDITS).replace("%", Unit.PERCENT)
        return cls(name=found["name"], at=int(found["at"]), unit=Unit(unit if unit in list(Unit) else f"{unit}s"))


_LETTERS: Final = {Unit.CREDITS: "c", Unit.PERCENT: "%", Unit.DAYS: "d"}
_UNITS: Final = {letter: unit for unit, letter in _LETTERS.items()}
_WRITTEN: Final = re.compile(r"(?P<name>[^=\s]+)=(?P<at>[0-9]{1,10}) ?(?P<unit>credits?|percent|%|days?)?", re.ASCII)
NAME_PATTERN: Final = f"^[a-z0-9][a-z0-9_-]{{0,{NAME_LENGTH_MAX - 1}}}$"
_NAME: Final = re.compile(NAME_PATTERN, re.ASCII)
Levels = tuple[Level, ...]


def least(unit: Unit) -> int:
    """Return the lowest number that a level in this unit may have."""
    return int(unit is not Unit.CREDITS)


def checked(levels: Iterable[Level]) -> Levels:
    """Return levels that may be in force together.

    Raises:
        ValueError: they may not; the message is a sentence with the reason.
    """
    found = tuple(levels)
    if len(found) > LEVELS_MAX:
        raise ValueError(f"at most {LEVELS_MAX} levels are allowed")
    for level in found:
        if _NAME.fullmatch(level.name) is None:
            raise ValueError(
                f"the name of a level has 1 to {NAME_LENGTH_MAX} small letters, digits, - or _, and begins with a "
                "letter or a digit"
            )
        lowest, most = least(level.unit), AT_MOST[level.unit]
        if not lowest <= level.at <= most:
            raise ValueError(f"a level in {level.unit} takes a whole number from {lowest} to {most}")
    if len({level.name for level in found}) < len(found):
        raise ValueError("each level needs a name of its own")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class GraceTerms:
    """How long a grace lasts at most, in hours, and how many credits may be owed in it; 0: no such limit.

    Without either there is no grace.
    """

    hours: int = 0
    credits: int = 0

    @property
    def given(self) -> bool:
        """Whether there is a grace at all."""
        return bool(self.hours or self.credits)


NO_GRACE: Final = GraceTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTerms:
    """The settings that decide what time changes.

    A lot is announced `notice_days` before its end. Credits that come back after their end lapse again
    `refund_grace_days` later. `levels` and `grace` are those of accounts without their own; `levels` of None leaves
    those in force as they are.
    """

    notice_days: tuple[int, ...] = (7, 1)
    refund_grace_days: int = 7
    levels: Levels | None = ()
    grace: GraceTerms = NO_GRACE


TIME_TERMS: Final = TimeTerms()
"""What time changes where no setting says otherwise."""
AS_IT_IS: Final = TimeTerms(notice_days=(), levels=None)
"""For readers: what changes an account, and nothing that is only announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """The default threshold that an account had until a changed setting replaced it, at this time."""

    threshold: int
    replaced_at: Instant


def default_in_force(
    stamped: int, outdated: Outdated | None, *, default: int, now: Instant
) -> tuple[int, Outdated | None]:
    """Return the default threshold for an account, and the one that is outdated by it while that may still come.

    `stamped` is the one on the account, `default` that of the worker's settings. During a gradual release, workers with
    two settings run side by side. Each account changes to the new default once: a worker with the outdated one does not
    change it back, or low and restored would be published again and again.
    """
    if outdated is None and default == stamped:
        return stamped, None
    if outdated is not None and _settled(outdated, now):
        outdated = None
    if default == stamped or (outdated is not None and default == outdated.threshold):
        return stamped, outdated
    return default, Outdated(threshold=stamped, replaced_at=now)


def _settled(outdated: Outdated, now: Instant) -> bool:
    return datetime.fromisoformat(now) - datetime.fromisoformat(outdated.replaced_at) >= SETTLING

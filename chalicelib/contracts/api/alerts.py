"""An account's runway, lots, levels, grace and freeze in answers (contract, sections 16 and 17)."""

from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.domain import grace, runway
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Account, runway_of
from chalicelib.domain.terms import Unit


class WatchedLevel(Model):
    """A level in force, and whether the account is below it."""

    name: str
    at: int
    unit: Unit
    below: bool


class Levels(Model):
    """The levels in force at the account's last write; `own`: an admin set them for it.

    `percent_of` is the balance of which levels in percent are shares, None without such levels.
    """

    own: bool
    percent_of: int | None
    levels: list[WatchedLevel]

    @classmethod
    def of(cls, account: Account) -> Self | None:
        """Return the account's levels, None if it has none."""
        if account.alerts is None:
            return None
        watched = [
            WatchedLevel(name=one.level.name, at=one.level.at, unit=one.level.unit, below=one.below)
            for one in account.alerts.watched
        ]
        return cls(own=account.alerts.own, percent_of=account.alerts.full, levels=watched)


class GraceTerms(Model):
    """How many hours a grace lasts, and how many credits may be owed in it; 0: no such limit, both 0: no grace."""

    hours: int
    credits: int


class Grace(Model):
    """A grace, running or over; null again once the balance was above the low-balance threshold."""

    running: bool
    started_at: str
    ends_at: str | None
    credits: int | None
    used: int
    ended_at: str | None
    ended_by: grace.End | None

    @classmethod
    def of(cls, account: Account) -> Self | None:
        """Return the account's grace, None if it has none."""
        found = account.grace
        if found is None:
            return None
        ended_at, ended_by = found.over or (None, None)
        return cls(
            running=found.running,
            started_at=found.started_at,
            ends_at=found.until,
            credits=found.credits or None,
            used=found.used,
            ended_at=ended_at,
            ended_by=ended_by,
        )


class Freeze(Model):
    """An account's freeze: why, by whom, since when by which transaction, and until when (null: no end)."""

    reason: str
    admin_id: str
    since: str
    until: str | None
    transaction_id: str


class Runway(Model):
    """How long the credits last if orders use the same number per day.

    `days_left` and `empty_on` are null if that is more than ten years.
    """

    days_left: int | None
    empty_on: str | None
    per_day: float

    @classmethod
    def of(cls, account: Account, *, now: Instant) -> Self | None:
        """Return the member `runway` of an answer as of `now`, None while the daily use is unknown."""
        found = runway_of(account, now=now)
        if found is None:
            return None
        return cls(days_left=found.days_left, empty_on=found.empty_on, per_day=found.per_day / runway.MILLI)


class Lot(Model):
    """Credits that lapse together."""

    expires_at: str
    credits: int

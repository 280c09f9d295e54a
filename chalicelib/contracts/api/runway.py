"""How long an account's credits last, in answers (contract, section 16, "Runway")."""

from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.domain import runway
from chalicelib.domain.ids import Instant
from chalicelib.domain.lasting import runway_of
from chalicelib.domain.ledger import Account


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

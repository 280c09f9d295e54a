"""Days of an account and of the fleet, and what admins did, in answers (contract, section 6)."""

from typing import Self

from chalicelib.contracts.api.model import Model
from chalicelib.domain.days import DayEnd, Sums


class Day(Model):
    """A day (UTC) of one account: the balance at its end, and what moved it, in credits."""

    day: str
    balance: int
    credits_in: int
    credits_out: int
    used: int
    orders: int
    shortfall: int

    @classmethod
    def of(cls, end: DayEnd, moved: Sums) -> Self:
        """Return a day's row: the figures at its `end`, and what `moved` during it."""
        return cls(
            day=end.day,
            balance=end.balance,
            credits_in=moved.credits_in,
            credits_out=moved.credits_out,
            used=moved.used,
            orders=moved.orders,
            shortfall=moved.shortfall,
        )


class Days(Model):
    """The last days of an account, oldest first; none before the account was opened."""

    merchant_id: str
    days: list[Day]


class FleetDay(Model):
    """A day (UTC) of all merchants: how many were on, off and low at its end, and what moved."""

    day: str
    merchants: int
    enabled: int
    disabled: int
    low: int
    balance: int
    credits_in: int
    credits_out: int
    used: int
    orders: int
    shortfall: int
    parked: int

    @classmethod
    def of(cls, end: DayEnd, moved: Sums) -> Self:
        """Return a day's row: the figures at its `end`, and what `moved` during it."""
        return cls(
            merchants=end.merchants,
            enabled=end.merchants - end.zero - end.closed,
            disabled=end.zero + end.closed,
            low=end.low,
            parked=moved.parked,
            **Day.of(end, moved).model_dump(),
        )


class FleetDays(Model):
    """The last days of the fleet, oldest first; none before its figures were first kept."""

    days: list[FleetDay]


class Action(Model):
    """What an admin did, and when; `details` depend on `did`, to which a newer release may add words."""

    time: str
    did: str
    admin_id: str
    merchant_id: str | None
    details: dict[str, str | int | None]

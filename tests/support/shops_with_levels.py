"""A shop with levels, and its orders and grants one after the other."""

from datetime import UTC, datetime, timedelta

from chalicelib.domain.alerts import Alerts, LevelCrossed, Supply, after_movement, after_time
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.runway import Use, use_after
from chalicelib.domain.terms import Level, Levels, Unit

START = datetime(2026, 11, 2, tzinfo=UTC)  # A Monday.
WEEK = Level(name="week", at=7, unit=Unit.DAYS)
POLICY = {"policy": "DECREASE order 1"}


class Shop:
    """An account's balance, use and alerts, through transactions and time."""

    def __init__(self, *fleet: Level) -> None:
        self.fleet: Levels = fleet
        self.alerts: Alerts | None = None
        self.balance = 0
        self.use: Use | None = None
        self.last: Instant | None = None
        self.crossed: list[LevelCrossed] = []

    def move(self, days: float, kind: Kind, credits_moved: int) -> tuple[str, ...]:
        at = instant(START + timedelta(days=days))
        sign = 1 if kind.direction is Direction.INCREASE else -1
        self.balance = max(0, self.balance + sign * credits_moved)
        self.use = use_after(self.use, kind, credits_moved, POLICY, last=self.last, at=at)
        self.last = at
        self.alerts, crossed = after_movement(self.alerts, self.fleet, kind, self.supply(at))
        return self._note(crossed)

    def wait(self) -> tuple[str, ...]:
        """Let time pass until the instant at which a level is next due, and apply what is due then."""
        assert self.alerts is not None
        assert self.alerts.look_at is not None
        self.alerts, crossed = after_time(self.alerts, self.supply(self.alerts.look_at))
        return self._note(crossed)

    def supply(self, now: Instant) -> Supply:
        return Supply(balance=self.balance, use=self.use, last=self.last, now=now)

    def _note(self, crossed: tuple[LevelCrossed, ...]) -> tuple[str, ...]:
        self.crossed += crossed
        return tuple(map(str, crossed))


def opened(balance: int, *fleet: Level) -> Shop:
    shop = Shop(*fleet)
    shop.move(0, Kind.TRIAL, balance)
    return shop


def sells(shop: Shop, since: float, until: float, *, each_day: int, hours: float = 24) -> None:
    """Sell steadily, in the first hours of each day."""
    for day in range(int(since), int(until)):
        for number in range(each_day):
            shop.move(day + hours / 24 * number / each_day, Kind.ORDER_USED, 1)

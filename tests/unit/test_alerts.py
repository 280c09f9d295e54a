"""Levels: each crossing once and both ways, and levels in days that are stable (contract, section 16, "Levels")."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.alerts import (
    Alerts,
    LevelCrossed,
    Supply,
    after_change,
    after_movement,
    after_time,
    crossed_from,
    crossed_text,
)
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.movements import OPENS, Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.runway import Use, use_after
from chalicelib.domain.terms import LEVELS_MAX, Level, Levels, Unit, checked

START = datetime(2026, 11, 2, tzinfo=UTC)  # A Monday.
TEN, HALF, WEEK = (
    Level(name="ten", at=10, unit=Unit.CREDITS),
    Level(name="half", at=50, unit=Unit.PERCENT),
    Level(name="week", at=7, unit=Unit.DAYS),
)
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
        """Bring what is due of the levels: at the very instant that they name."""
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


def test_a_level_in_credits_is_crossed_both_ways_once() -> None:
    shop = opened(12, TEN)

    assert [shop.move(1, Kind.ORDER_USED, 1) for _ in range(4)] == [(), ("-ten:10c",), (), ()]
    assert [shop.move(2, Kind.PAYMENT, 2) for _ in range(3)] == [(), ("+ten:10c",), ()]


def test_a_level_in_percent_is_of_the_balance_after_the_last_inflow() -> None:
    shop = opened(100, HALF)

    assert shop.move(1, Kind.ORDER_USED, 49) == ()
    assert shop.move(1, Kind.ORDER_USED, 1) == ("-half:50%",)
    assert shop.move(1, Kind.REFUND_RETURNED, 1) == ("+half:50%",)
    assert shop.move(1, Kind.ORDER_USED, 1) == ("-half:50%",)
    assert shop.move(2, Kind.PAYMENT, 150) == ("+half:50%",)
    assert shop.move(3, Kind.ORDER_USED, 100) == ("-half:50%",)


def test_an_inflow_that_pays_debt_counts_after_it() -> None:
    shop = opened(100, HALF)
    shop.move(1, Kind.ORDER_USED, 100)
    shop.move(2, Kind.PAYMENT, 60)
    shop.move(2, Kind.DEBT_REPAID, 40)

    assert shop.alerts is not None
    assert shop.alerts.full == 20


def test_opening_an_account_crosses_nothing() -> None:
    shop = opened(5, TEN)

    assert shop.crossed == []
    assert shop.move(1, Kind.PAYMENT, 6) == ("+ten:10c",)


def sells(shop: Shop, since: float, until: float, *, each_day: int, hours: float = 24) -> None:
    """Sell steadily, in the first hours of each day."""
    for day in range(int(since), int(until)):
        for number in range(each_day):
            shop.move(day + hours / 24 * number / each_day, Kind.ORDER_USED, 1)


def test_a_level_in_days_is_crossed_by_the_order_that_leaves_no_more() -> None:
    shop = opened(200, WEEK)

    sells(shop, 0, 19, each_day=10)

    assert [str(one) for one in shop.crossed] == ["-week:7d"]


def test_a_level_in_days_is_crossed_when_the_runway_is_first_known() -> None:
    shop = opened(55, WEEK)
    sells(shop, 0, 1, each_day=20)

    assert shop.alerts is not None
    assert shop.alerts.look_at == instant(START + timedelta(days=3))
    assert shop.wait() == ("-week:7d",)


@pytest.mark.parametrize("each_day", [2, 10, 40])
@pytest.mark.parametrize("hours", [1, 8, 24])
def test_nights_and_weekends_lift_no_level(each_day: int, hours: float) -> None:
    shop = opened(each_day * 40, WEEK)

    for week in range(8):
        sells(shop, 7 * week, 7 * week + 5, each_day=each_day, hours=hours)
        # Whatever falls due until Monday morning falls due.
        monday = instant(START + timedelta(days=7 * week + 7))
        while shop.alerts and shop.alerts.look_at and shop.alerts.look_at < monday:
            shop.wait()

    assert [str(one) for one in shop.crossed] == ["-week:7d"]


def test_a_payment_lifts_a_level_in_days_by_a_quarter_more() -> None:
    shop = opened(200, WEEK)
    sells(shop, 0, 18, each_day=10)
    assert shop.crossed[-1].down

    assert shop.move(18, Kind.PAYMENT, 55) == ()
    assert shop.move(18, Kind.PAYMENT, 20) == ("+week:7d",)


def test_a_quiet_week_lifts_a_level_in_days_at_the_instant_that_is_named() -> None:
    shop = opened(200, WEEK)
    sells(shop, 0, 15, each_day=10)
    assert shop.crossed[-1].down
    assert shop.alerts is not None
    named = shop.alerts.look_at

    assert named is not None
    lifted: tuple[str, ...] = ()
    while not lifted and shop.alerts.look_at is not None:
        named, lifted = shop.alerts.look_at, shop.wait()
    assert lifted == ("+week:7d",)
    assert timedelta(days=4) < datetime.fromisoformat(named) - START - timedelta(days=15) < timedelta(days=14)
    assert shop.alerts.look_at is None


def test_orders_do_not_move_the_instant_at_which_time_is_looked_at() -> None:
    shop = opened(200, WEEK)
    sells(shop, 0, 14, each_day=10)
    assert shop.alerts is not None
    named = shop.alerts.look_at

    shop.move(14.01, Kind.ORDER_USED, 1)

    assert shop.alerts.look_at == named


def changed(shop: Shop, own: Levels | None) -> tuple[str, ...]:
    shop.alerts, crossed = after_change(shop.alerts, own, shop.fleet, shop.supply(instant(START)))
    return tuple(map(str, crossed))


def test_an_admins_levels_take_the_place_of_the_fleets() -> None:
    shop = opened(30, TEN)

    assert changed(shop, (Level(name="ten", at=40, unit=Unit.CREDITS),)) == ("-ten:40c",)
    assert shop.move(1, Kind.PAYMENT, 20) == ("+ten:40c",)
    assert changed(shop, ()) == ()
    assert shop.move(2, Kind.ORDER_USED, 45) == ()
    assert changed(shop, None) == ("-ten:10c",)
    assert changed(shop, None) == ()


def test_without_levels_an_account_keeps_nothing() -> None:
    shop = opened(30)

    assert shop.alerts is None
    changed(shop, (TEN,))
    changed(shop, None)
    assert shop.alerts is None


def test_workers_of_two_settings_change_an_account_once() -> None:
    twenty = Level(name="twenty", at=20, unit=Unit.CREDITS)
    shop = opened(15, TEN)
    for _ in range(3):
        for fleet in ((twenty,), (TEN,)):
            shop.fleet = fleet
            shop.move(0.001, Kind.ORDER_USED, 0)

    assert [str(one) for one in shop.crossed] == ["-twenty:20c"]


levels = st.lists(
    st.builds(Level, name=st.sampled_from("abcdefg"), at=st.integers(1, 60), unit=st.sampled_from(Unit)),
    min_size=1,
    max_size=LEVELS_MAX,
    unique_by=lambda level: level.name,
).map(tuple)
# Enough orders for a runway, and gaps in which time alone crosses a level in days.
steps = st.lists(
    st.tuples(
        st.floats(0.001, 1) | st.sampled_from([0.5, 4.0, 40.0]),
        st.sampled_from([Kind.ORDER_USED, Kind.ORDER_USED, Kind.PAYMENT])
        | st.sampled_from(sorted(set(Kind) - OPENS, key=str)),
        st.integers(0, 60),
    ),
    min_size=15,
    max_size=60,
)


@given(levels, steps)
def test_each_crossing_is_told_once_and_both_ways_alternate(
    fleet: Levels, history: list[tuple[float, Kind, int]]
) -> None:
    shop = opened(100, *fleet)
    start = {one.level.name for one in shop.alerts.watched if one.below} if shop.alerts else set()
    told: dict[str, list[bool]] = {level.name: [True] if level.name in start else [] for level in fleet}
    days = 0.0
    for gap, kind, moved in history:
        days += gap
        before = len(shop.crossed)
        look_at = shop.alerts.look_at if shop.alerts else None
        if look_at is not None and look_at <= instant(START + timedelta(days=days)):
            shop.wait()
        shop.move(days, kind, moved)
        for one in shop.crossed[before:]:
            told[one.level.name].append(one.down)

    for ways in told.values():
        assert not ways or ways[0]
        assert all(first is not second for first, second in pairwise(ways))
    below = {one.level.name for one in shop.alerts.watched if one.below} if shop.alerts else set()
    assert below == {name for name, ways in told.items() if ways and ways[-1]}


@given(
    st.lists(
        st.builds(
            LevelCrossed,
            level=st.builds(Level, name=st.just("a-b_1"), at=st.integers(0, 10**9), unit=st.sampled_from(Unit)),
            down=st.booleans(),
        )
    )
)
def test_crossings_come_back_from_a_transactions_metadata(crossed: list[LevelCrossed]) -> None:
    assert crossed_from(crossed_text(crossed)) == tuple(crossed)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ([TEN] * 2, "name of its own"),
        ([Level(name=name, at=1, unit=Unit.DAYS) for name in "abcdef"], "at most 5 levels"),
        ([Level(name="", at=1, unit=Unit.DAYS)], "name"),
        ([Level(name="A", at=1, unit=Unit.DAYS)], "name"),
        ([Level(name="a" * 25, at=1, unit=Unit.DAYS)], "name"),
        ([Level(name="a", at=0, unit=Unit.DAYS)], "from 1 to 365"),
        ([Level(name="a", at=101, unit=Unit.PERCENT)], "from 1 to 100"),
        ([Level(name="a", at=-1, unit=Unit.CREDITS)], "from 0 to 1000000000"),
    ],
)
def test_levels_that_cannot_be_are_refused(bad: list[Level], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        checked(bad)


def test_levels_that_can_be_are_taken() -> None:
    assert checked([TEN, HALF, WEEK]) == (TEN, HALF, WEEK)
    assert len(checked([Level(name="zero", at=0, unit=Unit.CREDITS)])) == 1
    assert [Level.parse(str(one)) for one in (TEN, HALF, WEEK)] == [TEN, HALF, WEEK]

"""Levels: each crossing once and both ways, and levels in days that are stable (contract, section 16, "Levels")."""

from datetime import datetime, timedelta

import pytest

from chalicelib.domain.alerts import after_change
from chalicelib.domain.ids import instant
from chalicelib.domain.movements import Kind
from chalicelib.domain.terms import Level, Levels, Unit, checked
from tests.support.shops_with_levels import START, WEEK, Shop, opened, sells

TEN, HALF = (
    Level(name="ten", at=10, unit=Unit.CREDITS),
    Level(name="half", at=50, unit=Unit.PERCENT),
)


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

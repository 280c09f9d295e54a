"""How many days the credits last: from a daily use that forgets by halves, in whole numbers (contract, section 16)."""

from datetime import datetime, timedelta

import pytest

from chalicelib.domain.ids import instant
from chalicelib.domain.movements import Kind
from chalicelib.domain.runway import MILLI, ORDERS_MIN, Use, known_from, per_day, runway, use_after
from tests.support.runways import DECREASE, INCREASE, START, at, steady, used

HALF_LIFE = timedelta(days=7)


@pytest.mark.parametrize("days", [4, 14, 69, 71, 100])
def test_a_steady_use_is_its_own_average_however_young_the_account(days: int) -> None:
    use, last = steady(24, days)

    assert per_day(use, last=last, now=last) == pytest.approx(24_000, rel=0.015)


def test_the_credits_last_as_long_as_the_daily_use_says() -> None:
    use, last = steady(24, 30)

    found = runway(use, 240, last=last, now=last)

    assert found is not None
    assert (found.days_left, found.empty_on) == (9, "2026-12-11")
    assert found.per_day == pytest.approx(24_000, rel=0.015)


@pytest.mark.parametrize(
    ("orders", "days", "known"), [(9, 4.0, False), (10, 2.99, False), (10, 3.0, True), (11, 3.5, True)]
)
def test_nothing_is_told_before_three_days_and_ten_orders(orders: int, days: float, *, known: bool) -> None:
    use, last = used(*((number / 1440, Kind.ORDER_USED, 1) for number in range(orders)))

    assert (runway(use, 50, last=last, now=at(days)) is not None) is known


def test_an_old_account_keeps_the_sum_alone() -> None:
    assert [steady(1, days)[0].since is None for days in (70, 72)] == [False, True]


def test_without_an_order_there_is_no_use() -> None:
    assert use_after(None, Kind.PAYMENT, 50, {}, last=None, at=at(0)) is None
    assert runway(None, 50, last=at(0), now=at(9)) is None


@pytest.mark.parametrize(
    "kind", [Kind.PAYMENT, Kind.SUBSCRIPTION, Kind.MANUAL_ADDED, Kind.MANUAL_REMOVED, Kind.REVERSAL]
)
def test_what_is_no_order_is_no_use(kind: Kind) -> None:
    use, last = steady(10, 5)

    assert use_after(use, kind, 1000, {}, last=last, at=last) == use


def test_what_goes_back_of_orders_reduces_the_use_and_never_below_zero() -> None:
    use, last = steady(10, 5)

    less, _ = used((4.99, Kind.REFUND_RETURNED, 5), use=use, last=last)
    none, _ = used((4.99, Kind.REFUND_RETURNED, 10_000), use=use, last=last)

    assert 0 < less.weighted < use.weighted
    assert none.weighted == 0
    assert runway(none, 5, last=last, now=last) is not None


@pytest.mark.parametrize(
    ("kind", "policy", "change"),
    [
        (Kind.EDIT_REMOVED, DECREASE, 7),
        (Kind.EDIT_ADDED, DECREASE, -7),
        (Kind.EDIT_REMOVED, INCREASE, 0),
        (Kind.EDIT_ADDED, INCREASE, 0),
    ],
)
def test_an_edit_changes_the_use_where_its_order_uses_credits(
    kind: Kind, policy: dict[str, str | int], change: int
) -> None:
    use, last = steady(10, 5)

    after = use_after(use, kind, 7, policy, last=last, at=last)

    assert after is not None
    assert after.weighted - use.weighted == change * MILLI


def test_a_use_halves_every_week_without_orders() -> None:
    use, last = steady(24, 100)
    later = [per_day(use, last=last, now=instant(datetime.fromisoformat(last) + weeks * HALF_LIFE)) for weeks in (0, 1)]

    assert later[0] is not None
    assert later[1] == pytest.approx(later[0] / 2, rel=0.001)


def test_no_credits_last_no_day_and_no_use_lasts_for_ever() -> None:
    use, last = steady(10, 5)
    idle = Use(weighted=0, since=use.since, orders=ORDERS_MIN)

    empty, unused, both = (runway(*one, last=last, now=last) for one in ((use, 0), (idle, 5), (idle, 0)))

    assert empty is not None
    assert (empty.days_left, empty.empty_on) == (0, last[:10])
    assert unused is not None
    assert (unused.days_left, unused.empty_on, unused.per_day) == (None, None, 0)
    assert both is not None
    assert both.days_left == 0


def test_the_instant_from_which_it_can_be_told_is_three_days_after_the_first_order() -> None:
    use, last = used(*((number / 1440, Kind.ORDER_USED, 1) for number in range(ORDERS_MIN)))

    assert known_from(use) == at(3)
    before = instant(START + timedelta(days=3, minutes=-1))
    assert [per_day(use, last=last, now=now) is None for now in (before, at(3))] == [True, False]

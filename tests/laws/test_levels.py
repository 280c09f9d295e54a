"""What holds for levels in every history: each crossing once, and both ways in turn (contract, section 16)."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.alerts import LevelCrossed, crossed_from, crossed_text
from chalicelib.domain.ids import instant
from chalicelib.domain.movements import OPENS, Kind
from chalicelib.domain.terms import LEVELS_MAX, Level, Levels, Unit
from tests.support.shops_with_levels import START, WEEK, opened, sells

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

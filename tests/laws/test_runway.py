"""The runway of every account at any time (contract, section 16)."""

from datetime import datetime, timedelta
from math import exp2, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.movements import Kind
from chalicelib.domain.runway import (
    DAYS_MAX,
    MILLI,
    ORDERS_MIN,
    Use,
    lasts_beyond,
    lasts_beyond_from,
    per_day,
    runway,
    use_after,
)
from tests.support.runways import DECREASE, at, steady, used

moves = st.lists(st.tuples(st.floats(0, 30), st.sampled_from(Kind), st.integers(0, 10**9)), max_size=40).map(
    lambda found: [(sum(gap for gap, _, _ in found[: place + 1]), *one[1:]) for place, one in enumerate(found)]
)


@given(moves, st.integers(0, 10**12), st.floats(-1, 40_000))
def test_a_runway_can_be_told_of_every_account_at_any_time(
    history: list[tuple[float, Kind, int]], balance: int, later: float
) -> None:
    use: Use | None = None
    last: Instant | None = None
    for days, kind, credits_moved in history:
        use, last = use_after(use, kind, credits_moved, DECREASE, last=last, at=at(days)), at(days)
        assert use is None or use.weighted >= 0
    now = at((history[-1][0] if history else 0) + later)

    found = runway(use, balance, last=last, now=now)

    assert found is None or found.days_left is None or 0 <= found.days_left <= DAYS_MAX
    assert balance or found is None or found.days_left == 0


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 10**6)), min_size=ORDERS_MIN, max_size=40))
def test_the_use_is_the_sum_that_a_calculator_comes_to(orders: list[tuple[float, int]]) -> None:
    moment, history = 0.0, []
    for gap, credits_moved in orders:
        moment += gap
        history.append((moment, Kind.ORDER_USED, credits_moved))
    use, last = used(*history)
    now = moment + 3

    exact = sum(amount * exp2(-(now - days) / 7) for days, _, amount in history)
    daily = exact * log(2) / 7 / (1 - exp2(-(now - history[0][0]) / 7))

    found = per_day(use, last=last, now=at(now))
    assert found == pytest.approx(daily * MILLI, rel=0.002, abs=2)


@given(st.integers(1, 50), st.integers(4, 60), st.integers(1, 10_000), st.integers(1, 400))
def test_time_alone_makes_the_credits_last_longer_from_the_instant_that_is_told(
    each_day: int, days: int, balance: int, wanted: int
) -> None:
    use, last = steady(each_day, days)
    if use.orders < ORDERS_MIN:
        return

    told = lasts_beyond_from(use, balance, wanted, last=last, now=last)

    assert told is not None
    found = [
        per_day(use, last=last, now=instant(datetime.fromisoformat(told) - timedelta(minutes=minutes)))
        for minutes in (0, 1)
    ]
    assert found[0] is not None
    assert lasts_beyond(balance, found[0], wanted)
    later = datetime.fromisoformat(told) - datetime.fromisoformat(last) > timedelta(minutes=2)
    assert not later or found[1] is None or not lasts_beyond(balance, found[1], wanted)

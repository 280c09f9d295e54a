"""Orders at given times, and the use that they add up to."""

from datetime import UTC, datetime, timedelta

from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.movements import Kind
from chalicelib.domain.runway import Use, use_after

START = datetime(2026, 11, 1, 8, tzinfo=UTC)
DECREASE, INCREASE = {"policy": "DECREASE order 1"}, {"policy": "INCREASE order 1"}


def at(days: float) -> Instant:
    return instant(START + timedelta(days=days))


def used(*moves: tuple[float, Kind, int], use: Use | None = None, last: Instant | None = None) -> tuple[Use, Instant]:
    for days, kind, credits_moved in moves:
        use, last = use_after(use, kind, credits_moved, DECREASE, last=last, at=at(days)), at(days)
    assert use is not None
    assert last is not None
    return use, last


def steady(each_day: int, days: int) -> tuple[Use, Instant]:
    return used(*((day + part / each_day, Kind.ORDER_USED, 1) for day in range(days) for part in range(each_day)))

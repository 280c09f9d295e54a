"""Which thresholds are passed (contract, section 5)."""

from datetime import datetime, timedelta

import pytest

from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.ledger import CrossingType, crossings
from chalicelib.domain.terms import SETTLING, Outdated, default_in_force
from tests.support.builders import NOON

LOW, RESTORED = CrossingType.LOW_BALANCE_REACHED, CrossingType.BALANCE_RESTORED
EXHAUSTED, STATUS = CrossingType.BALANCE_EXHAUSTED, CrossingType.PLUGIN_STATUS_CHANGED


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (22, 21, ()),
        (21, 20, (LOW,)),
        (20, 19, ()),
        (19, 20, ()),
        (20, 21, (RESTORED,)),
        (21, 22, ()),
        (21, 1, (LOW,)),
        (21, 0, (LOW, EXHAUSTED, STATUS)),
        (20, 0, (EXHAUSTED, STATUS)),
        (1, 0, (EXHAUSTED, STATUS)),
        (0, 0, ()),
        (0, 1, (STATUS,)),
        (0, 20, (STATUS,)),
        (0, 21, (RESTORED, STATUS)),
        (21, 21, ()),
        (20, 20, ()),
    ],
)
def test_each_threshold_passed_is_told_once(before: int, after: int, expected: tuple[CrossingType, ...]) -> None:
    assert crossings(before, after, low_before=20, low_after=20) == expected


@pytest.mark.parametrize(
    ("before", "after", "low_before", "low_after", "expected"),
    [
        pytest.param(30, 29, 20, 40, (LOW,), id="raised above the balance"),
        pytest.param(30, 30, 20, 40, (LOW,), id="also when nothing moved"),
        pytest.param(30, 41, 20, 40, (), id="raised and outrun"),
        pytest.param(30, 29, 40, 20, (RESTORED,), id="lowered below the balance"),
        pytest.param(30, 20, 40, 20, (), id="lowered and still low"),
        pytest.param(30, 0, 40, 20, (EXHAUSTED, STATUS), id="it had been low before"),
        pytest.param(1, 0, 0, 0, (LOW, EXHAUSTED, STATUS), id="a threshold of 0 is passed with the last credit"),
        pytest.param(0, 1, 0, 0, (RESTORED, STATUS), id="and passed again with the first"),
    ],
)
def test_a_changed_setting_misses_no_crossing(
    before: int, after: int, low_before: int, low_after: int, expected: tuple[CrossingType, ...]
) -> None:
    assert crossings(before, after, low_before=low_before, low_after=low_after) == expected


def later(by: timedelta) -> Instant:
    return instant(datetime.fromisoformat(NOON) + by)


REPLACED_20 = Outdated(threshold=20, replaced_at=NOON)
JUST_BEFORE = SETTLING - timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("stamped", "outdated", "default", "after", "expected"),
    [
        pytest.param(20, None, 20, timedelta(0), (20, None), id="nothing changed"),
        pytest.param(20, None, 30, timedelta(0), (30, REPLACED_20), id="the first worker of a new setting"),
        pytest.param(30, REPLACED_20, 20, timedelta(0), (30, REPLACED_20), id="a worker of the old one"),
        pytest.param(30, REPLACED_20, 20, JUST_BEFORE, (30, REPLACED_20), id="a late one"),
        pytest.param(30, REPLACED_20, 30, JUST_BEFORE, (30, REPLACED_20), id="another worker of the new one"),
        pytest.param(30, REPLACED_20, 30, SETTLING, (30, None), id="all have changed"),
        pytest.param(
            30,
            REPLACED_20,
            20,
            SETTLING,
            (20, Outdated(threshold=30, replaced_at=later(SETTLING))),
            id="the setting was taken back",
        ),
        pytest.param(
            30,
            REPLACED_20,
            40,
            timedelta(minutes=1),
            (40, Outdated(threshold=30, replaced_at=later(timedelta(minutes=1)))),
            id="a third setting",
        ),
    ],
)
def test_an_account_changes_to_a_new_default_once_and_an_old_worker_does_not_move_it_back(
    stamped: int, outdated: Outdated | None, default: int, after: timedelta, expected: tuple[int, Outdated | None]
) -> None:
    assert default_in_force(stamped, outdated, default=default, now=later(after)) == expected

"""Which thresholds are passed (spec, section 5)."""

import pytest

from chalicelib.domain.thresholds import Crossing, crossings

LOW, RESTORED = Crossing.LOW_BALANCE_REACHED, Crossing.BALANCE_RESTORED
EXHAUSTED, STATUS = Crossing.BALANCE_EXHAUSTED, Crossing.PLUGIN_STATUS_CHANGED


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
def test_each_threshold_passed_is_told_once(before: int, after: int, expected: tuple[Crossing, ...]) -> None:
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
    before: int, after: int, low_before: int, low_after: int, expected: tuple[Crossing, ...]
) -> None:
    assert crossings(before, after, low_before=low_before, low_after=low_after) == expected

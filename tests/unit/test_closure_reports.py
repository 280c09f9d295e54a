"""Which shops have gone or are back, by what an event asks for and what came of it."""

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Outcome
from chalicelib.ports import CallTime
from chalicelib.usecases.overriding import ClosureReport, closure_reports, set_closed
from tests.support.builders import NOON, SHOP, merchant, order, trial
from tests.support.fakes import FakeClock, FakeLedger, settle

GONE_AT = Instant("2025-06-02T12:00:00.000Z")
AGAIN = Duplicate(None)
UNAVAILABLE = RetryLater(Code.UNAVAILABLE, "no answer")


def reported(movement: Movement, outcome: Outcome, *, opens: bool = True) -> list[ClosureReport]:
    return closure_reports([movement], [outcome], opens=opens, gone=None, at=GONE_AT)


def test_whoever_opens_an_account_that_is_there_is_back_since_that_event() -> None:
    assert reported(trial(), AGAIN) == [ClosureReport(merchant_id=SHOP, closed=False, at=trial().occurred_at)]


def test_a_new_account_is_not_back_nor_is_one_that_could_not_be_opened() -> None:
    [posted] = settle(FakeLedger(), [trial()], now=NOON)

    assert reported(trial(), posted) == reported(trial(), UNAVAILABLE) == []


def test_neither_an_order_nor_the_trial_that_it_brings_makes_a_shop_come_back() -> None:
    assert reported(trial(), AGAIN, opens=False) == reported(order(), AGAIN) == []


def test_what_was_not_posted_says_nothing() -> None:
    assert closure_reports([trial()], [], opens=True, gone=None, at=None) == []


@pytest.mark.parametrize("at", [GONE_AT, None])
def test_a_shop_that_has_gone_is_closed_since_then(at: Instant | None) -> None:
    [report] = closure_reports([], [], opens=False, gone=SHOP, at=at)

    assert report == ClosureReport(merchant_id=SHOP, closed=True, at=at)


def test_the_account_of_a_report_is_closed_and_reopened_and_another_is_missing() -> None:
    store = FakeLedger()
    settle(store, [trial()], now=NOON)
    time = CallTime(now=FakeClock(), remaining_seconds=lambda: 60, sleep=lambda _: None)

    assert set_closed(store, ClosureReport(merchant_id=SHOP, closed=True, at=GONE_AT), time=time).closed
    assert set_closed(store, ClosureReport(merchant_id=SHOP, closed=False, at=NOON), time=time).closed, "a late repeat"
    assert not set_closed(store, ClosureReport(merchant_id=SHOP, closed=False, at=None), time=time).closed
    with pytest.raises(RetryLater, match="has no account"):
        set_closed(store, ClosureReport(merchant_id=merchant("other"), closed=True, at=None), time=time)

"""How a message ends, by what became of its movements, how often it came and how long it has waited."""

from typing import Any

import pytest

from chalicelib.domain.errors import Code, NewerForm, Rejected, RetryLater
from chalicelib.domain.outcomes import Duplicate, Outcome
from chalicelib.usecases.ending import APPLIED, IGNORED, INBOX_SECONDS_MAX, GroundRetry, Parked, PutOff, SentOn, ending

APPLIED_BEFORE = Duplicate(None)
REFUSED = Rejected(Code.KEY_REUSED, "recorded before with other content", field="credits")
REFUSED_TOO = Rejected(Code.CURRENCY_MISMATCH, "another currency")
NO_ACCOUNT = RetryLater(Code.ACCOUNT_MISSING, "there is no account")
NO_ORDER = RetryLater(Code.ORDER_MISSING, "there is no such order")
OUTAGE = RetryLater(Code.UNAVAILABLE, "the ledger cannot answer")
NEWER = NewerForm()
RETRY = GroundRetry(shortest_seconds=2, longest_seconds=60, total_seconds=3600)


def end(*outcomes: Outcome, secondary: tuple[Outcome, ...] = (), deliveries: int = 1, waited_seconds: float = 0) -> Any:
    return ending(outcomes, secondary=secondary, deliveries=deliveries, waited_seconds=waited_seconds, retry=RETRY)


def test_a_message_without_movements_is_ignored() -> None:
    assert end() is IGNORED


def test_a_message_whose_movements_are_recorded_is_applied() -> None:
    assert end(APPLIED_BEFORE, APPLIED_BEFORE, deliveries=9, waited_seconds=10**6) is APPLIED


def test_the_first_rejection_parks_the_message() -> None:
    assert end(APPLIED_BEFORE, REFUSED, REFUSED_TOO) == Parked(REFUSED)


@pytest.mark.parametrize(
    ("outcomes", "decisive"),
    [
        ((REFUSED, NO_ORDER), NO_ORDER),
        ((OUTAGE, REFUSED), OUTAGE),
        ((NO_ORDER, OUTAGE), OUTAGE),
        ((NO_ACCOUNT, NEWER, NO_ORDER), NEWER),
        ((NO_ORDER, APPLIED_BEFORE, NO_ACCOUNT), NO_ORDER),
    ],
    ids=[
        "before a rejection",
        "after one",
        "an outage before ground",
        "a newer form before ground",
        "the first ground",
    ],
)
def test_what_may_work_later_takes_precedence_and_outages_first(
    outcomes: tuple[Outcome, ...], decisive: RetryLater
) -> None:
    ended = end(*outcomes)

    assert isinstance(ended, PutOff)
    assert ended.error is decisive


@pytest.mark.parametrize(
    ("error", "deliveries", "seconds"),
    [
        (NO_ORDER, 1, 2),
        (NO_ORDER, 2, 4),
        (NO_ACCOUNT, 5, 32),
        (NO_ORDER, 6, 60),
        (NO_ORDER, 1000, 60),
        (OUTAGE, 1, 1),
        (OUTAGE, 10, 512),
        (OUTAGE, 11, 900),
        (NEWER, 10**6, 900),
    ],
)
def test_each_delivery_doubles_the_delay_up_to_a_limit(error: RetryLater, deliveries: int, seconds: int) -> None:
    assert end(error, deliveries=deliveries) == PutOff(error, seconds)


@pytest.mark.parametrize(
    ("waited_seconds", "stays"),
    [(0, True), (INBOX_SECONDS_MAX - 8, True), (INBOX_SECONDS_MAX - 7.9, False), (3599, False)],
)
def test_missing_ground_that_takes_longer_than_a_minute_is_waited_for_outside_the_inbox(
    waited_seconds: float, stays: bool
) -> None:
    kind = PutOff if stays else SentOn

    assert end(NO_ORDER, deliveries=3, waited_seconds=waited_seconds) == kind(NO_ORDER, 8)


@pytest.mark.parametrize("error", [OUTAGE, NEWER, RetryLater(Code.ACCOUNT_BEHIND, "behind")])
def test_an_outage_leaves_a_message_in_its_queue_however_long_it_lasts(error: RetryLater) -> None:
    assert end(NO_ORDER, error, deliveries=4, waited_seconds=10**6) == PutOff(error, 8)


def test_missing_ground_parks_the_message_once_it_has_waited_in_vain() -> None:
    assert isinstance(end(NO_ORDER, waited_seconds=3599.9), SentOn)

    ended = end(NO_ORDER, waited_seconds=3600)

    assert isinstance(ended, Parked)
    assert (ended.error.code, ended.error.field) == (Code.ORDER_MISSING, None)
    assert ended.error.message == "there is no such order, and did not come within 3600 seconds"


@pytest.mark.parametrize("error", [OUTAGE, NEWER, RetryLater(Code.ACCOUNT_BEHIND, "behind")])
def test_an_outage_never_parks_a_message(error: RetryLater) -> None:
    assert isinstance(end(NO_ORDER, error, deliveries=10**6, waited_seconds=10**6), PutOff)


def test_a_secondary_movement_that_contradicts_its_record_parks_nothing() -> None:
    assert end(APPLIED_BEFORE, secondary=(REFUSED, REFUSED)) is APPLIED


def test_a_secondary_movement_that_is_refused_otherwise_parks_its_message() -> None:
    assert end(APPLIED_BEFORE, secondary=(REFUSED, REFUSED_TOO)) == Parked(REFUSED_TOO)
    assert end(REFUSED, secondary=(REFUSED_TOO,)) == Parked(REFUSED)


@pytest.mark.parametrize("error", [NO_ORDER, OUTAGE, NEWER])
def test_a_secondary_movement_may_wait_for_what_only_this_message_says(error: RetryLater) -> None:
    ended = end(APPLIED_BEFORE, secondary=(REFUSED, error))

    assert isinstance(ended, PutOff)
    assert ended.error is error


def test_a_secondary_movement_waits_for_no_ground_that_was_refused_beside_it() -> None:
    assert end(REFUSED, secondary=(NO_ORDER,)) == Parked(REFUSED)
    assert isinstance(end(REFUSED, secondary=(OUTAGE,)), PutOff)
    assert isinstance(end(APPLIED_BEFORE, secondary=(NO_ORDER,), waited_seconds=3600), Parked)

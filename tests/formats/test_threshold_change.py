"""An account's own low-balance threshold: what it crosses, and that it is written once whatever goes wrong."""

from dataclasses import replace

import pytest

from chalicelib.contracts.outbound.published import crossing_event
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Account, Commit, CrossingType
from chalicelib.domain.override import change_threshold
from chalicelib.ports import CallTime, Refused
from chalicelib.usecases.overriding import set_threshold
from chalicelib.usecases.posting import ATTEMPTS_MAX
from tests.support.builders import LATER, NOON, SHOP, account_of, payment, trial
from tests.support.fakes import FakeClock, FakeLedger, settle

UNAVAILABLE = RetryLater(Code.UNAVAILABLE, "no answer")


def changed(account: Account, own: int | None, *, now: Instant = LATER) -> tuple[Account, list[CrossingType]]:
    after, crossed = change_threshold(account, own, default_threshold=20, correlation_id="c", now=now)
    return after, [crossing.type for crossing in crossed]


@pytest.mark.parametrize(
    ("balance", "before", "own", "crossed"),
    [
        (30, 20, 30, [CrossingType.LOW_BALANCE_REACHED]),
        (30, 20, 29, []),
        (20, 20, 19, [CrossingType.BALANCE_RESTORED]),
        (20, 20, 21, []),
        (1, 20, 0, [CrossingType.BALANCE_RESTORED]),
        (0, 20, 0, []),
        (0, 20, 1_000_000_000, []),
        (25, 30, None, [CrossingType.BALANCE_RESTORED]),
        (15, 10, None, [CrossingType.LOW_BALANCE_REACHED]),
        (15, 20, None, []),
    ],
)
def test_a_changed_threshold_crosses_what_is_now_on_its_other_side(
    balance: int, before: int, own: int | None, crossed: list[CrossingType]
) -> None:
    after, types = changed(account_of(balance, threshold=before), own)

    assert types == crossed
    assert (after.low_balance_threshold, after.threshold) == (own, 20 if own is None else own)


def test_nothing_but_the_threshold_and_the_time_changes() -> None:
    account = account_of(50)

    after, _ = changed(account, 7)

    assert after == replace(account, low_balance_threshold=7, threshold=7, updated_at=LATER)


def test_a_threshold_that_stands_already_leaves_the_account_as_it_is() -> None:
    account = replace(account_of(50, threshold=7), low_balance_threshold=7)

    assert change_threshold(account, 7, default_threshold=20, correlation_id=None, now=LATER) == (account, ())


def test_a_changed_default_is_stamped_when_an_admin_asks_for_it() -> None:
    after, types = changed(account_of(30, threshold=40), None)

    assert (after.threshold, types) == (20, [CrossingType.BALANCE_RESTORED])


@pytest.mark.parametrize("now", [NOON, LATER])
def test_a_change_is_later_than_what_it_changes_whatever_the_clock_says(now: Instant) -> None:
    account = replace(account_of(50), updated_at=LATER)

    after, _ = changed(account, 7, now=now)

    assert after.updated_at == "2025-06-01T12:00:00.251Z"


def test_a_movement_behind_a_change_is_not_earlier_than_it() -> None:
    ledger = FakeLedger()
    settle(ledger, [trial(30)], now=NOON)
    ledger.accounts[SHOP], _ = changed(ledger.accounts[SHOP], 7, now=LATER)

    settle(ledger, [payment("p1", 5)], now=NOON)

    assert ledger.accounts[SHOP].updated_at == ledger.history(SHOP)[-1].created_at == LATER


class Calls:
    """Posting on a ledger that fails on demand, with a clock and a bounded time."""

    def __init__(self) -> None:
        self.store = FakeLedger()
        settle(self.store, [trial(30)], now=NOON)
        self.store.commits.clear()
        self.time = CallTime(now=FakeClock(), remaining_seconds=lambda: 60.0, sleep=lambda _: None)

    def set(self, own: int | None) -> Account:
        return set_threshold(self.store, SHOP, own, default_threshold=20, correlation_id="ticket", time=self.time)


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_a_change_is_one_write_of_the_account_alone_with_its_crossing(calls: Calls) -> None:
    account = calls.set(30)

    [commit] = calls.store.commits
    assert (commit.transactions, commit.tallies) == ((), ())
    assert calls.store.accounts[SHOP] == account
    assert (account.version > 10**12, account.sequence) == (True, 1)
    [crossing] = commit.crossings
    assert (crossing.transaction_id, crossing.sequence, crossing.balance) == (None, 1, 30)
    event = crossing_event(SHOP, crossing, version=account.version)
    assert (event.event_type, event.correlation_id) == ("evt.credits.low_balance_reached", "ticket")


def test_each_change_is_an_event_of_its_own(calls: Calls) -> None:
    for own in (30, 29, 30):
        calls.set(own)

    ids = {
        crossing_event(SHOP, crossing, version=commit.after.version).event_id
        for commit in calls.store.commits
        for crossing in commit.crossings
    }
    assert len(ids) == 3


def test_the_same_again_writes_nothing(calls: Calls) -> None:
    first = calls.set(30)

    assert calls.set(30) == first
    assert len(calls.store.commits) == 1


def test_a_write_whose_answer_was_lost_is_not_made_twice(calls: Calls) -> None:
    calls.store.after_effect.append(UNAVAILABLE)

    account = calls.set(30)

    assert len(calls.store.commits) == 1
    assert account == calls.store.accounts[SHOP]


def test_a_lost_race_is_decided_again_on_what_stands_now(calls: Calls) -> None:
    def another_wins(_: Commit) -> None:
        settle(calls.store, [payment("p", 10)], now=LATER)

    calls.store.before_effect.append(another_wins)

    account = calls.set(30)

    assert (account.balance, account.threshold, account.sequence) == (40, 30, 2)
    # 30 was above 20, and 40 is above 30: at no time was the balance low.
    assert calls.store.crossings(SHOP) == []


def test_a_conflict_is_tried_again(calls: Calls) -> None:
    calls.store.before_effect.append(lambda commit: Refused(account=commit.before, contended=True))

    assert calls.set(30).threshold == 30


def test_attempts_end(calls: Calls) -> None:
    calls.store.before_effect.extend([UNAVAILABLE] * (ATTEMPTS_MAX + 1))

    with pytest.raises(RetryLater):
        calls.set(30)

    assert calls.store.tried == ATTEMPTS_MAX + 1, "and the write that opened the account"


def test_nobodys_threshold_cannot_be_set() -> None:
    time = CallTime(now=FakeClock(), remaining_seconds=lambda: 60.0, sleep=lambda _: None)

    with pytest.raises(RetryLater) as error:
        set_threshold(FakeLedger(), SHOP, 5, default_threshold=20, correlation_id=None, time=time)

    assert error.value.code is Code.ACCOUNT_MISSING

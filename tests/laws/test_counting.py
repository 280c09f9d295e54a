"""Counting against a store that loses races, loses answers and is busy: what counts, counts once."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.figures import BUCKETS, Figures, FiguresChange, bucket, recount
from chalicelib.domain.ledger import Account
from chalicelib.usecases.counting import MERCHANTS_PER_WRITE, ROUND_MARGIN_SECONDS, ROUNDS_MAX, count
from tests.support.builders import account_of, merchant
from tests.support.calls import FakeCall
from tests.support.fake_figures import FakeFigures
from tests.support.histories import images

BUSY = RetryLater(Code.UNAVAILABLE, "throttled")


def some(number: int, *, balance: int = 7, version: int = 1) -> Account:
    return replace(account_of(balance, of=merchant(f"shop {number}")), version=version)


def fleet_of(accounts: list[Account]) -> Figures:
    return recount(accounts)


def test_a_batch_is_read_at_once_and_written_a_bucket_at_a_time() -> None:
    store, accounts = FakeFigures(), [some(number) for number in range(100)]

    count(store, accounts, time=FakeCall().time)

    assert store.reads == [100]
    assert len(store.writes) == BUCKETS
    assert sum(store.writes) == 100 + BUCKETS
    assert set(store.buckets) == {bucket(account.merchant_id) for account in accounts}


def test_more_merchants_of_a_bucket_than_a_write_holds_are_written_in_several() -> None:
    store = FakeFigures()
    same = [account for number in range(1700) if bucket((account := some(number)).merchant_id) == 0][:150]

    assert count(store, same, time=FakeCall().time) == set()

    assert store.writes == [MERCHANTS_PER_WRITE + 1, 150 - MERCHANTS_PER_WRITE + 1]
    assert store.fleet() == fleet_of(same)


def test_what_was_counted_already_costs_a_read_and_no_write() -> None:
    store, accounts = FakeFigures(), [some(1), some(2)]
    count(store, accounts, time=FakeCall().time)
    store.writes.clear()

    assert count(store, accounts, time=FakeCall().time) == set()

    assert store.writes == []


def test_many_images_of_one_merchant_are_one_item_of_one_write() -> None:
    store = FakeFigures()

    count(store, [some(1, balance=balance, version=balance + 1) for balance in range(50)], time=FakeCall().time)

    assert (store.reads, store.writes) == ([1], [2])
    assert store.fleet() == Figures(merchants=1, balance=49)


def test_a_lost_race_is_decided_again_on_what_stands_then() -> None:
    store, call = FakeFigures(), FakeCall()
    newer = some(1, balance=3, version=9)
    store.before_effect = deque([lambda: count_alone(store, newer)])

    assert count(store, [some(1, balance=8, version=8)], time=call.time) == set()

    assert store.fleet() == fleet_of([newer])
    assert len(call.waits) == 1


def count_alone(store: FakeFigures, account: Account) -> None:
    assert count(store, [account], time=FakeCall().time) == set()


def test_a_write_whose_answer_was_lost_counts_once_and_is_not_reported() -> None:
    store, reports = FakeFigures(after_effect=deque([BUSY])), list[Figures]()

    assert count(store, [some(1)], time=FakeCall().time, report=reports.append) == set()

    assert store.fleet() == fleet_of([some(1)])
    assert (len(store.writes), reports) == (1, [])


def test_what_each_write_adds_is_reported_once() -> None:
    store, reports = FakeFigures(), list[Figures]()

    for _ in range(2):
        count(store, [some(1, balance=5), some(2, balance=3)], time=FakeCall().time, report=reports.append)

    assert sum(reports, Figures()) == store.fleet() == fleet_of([some(1, balance=5), some(2, balance=3)])


def test_a_throttled_read_or_write_is_tried_again_after_a_pause() -> None:
    store, call = FakeFigures(reads_fail=deque([BUSY]), before_effect=deque([BUSY])), FakeCall()

    assert count(store, [some(1)], time=call.time) == set()

    assert store.fleet() == fleet_of([some(1)])
    assert len(call.waits) == 2


def test_a_bucket_that_stays_busy_hands_its_merchants_back_and_no_others() -> None:
    accounts = [some(number) for number in range(30)]
    busy = bucket(accounts[0].merchant_id)

    class OneBucketBusy(FakeFigures):
        def count(self, bucket: int, changes: Sequence[FiguresChange]) -> bool:
            if bucket == busy:
                raise BUSY
            return super().count(bucket, changes)

    store = OneBucketBusy()

    left = count(store, accounts, time=FakeCall().time)

    assert left == {account.merchant_id for account in accounts if bucket(account.merchant_id) == busy}
    assert store.fleet() == fleet_of([account for account in accounts if account.merchant_id not in left])
    assert len(store.reads) == ROUNDS_MAX


def test_without_time_left_nothing_is_begun_and_everything_handed_back() -> None:
    store = FakeFigures()

    assert count(store, [some(1)], time=FakeCall(ROUND_MARGIN_SECONDS / 2).time) == {some(1).merchant_id}

    assert (store.reads, store.writes) == ([], [])


def test_an_empty_batch_asks_for_nothing() -> None:
    store = FakeFigures()

    assert count(store, [], time=FakeCall().time) == set()

    assert store.reads == []


def test_two_shards_at_once_count_every_merchant_once() -> None:
    store, call = FakeFigures(), FakeCall(seconds=1e9)
    written, ledger = images(600, 20, seed=11)
    # Transactions of the same merchants on both sides, as after a shard was split and its batches came again.
    shards = [written, list(written)]
    Random(4).shuffle(shards[1])  # noqa: S311 - the same every time

    def walk(transactions: list[Account]) -> None:
        for start in range(0, len(transactions), 10):
            left = transactions[start : start + 10]
            while count(store, left, time=call.time):
                pass

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(walk, shard) for shard in shards]:
            done.result()

    assert store.fleet() == recount(ledger.accounts.values())

"""Writers that race for one merchant: what a write rests on must still stand, or nothing of it happens."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from chalicelib.ports import Committed, Refused
from tests.oracles.published_chain import broken_links
from tests.support.builders import LATER, NOON, SHOP, TEN_PER_ITEM, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, decide, settle


def opened() -> FakeLedger:
    store = FakeLedger()
    settle(store, [trial(1000), order("old", policy=TEN_PER_ITEM)], now=NOON)
    return store


def commit_of(store: FakeLedger, movements: Sequence[Movement]) -> Commit:
    commit = decide(store, movements, now=LATER).commit
    assert commit is not None
    return commit


def test_of_two_writes_on_one_account_the_second_is_refused_with_what_stands() -> None:
    store = opened()
    first, second = commit_of(store, [order("1")]), commit_of(store, [order("2")])
    assert store.commit(first) == Committed()
    assert store.commit(second) == Refused(account=first.after)
    assert [transaction.idempotency_key for transaction in store.history(SHOP)][2:] == ["SHOPIFY_ORDER_1"]


def test_of_two_openings_the_second_finds_account_and_trial() -> None:
    store = FakeLedger()
    first, second = commit_of(store, [trial(100), order("1")]), commit_of(store, [trial(50)])
    store.commit(first)
    assert store.commit(second) == Refused(account=first.after, transactions=(first.transactions[0],))


def test_a_write_that_is_sent_twice_finds_its_own_records() -> None:
    store = opened()
    commit = commit_of(store, [order("1"), payment()])
    assert store.commit(commit) == Committed()
    assert store.commit(commit) == Refused(account=commit.after, transactions=commit.transactions)
    assert len(store.commits) == 2


def test_a_record_that_stands_is_found_also_where_the_account_is_as_known() -> None:
    store = opened()
    blind = replace(commit_of(store, [order("1")]), transactions=tuple(store.history(SHOP)[1:]))
    refused = store.commit(blind)
    assert refused == Refused(account=blind.before, transactions=(store.history(SHOP)[1],))


def test_a_tally_that_moved_refuses_the_write_and_brings_the_order() -> None:
    store = opened()
    stale = commit_of(store, [refund_of("old", "r1")])
    settle(store, [refund_of("old", "r2", amount="1", order_total="2")], now=LATER)
    rested = replace(stale, before=store.accounts[SHOP])
    paid = store.history(SHOP)[1]
    assert store.commit(rested) == Refused(account=store.accounts[SHOP], transactions=(paid,))
    assert paid.tally is not None
    assert paid.tally.credits == 5


def test_faults_come_before_or_after_the_effect() -> None:
    store = opened()
    lost = RetryLater(Code.UNAVAILABLE, "no answer")
    store.before_effect = deque([lost, lambda _: Refused(account=None, contended=True), None])
    store.after_effect = deque([lost])
    commit = commit_of(store, [order("1")])
    with pytest.raises(RetryLater):
        store.commit(commit)
    assert store.commit(commit) == Refused(account=None, contended=True)
    assert len(store.commits) == 1
    with pytest.raises(RetryLater):
        store.commit(commit)
    assert len(store.commits) == 2
    assert store.commit(commit) == Refused(account=commit.after, transactions=commit.transactions)
    assert store.tried == 5, "the opening counts too"


def test_a_deed_before_the_effect_may_win_the_race() -> None:
    store = opened()
    rival, late = commit_of(store, [payment()]), commit_of(store, [order("1")])
    store.before_effect = deque([lambda _: (store.commit(rival), None)[1]])
    assert store.commit(late) == Refused(account=rival.after)


def test_a_write_too_large_or_with_an_item_twice_is_a_bug() -> None:
    store = opened()
    commit = commit_of(store, [order(str(number)) for number in range(99)])
    with pytest.raises(ValueError, match="100 items"):
        store.commit(replace(commit, transactions=(*commit.transactions, store.history(SHOP)[1])))
    with pytest.raises(ValueError, match="once"):
        store.commit(replace(commit, transactions=commit.transactions[:1] * 2))


def test_eight_writers_lose_no_update() -> None:
    store = opened()

    def write(writer: int) -> None:
        for number in range(5):
            wanted: list[Movement] = [order(f"{writer}-{number}"), order(f"shared-{number}")]
            while (commit := decide(store, wanted, now=LATER).commit) is not None:
                store.commit(commit)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert store.accounts[SHOP].balance == 1000 - 10 - 8 * 5 - 5
    assert store.accounts[SHOP].sequence == len(store.history(SHOP)) == 2 + 8 * 5 + 5
    assert broken_links(store.history(SHOP)) == []

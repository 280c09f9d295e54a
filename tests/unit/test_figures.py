"""The laws of the fleet's figures: whatever the stream does to its transactions, the sums equal a recount."""

from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.figures import BUCKETS, Figures, bucket, change, contribution, newest, recount, total
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.transactions import Total
from chalicelib.usecases.counting import count
from tests.support.builders import account_of, merchant
from tests.support.calls import FakeCall
from tests.support.examples import examples
from tests.support.fake_figures import FakeFigures
from tests.support.histories import images

MOVEMENTS, MERCHANTS = 220, 9


@cache
def history() -> tuple[list[Account], Figures]:
    """Return the images of some accounts in the order of their writes, and what a recount of the end says."""
    written, ledger = images(MOVEMENTS, MERCHANTS, seed=3)
    return written, recount(ledger.accounts.values())


def some(balance: int, *, name: str = "shop", version: int = 5) -> Account:
    return replace(account_of(balance, of=merchant(name)), version=version)


@pytest.mark.parametrize(
    ("balance", "zero", "low", "enabled"), [(0, 1, 0, 0), (1, 0, 1, 1), (20, 0, 1, 1), (21, 0, 0, 1)]
)
def test_an_account_is_at_zero_or_low_or_neither(balance: int, zero: int, low: int, enabled: int) -> None:
    figures = contribution(some(balance)).figures

    assert (figures.zero, figures.disabled, figures.low, figures.enabled) == (zero, zero, low, enabled)
    assert (figures.merchants, figures.balance) == (1, balance)


def test_an_account_brings_its_own_counters_and_its_shortfall() -> None:
    totals = {Kind.TRIAL: Total(count=1, credits=5), Kind.ORDER_USED: Total(count=4, credits=5)}
    account = replace(some(0), totals=totals, total_shortfall=3)

    figures = contribution(account).figures

    assert (figures.totals, figures.shortfall, figures.transactions) == (totals, 3, 5)


def test_only_a_newer_version_changes_what_was_counted() -> None:
    counted = contribution(some(7, version=5))

    assert change(some(9, version=5), counted) is None
    assert change(some(9, version=4), counted) is None
    wanted = change(some(9, version=6), counted)
    assert wanted is not None
    assert wanted.difference == Figures(balance=2)


def test_the_first_image_of_an_account_adds_all_of_it() -> None:
    wanted = change(some(0), None)

    assert wanted is not None
    assert wanted.difference == Figures(merchants=1, zero=1)


def test_the_newest_image_is_the_one_with_the_highest_version_wherever_it_stands() -> None:
    old, new, other = some(1, version=4), some(2, version=6), some(3, name="other", version=1)

    for order in ([old, new, other], [new, other, old]):
        assert newest(order) == {new.merchant_id: new, other.merchant_id: other}


def test_a_difference_may_take_a_kind_away_again() -> None:
    one = Figures(balance=3, totals={Kind.PAYMENT: Total(count=1, credits=3)})

    assert one - one == Figures()
    assert one + (Figures() - one) == Figures()


def test_every_bucket_has_merchants() -> None:
    assert {bucket(merchant(f"shop {number}")) for number in range(200)} == set(range(BUCKETS))


@given(st.lists(st.sampled_from(range(4)), max_size=8))
def test_a_sum_does_not_depend_on_how_it_is_split(cuts: list[int]) -> None:
    parts = [contribution(image).figures for image in history()[0][:30]]
    groups: dict[int, list[Figures]] = {}
    for place, part in enumerate(parts):
        groups.setdefault(cuts[place % len(cuts)] if cuts else 0, []).append(part)

    assert total(total(group) for group in groups.values()) == total(parts)


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 2**32), repeats=st.integers(1, 3), size=st.integers(1, 120))
def test_any_order_any_repetition_and_any_split_of_the_records_give_the_recount(
    seed: int, repeats: int, size: int
) -> None:
    written, recounted = history()
    transactions = written * repeats
    Random(seed).shuffle(transactions)  # noqa: S311 - hypothesis chose the seed
    store = FakeFigures()

    for start in range(0, len(transactions), size):
        assert count(store, transactions[start : start + size], time=FakeCall().time) == set()

    assert store.fleet() == recounted


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_after_any_batch_the_figures_are_those_of_the_newest_images_seen(seed: int) -> None:
    random, store = Random(seed), FakeFigures()  # noqa: S311 - hypothesis chose the seed
    transactions = random.sample(history()[0], 40)

    for seen in range(10, 41, 10):
        count(store, transactions[seen - 10 : seen], time=FakeCall().time)
        assert store.fleet() == recount(newest(transactions[:seen]).values())


def test_a_closed_account_with_credits_is_off_and_not_at_zero() -> None:
    gone = Closure(closed=True, at=Instant("2026-11-21T10:00:00.000Z"))
    accounts = [account_of(5), replace(account_of(5), closure=gone), replace(account_of(0), closure=gone)]
    fleet = sum((contribution(account).figures for account in accounts), Figures())

    assert (fleet.merchants, fleet.enabled, fleet.disabled, fleet.zero, fleet.closed) == (3, 1, 2, 1, 1)

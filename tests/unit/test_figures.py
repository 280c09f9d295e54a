"""The laws of the fleet's figures: whatever the stream does to its transactions, the sums equal a recount."""

from dataclasses import replace

import pytest

from chalicelib.domain.figures import BUCKETS, Figures, bucket, change, contribution, newest
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.transactions import Total
from tests.support.builders import account_of, merchant


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


def test_a_closed_account_with_credits_is_off_and_not_at_zero() -> None:
    gone = Closure(closed=True, at=Instant("2026-11-21T10:00:00.000Z"))
    accounts = [account_of(5), replace(account_of(5), closure=gone), replace(account_of(0), closure=gone)]
    fleet = sum((contribution(account).figures for account in accounts), Figures())

    assert (fleet.merchants, fleet.enabled, fleet.disabled, fleet.zero, fleet.closed) == (3, 1, 2, 1, 1)

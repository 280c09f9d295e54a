"""Closings of months and the balance at a time, against a recount of the transactions, over two years of a shop."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.audit import audit
from chalicelib.domain.days import Sums
from chalicelib.domain.ids import Instant, unused_version
from chalicelib.domain.movements import Kind
from chalicelib.domain.statements import (
    MONTHS_CLOSED_MAX,
    NOTHING,
    Closing,
    Month,
    bounds,
    closing_of,
    day_over,
    difference,
    month_after,
    month_before,
    month_of,
)
from chalicelib.domain.transactions import Total, Transaction
from tests.support.builders import SHOP, account_of
from tests.support.ends_of_months import MONTHS, FakeMonthEnds, lived

seeds = st.integers(min_value=0, max_value=10**6)


def counted(transactions: Sequence[Transaction]) -> dict[Kind, Total]:
    sums: dict[Kind, Total] = {}
    for transaction in transactions:
        total = sums.get(transaction.kind, Total())
        sums[transaction.kind] = Total(count=total.count + 1, credits=total.credits + abs(transaction.amount))
    return sums


def test_before_the_first_transaction_all_sums_are_zero() -> None:
    assert Sums.of({}, shortfall=0) == Sums()


@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_every_month_of_two_years_closes_where_the_next_one_opens_and_is_the_sum_of_its_records(seed: int) -> None:
    ledger, _ = lived(seed)
    account, transactions, ends = ledger.accounts[SHOP], ledger.history(SHOP), FakeMonthEnds()
    ends.note_all(ledger.commits)
    kept = ends.of(SHOP)

    for month in [*MONTHS, *(Month(f"2026-{number:02}") for number in range(1, 13))]:
        closings = [closing_of(each, account, kept) for each in (month_before(month), month)]
        assert None not in closings, "every closing is kept"
        opening, closing = (one or NOTHING for one in closings)
        of_month = [transaction for transaction in transactions if month_of(transaction.created_at) == month]
        before = [transaction for transaction in transactions if month_of(transaction.created_at) < month]
        until = [*before, *of_month]

        assert difference(opening, closing) == (
            counted(of_month),
            sum(transaction.shortfall for transaction in of_month),
        )
        assert opening.balance + sum(transaction.amount for transaction in of_month) == closing.balance
        assert (opening.sequence, closing.sequence) == (len(before), len(until))
        assert closing.hash == (until[-1].hash if until else NOTHING.hash)


def test_credits_lapse_in_the_simulated_months_also_at_their_ends_and_come_back_into_lots() -> None:
    ledger, _ = lived(11)
    transactions, last = ledger.history(SHOP), next(one for one in reversed(ledger.commits) if one.writes_account)

    lapses = [one for one in transactions if one.kind is Kind.EXPIRY]
    late = [one for one in lapses if one.occurred_at and month_of(one.occurred_at) < month_of(one.created_at)]
    at_an_end = [one for one in lapses if str(one.occurred_at).endswith("-01T00:00:00.000Z")]
    back = [one for one in transactions if one.kind is Kind.REFUND_RETURNED and one.drawn]
    assert min(len(lapses), len(late), len(at_an_end), len(back)) >= 5, "recorded in time and later, at any time"
    assert {one.metadata.get("freeze") for one in transactions} >= {"frozen", "unfrozen", "ended"}
    assert audit(SHOP, ledger.accounts[SHOP], transactions, crossings=last.crossings) == ()


@settings(max_examples=6, deadline=None)
@given(seed=seeds, of_times=seeds)
def test_the_record_of_any_time_is_between_its_bounds(seed: int, of_times: int) -> None:
    ledger, _ = lived(seed)
    account, transactions, ends, random = ledger.accounts[SHOP], ledger.history(SHOP), FakeMonthEnds(), Random(of_times)  # noqa: S311 - a test
    # The stream may be late by any number of writes.
    ends.note_all(ledger.commits[: random.choice([0, 40, len(ledger.commits)])])
    times = [transaction.created_at for transaction in transactions]

    for time in random.sample(times[1:], 20):
        lowest, highest = bounds(time, account, ends.of(SHOP))
        assert lowest <= bisect_right(times, time) <= highest


def test_with_all_ends_kept_a_time_is_bounded_by_its_day() -> None:
    ledger, _ = lived(7)
    account, transactions, ends = ledger.accounts[SHOP], ledger.history(SHOP), FakeMonthEnds()
    ends.note_all(ledger.commits)

    for transaction in transactions[1:-1]:
        lowest, highest = bounds(transaction.created_at, account, ends.of(SHOP))
        days = {each.created_at[:10] for each in transactions[lowest:highest]}
        assert len(days) <= 1, "behind the transaction before the day, only the day's own or the next busy one's"


def test_an_end_that_is_kept_twice_and_out_of_order_is_kept_once() -> None:
    ledger, _ = lived(8)
    once, again = FakeMonthEnds(), FakeMonthEnds()
    once.note_all(ledger.commits)
    again.note_all([*ledger.commits[::-1], *ledger.commits])

    assert once.months == again.months


def test_an_account_that_slept_for_ages_closes_its_latest_months_only() -> None:
    before = replace(account_of(4), last_transaction_at=Instant("1990-01-01T00:00:00.000Z"))
    after = replace(before, version=before.version + 1, last_transaction_at=Instant("2026-05-03T00:00:00.000Z"))

    over = day_over(before, after)

    assert over is not None
    assert (len(over.months), over.months[-1], over.day) == (MONTHS_CLOSED_MAX, "2026-04", 1)


def test_a_rebuild_of_an_account_that_was_behind_ends_no_day_and_no_month() -> None:
    before = replace(account_of(4), sequence=5, last_transaction_at=Instant("2026-10-30T10:00:00.000Z"))
    now = Instant("2026-11-11T00:00:00.000Z")
    version = unused_version(before.version, now=now)
    rebuilt = replace(before, sequence=9, version=version, last_transaction_at=Instant("2026-11-10T10:00:00.000Z"))

    assert day_over(before, rebuilt) is None, "transactions 6 and 7 may be October's"


@pytest.mark.parametrize(("month", "after"), [("2025-12", "2026-01"), ("2026-01", "2026-02"), ("0999-12", "1000-01")])
def test_months_follow_each_other(month: str, after: str) -> None:
    assert month_after(Month(month)) == after
    assert month_before(Month(after)) == month


def test_no_month_is_before_the_first_one() -> None:
    assert month_before(Month("0001-01")) < Month("0001-01")


def test_a_closing_that_knows_no_totals_gives_no_difference() -> None:
    assert difference(Closing(totals=None), NOTHING) is None

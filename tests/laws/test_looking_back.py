"""Past balances, statements, sums and days, with what is kept of the ends of days and months and without."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import pytest

from chalicelib.domain.days import DayEnd, Sums
from chalicelib.domain.ids import Instant, day_of
from chalicelib.domain.statements import Month, month_of
from chalicelib.domain.transactions import Transaction
from chalicelib.usecases import looking_back
from chalicelib.usecases.looking_back import LookingBack, TooManyTransactions, fleet_days
from tests.support.builders import SHOP, merchant, order, payment, trial
from tests.support.ends_of_months import MONTHS, FakeMonthEnds, lived
from tests.support.fake_history import FakeHistory
from tests.support.fakes import FakeLedger, settle

BEGINNING = Instant("2024-01-01T00:00:00.000Z")


@cache
def shop() -> tuple[FakeLedger, list[Transaction], Instant]:
    """Return two years of a shop, its transactions, and their end; nobody may change it."""
    ledger, end = lived(11)
    return ledger, ledger.history(SHOP), end


def reading(*, of_every: int = 1) -> tuple[LookingBack, FakeHistory, FakeMonthEnds]:
    """Return what looks back at the shop, and what it reads; the ends of one write in `of_every` are kept."""
    history, ends = FakeHistory(shop()[0]), FakeMonthEnds()
    ends.note_all(shop()[0].commits[::of_every])
    return LookingBack(history=history, ends=ends), history, ends


@pytest.mark.parametrize("of_every", [1, 3, 10_000])
def test_the_balance_at_a_time_is_that_of_the_newest_transaction_until_then(of_every: int) -> None:
    past, _, _ = reading(of_every=of_every)

    for before, after in pairwise(shop()[1]):
        if before.created_at < after.created_at:
            assert past.balance(SHOP, before.created_at) == before.balance_after
    assert past.balance(SHOP, BEGINNING) == 0
    assert past.balance(merchant("nobody"), BEGINNING) is None


def test_with_all_ends_kept_a_balance_takes_three_requests_and_a_statement_two() -> None:
    past, history, ends = reading()

    for transaction in shop()[1][::7]:
        past.balance(SHOP, transaction.created_at)
        assert (history.reads in (["account"], ["account", "newest_by"]), len(ends.reads) <= 1) == (True, True)
        history.reads.clear()
        ends.reads.clear()
    for month in MONTHS:
        past.statement(SHOP, month, now=shop()[2])
        assert (history.reads, len(ends.reads) <= 1) == (["account"], True)
        history.reads.clear()
        ends.reads.clear()


@pytest.mark.parametrize("off_by", [3, -3])
def test_ends_of_a_history_that_a_restore_took_back_mislead_no_balance(off_by: int) -> None:
    past, history, ends = reading()
    ends.months = {
        key: replace(kept, closing=None, days={day: max(0, sequence + off_by) for day, sequence in kept.days.items()})
        for key, kept in ends.months.items()
    }

    for before, after in pairwise(shop()[1]):
        if before.created_at < after.created_at:
            assert past.balance(SHOP, before.created_at) == before.balance_after
    assert history.reads.count("newest_by") > history.reads.count("account")


def test_a_statement_is_the_same_whether_ends_are_kept_or_not() -> None:
    past, _, _ = reading()
    history = FakeHistory(shop()[0])
    derived = LookingBack(history=history, ends=None)

    for month in MONTHS:
        one, other = (each.statement(SHOP, month, now=shop()[2]) for each in (past, derived))
        assert one is not None
        assert other is not None
        assert (one.totals, one.total_shortfall, one.sequences) == (
            other.totals,
            other.total_shortfall,
            other.sequences,
        )
        assert (one.closing.balance, one.closing.hash) == (other.closing.balance, other.closing.hash)
        assert one.open is (month == month_of(shop()[2]))
    assert "sums" in history.reads
    assert past.statement(merchant("nobody"), MONTHS[0], now=shop()[2]) is None


def test_the_months_before_an_account_and_after_its_last_transaction_need_no_end() -> None:
    past, history, ends = reading()

    for month in ("2020-05", "2029-05"):
        found = past.statement(SHOP, Month(month), now=Instant("2029-05-02T00:00:00.000Z"))
        assert found is not None
        assert (found.sequences, found.totals, found.open) == (None, {}, month == "2029-05")
    assert (history.reads, ends.reads) == (["account", "account"], [])


def test_what_has_lapsed_by_then_is_gone_though_it_is_not_recorded() -> None:
    ledger = FakeLedger()
    lapsing = replace(payment("p", 7), expires_at=Instant("2025-06-20T00:00:00.000Z"), expiry_stated=True)
    settle(ledger, [trial(2), lapsing], now=Instant("2025-06-01T12:00:00.000Z"))
    past = LookingBack(history=FakeHistory(ledger), ends=None)

    assert [past.balance(SHOP, Instant(f"2025-06-{day}T12:00:00.000Z")) for day in (19, 20)] == [9, 2]


@pytest.mark.parametrize("kept", [True, False])
def test_what_had_lapsed_by_then_stays_gone_once_it_is_recorded(kept: bool) -> None:
    ledger, ends = FakeLedger(), FakeMonthEnds()
    lots = [
        replace(payment(f"p{day}", 7), expires_at=Instant(f"2025-06-20T00:00:0{day}.000Z"), expiry_stated=True)
        for day in range(8)
    ]
    settle(ledger, [trial(2), *lots], now=Instant("2025-06-01T12:00:00.000Z"))
    settle(ledger, [order("1")], now=Instant("2025-06-20T00:00:40.000Z"))
    settle(ledger, [order("2")], now=Instant("2025-07-20T00:00:00.000Z"))
    ends.note_all(ledger.commits)
    past = LookingBack(history=FakeHistory(ledger), ends=ends if kept else None)

    times = ["19T23:59:59.999", "20T00:00:00.000", "20T00:00:06.999", "20T00:00:39.999", "20T00:00:40.000"]
    assert [past.balance(SHOP, Instant(f"2025-06-{time}Z")) for time in times] == [58, 51, 9, 2, 1]


@pytest.fixture
def brief() -> LookingBack:
    """A shop with three transactions in a minute and one a month later, no ends kept."""
    ledger = FakeLedger()
    settle(ledger, [trial(2), order("1"), order("2")], now=Instant("2025-06-01T12:00:00.000Z"))
    settle(ledger, [payment("p", 7)], now=Instant("2025-07-01T12:00:00.000Z"))
    return LookingBack(history=FakeHistory(ledger), ends=None)


def test_more_than_a_request_may_add_up_is_refused_unread(brief: LookingBack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking_back, "ADDED_UP_MAX", 2)
    june = Instant("2025-06-30T00:00:00.000Z")

    with pytest.raises(TooManyTransactions) as of_month:
        brief.statement(SHOP, Month("2025-06"), now=june)
    with pytest.raises(TooManyTransactions) as of_range:
        brief.sums(SHOP, None, june)

    assert (of_month.value.count, of_range.value.count) == (3, 3)
    assert isinstance(brief.history, FakeHistory)
    assert "sums" not in brief.history.reads
    # The account itself holds the sums of all, and the last month's end.
    assert brief.sums(SHOP, None, None).last_transaction_at == "2025-07-01T12:00:00.000Z"
    monkeypatch.setattr(looking_back, "ADDED_UP_MAX", 3)
    assert sum(total.count for total in brief.sums(SHOP, None, june).totals.values()) == 3


def test_any_range_is_the_sum_of_its_transactions_and_the_whole_is_read_from_the_account() -> None:
    past, history, _ = reading()
    transactions = shop()[1]
    for first, last in ((0, len(transactions) - 1), (3, 40), (40, 41)):
        start, end = transactions[first].created_at, transactions[last].created_at

        found = past.sums(SHOP, start, end)

        inside = [one for one in transactions if start <= one.created_at <= end]
        assert sum(total.count for total in found.totals.values()) == len(inside)
        assert found.total_shortfall == sum(one.shortfall for one in inside)
        assert found.last_transaction_at == inside[-1].created_at
    assert history.reads == ["account", "account", "sums", "account", "sums"]
    assert past.sums(merchant("nobody"), None, None).totals == {}


def test_the_last_days_end_with_the_balance_of_their_last_transaction() -> None:
    past, history, ends = reading()
    today = day_of(shop()[2])

    for days in range(1, 91):
        found = past.days(SHOP, today=today, days=days)

        assert found is not None
        assert len(found) == days
        for end, moved in found:
            until = [one for one in shop()[1] if day_of(one.created_at) <= end.day]
            assert end.balance == until[-1].balance_after
            assert moved.credits_in - moved.credits_out == sum(
                one.amount for one in until if day_of(one.created_at) == end.day
            )
    assert (set(history.reads), len(ends.reads)) == ({"account"}, 90)
    assert past.days(merchant("nobody"), today=today, days=3) is None


def test_days_without_kept_ends_are_those_that_the_account_itself_shows(brief: LookingBack) -> None:
    found = brief.days(SHOP, today="2025-07-02", days=3)

    assert [(end.day, end.balance) for end, _ in found or ()] == [("2025-07-01", 7), ("2025-07-02", 7)]


def test_the_fleets_first_day_moved_what_its_end_differs_from_an_older_one() -> None:
    class Ends:
        """Two ends of days, of which one is older than all days that are asked for."""

        def ends(self, days: Iterable[str]) -> list[DayEnd]:
            known = {"2025-05-01": 3, "2025-07-01": 5}
            return [DayEnd(day=day, balance=known[day], sums=Sums(orders=known[day])) for day in days if day in known]

    found = fleet_days(Ends(), today="2025-07-02", days=2)

    assert [(end.day, moved.orders) for end, moved in found] == [("2025-07-01", 2), ("2025-07-02", 0)]
    assert fleet_days(None, today="2025-07-02", days=2) == []
    assert date(2025, 7, 2) - timedelta(days=looking_back.FLEET_DAYS_READ) < date(2025, 5, 1)

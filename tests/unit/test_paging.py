"""Pages of a history, by number and by cursor, with filters and without."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.ids import Instant, instant
from chalicelib.usecases.paging import Filters, Page, PageTooFar, Place, history_page
from tests.support.builders import SHOP, adjustment, merchant, order, payment, trial
from tests.support.fake_history import FakeHistory
from tests.support.fakes import FakeLedger, settle

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
PAYMENTS = Filters(transaction_type="PAYMENT")


@pytest.fixture
def history() -> FakeHistory:
    """A shop with 25 transactions, one a minute: a trial, 20 orders, three payments, an adjustment."""
    ledger = FakeLedger()
    movements = [trial(), *(order(str(number)) for number in range(20)), *(payment(str(p)) for p in range(3))]
    for minute, movement in enumerate([*movements, adjustment("a", -1)]):
        settle(ledger, [movement], now=instant(NOON + timedelta(minutes=minute)))
    return FakeHistory(ledger)


def minute(number: int) -> Instant:
    return instant(NOON + timedelta(minutes=number))


def page_of(history: FakeHistory, filters: Filters | None = None, limit: int = 5, skipped: int = 0) -> Page:
    return history_page(history, SHOP, filters or Filters(), Place(limit=limit, skipped=skipped))


def sequences(page: Page) -> list[int]:
    return [transaction.sequence for transaction in page.transactions]


def by_number(history: FakeHistory, filters: Filters, limit: int) -> list[int]:
    pages = [page_of(history, filters, limit, skipped=limit * number) for number in range(30)]
    assert [page.has_previous for page in pages] == [False, *([pages[0].total != 0] * 29)]
    return [sequence for page in pages for sequence in sequences(page)]


def by_cursor(history: FakeHistory, filters: Filters, limit: int) -> list[int]:
    page = page_of(history, filters, limit)
    seen = sequences(page)
    while page.below is not None:
        page = history_page(history, SHOP, filters, Place(limit=limit, top=page.below))
        assert page.has_previous
        assert page.transactions
        seen += sequences(page)
    return seen


@pytest.mark.parametrize(
    ("filters", "expected", "total"),
    [
        (Filters(), range(25, 0, -1), 25),
        (PAYMENTS, [24, 23, 22], 3),
        (Filters(direction="INCREASE"), [24, 23, 22, 1], 4),
        (Filters(direction="INCREASE", transaction_type="ORDER_PAID"), [], 0),
        (Filters(start=minute(5), end=minute(9)), range(10, 5, -1), 5),
        (Filters(start=minute(99)), [], 0),
        (Filters(transaction_type="ORDER_PAID", start=minute(15)), range(21, 15, -1), None),
    ],
)
@pytest.mark.parametrize("limit", [1, 4, 25])
def test_pages_and_cursors_lead_through_all_that_matches_once(
    history: FakeHistory, filters: Filters, expected: range | list[int], total: int | None, limit: int
) -> None:
    assert by_number(history, filters, limit) == list(expected)
    assert by_cursor(history, filters, limit) == list(expected)
    assert page_of(history, filters, limit).total == total


def test_a_page_is_one_read_of_its_rows_and_one_behind_the_last_match_is_none(history: FakeHistory) -> None:
    page_of(history, skipped=20)
    page_of(history, PAYMENTS, limit=2, skipped=2)
    page_of(history, PAYMENTS, limit=2, skipped=4)

    assert history.reads == ["account", "transactions", "account", "matching", "account"]


def test_a_list_is_as_of_the_newest_transaction_that_the_index_shows(history: FakeHistory) -> None:
    history.unseen = 2

    first, second = page_of(history), page_of(history, skipped=5)

    assert (sequences(first), first.total, first.below) == ([23, 22, 21], 23, 20)
    assert (sequences(second), second.total) == ([20, 19, 18, 17, 16], 25)


def test_a_search_that_stops_early_gives_a_short_page_by_cursor_and_none_by_number(history: FakeHistory) -> None:
    history.examined_max = 10
    trials = Filters(transaction_type="TRIAL", start=minute(0))

    short = history_page(history, SHOP, trials, Place(limit=5, top=25))

    assert (sequences(short), short.below) == ([], 15)
    with pytest.raises(PageTooFar):
        page_of(history, trials)
    # Where the total is known, nothing is looked for after the last match.
    assert sequences(page_of(history, PAYMENTS)) == [24, 23, 22]


def test_an_order_is_found_by_its_id_alone_if_it_matches(history: FakeHistory) -> None:
    found = page_of(history, Filters(order_id="7"))
    second = page_of(history, Filters(order_id="7"), skipped=5)
    others = [
        page_of(history, Filters(order_id="7", end=minute(2))),
        page_of(history, Filters(order_id="7", direction="INCREASE")),
        page_of(history, Filters(order_id="99")),
    ]

    assert (sequences(found), found.total, found.below, found.has_previous) == ([9], 1, None, False)
    assert (sequences(second), second.total, second.has_previous) == ([], 1, True)
    assert others == [Page(), Page(), Page()]
    assert set(history.reads) == {"named"}


def test_without_an_account_the_history_is_empty(history: FakeHistory) -> None:
    assert history_page(history, merchant("nobody"), Filters(), Place(limit=5)) == Page()

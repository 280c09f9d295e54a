"""One page of a merchant's history: which transactions it holds, how many there are, and where the next begins.

Without a type filter a page is a range of sequences. With one, transactions that do not match are read as well:
pages read everything before them, cursors continue where the last page ended.
"""

from dataclasses import dataclass

from chalicelib.domain.ids import Instant, MerchantId, transaction_id
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind, order_key
from chalicelib.domain.transactions import Transaction
from chalicelib.ports.history import HistoryReader


class PageTooFar(Exception):  # noqa: N818 - named by what is wrong with the request
    """The search for a numbered page stopped early: too few transactions match. A cursor leads there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which of a merchant's transactions are requested; None does not filter."""

    direction: str | None = None
    transaction_type: str | None = None
    start: Instant | None = None
    end: Instant | None = None
    order_id: str | None = None

    @property
    def by_type(self) -> bool:
        """Whether the matching transactions may have gaps in between."""
        return self.direction is not None or self.transaction_type is not None

    @property
    def by_date(self) -> bool:
        """Whether only a part of the history is requested."""
        return self.start is not None or self.end is not None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that match."""
        return tuple(
            kind
            for kind in Kind
            if self.direction in (None, kind.direction) and self.transaction_type in (None, kind.transaction_type)
        )

    def match(self, transaction: Transaction) -> bool:
        """Return whether the transaction has the requested types and dates."""
        in_time = (
            (self.start or transaction.created_at) <= transaction.created_at <= (self.end or transaction.created_at)
        )
        return in_time and transaction.kind in self.kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page of up to `limit` transactions begins: after the `skipped` newest ones, or at a cursor's sequence."""

    limit: int
    skipped: int = 0
    top: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Transactions, newest first; `below` is the sequence at which the next page begins, None on the last one.

    `total` counts the transactions of all pages; it is None where counting would mean reading them.
    """

    transactions: tuple[Transaction, ...] = ()
    below: int | None = None
    total: int | None = 0
    has_previous: bool = False


def history_page(history: HistoryReader, merchant_id: MerchantId, filters: Filters, place: Place) -> Page:
    """Return the requested page of the merchant's history; without an account it is empty.

    Raises:
        PageTooFar: a filter leaves too few transactions for it. RetryLater: the history cannot answer.
    """
    if filters.order_id is not None:
        found = _of_order(history, merchant_id, filters.order_id, filters)
        return Page(
            transactions=found[place.skipped :], total=len(found), has_previous=place.skipped > 0 and bool(found)
        )
    account = history.account(merchant_id)
    if account is None:
        return Page()
    lowest, highest = history.span(account, filters.start, filters.end)
    total = _total(account, filters, lowest, highest)
    rows = _Reading(history, account, filters).rows(place, lowest, highest, total)
    return Page(
        transactions=rows.transactions,
        below=rows.below,
        total=None if total is None else total - rows.unseen,
        has_previous=(place.skipped > 0 and total != 0) if place.top is None else place.top < highest,
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """A page's transactions, and where the next page begins.

    `unseen` transactions are so new that the index does not show them yet: the list is as of the one before them.
    """

    transactions: tuple[Transaction, ...]
    below: int | None
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads pages of one filtered history."""

    history: HistoryReader
    account: Account
    filters: Filters

    def rows(self, place: Place, lowest: int, highest: int, total: int | None) -> _Rows:
        """Return the requested page of the transactions of these sequences."""
        if not self.filters.by_type:
            top = place.top if place.top is not None else highest - place.skipped
            return self._range(lowest, min(highest, top), place.limit)
        if place.top is not None:
            return self._matches(lowest, min(highest, place.top), place.limit)
        if total is not None and place.skipped >= total:
            return _Rows((), None)
        return self._numbered(place, lowest, highest, total)

    def _range(self, lowest: int, highest: int, limit: int) -> _Rows:
        bottom = max(lowest, highest - limit + 1)
        transactions = self.history.transactions(self.account, bottom, highest)
        seen = transactions[0].sequence if transactions else bottom - 1
        unseen = highest - seen if highest == self.account.sequence else 0
        return _Rows(transactions, bottom - 1 if lowest < bottom <= highest else None, max(0, unseen))

    def _matches(self, lowest: int, highest: int, limit: int) -> _Rows:
        # One more than the page holds shows whether another page follows.
        found = self.history.matching(
            self.account.merchant_id, lowest, highest, kinds=self.filters.kinds, wanted=limit + 1
        )
        if len(found.transactions) > limit:
            return _Rows(found.transactions[:limit], found.transactions[limit].sequence)
        # The search stopped early: the page is short, and its cursor continues from there.
        return _Rows(found.transactions, found.below or None)

    def _numbered(self, place: Place, lowest: int, highest: int, total: int | None) -> _Rows:
        end = place.skipped + place.limit
        # Where the total is known, nothing is read after the last match.
        wanted = end + 1 if total is None else min(end + 1, total)
        found = self.history.matching(
            self.account.merchant_id, lowest, highest, kinds=self.filters.kinds, wanted=wanted
        )
        if len(found.transactions) < wanted and found.below:
            raise PageTooFar
        transactions = found.transactions[place.skipped : end]
        return _Rows(transactions, found.transactions[end].sequence if len(found.transactions) > end else None)


def _of_order(
    history: HistoryReader, merchant_id: MerchantId, order_id: str, filters: Filters
) -> tuple[Transaction, ...]:
    """Return the order's transaction, if there is one and it matches: merchant and order give its id."""
    transaction = history.named(transaction_id(merchant_id, order_key(order_id)))
    return (transaction,) if transaction is not None and filters.match(transaction) else ()


def _total(account: Account, filters: Filters, lowest: int, highest: int) -> int | None:
    if not filters.by_type:
        return max(0, highest - lowest + 1)
    if filters.by_date:
        return None
    return sum(account.totals[kind].count for kind in filters.kinds if kind in account.totals)

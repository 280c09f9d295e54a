"""One page of a merchant's history: which transactions it holds, how many there are, and where the next begins.

Without a type filter a page is a range of sequences. With one, transactions that do not match are read as well:
pages read everything before them, cursors continue where the last page ended.
"""

from dataclasses import dataclass

from chalicelib.adapters.dynamodb.history import History
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply
from chalicelib.contracts.api import answers, cursors, tables
from chalicelib.contracts.api.pages import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    PAGE_MAX,
    PagePosition,
    PageRequest,
    Parameters,
    link_header,
)
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request
from chalicelib.domain.ids import ID_LENGTH_MAX, Instant, MerchantId, shop_id, transaction_id
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind, order_key
from chalicelib.domain.orders import Direction
from chalicelib.domain.transactions import Transaction

_TYPES = sorted({kind.transaction_type for kind in Kind})
_DIRECTIONS = [str(direction) for direction in Direction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which of a merchant's transactions are requested; None does not filter."""

    operation_type: str | None
    transaction_type: str | None
    start: Instant | None
    end: Instant | None
    order_id: str | None

    @property
    def by_type(self) -> bool:
        """Whether the matching transactions may have gaps in between."""
        return self.operation_type is not None or self.transaction_type is not None

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
            if self.operation_type in (None, kind.direction) and self.transaction_type in (None, kind.transaction_type)
        )

    def parameters(self) -> Parameters:
        """Return the filters as links hold them."""
        return {
            "operation_type": self.operation_type,
            "transaction_type": self.transaction_type,
            "start_date": self.start,
            "end_date": self.end,
            "order_id": self.order_id,
        }

    def match(self, transaction: Transaction) -> bool:
        """Return whether the transaction has the requested types and dates."""
        in_time = (
            (self.start or transaction.created_at) <= transaction.created_at <= (self.end or transaction.created_at)
        )
        return in_time and transaction.kind in self.kinds


@dataclass(frozen=True, slots=True)
class _Page:
    """Transactions, newest first; `below` is the sequence at which the next page begins, None on the last one.

    `unseen` transactions are so new that the index does not show them yet: the list is as of the one before them.
    """

    transactions: tuple[Transaction, ...]
    below: int | None
    unseen: int = 0


def history_page(call: Call, merchant_id: MerchantId, *, history: History, key: str | None) -> Reply:
    """Return the requested page of the merchant's history; without an account it is empty.

    `key` signs the cursors; without one there are none.
    """
    asked, filters = _asked(call), _filters(call)
    scope = (merchant_id, *(str(value or "") for value in filters.parameters().values()))
    top = None
    if asked.cursor is not None:
        if key is None:
            raise Problem(
                Refusal.CURSOR_INVALID, "Cursors are not available here: use page.", details={"field": "cursor"}
            )
        top = cursors.position(asked.cursor, scope=scope, key=key)
    page, has_previous = _Page((), None), False
    total: int | None = 0
    if filters.order_id is not None:
        found = _of_order(merchant_id, filters.order_id, history, filters)
        page, total, has_previous = _Page(found[asked.skipped :], None), len(found), asked.page > 1 and bool(found)
    elif (account := history.account(merchant_id)) is not None:
        lowest, highest = history.span(account, filters.start, filters.end)
        total = _total(account, filters, lowest, highest)
        has_previous = (asked.page > 1 and total != 0) if top is None else top < highest
        page = _Reading(history, account, filters).page(asked, lowest, highest, top=top, total=total)
        total = None if total is None else total - page.unseen
    below = page.below
    place = PagePosition(
        request=asked,
        total=total,
        has_next=below is not None,
        has_previous=has_previous,
        next_cursor=cursors.sign(below, scope=scope, key=key) if below is not None and key is not None else None,
    )
    return _reply(call, merchant_id, page, place, filters)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads pages of one filtered history."""

    history: History
    account: Account
    filters: Filters

    def page(self, asked: PageRequest, lowest: int, highest: int, *, top: int | None, total: int | None) -> _Page:
        """Return the requested page; `top` is a cursor's position."""
        if not self.filters.by_type:
            return self._range(lowest, min(highest, top if top is not None else highest - asked.skipped), asked.limit)
        if top is not None:
            return self._matches(lowest, min(highest, top), asked.limit)
        if total is not None and asked.skipped >= total:
            return _Page((), None)
        return self._numbered(asked, lowest, highest, total)

    def _range(self, lowest: int, highest: int, limit: int) -> _Page:
        bottom = max(lowest, highest - limit + 1)
        transactions = self.history.transactions(self.account, bottom, highest)
        seen = transactions[0].sequence if transactions else bottom - 1
        unseen = highest - seen if highest == self.account.sequence else 0
        return _Page(transactions, bottom - 1 if lowest < bottom <= highest else None, max(0, unseen))

    def _matches(self, lowest: int, highest: int, limit: int) -> _Page:
        # One more than the page holds shows whether another page follows.
        found = self.history.matching(
            self.account.merchant_id, lowest, highest, kinds=self.filters.kinds, wanted=limit + 1
        )
        if len(found.transactions) > limit:
            return _Page(found.transactions[:limit], found.transactions[limit].sequence)
        # The search stopped early: the page is short, and its cursor continues from there.
        return _Page(found.transactions, found.below or None)

    def _numbered(self, asked: PageRequest, lowest: int, highest: int, total: int | None) -> _Page:
        end = asked.skipped + asked.limit
        # Where the total is known, nothing is read after the last match.
        wanted = end + 1 if total is None else min(end + 1, total)
        found = self.history.matching(
            self.account.merchant_id, lowest, highest, kinds=self.filters.kinds, wanted=wanted
        )
        if len(found.transactions) < wanted and found.below:
            raise Problem(
                Refusal.PAGE_TOO_FAR,
                "The filter leaves too few transactions for a page that far back: follow next_cursor instead.",
                details={"field": "page"},
            )
        transactions = found.transactions[asked.skipped : end]
        return _Page(transactions, found.transactions[end].sequence if len(found.transactions) > end else None)


def _asked(call: Call) -> PageRequest:
    cursor = call.text("cursor")
    if cursor is not None and call.text("page") is not None:
        raise bad_request("cursor", "Give a page or a cursor, not both.")
    return PageRequest(
        limit=call.whole("limit", default=LIMIT_DEFAULT, most=LIMIT_MAX),
        page=call.whole("page", default=1, most=PAGE_MAX),
        cursor=cursor,
    )


def _filters(call: Call) -> Filters:
    start, end = call.dates()
    return Filters(
        operation_type=call.choice("operation_type", _DIRECTIONS),
        transaction_type=call.choice("transaction_type", _TYPES),
        start=start,
        end=end,
        order_id=_order_id(call),
    )


def _order_id(call: Call) -> str | None:
    asked = call.text("order_id")
    text = asked and shop_id(asked)
    if text is not None and (len(text) > ID_LENGTH_MAX or not text.isascii() or not text.isprintable()):
        raise bad_request("order_id", f"An order_id has 1 to {ID_LENGTH_MAX} printable ASCII characters.")
    return text


def _of_order(merchant_id: MerchantId, order_id: str, history: History, filters: Filters) -> tuple[Transaction, ...]:
    """Return the order's transaction, if there is one and it matches: merchant and order give its id."""
    transaction = history.named(transaction_id(merchant_id, order_key(order_id)))
    return (transaction,) if transaction is not None and filters.match(transaction) else ()


def _total(account: Account, filters: Filters, lowest: int, highest: int) -> int | None:
    if not filters.by_type:
        return max(0, highest - lowest + 1)
    if filters.by_date:
        return None
    return sum(account.totals[kind].count for kind in filters.kinds if kind in account.totals)


def _reply(call: Call, merchant_id: MerchantId, page: _Page, place: PagePosition, filters: Filters) -> Reply:
    # The alias has the merchant in its path; links hold the id in its normal form.
    by_path = "{merchant_id}" in call.route
    path = f"{call.link_path.rpartition('/')[0]}/{merchant_id}" if by_path else call.link_path
    links = place.links(path, {"merchant_id": None if by_path else merchant_id, **filters.parameters()})
    rows = [answers.Transaction.of(transaction) for transaction in page.transactions]
    headers = {"Link": link_header(links), "Vary": "Accept, Origin"}
    media_type = call.preferred("application/json", tables.CSV, tables.JSON_LINES)
    if media_type == "application/json":
        body = answers.listing_text(rows, call.meta(), place.pagination(), links)
    else:
        is_csv = media_type == tables.CSV
        body = tables.heading() + tables.csv_lines(rows) if is_csv else tables.json_lines(rows)
        name = f"transactions-{merchant_id}.{'csv' if is_csv else 'jsonl'}"
        headers |= {
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        if place.next_cursor is not None:
            headers["X-Next-Cursor"] = place.next_cursor
    return Reply(body=body, headers=headers, merchant_id=merchant_id)

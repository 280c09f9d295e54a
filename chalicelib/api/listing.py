"""One page of a merchant's history as an answer: JSON, CSV or JSON Lines, with its links and its cursor."""

from collections.abc import Sequence

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
from chalicelib.domain.ids import ID_LENGTH_MAX, MerchantId, shop_id
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.transactions import Transaction
from chalicelib.ports.history import HistoryReader
from chalicelib.usecases import paging
from chalicelib.usecases.paging import Filters, PageTooFar, Place

_TYPES = sorted({kind.transaction_type for kind in Kind})
_DIRECTIONS = [str(direction) for direction in Direction]


def history_page(call: Call, merchant_id: MerchantId, *, history: HistoryReader, key: str | None) -> Reply:
    """Return the requested page of the merchant's history; without an account it is empty.

    `key` signs the cursors; without one there are none.
    """
    asked, filters = _asked(call), _filters(call)
    scope = (merchant_id, *(str(value or "") for value in _parameters(filters).values()))
    top = None
    if asked.cursor is not None:
        if key is None:
            raise Problem(
                Refusal.CURSOR_INVALID, "Cursors are not available here: use page.", details={"field": "cursor"}
            )
        top = cursors.position(asked.cursor, scope=scope, key=key)
    try:
        page = paging.history_page(
            history, merchant_id, filters, Place(limit=asked.limit, skipped=asked.skipped, top=top)
        )
    except PageTooFar:
        raise Problem(
            Refusal.PAGE_TOO_FAR,
            "The filter leaves too few transactions for a page that far back: follow next_cursor instead.",
            details={"field": "page"},
        ) from None
    below = page.below
    position = PagePosition(
        request=asked,
        total=page.total,
        has_next=below is not None,
        has_previous=page.has_previous,
        next_cursor=cursors.sign(below, scope=scope, key=key) if below is not None and key is not None else None,
    )
    return _reply(call, merchant_id, page.transactions, position, _parameters(filters))


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
        direction=call.choice("operation_type", _DIRECTIONS),
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


def _parameters(filters: Filters) -> Parameters:
    """Return the filters as links hold them."""
    return {
        "operation_type": filters.direction,
        "transaction_type": filters.transaction_type,
        "start_date": filters.start,
        "end_date": filters.end,
        "order_id": filters.order_id,
    }


def _reply(
    call: Call,
    merchant_id: MerchantId,
    transactions: Sequence[Transaction],
    place: PagePosition,
    parameters: Parameters,
) -> Reply:
    # The alias has the merchant in its path; links hold the id in its normal form.
    by_path = "{merchant_id}" in call.route
    path = f"{call.link_path.rpartition('/')[0]}/{merchant_id}" if by_path else call.link_path
    links = place.links(path, {"merchant_id": None if by_path else merchant_id, **parameters})
    rows = [answers.Transaction.of(transaction) for transaction in transactions]
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

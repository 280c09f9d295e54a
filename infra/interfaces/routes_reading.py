"""The routes that answer about one merchant: plugin status, account, history."""

from chalicelib.contracts.api import answers
from chalicelib.contracts.api.alerts import Runway
from chalicelib.contracts.api.tables import CSV, JSON_LINES
from chalicelib.domain.plugin_status import Reason
from infra.interfaces import samples
from infra.interfaces.bodies import StatusBatchRequest
from infra.interfaces.operations import (
    ACCEPT_PAGE,
    ACCEPT_ROWS,
    API,
    AT,
    BODY_ERRORS,
    DATES,
    FILTERS,
    IF_NONE_MATCH,
    MERCHANT_IN_PATH,
    MERCHANT_IN_QUERY,
    MONTH_IN_PATH,
    PAGES,
    READ_ERRORS,
    TEXT,
    Body,
    Route,
    Success,
    Tag,
    answered,
    in_path,
    query,
)
from infra.interfaces.story import MERCHANT, OTHER_MERCHANT

_HISTORY = Success(
    description=(
        "A page, newest first; an account without transactions has an empty one. In the second after a write, the list "
        "may be as of the transaction before; then `total` is too, and nothing is missing in between. A list by type, "
        "and sums by dates, may lack a transaction of that second."
    ),
    model=answers.Listing[answers.Transaction],
    examples={"two of nine": samples.listing(samples.transactions(), f"{API}/credits/transactions", total=9)},
    headers=("Link", "X-Next-Cursor"),
    texts=(CSV, JSON_LINES),
)
_HISTORY_TEXT = (
    "By `page` and `limit`, or by `cursor`. `total` and `pages` are exact without a filter, by type and by dates, and "
    "null for type and dates combined. As CSV or JSON Lines a page has only its rows, and `X-Next-Cursor` is the "
    "cursor of the next page."
)

READING = (
    Route(
        view="plugin_status",
        tag=Tag.STATUS,
        description=(
            "Always 200 for a well-formed id: a merchant without an account is `disabled` with the reason "
            "`account_not_found`. If the table cannot be read, the answer is the last known status with `stale`, or "
            "`disabled` with the reason `unavailable`; it is never `enabled` without evidence. It never contains the "
            "balance. Any origin may call it."
        ),
        parameters=(
            MERCHANT_IN_PATH,
            query(
                "days_left",
                TEXT,
                "`1`: the answer has `days_left` too; any other value is ignored. If the setting `WIDGET_DAYS_LEFT` "
                "does not name the merchant, the answer is the same as without the parameter.",
            ),
            IF_NONE_MATCH,
        ),
        answers={
            200: Success(
                description="The status.",
                model=answers.Answer[answers.PluginStatus | answers.StatusWithDays],
                examples={
                    "enabled": samples.status(Reason.SUFFICIENT_CREDITS),
                    "disabled": samples.status(Reason.INSUFFICIENT_CREDITS),
                    "no such account": samples.status(Reason.ACCOUNT_NOT_FOUND),
                    "the table cannot be read": samples.status(Reason.SUFFICIENT_CREDITS, stale=True),
                    "nothing is known": samples.status(Reason.UNAVAILABLE),
                    "with the days left": samples.status_with_days(8),
                },
                headers=("ETag", "Cache-Control"),
            ),
            304: Success(description="The caller holds this status already.", headers=("ETag", "Cache-Control")),
        },
        # The gateway takes `batch` and `metrics` for the routes of that name, which do not take this method.
        errors=(400, 404, 500),
    ),
    Route(
        view="plugin_statuses",
        tag=Tag.STATUS,
        description="Up to 100 shops with one read. A merchant that is named twice is in the answer once.",
        body=Body(model=StatusBatchRequest, examples={"two shops": {"merchant_ids": [MERCHANT, OTHER_MERCHANT]}}),
        answers={
            200: Success(
                description="The statuses, by merchant id in lower case with hyphens.",
                model=answers.Answer[answers.StatusBatch],
                examples={
                    "one is unknown": samples.statuses(
                        {MERCHANT: Reason.SUFFICIENT_CREDITS, OTHER_MERCHANT: Reason.ACCOUNT_NOT_FOUND}
                    )
                },
            )
        },
        errors=(400, 401, *BODY_ERRORS, 500),
    ),
    Route(
        view="account",
        tag=Tag.ACCOUNTS,
        description="Balance, plugin status, thresholds and totals, read consistently.",
        parameters=(MERCHANT_IN_PATH,),
        answers=answered("The account.", {"enabled": samples.account(samples.ORDER.account)}),
        errors=READ_ERRORS,
    ),
    Route(
        view="balance",
        tag=Tag.ACCOUNTS,
        description=(
            "The credits left, read consistently. With `at`, the credits left at that time, in two or three reads at "
            "any age: 0 before the first transaction, 400 for the future."
        ),
        parameters=(MERCHANT_IN_PATH, AT),
        answers=answered(
            "The balance.",
            {
                "some left": answers.Balance(
                    merchant_id=MERCHANT,
                    balance=149,
                    runway=Runway(days_left=19, empty_on="2026-12-11", per_day=7.5),
                    as_of=samples.META["timestamp"],
                ),
                "at a time": answers.Balance(merchant_id=MERCHANT, balance=151, as_of="2026-11-20T23:59:59.999Z"),
            },
        ),
        errors=READ_ERRORS,
    ),
    Route(
        view="statement",
        tag=Tag.ACCOUNTS,
        description=(
            "The balance at the beginning of a month, the credits moved by type, and the balance at its end, with "
            "their places in the chain of hashes. Its `closing` is the next month's `opening`; the running month is "
            "`open`. Two reads at any age. With `Accept: text/html` the answer is a page that prints."
        ),
        parameters=(MERCHANT_IN_PATH, MONTH_IN_PATH, ACCEPT_PAGE),
        answers=answered("The statement.", {"the running month": samples.statement()}, texts=("text/html",)),
        errors=READ_ERRORS,
    ),
    Route(
        view="story",
        tag=Tag.ACCOUNTS,
        description=(
            "In order: what passed a threshold, when, by which transaction, in a sentence, and which events it "
            "published. All of it is derived from the ledger and its crossings; deliveries are not logged."
        ),
        parameters=(MERCHANT_IN_PATH,),
        answers=answered("The story.", {"a plugin that is off": samples.why_off()}),
        errors=READ_ERRORS,
    ),
    Route(
        view="transactions",
        tag=Tag.TRANSACTIONS,
        description=_HISTORY_TEXT,
        parameters=(MERCHANT_IN_QUERY, *PAGES, *FILTERS, ACCEPT_ROWS),
        answers={200: _HISTORY},
        errors=READ_ERRORS,
    ),
    Route(
        view="merchant_transactions",
        tag=Tag.TRANSACTIONS,
        description=_HISTORY_TEXT,
        parameters=(MERCHANT_IN_PATH, *PAGES, *FILTERS, ACCEPT_ROWS),
        answers={200: _HISTORY},
        errors=READ_ERRORS,
    ),
    Route(
        view="stats",
        tag=Tag.TRANSACTIONS,
        description=(
            "All transactions for the price of one read, or those of a range of dates, which are read; a range with "
            "more than a request may read is refused (`RANGE_TOO_LONG`)."
        ),
        parameters=(MERCHANT_IN_PATH, *DATES),
        answers=answered("The sums.", {"all of it": samples.stats()}),
        errors=READ_ERRORS,
    ),
    Route(
        view="transaction",
        tag=Tag.TRANSACTIONS,
        description="With every field that its hash covers, so that anybody can check the chain.",
        parameters=(
            in_path(
                "transaction_id",
                MERCHANT_IN_PATH["schema"],
                "The transaction: a UUID.",
                example=samples.ORDER.transaction.transaction_id,
            ),
        ),
        answers=answered(
            "The transaction.",
            {
                "an order": answers.Transaction.of(samples.ORDER.transaction),
                "an adjustment": answers.Transaction.of(samples.ADDED.transaction),
            },
        ),
        errors=READ_ERRORS,
    ),
)

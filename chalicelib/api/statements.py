"""The balance of an account at a time, and the statement of a month (contract, section 17).

Both take two or three requests, however old they are, if the ends of days and months are kept. If they are not
(transactions from before this release, or a stream that is late), both are derived from the history, in more requests.
"""

import re
from collections.abc import Mapping

from chalicelib.adapters.dynamodb.history import TRANSACTIONS_EXAMINED_MAX, History
from chalicelib.adapters.dynamodb.month_ends import MonthEnds
from chalicelib.api.requests import Call
from chalicelib.contracts.api import statements as answers
from chalicelib.contracts.api.answers import Balance
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request, not_found
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.statements import (
    NOTHING,
    Closing,
    Month,
    MonthKept,
    Statement,
    bounds,
    closing_of,
    difference,
    month_before,
    month_end,
    month_of,
)
from chalicelib.domain.transactions import Total, Transaction

_DAY_LENGTH = 10
_MONTH = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)


def balance_at(
    call: Call, merchant_id: MerchantId, at: Instant, *, history: History, ends: MonthEnds | None
) -> Balance:
    """Return the credits that the merchant had at a time, 0 before the first transaction; today as a day means now.

    Raises:
        Problem: the time is in the future (400), or there is no such account.
    """
    now = instant(call.now)
    if call.text("at") == now[:_DAY_LENGTH]:
        at = now
    if at > now:
        raise bad_request("at", "The time is in the future.")
    account = _account(merchant_id, history)
    balance = 0
    if account.last_transaction_at is None or at >= account.last_transaction_at:
        # What has lapsed since, though not recorded yet, is gone, as every reader has it.
        balance = as_of(account, at).balance
    elif at >= account.created_at:
        balance = _newest_by(account, at, history, ends).balance_after
    return Balance(merchant_id=merchant_id, balance=balance, as_of=at)


def statement_of(
    call: Call, merchant_id: MerchantId, text: str, *, history: History, ends: MonthEnds | None
) -> answers.Statement:
    """Return the merchant's statement of a month.

    Raises:
        Problem: the month is invalid or in the future (400), there is no such account, or its closings are not kept
            and it holds more transactions than one request may add up.
    """
    running = month_of(instant(call.now))
    if _MONTH.fullmatch(text) is None:
        raise bad_request("month", "A month is written as 2026-05.")
    month = Month(text)
    if month > running:
        raise bad_request("month", "The month is in the future.")
    account = _account(merchant_id, history)
    kept = _kept(account, month, ends)
    opening, closing = (
        closing_of(of_month, account, kept) or _derived(of_month, account, history)
        for of_month in (month_before(month), month)
    )
    sums = difference(opening, closing) or _added_up(account, opening, closing, history)
    return answers.Statement.of(
        Statement(
            merchant_id=merchant_id,
            month=month,
            opening=opening,
            closing=closing,
            totals=sums[0],
            total_shortfall=sums[1],
            open=month == running,
        )
    )


def _account(merchant_id: MerchantId, history: History) -> Account:
    found = history.account(merchant_id)
    if found is None:
        raise not_found("account")
    return found


def _kept(account: Account, month: Month, ends: MonthEnds | None) -> Mapping[Month, MonthKept]:
    """Return what is kept of the month and the one before: in one request, or in none if the account holds it all."""
    wanted = [
        of_month
        for of_month in (month_before(month), month)
        if month_of(account.created_at) <= of_month <= month_of(account.last_transaction_at or account.created_at)
    ]
    return ends.kept(account.merchant_id, wanted) if ends is not None and wanted else {}


def _newest_by(account: Account, at: Instant, history: History, ends: MonthEnds | None) -> Transaction:
    lowest, highest = bounds(at, account, _kept(account, month_of(at), ends))
    # The transaction after the bounds is read too: it decides if a restore took the tables back past what is kept.
    found = history.newest_by(account, lowest, min(highest + 1, account.sequence), at)
    if found is None or highest < found.sequence:
        found = history.newest_by(account, 1, account.sequence, at)
    assert found is not None, "the account had a transaction by then"
    return found


def _derived(month: Month, account: Account, history: History) -> Closing:
    """Return the closing of a month whose end is not kept, from the newest transaction until then."""
    transaction = history.newest_by(account, 1, account.sequence, month_end(month))
    if transaction is None:
        return NOTHING
    return Closing(
        sequence=transaction.sequence,
        balance=transaction.balance_after,
        debt=None,
        total_shortfall=None,
        hash=transaction.hash,
        totals=None,
    )


def _added_up(
    account: Account, opening: Closing, closing: Closing, history: History
) -> tuple[Mapping[Kind, Total], int]:
    """Return the totals and the shortfall of the transactions between two closings; reads them all."""
    count = closing.sequence - opening.sequence
    if count > TRANSACTIONS_EXAMINED_MAX:
        raise Problem(
            Refusal.RANGE_TOO_LONG,
            f"The month's closing is not kept, and its {count} transactions are more than the "
            f"{TRANSACTIONS_EXAMINED_MAX} that are added up.",
            details={"field": "month"},
        )
    sums = history.sums(account.merchant_id, opening.sequence + 1, closing.sequence)
    return sums.totals, sums.total_shortfall

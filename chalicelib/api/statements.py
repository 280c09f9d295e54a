"""A merchant's past as answers: the balance at a time, the statement of a month, the sums of a range."""

import re

from chalicelib.api.requests import Call
from chalicelib.contracts.api import statements as answers
from chalicelib.contracts.api.answers import Balance, Stats
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request, not_found
from chalicelib.domain.ids import Instant, MerchantId, day_of, instant
from chalicelib.domain.statements import Month, month_of
from chalicelib.usecases.looking_back import ADDED_UP_MAX, LookingBack, TooManyTransactions

_MONTH = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)


def balance_at(call: Call, merchant_id: MerchantId, at: Instant, *, past: LookingBack) -> Balance:
    """Return the credits that the merchant had at a time; today as a day means now.

    Raises:
        Problem: the time is in the future (400), or there is no such account.
    """
    now = instant(call.now)
    if call.text("at") == day_of(now):
        at = now
    if at > now:
        raise bad_request("at", "The time is in the future.")
    balance = past.balance(merchant_id, at)
    if balance is None:
        raise not_found("account")
    return Balance(merchant_id=merchant_id, balance=balance, as_of=at)


def statement_of(call: Call, merchant_id: MerchantId, text: str, *, past: LookingBack) -> answers.Statement:
    """Return the merchant's statement of a month.

    Raises:
        Problem: the month is invalid or in the future (400), there is no such account, or its closings are not kept
            and it holds more transactions than one request may add up.
    """
    now = instant(call.now)
    if _MONTH.fullmatch(text) is None:
        raise bad_request("month", "A month is written as 2026-05.")
    month = Month(text)
    if month > month_of(now):
        raise bad_request("month", "The month is in the future.")
    try:
        statement = past.statement(merchant_id, month, now=now)
    except TooManyTransactions as error:
        raise _too_long(
            "month", f"The month's closing is not kept, and its {error.count} transactions are more than the"
        ) from None
    if statement is None:
        raise not_found("account")
    return answers.Statement.of(statement)


def stats_of(call: Call, merchant_id: MerchantId, *, past: LookingBack) -> Stats:
    """Return the requested sums; without an account they are empty, like the merchant's history.

    Raises:
        Problem: a date is none (400), or the range holds more transactions than one request may read.
    """
    start, end = call.dates()
    try:
        sums = past.sums(merchant_id, start, end)
    except TooManyTransactions as error:
        raise _too_long("start_date", f"The range holds {error.count} transactions, more than the") from None
    return Stats.of(
        merchant_id,
        totals=sums.totals,
        total_shortfall=sums.total_shortfall,
        last_transaction_at=sums.last_transaction_at,
    )


def _too_long(field: str, found: str) -> Problem:
    return Problem(Refusal.RANGE_TOO_LONG, f"{found} {ADDED_UP_MAX} that are added up.", details={"field": field})

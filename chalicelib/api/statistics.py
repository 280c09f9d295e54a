"""Sums of a merchant's transactions: from the account's own counters, or from the transactions of a range of dates."""

from chalicelib.adapters.dynamodb.history import TRANSACTIONS_EXAMINED_MAX, History
from chalicelib.api.requests import Call
from chalicelib.contracts.api.answers import Stats
from chalicelib.contracts.api.problems import Problem, Refusal
from chalicelib.domain.ids import MerchantId


def stats_of(call: Call, merchant_id: MerchantId, *, history: History) -> Stats:
    """Return the requested sums; without an account they are empty, like the merchant's history.

    Raises:
        Problem: a date is invalid (400), or the range has more transactions than one request may read.
    """
    start, end = call.dates()
    account = history.account(merchant_id)
    if account is None:
        return Stats.of(merchant_id, totals={}, total_shortfall=0, last_transaction_at=None)
    lowest, highest = history.span(account, start, end)
    if (lowest, highest) == (1, account.sequence):
        return Stats.of(
            merchant_id,
            totals=account.totals,
            total_shortfall=account.total_shortfall,
            last_transaction_at=account.last_transaction_at,
        )
    if highest - lowest >= TRANSACTIONS_EXAMINED_MAX:
        raise Problem(
            Refusal.RANGE_TOO_LONG,
            f"The range holds {highest - lowest + 1} transactions, more than the "
            f"{TRANSACTIONS_EXAMINED_MAX} that are added up.",
            details={"field": "start_date"},
        )
    sums = history.sums(merchant_id, lowest, highest)
    return Stats.of(
        merchant_id,
        totals=sums.totals,
        total_shortfall=sums.total_shortfall,
        last_transaction_at=sums.last_transaction_at,
    )

"""A low-balance threshold of an account's own, which an admin sets in place of the default (contract, section 5)."""

from dataclasses import replace

from chalicelib.domain.ids import Instant, later_than
from chalicelib.domain.ledger import Account, CrossingRecord
from chalicelib.domain.thresholds import crossings


def change_threshold(
    account: Account,
    low_balance_threshold: int | None,
    *,
    default_threshold: int,
    correlation_id: str | None,
    now: Instant,
) -> tuple[Account, tuple[CrossingRecord, ...]]:
    """Return the account with a low-balance threshold of its own (None: the default), and what that crossed.

    If the balance is now on the other side, that is low or restored, without a transaction (contract, section 5). An
    account that already has this threshold is returned unchanged. `version` does not change, as with `apply`.
    """
    threshold = default_threshold if low_balance_threshold is None else low_balance_threshold
    if (account.low_balance_threshold, account.threshold) == (low_balance_threshold, threshold):
        return account, ()
    # Later than the newest transaction, so that `audit` can tell whose crossings the account carries.
    time = later_than(account.updated_at, now=now)
    crossed = tuple(
        CrossingRecord(
            type=crossing,
            transaction_id=None,
            sequence=account.sequence,
            balance=account.balance,
            threshold=threshold,
            time=time,
            correlation_id=correlation_id,
        )
        for crossing in crossings(account.balance, account.balance, low_before=account.threshold, low_after=threshold)
    )
    changed = replace(
        account, low_balance_threshold=low_balance_threshold, threshold=threshold, updated_at=time, outdated=None
    )
    return changed, crossed

"""Accounts of shops that have gone, or have come back (contract, section 15, points 3 and 5)."""

from dataclasses import replace

from chalicelib.domain.ids import Instant, later_than
from chalicelib.domain.ledger import Account, CrossingRecord
from chalicelib.domain.plugin_status import Closure, Reason
from chalicelib.domain.thresholds import Crossing


def change_closure(
    account: Account, *, closed: bool, at: Instant | None, correlation_id: str | None, now: Instant
) -> tuple[Account, tuple[CrossingRecord, ...]]:
    """Return the account closed or open, and that its plugin thereby went off or on, if it did.

    `at` is when the shop went or came back, None where nobody said. What was said of a time no later than the last
    change is a late repeat, and the account comes back as it is; so does one that is already as asked. The balance
    stays, and `version` as with `apply`.
    """
    late = at is not None and account.closure is not None and at <= account.closure.at
    if account.closed is closed or late:
        return account, ()
    # Later than the newest record, so that `audit` can tell whose crossings the account carries.
    time = later_than(account.updated_at, now=now)
    changed = replace(account, closure=Closure(closed=closed, at=at or time), updated_at=time)
    if changed.enabled is account.enabled:
        return changed, ()
    crossing = CrossingRecord(
        type=Crossing.SHOP_CLOSED if closed else Crossing.SHOP_REOPENED,
        transaction_id=None,
        sequence=account.sequence,
        balance=account.balance,
        threshold=account.threshold,
        time=time,
        correlation_id=correlation_id,
    )
    return changed, (crossing,)


def status_reason(account: Account) -> Reason:
    """Return why the account's plugin is on or off."""
    if account.closed:
        return Reason.CLOSED
    return Reason.SUFFICIENT_CREDITS if account.balance else Reason.INSUFFICIENT_CREDITS


def status_since(account: Account) -> Instant:
    """Return since when the plugin is on or off: by credits, or because the shop has gone or come back."""
    closure = account.closure
    if closure is None or not (closure.closed or account.balance):
        return account.status_changed_at
    return closure.at if closure.closed else max(closure.at, account.status_changed_at)

"""Why an account's plugin is on or off, since when, and by which transaction (contract, section 6)."""

from chalicelib.domain.grace import End
from chalicelib.domain.ids import Instant, TransactionId
from chalicelib.domain.ledger import Account
from chalicelib.domain.plugin_status import Reason


def status_reason(account: Account) -> Reason:
    """Return why the account's plugin is on or off."""
    if account.closed:
        return Reason.CLOSED
    if account.freeze is not None:
        return Reason.FROZEN
    if account.balance:
        return Reason.SUFFICIENT_CREDITS
    return Reason.GRACE if account.in_grace else Reason.INSUFFICIENT_CREDITS


def status_since(account: Account) -> Instant:
    """Return since when the plugin is on or off.

    That is the time of the crossing, of the account's freeze, closing or reopening, or of the end of its grace.
    """
    if account.closure is not None and account.closed:
        return account.closure.at
    if (back_at := came_back(account)) is not None:
        return back_at
    if account.freeze is not None:
        return account.freeze.since
    return _out_of_time(account) or account.status_changed_at


def status_transaction(account: Account) -> TransactionId | None:
    """Return the transaction that switched the plugin.

    None if the account was closed or reopened, or a grace ended by time alone.
    """
    if account.closed or came_back(account) is not None:
        return None
    if account.freeze is not None:
        return account.freeze.transaction_id
    return None if _out_of_time(account) else account.status_transaction_id


def came_back(account: Account) -> Instant | None:
    """Return since when the plugin is on because the shop came back, None if a transaction has switched it since."""
    back_at = account.closure.back_at if account.closure is not None else None
    return back_at if account.enabled and back_at is not None and back_at > account.status_changed_at else None


def deciding_transaction(account: Account) -> TransactionId | None:
    """Return the transaction around which the plugin's status is explained, also where something else switched it."""
    return account.freeze.transaction_id if account.freeze else account.status_transaction_id


def _out_of_time(account: Account) -> Instant | None:
    """Return since when the plugin is off because the time of a grace is over, unless it was switched since."""
    over = account.grace.over if account.grace is not None and not account.balance else None
    ended = over is not None and over[1] is End.TIME and over[0] > account.status_changed_at
    return over[0] if over is not None and ended else None

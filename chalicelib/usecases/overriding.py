"""An account changed without a transaction: a threshold, levels or a grace of its own, closed, reopened.

(contract, sections 7, 15 and 16)
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from chalicelib.domain.alerts import Levels
from chalicelib.domain.closure import change_closure
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant, MerchantId, transaction_id, unused_version
from chalicelib.domain.ledger import Account, Commit, Crossing
from chalicelib.domain.movements import TRIAL_KEY
from chalicelib.domain.override import change_grace_terms, change_levels, change_threshold
from chalicelib.domain.terms import GraceTerms
from chalicelib.ports import CallTime, Committed, LedgerStore
from chalicelib.usecases.posting import MARGIN_SECONDS, pause, require_time

AccountChange = Callable[..., tuple[Account, tuple[Crossing, ...]]]
"""Takes an account and `now`; returns the account changed, or the same if nothing changes, and the crossings."""


def set_threshold(
    store: LedgerStore,
    merchant_id: MerchantId,
    low_balance_threshold: int | None,
    *,
    default_threshold: int,
    correlation_id: str | None,
    time: CallTime,
) -> Account:
    """Give the account a low-balance threshold of its own, or the default again with None, and return it.

    Raises:
        RetryLater: there is no such account, or the threshold was not set yet.
    """
    change = partial(
        change_threshold,
        low_balance_threshold=low_balance_threshold,
        default_threshold=default_threshold,
        correlation_id=correlation_id,
    )
    return _change(store, merchant_id, change, time=time)


def set_levels(
    store: LedgerStore,
    merchant_id: MerchantId,
    own: Levels | None,
    *,
    fleet: Levels,
    correlation_id: str | None,
    time: CallTime,
) -> Account:
    """Give the account levels of its own, or the fleet's again with None, and return it.

    Raises:
        RetryLater: there is no such account, or the levels were not set yet.
    """
    change = partial(change_levels, own=own, fleet=fleet, correlation_id=correlation_id)
    return _change(store, merchant_id, change, time=time)


def set_grace_terms(store: LedgerStore, merchant_id: MerchantId, own: GraceTerms | None, *, time: CallTime) -> Account:
    """Give the account limits of its own for its next grace, or the fleet's again with None, and return it.

    Raises:
        RetryLater: there is no such account, or the limits were not set yet.
    """
    return _change(store, merchant_id, partial(change_grace_terms, own=own), time=time)


def set_closed(
    store: LedgerStore,
    merchant_id: MerchantId,
    *,
    closed: bool,
    at: Instant | None,
    correlation_id: str | None,
    time: CallTime,
) -> Account:
    """Close the account or open it again, unless `at`, when that happened, is no later than its last change; return it.

    Raises:
        RetryLater: there is no such account, or it was not changed yet.
    """
    trial = transaction_id(merchant_id, TRIAL_KEY)
    found = store.read([], [trial])
    found.require(trial)
    opening = found.transactions.get(trial)
    opened_at = None if opening is None else opening.occurred_at

    change = partial(change_closure, closed=closed, at=at, opened_at=opened_at, correlation_id=correlation_id)
    return _change(store, merchant_id, change, time=time)


def _change(store: LedgerStore, merchant_id: MerchantId, change: AccountChange, *, time: CallTime) -> Account:
    """Change an account and return it.

    Nothing is written if the account is already in that state; so a write whose answer was lost is not repeated.
    """
    account, attempt = _current(store, merchant_id), 0
    while True:
        now = time.now()
        changed, crossed = change(account, now=now)
        if changed is account:
            return account
        # Event ids derive from the version: after a restore, no version may be used for a second change.
        after = replace(changed, version=unused_version(account.version, now=now))
        require_time(time, MARGIN_SECONDS)
        try:
            answer = store.commit(Commit(merchant_id=merchant_id, before=account, after=after, crossings=crossed))
        except RetryLater as error:
            pause(attempt, time, error)
        else:
            if isinstance(answer, Committed):
                return after
            pause(attempt, time, RetryLater(Code.CONTENDED, "too many writers on one account"))
        account, attempt = _current(store, merchant_id), attempt + 1


def _current(store: LedgerStore, merchant_id: MerchantId) -> Account:
    account = store.read([merchant_id], []).account(merchant_id)
    if account is None:
        raise RetryLater(Code.ACCOUNT_MISSING, f"merchant {merchant_id} has no account yet", field="merchant_id")
    return account

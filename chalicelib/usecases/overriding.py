"""An account changed without a transaction: a threshold, levels or a grace of its own, closed, reopened.

(contract, sections 7, 15 and 16)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant, MerchantId, transaction_id, unused_version
from chalicelib.domain.ledger import Account, Commit, Crossing
from chalicelib.domain.movements import TRIAL_KEY, Movement
from chalicelib.domain.outcomes import Duplicate, Outcome
from chalicelib.domain.override import change_closure, change_grace_terms, change_levels, change_threshold
from chalicelib.domain.terms import GraceTerms, Levels
from chalicelib.ports import CallTime, Committed, LedgerStore
from chalicelib.usecases.posting import MARGIN_SECONDS, pause, require_time

AccountChange = Callable[..., tuple[Account, tuple[Crossing, ...]]]
"""Takes an account and `now`; returns the account changed, or the same if nothing changes, and the crossings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureReport:
    """A report that a merchant's shop has gone, so that its account is `closed`, or is back; `at`, if that is known."""

    merchant_id: MerchantId
    closed: bool
    at: Instant | None


def closure_reports(
    movements: Sequence[Movement],
    outcomes: Sequence[Outcome],
    *,
    opens: bool,
    gone: MerchantId | None,
    at: Instant | None,
) -> list[ClosureReport]:
    """Return what an event reports of a shop that has gone, or is back (contract, section 15, points 3 and 5).

    `gone` is the merchant whose shop has gone `at` that time, None if none has. `outcomes` are those of `movements`. An
    event that `opens` an account may bring a shop back: if the account was there, so that its trial is a duplicate. The
    trial of an order that opens an account brings none back.
    """
    reports = [ClosureReport(merchant_id=gone, closed=True, at=at)] if gone is not None else []
    if opens:
        reports += [
            ClosureReport(merchant_id=movement.merchant_id, closed=False, at=movement.occurred_at)
            for movement, outcome in zip(movements, outcomes, strict=False)
            if movement.key == TRIAL_KEY and isinstance(outcome, Duplicate)
        ]
    return reports


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


def set_closed(store: LedgerStore, report: ClosureReport, *, time: CallTime) -> Account:
    """Close the account or open it again, unless `report.at` is no later than its last change; return it.

    Raises:
        RetryLater: there is no such account, or it was not changed yet.
    """
    trial = transaction_id(report.merchant_id, TRIAL_KEY)
    found = store.read([], [trial])
    found.require(trial)
    opening = found.transactions.get(trial)
    opened_at = None if opening is None else opening.occurred_at
    change = partial(change_closure, closed=report.closed, at=report.at, opened_at=opened_at, correlation_id=None)
    return _change(store, report.merchant_id, change, time=time)


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

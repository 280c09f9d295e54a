"""What changes an account without a movement: its own threshold, levels and grace, set by an admin, and its closure.

(contract, sections 5 and 16, and section 15, points 3 and 5: a shop that removed the app, or installed it again)
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.alerts import Alerts, after_change
from chalicelib.domain.ids import Instant, instant, later_than
from chalicelib.domain.ledger import (
    Account,
    Crossing,
    CrossingType,
    account_crossing,
    crossings,
    levels_crossed,
    supply_of,
)
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.terms import GraceTerms, Levels


def change_threshold(
    account: Account,
    low_balance_threshold: int | None,
    *,
    default_threshold: int,
    correlation_id: str | None,
    now: Instant,
) -> tuple[Account, tuple[Crossing, ...]]:
    """Return the account with a low-balance threshold of its own (None: the default), and what that crossed.

    If the balance is now on the threshold's other side, low or restored is crossed without a transaction
    (contract, section 5). An
    account that already has this threshold is returned unchanged. `version` does not change, as with `apply`.
    """
    threshold = default_threshold if low_balance_threshold is None else low_balance_threshold
    if (account.low_balance_threshold, account.threshold) == (low_balance_threshold, threshold):
        return account, ()
    # Later than the newest transaction, so that `audit` can see whose crossings the account carries.
    time = later_than(account.updated_at, now=now)
    changed = replace(
        account, low_balance_threshold=low_balance_threshold, threshold=threshold, updated_at=time, outdated=None
    )
    passed = crossings(account.balance, account.balance, low_before=account.threshold, low_after=threshold)
    crossed = tuple(account_crossing(changed, each, time=time, correlation_id=correlation_id) for each in passed)
    return changed, crossed


def change_levels(
    account: Account, own: Levels | None, *, fleet: Levels, correlation_id: str | None, now: Instant
) -> tuple[Account, tuple[Crossing, ...]]:
    """Return the account with levels of its own (None: the fleet's), and the levels that this crossed.

    An account that already has these is returned unchanged. `version` does not change, as with `apply`.
    """
    known = account.alerts or Alerts()
    if (known.own, known.levels) == (own is not None, fleet if own is None else own):
        return account, ()
    time = later_than(account.updated_at, now=now)
    alerts, crossed = after_change(account.alerts, own, fleet, supply_of(account, now=time))
    # Levels in days may change by time alone. `post_due` computes when, so the account is due at once.
    looks = alerts is not None and alerts.look_at is not None
    due_at = min(account.due_at or time, time) if looks else account.due_at
    changed = replace(account, alerts=alerts, due_at=due_at, updated_at=time)
    return changed, levels_crossed(account, crossed, time=time, correlation_id=correlation_id)


def change_grace_terms(
    account: Account, own: GraceTerms | None, *, now: Instant
) -> tuple[Account, tuple[Crossing, ...]]:
    """Return the account with limits of its own for its next grace (None: the fleet's); that crosses nothing.

    An account that already has these is returned unchanged. `version` does not change, as with `apply`.
    """
    if account.grace_terms == own:
        return account, ()
    return replace(account, grace_terms=own, updated_at=later_than(account.updated_at, now=now)), ()


SAME_OPENING: Final = timedelta(minutes=1)
"""How long after an account's opening another service may report it: nobody has come back, and nothing is written."""


def change_closure(
    account: Account,
    *,
    closed: bool,
    at: Instant | None,
    opened_at: Instant | None,
    correlation_id: str | None,
    now: Instant,
) -> tuple[Account, tuple[Crossing, ...]]:
    """Return the account closed or open, and the crossing if this switched its plugin.

    `at` is when the shop removed the app or came back, `opened_at` when its account was to be opened; None if unknown.
    An `at` that is not after the last of these is a late repeat: the account is returned unchanged. An account that is
    already in the wanted state keeps the later time, because an earlier change may still arrive. The balance does not
    change, nor does `version`, as with `apply`.
    """
    known = opened_at if account.closure is None else account.closure.at
    late = at is not None and known is not None and at <= known
    if late or (account.closed is closed and not _news(account, at, opened_at)):
        return account, ()
    # Later than the newest transaction, so that `audit` can see whose crossings the account carries.
    time = later_than(account.updated_at, now=now)
    closure = Closure(closed=closed, at=at or time)
    if account.closed and not closed:
        closure = replace(closure, back_at=closure.at)
    elif account.closure is not None and not closed:
        closure = replace(closure, back_at=account.closure.back_at)
    changed = replace(account, closure=closure, updated_at=time)
    if changed.enabled is account.enabled:
        return changed, ()
    crossing = CrossingType.SHOP_CLOSED if closed else CrossingType.SHOP_REOPENED
    return changed, (account_crossing(changed, crossing, time=time, correlation_id=correlation_id),)


def _news(account: Account, at: Instant | None, opened_at: Instant | None) -> bool:
    """Return whether an account already in the wanted state keeps `at`: not if it is only its opening, repeated."""
    if at is None or account.closure is not None:
        return at is not None
    return at > instant(datetime.fromisoformat(opened_at or account.created_at) + SAME_OPENING)

"""Accounts of shops that removed the app, or installed it again (contract, section 15, points 3 and 5)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.ids import Instant, instant, later_than
from chalicelib.domain.ledger import Account, Crossing, account_crossing
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.thresholds import CrossingType

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
    changed = replace(account, closure=Closure(closed=closed, at=at or time), updated_at=time)
    if changed.enabled is account.enabled:
        return changed, ()
    crossing = CrossingType.SHOP_CLOSED if closed else CrossingType.SHOP_REOPENED
    return changed, (account_crossing(changed, crossing, time=time, correlation_id=correlation_id),)


def _news(account: Account, at: Instant | None, opened_at: Instant | None) -> bool:
    """Return whether an account already in the wanted state keeps `at`: not if it is only its opening, repeated."""
    if at is None or account.closure is not None:
        return at is not None
    return at > instant(datetime.fromisoformat(opened_at or account.created_at) + SAME_OPENING)

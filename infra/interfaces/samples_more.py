"""Further examples made from the story: what is set for one account, days, and who did what."""

from dataclasses import replace
from typing import Any

from chalicelib.contracts.api import answers
from chalicelib.contracts.api.people import Action, Day, Days, FleetDay, FleetDays
from chalicelib.contracts.inbound.admin_requests import freezing
from chalicelib.domain.actions import ActionType
from chalicelib.domain.days import end_of, end_of_fleet, last_days
from chalicelib.domain.figures import recount
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import day_of
from chalicelib.domain.ledger import Account
from chalicelib.domain.override import change_levels
from chalicelib.domain.terms import GraceTerms, Level, Unit
from infra.interfaces.samples import EMPTIED, LOW, META, ORDER, account, level_listing
from infra.interfaces.story import MERCHANT, THRESHOLD


def with_levels() -> answers.Account:
    """Return an account with levels of its own."""
    own = (Level(name="week", at=7, unit=Unit.DAYS), Level(name="half", at=50, unit=Unit.PERCENT))
    now = ORDER.account.updated_at
    return account(change_levels(ORDER.account, own, fleet=(), correlation_id=None, now=now)[0])


def with_grace() -> answers.Account:
    """Return an account with limits of its own for its next grace."""
    return account(replace(ORDER.account, grace_terms=GraceTerms(hours=48, credits=100)))


def frozen() -> answers.Account:
    """Return an account that an admin froze for a week."""
    return account(_frozen(ORDER.account, freeze=True, reason="Chargebacks, ticket 4711", until="2026-11-28T12:00:00Z"))


def unfrozen() -> answers.Account:
    """Return an account that was frozen, and is not any more."""
    before = _frozen(ORDER.account, freeze=True, reason="Chargebacks, ticket 4711")
    return account(_frozen(before, freeze=False, reason="Settled with the shop"))


def _frozen(before: Account, *, freeze: bool, **said: str) -> Account:
    key = "freeze-7" if freeze else "unfreeze-7"
    whose = {"merchant_id": MERCHANT, "admin_id": "admin-7", "adjustment_id": key}
    movement = freezing({"freeze": freeze, **whose, **said})
    now = before.updated_at
    commit = fold(MERCHANT, before, [movement], stored={}, default_threshold=THRESHOLD, now=now).commit
    assert commit is not None, "it is recorded"
    return commit.after


def actions() -> Any:
    """Return the list of one action: an admin set a threshold."""
    row = Action(
        time=META["timestamp"],
        did=ActionType.THRESHOLD_SET,
        admin_id="ada",
        merchant_id=MERCHANT,
        details={"low_balance_threshold": 50},
    )
    return level_listing([row], "actions")


def account_days() -> Days:
    """Return the story's account at the end of its last day and of the day before."""
    ends = [end_of(one.account) for one in (ORDER, LOW, EMPTIED)]
    opened, today = day_of(EMPTIED.account.created_at), day_of(EMPTIED.account.updated_at)
    rows = [Day.of(end, moved) for end, moved in last_days(ends, today=today, days=2, opened=opened)]
    return Days(merchant_id=MERCHANT, days=rows)


def fleet_days() -> FleetDays:
    """Return one day of that fleet."""
    today = day_of(EMPTIED.account.updated_at)
    figures = recount([ORDER.account, LOW.account, EMPTIED.account])
    ended = end_of_fleet(figures, day=today, parked=1)
    return FleetDays(
        days=[FleetDay.of(end, moved) for end, moved in last_days([ended], today=today, days=1, opened=today)]
    )

"""Examples of what is set for one account: levels, a grace, a freeze and its end."""

from dataclasses import replace

from chalicelib.contracts.api import answers
from chalicelib.contracts.inbound.admin_requests import freezing
from chalicelib.domain.fold import fold
from chalicelib.domain.ledger import Account
from chalicelib.domain.override import change_levels
from chalicelib.domain.terms import GraceTerms, Level, Unit
from infra.interfaces.samples import ORDER, account
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

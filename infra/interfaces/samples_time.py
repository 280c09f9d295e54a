"""Examples of what time is about: an account with levels or with a grace of its own."""

from dataclasses import replace

from chalicelib.contracts.api import answers
from chalicelib.domain.alerts import Level, Unit
from chalicelib.domain.grace import GraceTerms
from chalicelib.domain.override import change_levels
from infra.interfaces.samples import ORDER, account


def with_levels() -> answers.Account:
    """Return an account with levels of its own."""
    own = (Level(name="week", at=7, unit=Unit.DAYS), Level(name="half", at=50, unit=Unit.PERCENT))
    now = ORDER.account.updated_at
    return account(change_levels(ORDER.account, own, fleet=(), correlation_id=None, now=now)[0])


def with_grace() -> answers.Account:
    """Return an account with limits of its own for its next grace."""
    return account(replace(ORDER.account, grace_terms=GraceTerms(hours=48, credits=100)))

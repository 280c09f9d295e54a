"""The settings that decide what time changes, and what levels and grace accounts have (contract, section 16)."""

from dataclasses import dataclass
from typing import Final

from chalicelib.domain.alerts import Levels

HOURS_MAX: Final = 8760


@dataclass(frozen=True, slots=True, kw_only=True)
class GraceTerms:
    """How long a grace lasts at most, in hours, and how many credits may be owed in it; 0: no such limit.

    Without either there is no grace.
    """

    hours: int = 0
    credits: int = 0

    @property
    def given(self) -> bool:
        """Whether there is a grace at all."""
        return bool(self.hours or self.credits)


NO_GRACE: Final = GraceTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTerms:
    """The settings that decide what time changes.

    A lot is announced `notice_days` before its end. Credits that come back after their end lapse again
    `refund_grace_days` later. `levels` and `grace` are those of accounts without their own; `levels` of None leaves
    those in force as they are.
    """

    notice_days: tuple[int, ...] = (7, 1)
    refund_grace_days: int = 7
    levels: Levels | None = ()
    grace: GraceTerms = NO_GRACE


TIME_TERMS: Final = TimeTerms()
"""What time changes where no setting says otherwise."""
AS_IT_IS: Final = TimeTerms(notice_days=(), levels=None)
"""For readers: what changes an account, and nothing that is only announced."""

"""Whether a shop's plugin is on, and why: the known status, and the answer made from it (contract, section 6)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.ids import Instant, instant


class Reason(StrEnum):
    """Why the plugin is on or off."""

    SUFFICIENT_CREDITS = "sufficient_credits"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    GRACE = "grace"
    CLOSED = "closed"
    FROZEN = "frozen"
    ACCOUNT_NOT_FOUND = "account_not_found"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Whether a shop has removed the app (`closed`), and when that was last reported (`at`, the source's time).

    `back_at` is when it installed the app again, None if it has not, or never removed it.
    """

    closed: bool
    at: Instant
    back_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStatus:
    """The plugin's status at the account's `version`, last known to be true at `as_of`.

    `closed`: it is off because the shop has removed the app, `frozen`: because an admin froze the account,
    `grace`: it is on without credits. At `until`, time alone may change it; None: only a write can.
    """

    version: int
    enabled: bool
    as_of: datetime
    closed: bool = False
    frozen: bool = False
    grace: bool = False
    until: Instant | None = None

    @property
    def reason(self) -> Reason:
        """Why the plugin is on or off."""
        if self.closed:
            return Reason.CLOSED
        if self.frozen:
            return Reason.FROZEN
        if not self.enabled:
            return Reason.INSUFFICIENT_CREDITS
        return Reason.GRACE if self.grace else Reason.SUFFICIENT_CREDITS

    def holds(self, now: datetime) -> bool:
        """Return whether it is still true at `now`: time alone has not changed it."""
        return self.until is None or instant(now) < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """Whether a shop's plugin is on, as read at `as_of`; `stale` where the table could not be read since.

    `fresh_seconds` is how much longer a cache may answer it; with `ends`, not a moment longer.
    """

    reason: Reason
    as_of: Instant
    fresh_seconds: int
    stale: bool = False
    ends: bool = False

    @property
    def status(self) -> str:
        """`enabled` or `disabled`. Only a known account with credits or in a grace is enabled."""
        return "enabled" if self.reason in (Reason.SUFFICIENT_CREDITS, Reason.GRACE) else "disabled"

"""Which low-balance threshold is in force, and which thresholds a movement crosses (contract, section 5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.ids import Instant

SETTLING = timedelta(hours=1)
"""How long workers with the old setting may still post after a change: as long as a deployment may take."""


class CrossingType(StrEnum):
    """What a crossing is: which threshold was passed, by a movement, or by time or a change alone.

    Three are never caused by a movement: the shop removed the app, it came back, or credits will lapse soon.
    """

    LOW_BALANCE_REACHED = "low_balance_reached"
    BALANCE_RESTORED = "balance_restored"
    BALANCE_EXHAUSTED = "balance_exhausted"
    PLUGIN_STATUS_CHANGED = "plugin_status_changed"
    SHOP_CLOSED = "shop_closed"
    SHOP_REOPENED = "shop_reopened"
    EXPIRING = "expiring"
    LEVEL_CROSSED = "level_crossed"
    GRACE_STARTED = "grace_started"
    GRACE_ENDED = "grace_ended"
    FROZEN = "frozen"
    UNFROZEN = "unfrozen"


def crossings(before: int, after: int, *, low_before: int, low_after: int) -> tuple[CrossingType, ...]:
    """Return the thresholds passed going from `before` to `after`, in credits (contract, section 5).

    `low_before` is the account's low-balance threshold before, `low_after` the one after: each balance is compared with
    its own, so a changed setting misses no crossing (contract, "Crossings"). The status event comes last, after its
    cause.
    """
    passed = []
    if before > low_before and after <= low_after:
        passed.append(CrossingType.LOW_BALANCE_REACHED)
    elif before <= low_before and after > low_after:
        passed.append(CrossingType.BALANCE_RESTORED)
    if before > 0 and after == 0:
        passed.append(CrossingType.BALANCE_EXHAUSTED)
    if (before > 0) != (after > 0):
        passed.append(CrossingType.PLUGIN_STATUS_CHANGED)
    return tuple(passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """The default threshold that an account had until a changed setting replaced it, at this time."""

    threshold: int
    replaced_at: Instant


def default_in_force(
    stamped: int, outdated: Outdated | None, *, default: int, now: Instant
) -> tuple[int, Outdated | None]:
    """Return the default threshold for an account, and the one that is outdated by it while that may still come.

    `stamped` is the one on the account, `default` that of the worker's settings. During a gradual release, workers with
    two settings run side by side. Each account changes to the new default once: a worker with the outdated one does not
    change it back, or low and restored would be published again and again.
    """
    if outdated is None and default == stamped:
        return stamped, None
    if outdated is not None and _settled(outdated, now):
        outdated = None
    if default == stamped or (outdated is not None and default == outdated.threshold):
        return stamped, outdated
    return default, Outdated(threshold=stamped, replaced_at=now)


def _settled(outdated: Outdated, now: Instant) -> bool:
    return datetime.fromisoformat(now) - datetime.fromisoformat(outdated.replaced_at) >= SETTLING

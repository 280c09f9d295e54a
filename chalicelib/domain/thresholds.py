"""Which thresholds a movement crosses (spec, section 5)."""

from enum import StrEnum


class Crossing(StrEnum):
    """A threshold passed by one movement."""

    LOW_BALANCE_REACHED = "low_balance_reached"
    BALANCE_RESTORED = "balance_restored"
    BALANCE_EXHAUSTED = "balance_exhausted"
    PLUGIN_STATUS_CHANGED = "plugin_status_changed"


def crossings(before: int, after: int, *, low_before: int, low_after: int) -> tuple[Crossing, ...]:
    """Return the thresholds passed going from `before` to `after`, in credits (spec, section 5).

    `low_before` is the low-balance threshold that stood on the account, `low_after` the one that
    stands now: comparing each balance with its own means that a changed setting misses no crossing
    (hard-cases.md, "Crossings"). The status event comes last, behind what caused it.
    """
    passed = []
    if before > low_before and after <= low_after:
        passed.append(Crossing.LOW_BALANCE_REACHED)
    elif before <= low_before and after > low_after:
        passed.append(Crossing.BALANCE_RESTORED)
    if before > 0 and after == 0:
        passed.append(Crossing.BALANCE_EXHAUSTED)
    if (before > 0) != (after > 0):
        passed.append(Crossing.PLUGIN_STATUS_CHANGED)
    return tuple(passed)

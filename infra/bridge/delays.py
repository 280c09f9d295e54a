"""How long to wait before the next try."""

_LARGEST_EXPONENT = 30


def growing_delay(attempt: int, *, lowest: int, highest: int) -> int:
    """Return the seconds to wait after failure number `attempt` (from 1): doubled each time, within the bounds."""
    doublings = min(max(attempt, 1) - 1, _LARGEST_EXPONENT)
    return min(highest, lowest << doublings)

"""How many credits an account uses a day, counted a second time from the contract alone ("Runway"), with real numbers.

No line is shared with the service, which counts in whole numbers and minutes; so the two agree but for a rounding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Any

WEEK_SECONDS, DAY_SECONDS = 7 * 86_400.0, 86_400.0
ORDERS_MIN, DAYS_MIN = 10, 3
MINUTE_SECONDS = 60.0
TOLERANCE = 0.02
"""Two hundredths: the service cuts times to minutes, and what is used to thousandths."""


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def used_by(row: Mapping[str, Any]) -> int:
    """Return by how many credits a transaction changes what an account uses."""
    kind, taken = row["transaction_type"], row["operation_type"] == "DECREASE"
    policy = str(row["extra_metadata"].get("policy", ""))
    if kind == "ORDER_PAID":
        return int(row["requested"]) if taken else 0
    if kind == "ORDER_EDITED" and policy.startswith("DECREASE"):
        return int(row["requested"]) * (1 if taken else -1)
    # An order that earned is taken back by a decrease, and was no use.
    return -int(row["requested"]) if kind == "REFUND" and not taken else 0


@dataclass
class DailyUse:
    """The use of one account, transaction by transaction, oldest first."""

    weighted: float = 0.0
    last: float = 0.0
    first: float = 0.0
    orders: int = 0

    def take(self, row: Mapping[str, Any]) -> None:
        """Count one more transaction."""
        at = _seconds(row["created_at"])
        if row["transaction_type"] == "ORDER_PAID" and row["operation_type"] == "DECREASE":
            self.orders += 1
            self.first = self.first or at
        if self.orders:
            self.weighted = max(0.0, self.weighted * _share(at - self.last) + used_by(row))
            self.last = at

    def known_from(self) -> float | None:
        """Return from which second since 1970 the daily use is known, None while orders are lacking."""
        if self.orders < ORDERS_MIN:
            return None
        # The age counts in whole minutes, as in the service, so that both know a use from the same minute on.
        return self.first // MINUTE_SECONDS * MINUTE_SECONDS + DAYS_MIN * DAY_SECONDS

    def per_day(self, now: float) -> float | None:
        """Return the daily use as of a second since 1970, None while it is unknown."""
        known = self.known_from()
        if known is None or now // MINUTE_SECONDS * MINUTE_SECONDS < known:
            return None
        return self.weighted * _share(now - self.last) * log(2) / 7 / (1 - _share(now - self.first))


def lasts(balance: int, daily: float, days: float) -> bool | None:
    """Return whether a balance lasts more than `days`, None where that is closer than the two countings are."""
    if not balance:
        return False
    needed, margin = days * daily, days * TOLERANCE * max(0.5, daily)
    if balance > needed + margin:
        return True
    return False if balance < needed - margin else None


def _share(seconds: float) -> float:
    """Return what is left of a use so long ago: half of it a week."""
    return float(0.5 ** (seconds / WEEK_SECONDS))


def agrees(thousandths: int | None, counted: float | None) -> bool:
    """Return whether the service's daily use, in thousandths of a credit, is the one that was counted here."""
    if thousandths is None or counted is None:
        return thousandths is None and counted is None
    return abs(thousandths / 1000 - counted) <= TOLERANCE * max(0.5, counted)

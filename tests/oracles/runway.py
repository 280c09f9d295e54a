"""How many credits an account uses a day, counted a second time from the contract alone ("Runway"), with real numbers.

No line is shared with the service, which counts in whole numbers and minutes; so the two agree but for a rounding.
"""

from collections.abc import Iterable, Mapping
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


def per_day(rows: Iterable[Mapping[str, Any]], *, now: str) -> float | None:
    """Return the daily use as of now by an account's transactions, oldest first, None while it is unknown."""
    weighted, last, first, orders = 0.0, 0.0, 0.0, 0
    for row in rows:
        at = _seconds(row["created_at"])
        if row["transaction_type"] == "ORDER_PAID" and row["operation_type"] == "DECREASE":
            orders += 1
            first = first or at
        if not orders:
            continue
        weighted = max(0.0, weighted * _share(at - last) + used_by(row))
        last = at
    age = _seconds(now) - first
    # The age counts in whole minutes, as in the service, so that both know a use from the same minute on.
    minutes = _seconds(now) // MINUTE_SECONDS - first // MINUTE_SECONDS
    if orders < ORDERS_MIN or minutes * MINUTE_SECONDS < DAYS_MIN * DAY_SECONDS:
        return None
    weighted *= _share(_seconds(now) - last)
    return weighted * log(2) / 7 / (1 - _share(age))


def _share(seconds: float) -> float:
    """Return what is left of a use so long ago: half of it a week."""
    return float(0.5 ** (seconds / WEEK_SECONDS))


def agrees(thousandths: int | None, counted: float | None) -> bool:
    """Return whether the service's daily use, in thousandths of a credit, is the one that was counted here."""
    if thousandths is None or counted is None:
        return thousandths is None and counted is None
    return abs(thousandths / 1000 - counted) <= TOLERANCE * max(0.5, counted)

"""Graces of one account, decided a second time from the contract alone (section 16, "Grace").

No line is shared with the service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

NOTES = ("grace", "grace_until", "grace_credits")
"""What a transaction's metadata say of a grace."""
TIME, CREDITS, INFLOW = "time", "credits", "inflow"


def uses(row: Mapping[str, Any]) -> bool:
    """Return whether a transaction is an order that uses credits, or an edit by which one uses more."""
    if row["operation_type"] != "DECREASE" or row["transaction_type"] not in ("ORDER_PAID", "ORDER_EDITED"):
        return False
    return str(row["extra_metadata"]["policy"]).startswith("DECREASE")


def took(row: Mapping[str, Any]) -> int:
    """Return what an order or an edit took: from the balance, and in a grace what it owes since."""
    return abs(int(row["amount"])) + int(row["extra_metadata"].get("debt", 0))


@dataclass
class Grace:
    """A grace; its limits are those of its start."""

    started_at: str
    until: str | None
    limit: int
    used: int = 0
    over: tuple[str, str] | None = None


@dataclass
class Graces:
    """The grace that an account has, running or over, and the limits that an admin gave it for its next one."""

    last: Grace | None = None
    own: tuple[int, int] | None = None

    @property
    def running(self) -> Grace | None:
        """The grace that keeps the plugin on."""
        return self.last if self.last is not None and self.last.over is None else None

    def ended_by(self, now: str) -> bool:
        """End a grace whose time is over by now, and return whether there was one."""
        grace = self.running
        if grace is None or grace.until is None or grace.until > now:
            return False
        grace.over = (grace.until, TIME)
        return True

    def take(self, row: Mapping[str, Any], *, debt: int, fleet: tuple[int, int]) -> dict[str, Any]:
        """Take a transaction, before which `debt` was owed, and return what its metadata say of grace and debt."""
        lacks, grace = int(row.get("shortfall", 0)), self.running
        if uses(row):
            said = (
                self._started(row, lacks, self.own or fleet, debt=debt) if grace is None else _used(grace, row, lacks)
            )
            owed = {"debt": lacks} if lacks and (grace is not None or said) else {}
            return {**said, **owed}
        if grace is None:
            return {}
        if row["operation_type"] == "INCREASE" and row["amount"] > debt:
            grace.over = (row["created_at"], INFLOW)
            return {"grace": "paid"}
        if row["transaction_type"] == "DEBT_REPAID":
            grace.used = max(0, grace.used - abs(row["amount"]))
        return {"grace": "kept_on"} if row["amount"] else {}

    def forget(self, row: Mapping[str, Any], *, debt: int) -> None:
        """Forget a grace that is over where the balance is above the low threshold again, less what is owed then."""
        if self.last is not None and self.last.over is not None and row["balance_after"] - debt > row["threshold"]:
            self.last = None

    def _started(self, row: Mapping[str, Any], lacks: int, limits: tuple[int, int], *, debt: int) -> dict[str, Any]:
        hours, most = limits
        had_one = self.last is not None and row["balance_before"] - debt <= row["threshold"]
        if had_one or not (hours or most) or not row["balance_before"] or row["balance_after"]:
            return {}
        if most and lacks >= most:
            return {}
        until = _hours_after(row["created_at"], hours) if hours else None
        self.last = Grace(row["created_at"], until, most, used=lacks)
        limited = {"grace_until": until, "grace_credits": most}
        return {"grace": "started", **{name: value for name, value in limited.items() if value}}


def switches(row: Mapping[str, Any]) -> bool:
    """Return whether a transaction switches the plugin, by what it says of grace."""
    note = row["extra_metadata"].get("grace")
    if note is not None:
        return bool(note == "used_up")
    return bool(row["balance_before"] > 0) is not bool(row["balance_after"] > 0)


def _used(grace: Grace, row: Mapping[str, Any], lacks: int) -> dict[str, Any]:
    grace.used += lacks
    if grace.limit and grace.used >= grace.limit:
        grace.over = (row["created_at"], CREDITS)
        return {"grace": "used_up"}
    return {}


def _hours_after(instant: str, hours: int) -> str:
    then = datetime.fromisoformat(instant).astimezone(UTC) + timedelta(hours=hours)
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")

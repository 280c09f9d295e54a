"""What the world must have been told of a ledger, worked out from its transactions as the API answers them.

Contract, section 5, and of levels and graces section 16.

No line is shared with the service.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from tests.oracles.grace import NOTES, Graces, switches
from tests.oracles.levels import Levels, Watch, of_setting
from tests.oracles.runway import DailyUse

Row = Mapping[str, Any]

OF_TYPE: Mapping[str, str] = {
    "TRIAL": "evt.credits.account.created",
    "OPENING": "evt.credits.account.created",
    "PAYMENT": "evt.credits.recharged",
    "SUBSCRIPTION": "evt.credits.recharged",
    "REFUND": "evt.credits.refunded",
    "MANUAL": "evt.credits.adjusted",
    "REVERSAL": "evt.credits.reversed",
    "REVERSAL_RETURNED": "evt.credits.reversed",
    "EXPIRY": "evt.credits.expired",
}
"""The event of each transaction type; an order that uses credits has none, nor has debt that is repaid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An event out, by what it says; `members` are those of its payload that only its type has."""

    event_type: str
    merchant_id: str
    transaction_id: str | None
    sequence: int
    balance: int
    time: str
    correlation_id: str | None
    members: tuple[tuple[str, Any], ...]

    @classmethod
    def heard(cls, event: Mapping[str, Any]) -> Self:
        """Return what a platform envelope says."""
        payload = dict(event["payload"])
        return cls(
            event_type=event["event_type"],
            merchant_id=payload.pop("merchant_id"),
            transaction_id=payload.pop("transaction_id"),
            sequence=payload.pop("sequence"),
            balance=payload.pop("balance"),
            time=event["timestamp"],
            correlation_id=event["correlation_id"],
            members=tuple(sorted(payload.items())),
        )


@dataclass(slots=True, kw_only=True)
class _Books:
    """What an account is before its next transaction: its debt, its grace, its levels and the use that they count."""

    levels: Levels
    limits: tuple[int, int]
    debt: int = 0
    graces: Graces = field(default_factory=Graces)
    watch: Watch = field(default_factory=Watch)
    use: DailyUse = field(default_factory=DailyUse)
    before: Row | None = None

    def take(self, row: Row) -> Iterator[Announcement]:
        """Yield what the next transaction announces."""
        kept, before = row["extra_metadata"], self.before
        noted = self.graces.take(row, debt=self.debt, fleet=self.limits)
        assert {name: kept[name] for name in NOTES if name in kept} == {
            name: value for name, value in noted.items() if name in NOTES
        }, f"it must note {noted} of a grace: {row}"
        self.debt += -abs(row["amount"]) if row["transaction_type"] == "DEBT_REPAID" else kept.get("debt", 0)
        self.graces.forget(row, debt=self.debt)
        levels = self._crossed(row)
        if row["transaction_type"] in OF_TYPE:
            yield _announcement(OF_TYPE[row["transaction_type"]], row, _members_of_type(row))
        if before is not None:
            yield from _crossings(row, low_before=kept.get("threshold_before", before["threshold"]))
            yield from (_announcement("evt.credits.level_crossed", row, members) for members in levels)
            yield from _of_grace(row)
        self.before = row

    def end_by(self, now: str) -> Iterator[Announcement]:
        """Yield what a write at `now` announces of a grace whose time was over by then."""
        if self.before is None or not self.graces.ended_by(now):
            return
        off = {"previous_status": "enabled", "current_status": "disabled", "reason": "Insufficient credits"}
        yield self._without_transaction("evt.credits.grace_ended", now, {"reason": "time"})
        yield self._without_transaction("evt.credits.plugin_status_changed", now, {**off, "timestamp": now})

    def _crossed(self, row: Row) -> list[dict[str, Any]]:
        """Return the members of the events of the levels that a transaction crosses, once each and each way."""
        self.use.take(row)
        self.watch.in_force(self.levels, row["created_at"])
        noted = row["extra_metadata"].get("levels", "").split()
        said = None if self.before is None else noted
        crossed = self.watch.compared(said, row["balance_after"], self.use, row["created_at"], row=row)
        assert not isinstance(crossed, str), f"{crossed}: {row}"
        return [
            {
                "level": one.level.name,
                "at": one.level.at,
                "unit": one.level.unit,
                "direction": "down" if one.down else "up",
            }
            for one in crossed
        ]

    def _without_transaction(self, event_type: str, now: str, members: Mapping[str, Any]) -> Announcement:
        assert self.before is not None, "nothing is announced before the opening"
        told = _announcement(event_type, self.before, members)
        return replace(told, transaction_id=None, time=now, correlation_id=None)


def implied(
    rows: Iterable[Row], *, levels: str = "", grace: tuple[int, int] = (0, 0), swept_at: Sequence[str] = ()
) -> Counter[Announcement]:
    """Return the events that one merchant's transactions, oldest first, imply: each of them once.

    `levels` and `grace` (hours and credits) are the fleet's settings. A grace whose time is over ends with the next
    write, or when the sweep ran (`swept_at`). What levels in days crossed by time alone is not in the ledger.

    Raises:
        AssertionError: A transaction does not note what it did to a grace or to levels.
    """
    told: Counter[Announcement] = Counter()
    books, sweeps = _Books(levels=of_setting(levels), limits=grace), deque(sorted(swept_at))
    for row in rows:
        while sweeps and sweeps[0] <= row["created_at"]:
            told.update(books.end_by(sweeps.popleft()))
        told.update(books.end_by(row["created_at"]))
        told.update(books.take(row))
    while sweeps:
        told.update(books.end_by(sweeps.popleft()))
    return told


def _members_of_type(row: Row) -> dict[str, Any]:
    if row["transaction_type"] in ("TRIAL", "OPENING"):
        return {"initial_balance": row["balance_after"]}
    if row["transaction_type"] == "EXPIRY":
        return {"credits": -row["amount"], "expires_at": row["occurred_at"]}
    if row["transaction_type"].startswith("REVERSAL"):
        kept = row["extra_metadata"]
        reason = "disputed" if "dispute_id" in kept else "refunded"
        return {
            "amount": row["amount"],
            "debt": kept.get("debt", 0),
            "payment_id": kept["payment_id"],
            "reason": "dispute_won" if row["transaction_type"] == "REVERSAL_RETURNED" else reason,
        }
    asked_by = {
        "PAYMENT": "evt.billing.payment_succeeded",
        "SUBSCRIPTION": "evt.subscription.renewed",
        "REFUND": "evt.shopify.webhook.order_refunded",
        "MANUAL": "evt.credits.manual_adjustment",
    }
    return {
        "amount": row["amount"],
        "new_balance": row["balance_after"],
        "source": asked_by[row["transaction_type"]],
        "reference_type": row["transaction_type"],
        "reference_id": row["reference_id"],
    }


def _crossings(row: Row, *, low_before: int) -> Iterator[Announcement]:
    before, after, low = row["balance_before"], row["balance_after"], row["threshold"]
    if before > low_before and low >= after:
        yield _announcement("evt.credits.low_balance_reached", row, {"threshold": low})
    if before <= low_before and low < after:
        yield _announcement("evt.credits.balance_restored", row, {"threshold": low})
    if before > 0 and after == 0:
        yield _announcement("evt.credits.balance_exhausted", row, {})
    if switches(row):
        was, now = ("disabled", "enabled") if after > 0 else ("enabled", "disabled")
        reason = "Sufficient credits" if after > 0 else "Insufficient credits"
        changed = {"previous_status": was, "current_status": now, "reason": reason, "timestamp": row["created_at"]}
        yield _announcement("evt.credits.plugin_status_changed", row, changed)


def _of_grace(row: Row) -> Iterator[Announcement]:
    kept = row["extra_metadata"]
    if kept.get("grace") == "started":
        limits = {"ends_at": kept.get("grace_until"), "credits": kept.get("grace_credits")}
        yield _announcement("evt.credits.grace_started", row, limits)
    if reason := {"used_up": "credits", "paid": "inflow"}.get(kept.get("grace")):
        yield _announcement("evt.credits.grace_ended", row, {"reason": reason})


def _announcement(event_type: str, row: Row, members: Mapping[str, Any]) -> Announcement:
    return Announcement(
        event_type=event_type,
        merchant_id=row["merchant_id"],
        transaction_id=row["id"],
        sequence=row["sequence"],
        balance=row["balance_after"],
        time=row["created_at"],
        correlation_id=row["correlation_id"],
        members=tuple(sorted(members.items())),
    )

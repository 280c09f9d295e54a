"""What the world must have been told of a ledger, worked out from its transactions as the API answers them.

Contract, section 5.

No line is shared with the service.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

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
    transaction_id: str
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


def implied(rows: Iterable[Row]) -> Counter[Announcement]:
    """Return the events that one merchant's transactions, oldest first, imply: each of them once."""
    told: Counter[Announcement] = Counter()
    before: Row | None = None
    for row in rows:
        told.update(_of_row(row, low_before=before["threshold"] if before else None))
        before = row
    return told


def _of_row(row: Row, *, low_before: int | None) -> Iterator[Announcement]:
    if row["transaction_type"] in OF_TYPE:
        yield _announcement(OF_TYPE[row["transaction_type"]], row, _members_of_type(row))
    if low_before is not None:
        yield from _crossings(row, low_before=row["extra_metadata"].get("threshold_before", low_before))


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
    if (before > 0) != (after > 0):
        was, now = ("enabled", "disabled") if before > 0 else ("disabled", "enabled")
        reason = "Sufficient credits" if after > 0 else "Insufficient credits"
        changed = {"previous_status": was, "current_status": now, "reason": reason, "timestamp": row["created_at"]}
        yield _announcement("evt.credits.plugin_status_changed", row, changed)


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

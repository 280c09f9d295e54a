"""A message of the inbox, as the queue hands it to the function."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from chalicelib.domain.ids import instant

ORIGIN_BUS = "bus"
ORIGIN_QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One delivery: `deliveries` counts them, this one included, the first of them at `first_seen`.

    `sent_at` is when it came into the queue.

    `redriven` is how often the message was parked and put back before (None: never), as its sender says.
    """

    message_id: str
    receipt_handle: str
    body: str
    origin: str
    deliveries: int
    first_seen: datetime
    sent_at: datetime
    redriven: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the message of an SQS record.

        A message that was put back after a fix is seen for the first time again; its `origin` stays.
        """
        attributes = record.get("attributes", {})
        named = record.get("messageAttributes", {})
        origin = named.get("origin", {}).get("stringValue")
        sent = attributes.get("SentTimestamp")
        first = attributes.get("ApproximateFirstReceiveTimestamp") or sent
        return cls(
            message_id=record["messageId"],
            receipt_handle=record.get("receiptHandle", ""),
            body=record["body"],
            origin=origin or (ORIGIN_BUS if '"detail-type"' in record["body"] else ORIGIN_QUEUE),
            deliveries=int(attributes.get("ApproximateReceiveCount", 1)),
            first_seen=_moment(first),
            sent_at=_moment(sent or first),
            redriven=named.get("redriven", {}).get("stringValue"),
        )

    def parked(self, *, code: str, reason: str, field: str | None) -> dict[str, str | None]:
        """Return the attributes under which the message is parked, its body unchanged (hard-cases.md)."""
        return {
            "code": code,
            "reason": reason,
            "field": field,
            "origin": self.origin,
            "first_seen": instant(self.first_seen),
            "redriven": self.redriven,
        }


def _moment(milliseconds: str | None) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else datetime.now(UTC)

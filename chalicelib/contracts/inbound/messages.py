"""A message of the inbox, as the function receives it from the queue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import instant

ORIGIN_NATS = "nats"
ORIGIN_BUS = "bus"
ORIGIN_QUEUE = "queue"
_DIGITS_MAX = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One delivery: `deliveries` counts them, this one included, the first of them at `first_seen`.

    `sent_at` is when it was put into the queue.
    `redriven` is how often the message was parked and put back before (None: never), as its sender states ("0" if
    it was moved back as it was, by the queue's own means), and `seen_since` when it was first seen before that.
    `subject` is where the bridge found it on NATS, `ce_type` the header there that names another type, and
    `cloud_event` the other headers of a CloudEvent in binary mode, as a JSON object.
    `queue` is the name of the queue that it came from, and `group` the group that this queue counts it to.
    """

    message_id: str
    receipt_handle: str
    body: str
    origin: str
    deliveries: int
    first_seen: datetime
    sent_at: datetime
    redriven: str | None = None
    seen_since: datetime | None = None
    subject: str | None = None
    ce_type: str | None = None
    cloud_event: str | None = None
    queue: str = ""
    group: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the message of an SQS record.

        A message that was put back after a fix is seen for the first time again; its `origin` stays. A message that
        waited for its ground in the waiting queue has attributes for its first time and for the number of tries.
        """
        attributes = record.get("attributes", {})
        named = record.get("messageAttributes", {})
        texts = {name: attribute.get("stringValue") for name, attribute in named.items()}
        sent = attributes.get("SentTimestamp")
        first = attributes.get("ApproximateFirstReceiveTimestamp") or sent
        first_seen = _moment_in(texts.get("first_seen")) or _moment(first)
        return cls(
            message_id=record["messageId"],
            receipt_handle=record.get("receiptHandle", ""),
            body=record["body"],
            origin=texts.get("origin") or (ORIGIN_BUS if '"detail-type"' in record["body"] else ORIGIN_QUEUE),
            deliveries=int(attributes.get("ApproximateReceiveCount", 1)) + attribute_number(texts.get("deliveries")),
            first_seen=first_seen,
            sent_at=min(first_seen, _moment(sent or first)),
            # Only what is parked has a code; putting it back removes it.
            redriven=texts.get("redriven") or ("0" if "code" in texts else None),
            seen_since=_moment_in(texts.get("seen_since")),
            subject=texts.get("subject"),
            ce_type=texts.get("ce_type"),
            cloud_event=texts.get("cloud_event"),
            queue=record.get("eventSourceARN", "").rpartition(":")[2],
            group=attributes.get("MessageGroupId"),
        )

    @property
    def may_hold_webhook(self) -> bool:
        """Whether its body may be a raw webhook: a quick look, so that an order's body is not decoded for it."""
        return ".webhook.raw" in (self.subject or "") or ".webhook.raw" in self.body or "aws.partner/" in self.body

    def bound_to(self) -> str | None:
        """Return the only type that the body may have, None if its sender may send every type.

        Rights on NATS are given by subject, and only the bridge sets the attribute `subject` (contract, section 11).

        Raises:
            Rejected: it came over NATS, and its subject is not known or its headers contradict it.
        """
        if self.origin == ORIGIN_NATS and self.subject is None:
            # Parked before the subject was kept: put back without it, the body could claim any type.
            reason = "it came over NATS and its subject is not known: check it and send it again with `credits emit`"
            raise Rejected(Code.TYPE_CONTRADICTS_SUBJECT, reason, field="event_type")
        if self.ce_type not in (None, self.subject):
            reason = "the header ce-type is not the subject that the message came on"
            raise Rejected(Code.TYPE_CONTRADICTS_SUBJECT, reason, field="ce-type")
        return self.subject

    def headers(self) -> Mapping[str, str]:
        """Return the headers of a CloudEvent in binary mode, by their names without `ce-`."""
        try:
            found = json.loads(self.cloud_event or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def parked(self, *, code: str, reason: str, field: str | None) -> dict[str, str | None]:
        """Return the attributes under which the message is parked, its body unchanged.

        Contract, "Retry and dead letter".
        """
        first_seen = instant(min(self.first_seen, self.seen_since or self.first_seen))
        return {"code": code, "reason": reason, "field": field, **self._kept(), "first_seen": first_seen}

    def waiting_attributes(self) -> dict[str, str | None]:
        """Return the attributes under which the message waits in another queue, its body unchanged."""
        put_back = {"seen_since": instant(self.seen_since)} if self.seen_since else {}
        return {"deliveries": str(self.deliveries), **self._kept(), **put_back}

    def _kept(self) -> dict[str, str | None]:
        return {
            "origin": self.origin,
            "first_seen": instant(self.first_seen),
            "redriven": self.redriven,
            "subject": self.subject,
            "ce_type": self.ce_type,
            "cloud_event": self.cloud_event,
        }


def _moment(milliseconds: str | None) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else datetime.now(UTC)


def _moment_in(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def attribute_number(text: str | None) -> int:
    """Return the whole number of up to nine digits that an attribute holds, 0 for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else 0

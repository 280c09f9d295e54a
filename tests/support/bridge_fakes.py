"""Fakes of the bridge's two sides: a queue and JetStream, in memory, with faults on demand."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from nats.aio.msg import Msg

from infra.bridge.parking import Stored
from infra.bridge.queues import Entry, Received, Refusal, SendAnswer
from infra.bridge.settings import Settings

ENVIRONMENT: Mapping[str, str] = {
    "NATS_URL": "nats://127.0.0.1:4222",
    "INBOX_QUEUE_URL": "http://127.0.0.1:4566/000000000000/inbox",
    "OUTBOX_QUEUE_URL": "http://127.0.0.1:4566/000000000000/outbox",
}
MERCHANT = "5f6a2bb0-0000-4000-8000-00000000abcd"


def settings(**changes: str) -> Settings:
    """Return settings from an environment with `changes` beside the required ones."""
    return Settings.from_environment({**ENVIRONMENT, **changes})


def order(number: int) -> bytes:
    """Return the body of a paid order."""
    payload = {"merchant_id": MERCHANT, "order_id": number}
    return json.dumps({"event_type": "evt.shopify.webhook.order_paid", "payload": payload}).encode()


@dataclass(kw_only=True)
class FakeDelivery:
    """A JetStream message that remembers how it was settled."""

    sequence: int
    data: bytes
    subject: str = "evt.shopify.webhook.order_paid"
    headers: dict[str, str] | None = None
    attempt: int = 1
    settled: list[str] = field(default_factory=list)

    @property
    def metadata(self) -> Msg.Metadata:
        """Its position in the stream."""
        return Msg.Metadata(
            sequence=Msg.Metadata.SequencePair(consumer=self.sequence, stream=self.sequence),
            num_pending=0,
            num_delivered=self.attempt,
            timestamp=datetime(2026, 1, 1, tzinfo=UTC),
            stream="UPSTREAM",
            consumer="credit-service",
        )

    async def ack(self) -> None:
        """Remember it."""
        self.settled.append("ack")

    async def nak(self, delay: float | None = None) -> None:
        """Remember it."""
        self.settled.append(f"nak {delay}")

    async def term(self) -> None:
        """Remember it."""
        self.settled.append("term")

    async def in_progress(self) -> None:
        """Remember it."""
        self.settled.append("wait")


@dataclass(kw_only=True)
class FakeQueue:
    """A queue that accepts every entry except those in `refuse`, and keeps its requests."""

    refuse: Callable[[Entry], Refusal | None] = lambda _: None
    forget: frozenset[str] = frozenset()
    failures: list[Exception] = field(default_factory=list)
    delete_failure: Exception | None = None
    requests: list[tuple[Entry, ...]] = field(default_factory=list)
    deleted: list[Received] = field(default_factory=list)
    postponed: dict[Received, int] = field(default_factory=dict)

    async def send(self, entries: Sequence[Entry]) -> SendAnswer:
        """Raise the next failure, else answer for every entry that is not forgotten."""
        self.requests.append(tuple(entries))
        if self.failures:
            raise self.failures.pop(0)
        refused = {entry.identity: refusal for entry in entries if (refusal := self.refuse(entry)) is not None}
        taken = {entry.identity for entry in entries} - refused.keys() - self.forget
        return SendAnswer(confirmed=frozenset(taken), refused=refused)

    async def receive(self) -> tuple[Received, ...]:
        """Return nothing: the tests pass messages to the publisher themselves."""
        return ()

    async def delete(self, messages: Sequence[Received]) -> int:
        """Remember them."""
        if self.delete_failure is not None:
            raise self.delete_failure
        self.deleted.extend(messages)
        return len(messages)

    async def postpone(self, delays: Mapping[Received, int]) -> None:
        """Remember them."""
        self.postponed.update(delays)


@dataclass(kw_only=True)
class FakePublish:
    """JetStream's publish: keeps published messages, drops repeats by message id, fails on demand."""

    fail: Callable[[str, Mapping[str, str]], Exception | None] = lambda *_: None
    published: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    async def __call__(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> Stored:
        """Return where the message is, and whether one with this id existed already."""
        failure = self.fail(subject, headers)
        if failure is not None:
            raise failure
        repeated = any(known["Nats-Msg-Id"] == headers["Nats-Msg-Id"] for _, _, known in self.published)
        if not repeated:
            self.published.append((subject, payload, headers))
        return Stored(stream="PARKED", sequence=len(self.published), repeated=repeated)

"""NATS to queue: one batch of JetStream messages, each settled by the queue's result for that very message."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

import nats.errors
from nats.aio.msg import Msg

from infra.bridge.envelopes import SOURCE, SOURCE_HEADER, TYPE_HEADER, header_text
from infra.bridge.parking import Parked, Publish, park, send_letter
from infra.bridge.queues import (
    Entry,
    Queue,
    QueueError,
    QueueRefusedError,
    QueueUnavailableError,
    Refusal,
    SendAnswer,
    in_requests,
)
from infra.bridge.reports import BatchReport
from infra.bridge.screening import Unsendable, merchant_group, screen, size_in_queue
from infra.bridge.settings import Settings
from infra.bridge.telemetry import Outcome

UNREADABLE: Final = "unreadable"
"""Replaces a header that no attribute of a queue message can hold."""


_TAKEN: Final = frozenset({"ce-id", "ce-time", "ce-subject", "ce-correlationid"})
"""The headers of a CloudEvent that say something of the event beside its type."""


class Delivery(Protocol):
    """A JetStream message as delivered once (nats-py's `Msg`)."""

    @property
    def subject(self) -> str:
        """The subject it was published on."""

    @property
    def data(self) -> bytes:
        """Its body."""

    @property
    def headers(self) -> dict[str, str] | None:
        """Its headers, if it has any."""

    @property
    def metadata(self) -> Msg.Metadata:
        """Its stream, its sequence there and how often it was delivered."""

    async def ack(self) -> None:
        """Acknowledge it."""

    async def nak(self, delay: float | None = None) -> None:
        """Ask for it again after `delay` seconds."""

    async def term(self) -> None:
        """Terminate it: it must never be delivered again."""

    async def in_progress(self) -> None:
        """Report progress: its acknowledgement time starts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    delivery: Delivery
    entry: Entry
    size: int


class Forwarder:
    """Puts JetStream messages into the inbox queue."""

    def __init__(
        self, queue: Queue, publish: Publish, settings: Settings, *, largest_payload: int, letters: Queue | None = None
    ) -> None:
        """Send into `queue`; park with `publish` what cannot be sent, in NATS messages of `largest_payload` bytes.

        `letters` is the dead-letter queue, which names what is parked.
        """
        self._queue = queue
        self._letters = letters
        self._publish = publish
        self._settings = settings
        self._largest_payload = largest_payload

    async def forward(self, deliveries: Sequence[Delivery]) -> BatchReport:
        """Settle every one of `deliveries` and return a report.

        A message is acknowledged when the queue confirmed its entry, terminated when the parking
        stream and the dead-letter queue confirmed it, and requested again, later each time, in every other case.
        """
        report = BatchReport()
        ready: list[_Ready] = []
        for number, delivery in enumerate(deliveries):
            if _is_own(delivery):
                await delivery.ack()
                report.count(Outcome.OWN)
                continue
            attributes = _attributes(delivery)
            text = screen(delivery.data, attributes, limit=self._settings.message_bytes)
            if isinstance(text, Unsendable):
                await self._park(delivery, text, report)
                continue
            entry = Entry(identity=str(number), body=text, group=merchant_group(text), attributes=attributes)
            ready.append(_Ready(delivery=delivery, entry=entry, size=size_in_queue(text, attributes)))
        requests = list(in_requests(ready, lambda item: item.size, most_bytes=self._settings.request_bytes))
        for number, request in enumerate(requests):
            await self._send(request, report)
            if report.unavailable is None:
                # Large messages go one by one to a queue that may be slow; later ones must not be redelivered
                # meanwhile.
                for item in chain.from_iterable(requests[number + 1 :]):
                    await item.delivery.in_progress()
        return report

    async def _send(self, request: Sequence[_Ready], report: BatchReport) -> None:
        # Once the queue is unreachable, the rest of the batch waits too: each further try would cost a timeout, and the
        # messages are safe where they are.
        if report.unavailable is not None:
            await self._retry_all(request, report.unavailable, report)
            return
        try:
            answer = await self._queue.send([item.entry for item in request])
        except QueueRefusedError as error:
            await self._send_alone(request, error, report)
        except QueueUnavailableError as error:
            report.unavailable = str(error)
            await self._retry_all(request, str(error), report)
        else:
            for item in request:
                await self._settle(item, answer, report)

    async def _send_alone(self, request: Sequence[_Ready], error: QueueRefusedError, report: BatchReport) -> None:
        """Send each message alone after all were refused together, so that one cannot hold up the others."""
        if len(request) > 1:
            for item in request:
                await self._send([item], report)
            return
        refusal = Refusal(code=error.code, reason=str(error))
        answer = SendAnswer(confirmed=frozenset(), refused={request[0].entry.identity: refusal})
        await self._settle(request[0], answer, report)

    async def _settle(self, item: _Ready, answer: SendAnswer, report: BatchReport) -> None:
        refusal = answer.refusal_of(item.entry)
        if refusal is None:
            await item.delivery.ack()
            report.count(Outcome.FORWARDED)
        elif refusal.for_ever:
            why = Unsendable(code="refused_by_queue", reason=f"{refusal.code}: {refusal.reason}")
            await self._park(item.delivery, why, report)
        else:
            await self._retry(item.delivery, refusal.code, report)

    async def _park(self, delivery: Delivery, why: Unsendable, report: BatchReport) -> None:
        metadata = delivery.metadata
        message = Parked(
            subject=delivery.subject,
            stream=metadata.stream,
            sequence=metadata.sequence.stream,
            stored_at=metadata.timestamp,
            body=delivery.data,
            why=why,
        )
        try:
            kept = await park(message, self._publish, largest_payload=self._largest_payload)
            if self._letters is not None:
                await send_letter(message, kept, self._letters)
        except (nats.errors.Error, TimeoutError, QueueError) as error:
            await self._retry(delivery, f"parking failed: {str(error) or type(error).__name__}", report)
            return
        await delivery.term()
        report.count(Outcome.PARKED, why.code)

    async def _retry_all(self, request: Sequence[_Ready], reason: str, report: BatchReport) -> None:
        for item in request:
            await self._retry(item.delivery, reason, report)

    async def _retry(self, delivery: Delivery, reason: str, report: BatchReport) -> None:
        await delivery.nak(delay=self._settings.retry_delay(delivery.metadata.num_delivered))
        report.count(Outcome.RETRIED, reason)


def _is_own(delivery: Delivery) -> bool:
    """Return whether the bridge itself published this message: it never forwards its own messages."""
    headers = delivery.headers or {}
    return any(name.lower() == SOURCE_HEADER and value == SOURCE for name, value in headers.items())


def _attributes(delivery: Delivery) -> Mapping[str, str]:
    """Return where a message came from, as the attributes of its queue message.

    The subject is what the ledger binds the event's type to (contract, section 11): rights on NATS are given by it, and
    nothing that the sender chose is taken for it. A header that names another type goes along as what contradicts it,
    the other headers of a CloudEvent in binary mode as one attribute: a queue's message has ten at the most.
    """
    metadata = delivery.metadata
    headers = [(name.lower(), text) for name, text in (delivery.headers or {}).items()]
    types = [text for name, text in headers if name == TYPE_HEADER]
    contradicting = [text for text in types if text != delivery.subject]
    said = [(name.removeprefix("ce-"), text) for name, text in headers if name in _TAKEN and header_text(text)]
    binary = dict(said) if types else {}
    return {
        "origin": "nats",
        "subject": delivery.subject,
        "stream": metadata.stream,
        "stream_sequence": str(metadata.sequence.stream),
        **({"ce_type": header_text(contradicting[0]) or UNREADABLE} if contradicting else {}),
        **({"cloud_event": json.dumps(binary, sort_keys=True)} if binary else {}),
    }

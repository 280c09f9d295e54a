"""Parking: an inbound message that the queue can never take, kept whole in NATS and named among the dead letters.

The body stays in the parking stream, since no queue can hold it. The dead-letter queue gets a letter in its place, with
the reason, the message's own headers and where it is kept (contract, section 19).
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from infra.bridge.queues import Entry, Queue, QueueUnavailableError
from infra.bridge.screening import Unsendable, merchant_group
from infra.bridge.subjects import PARKING_SUBJECT

HEADER_ALLOWANCE: Final = 4096
"""Bytes of a NATS message that are reserved for the headers; NATS counts them against its largest payload."""

_HEADER_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where JetStream keeps a message; `repeated`: it had it already and dropped the repeat."""

    stream: str
    sequence: int
    repeated: bool


Publish = Callable[[str, bytes, Mapping[str, str]], Awaitable[Stored]]
"""Publishes a payload with headers on a subject of JetStream, and returns where it is stored; raises
`nats.errors.Error` when nothing was confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A message to be parked: its source, its content and the reason."""

    subject: str
    stream: str
    sequence: int
    stored_at: datetime
    body: bytes
    why: Unsendable


async def park(message: Parked, publish: Publish, *, largest_payload: int) -> tuple[Stored, ...]:
    """Publish `message` to the parking subject and return where its parts are kept; on return all of it is stored.

    A body that fills a NATS message leaves no room for the headers, so it is parked in parts.
    Raises what `publish` raises; parking again is harmless, since every part has its own message id.
    """
    kept = []
    parts = tuple(_parts(message.body, max(1, largest_payload - HEADER_ALLOWANCE)))
    for number, part in enumerate(parts, start=1):
        headers = {
            "Nats-Msg-Id": f"parked-{message.stream}-{message.sequence}-{number}",
            "Parked-Code": message.why.code,
            "Parked-Reason": _printable(message.why.reason),
            "Parked-Subject": message.subject,
            "Parked-Stream": message.stream,
            "Parked-Stream-Sequence": str(message.sequence),
            "Parked-Part": f"{number}/{len(parts)}",
        }
        kept.append(await publish(PARKING_SUBJECT, part, headers))
    return tuple(kept)


async def send_letter(message: Parked, kept: Sequence[Stored], letters: Queue) -> None:
    """Put a letter about `message` into the dead-letter queue; on return the queue has it.

    Raises `QueueError` when the queue did not take it.
    """
    entry = _letter(message, kept)
    if (refusal := (await letters.send([entry])).refusal_of(entry)) is not None:
        raise QueueUnavailableError(refusal.code, refusal.reason)


def _letter(message: Parked, kept: Sequence[Stored]) -> Entry:
    merchant = merchant_group(message.body.decode(errors="replace"))
    streams = sorted({part.stream for part in kept})
    sequences = [part.sequence for part in kept]
    body = {
        "event_type": message.subject,
        "payload": {"merchant_id": merchant},
        "kept": {
            "stream": ", ".join(streams),
            "sequences": sequences,
            "bytes": len(message.body),
            "sha256": sha256(message.body).hexdigest(),
        },
    }
    where = f"NATS keeps it in the stream {', '.join(streams)}, {_sequences(sequences)}."
    return Entry(
        identity="letter",
        body=json.dumps(body),
        group=None,
        attributes={
            "code": message.why.code,
            "reason": f"{_printable(message.why.reason)} {where}",
            "origin": "bridge",
            "subject": message.subject,
            "stream": message.stream,
            "stream_sequence": str(message.sequence),
            "first_seen": message.stored_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        },
    )


def _sequences(sequences: Sequence[int]) -> str:
    if len(sequences) == 1:
        return f"sequence {sequences[0]}"
    return f"sequences {', '.join(str(sequence) for sequence in sequences)}"


def _parts(body: bytes, size: int) -> Iterator[bytes]:
    if not body:
        yield body
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _printable(text: str) -> str:
    """Return `text` as one line of ASCII, as a header needs it."""
    return " ".join(text.encode("ascii", "replace").decode().split())[:_HEADER_LENGTH]

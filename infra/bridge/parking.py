"""Parking: an inbound message that the queue can never take, kept whole on a subject of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from infra.bridge.screening import Unsendable
from infra.bridge.subjects import PARKING_SUBJECT

HEADER_ALLOWANCE: Final = 4096
"""Bytes of a NATS message that are left to the headers; NATS counts them against its largest payload."""

_HEADER_LENGTH = 500


class Publish(Protocol):
    """Publishing to JetStream: returns whether the stream had the message already, once it is stored there."""

    async def __call__(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> bool:
        """Return True for a repeat that JetStream dropped; raise `nats.errors.Error` when nothing was confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A message to be parked: where it came from, what it holds and why it cannot go on."""

    subject: str
    stream: str
    sequence: int
    body: bytes
    why: Unsendable


async def park(message: Parked, publish: Publish, *, largest_payload: int) -> None:
    """Publish `message` to the parking subject; on return all of it is stored.

    A body that fills a NATS message leaves no room for the headers, so it is parked in parts.
    Raises what `publish` raises; parking again is harmless, since every part has its own message id.
    """
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
        await publish(PARKING_SUBJECT, part, headers)


def _parts(body: bytes, size: int) -> Iterator[bytes]:
    if not body:
        yield body
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _printable(text: str) -> str:
    """Return `text` as one line of ASCII, as a header needs it."""
    return " ".join(text.encode("ascii", "replace").decode().split())[:_HEADER_LENGTH]

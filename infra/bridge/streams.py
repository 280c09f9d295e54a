"""The JetStream side set up: which stream takes which subject, and the durable consumer on each.

The plan is a pure function of the streams that exist. Applying it goes through JetStream's own API
in JSON rather than through the client's typed configuration: that one drops every setting it does
not know, and an existing stream must keep all of its own.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from infra.bridge.settings import Settings
from infra.bridge.subjects import (
    INBOUND_TYPES,
    OUTBOUND_SUBJECTS,
    OUTBOUND_TYPES,
    PARKING_SUBJECT,
    bound,
    covers,
    overlaps,
)

log = logging.getLogger(__name__)

CREDIT: Final = "CREDIT"
UPSTREAM: Final = "UPSTREAM"
PARKED: Final = "PARKED"
CONSUMER: Final = "credit-service"

REQUEST_SECONDS: Final = 5.0
PAGES: Final = 100
"""Pages of the list of streams that are read at most; the server puts 256 streams on one."""

_NANOSECONDS: Final = 1_000_000_000
_DAY: Final = 24 * 60 * 60 * _NANOSECONDS
_GIBIBYTE: Final = 1024**3
_WINDOW: Final = 2 * 60 * _NANOSECONDS

# A full parking stream refuses, so that what cannot be parked stays where it is: nothing is lost.
# What waits for the bridge has no limit but its age, for the same reason.
NEW_STREAMS: Final[Mapping[str, Mapping[str, object]]] = {
    CREDIT: {
        "storage": "file",
        "max_age": 7 * _DAY,
        "max_msgs": 1_000_000,
        "max_bytes": _GIBIBYTE,
        "duplicate_window": _WINDOW,
    },
    UPSTREAM: {"storage": "file", "max_age": 14 * _DAY, "duplicate_window": _WINDOW},
    PARKED: {
        "storage": "file",
        "max_age": 30 * _DAY,
        "max_bytes": _GIBIBYTE,
        "discard": "new",
        "duplicate_window": _WINDOW,
    },
}
"""How a stream is made where there is none (hard cases, JetStream); one that exists keeps what it has."""


class StreamsError(Exception):
    """JetStream would not have it so; the text says which request and why."""


class Requests(Protocol):
    """Asking NATS: `nats.aio.client.Client.request`."""

    async def __call__(self, subject: str, payload: bytes, seconds: float, /) -> bytes:
        """Return the answer's body; raise `nats.errors.Error` or TimeoutError when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Subjects of the streams to be made or changed, and for every stream the inbound subjects it owns then."""

    subjects: Mapping[str, tuple[str, ...]]
    consumed: Mapping[str, tuple[str, ...]]


def plan(existing: Mapping[str, Sequence[str]]) -> Plan:
    """Return what must change so that every subject of the contract lands in exactly one stream.

    `existing` holds the subjects of the streams that are there. Their subjects stay, and what they
    own already is consumed from them; JetStream allows no two streams to overlap.
    """
    now = {name: tuple(subjects) for name, subjects in existing.items()}
    now[CREDIT] = _credit_subjects(now)
    now[UPSTREAM] = _with_exact(UPSTREAM, INBOUND_TYPES, now)
    now[PARKED] = _with_exact(PARKED, (PARKING_SUBJECT,), now)
    consumed = {
        name: tuple(subject for subject in INBOUND_TYPES if bound(subject, subjects)) for name, subjects in now.items()
    }
    return Plan(
        subjects={name: now[name] for name in NEW_STREAMS if now[name] != tuple(existing.get(name, ()))},
        consumed={name: subjects for name, subjects in consumed.items() if subjects},
    )


async def set_up(request: Requests, settings: Settings) -> tuple[str, ...]:
    """Make streams and consumers as planned and return the streams to consume from, in alphabetical order.

    Raises `StreamsError` when JetStream refuses, and what `request` raises when it does not answer.
    """
    configurations = await _configurations(request)
    wanted = plan({name: _subjects(configuration) for name, configuration in configurations.items()})
    for name, subjects in wanted.subjects.items():
        known = configurations.get(name)
        verb = "CREATE" if known is None else "UPDATE"
        new = {**NEW_STREAMS[name], "num_replicas": settings.stream_replicas}
        configuration = {**(new if known is None else known), "name": name, "subjects": list(subjects)}
        await _ask(request, f"STREAM.{verb}.{name}", configuration)
        log.info("stream %s %s: %s", name, "made" if known is None else "changed", ", ".join(subjects))
    for name, subjects in wanted.consumed.items():
        await _set_up_consumer(request, name, subjects, settings)
    return tuple(sorted(wanted.consumed))


async def _set_up_consumer(request: Requests, stream: str, subjects: Sequence[str], settings: Settings) -> None:
    ours: dict[str, object] = {
        "durable_name": CONSUMER,
        "ack_policy": "explicit",
        "ack_wait": settings.ack_wait_seconds * _NANOSECONDS,
        "max_ack_pending": settings.in_flight,
        "max_deliver": -1,
        "filter_subjects": list(subjects),
    }
    known = await _consumer(request, stream)
    if known is not None and all(known.get(name) == value for name, value in ours.items()):
        return
    kept = {name: value for name, value in (known or {"deliver_policy": "all"}).items() if name != "filter_subject"}
    await _ask(
        request,
        f"CONSUMER.DURABLE.CREATE.{stream}.{CONSUMER}",
        {"stream_name": stream, "config": {**kept, **ours}},
    )
    log.info("consumer %s on stream %s: %s", CONSUMER, stream, ", ".join(subjects))


async def _consumer(request: Requests, stream: str) -> dict[str, object] | None:
    """Return the configuration of our consumer on `stream`, with one filter and many read alike."""
    answer = json.loads(await request(f"$JS.API.CONSUMER.INFO.{stream}.{CONSUMER}", b"", REQUEST_SECONDS))
    configuration = answer.get("config")
    if not isinstance(configuration, dict):
        return None
    if "filter_subject" in configuration:
        configuration["filter_subjects"] = [configuration["filter_subject"]]
    return configuration


async def _configurations(request: Requests) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for _ in range(PAGES):
        answer = await _ask(request, "STREAM.LIST", {"offset": len(found)})
        page = answer.get("streams")
        streams = page if isinstance(page, list) else []
        for stream in streams:
            found[stream["config"]["name"]] = stream["config"]
        total = answer.get("total")
        if not streams or not isinstance(total, int) or len(found) >= total:
            return found
    message = f"there are more than {len(found)} streams in this account"
    raise StreamsError(message)


async def _ask(request: Requests, call: str, body: Mapping[str, object]) -> dict[str, object]:
    answer = json.loads(await request(f"$JS.API.{call}", json.dumps(body).encode(), REQUEST_SECONDS))
    error = answer.get("error")
    if error is not None:
        message = f"JetStream refused {call}: {error.get('description', error)}"
        raise StreamsError(message)
    return dict(answer)


def _subjects(configuration: Mapping[str, object]) -> tuple[str, ...]:
    subjects = configuration.get("subjects")
    return tuple(str(subject) for subject in subjects) if isinstance(subjects, list) else ()


def _credit_subjects(streams: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the subjects of `CREDIT`: its own and the outbound ones, one by one where others have some."""
    own = tuple(streams.get(CREDIT, ()))
    if bound(OUTBOUND_SUBJECTS, own):
        return own
    foreign = [subject for name, subjects in streams.items() if name != CREDIT for subject in subjects]
    # A narrower subject of its own goes, since a stream's subjects may not overlap each other
    # either; all that it matched is matched by the wider one.
    rest = [subject for subject in own if not covers(OUTBOUND_SUBJECTS, subject)]
    if not any(overlaps(OUTBOUND_SUBJECTS, subject) for subject in (*foreign, *rest)):
        return (*rest, OUTBOUND_SUBJECTS)
    ours_here = [subject for subject in INBOUND_TYPES if covers(OUTBOUND_SUBJECTS, subject)]
    return _with_exact(CREDIT, (*OUTBOUND_TYPES, *ours_here), streams)


def _with_exact(name: str, wanted: Sequence[str], streams: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the subjects of stream `name` and those of `wanted` that no stream takes yet."""
    everywhere = [subject for subjects in streams.values() for subject in subjects]
    return (*streams.get(name, ()), *(subject for subject in wanted if not bound(subject, everywhere)))

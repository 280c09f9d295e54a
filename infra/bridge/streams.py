"""The streams: which one binds which subject, made or extended where something is missing.

The plan is a pure function of the streams that exist. Applying it goes through JetStream's own API
in JSON rather than through the client's typed configuration, which drops every setting it does not know: an existing
stream must keep all of its settings.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import nats.errors

from infra.bridge.settings import Settings
from infra.bridge.subjects import ADJUSTMENT_TYPE, INBOUND_TYPES, OUTBOUND_TYPES, PARKING_SUBJECT, bound

log = logging.getLogger(__name__)

CREDIT: Final = "CREDIT"
ADJUSTMENTS: Final = "CREDIT_ADJUSTMENTS"
"""Sorts after `CREDIT`: a client that asks for the stream of `evt.credits.>` takes the first one."""
UPSTREAM: Final = "UPSTREAM"
PARKED: Final = "PARKED"
CONSUMER: Final = "credit-service"

REQUEST_SECONDS: Final = 5.0
PAGES: Final = 100
"""The most pages of the list of streams that are read; the server puts 256 streams on one."""

_NANOSECONDS: Final = 1_000_000_000
_DAY: Final = 24 * 60 * 60 * _NANOSECONDS
_GIBIBYTE: Final = 1024**3
_EVERY: Final = {"storage": "file", "duplicate_window": 2 * 60 * _NANOSECONDS}

# A full stream of adjustments refuses the next one, and its publisher gets the error. A full parking stream refuses
# too, so that a message that cannot be parked stays where it is: nothing is lost. What waits for the bridge has no
# limit but its age, for the same reason.
_REFUSING: Final = {**_EVERY, "max_age": 30 * _DAY, "max_bytes": _GIBIBYTE, "discard": "new"}
NEW_STREAMS: Final[Mapping[str, Mapping[str, object]]] = {
    CREDIT: {**_EVERY, "max_age": 7 * _DAY, "max_bytes": _GIBIBYTE, "max_msgs": 1_000_000},
    ADJUSTMENTS: _REFUSING,
    UPSTREAM: {**_EVERY, "max_age": 14 * _DAY},
    PARKED: _REFUSING,
}
"""How a missing stream is made (contract, "JetStream"); one that exists keeps its settings."""


class StreamsError(Exception):
    """JetStream refused; the text names the request and the reason. `code` is the answer's HTTP-like code."""

    def __init__(self, reason: str, code: int = 0) -> None:
        """Keep `code`, which identifies "not found"."""
        super().__init__(reason)
        self.code = code


STREAM_UNAVAILABLE: Final = (StreamsError, nats.errors.NoRespondersError, TimeoutError)
"""Errors that mean one stream is unavailable; the connection itself still works."""


Requests = Callable[[str, bytes, float], Awaitable[bytes]]
"""Asks NATS on a subject (`nats.aio.client.Client.request`) and returns the answer's body; raises `nats.errors.Error`
or TimeoutError when there is none within so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Subjects of the streams to be made or changed, and the inbound subjects that remain without a stream."""

    subjects: Mapping[str, tuple[str, ...]]
    unowned: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream as JetStream describes it."""

    config: Mapping[str, Any]
    state: Mapping[str, Any]
    created: str

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects that it binds."""
        return tuple(str(subject) for subject in self.config.get("subjects") or ())

    @property
    def first(self) -> int:
        """The sequence of its first message, or of the next one when it is empty."""
        return int(self.state.get("first_seq", 0))

    @property
    def last(self) -> int:
        """The sequence of its last message."""
        return int(self.state.get("last_seq", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The streams after a plan was applied, and why some could not be made or changed."""

    streams: Mapping[str, Stream]
    refused: Mapping[str, str]


def plan(existing: Mapping[str, Sequence[str]], *, create_upstream: bool) -> Plan:
    """Return the changes that give one stream to every subject that the contract lets us bind.

    `existing` holds the subjects of existing streams. They keep their subjects and are consumed where they are, since
    JetStream allows no two streams to overlap. Inbound subjects belong to other services: our stream binds unowned ones
    only with `create_upstream`, since a service that makes its own stream later would be refused.
    """
    now = {name: tuple(subjects) for name, subjects in existing.items()}
    now[CREDIT] = _with_exact(CREDIT, OUTBOUND_TYPES, now)
    now[ADJUSTMENTS] = _with_exact(ADJUSTMENTS, (ADJUSTMENT_TYPE,), now)
    if create_upstream:
        now[UPSTREAM] = _with_exact(UPSTREAM, INBOUND_TYPES, now)
    now[PARKED] = _with_exact(PARKED, (PARKING_SUBJECT,), now)
    everywhere = [subject for subjects in now.values() for subject in subjects]
    return Plan(
        subjects={
            name: now[name] for name in NEW_STREAMS if name in now and now[name] != tuple(existing.get(name, ()))
        },
        unowned=tuple(subject for subject in INBOUND_TYPES if not bound(subject, everywhere)),
    )


def consumed(streams: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the inbound subjects that each stream owns, for the streams that own one."""
    owned = {
        name: tuple(subject for subject in INBOUND_TYPES if bound(subject, subjects))
        for name, subjects in streams.items()
    }
    return {name: subjects for name, subjects in owned.items() if subjects}


async def find_streams(request: Requests) -> dict[str, Stream]:
    """Return every stream of the account by its name.

    Raises `StreamsError` when JetStream refuses, and what `request` raises when it does not answer.
    """
    found: dict[str, Stream] = {}
    for _ in range(PAGES):
        answer = await ask(request, "STREAM.LIST", {"offset": len(found)})
        streams = answer.get("streams") or []
        found |= {stream["config"]["name"]: _stream(stream) for stream in streams}
        total = answer.get("total")
        if not streams or not isinstance(total, int) or len(found) >= total:
            return found
    raise StreamsError(f"there are more than {len(found)} streams in this account")


async def set_up(request: Requests, wanted: Plan, found: Mapping[str, Stream], settings: Settings) -> Applied:
    """Make and change streams as planned; one that JetStream refuses is reported and stops none of the others."""
    streams, refused = dict(found), {}
    for name, subjects in wanted.subjects.items():
        known = found.get(name)
        verb = "CREATE" if known is None else "UPDATE"
        new = {**NEW_STREAMS[name], "num_replicas": settings.stream_replicas}
        configuration = {**(new if known is None else known.config), "name": name, "subjects": list(subjects)}
        try:
            answer = await ask(request, f"STREAM.{verb}.{name}", configuration)
        except STREAM_UNAVAILABLE as error:
            refused[name] = reason_of(error)
        else:
            streams[name] = _stream({"config": configuration, **answer})
            log.info("stream %s %s: %s", name, "made" if known is None else "changed", ", ".join(subjects))
    return Applied(streams=streams, refused=refused)


async def ask(request: Requests, call: str, body: Mapping[str, object]) -> dict[str, Any]:
    """Return JetStream's answer to `call`; raise `StreamsError` when it refuses."""
    answer: dict[str, Any] = json.loads(await request(f"$JS.API.{call}", json.dumps(body).encode(), REQUEST_SECONDS))
    error = answer.get("error")
    if error is not None:
        raise StreamsError(f"JetStream refused {call}: {error.get('description', error)}", int(error.get("code", 0)))
    return answer


def reason_of(error: Exception) -> str:
    """Return why a request failed, in words even if the exception has no text."""
    if isinstance(error, TimeoutError | nats.errors.NoRespondersError):
        return "JetStream does not answer: it may be down, or this user may not ask it"
    return str(error) or type(error).__name__


def _stream(answer: Mapping[str, Any]) -> Stream:
    return Stream(config=answer["config"], state=answer.get("state") or {}, created=str(answer.get("created", "")))


def _with_exact(name: str, wanted: Sequence[str], streams: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the subjects of stream `name` and those of `wanted` that no stream binds yet."""
    everywhere = [subject for subjects in streams.values() for subject in subjects]
    return (*streams.get(name, ()), *(subject for subject in wanted if not bound(subject, everywhere)))

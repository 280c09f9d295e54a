"""A look at JetStream: sets up streams and consumers, and returns the state of each.

An unavailable stream is reported and stops neither the others nor the way out; the next look tries it again.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from infra.bridge.settings import Settings
from infra.bridge.states import Look, StreamState
from infra.bridge.streams import (
    CONSUMER,
    CREDIT,
    REQUEST_SECONDS,
    STREAM_UNAVAILABLE,
    Requests,
    Stream,
    StreamsError,
    ask,
    consumed,
    find_streams,
    plan,
    reason_of,
    set_up,
)
from infra.bridge.subjects import ADJUSTMENT_TYPE, OUTBOUND_TYPES, bound
from infra.bridge.telemetry import Telemetry

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 10.0
"""The interval between looks that nothing triggered."""

_NANOSECONDS: Final = 1_000_000_000
_LIMITS: Final = ("max_msgs", "max_bytes", "max_age")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A stream to be read: the inbound subjects that it owns, and its state from an earlier look, if any."""

    name: str
    stream: Stream
    subjects: tuple[str, ...]
    before: StreamState | None
    start_at: int | None
    """The last sequence that a first consumer skips; None where `BRIDGE_START` skips nothing."""

    @property
    def known(self) -> StreamState | None:
        """The earlier state of this very stream, not of an earlier one with the same name."""
        return self.before if self.before is not None and self.before.created == self.stream.created else None

    @property
    def floor(self) -> int | None:
        """The sequence up to which everything is acknowledged, None where it is not known."""
        return self.known.floor if self.known is not None and self.known.floor is not None else self.start_at

    @property
    def exact(self) -> bool:
        """Whether every message of the stream is for the bridge."""
        return set(self.stream.subjects) <= set(self.subjects)


async def look(request: Requests, settings: Settings, before: Mapping[str, StreamState] | None) -> Look:
    """Set up what is missing and return the look; `before` is the previous one, None for the first.

    Raises `StreamsError` when JetStream cannot even list its streams, and what `request` raises when it is away.
    """
    found = await find_streams(request)
    wanted = plan({name: stream.subjects for name, stream in found.items()}, create_upstream=settings.create_upstream)
    applied = await set_up(request, wanted, found, settings)
    readings = [
        _Reading(
            name=name,
            stream=applied.streams[name],
            subjects=subjects,
            before=(before or {}).get(name),
            start_at=applied.streams[name].last if before is None and settings.start == "new" else None,
        )
        for name, subjects in consumed({name: one.subjects for name, one in applied.streams.items()}).items()
    ]
    seen = await asyncio.gather(*(_seen(request, reading, settings) for reading in readings))
    states = {state.name: state for state in seen}
    for name, reason in applied.refused.items():
        states[name] = states.get(name, StreamState(name=name)).lost(reason)
    return Look(
        streams=dict(sorted(states.items())),
        consumed=tuple(sorted(state.name for state in seen if state.readable)),
        unowned=wanted.unowned,
        warnings=tuple(warning for reading in readings for warning in _warnings(reading)),
        way_out=_way_out(applied.streams, applied.refused),
    )


def _way_out(streams: Mapping[str, Stream], refused: Mapping[str, str]) -> str | None:
    everywhere = [subject for stream in streams.values() for subject in stream.subjects]
    missing = [subject for subject in OUTBOUND_TYPES if not bound(subject, everywhere)]
    return f"no stream takes {', '.join(missing)}: {refused.get(CREDIT, 'unknown reason')}" if missing else None


async def _seen(request: Requests, reading: _Reading, settings: Settings) -> StreamState:
    """Return the state of one stream, its consumer set up."""
    known = reading.known or StreamState(name=reading.name, created=reading.stream.created, floor=reading.start_at)
    try:
        consumer, made = await _consumer(request, reading, settings)
        waiting = consumer.get("num_pending", 0) + consumer.get("num_ack_pending", 0)
        floor = consumer.get("ack_floor", {}).get("stream_seq", 0)
        oldest_at = await _oldest(request, reading, floor) if waiting else None
    except STREAM_UNAVAILABLE as error:
        return known.lost(reason_of(error))
    dropped = _dropped(reading, consumer, made=made)
    paused = bool(consumer.get("paused"))
    until = consumer.get("config", {}).get("pause_until")
    return replace(
        known,
        ok=not paused,
        detail=f"its consumer is paused until {until}" if paused else "in place",
        waiting=waiting,
        unread=consumer.get("num_pending", 0),
        oldest_at=oldest_at,
        first=reading.stream.first,
        last=reading.stream.last,
        floor=floor,
        dropped=known.dropped + dropped,
        dropped_at=datetime.now(UTC) if dropped else known.dropped_at,
        remade=known.remade + int(made and known.existed),
        existed=True,
        readable=True,
    )


async def _consumer(request: Requests, reading: _Reading, settings: Settings) -> tuple[dict[str, Any], bool]:
    """Return our consumer on a stream as JetStream describes it, and whether it had to be made."""
    ours: dict[str, object] = {
        "durable_name": CONSUMER,
        "ack_policy": "explicit",
        "ack_wait": settings.ack_wait_seconds * _NANOSECONDS,
        "max_ack_pending": settings.in_flight,
        "max_deliver": -1,
        "filter_subjects": list(reading.subjects),
    }
    try:
        answer = await ask(request, f"CONSUMER.INFO.{reading.name}.{CONSUMER}", {})
    except StreamsError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        answer = {}
    known = answer.get("config")
    if known is not None and "filter_subject" in known:
        known["filter_subjects"] = [known.pop("filter_subject")]
    if known is not None and all(known.get(name) == value for name, value in ours.items()):
        return answer, False
    config = {**(_start(reading, settings) if known is None else known), **ours}
    made = await ask(
        request, f"CONSUMER.DURABLE.CREATE.{reading.name}.{CONSUMER}", {"stream_name": reading.name, "config": config}
    )
    log.info("consumer %s on stream %s: %s", CONSUMER, reading.name, ", ".join(reading.subjects))
    return made, known is None


def _start(reading: _Reading, settings: Settings) -> dict[str, object]:
    """Return where a missing consumer starts: after the acknowledged messages, else by `BRIDGE_START`."""
    # A work queue holds only unacknowledged messages, and accepts no other start than its beginning.
    if reading.stream.config.get("retention") == "workqueue":
        return {"deliver_policy": "all"}
    if reading.floor is not None:
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": reading.floor + 1}
    if isinstance(settings.start, datetime):
        return {"deliver_policy": "by_start_time", "opt_start_time": settings.start.isoformat().replace("+00:00", "Z")}
    return {"deliver_policy": "all"}


def _dropped(reading: _Reading, consumer: Mapping[str, Any], *, made: bool) -> int:
    """Return how many messages the stream dropped unread since the last look, at most where others share it.

    Messages between the last delivered and the first remaining one are gone. In a shared stream, at most those that
    were unread at the last look, or arrived while nobody was reading, were for us.
    """
    known = reading.known
    if made and (known is None or known.floor is None):
        return 0
    # A new consumer has delivered nothing, but the acknowledged sequence of the one before it is known.
    delivered = int(known.floor or 0) if made and known else int(consumer.get("delivered", {}).get("stream_seq", 0))
    counted = known.first - 1 if known is not None else 0
    gap = max(0, reading.stream.first - 1 - max(delivered, counted))
    if not gap or reading.exact:
        return gap
    if known is None or reading.stream.config.get("retention", "limits") != "limits":
        return 0
    unseen = 0 if known.ok and not known.unread else max(0, reading.stream.first - 1 - known.last)
    return min(gap, known.unread + unseen)


async def _oldest(request: Requests, reading: _Reading, floor: int) -> datetime | None:
    """Return when the oldest unacknowledged message was stored, None where JetStream does not report it."""

    async def first_of(subject: str) -> dict[str, Any] | None:
        body = json.dumps({"seq": floor + 1, "next_by_subj": subject}).encode()
        try:
            answer = await request(f"$JS.API.STREAM.MSG.GET.{reading.name}", body, REQUEST_SECONDS)
        except TimeoutError:
            return None
        message: dict[str, Any] | None = json.loads(answer).get("message")
        return message

    found = await asyncio.gather(*(first_of(subject) for subject in reading.subjects))
    oldest = min((message for message in found if message), key=lambda message: int(message["seq"]), default=None)
    return datetime.fromisoformat(oldest["time"]) if oldest else None


def _warnings(reading: _Reading) -> Sequence[str]:
    """Return warnings about a stream that may drop messages before they are read."""
    config = reading.stream.config
    warnings = []
    limits = [f"{name} {config[name]}" for name in _LIMITS if config.get(name, 0) > 0]
    if ADJUSTMENT_TYPE in reading.subjects and config.get("discard", "old") == "old" and limits:
        warnings.append(f"{ADJUSTMENT_TYPE} comes through {reading.name}, which drops its oldest ({', '.join(limits)})")
    per_subject = config.get("max_msgs_per_subject", 0)
    if per_subject > 0:
        warnings.append(f"{reading.name} keeps {per_subject} messages of a subject and drops others unread, uncounted")
    return warnings


def _with_terminated(seen: Look, telemetry: Telemetry) -> Look:
    """Return the look with the messages that streams dropped between two deliveries counted as dropped."""
    streams = {
        name: replace(state, dropped=state.dropped + count, dropped_at=datetime.now(UTC))
        if (count := telemetry.terminated.pop(name, 0))
        else state
        for name, state in seen.streams.items()
    }
    return replace(seen, streams=streams)


def report(seen: Look, telemetry: Telemetry) -> None:
    """Report the look, and log what changed since the last one."""
    before, known = telemetry.look, telemetry.streams or {}
    seen = _with_terminated(seen, telemetry)
    for name, state in seen.streams.items():
        was = known.get(name, StreamState(name=name, ok=True, detail=""))
        if not state.ok and (was.ok or was.detail != state.detail):
            log.warning("stream %s: %s; looked at again every %d s", name, state.detail, CHECK_SECONDS)
        if state.ok and not was.ok:
            log.info("stream %s: in place", name)
        if state.dropped > was.dropped:
            log.error(
                "stream %s: %d messages were dropped before they were read, up to sequence %d",
                name,
                state.dropped - was.dropped,
                state.first - 1,
            )
        if state.remade > was.remade:
            log.warning("stream %s: its consumer was gone; made again after sequence %s", name, was.floor)
    for warning in set(seen.warnings) - set(before.warnings):
        log.warning("streams: %s", warning)
    if seen.unowned != before.unowned:
        log.info("streams: subjects without a stream: %s", ", ".join(seen.unowned) or "none any more")
    telemetry.saw(seen)

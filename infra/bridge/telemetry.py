"""The bridge's counters, and the last known state of the four things it depends on."""

import time
from collections import Counter as PlainCounter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infra.bridge.states import Look, StreamState


class Direction(StrEnum):
    """Which way a message goes, seen from the credit service."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Outcome(StrEnum):
    """The outcome of handling a message once; a message tried again is counted again."""

    FORWARDED = "forwarded"
    OWN = "own"
    PARKED = "parked"
    PUBLISHED = "published"
    REPEATED = "repeated"
    RETRIED = "retried"
    UNPUBLISHABLE = "unpublishable"


class Part(StrEnum):
    """What the bridge depends on."""

    NATS = "nats"
    STREAMS = "streams"
    INBOX = "inbox"
    OUTBOX = "outbox"


OUTCOMES: Mapping[Direction, tuple[Outcome, ...]] = {
    Direction.INBOUND: (Outcome.FORWARDED, Outcome.RETRIED, Outcome.PARKED, Outcome.OWN),
    Direction.OUTBOUND: (Outcome.PUBLISHED, Outcome.REPEATED, Outcome.RETRIED, Outcome.UNPUBLISHABLE),
}
"""The outcomes that each direction can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """Whether a part worked when it was last used, the reason if not, and since when (monotonic seconds)."""

    ok: bool
    detail: str
    since: float


class Telemetry:
    """The counters of one bridge, in its own registry, and the states of its parts."""

    def __init__(self) -> None:
        """Start with every counter at zero, NATS unknown and therefore down, and the queues assumed to work."""
        self.registry = CollectorRegistry()
        # Memory and file handles: what would grow if something piled up in the bridge.
        ProcessCollector(registry=self.registry)
        self._messages = Counter(
            "credits_bridge_messages", "Messages handled, by outcome.", ("direction", "outcome"), registry=self.registry
        )
        self._batch_seconds = Histogram(
            "credits_bridge_batch_seconds",
            "Time from receiving a batch to its last acknowledgement.",
            ("direction",),
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "credits_bridge_in_flight_messages",
            "Messages received and not yet settled.",
            ("direction",),
            registry=self.registry,
        )
        self._up = Gauge(
            "credits_bridge_up",
            "1 when the part worked when it was last used, else 0.",
            ("part",),
            registry=self.registry,
        )
        self._reconnects = Counter(
            "credits_bridge_nats_reconnects", "Times the connection to NATS was restored.", registry=self.registry
        )
        for direction, outcomes in OUTCOMES.items():
            self._in_flight.labels(direction)
            self._batch_seconds.labels(direction)
            for outcome in outcomes:
                self._messages.labels(direction, outcome)
        self.look = Look(streams={})
        self.streams: Mapping[str, StreamState] | None = None
        self.terminated: PlainCounter[str] = PlainCounter()
        """Messages, by stream, that were delivered and that the stream then dropped, since the last look."""
        self.registry.register(_Streams(lambda: self.look))
        self.parts: dict[Part, PartState] = {}
        for part in Part:
            self.report(part, ok=part in {Part.INBOX, Part.OUTBOX}, detail="not used yet")

    @property
    def healthy(self) -> bool:
        """Whether every part worked when it was last used."""
        return all(state.ok for state in self.parts.values())

    def report(self, part: Part, *, ok: bool, detail: str) -> bool:
        """Record the state of `part` and return whether it changed."""
        known = self.parts.get(part)
        changed = known is None or known.ok != ok
        since = time.monotonic() if known is None or changed else known.since
        self.parts[part] = PartState(ok=ok, detail=detail, since=since)
        self._up.labels(part).set(int(ok))
        return changed

    def saw(self, look: Look) -> None:
        """Record the result of a look."""
        self.look, self.streams = look, look.streams
        reasons = [f"{name}: {reason}" for name, reason in look.failing.items()]
        detail = "; ".join(reasons) or f"consuming {', '.join(look.consumed)}"
        self.report(Part.STREAMS, ok=not reasons and look.way_out is None, detail=detail)

    def took_up(self, direction: Direction, messages: int) -> None:
        """Count `messages` as under way."""
        self._in_flight.labels(direction).inc(messages)

    def settled(self, direction: Direction, messages: int, outcomes: Mapping[Outcome, int], *, seconds: float) -> None:
        """Count `messages` as no longer under way, and what became of them."""
        self._in_flight.labels(direction).dec(messages)
        self._batch_seconds.labels(direction).observe(seconds)
        for outcome, times in outcomes.items():
            self._messages.labels(direction, outcome).inc(times)

    def reconnected(self) -> None:
        """Count one more return of the connection to NATS."""
        self._reconnects.inc()

    def counted(self, direction: Direction, outcome: Outcome) -> int:
        """Return how often `outcome` has happened since the process began."""
        labels = {"direction": direction.value, "outcome": outcome.value}
        return int(self.registry.get_sample_value("credits_bridge_messages_total", labels) or 0)

    def in_flight(self, direction: Direction) -> int:
        """Return how many messages are under way."""
        labels = {"direction": direction.value}
        return int(self.registry.get_sample_value("credits_bridge_in_flight_messages", labels) or 0)

    def exposition(self) -> bytes:
        """Return all metrics as Prometheus text."""
        return generate_latest(self.registry)


_OF_A_STREAM: Final[
    tuple[tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str, Callable[[StreamState, datetime], float]], ...]
] = (
    (GaugeMetricFamily, "up", "1 when the stream can be read, else 0.", lambda state, _: int(state.ok)),
    (GaugeMetricFamily, "waiting_messages", "Messages not acknowledged yet.", lambda state, _: state.waiting),
    (GaugeMetricFamily, "oldest_seconds", "Time that the oldest of them has waited.", StreamState.age_seconds),
    (
        CounterMetricFamily,
        "dropped_messages",
        "Messages that the stream dropped before they were read, at most.",
        lambda state, _: state.dropped,
    ),
    (CounterMetricFamily, "consumers_remade", "Consumers that somebody had deleted.", lambda state, _: state.remade),
)
"""The metrics `credits_bridge_stream_…` of each stream: kind, end of the name, meaning, and value at a time."""


@dataclass(frozen=True, slots=True)
class _Streams(Collector):
    """Metrics of the last look, as prometheus-client collects them."""

    look: Callable[[], Look]

    def collect(self) -> Iterator[Metric]:
        seen, now = self.look(), datetime.now(UTC)
        for kind, metric, meaning, value in _OF_A_STREAM:
            family = kind(f"credits_bridge_stream_{metric}", meaning, labels=("stream",))
            for name, state in seen.streams.items():
                family.add_metric([name], value(state, now))
            yield family
        yield GaugeMetricFamily(
            "credits_bridge_unowned_subjects", "Inbound subjects that no stream takes.", value=len(seen.unowned)
        )

"""What the bridge knows of the streams that it reads, from one look to the next and across restarts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

_OF_THE_PROCESS: Final = {"ok": False, "readable": False, "detail": "not seen since the bridge started"}
"""What nothing is known of until this process has looked itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """One stream as it was last seen; counts are in messages, `first`, `last` and `floor` are sequences.

    `ok` is False when the stream cannot be had or its consumer is paused; `detail` is the reason. `waiting` are the
    messages that are not acknowledged, `unread` those of them that were never delivered, `oldest_at` is when the
    oldest was stored (None: none waits, or it is unknown). Up to `floor` all is acknowledged (None: unknown).
    `created` tells a stream from one made later under the same name. `dropped` and `remade` count from the first
    look on: messages that the stream dropped before they were read, and consumers that somebody had deleted.
    `readable` says that the consumer is in place now, paused or not, and `had` that it was at some time.
    """

    name: str
    ok: bool = False
    detail: str = "not seen yet"
    created: str = ""
    waiting: int = 0
    unread: int = 0
    oldest_at: datetime | None = None
    first: int = 0
    last: int = 0
    floor: int | None = None
    dropped: int = 0
    dropped_at: datetime | None = None
    remade: int = 0
    had: bool = False
    readable: bool = False

    def age_seconds(self, now: datetime) -> float:
        """Return how long the oldest message has waited, 0 where none is known to wait."""
        return max(0.0, (now - self.oldest_at).total_seconds()) if self.oldest_at else 0.0

    def kept(self) -> dict[str, Any]:
        """Return what JSON can hold of it."""
        return {
            name: value.astimezone(UTC).isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def recalled(cls, kept: Mapping[str, Any]) -> Self:
        """Return the state that `kept` was made of, as one that this process has not seen itself."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in kept.items() if name in known} | _OF_THE_PROCESS
        for name in ("oldest_at", "dropped_at"):
            if values.get(name) is not None:
                values[name] = datetime.fromisoformat(values[name])
        return cls(**values)

    def lost(self, reason: str) -> Self:
        """Return the state of a stream that cannot be had for `reason`."""
        return replace(self, ok=False, detail=reason, readable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at JetStream: the streams to read from, and those that cannot be had.

    `consumed` names the streams whose consumer is in place. `unowned` are inbound subjects that no stream takes.
    `warnings` are sentences on streams that may lose messages. `way_out` is why events cannot be published, or None.
    """

    streams: Mapping[str, StreamState]
    consumed: tuple[str, ...] = ()
    unowned: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    way_out: str | None = None

    @property
    def failing(self) -> Mapping[str, str]:
        """The streams that cannot be had or read, with the reasons."""
        return {name: state.detail for name, state in self.streams.items() if not state.ok}

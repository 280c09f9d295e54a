"""What the bridge knows of the streams that it reads, kept between looks and across restarts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

_OF_THE_PROCESS: Final = {"ok": False, "readable": False, "detail": "not seen since the bridge started"}
"""The state of a stream until this process has looked at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """One stream as it was last seen; counts are in messages, `first`, `last` and `floor` are sequences.

    `ok` is False when the stream is unavailable or its consumer is paused; `detail` is the reason. `waiting` counts the
    messages that are not acknowledged, `unread` those of them that were never delivered, `oldest_at` is when the oldest
    was stored (None: none waits, or it is unknown). Everything up to `floor` is acknowledged (None: unknown). `created`
    distinguishes a stream from one made later under the same name. `dropped` and `remade` count from the first look on:
    messages that the stream dropped before they were read, and consumers that somebody had deleted. `readable`: the
    consumer exists now, paused or not; `existed`: it existed at some time.
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
    existed: bool = False
    readable: bool = False

    def age_seconds(self, now: datetime) -> float:
        """Return how long the oldest message has waited, 0 where none is known to wait."""
        return max(0.0, (now - self.oldest_at).total_seconds()) if self.oldest_at else 0.0

    def kept(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return {
            name: value.astimezone(UTC).isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def recalled(cls, kept: Mapping[str, Any]) -> Self:
        """Return the state that `kept` was made from, marked as not seen by this process."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in kept.items() if name in known} | _OF_THE_PROCESS
        for name in ("oldest_at", "dropped_at"):
            if values.get(name) is not None:
                values[name] = datetime.fromisoformat(values[name])
        return cls(**values)

    def lost(self, reason: str) -> Self:
        """Return the state of a stream that is unavailable for `reason`."""
        return replace(self, ok=False, detail=reason, readable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at JetStream: the streams to read from, and those that are unavailable.

    `consumed` names the streams whose consumer is in place. `unowned` are inbound subjects that no stream binds.
    `warnings` are sentences on streams that may lose messages. `way_out` is why events cannot be published, or None.
    """

    streams: Mapping[str, StreamState]
    consumed: tuple[str, ...] = ()
    unowned: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    way_out: str | None = None

    @property
    def failing(self) -> Mapping[str, str]:
        """The streams that are unavailable or cannot be read, with the reasons."""
        return {name: state.detail for name, state in self.streams.items() if not state.ok}

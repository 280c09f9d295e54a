"""What `credits doctor` reports of the streams of NATS, from what the bridge's heartbeat holds of them."""

from datetime import datetime, timedelta
from typing import Final

from chalicelib.adapters.dynamodb.fleet import BridgeView

OLD_SECONDS: Final = 300
"""How long a message may wait in its stream; the alarm waits as long."""
DROPPED_FOR: Final = timedelta(days=7)
"""How long dropped messages are worth a look."""
RUNBOOK_OF_STREAMS: Final = "infra/monitoring/runbook/bridge-streams.md"


def troubles(seen: BridgeView, now: datetime) -> tuple[list[str], list[str]]:
    """Return a sentence for each stream that cannot be read, and one for whatever else is worth a look."""
    failing = [f"{stream.name}: {stream.detail} ({stream.waiting:,} wait)" for stream in seen.streams if not stream.ok]
    odd = [
        f"{stream.name}: {stream.waiting:,} wait, the oldest for {stream.age_seconds(now):,.0f} s"
        for stream in seen.streams
        if stream.age_seconds(now) > OLD_SECONDS
    ]
    odd += [
        f"{stream.name} dropped up to {stream.dropped:,} messages before they were read, at last {stream.dropped_at}"
        for stream in seen.streams
        if stream.dropped_at is not None and now - stream.dropped_at < DROPPED_FOR
    ]
    return failing, [*odd, *seen.warnings]


def in_order(seen: BridgeView) -> str:
    """Return what there is to say when all is well; a subject without a stream may be one that nobody publishes."""
    waiting = sum(stream.waiting for stream in seen.streams)
    text = f"{', '.join(stream.name for stream in seen.streams)}: all read, {waiting:,} wait"
    return f"{text}; no stream takes {', '.join(seen.unowned)}" if seen.unowned else text

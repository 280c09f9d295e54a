"""Reports the marks of other parts in the figures table to CloudWatch every minute, for alarms.

A bridge that has stopped cannot report itself, and the reconciliation runs once a day.
"""

from datetime import UTC, datetime, timedelta

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.telemetry import gauge, logger
from chalicelib.wiring import for_figures

HEARTBEAT_AGE_SECONDS = "credits_bridge_heartbeat_age_seconds"
STREAMS_FAILING = "credits_bridge_streams_failing"
STREAM_OLDEST_SECONDS = "credits_bridge_stream_oldest_seconds"
DROPPED = "credits_bridge_stream_dropped_messages"
DRIFT = "credits_ledger_drift"
DUE_LAG_SECONDS = "credits_due_lag_seconds"

DROPPED_FOR = timedelta(hours=1)
"""How long dropped messages are reported: long enough for the alarm."""

blueprint = Blueprint(__name__)


@blueprint.schedule("rate(1 minute)", name="report_marks")
def report_marks(event: CloudWatchEvent) -> None:  # noqa: ARG001 - the time of the call is what counts
    """Report the bridge's heartbeat and streams, the drift and the sweep's delay; unknown values are not reported.

    Raises:
        RetryLater: the figures cannot be read. The next call tries again.
    """
    marks = for_figures.fleet().marks()
    now = datetime.now(UTC)
    if marks.heartbeat is not None:
        gauge(HEARTBEAT_AGE_SECONDS, max(0.0, (now - marks.heartbeat).total_seconds()))
    failing = [f"{stream.name}: {stream.detail}" for stream in marks.bridge.streams if not stream.ok]
    if marks.bridge.streams:
        gauge(STREAMS_FAILING, len(failing))
        gauge(STREAM_OLDEST_SECONDS, max(stream.age_seconds(now) for stream in marks.bridge.streams))
        gauge(DROPPED, sum(one.dropped for one in marks.bridge.streams if _lately(one.dropped_at, now)))
    if marks.drift is not None:
        gauge(DRIFT, marks.drift)
    if marks.due_until is not None:
        gauge(DUE_LAG_SECONDS, max(0.0, (now - marks.due_until).total_seconds()))
    logger.info("marks reported", heartbeat=marks.heartbeat is not None, drift=marks.drift, failing=failing)


def _lately(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at < DROPPED_FOR

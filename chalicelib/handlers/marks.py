"""What others leave in the figures table, told to CloudWatch every minute, so that an alarm can wait for it.

A bridge that has stopped can tell nobody, and the daily comparison speaks once a day: somebody else has to look.
"""

from datetime import UTC, datetime

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib import wiring_figures
from chalicelib.telemetry import gauge, logger

HEARTBEAT_AGE_SECONDS = "credits_bridge_heartbeat_age_seconds"
DRIFT = "credits_ledger_drift"

blueprint = Blueprint(__name__)


@blueprint.schedule("rate(1 minute)", name="report_marks")
def report_marks(event: CloudWatchEvent) -> None:  # noqa: ARG001 - the time of the call is what counts
    """Tell CloudWatch how old the bridge's heartbeat is and how much drift was found; nothing of what is not there.

    Raises:
        RetryLater: the figures cannot be read. The next minute asks again.
    """
    marks = wiring_figures.fleet().marks()
    if marks.heartbeat is not None:
        gauge(HEARTBEAT_AGE_SECONDS, max(0.0, (datetime.now(UTC) - marks.heartbeat).total_seconds()))
    if marks.drift is not None:
        gauge(DRIFT, marks.drift)
    logger.info("marks reported", heartbeat=marks.heartbeat is not None, drift=marks.drift)

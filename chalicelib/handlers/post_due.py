"""Posts, every minute, what has fallen due on accounts that nobody else wrote to (contract, section 16)."""

from typing import Any

from chalice.app import Blueprint, CloudWatchEvent

blueprint = Blueprint(__name__)

FAILED_LOGGED_MAX = 20
"""The most accounts that one call names in its log because it could not write them."""


@blueprint.schedule("rate(1 minute)", name="post_due")
def post_due(event: CloudWatchEvent) -> dict[str, Any]:
    """Post what is due, as much as the call's time allows, and return `{"looked_at", "brought", "until", …}`.

    An account that cannot be written does not stop others: it is named in the log, and the mark stays before it, by a
    day at most; the alarm on the sweep's delay uses the mark.

    Raises:
        RetryLater: the index or the mark cannot be read or written. The next call continues from the last mark.
    """
    from chalicelib.telemetry import count, logger
    from chalicelib.usecases import falling_due
    from chalicelib.wiring import for_figures, for_posting

    marks, posting = for_figures.due_marks(), for_posting.posting()
    time = for_posting.call_time(event.context)
    swept = falling_due.post_due(for_figures.due_list(), posting, marks.last(), keep=marks.keep, time=time)
    for account, error in swept.failed[:FAILED_LOGGED_MAX]:
        logger.error(
            "due and not posted",
            merchant_id=account.merchant_id,
            due_at=account.due_at,
            code=error.code,
            reason=error.message,
        )
    summary: dict[str, Any] = {
        "looked_at": swept.looked_at,
        "brought": swept.written,
        "failed": len(swept.failed),
        "finished": swept.finished,
        "until": swept.until,
    }
    count("credits_due_posted_total", swept.written)
    count("credits_lost_races_total", posting.take_lost_races())
    (logger.warning if swept.failed or not swept.finished else logger.info)("due posted", **summary)
    for_figures.counter_writer().write()
    return summary

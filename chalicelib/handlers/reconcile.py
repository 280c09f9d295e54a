"""Checks the ledger on a schedule (contract, section 7)."""

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint

from chalicelib.wiring import for_figures

if TYPE_CHECKING:
    from chalicelib.usecases.checking import Check
    from chalicelib.usecases.reconciling import LedgerSweep

blueprint = Blueprint(__name__)


# Not `schedule`: Chalice's own event cannot be read without the members of EventBridge's, and people invoke it too.
# The template has its schedules: daily, and hourly to go on with a sweep that a call was too short for.
@blueprint.lambda_function(name="reconcile")
def reconcile(event: Any, context: Any) -> dict[str, Any]:
    """Compare accounts with their transactions, report the differences, and return the sweep's progress.

    `{"finished", "started_at", "accounts", "walked", "records", "scanned", "drift", "newer_form", "too_long"}`. An
    unfinished sweep is continued, else a new one begins, unless the event is `{"only": "unfinished"}`. Nothing is
    repaired. `newer_form` counts merchants that only a newer release can compare: that is not drift.
    """
    from chalicelib.domain.errors import RetryLater
    from chalicelib.telemetry import logger
    from chalicelib.usecases.reconciling import sweep, sweep_to_continue
    from chalicelib.wiring import for_posting

    bookmarks, time = for_figures.bookmarks(), for_posting.call_time(context)
    last = bookmarks.last()
    if isinstance(event, dict) and event.get("only") == "unfinished" and (last is None or last.finished_at):
        logger.info("nothing to go on with")
        return {"finished": True}
    progress = sweep_to_continue(last, now=time.now())
    # Kept before anything is read: after a failure, the next call continues this sweep.
    bookmarks.keep(progress)
    try:
        progress = sweep(for_figures.ledger_reader(), progress, time=time, report=_report, keep=bookmarks.keep)
    except RetryLater as error:
        logger.warning("reconciling stopped", reason=error.message)
        progress = bookmarks.last() or progress
    return _summary(progress)


def _report(checked: "Check") -> None:
    """Report each finding in a log line and an event. An event that the bus refuses is published by the next sweep."""
    from datetime import UTC, datetime

    from chalicelib.contracts.outbound.published import drift_event
    from chalicelib.telemetry import count, logger
    from chalicelib.wiring import for_posting

    for finding in checked.findings:
        logger.error(
            "drift",
            kind=finding.kind,
            merchant_id=finding.merchant_id,
            sequence=finding.sequence,
            transaction_id=finding.transaction_id,
            detail=finding.detail,
        )
    balance = checked.account.balance if checked.account else 0
    events = [drift_event(finding, balance=balance, time=datetime.now(UTC)) for finding in checked.findings]
    refused = len(for_posting.bus().publish(events))
    count("credits_events_published_total", len(events) - refused, {"event_type": events[0].event_type})
    if refused:
        logger.warning("drift not published", refused=refused)


def _summary(progress: "LedgerSweep") -> dict[str, Any]:
    from chalicelib.adapters.dynamodb.bookmarks import drift
    from chalicelib.telemetry import gauge, logger

    summary: dict[str, Any] = {
        "finished": progress.finished_at is not None,
        "started_at": progress.started_at,
        "accounts": progress.accounts,
        "walked": progress.walked,
        "records": progress.transactions,
        "scanned": progress.scanned,
        "drift": drift(progress) if progress.finished_at is None else progress.drift,
        "newer_form": progress.newer,
        "too_long": sorted(progress.too_long),
    }
    gauge("credits_ledger_drift", summary["drift"])
    log = logger.warning if summary["drift"] or progress.newer or progress.too_long else logger.info
    log("reconciled", **summary)
    for_figures.counter_writer().write()
    return summary

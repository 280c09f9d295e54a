"""Compares shops' own lists of orders with the ledger every night (contract, section 17)."""

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, CloudWatchEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chalicelib.adapters.order_feed import OrderFeed
    from chalicelib.adapters.scratch import Scratch
    from chalicelib.usecases.comparing import Bookmark, Comparing, FeedFile

DIFFERENCES = "credits_match_differences"

blueprint = Blueprint(__name__)


# Every quarter of an hour of four hours at night: a call continues where the last one ended, or finds nothing to do.
@blueprint.schedule("cron(0/15 2-5 * * ? *)", name="match_orders")
def match_orders(event: CloudWatchEvent) -> dict[str, Any]:
    """Compare the files of the feed that have no report yet, and return `{"configured", "compared", "unfinished"}`.

    `compared` are the summaries of the reports that were written, `unfinished` the file that the next call continues,
    None without one. Nothing is corrected: a report holds the events that would.
    """
    import tempfile
    from pathlib import Path

    from chalicelib.domain.errors import RetryLater
    from chalicelib.telemetry import logger
    from chalicelib.wiring import for_orders, for_posting

    feed, compared, unfinished = for_orders.feed(), [], None
    if feed is None:
        logger.info("no feed of orders", setting="ORDERS_BUCKET")
        return {"configured": False, "compared": [], "unfinished": None}
    comparing = for_orders.comparing(feed, for_posting.call_time(event.context))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comparison.sqlite"
        try:
            for file in _files(feed, comparing, path):
                summary = _compared(feed, comparing, file, path)
                if summary is None:
                    unfinished = file.name
                    break
                compared.append(summary)
        except RetryLater as error:
            logger.warning("matching stopped", reason=error.message)
    logger.info("matched", files=len(compared), unfinished=unfinished)
    return {"configured": True, "compared": compared, "unfinished": unfinished}


def _files(feed: "OrderFeed", comparing: "Comparing", path: "Path") -> "Iterator[FeedFile]":
    """Yield the files to be compared. At `path` is the scratch of the one that was begun, for the others nothing."""
    from chalicelib.adapters.scratch import Scratch

    begun = None
    if feed.fetch_unfinished(path):
        with Scratch(path) as scratch:
            bookmark = scratch.bookmark()
            begun = bookmark.file if bookmark else None
    for file in comparing.files(begun):
        if file != begun:
            path.unlink(missing_ok=True)
        yield file


def _compared(feed: "OrderFeed", comparing: "Comparing", file: "FeedFile", path: "Path") -> dict[str, Any] | None:
    """Compare a file as far as the call's time allows; return its report's summary, None if it is not finished.

    Raises:
        RetryLater: something did not answer; the comparison so far is kept.
    """
    from chalicelib.adapters.scratch import Scratch
    from chalicelib.domain.errors import RetryLater
    from chalicelib.telemetry import gauge
    from chalicelib.usecases.comparing import FileChangedError, UnlinkedFolderError

    try:
        merchant = comparing.owner(file)
    except UnlinkedFolderError as error:
        # Without a report: once the shop is linked, it is compared.
        gauge(DIFFERENCES, 1)
        return _not_compared(file, str(error), total=1)
    try:
        with Scratch(path) as scratch:
            bookmark = comparing.advance(file, merchant, scratch)
            if bookmark.finished:
                return _reported(feed, scratch, bookmark, path.with_suffix(".jsonl"))
    except FileChangedError:
        summary = _not_compared(file, "replaced meanwhile", total=0)
        feed.forget_unfinished()
        return summary
    except RetryLater:
        feed.keep_unfinished(path)
        raise
    feed.keep_unfinished(path)
    return None


def _not_compared(file: "FeedFile", why: str, *, total: int) -> dict[str, Any]:
    from chalicelib.telemetry import logger

    logger.warning("orders not matched", file=file.name, reason=why)
    return {"file": file.name, "total": total, "fault": why}


def _reported(feed: "OrderFeed", scratch: "Scratch", bookmark: "Bookmark", path: "Path") -> dict[str, Any]:
    """Write the report, and report it as a metric and a log line; return its summary."""
    import json

    from chalicelib.adapters.order_feed import differences_name
    from chalicelib.telemetry import gauge, logger

    with path.open("w") as file:
        kept = sum(bool(file.write(line)) for line in scratch.differences())
    summary: dict[str, Any] = {
        "file": bookmark.file.name,
        "version": bookmark.file.version,
        "begun_at": bookmark.begun_at,
        "orders": bookmark.counts,
        "found": bookmark.found,
        "total": bookmark.total,
        "fault": bookmark.fault or None,
        "differences": differences_name(bookmark.file) if kept else None,
        "differences_kept": kept,
    }
    report = feed.report(bookmark.file, json.dumps(summary, indent=1).encode(), path if kept else None)
    feed.forget_unfinished()
    gauge(DIFFERENCES, bookmark.total)
    log = logger.warning if bookmark.total else logger.info
    log("orders matched", report=report, **summary)
    return summary

"""Compares shops' own lists of orders with the ledger every night (contract, section 17)."""

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, CloudWatchEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chalicelib.adapters.order_feed import OrderFeed
    from chalicelib.adapters.scratch import Scratch
    from chalicelib.domain.ids import MerchantId
    from chalicelib.ports import CallTime
    from chalicelib.usecases.comparing import Bookmark, FeedFile

DIFFERENCES = "credits_match_differences"
MARGIN_SECONDS = 90.0
"""The last seconds of a call are for keeping an unfinished comparison: no read is begun in them."""
FILES_DAYS = 7
"""Files older than this are no longer looked at."""

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
    time = for_posting.call_time(event.context)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "comparison.sqlite"
        try:
            for file in _files(feed, path):
                summary = _compared(feed, file, path, time)
                if summary is None:
                    unfinished = file.name
                    break
                compared.append(summary)
        except RetryLater as error:
            logger.warning("matching stopped", reason=error.message)
    logger.info("matched", files=len(compared), unfinished=unfinished)
    return {"configured": True, "compared": compared, "unfinished": unfinished}


def _files(feed: "OrderFeed", path: "Path") -> "Iterator[FeedFile]":
    """Yield the file of the unfinished comparison, whose scratch is then at `path`, and those that nobody began."""
    from datetime import UTC, datetime, timedelta

    from chalicelib.adapters.scratch import Scratch
    from chalicelib.domain.ids import instant

    begun = None
    if feed.fetch_unfinished(path):
        with Scratch(path) as scratch:
            begun = scratch.bookmark()
    if begun is not None:
        yield begun.file
    for file in feed.files(instant(datetime.now(UTC) - timedelta(days=FILES_DAYS))):
        path.unlink(missing_ok=True)
        if begun is None or file != begun.file:
            yield file


def _compared(feed: "OrderFeed", file: "FeedFile", path: "Path", time: "CallTime") -> dict[str, Any] | None:
    """Compare a file as far as the call's time allows; return its report's summary, None if it is not finished.

    Raises:
        RetryLater: something did not answer; the comparison so far is kept.
    """
    from chalicelib.adapters.order_feed import Changed
    from chalicelib.adapters.scratch import Scratch
    from chalicelib.domain.errors import RetryLater
    from chalicelib.telemetry import gauge, logger

    merchant, fault = _merchant(feed.owner(file))
    if fault:
        # Without a report: once the shop is linked, it is compared.
        gauge(DIFFERENCES, 1)
        logger.warning("orders not matched", file=file.name, reason=fault)
        return {"file": file.name, "total": 1, "fault": fault}
    try:
        with Scratch(path) as scratch:
            bookmark = _advanced(feed, scratch, file, merchant, time)
            if bookmark.finished:
                return _reported(feed, scratch, bookmark, path.with_suffix(".jsonl"))
    except Changed:
        logger.warning("orders not matched", file=file.name, reason="replaced meanwhile")
        feed.forget_unfinished()
        return {"file": file.name, "total": 0, "fault": "replaced meanwhile"}
    except RetryLater:
        feed.keep_unfinished(path)
        raise
    feed.keep_unfinished(path)
    return None


def _advanced(
    feed: "OrderFeed", scratch: "Scratch", file: "FeedFile", merchant: "MerchantId | None", time: "CallTime"
) -> "Bookmark":
    """Return how far the comparison has come when it is finished or the time is over."""
    from datetime import UTC, datetime

    from chalicelib.contracts.order_events import ParkedOrders, line_of
    from chalicelib.contracts.order_files import Form, OrderFile
    from chalicelib.domain.errors import RetryLater
    from chalicelib.usecases.comparing import Bookmark, compare
    from chalicelib.usecases.matching import Matching
    from chalicelib.wiring import for_orders

    form = Form.named(file.name)
    assert form is not None, "the feed lists no other files"
    bookmark = scratch.bookmark() or Bookmark(file=file, begun_at=time.now())
    counts, found = bookmark.counters()
    matching = Matching(
        seen=scratch.seen,
        lookup=for_orders.transactions,
        parked=ParkedOrders(for_orders.look_at_parked).holds,
        now=datetime.now(UTC),
        counts=counts,
        found=found,
    )
    steps = compare(
        matching,
        bookmark,
        open_rows=lambda place: OrderFile(feed.chunks(file, place.position), form, merchant, place),
        transactions=for_orders.transactions_between,
        out_of_time=lambda: time.remaining_seconds() < MARGIN_SECONDS,
        keep=lambda differences: scratch.add(map(line_of, differences)),
    )
    try:
        for bookmark in steps:
            scratch.keep(bookmark)
    except RetryLater:
        scratch.undo()
        raise
    return bookmark


def _merchant(folder: str) -> "tuple[MerchantId | None, str]":
    """Return whose orders a folder holds, None if each line states it; and why it is unknown, else an empty text."""
    from chalicelib.domain.ids import merchant_id
    from chalicelib.wiring import for_orders

    if "." in folder:
        merchant = for_orders.linked(folder)
        return merchant, "" if merchant else f"{folder} is linked to no merchant"
    try:
        return merchant_id(folder), ""
    except ValueError:
        return None, ""


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

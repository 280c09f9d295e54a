"""What running the service costs: `python -m infra.bench.costs` prints the sheet, `--write` puts it into its page.

Units and requests are the counted ones (`counted`), prices the published ones. No measured time is used: durations of
calls are constants here, well above the measured ones, so that the sheet is the same everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from infra.bench.counted import all_counted
from infra.bench.measurements import Measurement, Place
from infra.bench.prices import (
    ACCESS_LINE_BYTES,
    API_GB,
    BATCH,
    BUS_EVENT,
    CACHED_SECONDS,
    CALL_SECONDS,
    COUNTED_SECONDS,
    EDGE_REQUEST,
    FOLD,
    FOLD_SECONDS,
    GATEWAY_REQUEST,
    HOURS_A_MONTH,
    HTTP_API_REQUEST,
    INGEST_GB,
    LINE,
    LOG_GB,
    MILLION,
    QUEUE_REQUEST,
    READ_SECONDS,
    READ_UNIT,
    RECEIVED_AT_ONCE,
    REDIS_NODE_HOUR,
    STATUS_ASKED_SECONDS,
    STATUS_KEPT_SECONDS,
    STORED_GB_MONTH,
    STREAM_GB,
    VISITORS,
    WINDOW_SECONDS,
    WRITE_UNIT,
    call,
    polls,
)
from infra.bench.traffic import figures_dollars, ordinary

PLACE = Place(name="costs", module="infra.bench.costs")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the sheet: its name, dollars and parts."""

    what: str
    dollars: float
    parts: str


def sheet(counted: Mapping[str, float]) -> list[Line]:
    """Return the lines of the sheet."""
    return [*_orders(counted), *_statuses(counted), *_standing(counted)]


def text(lines: Sequence[Line]) -> str:
    """Return the sheet as Markdown."""
    rows = [f"| {line.what} | {line.dollars:,.2f} | {line.parts} |" for line in lines]
    return "\n".join(["| us-east-1, on demand | dollars | of which |", "|---|---|---|", *rows])


def _orders(counted: Mapping[str, float]) -> list[Line]:
    lines = []
    # Orders alone are counted by the minute, at ten a second; a fold's account in a batch of a hundred.
    by_the_minute = figures_dollars(10, COUNTED_SECONDS) / MILLION
    count_units = counted["roll_up of 100 merchants: write units an account"]
    for what, together, seconds in (("order alone", 1, CALL_SECONDS), ("order, 99 together", FOLD, FOLD_SECONDS)):
        write = counted[f"{what}: write units"] * WRITE_UNIT
        counted_once = count_units * WRITE_UNIT + READ_UNIT + _call(STREAM_GB, FOLD_SECONDS) / BATCH
        fleet = by_the_minute if together == 1 else counted_once / together
        function = _call(INGEST_GB, seconds) / together
        # Sent alone or ten at once, received and deleted as many at once.
        queue = 3 * QUEUE_REQUEST / min(together, RECEIVED_AT_ONCE)
        total = (write + fleet + function + queue) * MILLION
        lines.append(
            Line(
                f"a million orders, {'each alone' if together == 1 else f'folded by {together}'}",
                total,
                f"ledger {write * MILLION:,.2f}, figures {fleet * MILLION:,.2f}, "
                f"function {function * MILLION:,.2f}, queue {queue * MILLION:,.2f}",
            )
        )
    usual = {**ordinary(10, WINDOW_SECONDS).dollars(), "figures": by_the_minute * MILLION}
    parts = ", ".join(f"{what} {dollars:,.2f}" for what, dollars in usual.items())
    lines.append(Line("… as they come: ten a second, of a thousand shops", sum(usual.values()), f"simulated: {parts}"))
    lines.append(Line("plus the bus, if they arrive by it", BUS_EVENT * MILLION, "paid by the sender"))
    return lines


def _statuses(counted: Mapping[str, float]) -> list[Line]:
    read = counted["status, uncached: read units"] * READ_UNIT
    beside = {"table": _call(API_GB, READ_SECONDS) + read, "memory": _call(API_GB, CACHED_SECONDS)}
    rest, public = (price + ACCESS_LINE_BYTES / 10**9 * LOG_GB for price in (GATEWAY_REQUEST, HTTP_API_REQUEST))
    leaving = STATUS_ASKED_SECONDS / STATUS_KEPT_SECONDS
    edge = leaving * (EDGE_REQUEST + (public + beside["table"]) / VISITORS)
    batch = (public + _call(API_GB, CALL_SECONDS)) / BATCH + read
    node = REDIS_NODE_HOUR * HOURS_A_MONTH
    return [
        Line("a million status checks, from the table", (public + beside["table"]) * MILLION, "over the HTTP API"),
        Line(
            "… from the function's memory or Redis",
            (public + beside["memory"]) * MILLION,
            f"Redis: {node:,.2f} a month for a node besides",
        ),
        Line("… over the REST API, from the table", (rest + beside["table"]) * MILLION, "the same answers"),
        Line(
            "… of pages, with the edge before the HTTP API",
            edge * MILLION,
            f"{VISITORS} visitors a shop, a page every {STATUS_ASKED_SECONDS} s: one in {round(1 / leaving)} gets to "
            f"the edge, one in {round(VISITORS / leaving)} passes it; a million requests of the edge are "
            f"{EDGE_REQUEST * MILLION:,.2f}",
        ),
        Line("… in batches of a hundred", batch * MILLION, "one request and one read for all"),
        Line("… from the browser's cache", 0.0, f"{STATUS_KEPT_SECONDS} s each"),
    ]


def _standing(counted: Mapping[str, float]) -> list[Line]:
    bytes_kept = 2 * (ceil(counted["largest order's item"]) + 100)
    return [
        Line(
            "a month of keeping a million orders",
            bytes_kept * MILLION / 10**9 * STORED_GB_MONTH,
            "transaction and index, with point-in-time recovery; with the longest ids",
        ),
        Line(
            "a month of idling",
            polls(),
            "Lambda's polls of the inbox and the waiting queue; all else is paid by use (alarms: 0.10 each)",
        ),
    ]


def _call(gigabytes: float, seconds: float) -> float:
    return call(gigabytes, seconds) + LINE


def sheet_of(figures: Sequence[Measurement]) -> str:
    """Return the sheet for these counted figures."""
    return text(sheet({figure.name: figure.value for figure in figures}))


if __name__ == "__main__":
    PLACE.show(sheet_of(all_counted()))

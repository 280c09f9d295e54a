"""What running the service costs: `python -m infra.bench.costs` prints the sheet, `--write` puts it into its page.

Units and requests are the counted ones (`counted`), prices the published ones. No measured time is used: durations of
calls are constants here, well above the measured ones, so that the sheet is the same everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from infra.bench.counted import all_counted
from infra.bench.measurements import Measurement, Place

MILLION = 1_000_000

# AWS's published prices for us-east-1 on demand, without free tiers, in dollars (aws.amazon.com/…/pricing, 2026-11).
WRITE_UNIT = 0.625 / MILLION  # dynamodb/pricing/on-demand
READ_UNIT = 0.125 / MILLION  # the same; Lambda's reads of a stream are free
STORED_GB_MONTH = 0.25 + 0.20  # the same: the table, and its point-in-time recovery
LAMBDA_CALL = 0.20 / MILLION  # lambda/pricing
LAMBDA_GB_SECOND = 0.0000166667  # the same, x86
QUEUE_REQUEST = 0.40 / MILLION  # sqs/pricing, standard queues
BUS_EVENT = 1.00 / MILLION  # eventbridge/pricing, custom events
GATEWAY_REQUEST = 3.50 / MILLION  # api-gateway/pricing, REST
HTTP_API_REQUEST = 1.00 / MILLION  # the same, HTTP APIs, the first 300 million a month
LOG_GB = 0.50  # cloudwatch/pricing
EDGE_REQUEST = 1.00 / MILLION  # cloudfront/pricing, HTTPS, without transfer
REDIS_NODE_HOUR = 0.016  # elasticache/pricing, cache.t4g.micro
HOURS_A_MONTH = 730

INGEST_GB, STREAM_GB, API_GB = 1.0, 0.5, 1.0
"""Memory of the functions (.chalice/config.json)."""
CALL_SECONDS = 0.030
"""A write or a read and all around it: some 10 ms at DynamoDB, and the CPU of `make bench`."""
READ_SECONDS = 0.015
"""A read of one item and all around it: some 5 ms at DynamoDB, and the CPU of `make bench`."""
FOLD_SECONDS = 0.100
"""A call that writes 99 orders of one merchant, or counts a hundred merchants."""
CACHED_SECONDS = 0.002
LINE_BYTES = 400
"""A call's log line; Lambda writes one of its own about a call that failed only (`SystemLogLevel`)."""
LINE = LINE_BYTES / 10**9 * LOG_GB
ACCESS_LINE_BYTES = 350
"""The gateway's own line of a request."""
POLLERS, LONG_POLL_SECONDS = 5, 20
"""Lambda's pollers of an idle queue, each with one long poll after another (SQS as an event source)."""
QUEUES_POLLED = 2
RECEIVED_AT_ONCE = 10
STATUS_ASKED_SECONDS, STATUS_KEPT_SECONDS, VISITORS = 5, 15, 5
"""A visitor sees a page every five seconds, and browsers and the edge keep an answer for fifteen: one check in three
leaves the browser. Of those of five visitors of a shop at a time, one in five passes the edge."""
BATCH = 100
FOLD = 99
WINDOW_SECONDS, COUNTED_SECONDS = 1.0, 60.0
"""How long the inbox and the stream of accounts collect (infra/template.yaml)."""

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
    from infra.bench.traffic import figures_dollars, ordinary  # noqa: PLC0415 - it reckons with these prices

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


def call(gigabytes: float, seconds: float = CALL_SECONDS) -> float:
    """Return the dollars of a call, without its log line."""
    return LAMBDA_CALL + gigabytes * seconds * LAMBDA_GB_SECOND


def polls() -> float:
    """Return the dollars that Lambda's polls of idle queues cost in a month."""
    return POLLERS * QUEUES_POLLED * HOURS_A_MONTH * 3600 / LONG_POLL_SECONDS * QUEUE_REQUEST


def _call(gigabytes: float, seconds: float) -> float:
    return call(gigabytes, seconds) + LINE


def sheet_of(figures: Sequence[Measurement]) -> str:
    """Return the sheet for these counted figures."""
    return text(sheet({figure.name: figure.value for figure in figures}))


if __name__ == "__main__":
    PLACE.show(sheet_of(all_counted()))

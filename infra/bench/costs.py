"""What running the service costs: `python -m infra.bench.costs` prints the sheet, `--write` puts it into its page.

Units and requests are the counted ones (`counted`), prices the published ones. No measured time is used: durations of
calls are constants here, well above the measured ones, so that the sheet is the same everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from infra.bench import prices
from infra.bench.counted import all_counted
from infra.bench.measurements import Measurement, Place, markdown
from infra.bench.prices import MILLION
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
    rows = [(line.what, f"{line.dollars:,.2f}", line.parts) for line in lines]
    return markdown(("us-east-1, on demand", "dollars", "of which"), rows)


def _orders(counted: Mapping[str, float]) -> list[Line]:
    lines = []
    # Orders alone are counted by the minute, at ten a second; a fold's account in a batch of a hundred.
    by_the_minute = figures_dollars(10, prices.COUNTED_SECONDS) / MILLION
    once = counted["roll_up of 100 merchants: write units an account"] * prices.WRITE_UNIT + prices.READ_UNIT
    once += _call(prices.STREAM_GB, prices.FOLD_SECONDS) / prices.BATCH
    alone = ("order alone", "each alone", 1, prices.CALL_SECONDS, by_the_minute)
    folded = ("order, 99 together", f"folded by {prices.FOLD}", prices.FOLD, prices.FOLD_SECONDS, once / prices.FOLD)
    for counted_as, how, together, seconds, figures in (alone, folded):
        parts = {
            "ledger": counted[f"{counted_as}: write units"] * prices.WRITE_UNIT,
            "figures": figures,
            "function": _call(prices.INGEST_GB, seconds) / together,
            # Sent alone or ten at once, received and deleted as many at once.
            "queue": 3 * prices.QUEUE_REQUEST / min(together, prices.RECEIVED_AT_ONCE),
        }
        each = ", ".join(f"{what} {dollars * MILLION:,.2f}" for what, dollars in parts.items())
        lines.append(Line(f"a million orders, {how}", sum(parts.values()) * MILLION, each))
    usual = {**ordinary(10, prices.WINDOW_SECONDS).dollars(), "figures": by_the_minute * MILLION}
    each = ", ".join(f"{what} {dollars:,.2f}" for what, dollars in usual.items())
    lines.append(Line("… as they come: ten a second, of a thousand shops", sum(usual.values()), f"simulated: {each}"))
    lines.append(Line("plus the bus, if they arrive by it", prices.BUS_EVENT * MILLION, "paid by the sender"))
    return lines


def _statuses(counted: Mapping[str, float]) -> list[Line]:
    read = counted["status, uncached: read units"] * prices.READ_UNIT
    table, memory = _call(prices.API_GB, prices.READ_SECONDS) + read, _call(prices.API_GB, prices.CACHED_SECONDS)
    logged = prices.ACCESS_LINE_BYTES / 10**9 * prices.LOG_GB
    rest, public = prices.GATEWAY_REQUEST + logged, prices.HTTP_API_REQUEST + logged
    asked, kept, visitors = prices.STATUS_ASKED_SECONDS, prices.STATUS_KEPT_SECONDS, prices.VISITORS
    edge = asked / kept * (prices.EDGE_REQUEST + (public + table) / visitors)
    batch = (public + _call(prices.API_GB, prices.CALL_SECONDS)) / prices.BATCH + read
    node = prices.REDIS_NODE_HOUR * prices.HOURS_A_MONTH
    passed = (
        f"{visitors} visitors a shop, a page every {asked} s: one in {round(kept / asked)} gets to the edge, one in "
        f"{round(visitors * kept / asked)} passes it; a million requests of the edge are "
        f"{prices.EDGE_REQUEST * MILLION:,.2f}"
    )
    said = {
        "a million status checks, from the table": (public + table, "over the HTTP API"),
        "… from the function's memory or Redis": (public + memory, f"Redis: {node:,.2f} a month for a node besides"),
        "… over the REST API, from the table": (rest + table, "the same answers"),
        "… of pages, with the edge before the HTTP API": (edge, passed),
        "… in batches of a hundred": (batch, "one request and one read for all"),
        "… from the browser's cache": (0.0, f"{kept} s each"),
    }
    return [Line(what, dollars * MILLION, parts) for what, (dollars, parts) in said.items()]


def _standing(counted: Mapping[str, float]) -> list[Line]:
    bytes_kept = 2 * (ceil(counted["largest order's item"]) + 100)
    return [
        Line(
            "a month of keeping a million orders",
            bytes_kept * MILLION / 10**9 * prices.STORED_GB_MONTH,
            "transaction and index, with point-in-time recovery; with the longest ids",
        ),
        Line(
            "a month of idling",
            prices.polls(),
            "Lambda's polls of the inbox and the waiting queue; all else is paid by use (alarms: 0.10 each)",
        ),
    ]


def _call(gigabytes: float, seconds: float) -> float:
    return prices.call(gigabytes, seconds) + prices.LINE


def sheet_of(figures: Sequence[Measurement]) -> str:
    """Return the sheet for these counted figures."""
    return text(sheet({figure.name: figure.value for figure in figures}))


if __name__ == "__main__":
    PLACE.show(sheet_of(all_counted()))

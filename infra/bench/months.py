"""What a month costs, all in, for three sizes of fleet: `python -m infra.bench.months` (`--write`: into infra/docs).

Units and requests are the counted ones (`counted`), prices the published ones of us-east-1 without free tiers. The
fleet's behaviour is defined here; alarms and their metrics are counted in the template.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from infra.bench import prices
from infra.bench.counted import all_counted
from infra.bench.measurements import Measurement, Place, markdown
from infra.packaging.template import ROOT, TEMPLATE
from infra.packaging.yaml_text import yaml_parse

PLACE: Final = Place(name="months", module="infra.bench.months", page=ROOT / "infra/docs/costs.md")

ORDERS, STATUSES = 300, 3_000
"""A shop's month: ten orders a day, and a hundred statuses a day that no cache has answered."""
MONTHS_KEPT: Final = 12
SECONDS_A_MONTH: Final = prices.HOURS_A_MONTH * 3600
EVENTS_OUT: Final = 0.1
"""Events that an order publishes, on average: crossings, refunds, payments."""
METRICS: Final = 41
"""Custom metrics by name and dimensions (chalicelib/telemetry.py, without METRICS_PER_MERCHANT)."""
TASKS: Final = 2

# aws.amazon.com/cloudwatch/pricing, fargate/pricing, vpc/pricing, eventbridge/pricing (2026-11).
ALARM_METRIC, CUSTOM_METRIC, DASHBOARD = 0.10, 0.30, 3.00
VCPU_HOUR, GB_HOUR = 0.03238, 0.00356  # ARM
NAT_HOUR, NAT_GB = 0.045, 0.045
ARCHIVE_GB = 0.10
SECRET = 0.40
EVENT_BYTES: Final = 1_500


SIZES = (10, 10_000, 1_000_000)
"""Fleets, in shops."""


def month(shops: int, counted: Mapping[str, float]) -> dict[str, float]:
    """Return the dollars of a fleet's month by purpose."""
    orders, statuses = shops * ORDERS, shops * STATUSES
    together = min(prices.BATCH, max(1.0, orders / SECONDS_A_MONTH * window_seconds()))
    alone = together < 2  # noqa: PLR2004 - a batch of one costs what one merchant alone does
    of = "one merchant: write units" if alone else "100 merchants: write units an account"
    share = counted[f"roll_up of {of}"]
    events = orders * EVENTS_OUT
    return {
        "ledger": orders * counted["order alone: write units"] * prices.WRITE_UNIT,
        "figures (roll_up)": orders * (share * prices.WRITE_UNIT + prices.call(prices.STREAM_GB) / together),
        "functions": orders * prices.call(prices.INGEST_GB)
        + statuses * prices.call(prices.API_GB, prices.READ_SECONDS),
        "queues and bus": orders * (3 * prices.QUEUE_REQUEST + prices.BUS_EVENT)
        + events * (prices.BUS_EVENT + 3 * prices.QUEUE_REQUEST)
        + prices.polls(),
        "API Gateway": statuses * prices.HTTP_API_REQUEST,
        "reads": statuses * counted["status, uncached: read units"] * prices.READ_UNIT,
        "logs": (2 * orders + statuses) * prices.LINE + statuses * prices.ACCESS_LINE_BYTES / 10**9 * prices.LOG_GB,
        "kept for a year": orders
        * MONTHS_KEPT
        * (2 * counted["largest order's item"] * prices.STORED_GB_MONTH + EVENT_BYTES * ARCHIVE_GB)
        / 10**9,
        "watching": alarm_metrics() * ALARM_METRIC + METRICS * CUSTOM_METRIC + DASHBOARD,
        "bridge": TASKS * (0.25 * VCPU_HOUR + 0.5 * GB_HOUR) * prices.HOURS_A_MONTH + SECRET,
        "NAT gateway": NAT_HOUR * prices.HOURS_A_MONTH + (orders + events) * EVENT_BYTES / 10**9 * NAT_GB,
    }


def window_seconds() -> float:
    """Return how long a stream collects records for `roll_up`, where no statuses are shared over Redis."""
    resources: dict[str, Any] = yaml_parse((ROOT / TEMPLATE).read_text())["Resources"]
    (source,) = resources["RollUp"]["Properties"]["Events"].values()
    _, _, alone = source["Properties"]["MaximumBatchingWindowInSeconds"]["Fn::If"]
    return float(alone)


def alarm_metrics() -> int:
    """Return how many metrics all alarms read together: each is billed."""
    resources: dict[str, Any] = yaml_parse((ROOT / "infra/monitoring/alarms.yaml").read_text())["Resources"]
    alarms = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    return sum(sum("MetricStat" in one for one in alarm.get("Metrics", [])) or 1 for alarm in alarms)


def text(figures: Sequence[Measurement]) -> str:
    """Return the sheet as Markdown."""
    counted = {figure.name: figure.value for figure in figures}
    months = [month(shops, counted) for shops in SIZES]
    together = [sum(one.values()) for one in months]
    rows = [
        *([what, *(f"{one[what]:,.2f}" for one in months)] for what in months[0]),
        ["**together**", *(f"**{dollars:,.2f}**" for dollars in together)],
        ["a shop", *(f"{dollars / shops:,.4f}" for dollars, shops in zip(together, SIZES, strict=True))],
    ]
    return markdown(["us-east-1, dollars a month", *(f"{shops:,} shops" for shops in SIZES)], rows)


if __name__ == "__main__":
    PLACE.show(text(all_counted()))

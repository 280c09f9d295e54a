"""The metrics (contract, section 7) as Prometheus text, made by prometheus-client from what `FleetReader` read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UntypedMetricFamily,
)
from prometheus_client.registry import Collector

from chalicelib.adapters.dynamodb.fleet import BridgeView, Fleet
from chalicelib.domain.figures import Figures
from chalicelib.domain.ids import MerchantId
from chalicelib.telemetry import BUCKET, COUNT, INFINITE, PROCESSING_SECONDS, SECONDS, SUM, name_and_labels, sample

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_COUNTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "credits_plugin_status_checks_total": ("Plugin statuses answered.", ("status",)),
    "credits_plugin_status_unavailable_total": ("Plugin statuses answered while the table was unreadable.", ()),
    "credits_events_published_total": ("Events that the bus accepted.", ("event_type",)),
    "credits_messages_parked_total": ("Messages put into the dead-letter queue.", ("code",)),
    "credits_conflicts_total": ("Movements whose key is recorded with other content.", ()),
    "credits_duplicates_total": ("Movements that had been recorded before.", ()),
    "credits_orders_changed_total": ("Orders that came again with data that would be charged differently.", ()),
    "credits_events_ignored_total": ("Events, or parts of them, that were ignored by rule.", ("reason",)),
    "credits_fields_dropped_total": ("Fields that move nothing, could not be read and were dropped.", ("field",)),
    "credits_lost_races_total": ("Writes made again because another writer was faster.", ()),
}
"""What containers count, with its help and labels."""


def prometheus_text(fleet: Fleet, *, balances: Mapping[MerchantId, int] | None, now: datetime) -> str:
    """Return the metrics; `balances` adds one for each merchant, None omits them."""
    registry = CollectorRegistry()
    registry.register(_Families(lambda: _families(fleet, balances=balances, now=now)))
    return generate_latest(registry).decode()


@dataclass(frozen=True, slots=True)
class _Families(Collector):
    """A collector for prometheus-client."""

    families: Callable[[], Iterable[Metric]]

    def collect(self) -> Iterable[Metric]:
        return self.families()


def _families(fleet: Fleet, *, balances: Mapping[MerchantId, int] | None, now: datetime) -> Iterable[Metric]:
    yield from _of_the_fleet(fleet.figures)
    for name, (text, labels) in _COUNTED.items():
        yield _counter(name, text, labels, fleet.counters)
    yield _durations(fleet.counters)
    # Without a value where nothing is known yet.
    text = "Differences that the last comparison of the ledger found."
    yield GaugeMetricFamily("credits_ledger_drift", text, value=fleet.marks.drift)
    beat = fleet.marks.heartbeat
    age = None if beat is None else max(0.0, (now - beat).total_seconds())
    text = "Time since the bridge's last heartbeat."
    yield GaugeMetricFamily("credits_bridge_heartbeat_age_seconds", text, value=age)
    yield from _of_the_streams(fleet.marks.bridge, now)
    if balances is not None:
        # Untyped: its name is the contract's, but a balance is no counter.
        family = UntypedMetricFamily("credits_balance_total", "Credits of a merchant.", labels=["merchant_id"])
        for merchant_id, balance in balances.items():
            family.add_metric([merchant_id], balance)
        yield family


def _of_the_fleet(figures: Figures) -> Iterable[Metric]:
    transactions = CounterMetricFamily(
        "credits_transactions", "Transactions recorded.", labels=["type", "reference_type"]
    )
    moved = CounterMetricFamily(
        "credits_moved", "Credits that transactions moved, unsigned.", labels=["type", "reference_type"]
    )
    for kind, of_kind in figures.totals.items():
        labels = [kind.direction.value, kind.transaction_type]
        transactions.add_metric(labels, of_kind.count)
        moved.add_metric(labels, of_kind.credits)
    yield from (transactions, moved)
    yield CounterMetricFamily(
        "credits_balance_updated", "Transactions that changed a balance.", value=figures.transactions
    )
    yield CounterMetricFamily(
        "credits_shortfall", "Credits requested that an account did not have.", value=figures.shortfall
    )
    text = "Credits taken back, or used in a grace, that merchants owe."
    yield GaugeMetricFamily("credits_debt", text, value=figures.debt)
    yield GaugeMetricFamily("credits_merchants", "Merchants with an account.", value=figures.merchants)
    yield GaugeMetricFamily("credits_fleet_balance", "Credits of all merchants.", value=figures.balance)
    yield GaugeMetricFamily("credits_merchants_zero_balance", "Merchants without credits.", value=figures.zero)
    yield GaugeMetricFamily(
        "credits_merchants_low_balance", "Merchants above zero, at or below their threshold.", value=figures.low
    )
    status = GaugeMetricFamily("credits_plugin_status", "Merchants by the status of their plugin.", labels=["status"])
    status.add_metric(["enabled"], figures.enabled)
    status.add_metric(["disabled"], figures.disabled)
    yield status


def _of_the_streams(bridge: BridgeView, now: datetime) -> Iterable[Metric]:
    """Yield what the bridge last saw of NATS, under the names that the bridge's own /metrics uses."""
    labels = ["stream"]
    up = GaugeMetricFamily("credits_bridge_stream_up", "1 when the bridge can read the stream, else 0.", labels=labels)
    waiting = GaugeMetricFamily(
        "credits_bridge_stream_waiting_messages", "Messages that the bridge has not acknowledged yet.", labels=labels
    )
    oldest = GaugeMetricFamily(
        "credits_bridge_stream_oldest_seconds", "Time that the oldest of them has waited.", labels=labels
    )
    dropped = CounterMetricFamily(
        "credits_bridge_stream_dropped_messages",
        "Messages that the stream dropped before they were read, at most.",
        labels=labels,
    )
    for stream in bridge.streams:
        up.add_metric([stream.name], int(stream.ok))
        waiting.add_metric([stream.name], stream.waiting)
        oldest.add_metric([stream.name], stream.age_seconds(now))
        dropped.add_metric([stream.name], stream.dropped)
    yield from (up, waiting, oldest, dropped)


def _counter(name: str, text: str, labels: tuple[str, ...], counters: Mapping[str, float]) -> Metric:
    if not labels:
        return CounterMetricFamily(name, text, value=counters.get(sample(name), 0))
    family = CounterMetricFamily(name, text, labels=labels)
    for key in sorted(counters):
        counted, values = name_and_labels(key)
        if counted == name and values.keys() == set(labels):
            family.add_metric([values[label] for label in labels], counters[key])
    return family


def _durations(counters: Mapping[str, float]) -> Metric:
    family = HistogramMetricFamily(PROCESSING_SECONDS, "Duration of the calls that posted a transaction.")
    bounds = [*map(str, SECONDS), INFINITE]
    counts = [counters.get(sample(PROCESSING_SECONDS + BUCKET, {"le": bound}), 0) for bound in bounds]
    buckets = list(zip(bounds, accumulate(counts), strict=True))
    if counters.get(sample(PROCESSING_SECONDS + COUNT)):
        family.add_metric([], buckets, counters[sample(PROCESSING_SECONDS + SUM)])
    return family

"""The files for Prometheus and Grafana as tests read them."""

import json
import re
from pathlib import Path

from infra.bridge.telemetry import Telemetry

MONITORING = Path(__file__).resolve().parents[2] / "infra/monitoring"
DASHBOARD = MONITORING / "grafana/dashboards/credits.json"

PER_MERCHANT = "credits_balance_total"
"""A metric that is off by default, and so not always there."""

METRICS = (
    "credits_transactions_total",
    "credits_balance_updated_total",
    "credits_transaction_processing_seconds",
    PER_MERCHANT,
    "credits_merchants_zero_balance",
    "credits_merchants_low_balance",
    "credits_plugin_status_checks_total",
    "credits_plugin_status",
    "credits_events_published_total",
    "credits_messages_parked_total",
    "credits_conflicts_total",
    "credits_duplicates_total",
    "credits_events_ignored_total",
    "credits_fields_dropped_total",
    "credits_shortfall_total",
    "credits_plugin_status_unavailable_total",
    "credits_ledger_drift",
    "credits_bridge_heartbeat_age_seconds",
)
"""Every metric that sections 7, 11 and 12 of the contract name."""

BRIDGE_METRICS = tuple(
    name
    for name in re.findall(r"^# TYPE (\S+)", Telemetry().exposition().decode(), re.MULTILINE)
    if name == "process_resident_memory_bytes" or (name.startswith("credits_bridge_") and not name.endswith("_created"))
)
"""Every metric of the bridge, and what would grow if something piled up in it."""


def expressions() -> list[str]:
    """Return the queries of the dashboard's panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]

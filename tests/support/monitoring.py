"""The files for Prometheus and Grafana as tests read them."""

import json
import re
from pathlib import Path

from infra.bridge.telemetry import Telemetry

MONITORING = Path(__file__).resolve().parents[2] / "infra/monitoring"
DASHBOARD = MONITORING / "grafana/dashboards/credits.json"

PER_MERCHANT = "credits_balance_total"
"""A metric that is off by default, and so not always there."""

_DOCS = MONITORING.parent / "docs"


def _named() -> tuple[str, ...]:
    (paragraph,) = re.findall(r"^Metrics, in CloudWatch.*?\n\n", _text("contract.md"), re.MULTILINE | re.DOTALL)
    shown = re.findall(r"^# HELP (credits_[a-z_]+)", _text("metrics.md"), re.MULTILINE)
    return tuple(dict.fromkeys([*re.findall(r"`(credits_[a-z_]+)", paragraph), *shown]))


def _text(page: str) -> str:
    return (_DOCS / page).read_text()


METRICS = _named()
"""Every metric that section 7 of the contract names, or that the guide to /metrics shows."""

BRIDGE_METRICS = tuple(
    name
    for name in re.findall(r"^# TYPE (\S+)", Telemetry().exposition().decode(), re.MULTILINE)
    if name == "process_resident_memory_bytes" or (name.startswith("credits_bridge_") and not name.endswith("_created"))
)
"""Every metric of the bridge, and its memory, which grows if something piles up in it."""


def expressions() -> list[str]:
    """Return the queries of the dashboard's panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]

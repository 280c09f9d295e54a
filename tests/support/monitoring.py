"""The files for Prometheus and Grafana as tests read them."""

import json
import re
from pathlib import Path

MONITORING = Path(__file__).resolve().parents[2] / "infra/monitoring"
DASHBOARD = MONITORING / "grafana/dashboards/credits.json"

PER_MERCHANT = "credits_balance_total"
"""A metric that is off by default, and so not always there."""

_CONTRACT = MONITORING.parent / "docs/contract.md"
_NAMED = re.compile(r"`(credits_[a-z_]+)")


def _named_by_the_contract() -> tuple[str, ...]:
    (paragraph,) = re.findall(r"^Metrics, in CloudWatch.*?\n\n", _CONTRACT.read_text(), re.MULTILINE | re.DOTALL)
    return tuple(_NAMED.findall(paragraph))


METRICS = _named_by_the_contract()
"""Every metric that section 7 of the contract names."""


def expressions() -> list[str]:
    """Return the queries of the dashboard's panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]

"""Prometheus's files and Grafana's dashboard: every metric stands there, and every alert fires when it should."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.packaging.yaml_text import yaml_parse
from tests.support.monitoring import BRIDGE_METRICS, DASHBOARD, METRICS, MONITORING, expressions

PROMETHEUS = MONITORING / "prometheus"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None,
    reason="promtool is missing, so nobody has judged Prometheus's files: install Debian's package prometheus",
)
PANEL_TITLES = 24


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml_parse((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        yield from group["rules"]


@pytest.mark.parametrize("metric", sorted({*METRICS, *BRIDGE_METRICS}))
def test_every_metric_of_the_service_and_of_the_bridge_stands_in_the_dashboard(metric: str) -> None:
    assert any(re.search(rf"\b{metric}(_bucket)?\b", expression) for expression in expressions())


def test_each_panel_says_what_it_shows_and_none_covers_another() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [panel for panel in panels if panel["type"] != "row"]
    assert len({panel["title"] for panel in shown}) == len(shown) >= PANEL_TITLES
    assert all(panel["description"] for panel in shown)
    taken = [
        (column, line)
        for place in (panel["gridPos"] for panel in panels)
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(column for column, _ in taken) < 24


def test_the_dashboard_asks_the_source_that_is_provisioned() -> None:
    provisioned = yaml_parse((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())
    (source,) = provisioned["datasources"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"}
    assert asked == {source["uid"]}


def test_every_alert_says_what_it_means_and_fires_in_a_test() -> None:
    tested = (PROMETHEUS / "alerts_test.yml").read_text()
    for alert in alerts():
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "description", "runbook"}
        assert (MONITORING / "runbook" / alert["annotations"]["runbook"]).is_file()
        assert f"alertname: {alert['alert']}, eval_time" in tested, "it must be seen to hold its tongue"
        assert f'alertname="{alert["alert"]}"' in tested, "it must be seen to fire"


def promtool(*arguments: str, folder: Path = PROMETHEUS) -> None:
    assert PROMTOOL is not None
    said = subprocess.run([PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration(tmp_path: Path) -> None:
    promtool("check", "rules", "alerts.yml")
    token = tmp_path / "ops-token"
    token.write_text("token")
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    configuration = tmp_path / "prometheus/prometheus.yml"
    configuration.write_text(configuration.read_text().replace("/etc/credits/ops-token", str(token)))
    promtool("check", "config", "prometheus.yml", folder=tmp_path / "prometheus")


@needs_promtool
def test_every_alert_fires_on_what_it_is_for_and_a_healthy_service_is_quiet() -> None:
    promtool("test", "rules", "alerts_test.yml")


@needs_promtool
def test_every_question_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    asked = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions())]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": asked}]}))
    promtool("check", "rules", "panels.yml", folder=tmp_path)

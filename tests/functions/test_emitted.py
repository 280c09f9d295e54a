"""What our alarms wait for, as CloudWatch gets it: namespace, name and dimensions (tests/infra/test_alarms.py)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import app
from chalicelib.adapters.dynamodb.fleet import HEARTBEAT, RECONCILED
from chalicelib.domain.errors import RetryLater
from chalicelib.settings import settings
from chalicelib.wiring import for_figures
from infra.bridge.states import StreamState
from tests.support.api import Api, Aws, Ledger, throttled
from tests.support.builders import SHOP
from tests.support.events import Context
from tests.support.figures_tables import FiguresTable, created
from tests.support.heartbeats import beat

FIGURES_TABLE = "figures-test"
EVERY_MINUTE = {
    "version": "0",
    "id": "8d3bf1f6",
    "account": "123456789012",
    "region": "us-east-1",
    "time": "2025-06-01T12:00:00Z",
    "source": "aws.events",
    "resources": [],
    "detail-type": "Scheduled Event",
    "detail": {},
}
SAYING = "from chalicelib.telemetry import count, gauge; gauge('credits_ledger_drift', 2); count('credits_x', 1)"


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the service as the template does."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "credit-service")


@pytest.fixture
def table(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[FiguresTable]:
    monkeypatch.setenv("FIGURES_TABLE", FIGURES_TABLE)
    settings.cache_clear()
    for_figures.fleet.cache_clear()
    yield created(ledger.client, FIGURES_TABLE)
    for_figures.fleet.cache_clear()


def emitted(output: str) -> dict[str, tuple[str, list[str], float]]:
    """Return what CloudWatch makes of a log: by metric its namespace, its dimensions and its value."""
    found = {}
    for line in output.splitlines():
        if '"_aws"' not in line:
            continue
        said: dict[str, Any] = json.loads(line)
        for block in said["_aws"]["CloudWatchMetrics"]:
            for metric in block["Metrics"]:
                (dimensions,) = block["Dimensions"]
                found[metric["Name"]] = (block["Namespace"], dimensions, said[metric["Name"]][0])
    return found


def report() -> None:
    app.report_marks(EVERY_MINUTE, Context())


def test_the_age_of_the_bridges_heartbeat_is_told_in_seconds(
    table: FiguresTable, capsys: pytest.CaptureFixture[str]
) -> None:
    table.put(HEARTBEAT, at=(datetime.now(UTC) - timedelta(seconds=90)).isoformat())

    report()

    namespace, dimensions, seconds = emitted(capsys.readouterr().out)["credits_bridge_heartbeat_age_seconds"]
    assert (namespace, dimensions) == ("credits", ["service"])
    assert 90 <= seconds < 150


def test_a_stream_that_waits_or_fails_or_has_dropped_messages_is_told(
    table: FiguresTable, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    oldest, long_ago = now - timedelta(seconds=400), now - timedelta(hours=2)
    beat(
        table,
        now,
        StreamState(name="SHOPIFY", detail="paused", waiting=3, oldest_at=oldest),
        StreamState(name="CREDIT", ok=True, dropped=3, dropped_at=now),
        StreamState(name="OLD", ok=True, dropped=5, dropped_at=long_ago),
    )

    report()

    told = emitted(capsys.readouterr().out)
    assert all(dimensions == ["service"] for _, dimensions, _ in told.values())
    assert told["credits_bridge_streams_failing"][2] == 1
    assert told["credits_bridge_stream_dropped_messages"][2] == 3
    assert 400 <= told["credits_bridge_stream_oldest_seconds"][2] < 460


def test_the_drift_that_was_found_last_is_told(table: FiguresTable, capsys: pytest.CaptureFixture[str]) -> None:
    table.client.put_item(TableName=table.name, Item={"id": {"S": RECONCILED}, "drift": {"N": "3"}})

    report()

    assert emitted(capsys.readouterr().out) == {"credits_ledger_drift": ("credits", ["service"], 3.0)}


def test_nothing_is_told_of_a_bridge_or_a_comparison_that_never_was(
    table: FiguresTable, capsys: pytest.CaptureFixture[str]
) -> None:
    report()

    assert emitted(capsys.readouterr().out) == {}


def test_figures_that_cannot_be_read_fail_the_call_so_that_its_alarm_tells(table: FiguresTable, aws: Aws) -> None:
    aws.fault = throttled()

    with pytest.raises(RetryLater):
        report()


def test_a_status_that_is_unavailable_is_told(api: Api, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.fault = throttled()

    api.get(f"/credits/plugin-status/{SHOP}", route="/credits/plugin-status/{merchant_id}")

    found = emitted(capsys.readouterr().out)
    assert found["credits_plugin_status_unavailable_total"] == ("credits", ["service"], 1.0)


def test_the_namespace_is_that_of_the_stack() -> None:
    environment = {**os.environ, "POWERTOOLS_METRICS_NAMESPACE": "credits-prod", "POWERTOOLS_SERVICE_NAME": "shops"}
    ran = subprocess.run(
        [sys.executable, "-c", SAYING], env=environment, capture_output=True, check=True, text=True, timeout=60
    )

    assert emitted(ran.stdout) == {
        "credits_ledger_drift": ("credits-prod", ["service"], 2.0),
        "credits_x": ("credits-prod", ["service"], 1.0),
    }

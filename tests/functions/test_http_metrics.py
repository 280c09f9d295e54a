"""The fleet in figures and the metrics: who may ask, what they say, and that promtool finds nothing to say."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from prometheus_client.parser import text_string_to_metric_families

from app import app
from chalicelib import telemetry
from chalicelib.adapters.dynamodb.fleet import HEARTBEAT, RECONCILED
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total
from chalicelib.settings import settings
from chalicelib.telemetry import sample
from chalicelib.usecases.counting import count
from chalicelib.wiring import for_figures
from infra.bridge.states import StreamState
from tests.support.api import ADMIN, CREDITS_TABLE, NOON, OPS, OWNER, Api, Aws, Ledger, throttled
from tests.support.builders import SHOP, account_of, merchant
from tests.support.calls import FakeCall
from tests.support.figures_tables import FiguresTable, created
from tests.support.heartbeats import beat

FIGURES_TABLE = "figures-test"
PROMTOOL = shutil.which("promtool")
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

PATHS = ("/metrics", "/api/v1/metrics")
PLUGIN_STATUS_METRICS = "/api/v1/credits/plugin-status/metrics"

TOTALS = {Kind.TRIAL: Total(count=1, credits=100), Kind.ORDER_USED: Total(count=4, credits=7)}


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)["data"]

    @property
    def samples(self) -> Samples:
        return {
            (one.name, frozenset(one.labels.items())): one.value
            for family in text_string_to_metric_families(self.text)
            for one in family.samples
        }


def asked(path: str, token: Mapping[str, str] | None) -> Said:
    """Return what the application answers to a GET of a path, under the root or not."""
    event = {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "request-1",
            "resourcePath": path,
            "httpMethod": "GET",
            "path": f"/test{path}",
            "stage": "test",
            **({"authorizer": dict(token)} if token is not None else {}),
        },
        "body": None,
        "isBase64Encoded": False,
    }
    answer = app(event, None)
    return Said(answer["statusCode"], answer["headers"], answer["body"])


def forget_the_container() -> None:
    for_figures.fleet.cache_clear()
    for_figures.container_counters.cache_clear()
    telemetry.counters._values.clear()
    telemetry._unsent.clear()
    telemetry._unsent_seconds.clear()
    for_figures.counter_writer.cache_clear()


@pytest.fixture
def table(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[FiguresTable]:
    monkeypatch.setenv("FIGURES_TABLE", FIGURES_TABLE)
    settings.cache_clear()
    forget_the_container()
    yield created(ledger.client, FIGURES_TABLE)
    forget_the_container()


def some(balance: int, *, name: str = "shop") -> Account:
    return replace(account_of(balance, of=merchant(name)), totals=TOTALS, total_shortfall=3)


FLEET = [some(0), some(20, name="low"), some(21, name="fine"), some(100, name="rich")]


def counted(table: FiguresTable, accounts: list[Account]) -> None:
    assert count(table.store, accounts, time=FakeCall().time) == set()


@pytest.mark.parametrize("path", [*PATHS, PLUGIN_STATUS_METRICS])
@pytest.mark.parametrize(
    ("token", "status"),
    [
        (None, 401),
        ({**OPS, "expires_at": "1"}, 401),
        (OWNER, 403),
        (ADMIN, 403),
        ({"scope": "credits:opsy", "subject": "ops"}, 403),
        (OPS, 200),
    ],
)
def test_only_those_who_operate_the_service_get_an_answer(
    table: FiguresTable, aws: Aws, path: str, token: Mapping[str, str] | None, status: int
) -> None:
    aws.calls.clear()

    said = asked(path, token)

    assert said.status == status
    assert status == 200 or "BatchGetItem" not in aws.operations()


def test_the_fleet_is_told_in_figures(table: FiguresTable) -> None:
    counted(table, FLEET)

    assert asked(PLUGIN_STATUS_METRICS, OPS).data == {
        "total_merchants": 4,
        "enabled_count": 3,
        "disabled_count": 1,
        "enabled_percentage": 75.0,
        "average_balance": 35.25,
        "zero_balance_count": 1,
        "low_balance_count": 1,
    }


def test_a_fleet_of_nobody_is_zero_throughout(table: FiguresTable) -> None:
    assert set(asked(PLUGIN_STATUS_METRICS, OPS).data.values()) == {0}


def test_figures_that_cannot_be_read_are_unavailable_without_internals(table: FiguresTable, aws: Aws) -> None:
    aws.fault = throttled()

    for path in (*PATHS, PLUGIN_STATUS_METRICS):
        said = asked(path, OPS)
        assert said.status == 503
        assert FIGURES_TABLE not in said.text


def labels(**pairs: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairs.items())


def test_the_fleets_figures_are_metrics(table: FiguresTable) -> None:
    counted(table, FLEET)

    said = asked("/metrics", OPS)

    assert said.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = said.samples
    trial = labels(type="INCREASE", reference_type="TRIAL")
    assert found["credits_transactions_total", trial] == 4
    assert found["credits_transactions_total", labels(type="DECREASE", reference_type="ORDER_PAID")] == 16
    assert found["credits_moved_total", trial] == 400
    assert found["credits_balance_updated_total", labels()] == 20
    assert found["credits_shortfall_total", labels()] == 12
    assert found["credits_merchants", labels()] == 4
    assert found["credits_fleet_balance", labels()] == 141
    assert found["credits_merchants_zero_balance", labels()] == 1
    assert found["credits_merchants_low_balance", labels()] == 1
    assert found["credits_plugin_status", labels(status="enabled")] == 3
    assert found["credits_plugin_status", labels(status="disabled")] == 1


def test_every_metric_of_the_contract_is_there(table: FiguresTable) -> None:
    families = {family.name for family in text_string_to_metric_families(asked("/metrics", OPS).text)}

    assert {
        "credits_transactions",
        "credits_balance_updated",
        "credits_transaction_processing_seconds",
        "credits_merchants_zero_balance",
        "credits_merchants_low_balance",
        "credits_plugin_status_checks",
        "credits_plugin_status",
        "credits_events_published",
        "credits_messages_parked",
        "credits_conflicts",
        "credits_duplicates",
        "credits_orders_changed",
        "credits_lost_races",
        "credits_shortfall",
        "credits_plugin_status_unavailable",
        "credits_ledger_drift",
        "credits_bridge_heartbeat_age_seconds",
    } <= families
    assert "credits_balance_total" not in families


def test_status_checks_are_counted_by_their_answer(api: Api, table: FiguresTable, ledger: Ledger) -> None:
    counted(table, FLEET)
    ledger.client.put_item(TableName=CREDITS_TABLE, Item=account_item(some(0)))
    with time_machine.travel(NOON, tick=False):
        for shop, times in ((SHOP, 3), (merchant("nobody"), 2)):
            for _ in range(times):
                api.get(f"/credits/plugin-status/{shop}", route="/credits/plugin-status/{merchant_id}")
    for_figures.counter_writer.cache_clear()

    found = asked("/metrics", OPS).samples

    assert found["credits_plugin_status_checks_total", labels(status="disabled")] == 5
    assert ("credits_plugin_status_checks_total", labels(status="enabled")) not in found


def test_what_functions_counted_is_there_too(table: FiguresTable) -> None:
    telemetry.count("credits_messages_parked_total", 2, {"code": "not_json"})
    telemetry.count("credits_events_published_total", 3, {"event_type": "evt.credits.adjusted"})
    telemetry.count("credits_duplicates_total", 4)
    telemetry.processed(0.02, 3)
    telemetry.processed(20.0, 1)

    found = asked("/metrics", OPS).samples

    name = telemetry.PROCESSING_SECONDS
    assert found["credits_messages_parked_total", labels(code="not_json")] == 2
    assert found["credits_events_published_total", labels(event_type="evt.credits.adjusted")] == 3
    assert found["credits_duplicates_total", labels()] == 4
    assert found["credits_conflicts_total", labels()] == 0
    assert found[f"{name}_bucket", labels(le="0.01")] == 0
    assert found[f"{name}_bucket", labels(le="0.025")] == found[f"{name}_bucket", labels(le="10.0")] == 3
    assert found[f"{name}_bucket", labels(le="+Inf")] == found[f"{name}_count", labels()] == 4
    assert found[f"{name}_sum", labels()] == pytest.approx(20.06)


def test_the_bridges_heartbeat_has_an_age_and_the_comparison_a_finding(table: FiguresTable) -> None:
    assert ("credits_bridge_heartbeat_age_seconds", labels()) not in asked("/metrics", OPS).samples
    table.put(HEARTBEAT, at="2025-06-01T11:59:18.500+00:00", status="ok")
    table.client.put_item(TableName=table.name, Item={"id": {"S": RECONCILED}, "drift": {"N": "2"}})

    with time_machine.travel(NOON, tick=False):
        found = asked("/metrics", OPS).samples

    assert found["credits_bridge_heartbeat_age_seconds", labels()] == 41.5
    assert found["credits_ledger_drift", labels()] == 2


def test_each_stream_of_the_bridge_is_there_by_its_name(table: FiguresTable) -> None:
    oldest = NOON - timedelta(seconds=90)
    beat(table, NOON, StreamState(name="SHOPIFY", waiting=7, oldest_at=oldest, dropped=2))

    with time_machine.travel(NOON, tick=False):
        found = asked("/metrics", OPS).samples

    of_it = labels(stream="SHOPIFY")
    assert found["credits_bridge_stream_up", of_it] == 0
    assert found["credits_bridge_stream_waiting_messages", of_it] == 7
    assert found["credits_bridge_stream_oldest_seconds", of_it] == 90
    assert found["credits_bridge_stream_dropped_messages_total", of_it] == 2


@pytest.fixture
def per_merchant(table: FiguresTable, monkeypatch: pytest.MonkeyPatch) -> FiguresTable:
    monkeypatch.setenv("METRICS_PER_MERCHANT", "on")
    settings.cache_clear()
    return table


def test_each_merchants_balance_is_a_metric_only_where_that_is_switched_on(
    per_merchant: FiguresTable, ledger: Ledger
) -> None:
    ledger.client.put_item(TableName=CREDITS_TABLE, Item=account_item(some(100)))

    assert asked("/metrics", OPS).samples["credits_balance_total", labels(merchant_id=SHOP)] == 100


def test_too_many_merchants_are_left_out(
    per_merchant: FiguresTable, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chalicelib.adapters.dynamodb.fleet.MERCHANTS_MAX", 1)
    ledger.client.put_item(TableName=CREDITS_TABLE, Item=account_item(some(100)))

    assert "credits_balance_total" not in asked("/metrics", OPS).text
    assert "too many merchants" in capsys.readouterr().out


@pytest.mark.skipif(
    PROMTOOL is None and not os.environ.get("CI"),
    reason="promtool is missing, so nobody but our own parser has read the metrics: install Debian's prometheus",
)
def test_promtool_finds_nothing_to_say(per_merchant: FiguresTable, ledger: Ledger) -> None:
    assert PROMTOOL is not None, "CI must have promtool"
    counted(per_merchant, FLEET)
    ledger.client.put_item(TableName=CREDITS_TABLE, Item=account_item(some(100)))
    per_merchant.put(HEARTBEAT, at="2025-06-01T11:59:18.500+00:00")
    telemetry.count("credits_events_published_total", 3, {"event_type": "evt.credits.adjusted"})
    telemetry.processed(0.02, 3)
    telemetry.add_up(sample("credits_plugin_status_checks_total", {"status": "enabled"}))
    text = asked("/metrics", OPS).text

    checked = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_counters_are_laid_down_at_most_every_ten_seconds_and_only_when_changed(table: FiguresTable, aws: Aws) -> None:
    telemetry.count("credits_duplicates_total", 1)
    for_figures.counter_writer().write(now=100.0)
    aws.calls.clear()

    telemetry.count("credits_duplicates_total", 1)
    for_figures.counter_writer().write(now=109.9)
    assert aws.operations() == []
    for_figures.counter_writer().write(now=110.1)
    assert aws.operations() == ["PutItem"]
    for_figures.counter_writer().write(now=121.0)
    assert aws.operations() == ["PutItem"]


def test_a_figures_table_that_fails_costs_no_answer(
    api: Api, table: FiguresTable, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.count("credits_duplicates_total", 1)
    table.client.delete_table(TableName=FIGURES_TABLE)

    assert [api.get("/health").status for _ in range(2)] == [200, 200]

    assert "counters not written" in capsys.readouterr().out


def test_status_checks_reach_cloudwatch_in_sums(
    api: Api, table: FiguresTable, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(4):
        api.get(f"/credits/plugin-status/{SHOP}", route="/credits/plugin-status/{merchant_id}")
    for_figures.counter_writer().write(now=float("inf"))

    said = capsys.readouterr().out
    # The first two of a container, and the rest together.
    assert re.findall(r'"credits_plugin_status_checks_total":\[(\d)\.0\]', said) == ["1", "1", "2"]


def test_the_first_call_that_somebody_waits_for_leaves_the_table_to_the_second(
    api: Api, table: FiguresTable, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.count("credits_duplicates_total", 1)
    aws.calls.clear()

    api.get("/health")
    assert aws.operations() == []

    api.get("/health")
    assert "PutItem" in aws.operations()

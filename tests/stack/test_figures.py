"""The fleet's figures on the running stack: half a thousand events, every record a second time, and a recount."""

import http.client
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.deploying.emulator import ROOT, emulator_client
from infra.local.ports import DEFAULT_PORTS
from tests.support.builders import merchant
from tests.support.engines import free_port, stop
from tests.support.running_stack import until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("figures stack")]

READY_SECONDS = 300.0
SETTLED_SECONDS = 300.0
END_SECONDS = 90.0
SHOPS = [merchant(f"figures {number}") for number in range(12)]
ORDERS, PAYMENTS, REPEATS = 400, 60, 40
EVENTS = len(SHOPS) + ORDERS + PAYMENTS + REPEATS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    directory: Path
    description: Mapping[str, Any]

    def client(self, service: str) -> Any:
        return emulator_client(self.description["aws_endpoint"], service)

    def get(self, path: str, token: str | None = None) -> tuple[int, str]:
        parts = urlsplit(self.description["api_url"])
        with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def credits(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Return what the command line says."""
        command = [sys.executable, "-m", "infra.commands.cli", *arguments]
        environment = {**os.environ, "LOCAL_DIR": str(self.directory)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("figures") / "local"
    ports = {setting: str(free_port()) for setting in DEFAULT_PORTS}
    output = directory.parent / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            cwd=ROOT,
            env={**os.environ, "TRAFFIC": "off", **ports, "LOCAL_DIR": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not (directory / "stack.json").exists():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        yield Stack(directory=directory, description=json.loads((directory / "stack.json").read_text()))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(END_SECONDS)
        stop(process)


def events() -> list[str]:
    """Return the bodies of all events, each shop's opening first, the repeats in between."""
    chosen = random.Random(7)  # noqa: S311 - the same every time

    def body(event_type: str, **payload: Any) -> str:
        return json.dumps({"event_type": event_type, "payload": payload})

    opened = [body("evt.merchant.created", merchant_id=shop) for shop in SHOPS]
    # The first shops sell so much that they run out.
    shops = [*SHOPS, *SHOPS[:2] * 10]
    orders = [
        body("evt.shopify.webhook.order_paid", merchant_id=chosen.choice(shops), order_id=number)
        for number in range(ORDERS)
    ]
    payments = [
        body("evt.billing.payment_succeeded", merchant_id=chosen.choice(SHOPS[2:]), payment_id=f"p{number}", credits=3)
        for number in range(PAYMENTS)
    ]
    rest = [*orders, *payments, *chosen.sample(orders, REPEATS)]
    chosen.shuffle(rest)
    return [*opened, *rest]


@pytest.fixture(scope="module")
def settled(stack: Stack) -> Stack:
    """Send all events, and wait until the ledger has them."""
    sqs, inbox = stack.client("sqs"), stack.description["inbox_queue_url"]
    bodies = events()
    assert len(bodies) == EVENTS
    for start in range(0, EVENTS, 10):
        entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies[start : start + 10])]
        sqs.send_message_batch(QueueUrl=inbox, Entries=entries)
    expected = len(SHOPS) + ORDERS + PAYMENTS
    deadline = time.monotonic() + SETTLED_SECONDS
    dynamodb, table = stack.client("dynamodb"), stack.description["transactions_table"]
    while dynamodb.scan(TableName=table, Select="COUNT")["Count"] < expected:
        assert time.monotonic() < deadline, "the events were not ingested"
        time.sleep(0.3)
    return stack


def stream_records(stack: Stack) -> list[dict[str, Any]]:
    """Return every record of the credits table's stream, as its functions get them."""
    table = stack.client("dynamodb").describe_table(TableName=stack.description["credits_table"])["Table"]
    streams = stack.client("dynamodbstreams")
    arn = table["LatestStreamArn"]
    records: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        position = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(**position)["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator, Limit=1000)
            for one in answer["Records"]:
                kept = {name: one["dynamodb"][name] for name in ("Keys", "NewImage", "SequenceNumber")}
                records.append({"eventName": one["eventName"], "eventSourceARN": arn, "dynamodb": kept})
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return records


def recount(stack: Stack) -> dict[str, Any]:
    ran = stack.credits("recount", "--json", "--wait", "120")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_the_figures_equal_a_recount_also_when_every_record_comes_a_second_time(settled: Stack) -> None:
    first = recount(settled)
    assert first["equal"]
    assert first["merchants"]["figures"] == len(SHOPS)
    assert first["ORDER_PAID DECREASE transactions"]["figures"] == ORDERS
    assert min(first["zero"]["figures"], first["shortfall"]["figures"]) > 0, "a dull history"

    records = stream_records(settled)
    assert len(records) >= len(SHOPS)
    for start in range(0, len(records), 100):
        answer = settled.client("lambda").invoke(
            FunctionName=settled.description["functions"]["roll_up"],
            Payload=json.dumps({"Records": records[start : start + 100]}).encode(),
        )
        assert json.load(answer["Payload"]) == {"batchItemFailures": []}

    assert recount(settled) == first


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_tell_of_the_fleet_the_functions_and_the_bridge(settled: Stack) -> None:
    figures = recount(settled)
    token = settled.credits("token", "--scope", "credits:ops").stdout.strip()
    for path in ("/metrics", "/api/v1/metrics"):
        assert settled.get(path)[0] == 401
        status, text = settled.get(path, token)
        assert status == 200, text

    found = samples(text)

    labels = frozenset({("type", "DECREASE"), ("reference_type", "ORDER_PAID")})
    assert found["credits_transactions_total", labels] == ORDERS
    assert found["credits_merchants_zero_balance", frozenset()] == figures["zero"]["figures"]
    assert found["credits_shortfall_total", frozenset()] == figures["shortfall"]["figures"]
    assert found["credits_transaction_processing_seconds_count", frozenset()] > 0

    def age_of_the_heartbeat() -> float:
        return samples(settled.get("/metrics", token)[1])["credits_bridge_heartbeat_age_seconds", frozenset()]

    until("a heartbeat", lambda: 0 <= age_of_the_heartbeat() < 15)


def test_the_fleet_is_told_at_the_plugin_status_route_too(settled: Stack) -> None:
    figures = recount(settled)
    status, text = settled.get("/api/v1/credits/plugin-status/metrics", settled.description["ops_token"])

    assert status == 200, text
    data = json.loads(text)["data"]
    assert (data["total_merchants"], data["zero_balance_count"]) == (len(SHOPS), figures["zero"]["figures"])
    assert settled.get("/api/v1/credits/plugin-status/metrics", settled.description["admin_token"])[0] == 403

"""The bridge in production: the settings recommended for JetStream, a cluster that loses a server, and its rights."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js.errors import APIError

from infra.bridge.streams import NEW_STREAMS, plan
from infra.local.engines import Engine, launch_nats, running
from infra.packaging.yaml_text import yaml_parse
from tests.support.bridge_fakes import order
from tests.support.bridge_process import (
    ANSWER_SECONDS,
    PAID,
    ROOT,
    Queues,
    bridge,
    collect,
    envelope,
    eventually,
    numbers,
    on_nats,
    publish,
    queues_in,
    stored,
    unacknowledged,
)
from tests.support.engines import LOOPBACK, free_port, nats_server
from tests.support.faulty_sqs import faulty_road
from tests.support.fire import publish_surely
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

SETTINGS = ROOT / "infra/bridge/nats"
SERVER = SETTINGS / "jetstream.conf"
STREAMS = {path.stem: json.loads(path.read_text()) for path in sorted((SETTINGS / "streams").glob("*.json"))}
CLUSTER_SECONDS = 300.0
SECOND = 1_000_000_000


@pytest.fixture
def queues(flows: Stack) -> Iterator[Queues]:
    with queues_in(flows.description.aws_endpoint, patience_seconds=2) as made:
        yield made


def test_the_recommended_streams_are_those_that_the_bridge_makes_but_in_three_places() -> None:
    subjects = plan({}, create_upstream=True).subjects
    assert {name: {**stream, "subjects": tuple(stream["subjects"])} for name, stream in STREAMS.items()} == {
        name: {"name": name, "subjects": subjects[name], **NEW_STREAMS[name], "num_replicas": 3} for name in NEW_STREAMS
    }


async def make_streams(client: Client, *, replicas: int) -> None:
    for name, stream in STREAMS.items():
        body = json.dumps({**stream, "num_replicas": replicas}).encode()
        answer = json.loads((await client.request(f"$JS.API.STREAM.CREATE.{name}", body, timeout=ANSWER_SECONDS)).data)
        assert "error" not in answer, answer


async def configurations(client: Client) -> dict[str, Any]:
    answer = json.loads((await client.request("$JS.API.STREAM.LIST", b"{}", timeout=ANSWER_SECONDS)).data)
    return {stream["config"]["name"]: stream["config"] for stream in answer["streams"]}


def test_a_server_with_the_recommended_settings_carries_and_its_streams_stay_as_they_were_made(
    tmp_path: Path, queues: Queues
) -> None:
    with nats_server(tmp_path, configuration=SERVER) as url:
        on_nats(url, lambda client: make_streams(client, replicas=1))
        before = on_nats(url, configurations)
        with bridge(tmp_path, url, queues):
            publish(url, PAID, order(1))
            assert numbers(collect(queues, queues.inbox, 1)) == [1]
            assert on_nats(url, configurations) == before
    assert {config["duplicate_window"] for config in before.values()} == {120 * SECOND}
    assert before["CREDIT"]["max_age"] == 7 * 24 * 3600 * SECOND


def cluster(directory: Path) -> list[Engine]:
    """Start three servers in three zones, each with the recommended settings."""
    routes = [free_port() for _ in range(3)]
    servers = []
    for number, route in enumerate(routes):
        folder = directory / f"server-{number}"
        folder.mkdir()
        (folder / "jetstream.conf").write_text(SERVER.read_text())
        where = ", ".join(f'"nats://{LOOPBACK}:{port}"' for port in routes)
        (folder / "server.conf").write_text(
            f"include jetstream.conf\nserver_name: server-{number}\nserver_tags: ['az:zone-{number}']\n"
            f'cluster {{ name: credits, listen: "{LOOPBACK}:{route}", routes: [{where}] }}\n'
        )
        servers.append(launch_nats(folder, free_port(), configuration=folder / "server.conf"))
    return servers


def port_of(server: Engine) -> str:
    arguments = server.process.args
    assert isinstance(arguments, list)
    return str(arguments[arguments.index("-p") + 1])


def test_a_cluster_of_three_loses_a_server_in_mid_traffic_and_no_message(tmp_path: Path, queues: Queues) -> None:
    with ExitStack() as ends:
        servers = cluster(tmp_path)
        for server in servers:
            ends.enter_context(running(server))
        urls = ",".join(f"nats://{LOOPBACK}:{port_of(server)}" for server in servers)
        first = urls.split(",", maxsplit=1)[0]
        running_bridge = ends.enter_context(bridge(tmp_path, urls, queues, healthy=False, BRIDGE_STREAM_REPLICAS="3"))
        until("the streams to be made", lambda: running_bridge.health()[0] == 200, CLUSTER_SECONDS)
        assert {config["num_replicas"] for config in on_nats(first, configurations).values()} == {3}
        publish_surely(first, [order(number) for number in range(200)])
        queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
        servers[2].process.kill()
        servers[2].process.wait()
        publish_surely(first, [order(number) for number in range(200, 400)])
        queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(2))
        until("the rest to be carried", lambda: drained(first), CLUSTER_SECONDS)
    assert set(numbers(queues.take(queues.inbox))) == set(range(400))


def drained(url: str) -> bool:
    """Return whether all is carried both ways; a cluster that is electing a leader does not say."""
    try:
        return unacknowledged(url) == 0 and len(stored(url, "CREDIT")) == 2
    except (nats.errors.Error, APIError, TimeoutError):
        return False


RIGHT_OF = {
    "SendMessageBatch": "sqs:SendMessage",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "GetItem": "dynamodb:GetItem",
    "PutItem": "dynamodb:PutItem",
}
"""What AWS asks for before it lets a call through (SQS and DynamoDB, "actions, resources and condition keys")."""


def granted() -> set[str]:
    role = yaml_parse((ROOT / "infra/bridge/ecs.yaml").read_text())["Resources"]["TaskRole"]
    (policy,) = role["Properties"]["Policies"]
    rights: set[str] = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"]
        rights.update([actions] if isinstance(actions, str) else actions)
    return rights


def test_the_task_may_do_what_the_bridge_does_and_nothing_else(tmp_path: Path, flows: Stack, queues: Queues) -> None:
    with faulty_road(queues.endpoint) as road, nats_server(tmp_path) as url:
        figures = flows.description.figures_table
        with bridge(tmp_path, url, queues, AWS_ENDPOINT_URL=road.url, FIGURES_TABLE=figures) as running_bridge:
            publish(url, PAID, order(1))
            queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
            # What can never be published is given back to the queue.
            queues.client.send_message(QueueUrl=queues.outbox, MessageBody="no envelope")
            collect(queues, queues.inbox, 1)
            eventually(lambda: running_bridge.counted("outbound", "unpublishable") > 0)
            eventually(lambda: set(road.passed) >= set(RIGHT_OF))
            time.sleep(0.2)
        assert {RIGHT_OF[operation] for operation in road.passed} == granted()

"""The bridge as a process of its own between a real NATS server and a real queue."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
from nats.aio.client import Client
from nats.js import api

from infra.bridge.queues import READ_SECONDS
from infra.bridge.subjects import OUTBOUND_TYPES
from tests.support.bridge_fakes import MERCHANT, order
from tests.support.bridge_process import (
    PAID,
    ROOT,
    WAIT_SECONDS,
    Queues,
    bridge,
    collect,
    consumed,
    envelope,
    eventually,
    numbers,
    on_nats,
    publish,
    queues_in,
    stored,
    unacknowledged,
)
from tests.support.engines import clean_environment, free_port, ministack, nats_server

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("aws")) as url:
        yield url


@pytest.fixture
def queues(endpoint: str) -> Iterator[Queues]:
    with queues_in(endpoint) as made:
        yield made


def test_a_message_on_nats_reaches_the_inbox_unchanged_with_its_origin_and_its_merchant(
    tmp_path: Path, queues: Queues
) -> None:
    body = order(1).replace(b": ", b" :  ") + b"\n"
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues):
        publish(url, PAID, body)
        (message,) = collect(queues, queues.inbox, 1)
        eventually(lambda: unacknowledged(url) == 0)
    assert message["Body"].encode() == body
    said = {name: value.get("StringValue") for name, value in message["MessageAttributes"].items()}
    assert said == {"origin": "nats", "subject": PAID, "stream": "UPSTREAM", "stream_sequence": "1"}
    assert message["Attributes"].get("MessageGroupId") == MERCHANT


def test_an_event_in_the_outbox_reaches_nats_once_and_leaves_the_queue(tmp_path: Path, queues: Queues) -> None:
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        for _ in range(2):
            queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
        eventually(lambda: running.counted("outbound", "published") + running.counted("outbound", "repeated") == 2)
        (message,) = stored(url, "CREDIT")
        assert message.subject == "evt.credits.balance_exhausted"
        assert json.loads(message.data or b"") == json.loads(envelope(1))["detail"]
        headers = message.headers or {}
        assert headers["Nats-Msg-Id"] == headers["ce-id"] == "event-1"
        assert (headers["ce-source"], headers["ce-subject"]) == ("credits", MERCHANT)
        state = queues.client.get_queue_attributes(QueueUrl=queues.outbox, AttributeNames=["All"])["Attributes"]
    assert state["ApproximateNumberOfMessages"] == state["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_nothing_is_acknowledged_before_the_queue_has_it(tmp_path: Path, queues: Queues) -> None:
    name = queues.inbox.rsplit("/", 1)[1]
    queues.client.delete_queue(QueueUrl=queues.inbox)
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        publish(url, PAID, *(order(number) for number in range(20)))
        eventually(lambda: running.counted("inbound", "retried") >= 20)
        assert unacknowledged(url) == 20
        assert running.health()[0] == 503
        queues.client.create_queue(QueueName=name)
        assert numbers(collect(queues, queues.inbox, 20)) == list(range(20))
        eventually(lambda: unacknowledged(url) == 0)
        eventually(lambda: running.health()[0] == 200)


def test_an_entry_that_the_queue_refuses_comes_again_and_its_neighbours_do_not(tmp_path: Path, queues: Queues) -> None:
    queues.client.set_queue_attributes(QueueUrl=queues.inbox, Attributes={"MaximumMessageSize": "1024"})
    long = order(5) + b" " * 2000
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        publish(url, PAID, *(long if number == 5 else order(number) for number in range(10)))
        assert numbers(collect(queues, queues.inbox, 9)) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        eventually(lambda: running.counted("inbound", "retried") >= 2)
        assert unacknowledged(url) == 1
        queues.client.set_queue_attributes(QueueUrl=queues.inbox, Attributes={"MaximumMessageSize": "262144"})
        assert numbers(collect(queues, queues.inbox, 1)) == [5]
        eventually(lambda: unacknowledged(url) == 0)


def test_what_can_never_be_sent_is_parked_whole_and_does_not_hold_up_the_rest(tmp_path: Path, queues: Queues) -> None:
    giant = os.urandom(1024 * 1024 - 1)
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        publish(url, PAID, b"", giant, b"a\x00b", order(1))
        assert numbers(collect(queues, queues.inbox, 1)) == [1]
        eventually(lambda: running.counted("inbound", "parked") == 3)
        eventually(lambda: unacknowledged(url) == 0)
        parked = [(message.headers or {}, message.data or b"") for message in stored(url, "PARKED")]
    assert {headers["Parked-Code"] for headers, _ in parked} == {"empty", "too_large", "forbidden_character"}
    parts = sorted((headers["Parked-Part"], part) for headers, part in parked if headers["Parked-Code"] == "too_large")
    assert b"".join(part for _, part in parts) == giant
    assert {headers["Parked-Subject"] for headers, _ in parked} == {PAID}


def test_what_the_bridge_published_is_not_brought_back(tmp_path: Path, queues: Queues) -> None:
    subject = "evt.credits.manual_adjustment"
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        publish(url, subject, order(1), headers={"ce-source": "credits"})
        publish(url, subject, order(2), headers={"ce-source": "back-office"})
        assert numbers(collect(queues, queues.inbox, 1)) == [2]
        assert running.counted("inbound", "own") == 1
        eventually(lambda: unacknowledged(url, "CREDIT_ADJUSTMENTS") == 0)


def test_an_existing_credit_stream_keeps_its_settings_and_gains_our_subjects(tmp_path: Path, queues: Queues) -> None:
    async def make(client: Client) -> api.StreamConfig:
        config = api.StreamConfig(
            name="CREDIT",
            description="the old service's",
            subjects=["evt.credit.*", "cmd.credit.*"],
            max_age=3600,
            max_msgs=500,
            max_bytes=1_000_000,
            storage=api.StorageType.MEMORY,
            duplicate_window=30,
            allow_direct=True,
        )
        await client.jetstream().add_stream(config)
        await client.jetstream().add_stream(name="SHOPIFY", subjects=["evt.shopify.>"])
        return (await client.jsm().stream_info("CREDIT")).config

    async def look(client: Client) -> tuple[api.StreamConfig, api.ConsumerInfo]:
        manager = client.jsm()
        return (await manager.stream_info("CREDIT")).config, await manager.consumer_info("SHOPIFY", "credit-service")

    with nats_server(tmp_path) as url:
        before = on_nats(url, make)
        with bridge(tmp_path, url, queues):
            after, consumer = on_nats(url, look)
            publish(url, PAID, order(1))
            assert numbers(collect(queues, queues.inbox, 1)) == [1]
    assert after.subjects == ["evt.credit.*", "cmd.credit.*", *OUTBOUND_TYPES]
    assert after.evolve(subjects=before.subjects) == before
    assert consumer.config.filter_subjects == [
        PAID,
        "evt.shopify.webhook.order_refunded",
        "evt.shopify.webhook.raw",
    ]


def test_with_nats_away_at_the_start_and_restarted_in_mid_traffic_everything_arrives(
    tmp_path: Path, queues: Queues
) -> None:
    port = free_port()
    address = f"nats://127.0.0.1:{port}"
    with bridge(tmp_path, address, queues, healthy=False, BRIDGE_ACK_WAIT_SECONDS="10") as running:
        assert running.health()[0] == 503
        for start in (0, 300, 600):
            with nats_server(tmp_path, port) as url:
                eventually(lambda: consumed(url))
                publish(url, PAID, *(order(number) for number in range(start, start + 300)))
                queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(start))
        with nats_server(tmp_path, port) as url:
            arrived = set(numbers(collect(queues, queues.inbox, 900)))
            eventually(lambda: unacknowledged(url) == 0)
            eventually(lambda: len(stored(url, "CREDIT")) == 3)
            eventually(lambda: running.health()[0] == 200)
            arrived.update(numbers(queues.take(queues.inbox)))
        assert arrived == set(range(900))
        assert running.process.poll() is None


def test_a_nats_server_that_lost_its_state_is_set_up_again(tmp_path: Path, queues: Queues) -> None:
    port = free_port()
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with ExitStack() as ends:
        with nats_server(first, port) as url:
            running = ends.enter_context(bridge(tmp_path, url, queues))
        url = ends.enter_context(nats_server(second, port))
        eventually(lambda: consumed(url))
        publish(url, PAID, order(1))
        queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
        assert numbers(collect(queues, queues.inbox, 1)) == [1]
        eventually(lambda: len(stored(url, "CREDIT")) == 1)
        eventually(lambda: running.health()[0] == 200)


def test_streams_deleted_under_a_running_bridge_are_made_again(tmp_path: Path, queues: Queues) -> None:
    async def delete(client: Client) -> None:
        # The stream whose consumer tells that all are made again goes last.
        for stream in ("CREDIT", "UPSTREAM"):
            await client.jsm().delete_stream(stream)

    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues):
        on_nats(url, delete)
        queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
        eventually(lambda: consumed(url))
        publish(url, PAID, order(1))
        assert numbers(collect(queues, queues.inbox, 1)) == [1]
        eventually(lambda: len(stored(url, "CREDIT")) == 1)


def test_sigterm_drains_and_the_next_bridge_finds_the_rest(tmp_path: Path, queues: Queues) -> None:
    with nats_server(tmp_path) as url:
        with bridge(tmp_path, url, queues) as running:
            publish(url, PAID, *(order(number) for number in range(1500)))
            eventually(lambda: running.counted("inbound", "forwarded") > 0)
            # This status says that it was drained within BRIDGE_DRAIN_SECONDS.
            assert running.end() == 0
            assert "drained" in running.log.read_text()
        forwarded = numbers(queues.take(queues.inbox))
        # What was drained is settled: nothing is both in the queue and still to come.
        assert len(forwarded) + unacknowledged(url) == 1500
        with bridge(tmp_path, url, queues):
            forwarded += numbers(collect(queues, queues.inbox, 1500 - len(forwarded)))
    assert sorted(forwarded) == list(range(1500))


def test_what_is_no_event_ends_in_the_dead_letter_queue_of_the_outbox(tmp_path: Path, queues: Queues) -> None:
    client = queues.client
    dead = client.create_queue(QueueName=f"{queues.outbox.rsplit('/', 1)[1]}-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    client.set_queue_attributes(QueueUrl=queues.outbox, Attributes={"RedrivePolicy": redrive})
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        client.send_message(QueueUrl=queues.outbox, MessageBody="no envelope, canary")
        client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
        (message,) = collect(queues, dead, 1)
        eventually(lambda: running.counted("outbound", "published") == 1)
        assert "canary" not in running.log.read_text()
    assert message["Body"] == "no envelope, canary"


def test_a_queue_that_never_answers_does_not_hold_up_the_end(tmp_path: Path, queues: Queues) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, nats_server(tmp_path) as url:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with bridge(tmp_path, url, queues, AWS_ENDPOINT_URL=address, BRIDGE_DRAIN_SECONDS="1") as running:
            publish(url, PAID, order(1))
            eventually(lambda: cast("int", running.health()[1]["messages"]["inbound"]["in_flight"]) == 1)
            began = time.monotonic()
            assert running.end() == 1
            assert time.monotonic() - began < READ_SECONDS
        assert unacknowledged(url) == 1


def test_a_bad_setting_ends_the_process_with_a_sentence(tmp_path: Path, queues: Queues) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "infra.bridge"],
        env=clean_environment({**queues.environment(), "PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("bridge: NATS_URL is not set")
    assert "Traceback" not in ended.stderr

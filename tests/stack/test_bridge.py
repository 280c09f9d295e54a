"""The bridge as a process of its own between a real NATS server and a real queue."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import boto3
import nats
import pytest
from nats.aio.client import Client
from nats.js import api
from nats.js.errors import NotFoundError

from tests.bridge_fakes import MERCHANT, order
from tests.engines import FAKE_AWS_ENVIRONMENT, clean_environment, engine, free_port, ministack, nats_server

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
PAID = "evt.shopify.webhook.order_paid"
WAIT_SECONDS = 30.0

Answer = TypeVar("Answer")
Health = dict[str, dict[str, dict[str, object]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The two queues of one test, and the client that made them."""

    client: "SQSClient"
    endpoint: str
    inbox: str
    outbox: str

    def environment(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": self.endpoint, "INBOX_QUEUE_URL": self.inbox, "OUTBOX_QUEUE_URL": self.outbox}

    def take(self, url: str) -> list["MessageTypeDef"]:
        """Return and delete everything that is in the queue at `url` now."""
        taken: list[MessageTypeDef] = []
        while batch := self.client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        ).get("Messages", []):
            taken.extend(batch)
            for message in batch:
                self.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("aws")) as url:
        yield url


@pytest.fixture
def queues(endpoint: str) -> Iterator[Queues]:
    client = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name=FAKE_AWS_ENVIRONMENT["AWS_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    number = time.monotonic_ns()
    yield Queues(
        client=client,
        endpoint=endpoint,
        inbox=client.create_queue(QueueName=f"inbox-{number}")["QueueUrl"],
        outbox=client.create_queue(QueueName=f"outbox-{number}")["QueueUrl"],
    )
    client.close()


def health(port: int) -> tuple[int, Health]:
    """Return the status and the body of the health answer on `port`."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class Bridge:
    """A running bridge: its process, its log and what it says of itself."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.log = log
        self._port = port

    def health(self) -> tuple[int, Health]:
        return health(self._port)

    def counted(self, direction: str, outcome: str) -> int:
        return cast("int", self.health()[1]["messages"][direction][outcome])

    def end(self) -> int:
        """Ask it to end and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)


@contextmanager
def bridge(tmp_path: Path, nats_url: str, queues: Queues, *, healthy: bool = True, **changes: str) -> Iterator[Bridge]:
    """Run the bridge; entered when it answers, and where `healthy`, when it says that all is well."""
    port = free_port()
    environment = clean_environment(
        {
            **FAKE_AWS_ENVIRONMENT,
            **queues.environment(),
            "PYTHONPATH": str(ROOT),
            "NATS_URL": nats_url,
            "BRIDGE_HEALTH_PORT": str(port),
            "BRIDGE_POLL_SECONDS": "1",
            "BRIDGE_RETRY_SECONDS_MAX": "1",
            # An acknowledgement that dies with NATS is made good after this time, well inside WAIT_SECONDS.
            "BRIDGE_ACK_WAIT_SECONDS": "10",
            **changes,
        }
    )

    def ready() -> bool:
        try:
            status, _ = health(port)
        except OSError:
            return False
        return status == 200 or not healthy

    log = tmp_path / f"bridge-{port}.log"
    with engine([sys.executable, "-m", "infra.bridge"], log=log, environment=environment, ready=ready) as process:
        yield Bridge(process, port, log)


def on_nats(url: str, act: Callable[[Client], Awaitable[Answer]]) -> Answer:
    """Return what `act` returns with a client of its own."""

    async def run() -> Answer:
        client = await nats.connect(url, allow_reconnect=False)
        try:
            return await act(client)
        finally:
            await client.close()

    return asyncio.run(run())


def publish(url: str, subject: str, *bodies: bytes, headers: dict[str, str] | None = None) -> None:
    """Publish `bodies` and return when JetStream has them."""

    async def act(client: Client) -> None:
        for body in bodies:
            await client.jetstream().publish(subject, body, headers=headers)

    on_nats(url, act)


def stored(url: str, stream: str) -> list[api.RawStreamMsg]:
    """Return every message of `stream`, oldest first."""

    async def act(client: Client) -> list[api.RawStreamMsg]:
        manager = client.jsm()
        state = (await manager.stream_info(stream)).state
        return [
            await manager.get_msg(stream, sequence)
            for sequence in range(state.first_seq, state.last_seq + 1)
            if state.messages
        ]

    return on_nats(url, act)


def unacknowledged(url: str, stream: str = "UPSTREAM") -> int:
    """Return how many messages of `stream` the bridge has not settled: delivered or still to be."""

    async def act(client: Client) -> int:
        info = await client.jsm().consumer_info(stream, "credit-service")
        return (info.num_ack_pending or 0) + (info.num_pending or 0)

    return on_nats(url, act)


def eventually(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; fail when it does not come to hold."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.05)


def collect(queues: Queues, url: str, count: int) -> list["MessageTypeDef"]:
    """Return the messages at `url` once there have been `count`."""
    messages: list[MessageTypeDef] = []

    def enough() -> bool:
        messages.extend(queues.take(url))
        return len(messages) >= count

    eventually(enough)
    return messages


def numbers(messages: list["MessageTypeDef"]) -> list[int]:
    """Return the order ids in the bodies."""
    return sorted(json.loads(message["Body"])["payload"]["order_id"] for message in messages)


def envelope(number: int) -> str:
    """Return what the rule on the bus puts into the outbox for an event."""
    detail = {
        "event_id": f"event-{number}",
        "event_type": "evt.credits.balance_exhausted",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "payload": {"merchant_id": MERCHANT, "balance": 0},
    }
    return json.dumps({"detail-type": detail["event_type"], "source": "credits", "detail": detail})


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
        eventually(lambda: unacknowledged(url, "CREDIT") == 0)


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
    assert after.subjects == ["evt.credit.*", "cmd.credit.*", "evt.credits.>"]
    assert after.evolve(subjects=before.subjects) == before
    assert consumer.config.filter_subjects == [PAID, "evt.shopify.webhook.order_refunded"]


def test_with_nats_away_at_the_start_and_restarted_in_mid_traffic_everything_arrives(
    tmp_path: Path, queues: Queues
) -> None:
    port = free_port()
    with bridge(tmp_path, f"nats://127.0.0.1:{port}", queues, healthy=False) as running:
        assert running.health()[0] == 503
        for start in (0, 300, 600):
            with nats_server(tmp_path, port) as url:
                eventually(lambda: running.health()[0] == 200)
                publish(url, PAID, *(order(number) for number in range(start, start + 300)))
                queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(start))
        with nats_server(tmp_path, port) as url:
            arrived = set(numbers(collect(queues, queues.inbox, 900)))
            eventually(lambda: unacknowledged(url) == 0)
            eventually(lambda: len(stored(url, "CREDIT")) == 3)
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
        eventually(lambda: running.health()[0] == 200)
        publish(url, PAID, order(1))
        queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
        assert numbers(collect(queues, queues.inbox, 1)) == [1]
        eventually(lambda: len(stored(url, "CREDIT")) == 1)


def test_streams_deleted_under_a_running_bridge_are_made_again(tmp_path: Path, queues: Queues) -> None:
    async def delete(client: Client) -> None:
        for stream in ("UPSTREAM", "CREDIT"):
            await client.jsm().delete_stream(stream)

    async def made(client: Client) -> bool:
        try:
            await client.jsm().consumer_info("UPSTREAM", "credit-service")
        except NotFoundError:
            return False
        return True

    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues):
        on_nats(url, delete)
        queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
        eventually(lambda: on_nats(url, made))
        publish(url, PAID, order(1))
        assert numbers(collect(queues, queues.inbox, 1)) == [1]
        eventually(lambda: len(stored(url, "CREDIT")) == 1)


def test_sigterm_drains_and_the_next_bridge_finds_the_rest(tmp_path: Path, queues: Queues) -> None:
    with nats_server(tmp_path) as url:
        with bridge(tmp_path, url, queues) as running:
            publish(url, PAID, *(order(number) for number in range(1500)))
            eventually(lambda: running.counted("inbound", "forwarded") > 0)
            began = time.monotonic()
            assert running.end() == 0
            assert time.monotonic() - began < 5
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
        assert running.counted("outbound", "published") == 1
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
            assert time.monotonic() - began < 4
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

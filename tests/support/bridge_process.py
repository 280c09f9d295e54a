"""The bridge as a separate process, and a test's access to its two sides: NATS and the queues."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nats.aio.client import Client
from nats.js import JetStreamContext, JetStreamManager, api
from nats.js.errors import NotFoundError

from infra.deploying.emulator import emulator_client
from infra.local.engines import Engine, launch, running
from tests.support.bridge_fakes import MERCHANT
from tests.support.engines import FAKE_AWS_ENVIRONMENT, clean_environment, free_port
from tests.support.running_stack import until

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

ROOT = Path(__file__).parents[2]
PAID = "evt.shopify.webhook.order_paid"
WAIT_SECONDS = 120.0
"""How long anything may take on a busy machine; no wait is longer than needed."""
ANSWER_SECONDS = 30
"""How long one answer may take there; JetStream gives none while its servers elect a leader."""
PROGRAM = ("-m", "infra.bridge")

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


def health(port: int) -> tuple[int, Health]:
    """Return the status and the body of the health answer on `port`."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=ANSWER_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class Bridge:
    """A running bridge: its process, its log and its health."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.log = log
        self._port = port

    def health(self) -> tuple[int, Health]:
        return health(self._port)

    def counted(self, direction: str, outcome: str) -> int:
        return cast("int", self.health()[1]["messages"][direction][outcome])

    def resident_bytes(self) -> float:
        """Return the process's memory, from its metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=ANSWER_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("process_resident_memory_bytes "))

    def end(self) -> int:
        """Ask it to end and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)


def launch_bridge(
    tmp_path: Path,
    nats_url: str,
    queues: Queues,
    *,
    program: Sequence[str] = PROGRAM,
    healthy: bool = True,
    **changes: str,
) -> tuple[Engine, Bridge]:
    """Start a bridge and return at once; it is ready when it answers, or with `healthy` when it reports health."""
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
            "BRIDGE_UPSTREAM": "create",
            # An acknowledgement lost with NATS is repeated after this time, well inside WAIT_SECONDS; and a bridge that
            # has to wait for its turn on a busy machine is not taken for lost.
            "BRIDGE_ACK_WAIT_SECONDS": "30",
            **changes,
        }
    )

    def ready() -> bool:
        try:
            status, _ = health(port)
        except OSError:
            return False
        return status == HTTPStatus.OK or not healthy

    log = tmp_path / f"bridge-{port}.log"
    process = launch([sys.executable, *program], log=log, environment=environment)
    return Engine(name="the bridge", process=process, log=log, ready=ready), Bridge(process, port, log)


@contextmanager
def bridge(tmp_path: Path, nats_url: str, queues: Queues, *, healthy: bool = True, **changes: str) -> Iterator[Bridge]:
    """Run the bridge; entered when it answers, or with `healthy` when it reports health."""
    engine, started = launch_bridge(tmp_path, nats_url, queues, healthy=healthy, **changes)
    with running(engine):
        yield started


@contextmanager
def queues_in(endpoint: str, *, inbox: str | None = None, patience_seconds: int = 30) -> Iterator[Queues]:
    """Yield two new queues of the emulator at `endpoint`; an existing `inbox` replaces one of them."""
    client: SQSClient = emulator_client(endpoint, "sqs")
    number = time.monotonic_ns()

    def created(name: str) -> str:
        patience = str(patience_seconds)
        made = client.create_queue(QueueName=f"{name}-{number}", Attributes={"VisibilityTimeout": patience})
        return made["QueueUrl"]

    yield Queues(client=client, endpoint=endpoint, inbox=inbox or created("inbox"), outbox=created("outbox"))
    client.close()


class PatientClient(Client):
    """A client of NATS that waits for an answer as long as a busy machine may need, not nats-py's few seconds."""

    def jetstream(self, **options: Any) -> JetStreamContext:
        """Return JetStream with that patience."""
        return super().jetstream(**{"timeout": ANSWER_SECONDS, **options})

    def jsm(self, **options: Any) -> JetStreamManager:
        """Return JetStream's management with that patience."""
        return super().jsm(**{"timeout": ANSWER_SECONDS, **options})


def on_nats(url: str, act: Callable[[Client], Awaitable[Answer]]) -> Answer:
    """Return the result of `act` with a new client."""

    async def run() -> Answer:
        client = PatientClient()
        await client.connect(url, allow_reconnect=False, connect_timeout=ANSWER_SECONDS)
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


def consumed(url: str, stream: str = "UPSTREAM") -> bool:
    """Return whether the server at `url` has the bridge's consumer of `stream`, and with it all streams.

    After a restart of NATS this tells what the bridge's health does not: that it has set up this very server.
    """

    async def act(client: Client) -> bool:
        try:
            await client.jsm().consumer_info(stream, "credit-service")
        except NotFoundError:
            return False
        return True

    return on_nats(url, act)


def eventually(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; fail if it does not in time."""
    until("it to be so", condition, WAIT_SECONDS)


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
    """Return the message that the bus's rule puts into the outbox for an event."""
    detail = {
        "event_id": f"event-{number}",
        "event_type": "evt.credits.balance_exhausted",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "payload": {"merchant_id": MERCHANT, "balance": 0},
    }
    return json.dumps({"detail-type": detail["event_type"], "source": "credits", "detail": detail})

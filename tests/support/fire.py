"""The bridge under fire: traffic both ways while the bridge and NATS are killed, again and again.

The upstream service behaves well: it publishes an event under the same id until JetStream has confirmed it. So an event
may be in the stream twice, and the ledger must detect that as well.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nats
import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError

from infra.local.engines import LOOPBACK, Engine, launch_nats, stop, wait_until_ready
from tests.support.bridge_process import PAID, Bridge, Queues, envelope, launch_bridge
from tests.support.engines import free_port

AT_ONCE = 50
ANSWER_SECONDS = 2.0
LIT_SECONDS = 120.0
"""How long a bridge may take, on a busy machine, until a message of a part has passed it."""
BRIDGE, NATS = "bridge", "nats"


@dataclass(kw_only=True)
class Fire:
    """A test's own NATS server and bridge, which moves messages between NATS and `queues`."""

    directory: Path
    queues: Queues
    port: int = field(default_factory=free_port)
    kills: list[str] = field(default_factory=list)
    bridge: Bridge = field(init=False)
    _engines: dict[str, Engine] = field(default_factory=dict)

    @property
    def nats_url(self) -> str:
        """Return where NATS listens, the same after each restart."""
        return f"nats://{LOOPBACK}:{self.port}"

    def light(self, *names: str) -> None:
        """Start the named engine; NATS answers on return, the bridge is still starting."""
        if NATS in names:
            self._engines[NATS] = launch_nats(self.directory, self.port)
            wait_until_ready(self._engines[NATS])
        if BRIDGE in names:
            engine, self.bridge = launch_bridge(
                self.directory, self.nats_url, self.queues, BRIDGE_ACK_WAIT_SECONDS="10"
            )
            self._engines[BRIDGE] = engine

    def kill(self, name: str) -> None:
        """Kill it with SIGKILL and start it again, NATS over the same store."""
        process = self._engines[name].process
        assert process.poll() is None, self._engines[name].last_words()
        process.kill()
        process.wait()
        self.kills.append(name)
        self.light(name)

    def heal(self) -> None:
        """Return when the bridge reports health."""
        wait_until_ready(self._engines[BRIDGE])

    def put_out(self) -> None:
        """End what still runs."""
        stop(*(engine.process for engine in self._engines.values()))

    def burn(
        self, parts: Sequence[Sequence[bytes]], events: Sequence[Sequence[int]], victims: Sequence[str], seed: int
    ) -> None:
        """Publish each of the `parts` and put the `events` beside it into the outbox; kill one victim amid each.

        When it returns, all is published and confirmed, all events are in the outbox, and the bridge and NATS run.
        """
        chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        with ThreadPoolExecutor(2) as senders:
            for number, part in enumerate(parts):
                sent: list[Future[None]] = [
                    senders.submit(publish_surely, self.nats_url, part),
                    senders.submit(put_out, self.queues, events[number]),
                ]
                if number < len(victims):
                    self._wait_for_work()
                    time.sleep(chance.uniform(0, 0.2))
                    self.kill(victims[number])
                for work in sent:
                    work.result()

    def _wait_for_work(self) -> None:
        """Return when this very bridge has moved a message: killing an idle one proves nothing."""
        deadline = time.monotonic() + LIT_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                if self.bridge.counted("inbound", "forwarded") + self.bridge.counted("outbound", "published"):
                    return
            time.sleep(0.02)
        raise AssertionError(f"nothing passed the bridge in {LIT_SECONDS:.0f} s:\n{self._engines[BRIDGE].last_words()}")


@contextmanager
def on_fire(directory: Path, queues: Queues) -> Iterator[Fire]:
    """Yield a fire whose NATS and bridge run; both end with the context."""
    fire = Fire(directory=directory, queues=queues)
    try:
        fire.light(NATS, BRIDGE)
        fire.heal()
        yield fire
    finally:
        fire.put_out()


def put_out(queues: Queues, numbers: Sequence[int]) -> None:
    """Put the events of these numbers into the outbox, as the rule on the bus does."""
    for start in range(0, len(numbers), 10):
        entries = [{"Id": str(each), "MessageBody": envelope(each)} for each in numbers[start : start + 10]]
        answer = queues.client.send_message_batch(QueueUrl=queues.outbox, Entries=entries)  # type: ignore[arg-type]
        assert len(answer["Successful"]) == len(entries)


def publish_surely(url: str, bodies: Sequence[bytes]) -> None:
    """Publish `bodies` to JetStream, each repeatedly until JetStream has confirmed it."""

    async def run() -> None:
        client = await nats.connect(
            url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, connect_timeout=5, error_cb=_say_nothing
        )
        waiting = list(bodies)
        try:
            while waiting:
                batch, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
                confirmed = await asyncio.gather(*(_publish(client, body) for body in batch))
                waiting += [body for body, ok in zip(batch, confirmed, strict=True) if not ok]
        finally:
            await client.close()

    asyncio.run(run())


async def _publish(client: Client, body: bytes) -> bool:
    try:
        await client.jetstream().publish(PAID, body, timeout=ANSWER_SECONDS)
    except (nats.errors.Error, APIError, TimeoutError, OSError):
        await asyncio.sleep(0.05)
        return False
    return True


async def _say_nothing(_: Exception) -> None:
    """Ignore failed attempts: their callers handle them."""


def order_of(merchant_id: str, number: int) -> bytes:
    """Return the body of a paid order of the merchant's."""
    payload = {"merchant_id": merchant_id, "order_id": number}
    return json.dumps({"event_type": PAID, "payload": payload}).encode()

"""NATS for tests: publish with confirmation, and read the events that the service has published."""

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

OUTBOUND_STREAM = "CREDIT"
OUTBOUND_SUBJECTS = "evt.credits.>"
CONSUMER_OF_THE_BRIDGE = "credit-service"
ANSWER_SECONDS = 30.0
FETCHED_AT_ONCE = 200
IDLE_SECONDS = 3600.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message of the stream of events out."""

    subject: str
    headers: Mapping[str, str]
    event: Mapping[str, Any]

    @property
    def merchant_id(self) -> str:
        """Return its merchant."""
        merchant_id: str = self.event["payload"]["merchant_id"]
        return merchant_id


class JetStream:
    """A connection to NATS driven by its own thread, so that tests need not be coroutines."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: Client) -> None:
        self._loop = loop
        self._jetstream = client.jetstream(timeout=ANSWER_SECONDS)
        self._told: list[Heard] = []
        self._outbound = self._run(
            self._jetstream.pull_subscribe(OUTBOUND_SUBJECTS, stream=OUTBOUND_STREAM, config=_CONFIG)
        )

    def publish(self, messages: Sequence[tuple[str, bytes]], headers: Mapping[str, str] | None = None) -> None:
        """Publish `messages`, each with its subject, in their order; JetStream has confirmed them all."""

        async def work() -> None:
            for subject, body in messages:
                await self._jetstream.publish(subject, body, headers=dict(headers) if headers else None)

        self._run(work())

    def told(self) -> list[Heard]:
        """Return all events that the service has published, as JetStream keeps them."""
        self._run(self._read())
        return list(self._told)

    def waiting(self) -> int:
        """Return how many messages the bridge has not put into the inbox yet."""

        async def work() -> int:
            found = 0
            for stream in await self._jetstream.streams_info():
                for consumer in await self._jetstream.consumers_info(stream.config.name or ""):
                    if consumer.name == CONSUMER_OF_THE_BRIDGE:
                        found += (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
            return found

        return self._run(work())

    async def _read(self) -> None:
        while pending := (await self._outbound.consumer_info()).num_pending:
            for message in await self._outbound.fetch(min(pending, FETCHED_AT_ONCE), timeout=ANSWER_SECONDS):
                event = json.loads(message.data)
                self._told.append(Heard(subject=message.subject, headers=message.headers or {}, event=event))

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10 * ANSWER_SECONDS)


_CONFIG = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=IDLE_SECONDS)


@contextmanager
def jetstream(url: str) -> Iterator[JetStream]:
    """Yield a connection to the NATS server at `url`; it and its thread end with the context."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, loop).result(ANSWER_SECONDS)

    try:
        client = run(nats.connect(url))
        yield JetStream(loop, client)
        run(client.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(ANSWER_SECONDS)
        loop.close()

"""The connection to NATS: kept for ever, and ready only while the streams are known to exist."""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import nats
import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from infra.bridge.looks import CHECK_SECONDS, look, report
from infra.bridge.nats_client import NatsClient
from infra.bridge.parking import Stored
from infra.bridge.settings import Settings
from infra.bridge.streams import CONSUMER, StreamsError
from infra.bridge.telemetry import Part, Telemetry

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 3
RECONNECT_SECONDS: Final = 1
PING_SECONDS: Final = 10
"""After two of these without an answer the client gives a silent server up and connects again."""
PUBLISH_SECONDS: Final = 5.0
TERMINATED: Final = f"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.*.{CONSUMER}"
"""The subject of JetStream's advisories that a message is never delivered again."""
RECHECK_SECONDS: Final = 1.0
"""The pause after a look that failed."""
IN_DOUBT: Final = "in doubt until the next look"
"""The detail reported for the streams from the end of a connection until the next look at them."""


class Link:
    """One NATS client. `ready` is set while it is connected and JetStream answers.

    `streams` are those to read from, and `way_out` is set while every event to publish has a stream.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        """Start disconnected; call `connect` next."""
        self._settings = settings
        self._telemetry = telemetry
        self._client = NatsClient(settings.nats)
        self._doubt = asyncio.Event()
        self._said: str | None = None
        self._closing = False
        self.ready = asyncio.Event()
        self.way_out = asyncio.Event()
        self.closed = asyncio.Event()
        self.streams: tuple[str, ...] = ()

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream over this client."""
        return self._client.jetstream(timeout=PUBLISH_SECONDS)

    @property
    def largest_payload(self) -> int:
        """The bytes that the server takes in one message, headers included."""
        return self._client.max_payload

    async def connect(self) -> None:
        """Return once connected, however long NATS is away; afterwards the client reconnects for ever."""
        await self._client.connect(
            servers=list(self._settings.nats.servers),
            name="credit-service bridge",
            connect_timeout=CONNECT_SECONDS,
            reconnect_time_wait=RECONNECT_SECONDS,
            max_reconnect_attempts=-1,
            ping_interval=PING_SECONDS,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            **self._settings.nats.login(),
        )
        self._on_connected("connected")
        await self._client.subscribe(TERMINATED, cb=self._on_terminated)

    async def close(self) -> None:
        """Flush pending messages, acknowledgements above all, and close; an absent server does not prevent that."""
        self._closing = True
        with suppress(nats.errors.Error, TimeoutError, OSError):
            if self._client.is_connected:
                await self._client.flush(timeout=CONNECT_SECONDS)
            await self._client.close()

    def doubt(self) -> None:
        """Check the streams and consumers again at once: one that fails must not stop the others."""
        self._doubt.set()

    async def keep(self) -> None:
        """Set up streams and consumers now, after every doubt and at intervals, until cancelled."""
        while True:
            self._doubt.clear()
            pause = CHECK_SECONDS
            try:
                seen = await look(self._request, self._settings, self._telemetry.streams)
            except (StreamsError, nats.errors.Error, TimeoutError) as error:
                self._unready()
                pause = RECHECK_SECONDS
                reason = str(error) or type(error).__name__
                if reason != self._telemetry.parts[Part.STREAMS].detail:
                    log.warning("streams: not in place: %s", reason)
                self._telemetry.report(Part.STREAMS, ok=False, detail=reason)
            else:
                if self.streams != seen.consumed:
                    log.info("streams: consuming %s", ", ".join(seen.consumed))
                self.streams = seen.consumed
                report(seen, self._telemetry)
                if self._doubt.is_set() or not self._client.is_connected:
                    self._telemetry.report(Part.STREAMS, ok=False, detail=IN_DOUBT)
                else:
                    self.ready.set()
                    (self.way_out.set if seen.way_out is None else self.way_out.clear)()
            await self._wait_for_doubt(pause)

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> Stored:
        """Return where JetStream keeps the message, once a stream has confirmed that it is stored."""
        answer = await self.jetstream.publish(subject, payload, timeout=PUBLISH_SECONDS, headers=dict(headers))
        return Stored(stream=answer.stream, sequence=answer.seq, repeated=bool(answer.duplicate))

    async def _wait_for_doubt(self, seconds: float) -> None:
        with suppress(TimeoutError):
            if seconds == RECHECK_SECONDS:
                await asyncio.sleep(seconds)
            else:
                await asyncio.wait_for(self._doubt.wait(), seconds)

    async def _request(self, subject: str, payload: bytes, seconds: float, /) -> bytes:
        answer = await self._client.request(subject, payload, timeout=seconds)
        return bytes(answer.data)

    async def _on_terminated(self, advisory: Msg) -> None:
        """Count a message that was delivered and that its stream dropped: only then does the advisory give a reason."""
        content = json.loads(advisory.data)
        if content.get("reason"):
            self._telemetry.terminated[content["stream"]] += 1

    def _on_connected(self, how: str) -> None:
        # Only host and port: the address may hold a password.
        url = self._client.connected_url
        where = f"{url.hostname}:{url.port}" if url else "an unknown address"
        self._said = None
        self._telemetry.report(Part.NATS, ok=True, detail=f"{how} to {where}")
        log.info("nats: %s to %s", how, where)

    async def _on_reconnected(self) -> None:
        self._telemetry.reconnected()
        self._on_connected("reconnected")
        self.doubt()

    def _unready(self) -> None:
        self.ready.clear()
        self.way_out.clear()

    def _lost(self, how: str) -> None:
        """Report that NATS is gone, and with it what is known of the streams: another server may have none."""
        self._unready()
        self._telemetry.report(Part.NATS, ok=False, detail=how)
        self._telemetry.report(Part.STREAMS, ok=False, detail=IN_DOUBT)

    async def _on_disconnected(self) -> None:
        self._lost("disconnected")
        if not self._closing:
            log.warning("nats: disconnected; messages under way will be redelivered")

    async def _on_closed(self) -> None:
        self._lost("closed")
        self.closed.set()

    async def _on_error(self, error: Exception) -> None:
        # The client reports every failed attempt; only the first of a kind is logged.
        reason = str(error).removeprefix("nats: ") or type(error).__name__
        if reason != self._said:
            self._said = reason
            log.warning("nats: %s (%s)", reason, self._settings.nats.hosts)
            if not self._client.is_connected:
                self._telemetry.report(Part.NATS, ok=False, detail=reason)

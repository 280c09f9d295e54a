"""The bridge's connection: what its health says of the streams while they are in doubt."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from infra.bridge.connection import Link
from infra.bridge.streams import CREDIT
from infra.bridge.telemetry import Part, Telemetry
from tests.support.bridge_fakes import settings
from tests.support.fake_jetstream import FakeJetStream


class Connected:
    """A client that is connected, at no address."""

    is_connected = True
    connected_url = None


def kept(telemetry: Telemetry, server: FakeJetStream, act: Callable[[Link], Awaitable[None]]) -> None:
    """Do `act` beside a link to `server` that keeps its streams."""

    async def run() -> None:
        link = Link(settings(), telemetry)
        link._client = Connected()  # type: ignore[assignment]
        link._request = server  # type: ignore[method-assign]
        link._on_connected("connected")
        keeping = asyncio.create_task(link.keep())
        await link.ready.wait()
        await act(link)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_the_streams_are_in_doubt_from_the_end_of_a_connection_until_the_next_look() -> None:
    telemetry, server = Telemetry(), FakeJetStream()

    async def act(link: Link) -> None:
        assert telemetry.healthy
        await link._on_disconnected()
        assert not telemetry.parts[Part.STREAMS].ok
        server.streams.clear()
        await link._on_reconnected()
        state = telemetry.parts[Part.STREAMS]
        assert (state.ok, state.detail) == (False, "in doubt until the next look")
        await link.ready.wait()
        assert telemetry.healthy
        assert CREDIT in server.streams

    kept(telemetry, server, act)


def test_a_look_that_a_new_connection_overtook_does_not_end_the_doubt() -> None:
    telemetry = Telemetry()
    at_the_start_of_a_look: list[bool] = []
    links: list[Link] = []

    class Overtaken(FakeJetStream):
        async def __call__(self, subject: str, payload: bytes, seconds: float, /) -> bytes:
            if subject == "$JS.API.STREAM.LIST" and not json.loads(payload)["offset"]:
                at_the_start_of_a_look.append(telemetry.parts[Part.STREAMS].ok)
                if len(at_the_start_of_a_look) == 2:
                    await links[0]._on_disconnected()
                    await links[0]._on_reconnected()
            return await super().__call__(subject, payload, seconds)

    async def act(link: Link) -> None:
        links.append(link)
        link.ready.clear()
        link.doubt()
        await link.ready.wait()

    kept(telemetry, Overtaken(), act)
    assert at_the_start_of_a_look == [False, True, False]
    assert telemetry.healthy

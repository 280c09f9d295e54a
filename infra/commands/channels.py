"""The two ways into the service: NATS JetStream and the bus. Each reports for every event whether it was accepted."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError, NoStreamResponseError

from infra.bridge.access import Access, AccessError
from infra.bridge.queues import in_requests
from infra.commands.events import Outgoing
from infra.commands.jetstream import access_to, connected
from infra.commands.output import unable
from infra.commands.target import Target

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

CONFIRM_SECONDS = 10.0
IN_FLIGHT = 200
"""Events that a channel gets at once."""
REQUEST_BYTES = 200_000
"""The most bytes of events in one request to the bus, which takes 256 KB with the entries' names."""
SOURCE = "credits-cli"


class Via(StrEnum):
    """A way into the service."""

    NATS = "nats"
    BUS = "bus"


@contextmanager
def opened(target: Target, via: Via, nats_url: str | None) -> "Iterator[Channel]":
    """Yield the channel; ends the command if it cannot be reached."""
    if via is Via.BUS:
        yield Bus(target.client("events"), target.event_bus)
        return
    try:
        access = access_to(target, nats_url)
    except AccessError as error:
        raise unable(str(error)) from None
    if access is None:
        raise unable(f"Where is NATS of stage {target.stage}? Name it by --nats or NATS_URL, or use --via bus.")
    with asyncio.Runner() as runner:
        client = runner.run(_connected(access))
        try:
            yield Nats(runner, client)
        finally:
            runner.run(client.close())


class Bus:
    """The bus `credits`, as upstream services on AWS use it."""

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus

    def send(self, events: Sequence[Outgoing]) -> list[str | None]:
        """Put up to `IN_FLIGHT` events on the bus; return for each why it was not accepted, None if it was."""
        faults: list[str | None] = []
        for chunk in in_requests(events, lambda event: len(event.detail.encode()), most_bytes=REQUEST_BYTES):
            entries: list[PutEventsRequestEntryTypeDef] = [
                {"Source": SOURCE, "DetailType": one.event_type, "Detail": one.detail, "EventBusName": self._bus}
                for one in chunk
            ]
            answer = self._client.put_events(Entries=entries)
            faults += [
                f"{entry['ErrorCode']}: {entry.get('ErrorMessage', '')}" if "ErrorCode" in entry else None
                for entry in answer["Entries"]
            ]
        return faults


class Nats:
    """JetStream: an event is accepted when a stream has confirmed it."""

    def __init__(self, runner: asyncio.Runner, client: Client) -> None:
        self._runner = runner
        self._jetstream = client.jetstream(timeout=CONFIRM_SECONDS)

    def send(self, events: Sequence[Outgoing]) -> list[str | None]:
        """Publish up to `IN_FLIGHT` events on the subjects of their types; return for each why it was not accepted."""

        async def work() -> list[str | None]:
            return await asyncio.gather(*(self._publish(event) for event in events))

        return self._runner.run(work())

    async def _publish(self, event: Outgoing) -> str | None:
        try:
            await self._jetstream.publish(event.event_type, event.body.encode())
        except NoStreamResponseError:
            return (
                f"no stream takes {event.event_type}; its service makes one, or the bridge with BRIDGE_UPSTREAM=create"
            )
        except (nats.errors.Error, APIError, TimeoutError) as error:
            return f"NATS did not confirm it: {str(error) or type(error).__name__}"
        return None


Channel = Bus | Nats
"""A way into the service that is open."""


async def _connected(access: Access) -> Client:
    try:
        return await connected(access)
    except (OSError, nats.errors.Error, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise unable(f"NATS at {access.hosts} does not answer ({reason}): `credits doctor` shows more.") from None

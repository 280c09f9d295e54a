"""Sends the sample traffic at a human pace and prints the outcomes.

    python -m infra.sample.traffic            into the stack of .local (or LOCAL_DIR), until Ctrl-C
    python -m infra.sample.traffic --watch    send nothing, only print
    python -m infra.sample.traffic --runs N   new orders, other than those of N runs before

The seed is `TRAFFIC_SEED`, 1 by default: the same seed sends the same events.
"""

import argparse
import asyncio
import json
import os
import signal
import time
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any

import nats
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg
from rich.console import Console

from chalicelib.domain.links import LinkKind
from infra.commands.target import local_target
from infra.deploying.emulator import emulator_client
from infra.local.connected import CONNECTED, PAUSE_SECONDS, all_webhooks, post, put_link
from infra.local.description import FILE_NAME, Description, local_directory, read
from infra.local.engines import DIRECT
from infra.local.settings import seed
from infra.local.shops import PAST_SHOP, SALES, SHOPS, Channel, Emission, Happening, emissions
from infra.sample.outcomes import (
    Announcements,
    Ledger,
    ReceivedEvent,
    Transaction,
    again_line,
    parked_line,
    refused_line,
    transaction_line,
    transactions_in,
)
from infra.sample.past import live_through

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient

LEDGER_SECONDS = 0.3
PARKED_SECONDS = 2.0
STACK_SECONDS = 60.0
SETTLED_SECONDS = 4.0
"""How long after a repeat the ledger is read: by then the inbox has been processed."""

RECORDS_READ = 1000
ROUNDS_IN_A_RUN = 10_000
"""More rounds of the connected shops than one run has; a run is given numbers of its own."""


class LedgerStream:
    """Reads the stream of the transactions table, from now on."""

    def __init__(self, description: Description) -> None:
        dynamodb: DynamoDBClient = emulator_client(description.aws_endpoint, "dynamodb")
        table = dynamodb.describe_table(TableName=description.transactions_table)["Table"]
        self._arn = table["LatestStreamArn"]
        self._streams = emulator_client(description.aws_endpoint, "dynamodbstreams")
        self._iterators: dict[str, str | None] = {}
        self._follow_shards("LATEST")

    def read(self) -> list[Transaction]:
        """Return what was recorded since the last call, oldest first within a merchant."""
        self._follow_shards("TRIM_HORIZON")
        transactions: list[Transaction] = []
        for shard, iterator in self._iterators.items():
            if iterator is None:
                continue
            answer = self._streams.get_records(ShardIterator=iterator, Limit=RECORDS_READ)
            self._iterators[shard] = answer.get("NextShardIterator")
            images = (entry["dynamodb"]["NewImage"] for entry in answer["Records"] if entry["eventName"] == "INSERT")
            transactions.extend(transactions_in(images))
        return transactions

    def _follow_shards(self, position: str) -> None:
        shards = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        for shard in shards:
            name = shard["ShardId"]
            if name not in self._iterators:
                answer = self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=name, ShardIteratorType=position)
                self._iterators[name] = answer["ShardIterator"]


@dataclass(slots=True, kw_only=True)
class Observer:
    """Prints each fact once."""

    description: Description
    console: Console
    ledger: Ledger = field(default_factory=Ledger)
    announcements: Announcements = field(default_factory=Announcements)
    parked: set[str] = field(default_factory=set)

    async def told(self, message: Msg) -> None:
        """Keep an event received on NATS; it is printed after its transaction."""
        payload = json.loads(message.data).get("payload") or {}
        self.announcements.add(
            ReceivedEvent(
                time=_now(),
                event_type=message.subject,
                merchant_id=str(payload.get("merchant_id")),
                sequence=int(payload.get("sequence") or 0),
            )
        )

    async def follow_ledger(self) -> None:
        """Print every transaction from now on and the events published about it; never returns."""
        stream = await asyncio.to_thread(LedgerStream, self.description)
        while True:
            transactions = await asyncio.to_thread(stream.read)
            self.ledger.note(transactions)
            for line in (*map(transaction_line, transactions), *self.announcements.due(self.ledger, _now())):
                self.console.print(line)
            await asyncio.sleep(LEDGER_SECONDS)

    async def follow_parked(self) -> None:
        """Print every message that is parked from now on; never returns."""
        self.parked.update(str(message["MessageId"]) for message in await asyncio.to_thread(self._peek))
        while True:
            for message in await asyncio.to_thread(self._peek):
                if message["MessageId"] not in self.parked:
                    self.parked.add(str(message["MessageId"]))
                    self.console.print(parked_line(_now(), message))
            await asyncio.sleep(PARKED_SECONDS)

    async def say_what_became_of(self, repeat: Emission) -> None:
        """Print how often an order that was sent again is recorded, once the ledger has settled."""
        await asyncio.sleep(SETTLED_SECONDS)
        order_id = str(json.loads(repeat.body)["payload"]["order_id"])
        found = self.ledger.order(repeat.shop.merchant_id, order_id)
        if found is not None:
            transaction, times = found
            self.console.print(again_line(_now(), transaction, times))

    def _peek(self) -> list[Mapping[str, Any]]:
        """Return the parked messages without receiving them, which only the emulator offers."""
        queue = urllib.parse.quote(self.description.dead_letter_queue_url, safe="")
        url = f"{self.description.aws_endpoint}/_ministack/sqs/messages?QueueUrl={queue}"
        with DIRECT.open(url) as answer:
            accounts = json.load(answer)["messages"]
        return [
            message
            for regions in accounts.values()
            for queues in regions.values()
            for messages in queues.values()
            for message in messages
        ]


class Sender:
    """Sends emissions over NATS and over the bus."""

    def __init__(self, description: Description, connection: NatsClient) -> None:
        self._bus = description.event_bus
        self._events: EventBridgeClient = emulator_client(description.aws_endpoint, "events")
        self._jetstream = connection.jetstream()

    async def open_connected(self) -> None:
        """Open the accounts of the connected shops."""
        for shop in CONNECTED:
            await self._jetstream.publish("evt.merchant.created", shop.opening().encode())

    async def send(self, emission: Emission) -> None:
        """Send one event, stamped with the present; returns when the channel has confirmed it."""
        envelope = {**json.loads(emission.body), "timestamp": _now().isoformat(timespec="milliseconds")}
        body = json.dumps(envelope)
        if emission.channel is Channel.NATS:
            await self._jetstream.publish(emission.event_type, body.encode())
        else:
            await asyncio.to_thread(self._put, emission.event_type, body)

    def _put(self, event_type: str, body: str) -> None:
        entry = {"Source": "sample-shops", "DetailType": event_type, "Detail": body, "EventBusName": self._bus}
        self._events.put_events(Entries=[entry])  # type: ignore[list-item]


async def name_shops(description: Description, console: Console) -> None:
    """Give every shop the name by which people find it, and print each that is refused."""
    for shop in (*SHOPS, PAST_SHOP):
        why = await _why_refused(
            put_link,
            description.api_url,
            f"{LinkKind.SHOPIFY}:{shop.domain}",
            merchant_id=shop.merchant_id,
            label=shop.name,
            admin_token=description.admin_token,
        )
        if why is not None:
            console.print(refused_line(_now(), shop.name, "its name", why))


async def send_webhooks(description: Description, console: Console, sender: Sender, runs: int) -> None:
    """Send the webhooks of the connected shops, and print each that is refused; never returns."""
    await sender.open_connected()
    for round_number in count(runs * ROUNDS_IN_A_RUN):
        for shop, webhook in all_webhooks(round_number, _now()):
            await asyncio.sleep(PAUSE_SECONDS)
            secret = description.webhook_secrets[webhook.source]
            why = await _why_refused(post, description.api_url, webhook, secret, _now())
            if why is not None:
                # The next round tells the story anew.
                sent = f"webhook of {webhook.source.capitalize()}"
                console.print(refused_line(_now(), shop.name, sent, why))


async def _why_refused(send: Callable[..., int], *given: Any, **named: Any) -> str | None:
    """Return why the API did not take what was sent to it, None if it did; a busy machine may be slow to answer."""
    try:
        status = await asyncio.to_thread(send, *given, **named)
    except OSError:
        return "was not answered"
    return None if status == HTTPStatus.OK else f"answered {status}"


async def run(description: Description, console: Console, *, sending: bool, seed: int, runs: int) -> None:
    """Send (unless not `sending`) and print until the task is cancelled."""
    if sending and not runs:
        transactions = await asyncio.to_thread(live_through, local_target(), _now())
        console.print(f"{PAST_SHOP.name} has sold for {len(SALES)} days: {transactions} transactions.")
    observer = Observer(description=description, console=console)
    connection = await nats.connect(description.nats_url, allow_reconnect=True)
    await connection.subscribe("evt.credits.>", cb=observer.told)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(observer.follow_ledger())
        tasks.create_task(observer.follow_parked())
        if sending:
            sender = Sender(description, connection)
            tasks.create_task(send_webhooks(description, console, sender, runs))
            tasks.create_task(name_shops(description, console))
            for emission in emissions(seed, runs):
                await asyncio.sleep(emission.pause_seconds)
                await sender.send(emission)
                if emission.happening is Happening.AGAIN:
                    tasks.create_task(observer.say_what_became_of(emission))


async def run_until_signalled(
    description: Description, console: Console, *, sending: bool, seed: int, runs: int
) -> None:
    """Run `run` until SIGTERM or SIGINT."""
    work = asyncio.create_task(run(description, console, sending=sending, seed=seed, runs=runs))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


def main() -> None:
    """Find the stack and run with the command line's options."""
    parser = argparse.ArgumentParser(description="Sample traffic for the local stack.")
    parser.add_argument("--watch", action="store_true", help="send nothing, only print what happens")
    parser.add_argument("--runs", type=int, default=0, help="send other orders than those of so many runs before")
    arguments = parser.parse_args()
    description = _stack()
    console = Console(soft_wrap=True, highlight=False)
    asyncio.run(
        run_until_signalled(
            description, console, sending=not arguments.watch, seed=seed(os.environ), runs=arguments.runs
        )
    )


def _stack() -> Description:
    """Return the stack of this folder; waits while it is starting."""
    directory = local_directory(os.environ)
    deadline = time.monotonic() + STACK_SECONDS
    while not (directory / FILE_NAME).exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"No stack runs in {directory}: start one with `make run`.")
        time.sleep(LEDGER_SECONDS)
    return read(directory)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()

"""How long an event takes to show: `python -m infra.bench.latency`, beside a stack that `make run TRAFFIC=off` started.

Four ways are measured, one event at a time, while other shops sell so many orders a second over NATS:

- from publishing an order on NATS, putting it on the bus, or posting it as Shopify's signed webhook, to the first read
  of the account that has it;
- from the write that crossed a threshold (its transaction's `created_at`) to the event about it, heard on NATS.

The table also has the emulator's own times for an item that is put and read, and for a message that passes a queue. The
stack is the one of .local, or of `LOCAL_DIR`. `--write` puts the table into the page of measurements.
"""

import argparse
import asyncio
import http
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from statistics import quantiles
from typing import Final

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from chalicelib.domain.links import LinkKind
from infra.bench.measurements import Place
from infra.deploying.emulator import emulator_client
from infra.interfaces.webhooks import ShopifyWebhook, order
from infra.local.connected import Webhook, post
from infra.local.description import Description, local_directory, read

SAMPLES: Final = 100
SAMPLES_MIN: Final = 50
WARM_UP: Final = 3
"""First events that are sent and not measured."""
RATES: Final = (0, 20, 200)
"""Orders a second of other shops."""
OTHER_SHOPS: Final = 40
EFFECT_SECONDS: Final = 60.0
TRIAL: Final = 1_000_000
STATUS_CHANGED: Final = "evt.credits.plugin_status_changed"
PAID: Final = "evt.shopify.webhook.order_paid"
PLACE: Final = Place(name="latency", module="infra.bench.latency")

Send = Callable[[int], Awaitable[object]]
"""Sends the shop's order with a number."""


class Bench:
    """A running stack: its NATS, its AWS, and the accounts in it."""

    def __init__(self, description: Description, connection: Client) -> None:
        self.description = description
        self.connection = connection
        self.heard: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        self._jetstream = connection.jetstream()
        self.dynamodb, self.sqs, self.events = (
            emulator_client(description.aws_endpoint, name) for name in ("dynamodb", "sqs", "events")
        )

    async def publish(self, event_type: str, shop: str, **payload: object) -> None:
        """Publish an event about a shop; return when JetStream has it."""
        await self._jetstream.publish(event_type, json.dumps(_event(event_type, shop, payload)).encode())

    async def put(self, event_type: str, shop: str, **payload: object) -> None:
        """Put an event about a shop on the bus."""
        entry = {
            "Source": "latency",
            "DetailType": event_type,
            "Detail": json.dumps(_event(event_type, shop, payload)),
            "EventBusName": self.description.event_bus,
        }
        await asyncio.to_thread(self.events.put_events, Entries=[entry])

    async def opened(self, credits_given: int) -> str:
        """Return a new shop, whose account can be read."""
        shop = str(uuid.uuid4())
        await self.publish("evt.account.created", shop, credits_to_use=credits_given)
        await self.sequence_above(shop, 0)
        return shop

    async def sequence_above(self, shop: str, known: int) -> int:
        """Return the number of the account's last transaction as soon as it is above `known`.

        Raises:
            TimeoutError: it stayed the same for a minute.
        """
        asked = {
            "TableName": self.description.credits_table,
            "Key": {"merchant_id": {"S": shop}},
            "ProjectionExpression": "#n",
            "ExpressionAttributeNames": {"#n": "sequence"},
            "ConsistentRead": True,
        }
        async with asyncio.timeout(EFFECT_SECONDS):
            while True:
                answer = await asyncio.to_thread(self.dynamodb.get_item, **asked)
                found = int(answer.get("Item", {}).get("sequence", {}).get("N", 0))
                if found > known:
                    return found

    async def note(self, message: Msg) -> None:
        """Record whose event was received, and how many seconds after its write."""
        payload = json.loads(message.data)["payload"]
        written = datetime.fromisoformat(payload["timestamp"])
        self.heard.put_nowait((payload["merchant_id"], (datetime.now(UTC) - written).total_seconds()))


async def to_balance(bench: Bench, shop: str, send: Send, samples: int) -> list[float]:
    """Return the seconds from sending each of a shop's orders to the first read that has it.

    It stops at the first that takes a minute: what comes in is more than the stack can do then.
    """
    taken: list[float] = []
    known = await bench.sequence_above(shop, 0)
    for number in range(1, 1 + WARM_UP + samples):
        sent = time.perf_counter()
        await send(number)
        try:
            known = await bench.sequence_above(shop, known)
        except TimeoutError:
            return [EFFECT_SECONDS]
        taken.append(time.perf_counter() - sent)
    return taken[WARM_UP:]


async def to_event(bench: Bench, shop: str, samples: int) -> list[float]:
    """Return the seconds from each write that turned the plugin on or off, first off, to its event on NATS."""
    taken: list[float] = []
    while len(taken) < WARM_UP + samples:
        number = len(taken)
        if number % 2 == 0:
            await bench.publish(PAID, shop, order_id=number)
        else:
            await bench.publish("evt.billing.payment_succeeded", shop, payment_id=number, credits=1)
        whose = ""
        try:
            while whose != shop:
                whose, seconds = await asyncio.wait_for(bench.heard.get(), EFFECT_SECONDS)
        except TimeoutError:
            return [EFFECT_SECONDS]
        taken.append(seconds)
    return taken[WARM_UP:]


async def all_ways(bench: Bench, samples: int, rate: int) -> dict[str, list[float]]:
    """Return the seconds of each way, by what it is called, while other shops sell."""
    over_nats, over_bus, crossing = [await bench.opened(credits_given) for credits_given in (TRIAL, TRIAL, 1)]
    connected, posted, answered = await _connected(bench)
    async with selling(bench, rate):
        return {
            "published on NATS → balance": await to_balance(
                bench, over_nats, lambda number: bench.publish(PAID, over_nats, order_id=number), samples
            ),
            "put on the bus → balance": await to_balance(
                bench, over_bus, lambda number: bench.put(PAID, over_bus, order_id=number), samples
            ),
            "posted as a webhook → balance": await to_balance(bench, connected, posted, samples),
            "posted as a webhook → answered": answered[WARM_UP:],
            "written → threshold event on NATS": await to_event(bench, crossing, samples),
            **await bare(bench, samples),
        }


async def bare(bench: Bench, samples: int) -> dict[str, list[float]]:
    """Return the seconds that the emulator alone takes, by what for."""
    with _of_its_own(bench) as (table, queue):

        def item() -> None:
            key = {"id": {"S": uuid.uuid4().hex}}
            bench.dynamodb.put_item(TableName=table, Item=key)
            bench.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)

        def message() -> None:
            bench.sqs.send_message(QueueUrl=queue, MessageBody="{}")
            received = bench.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
            bench.sqs.delete_message(QueueUrl=queue, ReceiptHandle=received[0]["ReceiptHandle"])

        named = {"the emulator: an item put and read": item, "the emulator: a message through a queue": message}
        return {
            name: [await asyncio.to_thread(_timed, action) for _ in range(samples)] for name, action in named.items()
        }


@asynccontextmanager
async def selling(bench: Bench, rate: int) -> AsyncIterator[None]:
    """Let other shops sell so many orders a second over NATS while the block runs."""
    if not rate:
        yield
        return
    shops = await asyncio.gather(*(bench.opened(TRIAL) for _ in range(OTHER_SHOPS)))

    async def sell() -> None:
        async with asyncio.TaskGroup() as sent:
            started = time.perf_counter()
            for number in count():
                sent.create_task(bench.publish(PAID, shops[number % OTHER_SHOPS], order_id=number))
                await asyncio.sleep(max(0.0, started + (number + 1) / rate - time.perf_counter()))

    sales = asyncio.create_task(sell())
    try:
        yield
    finally:
        sales.cancel()


async def measure(description: Description, samples: int, rates: Sequence[int]) -> str:
    """Return the table of all ways at these rates, and of the emulator alone."""
    connection = await nats.connect(description.nats_url)
    bench = Bench(description, connection)
    await connection.subscribe(STATUS_CHANGED, cb=bench.note)
    rows = []
    for rate in rates:
        for what, taken in (await all_ways(bench, samples, rate)).items():
            rows.append((what, rate, taken))
            print(_row(*rows[-1]), flush=True)
    await connection.close()
    heads = "| way | beside it, orders a second | p50 | p95 | p99 |\n|---|---|---|---|---|"
    return "\n".join([heads, *(_row(*row) for row in sorted(rows, key=lambda row: row[0]))])


def main() -> None:
    """Find the stack and measure it."""
    parser = argparse.ArgumentParser(description="Measure how long an event takes to show, on the local stack.")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"at least {SAMPLES_MIN} (default {SAMPLES})")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="orders a second of other shops")
    parser.add_argument("--write", action="store_true", help="put the table into infra/docs/measurements.md")
    chosen = parser.parse_args()
    if chosen.samples < SAMPLES_MIN:
        parser.error(f"--samples takes at least {SAMPLES_MIN}: fewer say nothing about the slowest twentieth")
    directory = local_directory(os.environ)
    try:
        description = read(directory)
    except FileNotFoundError:
        parser.error(f"no stack runs in {directory}: start one with `make run TRAFFIC=off`")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {chosen.samples} samples each")
    table = asyncio.run(measure(description, chosen.samples, chosen.rates))
    if chosen.write:
        PLACE.put(table)


async def _connected(bench: Bench) -> tuple[str, Send, list[float]]:
    """Return a new shop that Shopify knows, what posts its orders, and the seconds until each was answered."""
    shop, domain = str(uuid.uuid4()), f"{uuid.uuid4().hex}.myshopify.com"
    await bench.publish("evt.merchant.created", shop, links=[{"name": f"{LinkKind.SHOPIFY}:{domain}"}])
    await bench.sequence_above(shop, 0)
    secret = bench.description.webhook_secrets[LinkKind.SHOPIFY]
    answered: list[float] = []

    async def send(number: int) -> None:
        now = datetime.now(UTC)
        sold = ShopifyWebhook(topic="orders/paid", shop=domain, body=order(number, Decimal("24.90"), now), at=now)
        webhook = Webhook(source=LinkKind.SHOPIFY, headers=sold.headers, body=sold.body)
        started = time.perf_counter()
        status = await asyncio.to_thread(post, bench.description.api_url, webhook, secret, now)
        assert status == http.HTTPStatus.OK, status
        answered.append(time.perf_counter() - started)

    return shop, send, answered


@contextmanager
def _of_its_own(bench: Bench) -> Iterator[tuple[str, str]]:
    """Yield a table and a queue that nobody else uses."""
    name = f"latency-{uuid.uuid4().hex}"
    bench.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    queue = bench.sqs.create_queue(QueueName=name)["QueueUrl"]
    try:
        yield name, queue
    finally:
        bench.dynamodb.delete_table(TableName=name)
        bench.sqs.delete_queue(QueueUrl=queue)


def _event(event_type: str, shop: str, payload: dict[str, object]) -> dict[str, object]:
    return {"event_type": event_type, "payload": {"merchant_id": shop, **payload}}


def _timed(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _row(what: str, rate: int, taken: list[float]) -> str:
    if EFFECT_SECONDS in taken or len(taken) < WARM_UP:
        return f"| {what} | {rate or 'none'} | {'over a minute' if taken else 'too few'} | | |"
    cuts = quantiles(taken, n=100, method="inclusive")
    shown = " | ".join(f"{cuts[place] * 1000:,.0f} ms" for place in (49, 94, 98))
    return f"| {what} | {rate or 'none'} | {shown} |"


if __name__ == "__main__":
    main()

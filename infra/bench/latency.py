"""How long an event takes to show: `python -m infra.bench.latency`, beside a stack that `make run TRAFFIC=off` started.

Three ways are measured, one event at a time, so that nothing waits in a queue but the event itself:

- from publishing an order on NATS to the first answer of the balance route that has changed;
- the same from posting an order as Shopify's signed webhook, and from posting it to the answer that it is queued;
- from the write that crossed a threshold (its transaction's `created_at`) to the event about it, heard on NATS.

The stack is the one of .local, or of `LOCAL_DIR`. Most of the time is the emulator's: it polls queues and streams
twenty times a second, on one thread.
"""

import argparse
import asyncio
import http.client
import json
import os
import platform
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from chalicelib.contracts.sources.webhooks import Source
from infra.interfaces.webhooks import ShopifyWebhook, order
from infra.local.connected import Webhook, post
from infra.local.description import Description, local_directory, read
from infra.local.tokens import OWNER_SCOPE, Signer

SAMPLES = 60
SAMPLES_MIN = 50
WARM_UP = 3
"""First events that are sent and not measured."""
EFFECT_SECONDS = 30.0
LOOK_SECONDS = 0.002
TRIAL = 1_000_000
STATUS_CHANGED = "evt.credits.plugin_status_changed"


class Probe:
    """A made-up shop of a running stack, its balance and the events about it."""

    def __init__(self, description: Description, connection: Client, api: http.client.HTTPConnection) -> None:
        self.heard: asyncio.Queue[float] = asyncio.Queue()
        self._merchant_id = str(uuid.uuid4())
        self._jetstream = connection.jetstream()
        self._api = api
        jwt = description.jwt
        signer = Signer(private_key_path=Path(jwt.private_key_path), key_id=jwt.key_id, public_keys={})
        token = signer.token(subject="latency", scope=OWNER_SCOPE, merchant_id=self._merchant_id)
        self._headers = {"Authorization": f"Bearer {token}"}

    async def open(self, credits_given: int) -> None:
        """Open the account; return when its balance can be read."""
        await self.publish("evt.account.created", credits_to_use=credits_given)
        await self.balance_other_than(None)

    async def open_connected(self, shop: str) -> None:
        """Open the account with the trial of the settings, linked to a shop; return when its balance can be read."""
        await self.publish("evt.merchant.created", links=[{"name": f"{Source.SHOPIFY}:{shop}"}])
        await self.balance_other_than(None)

    async def publish(self, event_type: str, **payload: object) -> None:
        """Publish an event about the shop; return when JetStream has it."""
        event = {"event_type": event_type, "payload": {"merchant_id": self._merchant_id, **payload}}
        await self._jetstream.publish(event_type, json.dumps(event).encode())

    async def balance_other_than(self, known: int | None) -> int:
        """Return the balance as soon as it has changed.

        Raises:
            TimeoutError: it stayed the same for half a minute.
        """
        async with asyncio.timeout(EFFECT_SECONDS):
            while (balance := await asyncio.to_thread(self._balance)) == known:  # noqa: ASYNC110 - HTTP cannot notify
                await asyncio.sleep(LOOK_SECONDS)
        assert balance is not None
        return balance

    async def note(self, message: Msg) -> None:
        """Record how many seconds after its write an event about the shop was received."""
        payload = json.loads(message.data)["payload"]
        if payload["merchant_id"] == self._merchant_id:
            written = datetime.fromisoformat(payload["timestamp"])
            self.heard.put_nowait((datetime.now(UTC) - written).total_seconds())

    def _balance(self) -> int | None:
        self._api.request("GET", f"/api/v1/credits/accounts/{self._merchant_id}/balance", headers=self._headers)
        answer = self._api.getresponse()
        body = answer.read()
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return None
        balance: int = json.loads(body)["data"]["balance"]
        return balance


async def publish_to_balance(probe: Probe, samples: int) -> list[float]:
    """Return the seconds from publishing each order to the answer with its balance."""
    await probe.open(TRIAL)
    taken: list[float] = []
    balance = await probe.balance_other_than(None)
    for number in range(WARM_UP + samples):
        published = time.perf_counter()
        await probe.publish("evt.shopify.webhook.order_paid", order_id=number)
        balance = await probe.balance_other_than(balance)
        taken.append(time.perf_counter() - published)
    return taken[WARM_UP:]


async def post_to_balance(probe: Probe, description: Description, samples: int) -> tuple[list[float], list[float]]:
    """Return the seconds from posting each order as a webhook to the answer, and to the answer with its balance."""
    shop, secret = f"{uuid.uuid4().hex}.myshopify.com", description.webhook_secrets[Source.SHOPIFY]
    await probe.open_connected(shop)
    answered: list[float] = []
    taken: list[float] = []
    balance = await probe.balance_other_than(None)
    for number in range(1, 1 + WARM_UP + samples):
        now = datetime.now(UTC)
        sold = ShopifyWebhook(topic="orders/paid", shop=shop, body=order(number, Decimal("24.90"), now), at=now)
        webhook = Webhook(source=Source.SHOPIFY, headers=sold.headers, body=sold.body)
        posted = time.perf_counter()
        status = await asyncio.to_thread(post, description.api_url, webhook, secret, now)
        assert status == http.HTTPStatus.OK, status
        answered.append(time.perf_counter() - posted)
        balance = await probe.balance_other_than(balance)
        taken.append(time.perf_counter() - posted)
    return answered[WARM_UP:], taken[WARM_UP:]


async def write_to_event(probe: Probe, samples: int) -> list[float]:
    """Return the seconds from each write that turned the plugin on or off to its event on NATS."""
    await probe.open(1)
    taken: list[float] = []
    for number in range(WARM_UP + samples):
        if number % 2 == 0:
            await probe.publish("evt.shopify.webhook.order_paid", order_id=number)
        else:
            await probe.publish("evt.billing.payment_succeeded", payment_id=number, credits=1)
        async with asyncio.timeout(EFFECT_SECONDS):
            taken.append(await probe.heard.get())
    return taken[WARM_UP:]


async def measure(description: Description, samples: int) -> None:
    """Measure all ways and print a line for each."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, {samples} samples each")
    connection = await nats.connect(description.nats_url)
    with closing(http.client.HTTPConnection(urlsplit(description.api_url).netloc, timeout=EFFECT_SECONDS)) as api:
        first, second, connected = (Probe(description, connection, api) for _ in range(3))
        _print("published on NATS → balance over HTTP", await publish_to_balance(first, samples))
        answered, posted = await post_to_balance(connected, description, samples)
        _print("posted as a webhook → answered", answered)
        _print("posted as a webhook → balance over HTTP", posted)
        await connection.subscribe(STATUS_CHANGED, cb=second.note)
        _print("written → threshold event on NATS", await write_to_event(second, samples))
    await connection.close()


def _print(what: str, taken: list[float]) -> None:
    cuts = quantiles(taken, n=100, method="inclusive")
    print(f"{what:<40} p50 {cuts[49] * 1000:6.0f} ms   p95 {cuts[94] * 1000:6.0f} ms   max {max(taken) * 1000:6.0f} ms")


def main() -> None:
    """Find the stack and measure it."""
    parser = argparse.ArgumentParser(description="Measure how long an event takes to show, on the local stack.")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"at least {SAMPLES_MIN} (default {SAMPLES})")
    samples = parser.parse_args().samples
    if samples < SAMPLES_MIN:
        parser.error(f"--samples takes at least {SAMPLES_MIN}: fewer say nothing about the slowest twentieth")
    directory = local_directory(os.environ)
    try:
        description = read(directory)
    except FileNotFoundError:
        parser.error(f"no stack runs in {directory}: start one with `make run TRAFFIC=off`")
    asyncio.run(measure(description, samples))


if __name__ == "__main__":
    main()

"""Rights on NATS, by subject, are rights to types: who may publish orders only cannot get credits by any body."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.msg import Msg

from infra.bridge.inbound import Forwarder
from tests.support.bridge_fakes import FakePublish, FakeQueue
from tests.support.bridge_fakes import settings as bridge_settings
from tests.support.builders import SHOP
from tests.support.engines import nats_server
from tests.support.events import opened, sqs_record
from tests.support.nats_logins import configured
from tests.support.poison import MINTING, PAID
from tests.support.system import System

ORDERS, WEBHOOKS, STRIPE = "evt.order.updated", "evt.shopify.webhook.raw", "evt.stripe.webhook.raw"


def users(subject: str) -> tuple[Mapping[str, Any], ...]:
    """Return the bridge, and a shop that may publish on one subject only."""
    permissions = {"publish": [subject], "subscribe": ["_INBOX.>"]}
    return {"user": "bridge", "password": "b"}, {"user": "shop", "password": "s", "permissions": permissions}


HEADERS: Sequence[Mapping[str, str]] = (
    {},
    {"ce-type": PAID, "ce-source": "billing", "ce-specversion": "1.0"},
    {"subject": PAID, "origin": "bus", "Nats-Subject": PAID, "event_type": PAID},
    {"detail-type": PAID, "Content-Type": "application/cloudevents+json"},
)
LARGEST = 1024 * 1024
SECONDS = 60.0
"""How long NATS may take on a busy machine."""


async def forwarded(url: str, subject: str, bodies: Sequence[str]) -> FakeQueue:
    """Publish every body with all headers as the shop, and return what the bridge put into the inbox."""
    others = (PAID, STRIPE, "evt.credits.manual_adjustment")
    bridge = await nats.connect(url, user="bridge", password="b")
    await bridge.jetstream(timeout=SECONDS).add_stream(name="UPSTREAM", subjects=["evt.>"])
    refused: list[Exception] = []

    async def refuse(error: Exception) -> None:
        refused.append(error)

    shop = await nats.connect(url, user="shop", password="s", error_cb=refuse)
    for body in bodies:
        for headers in HEADERS:
            for other in others:
                await shop.publish(other, body.encode(), headers=dict(headers))
            # Its confirmation comes after what the server said of those before.
            await shop.jetstream(timeout=SECONDS).publish(subject, body.encode(), headers=dict(headers))
    await shop.close()
    assert len(refused) == len(others) * len(bodies) * len(HEADERS)

    queue = FakeQueue()
    forwarder = Forwarder(queue, FakePublish(), bridge_settings(), largest_payload=LARGEST)
    subscription = await bridge.jetstream(timeout=SECONDS).pull_subscribe(
        "evt.>", durable="credit-service", stream="UPSTREAM"
    )
    left = len(bodies) * len(HEADERS)
    while left:
        deliveries: list[Msg] = await subscription.fetch(min(left, 10), timeout=SECONDS)
        await forwarder.forward(deliveries)
        left -= len(deliveries)
    await bridge.close()
    return queue


@pytest.mark.slow
@pytest.mark.stack
@pytest.mark.parametrize(
    ("subject", "recorded"),
    [
        # Some bodies are an order as well: that is what the shop has the right to.
        (ORDERS, ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1"]),
        (WEBHOOKS, ["TRIAL_MERCHANT"]),
    ],
)
def test_who_may_publish_orders_only_gets_no_credits_by_any_body_or_header(
    system: System, tmp_path: Path, subject: str, recorded: list[str]
) -> None:
    bodies = [make(SHOP) for make in MINTING.values()]
    with nats_server(tmp_path, configuration=configured(tmp_path, users=users(subject))) as url:
        queue = asyncio.run(forwarded(url, subject, bodies))
    entries = [entry for request in queue.requests for entry in request]
    assert len(entries) == len(bodies) * len(HEADERS)
    assert {entry.attributes["subject"] for entry in entries} == {subject}

    assert system.ingest(opened()) == []
    for start in range(0, len(entries), 20):
        records = [
            sqs_record(
                entry.body,
                message_id=str(start + place),
                origin=entry.attributes["origin"],
                subject=entry.attributes["subject"],
                ce_type=entry.attributes.get("ce_type"),
            )
            for place, entry in enumerate(entries[start : start + 20])
        ]
        assert system.ingest(*records) == []

    assert system.recorded() == recorded
    assert system.balance() == 101 - len(recorded)
    letters = system.parked()
    assert "type_contradicts_subject" in {letter.attributes["code"] for letter in letters}
    assert {letter.attributes["subject"] for letter in letters} == {subject}

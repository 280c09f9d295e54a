"""The bridge under fire: killed at every step, NATS killed, the queue failing. All arrives, and counts once."""

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.js import api

from infra.bridge.subjects import OUTBOUND_TYPES
from tests.oracles.published_chain import broken_links_in_answers
from tests.support.bridge_fakes import order
from tests.support.bridge_process import (
    PAID,
    WAIT_SECONDS,
    Queues,
    bridge,
    eventually,
    launch_bridge,
    numbers,
    on_nats,
    publish,
    queues_in,
    stored,
    unacknowledged,
)
from tests.support.dying_bridge import STEPS
from tests.support.engines import nats_server, stop
from tests.support.faulty_sqs import Fault, faulty_road
from tests.support.fire import BRIDGE, NATS, on_fire, order_of, put_out
from tests.support.marketplace import happened
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

SHOPS = 6
CREDITS = 100_000
DRAIN_SECONDS = 600.0
MESSAGES, BRIDGE_KILLS, NATS_KILLS = 10_000, 12, 3
WIDE_WINDOW = api.StreamConfig(name="CREDIT", subjects=list(OUTBOUND_TYPES), duplicate_window=3600)
"""Repeats are dropped however long a busy machine takes to come to them."""


@pytest.fixture
def queues(flows: Stack) -> Iterator[Queues]:
    with queues_in(flows.description.aws_endpoint, patience_seconds=2) as made:
        yield made


def widen(client: Client) -> Awaitable[object]:
    return client.jetstream().update_stream(WIDE_WINDOW)


def told(url: str) -> list[int]:
    """Return the numbers of the events in the stream of events out."""
    return sorted(
        int(json.loads(message.data or b"")["event_id"].removeprefix("event-")) for message in stored(url, "CREDIT")
    )


def is_empty(queues: Queues, url: str) -> bool:
    state = queues.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return state["ApproximateNumberOfMessages"] == state["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_every_order_stands_in_the_ledger_once_however_often_bridge_and_nats_are_killed(
    tmp_path: Path, flows: Stack
) -> None:
    shops = [str(uuid4()) for _ in range(SHOPS)]
    flows.tell(*(happened("evt.account.created", shop, trial_id="fire", credits_to_use=CREDITS) for shop in shops))
    victims = [BRIDGE] * BRIDGE_KILLS + [NATS] * NATS_KILLS
    random.Random(MESSAGES).shuffle(victims)  # noqa: S311 - a schedule, not a secret
    bodies = [order_of(shops[number % SHOPS], number) for number in range(MESSAGES)]
    parts = [bodies[start :: len(victims) + 1] for start in range(len(victims) + 1)]
    events = [range(MESSAGES // 5)[start :: len(victims) + 1] for start in range(len(victims) + 1)]
    description = flows.description

    with (
        queues_in(description.aws_endpoint, inbox=description.inbox_queue_url, patience_seconds=5) as queues,
        on_fire(tmp_path, queues) as fire,
    ):
        on_nats(fire.nats_url, widen)
        fire.burn(parts, events, victims, seed=MESSAGES)
        fire.heal()
        assert fire.kills == victims
        until("NATS to be drained", lambda: unacknowledged(fire.nats_url) == 0, DRAIN_SECONDS)
        until("the inbox to be drained", lambda: not any(flows.inbox()), DRAIN_SECONDS)
        until("the outbox to be drained", lambda: is_empty(queues, queues.outbox), DRAIN_SECONDS)
        assert told(fire.nats_url) == list(range(MESSAGES // 5))

    for number, shop in enumerate(shops):
        ledger = flows.ledger(shop)
        orders = [row["reference_id"] for row in ledger if row["transaction_type"] == "ORDER_PAID"]
        assert Counter(orders) == Counter(map(str, range(number, MESSAGES, SHOPS)))
        assert broken_links_in_answers(ledger) == []
        assert flows.read(f"/credits/accounts/{shop}")["balance"] == CREDITS - len(orders)


def test_killed_at_any_step_the_next_bridge_finishes_what_was_begun(tmp_path: Path, queues: Queues) -> None:
    giant = os.urandom(1024 * 1024 - 1)
    sent = range(0)
    with nats_server(tmp_path) as url:
        for step in STEPS:
            # The first step makes the streams, so nothing can be published before it.
            if step != "streams half made":
                sent = range(sent.stop + 10)
                publish(url, PAID, *(order(each) for each in sent[-10:]))
                put_out(queues, sent[-10:])
            if "parked" in step:
                publish(url, PAID, giant)
            program = ("-m", "tests.support.dying_bridge", step)
            engine, _ = launch_bridge(tmp_path, url, queues, program=program, BRIDGE_ACK_WAIT_SECONDS="2")
            try:
                assert engine.process.wait(WAIT_SECONDS) == -signal.SIGKILL, engine.last_words()
            finally:
                stop(engine.process)
        with bridge(tmp_path, url, queues, BRIDGE_ACK_WAIT_SECONDS="2"):
            eventually(lambda: unacknowledged(url) == 0)
            eventually(lambda: is_empty(queues, queues.outbox))
        assert told(url) == list(sent)
        parts = [(message.headers or {}, message.data or b"") for message in stored(url, "PARKED")]
    assert set(numbers(queues.take(queues.inbox))) == set(sent)
    # What was parked half, or parked and not said to be, is parked again under the same ids: whole, and once.
    by_message: dict[str, list[tuple[str, bytes]]] = {}
    for headers, part in parts:
        by_message.setdefault(headers["Parked-Stream-Sequence"], []).append((headers["Parked-Part"], part))
    assert len(by_message) == sum("parked" in step for step in STEPS)
    for found in by_message.values():
        assert b"".join(part for _, part in sorted(found)) == giant


BREAKAGES = [fault for fault in Fault if fault is not Fault.NONE]


def test_a_queue_that_fails_in_every_way_gets_everything_once_it_has_healed(tmp_path: Path, queues: Queues) -> None:
    chance = random.Random(7)  # noqa: S311 - a schedule, not a secret
    with faulty_road(queues.endpoint) as road, nats_server(tmp_path) as url:
        road.fault = lambda _: chance.choice(BREAKAGES)
        with bridge(tmp_path, url, queues, healthy=False, AWS_ENDPOINT_URL=road.url):
            eventually(lambda: streams_are_made(url))
            on_nats(url, widen)
            publish(url, PAID, *(order(number) for number in range(200)))
            put_out(queues, range(100))
            eventually(lambda: all(road.broken[fault] for fault in BREAKAGES))
            road.fault = lambda _: Fault.NONE
            road.slow_seconds = 0.05
            eventually(lambda: unacknowledged(url) == 0)
            eventually(lambda: is_empty(queues, queues.outbox))
        assert told(url) == list(range(100))
    # A request that was cut after its effect is sent again; the ledger drops that by the order's own key.
    assert set(numbers(queues.take(queues.inbox))) == set(range(200))


def test_while_the_queue_is_away_messages_wait_in_nats_and_not_in_the_bridge(tmp_path: Path, queues: Queues) -> None:
    """Thirty megabytes wait, and the bridge may hold twenty messages of ten kilobytes."""
    padding = " " * 10_000
    with faulty_road(queues.endpoint) as road, nats_server(tmp_path) as url:
        road.fault = lambda _: Fault.REFUSED
        limits = {"BRIDGE_LANES": "2", "BRIDGE_IN_FLIGHT": "20"}
        with bridge(tmp_path, url, queues, healthy=False, AWS_ENDPOINT_URL=road.url, **limits) as running:
            eventually(lambda: streams_are_made(url))
            publish(url, PAID, *(order(number) + padding.encode() for number in range(100)))
            eventually(lambda: running.counted("inbound", "retried") >= 40)
            before = running.resident_bytes()
            publish(url, PAID, *(order(number) + padding.encode() for number in range(100, 3000)))
            seen = running.counted("inbound", "retried")
            eventually(lambda: running.counted("inbound", "retried") >= seen + 100)
            assert on_nats(url, in_hand) <= 20
            assert running.resident_bytes() - before < 10_000_000
            road.fault = lambda _: Fault.NONE
            until("NATS to be drained", lambda: unacknowledged(url) == 0, DRAIN_SECONDS)
            assert running.resident_bytes() - before < 10_000_000
    assert set(numbers(queues.take(queues.inbox))) == set(range(3000))


async def in_hand(client: Client) -> int:
    """Return how many messages JetStream has handed out and not heard of."""
    return (await client.jsm().consumer_info("UPSTREAM", "credit-service")).num_ack_pending or 0


def streams_are_made(url: str) -> bool:
    async def look(client: Client) -> int:
        return len(await client.jetstream().streams_info())

    return on_nats(url, look) >= len(("CREDIT", "CREDIT_ADJUSTMENTS", "PARKED", "UPSTREAM"))

"""The bridge among streams of others: refused, paused, deleted, too small, and made after it."""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, RetentionPolicy

from chalicelib.adapters.dead_letters import DeadLetters, NotRedrivable
from chalicelib.adapters.letter_looks import DeadLetterQueue
from chalicelib.contracts.letters import Parking
from tests.support.bridge_fakes import order
from tests.support.bridge_process import (
    ANSWER_SECONDS,
    PAID,
    WAIT_SECONDS,
    Bridge,
    Queues,
    bridge,
    collect,
    envelope,
    eventually,
    numbers,
    on_nats,
    publish,
    queues_in,
    stored,
    unacknowledged,
)
from tests.support.engines import ministack, nats_server

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ADJUSTMENT = "evt.credits.manual_adjustment"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("aws")) as url:
        yield url


@pytest.fixture
def queues(endpoint: str) -> Iterator[Queues]:
    with queues_in(endpoint) as made:
        yield made


def health(running: Bridge) -> dict[str, Any]:
    """Return what the bridge says of itself."""
    return cast("dict[str, Any]", running.health()[1])


def seen(running: Bridge, stream: str) -> dict[str, Any]:
    """Return what the bridge says of `stream`."""
    state: dict[str, Any] = health(running)["streams"].get(stream, {})
    return state


def make_stream(url: str, name: str, *subjects: str, **settings: Any) -> None:
    async def act(client: Client) -> None:
        await client.jetstream().add_stream(name=name, subjects=list(subjects), **settings)

    on_nats(url, act)


def call(url: str, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return JetStream's answer to a call of its own API."""

    async def act(client: Client) -> bytes:
        return (await client.request(f"$JS.API.{subject}", json.dumps(body).encode(), timeout=ANSWER_SECONDS)).data

    answer: dict[str, Any] = json.loads(on_nats(url, act))
    assert "error" not in answer, answer
    return answer


def test_a_work_queue_that_is_another_consumers_stops_neither_the_other_streams_nor_the_way_out(
    tmp_path: Path, queues: Queues
) -> None:
    async def consume(client: Client) -> None:
        await client.jsm().add_consumer("SHOPIFY", ConsumerConfig(durable_name="others"))

    with nats_server(tmp_path) as url:
        make_stream(url, "SHOPIFY", "evt.shopify.>", retention=RetentionPolicy.WORK_QUEUE)
        on_nats(url, consume)
        with bridge(tmp_path, url, queues, healthy=False) as running:
            eventually(lambda: seen(running, "SHOPIFY") != {})
            publish(url, PAID, order(1))
            publish(url, ADJUSTMENT, order(2))
            publish(url, "evt.order.updated", order(3))
            queues.client.send_message(QueueUrl=queues.outbox, MessageBody=envelope(1))
            assert numbers(collect(queues, queues.inbox, 2)) == [2, 3]
            eventually(lambda: len(stored(url, "CREDIT")) == 1)
            assert running.health()[0] == 503
            assert "SHOPIFY: JetStream refused" in health(running)["parts"]["streams"]["detail"]
            call(url, "CONSUMER.DELETE.SHOPIFY.others", {})
            assert numbers(collect(queues, queues.inbox, 1)) == [1]
            eventually(lambda: running.health()[0] == 200)


def pause(url: str, duration: timedelta) -> None:
    """Pause the bridge's consumer, which goes on by itself after `duration`."""
    call(url, "CONSUMER.PAUSE.UPSTREAM.credit-service", {"pause_until": (datetime.now(UTC) + duration).isoformat()})


def test_a_paused_consumer_is_reported_with_what_waits_and_goes_on_by_itself(tmp_path: Path, queues: Queues) -> None:
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        pause(url, timedelta(hours=1))
        publish(url, PAID, *(order(number) for number in range(50)))
        eventually(lambda: seen(running, "UPSTREAM")["waiting"] == 50)
        state = seen(running, "UPSTREAM")
        assert not state["ok"]
        assert state["detail"].startswith("its consumer is paused until ")
        assert 0 < state["oldest_seconds"] < WAIT_SECONDS
        assert running.health()[0] == 503
        pause(url, timedelta(seconds=1))
        assert numbers(collect(queues, queues.inbox, 50)) == list(range(50))
        eventually(lambda: running.health()[0] == 200 and seen(running, "UPSTREAM")["waiting"] == 0)


async def looked_at(client: Client) -> None:
    """Return when the bridge asks JetStream about its consumer, which it does every ten seconds."""
    asked = await client.subscribe("$JS.API.CONSUMER.INFO.UPSTREAM.credit-service")
    await asked.next_msg(timeout=WAIT_SECONDS)


def test_a_deleted_consumer_is_made_again_where_it_was_and_counted(tmp_path: Path, queues: Queues) -> None:
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues) as running:
        publish(url, PAID, *(order(number) for number in range(5)))
        assert len(collect(queues, queues.inbox, 5)) == 5
        eventually(lambda: unacknowledged(url) == 0)
        # One look has to see what was acknowledged.
        on_nats(url, looked_at)
        call(url, "CONSUMER.DELETE.UPSTREAM.credit-service", {})
        publish(url, PAID, order(5))
        assert numbers(collect(queues, queues.inbox, 1)) == [5]
        eventually(lambda: seen(running, "UPSTREAM")["remade"] == 1)
        assert "its consumer was gone" in running.log.read_text()
        made = call(url, "CONSUMER.INFO.UPSTREAM.credit-service", {})["config"]
        assert (made["deliver_policy"], made["opt_start_seq"]) == ("by_start_sequence", 6)


def test_what_a_stream_drops_before_it_is_read_is_counted_and_its_limits_are_a_warning(
    tmp_path: Path, queues: Queues
) -> None:
    with nats_server(tmp_path) as url:
        make_stream(url, "CREDIT", "evt.credits.>", max_msgs=3)
        with bridge(tmp_path, url, queues) as running:
            (warning,) = health(running)["warnings"]
            assert ADJUSTMENT in warning
            assert "max_msgs 3" in warning
            # Events out push each other through the stream: nothing of that was ever for the bridge.
            publish(url, "evt.credits.recharged", *(b"{}" for _ in range(20)))
            until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
            call(url, "CONSUMER.PAUSE.CREDIT.credit-service", {"pause_until": until})
            publish(url, ADJUSTMENT, order(1))
            eventually(lambda: seen(running, "CREDIT")["waiting"] == 1)
            assert seen(running, "CREDIT")["dropped"] == 0
            publish(url, "evt.credits.recharged", *(b"{}" for _ in range(3)))
            eventually(lambda: seen(running, "CREDIT")["dropped"] == 1)
            assert "were dropped before they were read" in running.log.read_text()


def test_a_message_that_its_stream_drops_between_two_deliveries_is_counted(tmp_path: Path, queues: Queues) -> None:
    queues.client.delete_queue(QueueUrl=queues.inbox)
    with nats_server(tmp_path) as url:
        make_stream(url, "CREDIT", "evt.credits.>", max_msgs=3)
        with bridge(tmp_path, url, queues, BRIDGE_RETRY_SECONDS_MIN="60", BRIDGE_RETRY_SECONDS_MAX="60") as running:
            publish(url, ADJUSTMENT, order(1))
            eventually(lambda: running.counted("inbound", "retried") >= 1)
            publish(url, "evt.credits.recharged", *(b"{}" for _ in range(3)))
            eventually(lambda: seen(running, "CREDIT")["dropped"] == 1)


def test_an_adjustment_comes_in_through_a_stream_of_ours_beside_the_old_services_small_one(
    tmp_path: Path, queues: Queues
) -> None:
    with nats_server(tmp_path) as url:
        make_stream(url, "CREDIT", "evt.credit.*", "cmd.credit.*", max_msgs=3)
        with bridge(tmp_path, url, queues) as running:
            running.process.send_signal(signal.SIGSTOP)
            publish(url, ADJUSTMENT, order(1))
            publish(url, "evt.credits.recharged", *(b"{}" for _ in range(9)))
            running.process.send_signal(signal.SIGCONT)
            assert numbers(collect(queues, queues.inbox, 1)) == [1]
            assert health(running)["warnings"] == []


def test_a_service_that_makes_its_stream_after_the_bridge_finds_its_subjects_free(
    tmp_path: Path, queues: Queues
) -> None:
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues, BRIDGE_UPSTREAM="wait") as running:
        assert PAID in health(running)["unowned"]
        make_stream(url, "SHOPIFY", "evt.shopify.>")
        publish(url, PAID, order(1))
        assert numbers(collect(queues, queues.inbox, 1)) == [1]
        assert PAID not in health(running)["unowned"]


@pytest.mark.parametrize(("start", "expected"), [("all", [1, 2, 3]), ("new", [3])])
def test_a_first_bridge_reads_what_the_setting_says_of_an_existing_stream(
    tmp_path: Path, queues: Queues, start: str, expected: list[int]
) -> None:
    with nats_server(tmp_path) as url:
        make_stream(url, "SHOPIFY", "evt.shopify.>")
        publish(url, PAID, order(1), order(2))
        with bridge(tmp_path, url, queues, BRIDGE_START=start):
            publish(url, PAID, order(3))
            assert numbers(collect(queues, queues.inbox, len(expected))) == expected
            eventually(lambda: unacknowledged(url, "SHOPIFY") == 0)
            assert queues.take(queues.inbox) == []


def test_what_the_bridge_parks_is_listed_among_the_dead_letters_and_says_where_its_body_is(
    tmp_path: Path, queues: Queues
) -> None:
    dead = queues.client.create_queue(QueueName=f"{queues.inbox.rsplit('/', 1)[1]}-dead")["QueueUrl"]
    place = DeadLetterQueue(parking=Parking.INBOX, queue_url=dead, back_to_url=queues.inbox)
    desk = DeadLetters(queues.client, cast("Any", None), queues=(place,), functions={})
    giant = order(1) + b" " * 300_000
    with nats_server(tmp_path) as url, bridge(tmp_path, url, queues, DEAD_LETTER_QUEUE_URL=dead):
        publish(url, PAID, giant, b"caf\xe9")
        eventually(lambda: desk.listing(wanted=10, parkings=[Parking.INBOX]).counted == 2)
        eventually(lambda: unacknowledged(url) == 0)
        letters = {one.code: one for one in desk.listing(wanted=10, parkings=[Parking.INBOX]).letters}
        kept = {message.seq: message.data for message in stored(url, "PARKED")}
    large = letters["too_large"]
    assert set(letters) == {"too_large", "not_utf8"}
    assert (large.origin, large.event_type) == ("bridge", PAID)
    assert large.merchant_id is not None
    place_of_body = json.loads(large.body)["kept"]
    assert b"".join(kept[sequence] or b"" for sequence in place_of_body["sequences"]) == giant
    assert "NATS keeps it in the stream PARKED" in large.reason
    with pytest.raises(NotRedrivable, match=r"infra\.bridge\.replay"):
        desk.redrive(large.letter_id, seconds=10)

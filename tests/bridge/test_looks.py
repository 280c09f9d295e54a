"""A look at JetStream: what is set up, what is known of each stream, and that one stream stops no other."""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import nats.errors
import pytest

from infra.bridge.health import health
from infra.bridge.looks import look, report
from infra.bridge.states import Look, StreamState
from infra.bridge.streams import ADJUSTMENTS, CREDIT, NEW_STREAMS, UPSTREAM, StreamsError
from infra.bridge.subjects import ADJUSTMENT_TYPE, OUTBOUND_TYPES
from infra.bridge.telemetry import Part, Telemetry
from tests.support.bridge_fakes import settings
from tests.support.fake_jetstream import FakeJetStream

PAID = "evt.shopify.webhook.order_paid"
CREATE = {"BRIDGE_UPSTREAM": "create"}


def looked(server: FakeJetStream, before: Look | None = None, /, **changes: str) -> Look:
    known: Mapping[str, StreamState] | None = before.streams if before else None
    return asyncio.run(look(server, settings(**changes), known))


def consumer(**info: Any) -> dict[str, Any]:
    """Return what JetStream says of a consumer that stands where `info` says."""
    return {"config": {"deliver_policy": "all"}, "num_pending": 0, "num_ack_pending": 0, **info}


def start_of(server: FakeJetStream, stream: str) -> dict[str, Any]:
    return {
        name: value for name, value in server.consumers[stream]["config"].items() if name.startswith(("deliver", "opt"))
    }


def test_an_existing_stream_keeps_settings_that_the_bridge_never_heard_of() -> None:
    server = FakeJetStream(streams={CREDIT: {"name": CREDIT, "subjects": ["evt.credit.*"], "max_age": 5, "new": True}})
    looked(server)
    assert server.streams[CREDIT] == {
        "name": CREDIT,
        "subjects": ["evt.credit.*", *OUTBOUND_TYPES],
        "max_age": 5,
        "new": True,
    }


def test_a_stream_that_the_bridge_makes_has_the_replicas_of_the_setting() -> None:
    server = FakeJetStream()
    looked(server, None, BRIDGE_STREAM_REPLICAS="3", **CREATE)
    assert [stream["num_replicas"] for stream in server.streams.values()] == [3] * len(NEW_STREAMS)


def test_a_second_look_changes_nothing_also_with_several_pages_of_streams() -> None:
    server = FakeJetStream.with_streams(**{f"S{number}": [f"s.{number}"] for number in range(5)})
    seen = looked(server, None, **CREATE)
    assert seen.consumed == (ADJUSTMENTS, UPSTREAM)
    server.changes.clear()
    assert looked(server, seen, **CREATE).consumed == seen.consumed
    assert server.changes == []


def test_a_changed_setting_changes_the_consumer_and_keeps_the_rest_of_it() -> None:
    server = FakeJetStream()
    looked(server, None, **CREATE)
    server.consumers[UPSTREAM]["config"]["metadata"] = {"owner": "somebody"}
    looked(server, None, BRIDGE_ACK_WAIT_SECONDS="90", **CREATE)
    assert server.consumers[UPSTREAM]["config"]["ack_wait"] == 90 * 1_000_000_000
    assert server.consumers[UPSTREAM]["config"]["metadata"] == {"owner": "somebody"}


@pytest.mark.parametrize(
    "failure", ["consumer already exists on workqueue stream", TimeoutError(), nats.errors.NoRespondersError()]
)
def test_a_stream_that_cannot_be_had_is_named_and_stops_neither_the_others_nor_the_way_out(
    failure: str | Exception,
) -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"], BILLING=["evt.billing.>"])
    server.refuse = {"CONSUMER.DURABLE.CREATE.SHOPIFY": failure}
    seen = looked(server)
    assert seen.consumed == ("BILLING", ADJUSTMENTS)
    assert set(seen.failing) == {"SHOPIFY"}
    assert (failure if isinstance(failure, str) else "JetStream does not answer") in seen.failing["SHOPIFY"]
    assert seen.way_out is None
    server.refuse = {}
    assert looked(server, seen).consumed == ("BILLING", ADJUSTMENTS, "SHOPIFY")


@pytest.mark.parametrize("stream", [CREDIT, ADJUSTMENTS, UPSTREAM])
def test_a_stream_of_ours_that_is_refused_is_named_with_the_reason(stream: str) -> None:
    seen = looked(FakeJetStream(refuse={f"STREAM.CREATE.{stream}": "not today"}), None, **CREATE)
    assert set(seen.failing) == {stream}
    assert seen.failing[stream].endswith("not today")
    assert stream not in seen.consumed
    assert (seen.way_out is None) == (stream != CREDIT)


def test_a_stream_that_may_not_be_extended_is_read_for_what_it_owns() -> None:
    server = FakeJetStream.with_streams(UPSTREAM=["evt.order.updated"])
    server.refuse = {"STREAM.UPDATE": "not today"}
    seen = looked(server, None, **CREATE)
    assert UPSTREAM in seen.consumed
    assert UPSTREAM in seen.failing


def test_where_jetstream_does_not_list_its_streams_nothing_is_known() -> None:
    with pytest.raises(StreamsError, match=r"STREAM\.LIST: not today"):
        looked(FakeJetStream(refuse={"STREAM.LIST": "not today"}))


def test_subjects_that_nobody_owns_are_named_until_their_stream_is_there() -> None:
    server = FakeJetStream()
    seen = looked(server)
    assert PAID in seen.unowned
    assert UPSTREAM not in server.streams
    server.streams["SHOPIFY"] = {"name": "SHOPIFY", "subjects": ["evt.shopify.>"]}
    again = looked(server, seen)
    assert PAID not in again.unowned
    assert "SHOPIFY" in again.consumed
    assert start_of(server, "SHOPIFY") == {"deliver_policy": "all"}


def test_messages_that_wait_are_counted_and_the_oldest_has_its_time() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.consumers["SHOPIFY"] = consumer(num_pending=40, num_ack_pending=2, ack_floor={"stream_seq": 10})
    server.stored = {
        PAID: (12, "2026-01-01T00:00:05.123456789Z"),
        "evt.shopify.webhook.order_refunded": (11, "2026-01-01T00:00:00Z"),
    }
    state = looked(server).streams["SHOPIFY"]
    assert (state.ok, state.waiting, state.unread, state.floor) == (True, 42, 40, 10)
    assert state.oldest_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert state.age_seconds(datetime(2026, 1, 1, 0, 1, tzinfo=UTC)) == 60


def test_a_paused_consumer_is_reported_and_stays_in_use() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    looked(server)
    server.consumers["SHOPIFY"] |= {"paused": True}
    server.consumers["SHOPIFY"]["config"]["pause_until"] = "2030-01-01T00:00:00Z"
    seen = looked(server)
    assert seen.failing == {"SHOPIFY": "its consumer is paused until 2030-01-01T00:00:00Z"}
    assert "SHOPIFY" in seen.consumed


def test_a_deleted_consumer_is_made_again_after_what_was_acknowledged() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.consumers["SHOPIFY"] = consumer(ack_floor={"stream_seq": 17})
    seen = looked(server)
    del server.consumers["SHOPIFY"]
    again = looked(server, seen)
    assert start_of(server, "SHOPIFY") == {"deliver_policy": "by_start_sequence", "opt_start_seq": 18}
    assert (again.streams["SHOPIFY"].remade, again.streams["SHOPIFY"].dropped) == (1, 0)


def test_a_consumer_deleted_while_no_bridge_ran_goes_on_where_the_last_heartbeat_saw_it() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.consumers["SHOPIFY"] = consumer(ack_floor={"stream_seq": 17})
    kept = json.loads(json.dumps([state.kept() for state in looked(server).streams.values()]))
    before = Look(streams={one["name"]: StreamState.recalled(one) for one in kept})
    del server.consumers["SHOPIFY"]
    looked(server, before, BRIDGE_START="new")
    assert start_of(server, "SHOPIFY") == {"deliver_policy": "by_start_sequence", "opt_start_seq": 18}


def test_a_stream_made_again_under_the_same_name_is_read_from_its_beginning() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.consumers["SHOPIFY"] = consumer(ack_floor={"stream_seq": 17})
    seen = looked(server)
    del server.consumers["SHOPIFY"]
    server.created["SHOPIFY"] = "2026-02-02T00:00:00Z"
    looked(server, seen)
    assert start_of(server, "SHOPIFY") == {"deliver_policy": "all"}


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("all", {"deliver_policy": "all"}),
        ("new", {"deliver_policy": "by_start_sequence", "opt_start_seq": 901}),
        (
            "2026-11-25T02:00:00+02:00",
            {"deliver_policy": "by_start_time", "opt_start_time": "2026-11-25T00:00:00Z"},
        ),
    ],
)
def test_a_first_consumer_on_an_existing_stream_starts_where_the_setting_says(
    start: str, expected: dict[str, object]
) -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.states["SHOPIFY"] = {"first_seq": 1, "last_seq": 900}
    looked(server, BRIDGE_START=start)
    assert start_of(server, "SHOPIFY") == expected


def test_an_existing_consumer_is_not_moved_by_the_setting() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.consumers["SHOPIFY"] = consumer()
    looked(server, BRIDGE_START="new")
    assert start_of(server, "SHOPIFY") == {"deliver_policy": "all"}


def test_what_comes_while_a_new_stream_cannot_be_had_is_read_afterwards() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.states["SHOPIFY"] = {"first_seq": 1, "last_seq": 900}
    server.refuse = {"CONSUMER.DURABLE.CREATE.SHOPIFY": "not today"}
    seen = looked(server, BRIDGE_START="new")
    server.refuse, server.states["SHOPIFY"] = {}, {"first_seq": 1, "last_seq": 950}
    again = looked(server, seen, BRIDGE_START="new")
    assert start_of(server, "SHOPIFY")["opt_start_seq"] == 901
    assert again.streams["SHOPIFY"].remade == 0


def test_a_stream_that_is_made_after_the_first_look_is_read_whole_also_where_only_what_is_new_is_wanted() -> None:
    server = FakeJetStream()
    seen = looked(server, BRIDGE_START="new")
    server.streams["SHOPIFY"] = {"name": "SHOPIFY", "subjects": ["evt.shopify.>"]}
    server.states["SHOPIFY"] = {"first_seq": 1, "last_seq": 12}
    looked(server, seen, BRIDGE_START="new")
    assert start_of(server, "SHOPIFY") == {"deliver_policy": "all"}


def test_a_work_queue_is_read_from_its_beginning_whatever_the_setting_says() -> None:
    server = FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.streams["SHOPIFY"]["retention"] = "workqueue"
    looked(server, BRIDGE_START="new")
    assert start_of(server, "SHOPIFY") == {"deliver_policy": "all"}


def test_messages_that_were_dropped_before_they_were_read_are_counted_once() -> None:
    server = FakeJetStream.with_streams(ORDERS=[PAID])
    server.consumers["ORDERS"] = consumer(delivered={"stream_seq": 10})
    server.states["ORDERS"] = {"first_seq": 5, "last_seq": 20}
    seen = looked(server)
    assert seen.streams["ORDERS"].dropped == 0
    for first, dropped in ((14, 3), (14, 3), (20, 9)):
        server.states["ORDERS"] = {"first_seq": first, "last_seq": 40}
        seen = looked(server, seen)
        assert seen.streams["ORDERS"].dropped == dropped
    assert seen.streams["ORDERS"].dropped_at is not None


def test_what_was_dropped_while_the_consumer_was_gone_is_counted_too() -> None:
    server = FakeJetStream.with_streams(ORDERS=[PAID])
    server.states["ORDERS"] = {"first_seq": 1, "last_seq": 20}
    server.consumers["ORDERS"] = consumer(delivered={"stream_seq": 10}, ack_floor={"stream_seq": 10})
    seen = looked(server)
    del server.consumers["ORDERS"]
    server.states["ORDERS"] = {"first_seq": 16, "last_seq": 40}
    assert looked(server, seen).streams["ORDERS"].dropped == 5


@pytest.mark.parametrize(
    ("unread", "first", "dropped"),
    [(0, 90, 0), (2, 90, 2), (2, 12, 1), (2, 130, 32), (0, 130, 0)],
    ids=["none unread", "two unread", "one gap", "turned over with a backlog", "turned over while it read along"],
)
def test_in_a_stream_that_others_share_no_more_is_counted_than_was_unread(
    unread: int, first: int, dropped: int
) -> None:
    server = FakeJetStream.with_streams(CREDIT=["evt.credits.>"])
    server.consumers[CREDIT] = consumer(delivered={"stream_seq": 10}, num_pending=unread)
    server.states[CREDIT] = {"first_seq": 5, "last_seq": 99}
    seen = looked(server)
    server.states[CREDIT] = {"first_seq": first, "last_seq": 200}
    assert looked(server, seen).streams[CREDIT].dropped == dropped


def test_limits_of_a_stream_that_takes_adjustments_are_a_warning() -> None:
    server = FakeJetStream.with_streams(CREDIT=["evt.credits.>"])
    server.streams[CREDIT] |= {"discard": "old", "max_msgs": 3, "max_bytes": -1, "max_age": 0}
    seen = looked(server)
    assert seen.warnings == (f"{ADJUSTMENT_TYPE} comes through CREDIT, which drops its oldest (max_msgs 3)",)
    assert not seen.failing
    assert looked(FakeJetStream()).warnings == ()


def test_a_stream_that_keeps_so_many_of_a_subject_is_a_warning() -> None:
    server = FakeJetStream.with_streams(ORDERS=[PAID])
    server.streams["ORDERS"]["max_msgs_per_subject"] = 1
    (warning,) = looked(server).warnings
    assert warning.startswith("ORDERS keeps 1 messages of a subject")


def test_each_change_is_logged_once_and_shows_in_the_parts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    telemetry, server = Telemetry(), FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.refuse = {"CONSUMER.DURABLE.CREATE.SHOPIFY": "not today"}
    for _ in range(2):
        report(asyncio.run(look(server, settings(), telemetry.streams)), telemetry)
    assert not telemetry.parts[Part.STREAMS].ok
    assert telemetry.parts[Part.STREAMS].detail.startswith("SHOPIFY: ")
    server.refuse = {}
    for _ in range(2):
        report(asyncio.run(look(server, settings(), telemetry.streams)), telemetry)
    assert telemetry.parts[Part.STREAMS].ok
    del server.consumers["SHOPIFY"]
    report(asyncio.run(look(server, settings(), telemetry.streams)), telemetry)
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("looks")]
    told = [line for line in lines if line.startswith("stream SHOPIFY: ")]
    assert [line.split(": ")[1] for line in told] == [
        "JetStream refused CONSUMER.DURABLE.CREATE.SHOPIFY.credit-service",
        "in place",
        "its consumer was gone; made again after sequence 0",
    ]
    assert sum(line.startswith("streams: subjects without a stream") for line in lines) == 1


def test_metrics_and_health_name_each_stream() -> None:
    telemetry, server = Telemetry(), FakeJetStream.with_streams(SHOPIFY=["evt.shopify.>"])
    server.consumers["SHOPIFY"] = consumer(num_pending=7)
    report(asyncio.run(look(server, settings(), None)), telemetry)
    text = telemetry.exposition().decode()
    assert 'credits_bridge_stream_waiting_messages{stream="SHOPIFY"} 7.0' in text
    assert 'credits_bridge_stream_up{stream="SHOPIFY"} 1.0' in text
    assert 'credits_bridge_stream_dropped_messages_total{stream="SHOPIFY"} 0.0' in text
    assert "credits_bridge_unowned_subjects 9.0" in text
    told: dict[str, Any] = health(telemetry)
    assert told["streams"]["SHOPIFY"] == {
        "ok": True,
        "detail": "in place",
        "waiting": 7,
        "oldest_seconds": 0,
        "dropped": 0,
        "remade": 0,
    }
    assert len(told["unowned"]) == 9

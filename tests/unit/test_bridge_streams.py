"""Which stream takes which subject, and how subjects relate."""

import asyncio
import json
from collections.abc import Sequence
from itertools import product

import pytest

from infra.bridge.streams import CREDIT, PARKED, UPSTREAM, StreamsError, plan, set_up
from infra.bridge.subjects import INBOUND_TYPES, OUTBOUND_TYPES, bound, covers, is_outbound, overlaps
from tests.bridge_fakes import settings

SEVEN = tuple(subject for subject in INBOUND_TYPES if subject != "evt.credits.manual_adjustment")


def matches(pattern: str, subject: Sequence[str]) -> bool:
    """Say by NATS's own words whether `pattern` matches a subject without wildcards."""
    tokens = pattern.split(".")
    for position, token in enumerate(tokens):
        if token == ">":
            return len(subject) > position
        if position >= len(subject) or token not in ("*", subject[position]):
            return False
    return len(tokens) == len(subject)


def test_covers_and_overlaps_agree_with_every_subject_of_a_small_world() -> None:
    world = [subject for length in (1, 2, 3, 4) for subject in product("ab", repeat=length)]
    bodies = [list(tokens) for length in (1, 2, 3) for tokens in product("ab*", repeat=length)]
    patterns = [".".join(body) for body in bodies] + [".".join([*body, ">"]) for body in bodies if len(body) < 3]
    for one, other in product(patterns, repeat=2):
        matched = {subject for subject in world if matches(one, subject)}
        matched_too = {subject for subject in world if matches(other, subject)}
        assert overlaps(one, other) == bool(matched & matched_too), (one, other)
        # A star stands for any word, and this world has only two: what covers must at least contain.
        assert not covers(one, other) or matched >= matched_too, (one, other)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [("evt.>", "evt.credits.>"), ("evt.*.x", "evt.a.x"), ("a", "a"), ("a.>", "a.*.>"), (">", "a")],
)
def test_a_wider_subject_covers_a_narrower_one(wide: str, narrow: str) -> None:
    assert covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [("evt.credit.*", "evt.credits.a"), ("evt.*", "evt.>"), ("a.>", "a"), ("a.b", "a.*"), ("a.b", "a"), ("a", "a.b")],
)
def test_a_subject_does_not_cover_what_it_misses(wide: str, narrow: str) -> None:
    assert not covers(wide, narrow)


def test_all_outbound_types_are_published_and_no_inbound_one_is() -> None:
    assert all(is_outbound(name) for name in OUTBOUND_TYPES)
    assert not any(is_outbound(name) for name in INBOUND_TYPES)


@pytest.mark.parametrize(
    "name",
    [
        "evt.credits.",
        "evt.credits.*",
        "evt.credits.>",
        "evt.credits.a b",
        "evt.credits..a",
        "evt.order.x",
        "evt.credits.é",
    ],
)
def test_a_type_that_is_no_subject_of_ours_is_not_published(name: str) -> None:
    assert not is_outbound(name)


def test_in_an_empty_server_the_contract_is_bound_by_three_streams() -> None:
    wanted = plan({})
    assert wanted.subjects == {CREDIT: ("evt.credits.>",), UPSTREAM: SEVEN, PARKED: ("parked.credit-service",)}
    assert wanted.consumed == {CREDIT: ("evt.credits.manual_adjustment",), UPSTREAM: SEVEN}


def test_an_existing_credit_stream_keeps_its_subjects_and_gains_ours() -> None:
    wanted = plan({CREDIT: ["evt.credit.*", "cmd.credit.*"]})
    assert wanted.subjects[CREDIT] == ("evt.credit.*", "cmd.credit.*", "evt.credits.>")
    assert wanted.consumed[CREDIT] == ("evt.credits.manual_adjustment",)


def test_a_narrower_subject_of_the_credit_stream_is_taken_up_by_ours() -> None:
    assert plan({CREDIT: ["evt.credits.*", "cmd.credit.*"]}).subjects[CREDIT] == ("cmd.credit.*", "evt.credits.>")


def test_a_wider_subject_of_the_credit_stream_is_left_alone() -> None:
    wanted = plan({CREDIT: ["evt.>"]})
    assert set(wanted.subjects) == {PARKED}
    assert wanted.consumed == {CREDIT: INBOUND_TYPES}


def test_inbound_subjects_are_consumed_from_the_streams_that_own_them() -> None:
    wanted = plan({"SHOPIFY": ["evt.shopify.>"], "BILLING": ["evt.billing.*"]})
    assert wanted.consumed["SHOPIFY"] == ("evt.shopify.webhook.order_paid", "evt.shopify.webhook.order_refunded")
    assert wanted.consumed["BILLING"] == ("evt.billing.payment_succeeded",)
    assert sorted(subject for subjects in wanted.consumed.values() for subject in subjects) == sorted(INBOUND_TYPES)


def test_where_another_stream_has_an_outbound_subject_ours_are_bound_one_by_one() -> None:
    wanted = plan({"ADJUSTMENTS": ["evt.credits.manual_adjustment"]})
    assert set(wanted.subjects[CREDIT]) == set(OUTBOUND_TYPES)
    assert wanted.consumed["ADJUSTMENTS"] == ("evt.credits.manual_adjustment",)
    assert CREDIT not in wanted.consumed


def test_where_another_stream_has_everything_nothing_is_made() -> None:
    wanted = plan({"ALL": [">"]})
    assert not wanted.subjects
    assert wanted.consumed == {"ALL": INBOUND_TYPES}


@pytest.mark.parametrize(
    "existing",
    [{}, {CREDIT: ["evt.*.*"]}, {"A": ["evt.*.created"], "B": ["evt.credits.account.>"]}, {UPSTREAM: ["old.subject"]}],
)
def test_every_subject_of_the_contract_lands_in_exactly_one_stream(existing: dict[str, list[str]]) -> None:
    after = {**existing, **plan(existing).subjects}
    for subject in (*INBOUND_TYPES, *OUTBOUND_TYPES, "parked.credit-service"):
        assert sum(bound(subject, subjects) for subjects in after.values()) == 1, subject
    assert plan(after).subjects == {}


class FakeServer:
    """JetStream's API with streams of settings that the bridge never heard of."""

    def __init__(self, streams: dict[str, dict[str, object]], *, refuse: str = "nothing") -> None:
        self.streams = streams
        self.refuse = refuse
        self.consumers: dict[str, dict[str, object]] = {}
        self.changes: list[str] = []

    async def __call__(self, subject: str, payload: bytes, _: float, /) -> bytes:
        call = subject.removeprefix("$JS.API.")
        body = json.loads(payload or b"{}")
        if self.refuse in call:
            return b'{"error": {"code": 400, "description": "not today"}}'
        name = call.split(".")[-1]
        answer: dict[str, object] = {}
        if call == "STREAM.LIST":
            rest = list(self.streams.values())[body["offset"] :]
            answer = {"total": len(self.streams), "streams": [{"config": stream} for stream in rest[:2]]}
        elif call.startswith(("STREAM.CREATE", "STREAM.UPDATE")):
            self.changes.append(call)
            self.streams[name] = body
        elif call.startswith("CONSUMER.DURABLE.CREATE"):
            self.changes.append(call)
            self.consumers[call.split(".")[3]] = body["config"]
        elif call.startswith("CONSUMER.INFO"):
            known = self.consumers.get(call.split(".")[2])
            answer = {"config": known} if known else {"error": {"code": 404, "description": "consumer not found"}}
        return json.dumps(answer).encode()


def test_an_existing_stream_keeps_settings_that_the_bridge_never_heard_of() -> None:
    server = FakeServer({CREDIT: {"name": CREDIT, "subjects": ["evt.credit.*"], "max_age": 5, "from_2031": True}})
    asyncio.run(set_up(server, settings()))
    assert server.streams[CREDIT] == {
        "name": CREDIT,
        "subjects": ["evt.credit.*", "evt.credits.>"],
        "max_age": 5,
        "from_2031": True,
    }


def test_a_second_look_changes_nothing_also_with_several_pages_of_streams() -> None:
    server = FakeServer({f"S{number}": {"name": f"S{number}", "subjects": [f"s.{number}"]} for number in range(5)})
    consumed = asyncio.run(set_up(server, settings()))
    assert consumed == (CREDIT, UPSTREAM)
    server.changes.clear()
    asyncio.run(set_up(server, settings()))
    assert server.changes == []


def test_a_changed_setting_changes_the_consumer_and_keeps_the_rest_of_it() -> None:
    server = FakeServer({})
    asyncio.run(set_up(server, settings()))
    server.consumers[UPSTREAM]["metadata"] = {"owner": "somebody"}
    asyncio.run(set_up(server, settings(BRIDGE_ACK_WAIT_SECONDS="90")))
    assert server.consumers[UPSTREAM]["ack_wait"] == 90 * 1_000_000_000
    assert server.consumers[UPSTREAM]["metadata"] == {"owner": "somebody"}


def test_what_jetstream_refuses_is_said_with_its_reason() -> None:
    with pytest.raises(StreamsError, match=r"STREAM\.CREATE\.CREDIT: not today"):
        asyncio.run(set_up(FakeServer({}, refuse="STREAM.CREATE"), settings()))

"""Which stream takes which subject, and how subjects relate."""

from collections.abc import Sequence
from itertools import product

import pytest

from infra.bridge.streams import ADJUSTMENTS, CREDIT, NEW_STREAMS, PARKED, UPSTREAM, consumed, plan
from infra.bridge.subjects import ADJUSTMENT_TYPE, INBOUND_TYPES, OUTBOUND_TYPES, bound, covers, is_outbound

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


def test_covering_agrees_with_every_subject_of_a_small_world() -> None:
    world = [subject for length in (1, 2, 3, 4) for subject in product("ab", repeat=length)]
    bodies = [list(tokens) for length in (1, 2, 3) for tokens in product("ab*", repeat=length)]
    patterns = [".".join(body) for body in bodies] + [".".join([*body, ">"]) for body in bodies if len(body) < 3]
    for one, other in product(patterns, repeat=2):
        matched = {subject for subject in world if matches(one, subject)}
        matched_too = {subject for subject in world if matches(other, subject)}
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


def owners(existing: dict[str, list[str]], *, create: bool = True) -> dict[str, tuple[str, ...]]:
    return consumed({**existing, **plan(existing, create_upstream=create).subjects})


def test_in_an_empty_server_the_contract_is_bound_by_four_streams() -> None:
    wanted = plan({}, create_upstream=True)
    assert wanted.subjects == {
        CREDIT: OUTBOUND_TYPES,
        ADJUSTMENTS: (ADJUSTMENT_TYPE,),
        UPSTREAM: SEVEN,
        PARKED: ("parked.credit-service",),
    }
    assert wanted.unowned == ()
    assert owners({}) == {ADJUSTMENTS: (ADJUSTMENT_TYPE,), UPSTREAM: SEVEN}


def test_subjects_that_nobody_owns_are_left_to_the_services_that_publish_them() -> None:
    wanted = plan({}, create_upstream=False)
    assert set(wanted.subjects) == {CREDIT, ADJUSTMENTS, PARKED}
    assert wanted.unowned == SEVEN
    assert plan({"SHOPIFY": ["evt.shopify.>"]}, create_upstream=False).unowned == tuple(
        subject for subject in SEVEN if not subject.startswith("evt.shopify.")
    )


def test_a_stream_upstream_that_was_made_before_is_read_and_gains_nothing() -> None:
    existing = {UPSTREAM: ["evt.order.updated"]}
    assert UPSTREAM not in plan(existing, create_upstream=False).subjects
    assert owners(existing, create=False)[UPSTREAM] == ("evt.order.updated",)


def test_adjustments_come_in_through_a_stream_that_refuses_when_it_is_full() -> None:
    assert NEW_STREAMS[ADJUSTMENTS]["discard"] == "new"
    assert owners({CREDIT: ["evt.credit.*", "cmd.credit.*"]})[ADJUSTMENTS] == (ADJUSTMENT_TYPE,)


def test_an_existing_credit_stream_keeps_its_subjects_and_gains_what_is_published() -> None:
    wanted = plan({CREDIT: ["evt.credit.*", "cmd.credit.*"]}, create_upstream=True)
    assert wanted.subjects[CREDIT] == ("evt.credit.*", "cmd.credit.*", *OUTBOUND_TYPES)


def test_a_credit_stream_that_takes_adjustments_keeps_them_and_is_read() -> None:
    existing = {CREDIT: ["evt.credits.*", "cmd.credit.*"]}
    wanted = plan(existing, create_upstream=True)
    assert wanted.subjects[CREDIT] == ("evt.credits.*", "cmd.credit.*", "evt.credits.account.created")
    assert ADJUSTMENTS not in wanted.subjects
    assert owners(existing)[CREDIT] == (ADJUSTMENT_TYPE,)


def test_a_wider_subject_of_the_credit_stream_is_left_alone() -> None:
    assert set(plan({CREDIT: ["evt.>"]}, create_upstream=True).subjects) == {PARKED}
    assert owners({CREDIT: ["evt.>"]}) == {CREDIT: INBOUND_TYPES}


def test_inbound_subjects_are_consumed_from_the_streams_that_own_them() -> None:
    found = owners({"SHOPIFY": ["evt.shopify.>"], "BILLING": ["evt.billing.*"]})
    assert found["SHOPIFY"] == tuple(f"evt.shopify.webhook.{what}" for what in ("order_paid", "order_refunded", "raw"))
    payments = ("succeeded", "refunded", "disputed", "dispute_won")
    assert found["BILLING"] == tuple(f"evt.billing.payment_{what}" for what in payments)
    assert sorted(subject for subjects in found.values() for subject in subjects) == sorted(INBOUND_TYPES)


def test_where_another_stream_has_everything_nothing_is_made() -> None:
    assert not plan({"ALL": [">"]}, create_upstream=True).subjects
    assert owners({"ALL": [">"]}) == {"ALL": INBOUND_TYPES}


@pytest.mark.parametrize(
    "existing",
    [{}, {CREDIT: ["evt.*.*"]}, {"A": ["evt.*.created"], "B": ["evt.credits.account.>"]}, {UPSTREAM: ["old.subject"]}],
)
def test_every_subject_of_the_contract_lands_in_exactly_one_stream(existing: dict[str, list[str]]) -> None:
    after = {**existing, **plan(existing, create_upstream=True).subjects}
    for subject in (*INBOUND_TYPES, *OUTBOUND_TYPES, "parked.credit-service"):
        assert sum(bound(subject, subjects) for subjects in after.values()) == 1, subject
    assert plan(after, create_upstream=True).subjects == {}

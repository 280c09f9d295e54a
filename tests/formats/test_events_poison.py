"""Poison: what is refused whole, under which code and field, and without repeating what it held."""

import itertools
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from chalicelib.contracts.api.dead_letters import DiscardRequest
from chalicelib.contracts.inbound.admin_requests import (
    AlertLevel,
    GraceLimits,
    GraceRequest,
    LevelsRequest,
    ThresholdRequest,
)
from chalicelib.contracts.inbound.envelopes import WORDS, Envelope
from chalicelib.contracts.inbound.events import INBOUND, read_event
from chalicelib.contracts.inbound.payloads import AdjustmentRequest, Terms
from chalicelib.contracts.values import Reading
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.movements import OrderMovement
from chalicelib.domain.orders import Basis, Policy
from tests.support.builders import READ_AT
from tests.support.timing import cpu_seconds

SHOP = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER = "1f8fad5b-d9cb-469f-a165-70867728950e"
CANARY = "canary@example.org"
TERMS = Terms(trial_credits=100, policy=Policy())
BY_TOTAL = Terms(trial_credits=100, policy=Policy(basis=Basis.TOTAL))

PAYMENT = "evt.billing.payment_succeeded"
RENEWED = "evt.subscription.renewed"
PAID = "evt.shopify.webhook.order_paid"
REFUNDED = "evt.shopify.webhook.order_refunded"
ADJUSTED = "evt.credits.manual_adjustment"
PAID_50 = {"merchant_id": SHOP, "payment_id": "p1", "credits": 50}


def rejected(body: str) -> Rejected:
    with pytest.raises(Rejected) as raised:
        read_event(body, TERMS, now=READ_AT)
    return raised.value


def verdict(body: str) -> tuple[str, str | None]:
    error = rejected(body)
    return str(error.code), error.field


def payload_verdict(event_type: str, payload: dict[str, Any], **envelope: Any) -> tuple[str, str | None]:
    body = {"event_type": event_type, "payload": {"merchant_id": SHOP, **payload}, **envelope}
    error = rejected(json.dumps(body))
    assert CANARY not in error.message
    return str(error.code), error.field


@pytest.mark.parametrize(
    "body",
    [
        "",
        "canary@example.org",
        "{",
        '{"event_type": "canary@example.org',
        "[]",
        "null",
        '"canary@example.org"',
        "5",
        '{"credits": NaN}',
        '{"credits": Infinity}',
        '{"credits": -Infinity}',
        '{"credits": 1E999999999999999999999}',
        '{"credits": ' + "9" * 5000 + "}",
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a": ' + '{"a": ' * 100_000 + "1" + "}" * 100_001,
        '{"a": "a\x00b"}',
        '{"a": 01}',
        "\ufeff{}",
        "{} {}",
        "{'a': 1}",
    ],
)
def test_what_is_no_json_object_is_poison(body: str) -> None:
    error = rejected(body)

    assert (error.code, error.field) == ("not_json", None)
    assert CANARY not in error.message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"event_type": "a", "event_type": "a"}', "event_type"),
        ('{"detail": {}, "detail": {}}', "detail"),
        ('{"payload": {"credits": 5, "x": 1, "credits": 50}}', "credits"),
        ('{"payload": {"order_items": [{"order_id": 1, "order_\\u0069d": 1}]}}', "order_id"),
        ('{"payload": {"identifiers": {"merchant_id": 1, "merchant_id": 1}}}', "merchant_id"),
        ('{"payload": {"unknown": [{"deep": 1, "deep": 1}]}}', None),
        ('{"customers": {"' + CANARY + '": 1, "' + CANARY + '": 2}}', None),
        ('{"' + "n" * 100 + '": 1, "' + "n" * 100 + '": 2}', None),
    ],
)
def test_a_field_that_is_there_twice_is_poison_anywhere_and_named_if_its_name_is_ours(
    body: str, field: str | None
) -> None:
    error = rejected(body)

    assert (error.code, error.field) == ("duplicate_field", field)
    assert CANARY not in error.message


def test_a_large_message_with_a_field_twice_takes_as_long_as_its_length_says() -> None:
    def seconds(fields: int) -> float:
        body = "{" + ",".join(f'"{place:07}":1' for place in range(fields)) + ',"twice":1,"twice":1}'
        assert verdict(body) == ("duplicate_field", None)
        return cpu_seconds(lambda: verdict(body))

    # Four times the fields would take sixteen times as long if each were compared with all others.
    assert seconds(8_000) < 9 * seconds(2_000)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "field_missing", "event_type"),
        ({"event_type": PAYMENT}, "field_missing", "payload"),
        ({"payload": PAID_50}, "field_missing", "event_type"),
        ({"event_type": 5, "payload": PAID_50}, "field_invalid", "event_type"),
        ({"event_type": None, "payload": PAID_50}, "field_invalid", "event_type"),
        ({"event_type": "\ud800", "payload": PAID_50}, "field_invalid", "event_type"),
        ({"event_type": CANARY * 20, "payload": PAID_50}, "field_invalid", "event_type"),
        ({"event_type": CANARY, "payload": PAID_50}, "unknown_event_type", "event_type"),
        ({"event_type": PAYMENT + " ", "payload": PAID_50}, "unknown_event_type", "event_type"),
        ({"event_type": "evt.credits.recharged", "payload": PAID_50}, "unknown_event_type", "event_type"),
        ({"detail-type": CANARY, "detail": PAID_50}, "unknown_event_type", "event_type"),
        ({"event_type": PAYMENT, "payload": [PAID_50]}, "field_invalid", "payload"),
        ({"event_type": PAYMENT, "payload": CANARY}, "field_invalid", "payload"),
        ({"event_type": PAYMENT, "payload": None}, "field_missing", "payload"),
        ({"event_type": PAYMENT, "payload": PAID_50, "data": PAID_50}, "envelope_ambiguous", "data"),
    ],
)
def test_a_bad_envelope_is_poison(body: dict[str, Any], code: str, field: str) -> None:
    error = rejected(json.dumps(body))

    assert (error.code, error.field) == (code, field)
    assert CANARY not in error.message


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"detail-type": PAYMENT}, "field_missing", "detail"),
        ({"detail": PAID_50}, "field_missing", "detail-type"),
        ({"detail-type": PAYMENT, "detail": CANARY}, "field_missing", "detail"),
        ({"detail-type": [PAYMENT], "detail": PAID_50}, "field_missing", "detail-type"),
        ({"detail-type": PAYMENT, "detail": PAID_50, "payload": PAID_50}, "envelope_ambiguous", "detail"),
        ({"detail-type": PAYMENT, "detail": PAID_50, "data": PAID_50}, "envelope_ambiguous", "detail"),
        ({"detail-type": PAYMENT, "event_type": RENEWED, "detail": PAID_50}, "envelope_ambiguous", "detail-type"),
        (
            {"detail-type": PAYMENT, "detail": {"event_type": RENEWED, "payload": PAID_50}},
            "envelope_ambiguous",
            "detail-type",
        ),
        (
            {"detail-type": PAYMENT, "detail": {"payload": PAID_50, "data": PAID_50}},
            "envelope_ambiguous",
            "detail.data",
        ),
        ({"detail-type": PAYMENT, "detail": {"event_type": PAYMENT}}, "field_missing", "detail.payload"),
    ],
)
def test_a_bad_event_bridge_envelope_is_poison(body: dict[str, Any], code: str, field: str) -> None:
    error = rejected(json.dumps(body))

    assert (error.code, error.field) == (code, field)
    assert CANARY not in error.message


@pytest.mark.parametrize("body", ["data", "payload"])
def test_a_bare_payload_beside_another_one_is_two_bodies_at_once(body: str) -> None:
    other = {"merchant_id": SHOP, "payment_id": "p2", "credits": 7}

    assert verdict(json.dumps({"detail-type": PAYMENT, "detail": {**PAID_50, body: other}}))[0] == "envelope_ambiguous"


@pytest.mark.parametrize(
    "asked",
    [
        "0",
        "-1",
        "-0",
        "1.5",
        "5.0",
        "5e0",
        "true",
        "false",
        '"5"',
        '"٥"',
        '"canary@example.org"',
        '""',
        "1000000001",
        "9" * 40,
        "[5]",
        '{"amount": 5}',
        "null",
    ],
)
def test_credits_that_are_no_whole_number_from_one_to_a_thousand_millions_are_poison(asked: str) -> None:
    for event_type, name in ((PAYMENT, "credits"), ("evt.account.created", "credits_to_use")):
        payload = f'{{"merchant_id": "{SHOP}", "payment_id": 1, "{name}": {asked}}}'
        error = rejected(f'{{"event_type": "{event_type}", "payload": {payload}}}')

        assert (error.code, error.field) == ("credits_invalid", f"payload.{name}")
        assert CANARY not in error.message


@pytest.mark.parametrize("name", ["credits", "credits_used", "credits_to_use"])
def test_credits_are_checked_under_each_of_their_names(name: str) -> None:
    for asked in (0, -1, 1.5, True, "5", 1_000_000_001, [5]):
        payload = {"adjustment_id": 1, "operation_type": "INCREASE", name: asked}

        assert payload_verdict(ADJUSTED, payload) == ("credits_invalid", f"payload.{name}")


@pytest.mark.parametrize(
    ("event_type", "payload", "code", "field"),
    [
        ("evt.merchant.created", {"merchant_id": None}, "field_missing", "merchant_id"),
        ("evt.merchant.created", {"merchant_id": CANARY}, "field_invalid", "merchant_id"),
        ("evt.merchant.created", {"merchant_id": 5}, "field_invalid", "merchant_id"),
        ("evt.merchant.created", {"merchant_id": f"{{{SHOP}}}"}, "field_invalid", "merchant_id"),
        ("evt.merchant.created", {"merchant_id": SHOP + "\n"}, "field_invalid", "merchant_id"),
        ("evt.merchant.created", {"merchant_id": SHOP.replace("-", "", 1)}, "field_invalid", "merchant_id"),
        ("evt.merchant.created", {"identifiers": CANARY}, "field_invalid", "identifiers"),
        (
            "evt.merchant.created",
            {"identifiers": {"merchant_id": CANARY}},
            "field_invalid",
            "identifiers.merchant_id",
        ),
        (
            "evt.merchant.created",
            {"identifiers": {"merchant_id": OTHER}},
            "envelope_ambiguous",
            "identifiers.merchant_id",
        ),
        ("evt.account.created", {}, "field_missing", "credits_to_use"),
        ("evt.account.created", {"credits_to_use": 5, "trial_id": "t" * 65}, "field_invalid", "trial_id"),
        (PAYMENT, {"credits": 5}, "field_missing", "payment_id"),
        (PAYMENT, {"payment_id": "p1"}, "field_missing", "credits"),
        (PAYMENT, {"payment_id": "", "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": None, "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": True, "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": 5.0, "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": ["p1"], "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "p" * 65, "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": 10**64, "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "p\n1", "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "p1\n", "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "p\x001", "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "p\x7f", "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "zahlung-ä", "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "٥", "credits": 5}, "field_invalid", "payment_id"),
        (PAYMENT, {"payment_id": "p\ud800", "credits": 5}, "field_invalid", "payment_id"),
        (RENEWED, {"renewal_id": "r1", "credits_used": 5}, "field_missing", "subscription_id"),
        (RENEWED, {"subscription_id": "s1", "renewal_id": "r1"}, "field_missing", "credits_used"),
        (
            RENEWED,
            {"subscription_id": "s1", "renewal_id": "r1", "credits_to_use": 5},
            "field_missing",
            "credits_used",
        ),
        (RENEWED, {"subscription_id": "s1", "credits_used": 5}, "period_missing", "renewal_id"),
        (
            RENEWED,
            {"subscription_id": "s1", "renewal_id": "r1", "credits_used": 5, "credits": 6},
            "credits_invalid",
            "credits_used",
        ),
        (RENEWED, {"subscription_id": "s1", "renewal_id": "", "credits_used": 5}, "field_invalid", "renewal_id"),
        (ADJUSTED, {"operation_type": "INCREASE", "credits": 5}, "field_missing", "adjustment_id"),
        (ADJUSTED, {"adjustment_id": "a1", "credits": 5}, "field_missing", "operation_type"),
        (ADJUSTED, {"adjustment_id": "a1", "operation_type": "INCREASE"}, "field_missing", "credits"),
        (
            ADJUSTED,
            {"adjustment_id": "a1", "operation_type": "increase", "credits": 5},
            "field_invalid",
            "operation_type",
        ),
        (ADJUSTED, {"adjustment_id": "a1", "operation_type": CANARY, "credits": 5}, "field_invalid", "operation_type"),
        (
            ADJUSTED,
            {"adjustment_id": "a1", "operation_type": "INCREASE", "credits": 5, "credits_to_use": 6},
            "credits_invalid",
            "credits",
        ),
        *[
            (
                ADJUSTED,
                {"adjustment_id": "a1", "operation_type": "INCREASE", "credits": 5, "reason": reason},
                "field_invalid",
                "reason",
            )
            for reason in ["", "  ", "r" * 501, CANARY + "\x00", CANARY + "\ud800", CANARY + "\nx", 5]
        ],
    ],
)
def test_a_bad_payload_is_poison_and_the_first_field_at_fault_is_named(
    event_type: str, payload: dict[str, Any], code: str, field: str
) -> None:
    assert payload_verdict(event_type, payload) == (code, f"payload.{field}")


def test_a_renewal_is_never_told_apart_by_its_delivery() -> None:
    payload = {"subscription_id": "s1", "credits_used": 5}

    assert payload_verdict(RENEWED, payload, event_id="e1", correlation_id="c1", timestamp="2025-06-01T12:00:00Z") == (
        "period_missing",
        "payload.renewal_id",
    )


def test_a_payload_without_any_merchant_is_poison() -> None:
    body = {"event_type": PAYMENT, "payload": {"payment_id": "p1", "credits": 5, "identifiers": {}}}

    assert verdict(json.dumps(body)) == ("field_missing", "payload.merchant_id")


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        ({}, "field_missing", "order_id"),
        ({"order_id": None}, "field_missing", "order_id"),
        ({"order_id": "o" * 65}, "field_invalid", "order_id"),
        ({"order_id": 1.0}, "field_invalid", "order_id"),
        ({"order_items": []}, "field_missing", "order_id"),
        ({"order_id": 1, "test": "yes"}, "field_invalid", "test"),
        ({"order_id": 1, "financial_status": 5}, "field_invalid", "financial_status"),
        ({"order_id": 1, "total": 4, "total_price": 5}, "order_ambiguous", "total"),
        ({"order_id": 1, "order_items": {"order_id": 1}}, "field_invalid", "order_items"),
        ({"order_id": 1, "order_items": [CANARY]}, "field_invalid", "order_items.0"),
        ({"order_items": [{"order_id": 1}, {}]}, "field_missing", "order_id"),
        ({"order_items": [{"order_id": 1}, {"order_id": ""}]}, "field_invalid", "order_items.1.order_id"),
        ({"order_id": 1, "order_items": [{}, {"order_id": 2}]}, "order_ambiguous", "order_items.1.order_id"),
        ({"order_items": [{"order_id": n} for n in range(101)]}, "too_large", "order_items"),
        (
            {"order_items": [{"order_id": 1, "total": 4}, {"order_id": 1, "total": 5}]},
            "order_ambiguous",
            "total",
        ),
        ({"order_id": 1, "order_items": [{"total": 4}, {"total": "4.01"}]}, "order_ambiguous", "total"),
    ],
)
def test_a_bad_order_is_poison_with_all_that_stands_beside_it(payload: dict[str, Any], code: str, field: str) -> None:
    for event_type in (PAID, "evt.order.updated"):
        assert payload_verdict(event_type, payload) == (code, f"payload.{field}")


NO_MONEY = [
    "-1",
    -1,
    -0.01,
    True,
    "1e3",
    "1,5",
    " 1",
    "1.",
    ".5",
    "NaN",
    "Infinity",
    "٥",
    "5\n",
    "1_000",
    10**16,
    1e300,
    1e-300,
    "0." + "1" * 32,
    [1],
    CANARY,
]


@pytest.mark.parametrize("total", NO_MONEY)
def test_a_total_that_cannot_be_read_is_poison_where_orders_are_charged_by_it(total: Any) -> None:
    for name in ("total", "order_total", "total_price"):
        body = {"event_type": PAID, "payload": {"merchant_id": SHOP, "order_id": 1, name: total}}
        with pytest.raises(Rejected) as raised:
            read_event(json.dumps(body), BY_TOTAL, now=READ_AT)

        assert (raised.value.code, raised.value.field) == ("field_invalid", f"payload.{name}")
        assert CANARY not in raised.value.message


def test_a_bad_total_of_one_order_of_five_is_poison_and_its_entry_is_named() -> None:
    orders = [*({"order_id": n, "total": 1} for n in range(4)), {"order_id": 4, "total": CANARY}]
    body = {"event_type": PAID, "payload": {"merchant_id": SHOP, "order_items": orders}}
    with pytest.raises(Rejected) as raised:
        read_event(json.dumps(body), BY_TOTAL, now=READ_AT)

    assert (raised.value.code, raised.value.field) == ("field_invalid", "payload.order_items.4.total")


@pytest.mark.parametrize(
    "total", ["0.30000000000000004", "0.000020000000000000004", "7.000000000000001", "1e-17", "1e15"]
)
def test_a_binary_number_that_a_sender_wrote_out_is_money(total: str) -> None:
    body = f'{{"event_type": "{PAID}", "payload": {{"merchant_id": "{SHOP}", "order_id": 1, "total": {total}}}}}'
    [order] = read_event(body, BY_TOTAL, now=READ_AT).movements

    assert isinstance(order, OrderMovement)
    assert order.total == Decimal(total)


@pytest.mark.parametrize("number", ["1e1000000", "-1e1000000", "1e-1000000", "1e999999999999", "1e32", "1e-32"])
@pytest.mark.parametrize(
    ("event_type", "field", "code"),
    [
        (PAID, "timestamp", None),
        (PAID, "occurred_at", None),
        (PAID, "payload.updated_at", None),
        (PAID, "payload.order_id", "field_invalid"),
        (PAYMENT, "payload.expires_at", "field_invalid"),
        (PAYMENT, "payload.credits", "credits_invalid"),
        ("evt.subscription.renewed", "payload.period_start", "field_invalid"),
        ("evt.subscription.renewed", "payload.period_end", "field_invalid"),
        ("evt.billing.payment_refunded", "payload.amount_refunded", "field_invalid"),
    ],
)
def test_a_number_of_a_million_digits_is_never_written_out(
    event_type: str, field: str, code: str | None, number: str
) -> None:
    needed: dict[str, dict[str, Any]] = {
        PAID: {"order_id": 1},
        PAYMENT: {"payment_id": "p", "credits": 5},
        "evt.subscription.renewed": {"subscription_id": "s", "renewal_id": "r", "credits_used": 5},
        "evt.billing.payment_refunded": {"payment_id": "p", "payment_total": 30},
    }
    body: dict[str, Any] = {"event_type": event_type, "payload": {"merchant_id": SHOP, **needed[event_type]}}
    place = body["payload"] if field.startswith("payload.") else body
    place[field.removeprefix("payload.")] = "MARK"
    text = json.dumps(body).replace('"MARK"', number)
    terms = replace(TERMS, renewal_expires_with_period=True)

    def read() -> None:
        if code is None:
            assert len(read_event(text, terms, now=READ_AT).movements) == 1
        else:
            assert rejected_by(text, terms) == code

    assert cpu_seconds(read) < 0.1


def rejected_by(text: str, terms: Terms) -> str:
    with pytest.raises(Rejected) as raised:
        read_event(text, terms, now=READ_AT)
    return raised.value.code


@pytest.mark.parametrize("total", NO_MONEY)
def test_a_total_that_nobody_needs_and_that_cannot_be_read_is_absent(total: Any) -> None:
    body = {"event_type": PAID, "payload": {"merchant_id": SHOP, "order_id": 1, "total": total}}
    event = read_event(json.dumps(body), TERMS, now=READ_AT)

    [order] = event.movements
    assert isinstance(order, OrderMovement)
    assert (order.total, event.dropped) == (None, ("total",))


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        ({}, "field_missing", "order_id"),
        ({"refund_id": "r1"}, "field_missing", "order_id"),
        ({"order_id": 1, "refund_id": ""}, "field_invalid", "refund_id"),
        ({"order_id": 1, "refund_amount": "-1", "order_total": "5"}, "field_invalid", "refund_amount"),
        ({"order_id": 1, "refund_amount": "1", "order_total": "5e2"}, "field_invalid", "order_total"),
        ({"order_items": []}, "field_missing", "order_id"),
        ({"refunds": []}, "field_missing", "order_id"),
        ({"order_id": 1, "order_total": 4, "total": 5}, "refund_ambiguous", "order_total"),
        ({"order_id": 1, "refunds": {"refund_id": "r1"}}, "field_invalid", "refunds"),
        ({"order_id": 1, "refunds": [{}], "order_items": [{}]}, "refund_ambiguous", "refunds"),
        # One refund is one order's, however the message says otherwise.
        ({"refund_id": "r1", "refunds": [{"order_id": 1}, {"order_id": 2}]}, "refund_ambiguous", "refund_id"),
        ({"refund_id": "r1", "order_items": [{"order_id": 1}, {"order_id": 2}]}, "refund_ambiguous", "refund_id"),
        (
            {"refunds": [{"order_id": 1, "refund_id": 7}, {"order_id": 2, "refund_id": "7"}]},
            "refund_ambiguous",
            "refund_id",
        ),
        # Lines of one order agree, or nobody knows which of them counts; they are never summed.
        (
            {"order_id": 1, "refunds": [{"refund_amount": 4}, {"refund_amount": 5}]},
            "refund_ambiguous",
            "refund_amount",
        ),
        (
            {"order_id": 1, "refund_amount": 4, "refunds": [{"refund_amount": 5}]},
            "refund_ambiguous",
            "refund_amount",
        ),
        ({"order_id": 1, "refunds": [{"order_total": 4}, {"order_total": 5}]}, "refund_ambiguous", "order_total"),
        (
            {"refund_amount": 4, "order_total": 9, "refunds": [{"order_id": 1}, {"order_id": 2}]},
            "refund_ambiguous",
            "refund_amount",
        ),
        (
            {"order_id": 1, "refund_amount": 4, "refunds": [{"refund_id": "a"}, {"refund_id": "b"}]},
            "refund_ambiguous",
            "refund_amount",
        ),
        ({"order_total": 9, "refunds": [{"order_id": 1}, {"order_id": 2}]}, "refund_ambiguous", "order_total"),
        (
            {"order_id": 1, "refund_id": "r", "refunds": [{"refund_id": "r"}, {"refund_id": "s"}]},
            "refund_ambiguous",
            "refunds.1.refund_id",
        ),
    ],
)
def test_a_bad_refund_is_poison(payload: dict[str, Any], code: str, field: str) -> None:
    assert payload_verdict(REFUNDED, payload) == (code, f"payload.{field}")


def test_a_fault_in_a_list_of_refunds_is_named_where_it_stands() -> None:
    assert payload_verdict(REFUNDED, {"order_id": 1, "refunds": [{}, {"order_id": 2}]}) == (
        "order_ambiguous",
        "payload.refunds.1.order_id",
    )


def test_more_than_a_hundred_refunds_are_poison() -> None:
    code, _ = payload_verdict(REFUNDED, {"order_id": 1, "refunds": [{"refund_id": n} for n in range(101)]})

    assert code == "too_large"


OF_ADMINS = (AdjustmentRequest, ThresholdRequest, LevelsRequest, AlertLevel, GraceRequest, GraceLimits, DiscardRequest)
MODELS = (Envelope, *INBOUND.values(), *OF_ADMINS)
WRONG: tuple[Any, ...] = (5, -1, 10**12, Decimal("1.5"), True, "x" * 300, [], [5], [{}] * 200, {}, {"a": 5}, None)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_fault_that_a_model_finds_has_a_message_of_this_service(model: type[BaseModel]) -> None:
    found = set()
    for field, value in itertools.product(model.model_fields, WRONG):
        try:
            model.model_validate({field: value}, context=Reading(now=READ_AT))
        except ValidationError as error:
            found |= {fault["type"] for fault in error.errors()}

    assert found
    assert found <= {"missing", *Code, *WORDS}


@pytest.mark.parametrize("order_id", ["3" * 65, "3" * 256, "gid://shopify/Order/" + "3" * 65, "", True])
def test_an_id_of_an_order_that_is_none_is_told_its_one_length(order_id: Any) -> None:
    with pytest.raises(Rejected) as raised:
        read_event(
            json.dumps({"event_type": PAID, "payload": {"merchant_id": SHOP, "order_id": order_id}}), TERMS, now=READ_AT
        )
    assert "a text of 1 to 64 printable ASCII characters" in raised.value.message


def test_half_a_surrogate_pair_is_refused_in_our_words() -> None:
    with pytest.raises(Rejected) as raised:
        read_event(
            json.dumps(
                {"event_type": PAID, "payload": {"merchant_id": SHOP, "order_id": 1, "financial_status": "\ud800"}}
            ),
            TERMS,
            now=READ_AT,
        )
    assert raised.value.message == (
        "payload.financial_status: a text of whole characters is needed, and half a surrogate pair is none"
    )

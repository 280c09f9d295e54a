"""The subject binds the type: rights on NATS are given by subject, so no body may claim another type (section 11.6)."""

import json
from typing import Any

import pytest

from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.messages import Message
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.orders import Policy
from tests.support.builders import READ_AT, SHOP
from tests.support.events import charged, sqs_record
from tests.support.poison import MINTING

TERMS = Terms(trial_credits=100, policy=Policy())
ORDER, PAYMENT = "evt.order.updated", "evt.billing.payment_succeeded"
PAID_50 = {"merchant_id": SHOP, "payment_id": "p1", "credits": 50}
ORDER_1 = {"merchant_id": SHOP, "order_id": 1}


def from_nats(body: str, subject: str | None = None, ce_type: str | None = None) -> Message:
    return Message.from_record(sqs_record(body, origin="nats", subject=subject, ce_type=ce_type))


@pytest.mark.parametrize("name", MINTING)
@pytest.mark.parametrize("subject", [ORDER, "evt.order.*", "evt.>", "EVT.BILLING.PAYMENT_SUCCEEDED", PAYMENT + " "])
def test_no_body_on_another_subject_asks_for_credits(name: str, subject: str) -> None:
    body = MINTING[name](SHOP)
    try:
        event = read_event(body, TERMS, subject=subject, now=READ_AT)
    except Rejected:
        return
    assert (event.event_type, [movement.key for movement in event.movements]) == (ORDER, ["SHOPIFY_ORDER_1"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"event_type": PAYMENT, "payload": PAID_50}, "event_type"),
        ({"event_type": PAYMENT, "data": PAID_50}, "event_type"),
        ({"event_type": PAYMENT.upper(), "payload": ORDER_1}, "event_type"),
        ({"event_type": "evt.order.*", "payload": ORDER_1}, "event_type"),
        ({"event_type": "evt.shopify.webhook.order_paid", "payload": ORDER_1}, "event_type"),
        ({"detail-type": PAYMENT, "detail": PAID_50}, "detail-type"),
        (
            {"detail-type": PAYMENT, "source": "shop", "detail": {"event_type": PAYMENT, "payload": PAID_50}},
            "detail-type",
        ),
    ],
)
def test_a_type_that_is_not_the_subject_is_poison_and_says_so(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Rejected) as raised:
        read_event(json.dumps(body), TERMS, subject=ORDER, now=READ_AT)
    assert (raised.value.code, raised.value.field) == (Code.TYPE_CONTRADICTS_SUBJECT, field)
    assert PAYMENT not in raised.value.message


@pytest.mark.parametrize(
    "body",
    [
        {"event_type": PAYMENT, "payload": PAID_50},
        PAID_50,
        {"payload": PAID_50},
        {"data": PAID_50, "correlation_id": "c1"},
        {"detail-type": PAYMENT, "detail": PAID_50},
        {"detail-type": PAYMENT, "detail": {"event_type": PAYMENT, "payload": PAID_50}},
        {"identifiers": {"merchant_id": SHOP}, "payment_id": "p1", "credits": 50},
    ],
)
def test_a_body_without_a_type_takes_the_subject_as_its_type(body: dict[str, Any]) -> None:
    event = read_event(json.dumps(body), TERMS, subject=PAYMENT, now=READ_AT)
    assert (event.event_type, [movement.key for movement in event.movements]) == (PAYMENT, ["BILLING_PAYMENT_p1"])


def test_without_a_subject_a_body_has_to_say_its_type() -> None:
    with pytest.raises(Rejected) as raised:
        read_event(json.dumps(PAID_50), TERMS, now=READ_AT)
    assert (raised.value.code, raised.value.field) == (Code.FIELD_MISSING, "event_type")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({**PAID_50, "payload": PAID_50}, "envelope_ambiguous", "payload"),
        ({"payload": PAID_50, "data": PAID_50}, "envelope_ambiguous", "data"),
        ({"payload": {**PAID_50, "credits": "5"}}, "credits_invalid", "payload.credits"),
        ({"event_type": None, "payload": PAID_50}, "field_invalid", "event_type"),
        ({"detail": PAID_50}, "field_missing", "detail-type"),
    ],
)
def test_a_bad_body_under_a_subject_is_poison_as_it_is_on_the_bus(body: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(Rejected) as raised:
        read_event(json.dumps(body), TERMS, subject=PAYMENT, now=READ_AT)
    assert (raised.value.code, raised.value.field) == (code, field)


def test_a_message_is_bound_to_the_subject_that_the_bridge_names() -> None:
    assert from_nats(charged(), subject=PAYMENT).bound_to() == PAYMENT
    assert Message.from_record(sqs_record(charged(), subject=PAYMENT)).bound_to() == PAYMENT
    assert Message.from_record(sqs_record(charged())).bound_to() is None


def test_a_header_that_names_another_type_than_the_subject_is_poison() -> None:
    with pytest.raises(Rejected) as raised:
        from_nats(charged(), subject=PAYMENT, ce_type=ORDER).bound_to()
    assert (raised.value.code, raised.value.field) == (Code.TYPE_CONTRADICTS_SUBJECT, "ce-type")


def test_a_message_from_nats_whose_subject_is_not_known_is_poison() -> None:
    """Letters parked before the subject was kept: put back without it, they could claim any type."""
    with pytest.raises(Rejected, match="credits emit") as raised:
        from_nats(charged()).bound_to()
    assert raised.value.code is Code.TYPE_CONTRADICTS_SUBJECT
    Message.from_record(sqs_record(charged(), origin="bus")).bound_to()


def test_a_parked_message_keeps_what_binds_it() -> None:
    parked = from_nats(charged(), subject=ORDER, ce_type=PAYMENT).parked(code="x", reason="y", field=None)
    assert (parked["subject"], parked["ce_type"]) == (ORDER, PAYMENT)

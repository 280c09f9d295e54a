"""The envelope of a message body, and how a model's fault is said without the value at fault."""

import json
from decimal import Decimal

import pytest
from pydantic import BaseModel, ValidationError

from chalicelib.contracts.inbound.envelopes import Envelope, rejected
from chalicelib.contracts.inbound.envelopes import read_envelope as read
from chalicelib.contracts.values import Credits, Id, Reading
from chalicelib.domain.errors import Code
from tests.support.builders import READ_AT


def read_envelope(body: str) -> Envelope:
    return read(body, reading=Reading(now=READ_AT))


def test_a_platform_envelope_is_read_whole_and_what_is_unknown_is_dropped() -> None:
    body = {
        "event_id": 17,
        "event_type": "evt.any",
        "correlation_id": "c1",
        "idempotency_key": "k" * 255,
        "timestamp": "2025-06-01T12:00:00Z",
        "metadata": {"email": "a@b.example"},
        "payload": {"a": [1, {"b": None}]},
        "email": "a@b.example",
    }
    envelope = read_envelope(json.dumps(body))

    assert envelope.model_dump() == {
        "event_id": "17",
        "event_type": "evt.any",
        "correlation_id": "c1",
        "idempotency_key": "k" * 255,
        "timestamp": "2025-06-01T12:00:00.000Z",
        "occurred_at": None,
        "payload": {"a": [1, {"b": None}]},
    }


def test_only_type_and_payload_are_required() -> None:
    assert read_envelope('{"event_type": "evt.any", "payload": {}}') == Envelope(event_type="evt.any", payload={})


def test_an_event_without_the_member_type_is_no_cloud_event() -> None:
    envelope = read_envelope('{"event_type": "evt.any", "data": {"a": 1}, "specversion": "1.0"}')

    assert (envelope.event_type, envelope.payload) == ("evt.any", {"a": 1})


def test_numbers_with_a_point_are_read_exactly() -> None:
    envelope = read_envelope('{"event_type": "evt.any", "data": {"money": 0.10, "count": 3}}')

    assert envelope.payload == {"money": Decimal("0.10"), "count": 3}
    assert str(envelope.payload["money"]) == "0.10"
    assert isinstance(envelope.payload["count"], int)


@pytest.mark.parametrize(
    "detail",
    [
        {"event_type": "evt.any", "correlation_id": "c1", "payload": {"a": 1}},
        {"correlation_id": "c1", "data": {"a": 1}},
    ],
)
def test_the_detail_of_an_event_bridge_envelope_may_be_the_platforms(detail: dict[str, object]) -> None:
    body = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "evt.any",
        "source": "shop",
        "account": "123456789012",
        "time": "2025-06-01T12:00:00Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }
    envelope = read_envelope(json.dumps(body))

    assert (envelope.event_type, envelope.correlation_id, envelope.payload) == ("evt.any", "c1", {"a": 1})
    # The id of a delivery is nothing that anything may rest on.
    assert (envelope.event_id, envelope.idempotency_key) == (None, None)
    assert envelope.time == "2025-06-01T12:00:00.000Z"


class Line(BaseModel):
    order_id: Id


class Order(BaseModel):
    credits: Credits
    lines: list[Line]


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"lines": []}, Code.FIELD_MISSING, "payload.credits"),
        ({"credits": "canary", "lines": []}, Code.CREDITS_INVALID, "payload.credits"),
        (
            {"credits": 1, "lines": [{"order_id": 1}, {"order_id": "canary" * 20}]},
            Code.FIELD_INVALID,
            "payload.lines.1.order_id",
        ),
        ({"credits": 1, "lines": "canary"}, Code.FIELD_INVALID, "payload.lines"),
        ({"credits": "canary", "lines": "canary"}, Code.CREDITS_INVALID, "payload.credits"),
    ],
)
def test_the_first_fault_is_said_by_field_and_rule_and_never_by_value(
    given: dict[str, object], code: Code, field: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        Order.model_validate(given)
    reason = rejected(raised.value, prefix="payload.")

    assert (reason.code, reason.field) == (code, field)
    assert reason.message.startswith(field)
    assert "canary" not in reason.message

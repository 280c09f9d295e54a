"""What the function knows of a message of the inbox, and under what it parks it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.contracts.inbound.messages import Message
from tests.support.events import opened, sqs_record

BODY = opened()
NOON_MS = 1_748_779_200_123


def tried_before(record: dict[str, Any], **said: str) -> dict[str, Any]:
    """Return the record with attributes that its sender wrote."""
    return {**record, "messageAttributes": {name: {"stringValue": text} for name, text in said.items()}}


def test_a_message_knows_how_often_and_since_when_it_came() -> None:
    record = sqs_record(BODY, message_id="m1", deliveries=7, first_received_ms=NOON_MS, receipt_handle="h1")

    assert Message.from_record(record) == Message(
        message_id="m1",
        receipt_handle="h1",
        body=BODY,
        origin="queue",
        deliveries=7,
        first_seen=datetime(2025, 6, 1, 12, 0, 0, 123_000, tzinfo=UTC),
        sent_at=datetime(2025, 6, 1, 12, tzinfo=UTC),
        queue="inbox",
    )


def test_what_waited_in_another_queue_says_since_when_and_how_often_it_was_tried() -> None:
    bound = {"origin": "nats", "subject": "evt.x", "cloud_event": '{"id": "e1"}'}
    said = {"first_seen": "2025-06-01T11:59:00.000Z", "deliveries": "7", **bound}
    record = tried_before(sqs_record(BODY, deliveries=2, first_received_ms=NOON_MS), **said)
    record["attributes"]["MessageGroupId"] = "shop"
    message = Message.from_record(record)

    assert message.first_seen == message.sent_at == datetime(2025, 6, 1, 11, 59, tzinfo=UTC)
    assert (message.deliveries, message.group) == (9, "shop")
    assert message.waiting_attributes() == {**said, "deliveries": "9", "redriven": None, "ce_type": None}


@pytest.mark.parametrize("first_seen", ["", "soon", "2025-06-01", "2025-06-01T12:00:00", "9" * 40])
@pytest.mark.parametrize("deliveries", ["", "-1", "x", "9" * 10, "\u0663"])
def test_what_no_function_wrote_of_a_wait_is_passed_over(first_seen: str, deliveries: str) -> None:
    record = sqs_record(BODY, first_received_ms=NOON_MS)
    message = Message.from_record(tried_before(record, first_seen=first_seen, deliveries=deliveries))

    assert (message.first_seen.minute, message.deliveries) == (0, 1)


def test_without_the_time_of_its_first_receipt_the_time_of_its_sending_counts() -> None:
    assert Message.from_record(sqs_record(BODY)).first_seen == datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_a_record_with_no_more_than_a_body_is_a_first_delivery_of_now() -> None:
    before = datetime.now(UTC)
    message = Message.from_record({"messageId": "m1", "body": BODY})

    assert before <= message.first_seen <= datetime.now(UTC)
    assert (message.deliveries, message.receipt_handle) == (1, "")


@pytest.mark.parametrize(
    ("body", "said", "origin"),
    [
        (BODY, None, "queue"),
        ('{"detail-type":"evt.merchant.created","detail":{}}', None, "bus"),
        (BODY, "nats", "nats"),
        ('{"detail-type":"evt.merchant.created","detail":{}}', "nats", "nats"),
    ],
)
def test_a_message_tells_where_it_came_from(body: str, said: str | None, origin: str) -> None:
    assert Message.from_record(sqs_record(body, origin=said)).origin == origin


def test_a_message_is_parked_under_its_reason_origin_and_the_time_it_was_first_seen() -> None:
    message = Message.from_record(sqs_record(BODY, first_received_ms=NOON_MS, origin="nats"))

    assert message.parked(code="field_missing", reason="payload.credits is missing", field="payload.credits") == {
        "code": "field_missing",
        "reason": "payload.credits is missing",
        "field": "payload.credits",
        "origin": "nats",
        "first_seen": "2025-06-01T12:00:00.123Z",
        "redriven": None,
        "subject": None,
        "ce_type": None,
        "cloud_event": None,
    }

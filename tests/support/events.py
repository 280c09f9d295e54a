"""Raw events as AWS passes them to the functions, and message bodies as upstream services write them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from tests.support.builders import SHOP

QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:inbox"
STREAM_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/a-table/stream/2025-06-01T00:00:00.000"


@dataclass(frozen=True, slots=True)
class Context:
    """The context of a call, with `milliseconds` left."""

    milliseconds: int = 30_000
    aws_request_id: str = "8d3bf1f6-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left of the call, which does not change here."""
        return self.milliseconds


def asking(event_type: str, payload: Mapping[str, Any] | None = None, **envelope: Any) -> str:
    """Return the body of an event for `SHOP`, in the platform's envelope."""
    return json.dumps({"event_type": event_type, "payload": {"merchant_id": SHOP, **(payload or {})}, **envelope})


def opened(merchant_id: str = SHOP) -> str:
    """Return the body that opens an account with the trial of the settings."""
    return asking("evt.merchant.created", {"merchant_id": merchant_id})


def paid(*order_ids: object, **payload: Any) -> str:
    """Return the body of an order that was paid, or of several."""
    orders = (
        {"order_id": order_ids[0]} if len(order_ids) == 1 else {"order_items": [{"order_id": i} for i in order_ids]}
    )
    return asking("evt.shopify.webhook.order_paid", {**orders, **payload})


def refunded(order_id: object, **payload: Any) -> str:
    """Return the body of an order's refund."""
    return asking("evt.shopify.webhook.order_refunded", {"order_id": order_id, **payload})


def charged(payment_id: object = "p1", credits_paid: Any = 50, **payload: Any) -> str:
    """Return the body of a payment."""
    return asking("evt.billing.payment_succeeded", {"payment_id": payment_id, "credits": credits_paid, **payload})


def adjusted(operation_type: str, credits_asked: int, adjustment_id: str = "a1", **payload: Any) -> str:
    """Return the body of an adjustment by an admin."""
    asked = {"adjustment_id": adjustment_id, "operation_type": operation_type, "credits": credits_asked}
    return asking("evt.credits.manual_adjustment", {**asked, **payload})


def sqs_record(
    body: str,
    *,
    message_id: str | None = None,
    deliveries: int = 1,
    first_received_ms: int | None = None,
    receipt_handle: str = "handle",
    **named: str | None,
) -> dict[str, Any]:
    """Return a record of the queue, with the attributes `named`; its id follows from its body unless it is given."""
    attributes = {
        "ApproximateReceiveCount": str(deliveries),
        "SentTimestamp": "1748779200000",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
    }
    if first_received_ms is not None:
        attributes["ApproximateFirstReceiveTimestamp"] = str(first_received_ms)
    return {
        "messageId": message_id or message_id_of(body),
        "receiptHandle": receipt_handle,
        "body": body,
        "attributes": attributes,
        "messageAttributes": {
            name: {"stringValue": text, "dataType": "String", "stringListValues": [], "binaryListValues": []}
            for name, text in named.items()
            if text
        },
        "md5OfBody": "7b270e59b47ff90a553787216d55d91d",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "eu-west-1",
    }


def message_id_of(body: str) -> str:
    """Return the id under which `sqs_record` delivers a body."""
    return str(uuid5(NAMESPACE_DNS, body))


def stream_record(
    new_image: Mapping[str, Any] | None,
    *,
    sequence_number: int = 100,
    event_name: str = "INSERT",
    old_image: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a record of a table's stream, with the images as DynamoDB writes them."""
    images = {"NewImage": new_image, "OldImage": old_image}
    return {
        "eventID": f"e{sequence_number}",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1748779200.0,
            "SequenceNumber": str(sequence_number),
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: image for name, image in images.items() if image is not None},
        },
        "eventSourceARN": STREAM_ARN,
    }


def batch(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the event that a function is called with."""
    return {"Records": list(records)}

"""Publishes the events of new transactions, from the stream of the transactions table."""

from collections.abc import Mapping
from typing import Any

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.adapters.dynamodb.items import named_by, transaction_from
from chalicelib.contracts.outbound.published import PublishedEvent, transaction_event
from chalicelib.handlers.stream_records import Failures, publish

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(
    # The real stream and its options are merged in by infra/template.yaml.
    stream_arn="arn:aws:dynamodb:::set-by-infra-template",
    name="publish_transaction_events",
)
def publish_transaction_events(event: DynamoDBEvent) -> Failures:
    """Publish the events of new transactions, and return the records to be retried."""
    return publish(event, _transaction_events, function="publish_transaction_events")


def _transaction_events(record: Mapping[str, Any]) -> list[PublishedEvent]:
    image = record["dynamodb"].get("NewImage") or {}
    if record["eventName"] != "INSERT" or named_by(image) is not None:
        # A refund or an edit has changed its order's tally, or a guard was written: nothing to publish.
        return []
    published = transaction_event(transaction_from(image))
    return [published] if published else []

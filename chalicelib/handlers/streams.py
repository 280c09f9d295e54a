"""Events out, from the tables' streams: what the ledger committed is published, with no logic of its own.

At least once, under ids that tell repeats. What the bus does not take comes back with the stream's batch; a
record that cannot be read is parked with its reason, so that it blocks nobody behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.adapters.dynamodb.guards import named_by
from chalicelib.adapters.dynamodb.items import transaction_from
from chalicelib.contracts.outbound.published import PublishedEvent, transaction_event
from chalicelib.handlers.stream_records import Failures, coming_back, crossing_events, dead_letter_queue_url, parked
from chalicelib.telemetry import count, logger
from chalicelib.wiring import for_figures, for_posting

blueprint = Blueprint(__name__)


@blueprint.on_dynamodb_record(
    # The real stream and its options are merged in by infra/template.yaml.
    stream_arn="arn:aws:dynamodb:::set-by-infra-template",
    name="publish_threshold_events",
)
def publish_threshold_events(event: DynamoDBEvent) -> Failures:
    """Publish the crossings that writes to the credits table carry, and return the records to be tried again."""
    return _publish(event, crossing_events, function="publish_threshold_events")


@blueprint.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:::set-by-infra-template",
    name="publish_transaction_events",
)
def publish_transaction_events(event: DynamoDBEvent) -> Failures:
    """Publish what new records say beside the balance, and return the records to be tried again."""
    return _publish(event, _transaction_events, function="publish_transaction_events")


def _transaction_events(record: Mapping[str, Any]) -> list[PublishedEvent]:
    image = record["dynamodb"].get("NewImage") or {}
    if record["eventName"] != "INSERT" or named_by(image) is not None:
        # A refund has changed its order's tally, or a record has another name: nothing new to say.
        return []
    published = transaction_event(transaction_from(image))
    return [published] if published else []


def _publish(
    event: DynamoDBEvent,
    events_of: Callable[[Mapping[str, Any]], list[PublishedEvent]],
    *,
    function: str,
) -> Failures:
    records: Sequence[Mapping[str, Any]] = event.to_dict()["Records"]
    time = for_posting.call_time(event.context)
    queue_url = dead_letter_queue_url()
    by_record: list[tuple[str, list[PublishedEvent]]] = []
    failed: set[str] = set()
    for record in records:
        sequence_number = record["dynamodb"]["SequenceNumber"]
        try:
            by_record.append((sequence_number, events_of(record)))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it must not block those behind it
            if not parked(record, error, queue_url, function=function, time=time):
                failed.add(sequence_number)
    events = [event for _, of_record in by_record for event in of_record]
    refused = {event.event_id for event in for_posting.bus().publish(events, remaining_seconds=time.remaining_seconds)}
    failed |= {number for number, of_record in by_record if any(event.event_id in refused for event in of_record)}
    for event_type in sorted({event.event_type for event in events}):
        published = sum(event.event_type == event_type and event.event_id not in refused for event in events)
        count("credits_events_published_total", published, {"event_type": event_type})
    logger.info("published", records=len(records), events=len(events) - len(refused), refused=len(refused))
    for_figures.lay_counters_down()
    return coming_back(failed)

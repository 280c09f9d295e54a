"""Publishes the events of the tables' stream records; parks records that cannot be read, also for `roll_up`."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import Blueprint, DynamoDBEvent

from chalicelib.adapters.dynamodb.items import account_from, crossings_from, named_by, transaction_from
from chalicelib.contracts.outbound.published import PublishedEvent, crossing_event, transaction_event
from chalicelib.domain.errors import NewerForm
from chalicelib.domain.ids import instant
from chalicelib.ports import CallTime
from chalicelib.settings import settings
from chalicelib.telemetry import count, count_parked, logger
from chalicelib.usecases.posting import MARGIN_SECONDS
from chalicelib.wiring import for_figures, for_posting

CODE_UNREADABLE = "record_unreadable"
Failures = dict[str, list[dict[str, str]]]
"""Lambda's partial batch response: the stream continues from the first record named."""

blueprint = Blueprint(__name__)


# The real streams and their options are merged in by infra/template.yaml.
@blueprint.on_dynamodb_record(stream_arn="arn:aws:dynamodb:::set-by-infra-template", name="publish_threshold_events")
def publish_threshold_events(event: DynamoDBEvent) -> Failures:
    """Publish the crossings of writes to the credits table, and return the records to be retried."""
    return publish(event, crossing_events, function="publish_threshold_events")


@blueprint.on_dynamodb_record(stream_arn="arn:aws:dynamodb:::set-by-infra-template", name="publish_transaction_events")
def publish_transaction_events(event: DynamoDBEvent) -> Failures:
    """Publish the events of new transactions, and return the records to be retried."""
    return publish(event, _transaction_events, function="publish_transaction_events")


def crossing_events(record: Mapping[str, Any]) -> list[PublishedEvent]:
    """Return the threshold events of a record of the credits table's stream."""
    image = record["dynamodb"].get("NewImage") or {}
    crossings = crossings_from(image)
    if not crossings:
        return []
    account = account_from(image)
    return [crossing_event(account.merchant_id, crossing, version=account.version) for crossing in crossings]


def _transaction_events(record: Mapping[str, Any]) -> list[PublishedEvent]:
    image = record["dynamodb"].get("NewImage") or {}
    if record["eventName"] != "INSERT" or named_by(image) is not None:
        # A refund or an edit has changed its order's tally, or a guard was written: nothing to publish.
        return []
    published = transaction_event(transaction_from(image))
    return [published] if published else []


def publish(
    event: DynamoDBEvent,
    events_of: Callable[[Mapping[str, Any]], list[PublishedEvent]],
    *,
    function: str,
) -> Failures:
    """Publish what `events_of` reads from the records of a batch, and return the records to be retried.

    At least once, under ids that identify repeats. A record that cannot be read is parked with its reason, so that it
    does not block later ones. `function` is the caller, by its name in app.py.
    """
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
    for_figures.counter_writer().write()
    return batch_item_failures(failed)


def batch_item_failures(sequence_numbers: Iterable[str]) -> Failures:
    """Return the partial batch response with which Lambda delivers these records again."""
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(set(sequence_numbers), key=int)]}


def dead_letter_queue_url() -> str:
    """Return the queue in which records are parked; read first, so that a missing setting fails the first call."""
    return settings().queues.stream_dead_letters


def parked(record: Mapping[str, Any], error: Exception, queue_url: str, *, function: str, time: CallTime) -> bool:
    """Park a record that cannot be read, so that it does not block others; return whether the queue confirmed it.

    One in a newer release's form is not parked: it is retried until a worker of that release reads it.

    `function` is the one that could not read it, by its name in app.py: a redrive returns the record there. If the
    call's time is short, the queue is not asked and the record is retried.
    """
    if isinstance(error, NewerForm):
        logger.warning("left to a newer release", event_id=record.get("eventID"))
        return False
    if time.remaining_seconds() < MARGIN_SECONDS:
        return False
    reason = f"the stream's record cannot be read: {type(error).__name__}"
    missing = error.args[0] if isinstance(error, KeyError) and error.args else None
    attributes = {
        "code": CODE_UNREADABLE,
        "reason": reason,
        "field": missing if isinstance(missing, str) else None,
        "origin": record.get("eventSourceARN"),
        "function": function,
        "first_seen": instant(datetime.now(UTC)),
    }
    try:
        for_posting.queues().park(queue_url, json.dumps(record), attributes)
    except (ClientError, BotoCoreError):
        logger.exception("dead-letter queue did not confirm", event_id=record.get("eventID"))
        return False
    logger.error("parked", reason=reason, event_id=record.get("eventID"), exc_info=error)
    count_parked(CODE_UNREADABLE)
    return True

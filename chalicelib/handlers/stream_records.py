"""Records of a table's stream: the batch's answer, and the parking of one that cannot be read."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.items import account_from, crossings_from
from chalicelib.contracts.outbound.published import PublishedEvent, crossing_event
from chalicelib.domain.errors import NewerForm
from chalicelib.domain.ids import instant
from chalicelib.ports import CallTime
from chalicelib.settings import settings
from chalicelib.telemetry import count_parked, logger
from chalicelib.usecases.posting import MARGIN_SECONDS
from chalicelib.wiring import for_posting

CODE_UNREADABLE = "record_unreadable"
Failures = dict[str, list[dict[str, str]]]
"""What Lambda takes for an answer in part: the stream goes on from the first record named."""


def crossing_events(record: Mapping[str, Any]) -> list[PublishedEvent]:
    """Return the threshold events of a record of the credits table's stream: what its write crossed."""
    image = record["dynamodb"].get("NewImage") or {}
    crossings = crossings_from(image)
    if not crossings:
        return []
    account = account_from(image)
    return [crossing_event(account.merchant_id, crossing, version=account.version) for crossing in crossings]


def coming_back(sequence_numbers: Iterable[str]) -> Failures:
    """Return the answer that lets these records come again."""
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(set(sequence_numbers), key=int)]}


def dead_letter_queue_url() -> str:
    """Return where records are parked; asked for first, so that a missing setting fails the first call."""
    return settings().required("STREAM_DEAD_LETTER_QUEUE_URL")


def parked(record: Mapping[str, Any], error: Exception, queue_url: str, *, function: str, time: CallTime) -> bool:
    """Park a record that cannot be read, so that it blocks nobody, and return whether the queue confirmed it.

    One in a newer release's form is left: it comes again, until a worker of that release has it.

    `function` is who could not read it, by its name in app.py: the record goes back there. Nothing is asked of the
    queue where the call's time is short: the record comes again.
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

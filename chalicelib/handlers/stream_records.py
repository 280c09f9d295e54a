"""Records of a table's stream: the batch's answer, and the parking of one that cannot be read."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import wiring
from chalicelib.settings import settings
from chalicelib.telemetry import logger

Failures = dict[str, list[dict[str, str]]]
"""What Lambda takes for an answer in part: the stream goes on from the first record named."""


def coming_back(sequence_numbers: Iterable[str]) -> Failures:
    """Return the answer that lets these records come again."""
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(set(sequence_numbers), key=int)]}


def dead_letter_queue_url() -> str:
    """Return where records are parked; asked for first, so that a missing setting fails the first call."""
    return settings().required("STREAM_DEAD_LETTER_QUEUE_URL")


def parked(record: Mapping[str, Any], error: Exception, queue_url: str) -> bool:
    """Park a record that cannot be read, so that it blocks nobody, and return whether the queue confirmed it."""
    reason = f"the stream's record cannot be read: {type(error).__name__}"
    attributes = {"code": "record_unreadable", "reason": reason, "origin": record.get("eventSourceARN")}
    try:
        wiring.queues().park(queue_url, json.dumps(record), attributes)
    except (ClientError, BotoCoreError):
        logger.exception("dead-letter queue did not confirm", event_id=record.get("eventID"))
        return False
    logger.error("parked", reason=reason, event_id=record.get("eventID"), exc_info=error)
    return True

"""Events of the credits table's stream, as Lambda passes them to a function."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.domain.ledger import Account

_numbers = count(1)


def record(account: Account) -> dict[str, Any]:
    """Return the record of a write to an account; its old image does not matter here."""
    return raw_record(account_item(account), key=account.merchant_id)


def raw_record(image: dict[str, Any] | None, *, key: str) -> dict[str, Any]:
    """Return a record with any image, or the record of a deletion without one."""
    number = next(_numbers)
    changed: dict[str, Any] = {
        "Keys": {"merchant_id": {"S": key}},
        "SequenceNumber": str(400_000 + number),
        "SizeBytes": 900,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if image is not None:
        changed["NewImage"] = image
    return {
        "eventID": f"event-{number}",
        "eventName": "REMOVE" if image is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": changed,
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:000000000000:table/credits/stream/2025",
    }


def event(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the event of a batch."""
    return {"Records": list(records)}


@dataclass(frozen=True, slots=True)
class Context:
    """A call's context with `milliseconds` left."""

    milliseconds: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds

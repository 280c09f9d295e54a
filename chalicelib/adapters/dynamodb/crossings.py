"""The crossings of an account's last write: an attribute of its item, which the next write replaces."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.adapters.dynamodb.items import ACCOUNT_VERSION, Item, is_newer
from chalicelib.domain.errors import NewerForm
from chalicelib.domain.ledger import Crossing
from chalicelib.domain.thresholds import CrossingType


def crossings_attribute(crossings: Iterable[Crossing]) -> Item:
    """Return the crossings as one JSON text: a stream's filter can ask for a text, not for a list.

    See infra/docs/traps.md.
    """
    carried = [
        {
            "type": crossing.type,
            "transaction_id": crossing.transaction_id,
            "sequence": crossing.sequence,
            "balance": crossing.balance,
            "threshold": crossing.threshold,
            "time": crossing.time,
            "correlation_id": crossing.correlation_id,
            **({"details": dict(crossing.details)} if crossing.details else {}),
        }
        for crossing in crossings
    ]
    return {"S": json.dumps(carried, separators=(",", ":"))}


def crossings_from(item: Mapping[str, Any]) -> tuple[Crossing, ...]:
    """Return the crossings of the write that left this account item, in the order of the movements.

    Raises:
        NewerForm: The item is of a newer form, which may carry them otherwise.
    """
    if is_newer(item, ACCOUNT_VERSION):
        raise NewerForm
    return tuple(
        Crossing(**{**carried, "type": CrossingType(carried["type"])})
        for carried in json.loads(item.get("crossings", {"S": "[]"})["S"])
    )

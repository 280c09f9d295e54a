"""The ends of the fleet's days, in the figures table: an item a day, overwritten while the day lasts."""

from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.adapters.dynamodb.month_ends import day_end_from, day_end_text
from chalicelib.domain.days import DayEnd
from chalicelib.domain.ids import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_dynamodb import DynamoDBClient

DAY_PREFIX = "day#"


class FleetDays:
    """Keeps and reads the ends of days. Both methods may raise `RetryLater` (`unavailable`)."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._figures = DynamoDBFigures(client, table=table)

    def keep(self, end: DayEnd, *, as_of: Instant) -> None:
        """Keep the fleet's figures of a day, unless later figures of that day are kept: one write unit."""
        item = {
            "id": {"S": f"{DAY_PREFIX}{end.day}"},
            "at": {"S": as_of},
            "end": {"S": day_end_text(end.balance, end.sums)},
            "merchants": {"N": str(end.merchants)},
            "zero": {"N": str(end.zero)},
            "low": {"N": str(end.low)},
            "closed": {"N": str(end.closed)},
        }
        unless_later = {
            "ConditionExpression": "attribute_not_exists(id) OR #at < :at",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": {":at": {"S": as_of}},
        }
        with transient_faults("the figures"):
            self._figures.put(item, unless_later)

    def ends(self, days: "Iterable[str]") -> list[DayEnd]:
        """Return the ends that are kept of these days, in one request."""
        return [
            replace(
                day_end_from(item["id"]["S"].removeprefix(DAY_PREFIX), item["end"]["S"]),
                merchants=int(item["merchants"]["N"]),
                zero=int(item["zero"]["N"]),
                low=int(item["low"]["N"]),
                # Days that an older release kept do not hold it.
                closed=int(item["closed"]["N"]) if "closed" in item else 0,
            )
            for item in self._figures.read([f"{DAY_PREFIX}{day}" for day in days])
        ]

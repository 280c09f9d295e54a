"""Until when everything due has been posted: an item of the figures table, and the metric of the sweep's lag."""

from typing import TYPE_CHECKING, Any

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.dynamodb.fleet import DUE
from chalicelib.domain.ids import Instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DueMarks:
    """Keeps the one mark. Both methods may raise `RetryLater` (`unavailable`)."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def last(self) -> Instant | None:
        """Return until when everything that was due has been posted, None before the first sweep."""
        key: Any = {"id": {"S": DUE}}
        with transient_faults("the figures"):
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        return Instant(item["until"]["S"]) if "until" in item else None

    def keep(self, until: Instant) -> None:
        """Keep until when everything that was due has been posted."""
        item: Any = {"id": {"S": DUE}, "until": {"S": until}}
        with transient_faults("the figures"):
            self._client.put_item(TableName=self._table, Item=item)

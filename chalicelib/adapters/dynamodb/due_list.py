"""The accounts on which time acts, by the next instant at which it does: the sparse index `by_due`, never a scan."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chalicelib.adapters.dynamodb.account_attributes import DUE_SHARDS, hour_of
from chalicelib.adapters.dynamodb.faults import pages
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.ports import DueAccount
from chalicelib.usecases import falling_due

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "by_due"


class DynamoDBDueList:
    """The `DueList` on the index; it follows the table with a little delay."""

    def __init__(self, client: "DynamoDBClient", *, credits_table: str) -> None:
        self._client = client
        self._credits_table = credits_table

    def listed(self, hour: Instant, *, until: Instant) -> Iterator[DueAccount]:
        """Yield the accounts due in an hour, no later than `until`, shard by shard: one query for each, or more."""
        for shard in range(DUE_SHARDS):
            for page in pages(
                self._client.query,
                TableName=self._credits_table,
                IndexName=INDEX,
                KeyConditionExpression="due_shard = :shard AND due_at <= :until",
                ExpressionAttributeValues={":shard": {"S": f"{hour_of(hour)}#{shard}"}, ":until": {"S": until}},
            ):
                for item in page["Items"]:
                    yield DueAccount(
                        merchant_id=MerchantId(item["merchant_id"]["S"]), due_at=Instant(item["due_at"]["S"])
                    )


class Pending:
    """Lists the accounts for which something is due and not posted yet: eight queries, which mostly find nothing."""

    def __init__(self, client: "DynamoDBClient", *, credits_table: str) -> None:
        self._due = DynamoDBDueList(client, credits_table=credits_table)

    def merchants(self) -> list[MerchantId]:
        """Return the merchants whose accounts time has changed since they were written, see `falling_due.pending`.

        Raises:
            RetryLater: the index cannot be read.
        """
        return falling_due.pending(self._due, instant(datetime.now(UTC)))

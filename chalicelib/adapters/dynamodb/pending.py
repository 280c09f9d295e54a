"""The accounts for which something is due and not posted yet, for readers of many (contract, section 16)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chalicelib.adapters.dynamodb.due_list import DynamoDBDueList
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.usecases import falling_due

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Pending:
    """Lists them from the index of due accounts: eight queries, which mostly find nothing."""

    def __init__(self, client: "DynamoDBClient", *, credits_table: str) -> None:
        self._due = DynamoDBDueList(client, credits_table=credits_table)

    def merchants(self) -> list[MerchantId]:
        """Return the merchants whose accounts time has changed since they were written, see `falling_due.pending`.

        Raises:
            RetryLater: the index cannot be read.
        """
        return falling_due.pending(self._due, instant(datetime.now(UTC)))

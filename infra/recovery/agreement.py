"""Restored tables made to agree: an account that knows of a record which was not restored is taken back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.recovery.tables import Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE: Final = 100
"""Keys that one batch read takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """An account that was removed: `credits rebuild` makes it anew, but for the threshold of its own that it had."""

    merchant_id: str
    low_balance_threshold: int | None


def take_back(client: "DynamoDBClient", tables: Tables) -> Iterator[TakenBack]:
    """Remove every account of the restored `tables` whose last record is not there; yield each before it is removed.

    So whoever is interrupted and begins again has heard of every account that is gone.
    The two tables are restored to the same second and may disagree about a write of that second. An account that
    lags behind its records is left: `credits rebuild` alone mends that. Only while nobody writes.
    """
    for page in _pages(client, tables.credits):
        found = _recorded(client, tables.transactions, [account["last_transaction_id"]["S"] for account in page])
        for account in page:
            if account["last_transaction_id"]["S"] in found:
                continue
            own = account.get("low_balance_threshold")
            threshold = int(own["N"]) if own else None
            yield TakenBack(merchant_id=account["merchant_id"]["S"], low_balance_threshold=threshold)
            client.delete_item(TableName=tables.credits, Key={"merchant_id": account["merchant_id"]})


def _pages(client: "DynamoDBClient", table: str) -> Iterator[list[Any]]:
    """Yield the accounts that have a record, a batch read's worth at a time."""
    for page in client.get_paginator("scan").paginate(
        TableName=table, ConsistentRead=True, PaginationConfig={"PageSize": PAGE}
    ):
        yield [account for account in page["Items"] if "last_transaction_id" in account]


def _recorded(client: "DynamoDBClient", table: str, transaction_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    keys = [{"transaction_id": {"S": each}} for each in transaction_ids]
    wanted: Any = {table: {"Keys": keys, "ProjectionExpression": "transaction_id", "ConsistentRead": True}}
    while keys and wanted:
        answer = client.batch_get_item(RequestItems=wanted)
        found.update(record["transaction_id"]["S"] for record in answer["Responses"].get(table, []))
        wanted = answer["UnprocessedKeys"]
    return found

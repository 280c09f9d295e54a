"""Recounts the fleet from the credits table, and compares the result with its figures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib.adapters.dynamodb.faults import pages
from chalicelib.adapters.dynamodb.items import account_from
from chalicelib.domain.figures import Figures
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def accounts_in(client: "DynamoDBClient", table: str, unreadable: set[str]) -> Iterator[Account]:
    """Yield every account of the table: a scan, read consistently, which takes a unit for each 4 KB.

    The merchants whose accounts cannot be read are added to `unreadable`.
    """
    for page in pages(client.scan, TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            try:
                account = account_from(item, answering=True)
            except Exception:  # noqa: BLE001 - whatever a hand has made of the item, its neighbours count
                unreadable.add(item["merchant_id"]["S"])
            else:
                yield account


def rows(counted: Figures, figures: Figures) -> Iterator[tuple[str, int, int]]:
    """Yield each figure by name, recounted and as stored."""
    for name in ("merchants", "enabled", "disabled", "zero", "low", "balance", "shortfall", "debt"):
        yield name, getattr(counted, name), getattr(figures, name)
    for kind in Kind:
        one, other = counted.totals.get(kind, Total()), figures.totals.get(kind, Total())
        if one == other == Total():
            continue
        name = f"{kind.transaction_type} {kind.direction}"
        yield f"{name} transactions", one.count, other.count
        yield f"{name} credits", one.credits, other.credits

"""Makes restored tables agree: removes the remains of torn writes, and names `credits rebuild` for the rest.

The two tables are restored to the same second and may disagree about the writes of that second, in either direction
and by any number of transactions. Only while nobody writes.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.grace import owed_by, repays
from chalicelib.domain.ids import Instant, MerchantId, instant
from infra.recovery.everybody import everybody

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TORN: Final = timedelta(minutes=15)
"""How long before the given moment a torn write may be: the latest point that can be restored is some five minutes
old. Anything older is for `credits verify`."""
AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The names of the two tables that one write changes together. Nothing else that is restored can be torn."""

    credits: str
    transactions: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """A merchant whose account and transactions disagree: `credits rebuild` makes the account anew.

    `kept` is the sequence up to which its transactions have no gap, `removed` counts those after a gap, and an inflow
    at the end whose payment of debt, of the same write, did not come back. `taken_back`: the account counted
    transactions that do not exist, and was removed; `low_balance_threshold` is its own threshold, removed with it.
    """

    merchant_id: MerchantId
    kept: int
    removed: int
    taken_back: bool = False
    low_balance_threshold: int | None = None


@dataclass(frozen=True, slots=True)
class _Transaction:
    transaction_id: str
    sequence: int


def agree(client: "DynamoDBClient", tables: Ledger, *, at: datetime, at_once: int = AT_ONCE) -> Iterator[Torn]:
    """Make the restored `tables` ready for `credits rebuild`, and yield each merchant that needs it.

    A merchant is yielded before anything of it is removed, so that an interrupted run has reported everything it
    removed. `at` is the moment that the tables were restored to. Nothing older than `TORN` before it is removed: no
    restore tore that, and `credits verify` reports it. Guards whose transactions are gone are removed at the end, so
    that the fact can be recorded again; guards that did not come back are written with the event that is sent again.
    """
    reader = DynamoDBLedgerReader(client, credits_table=tables.credits, transactions_table=tables.transactions)
    look = partial(_looked_at, client, reader, tables, instant(at - TORN))
    named: set[MerchantId] = set()
    with ThreadPoolExecutor(at_once) as workers:
        for page in everybody(reader):
            for torn, removals in workers.map(look, page):
                # An account that was taken back is met again, among the transactions without an account.
                if torn is None or torn.merchant_id in named:
                    continue
                named.add(torn.merchant_id)
                yield torn
                for table, key in removals:
                    client.delete_item(TableName=table, Key=key)
    _remove_torn_guards(client, tables.transactions)


def _remove_torn_guards(client: "DynamoDBClient", table: str) -> None:
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="attribute_exists(#names)",
        ExpressionAttributeNames={"#names": "names"},
        ProjectionExpression="transaction_id, #names",
        ConsistentRead=True,
    )
    for page in pages:
        for item in page["Items"]:
            opening: Any = {"transaction_id": item["names"]}
            if "Item" not in client.get_item(TableName=table, Key=opening, ConsistentRead=True):
                client.delete_item(TableName=table, Key={"transaction_id": item["transaction_id"]})


def _looked_at(
    client: "DynamoDBClient", reader: DynamoDBLedgerReader, tables: Ledger, since: Instant, merchant_id: MerchantId
) -> tuple[Torn | None, Sequence[tuple[str, Any]]]:
    """Return a merchant's torn write, None if there is none, and the tables and keys to remove."""
    key: Any = {"merchant_id": {"S": merchant_id}}
    account: Any = client.get_item(TableName=tables.credits, Key=key, ConsistentRead=True).get("Item")
    sequence = int(account["sequence"]["N"]) if account else 0
    kept, after_a_gap = _newest(client, tables.transactions, merchant_id, since)
    if (kept != sequence or after_a_gap) and (inflow := _unpaid(reader, merchant_id, kept, since)) is not None:
        kept, after_a_gap = kept - 1, [*after_a_gap, inflow]
    removals: list[tuple[str, Any]] = [
        (tables.transactions, {"transaction_id": {"S": transaction.transaction_id}}) for transaction in after_a_gap
    ]
    torn = Torn(merchant_id=merchant_id, kept=kept, removed=len(after_a_gap))
    if kept < sequence and account["updated_at"]["S"] >= since:
        own = account.get("low_balance_threshold")
        taken = replace(torn, taken_back=True, low_balance_threshold=int(own["N"]) if own else None)
        return taken, [*removals, (tables.credits, key)]
    return (torn if kept > sequence or after_a_gap else None), removals


def _unpaid(reader: DynamoDBLedgerReader, merchant_id: MerchantId, newest: int, since: Instant) -> _Transaction | None:
    """Return the newest transaction if it is an inflow of an account that still owes, which one write pays at once."""
    debt, last = 0, None
    for page in reader.transactions(merchant_id, 1, newest):
        for transaction in page:
            if isinstance(transaction, UnreadableTransaction):
                return None
            last = transaction
            debt += owed_by(last.kind, last.amount, last.metadata)
    if last is None or last.created_at < since or not (repays(last.kind) and debt and last.balance_after):
        return None
    return _Transaction(last.transaction_id, last.sequence)


def _newest(
    client: "DynamoDBClient", table: str, merchant_id: str, since: Instant
) -> tuple[int, Sequence[_Transaction]]:
    """Return the sequence up to which the merchant's transactions have no gap, and the transactions after a gap.

    Reads from the newest one back to the first that was created before `since`.
    """
    later: list[_Transaction] = []
    whole: list[_Transaction] = []
    for transaction, created_at in _newest_first(client, table, merchant_id):
        if whole and transaction.sequence < whole[-1].sequence - 1:
            later += whole
            whole = []
        whole.append(transaction)
        if created_at < since:
            return whole[0].sequence, later
    if whole and whole[-1].sequence > 1:
        return 0, [*later, *whole]
    return (whole[0].sequence if whole else 0), later


def _newest_first(client: "DynamoDBClient", table: str, merchant_id: str) -> Iterator[tuple[_Transaction, str]]:
    pages = client.get_paginator("query").paginate(
        TableName=table,
        IndexName="by_merchant",
        KeyConditionExpression="merchant_id = :merchant",
        ExpressionAttributeNames={"#sequence": "sequence"},
        ExpressionAttributeValues={":merchant": {"S": merchant_id}},
        ProjectionExpression="transaction_id, #sequence, created_at",
        ScanIndexForward=False,
        PaginationConfig={"PageSize": 100},
    )
    for page in pages:
        for item in page["Items"]:
            yield _Transaction(item["transaction_id"]["S"], int(item["sequence"]["N"])), item["created_at"]["S"]

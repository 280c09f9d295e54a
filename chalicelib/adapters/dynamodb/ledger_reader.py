"""The ledger read from end to end, for those who check it: pages of accounts, and every transaction of a merchant.

It uses the botocore client, because items changed by hand must be readable too, whatever their content; and eventually
consistent, at half the price: a finding is confirmed by a second read before it is reported.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from chalicelib.adapters.dynamodb.account_attributes import due_attributes, level
from chalicelib.adapters.dynamodb.batch_read import batch_read
from chalicelib.adapters.dynamodb.faults import pages, transient_faults
from chalicelib.adapters.dynamodb.items import account_from, crossings_from, transaction_from
from chalicelib.domain.errors import NewerForm
from chalicelib.domain.findings import UnreadableAccount, UnreadableTransaction
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.ledger import Account
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import AccountsPage, MerchantsPage, Snapshot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ACCOUNTS_PAGE = 500
"""Accounts of one page, about half a megabyte."""
TRANSACTIONS_PAGE = 1_000
"""Transactions of one page of all of them, about a megabyte and 125 read units."""
SEQUENCE_MAX = 10**15


class DynamoDBLedgerReader:
    """The `LedgerReader` on the two tables; it only reads."""

    def __init__(self, client: "DynamoDBClient", *, credits_table: str, transactions_table: str) -> None:
        self._client = client
        self._credits_table = credits_table
        self._transactions_table = transactions_table

    def accounts(self, after: MerchantId | None) -> AccountsPage:
        """Return the next accounts: a page of a scan."""
        start: dict[str, Any] = {"ExclusiveStartKey": {"merchant_id": {"S": after}}} if after else {}
        with transient_faults():
            page = self._client.scan(TableName=self._credits_table, Limit=ACCOUNTS_PAGE, **start)
        last = page.get("LastEvaluatedKey")
        return AccountsPage(
            accounts=tuple(_snapshot(item) for item in page["Items"]),
            last=MerchantId(cast("Any", last)["merchant_id"]["S"]) if last else None,
        )

    def account(self, merchant_id: MerchantId) -> Snapshot | UnreadableAccount | None:
        """Return the account, read consistently."""
        key: Any = {"merchant_id": {"S": merchant_id}}
        with transient_faults():
            item = self._client.get_item(TableName=self._credits_table, Key=key, ConsistentRead=True).get("Item")
        return _snapshot(item) if item else None

    def merchants(self, after: str | None) -> MerchantsPage:
        """Return the merchants of the next transactions: one page of a scan of the index, merchant by merchant."""
        start: dict[str, Any] = {"ExclusiveStartKey": json.loads(after)} if after else {}
        with transient_faults():
            page = self._client.scan(
                TableName=self._transactions_table,
                IndexName="by_merchant",
                ProjectionExpression="merchant_id",
                Limit=TRANSACTIONS_PAGE,
                **start,
            )
        merchants = dict.fromkeys(MerchantId(item["merchant_id"]["S"]) for item in page["Items"])
        last = page.get("LastEvaluatedKey")
        return MerchantsPage(
            merchants=tuple(merchants),
            transactions=len(page["Items"]),
            last=json.dumps(last, separators=(",", ":")) if last else None,
        )

    def without_account(self, merchants: Iterable[MerchantId]) -> list[MerchantId]:
        """Return those without an account: only the keys of the others are read, 100 in a request."""
        wanted = list(dict.fromkeys(merchants))
        keys = [{"merchant_id": {"S": merchant_id}} for merchant_id in wanted]
        with transient_faults():
            answers = batch_read(self._client, self._credits_table, keys, ProjectionExpression="merchant_id")
            found = {item["merchant_id"]["S"] for _, items in answers for item in items}
        return [merchant_id for merchant_id in wanted if merchant_id not in found]

    def transactions(
        self, merchant_id: MerchantId, lowest: int, highest: int | None
    ) -> Iterator[Sequence[Transaction | UnreadableTransaction]]:
        """Yield the transactions of these sequences, up to a megabyte in a page."""
        for page in pages(
            self._client.query,
            TableName=self._transactions_table,
            IndexName="by_merchant",
            KeyConditionExpression="merchant_id = :merchant AND #sequence BETWEEN :lowest AND :highest",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues={
                ":merchant": {"S": merchant_id},
                ":lowest": {"N": str(lowest)},
                ":highest": {"N": str(SEQUENCE_MAX if highest is None else highest)},
            },
        ):
            yield [_transaction(item) for item in page["Items"]]


def _snapshot(item: Mapping[str, Any]) -> Snapshot | UnreadableAccount:
    try:
        account = account_from(item)
        return Snapshot(
            account=account,
            crossings=crossings_from(item),
            misplaced=_misplaced(item, account),
            misdue=_misdue(item, account),
        )
    except Exception as error:  # noqa: BLE001 - whatever was done to the item, it is a finding
        return UnreadableAccount(
            merchant_id=MerchantId(item["merchant_id"]["S"]), why=_why(error), newer=isinstance(error, NewerForm)
        )


def _misplaced(item: Mapping[str, Any], account: Account) -> str | None:
    listed, right = item.get("level", {}).get("S"), level(account)
    # An earlier release lists an account that is closed or frozen by its balance alone.
    if listed in (right, level(replace(account, closure=None, freeze=None))):
        return None
    return f"the account is listed at {listed or 'no level'}, it belongs at {right or 'none'}"


def _misdue(item: Mapping[str, Any], account: Account) -> str | None:
    listed, right = (each.get("due_shard", {}).get("S") for each in (item, due_attributes(account)))
    if listed == right:
        return None
    return f"the account is listed as due at {listed or 'no time'}, it belongs at {right or 'none'}"


def _transaction(item: Mapping[str, Any]) -> Transaction | UnreadableTransaction:
    try:
        return transaction_from(item)
    except Exception as error:  # noqa: BLE001 - the same
        return UnreadableTransaction(
            transaction_id=TransactionId(item["transaction_id"]["S"]),
            # A key of the index: it is there, and a number.
            sequence=int(float(item["sequence"]["N"])),
            why=_why(error),
            newer=isinstance(error, NewerForm),
        )


def _why(error: Exception) -> str:
    """Return the fault without the value: the name of a missing attribute, or the kind of error."""
    if isinstance(error, NewerForm):
        return error.message
    named = error.args[0] if isinstance(error, KeyError) and error.args else None
    return f"{named} is missing or unknown" if isinstance(named, str) else type(error).__name__

"""The ledger read from end to end, for those who check it: pages of accounts, and every record of a merchant.

Through the boto3 client, because what a hand has changed must be read too, whatever it has made of an item; and
eventually consistent, at half the price: whoever finds something reads again before saying so.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.faults import raise_if_transient
from chalicelib.adapters.items import account_from, crossings_from, transaction_from
from chalicelib.domain.errors import NewerForm
from chalicelib.domain.findings import Unreadable, UnreadableAccount
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.ledger import Transaction
from chalicelib.ports import AccountsPage, Snapshot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ACCOUNTS_PAGE = 500
"""Accounts of one page, about half a megabyte."""
SEQUENCE_MAX = 10**15


class DynamoDBLedgerReader:
    """The `LedgerReader` on the two tables; it only reads."""

    def __init__(self, client: "DynamoDBClient", *, credits_table: str, transactions_table: str) -> None:
        self._client = client
        self._credits_table = credits_table
        self._transactions_table = transactions_table

    def accounts(self, after: MerchantId | None) -> AccountsPage:
        """Return the next accounts: a page of a scan."""
        behind: dict[str, Any] = {"ExclusiveStartKey": {"merchant_id": {"S": after}}} if after else {}
        try:
            page = self._client.scan(TableName=self._credits_table, Limit=ACCOUNTS_PAGE, **behind)
        except (ClientError, BotoCoreError) as error:
            raise_if_transient(error)
            raise
        last = page.get("LastEvaluatedKey")
        return AccountsPage(
            accounts=tuple(_snapshot(item) for item in page["Items"]),
            last=MerchantId(cast("Any", last)["merchant_id"]["S"]) if last else None,
        )

    def account(self, merchant_id: MerchantId) -> Snapshot | UnreadableAccount | None:
        """Return the account, read consistently."""
        key: Any = {"merchant_id": {"S": merchant_id}}
        try:
            item = self._client.get_item(TableName=self._credits_table, Key=key, ConsistentRead=True).get("Item")
        except (ClientError, BotoCoreError) as error:
            raise_if_transient(error)
            raise
        return _snapshot(item) if item else None

    def records(
        self, merchant_id: MerchantId, lowest: int, highest: int | None
    ) -> Iterator[Sequence[Transaction | Unreadable]]:
        """Yield the records of these sequences, up to a megabyte in a page."""
        more: dict[str, Any] = {}
        while True:
            try:
                page = self._client.query(
                    TableName=self._transactions_table,
                    IndexName="by_merchant",
                    KeyConditionExpression="merchant_id = :merchant AND #sequence BETWEEN :lowest AND :highest",
                    ExpressionAttributeNames={"#sequence": "sequence"},
                    ExpressionAttributeValues={
                        ":merchant": {"S": merchant_id},
                        ":lowest": {"N": str(lowest)},
                        ":highest": {"N": str(SEQUENCE_MAX if highest is None else highest)},
                    },
                    **more,
                )
            except (ClientError, BotoCoreError) as error:
                raise_if_transient(error)
                raise
            yield [_record(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _snapshot(item: Mapping[str, Any]) -> Snapshot | UnreadableAccount:
    try:
        return Snapshot(account=account_from(item), crossings=crossings_from(item))
    except Exception as error:  # noqa: BLE001 - whatever a hand has made of the item, it is a finding
        return UnreadableAccount(
            merchant_id=MerchantId(item["merchant_id"]["S"]), why=_why(error), newer=isinstance(error, NewerForm)
        )


def _record(item: Mapping[str, Any]) -> Transaction | Unreadable:
    try:
        return transaction_from(item)
    except Exception as error:  # noqa: BLE001 - the same
        return Unreadable(
            transaction_id=TransactionId(item["transaction_id"]["S"]),
            # A key of the index: it is there, and a number.
            sequence=int(float(item["sequence"]["N"])),
            why=_why(error),
            newer=isinstance(error, NewerForm),
        )


def _why(error: Exception) -> str:
    """Return what is wrong without the value: the name of a missing attribute, or the kind of the fault."""
    if isinstance(error, NewerForm):
        return error.message
    named = error.args[0] if isinstance(error, KeyError) and error.args else None
    return f"{named} is missing or unknown" if isinstance(named, str) else type(error).__name__

"""Links in a table of their own: names with their merchants, and beside them each merchant with its names.

    name "shopify:teegeist.example"   merchant_id, kind, since, label   in the index by_kind
    name "stripe:pi_1"                merchant_id                       a payment: in no list
    name "paid:stripe:pi_1"           invoice                           the invoice that the payment paid
    name "merchant:{merchant id}"     each of its names, as an attribute with the label ("" where there is none)

A name and its merchant's row are one write. A link is never moved: the condition of each write is that the name belongs
to nobody, or to this merchant.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.batch_read import batch_read
from chalicelib.adapters.dynamodb.faults import BUSY, FAILED_CONDITION, raise_if_transient, transient_faults
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.links import Link, LinkKind
from chalicelib.ports import LinksPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WHO = "the links"
_OWN = "attribute_not_exists(merchant_id) OR merchant_id = :merchant"


class DynamoDBLinks:
    """The links. Every method may raise `RetryLater` (`unavailable`) when the table cannot answer."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, names: Iterable[str]) -> dict[str, MerchantId]:
        """Return the merchant of each name, without the names that have none; eventually consistent."""
        keys = [_key(name) for name in dict.fromkeys(names)]
        found: dict[str, MerchantId] = {}
        with transient_faults(WHO):
            for _, items in batch_read(self._client, self._table, keys, who=WHO):
                found |= {item["name"]["S"]: MerchantId(item["merchant_id"]["S"]) for item in items}
        return found

    def get(self, name: str) -> Link | None:
        """Return the link of a name, None where there is none."""
        with transient_faults(WHO):
            item = self._client.get_item(TableName=self._table, Key=_key(name), ConsistentRead=True).get("Item")
        return _link(item) if item is not None and "kind" in item else None

    def put(self, link: Link) -> MerchantId:
        """Link a name to a merchant, unless it is linked to another one; return the merchant that has it.

        A label replaces an earlier one. Without a label the earlier one stays; a later `since` changes nothing.
        """
        labelled = link.label is not None
        label = {":label": {"S": link.label or ""}}
        values = {":merchant": {"S": link.merchant_id}, ":kind": {"S": link.kind}, ":since": {"S": link.since}}
        name = {
            "TableName": self._table,
            "Key": _key(link.name),
            "UpdateExpression": "SET merchant_id = :merchant, kind = :kind, since = if_not_exists(since, :since)"
            + (", label = :label" if labelled else ""),
            "ConditionExpression": _OWN,
            "ExpressionAttributeValues": {**values, **(label if labelled else {})},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        merchant = {
            "TableName": self._table,
            "Key": _key(_row(link.merchant_id)),
            "UpdateExpression": f"SET #link = {':label' if labelled else 'if_not_exists(#link, :label)'}",
            "ExpressionAttributeNames": {"#link": link.name},
            "ExpressionAttributeValues": label,
        }
        return self._written([{"Update": name}, {"Update": merchant}]) or link.merchant_id

    def put_payment(self, name: str, merchant_id: MerchantId) -> MerchantId:
        """Link a payment's name to a merchant, unless it is linked to another one; return the merchant that has it."""
        item = {"name": {"S": name}, "merchant_id": {"S": merchant_id}}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,  # type: ignore[arg-type]
                ConditionExpression="attribute_not_exists(merchant_id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != f"{FAILED_CONDITION}Exception":
                raise_if_transient(error, WHO)
                raise
            standing: Any = error.response.get("Item", item)
            return MerchantId(standing["merchant_id"]["S"])
        except BotoCoreError as error:
            raise_if_transient(error, WHO)
            raise
        return merchant_id

    def put_invoice(self, payment_name: str, invoice_id: str) -> None:
        """Keep which invoice a payment paid."""
        item = {**_key(_paid(payment_name)), "invoice": {"S": invoice_id}}
        with transient_faults(WHO):
            self._client.put_item(TableName=self._table, Item=item)

    def invoices(self, payment_names: Iterable[str]) -> dict[str, str]:
        """Return which invoices these payments paid, those left out of which nobody said it; eventually consistent."""
        keys = [_key(_paid(name)) for name in dict.fromkeys(payment_names)]
        found: dict[str, str] = {}
        with transient_faults(WHO):
            for _, items in batch_read(self._client, self._table, keys, who=WHO):
                found |= {item["name"]["S"].removeprefix(_paid("")): item["invoice"]["S"] for item in items}
        return found

    def remove(self, link: Link) -> bool:
        """Remove a name's link, if it still belongs to this merchant; return whether it did."""
        name = {
            "TableName": self._table,
            "Key": _key(link.name),
            "ConditionExpression": "merchant_id = :merchant",
            "ExpressionAttributeValues": {":merchant": {"S": link.merchant_id}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        merchant = {
            "TableName": self._table,
            "Key": _key(_row(link.merchant_id)),
            "UpdateExpression": "REMOVE #link",
            "ExpressionAttributeNames": {"#link": link.name},
        }
        return self._written([{"Delete": name}, {"Update": merchant}]) is None

    def of_merchants(self, merchants: Iterable[MerchantId]) -> dict[MerchantId, dict[str, str | None]]:
        """Return the names of each merchant with their labels, without the merchants that have none."""
        keys = [_key(_row(merchant)) for merchant in dict.fromkeys(merchants)]
        found: dict[MerchantId, dict[str, str | None]] = {}
        with transient_faults(WHO):
            for _, items in batch_read(self._client, self._table, keys, who=WHO):
                for item in items:
                    named = {name: value["S"] or None for name, value in item.items() if name != "name"}
                    if named:
                        found[MerchantId(item["name"]["S"].partition(":")[2])] = named
        return found

    def page(self, kind: LinkKind, *, starting: str = "", after: str | None = None, limit: int) -> LinksPage:
        """Return the next links of a kind, by name; only those whose names begin so after the kind."""
        prefix = f"{kind}:{starting}"
        more: Any = {"ExclusiveStartKey": {"kind": {"S": kind}, **_key(after)}} if after is not None else {}
        with transient_faults(WHO):
            answer = self._client.query(
                TableName=self._table,
                IndexName="by_kind",
                KeyConditionExpression="kind = :kind AND begins_with(#name, :prefix)",
                ExpressionAttributeNames={"#name": "name"},
                ExpressionAttributeValues={":kind": {"S": kind}, ":prefix": {"S": prefix}},
                Limit=limit,
                **more,
            )
        links = tuple(_link(item) for item in answer["Items"])
        return LinksPage(links=links, last=links[-1].name if links and "LastEvaluatedKey" in answer else None)

    def _written(self, writes: list[Any]) -> MerchantId | None:
        """Write all or nothing; return None if it was written, else the first item's merchant ("" if it has none)."""
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise_if_transient(error, WHO)
                raise
            reasons: Any = error.response.get("CancellationReasons", [{}])
            if reasons[0].get("Code") == FAILED_CONDITION:
                return MerchantId(reasons[0].get("Item", {}).get("merchant_id", {"S": ""})["S"])
            if any(reason.get("Code") in BUSY for reason in reasons):
                raise RetryLater(Code.UNAVAILABLE, "another write of the same link is under way") from error
            raise
        except BotoCoreError as error:
            raise_if_transient(error, WHO)
            raise
        return None


def _key(name: str) -> Mapping[str, Any]:
    return {"name": {"S": name}}


def _paid(payment_name: str) -> str:
    return f"paid:{payment_name}"


def _row(merchant_id: MerchantId) -> str:
    return f"merchant:{merchant_id}"


def _link(item: Mapping[str, Any]) -> Link:
    return Link(
        name=item["name"]["S"],
        merchant_id=MerchantId(item["merchant_id"]["S"]),
        label=item["label"]["S"] if "label" in item else None,
        since=Instant(item["since"]["S"]),
    )

"""Links in a table of their own: names with their merchants, and beside them each merchant with its names.

    name "shopify:teegeist.example"   merchant_id, kind, since, label   in the index by_kind
    name "stripe:pi_1"                merchant_id                       a payment: in no list
    name "paid:stripe:pi_1"           invoice                           the invoice that the payment paid
    name "sale:stripe:pi_1"           session, credits, captured        a payment that is captured later
    name "parked:{code}:{fact}"       letter                            the message that was parked for a fact
    name "merchant:{merchant id}"     each of its names, as an attribute with the label ("" where there is none)
    name "word:{label's end}#{name}"  merchant_id, kind "word"          a label from one of its words on, for searches

A name, its merchant's row and its label's words are one write. A link is never moved: the condition of each write is
that the name belongs to nobody, or to this merchant. A write that removes words has the label of these words in its
condition, and a refusal returns the present label.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.dynamodb.batch_read import batch_read
from chalicelib.adapters.dynamodb.faults import BUSY, FAILED_CONDITION, transient_faults
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.links import Link, LinkKind
from chalicelib.domain.searching import WORD, words_of
from chalicelib.ports import LinksPage, NamesPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WHO = "the links"
LABEL_TRIES_MAX = 3
"""How often a write starts again with the label that it met."""
_OWN = "attribute_not_exists(merchant_id) OR merchant_id = :merchant"
_MINE_WITH_LABEL = "merchant_id = :merchant AND (attribute_not_exists(label) OR label = :known)"
_OWN_WITH_LABEL = f"attribute_not_exists(merchant_id) OR ({_MINE_WITH_LABEL})"


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
            for _, items in batch_read(self._client, self._table, keys, component=WHO):
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
        values = {":merchant": {"S": link.merchant_id}, ":kind": {"S": link.kind}, ":since": {"S": link.since}}
        update = "SET merchant_id = :merchant, kind = :kind, since = if_not_exists(since, :since)"
        name = {"TableName": self._table, "Key": _key(link.name), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        row = {"TableName": self._table, "Key": _key(_row(link.merchant_id))}
        row |= {"ExpressionAttributeNames": {"#link": link.name}}
        row |= {"ExpressionAttributeValues": {":label": {"S": link.label or ""}}}
        if link.label is None:
            name |= {"UpdateExpression": update, "ConditionExpression": _OWN, "ExpressionAttributeValues": values}
            row |= {"UpdateExpression": "SET #link = if_not_exists(#link, :label)"}
            found = self._written([{"Update": name}, {"Update": row}])
            return link.merchant_id if found is None else _owner(found)
        name |= {"UpdateExpression": f"{update}, label = :label", "ConditionExpression": _OWN_WITH_LABEL}
        row |= {"UpdateExpression": "SET #link = :label"}

        def writes(known: str) -> list[Any]:
            labels = {":label": {"S": link.label}, ":known": {"S": known}}
            return [
                {"Update": {**name, "ExpressionAttributeValues": {**values, **labels}}},
                {"Update": row},
                *self._words(link, out=known),
            ]

        found = self._relabelled(link, writes, known=link.label)
        return link.merchant_id if found is None else _owner(found)

    def put_payment(self, name: str, merchant_id: MerchantId) -> MerchantId:
        """Link a payment's name to a merchant, unless it is linked to another one; return the merchant that has it."""
        item = {"name": {"S": name}, "merchant_id": {"S": merchant_id}}
        try:
            with transient_faults(WHO):
                self._client.put_item(
                    TableName=self._table,
                    Item=item,  # type: ignore[arg-type]
                    ConditionExpression="attribute_not_exists(merchant_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            found: Any = error.response.get("Item", item)
            return MerchantId(found["merchant_id"]["S"])
        return merchant_id

    def put_invoice(self, payment_name: str, invoice_id: str) -> None:
        """Keep which invoice a payment paid."""
        item = {**_key(_paid(payment_name)), "invoice": {"S": invoice_id}}
        with transient_faults(WHO):
            self._client.put_item(TableName=self._table, Item=item)

    def invoices(self, payment_names: Iterable[str]) -> dict[str, str]:
        """Return the invoice that each payment paid, without the payments that have none; eventually consistent."""
        keys = [_key(_paid(name)) for name in dict.fromkeys(payment_names)]
        found: dict[str, str] = {}
        with transient_faults(WHO):
            for _, items in batch_read(self._client, self._table, keys, component=WHO):
                found |= {item["name"]["S"].removeprefix(_paid("")): item["invoice"]["S"] for item in items}
        return found

    def put_sale(self, payment_name: str, texts: Mapping[str, str]) -> dict[str, str]:
        """Add what a webhook says about a payment that is captured later; return all that is known about it."""
        with transient_faults(WHO):
            # One write of one item: of two webhooks at the same time, the later one sees what both say.
            known = self._client.update_item(
                TableName=self._table,
                Key=_key(f"sale:{payment_name}"),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in texts),
                ExpressionAttributeNames={f"#{name}": name for name in texts},
                ExpressionAttributeValues={f":{name}": {"S": text} for name, text in texts.items()},
                ReturnValues="ALL_NEW",
            )["Attributes"]
        return {name: value["S"] for name, value in known.items() if name != "name"}

    def put_letter(self, fact: str, message_id: str) -> bool:
        """Record that this message is parked for a fact, unless another one is; return whether it is this one."""
        try:
            with transient_faults(WHO):
                self._client.put_item(
                    TableName=self._table,
                    Item={**_key(f"parked:{fact}"), "letter": {"S": message_id}},
                    ConditionExpression="attribute_not_exists(letter) OR letter = :letter",
                    ExpressionAttributeValues={":letter": {"S": message_id}},
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def remove(self, link: Link) -> bool:
        """Remove a name's link, if it still belongs to this merchant; return whether it did."""
        name = {
            "TableName": self._table,
            "Key": _key(link.name),
            "ConditionExpression": _MINE_WITH_LABEL,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        row = {
            "TableName": self._table,
            "Key": _key(_row(link.merchant_id)),
            "UpdateExpression": "REMOVE #link",
            "ExpressionAttributeNames": {"#link": link.name},
        }

        def writes(known: str) -> list[Any]:
            values = {":merchant": {"S": link.merchant_id}, ":known": {"S": known}}
            return [
                {"Delete": {**name, "ExpressionAttributeValues": values}},
                {"Update": row},
                *self._words(replace(link, label=None), out=known),
            ]

        return self._relabelled(link, writes, known=link.label or "") is None

    def of_merchants(self, merchants: Iterable[MerchantId]) -> dict[MerchantId, dict[str, str | None]]:
        """Return the names of each merchant with their labels, without the merchants that have none."""
        keys = [_key(_row(merchant)) for merchant in dict.fromkeys(merchants)]
        found: dict[MerchantId, dict[str, str | None]] = {}
        with transient_faults(WHO):
            for _, items in batch_read(self._client, self._table, keys, component=WHO):
                for item in items:
                    named = {name: value["S"] or None for name, value in item.items() if name != "name"}
                    if named:
                        found[MerchantId(item["name"]["S"].partition(":")[2])] = named
        return found

    def page(self, kind: LinkKind, *, starting: str = "", after: str | None = None, limit: int) -> LinksPage:
        """Return the next links of a kind, by name; only those whose names begin so after the kind."""
        answer = self._listed(kind, f"{kind}:{starting}", after=after, limit=limit)
        links = tuple(_link(item) for item in answer["Items"])
        return LinksPage(links=links, last=links[-1].name if links and "LastEvaluatedKey" in answer else None)

    def starting(self, kind: str, prefix: str, *, after: str | None, limit: int) -> NamesPage:
        """Return the next names of a list, a kind of links or `WORD`, that start so; a little later than the writes."""
        answer = self._listed(kind, prefix, after=after, limit=limit)
        names = tuple((item["name"]["S"], MerchantId(item["merchant_id"]["S"])) for item in answer["Items"])
        return NamesPage(names=names, last=names[-1][0] if names and "LastEvaluatedKey" in answer else None)

    def _listed(self, kind: str, prefix: str, *, after: str | None, limit: int) -> Mapping[str, Any]:
        more: Any = {"ExclusiveStartKey": {"kind": {"S": kind}, **_key(after)}} if after is not None else {}
        with transient_faults(WHO):
            return self._client.query(
                TableName=self._table,
                IndexName="by_kind",
                KeyConditionExpression="kind = :kind AND begins_with(#name, :prefix)",
                ExpressionAttributeNames={"#name": "name"},
                ExpressionAttributeValues={":kind": {"S": kind}, ":prefix": {"S": prefix}},
                Limit=limit,
                **more,
            )

    def _words(self, link: Link, *, out: str) -> list[Any]:
        """Return the writes that list a link under the words of its label, and no longer under those of `out`."""
        words = words_of(link.label, link.name)
        wanted = {
            "UpdateExpression": "SET merchant_id = :merchant, kind = :kind",
            "ExpressionAttributeValues": {":merchant": {"S": link.merchant_id}, ":kind": {"S": WORD}},
        }
        gone = [{"Delete": {"TableName": self._table, "Key": _key(word)}} for word in words_of(out, link.name) - words]
        return [*gone, *({"Update": {"TableName": self._table, "Key": _key(word), **wanted}} for word in words)]

    def _relabelled(self, link: Link, writes: Callable[[str], list[Any]], *, known: str) -> Mapping[str, Any] | None:
        """Write what follows from the present label, first assumed to be `known`; return as `_written` does."""
        for _ in range(LABEL_TRIES_MAX):
            found = self._written(writes(known))
            if found is None or _owner(found) != link.merchant_id:
                return found
            known = found["label"]["S"]
        raise RetryLater(Code.UNAVAILABLE, "the label of the same link is being changed")

    def _written(self, writes: list[Any]) -> Mapping[str, Any] | None:
        """Write all or nothing; return the first item where its condition refuses ({} for none), None once written."""
        try:
            with transient_faults(WHO):
                self._client.transact_write_items(TransactItems=writes)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons: Any = error.response.get("CancellationReasons", [{}])
            if reasons[0].get("Code") == FAILED_CONDITION:
                found: Mapping[str, Any] = reasons[0].get("Item", {})
                return found
            if any(reason.get("Code") in BUSY for reason in reasons):
                raise RetryLater(Code.UNAVAILABLE, "another write of the same link is under way") from error
            raise
        return None


def _owner(found: Mapping[str, Any]) -> MerchantId:
    """Return the merchant of a name, "" if it has none."""
    return MerchantId(found.get("merchant_id", {"S": ""})["S"])


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

"""The desk's table: which merchants there are, and what admins did. Lists in order, never a scan.

    topic "merchants#{first digit of the id}"   place: the merchant's id
    topic "actions", "actions#{merchant id}"    place: the action's position
    topic "waiting"                             place: the id of the transaction that waits for another admin

Every write is one unit and may be repeated.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.domain.actions import Action
from chalicelib.domain.confirming import WaitingAdjustment
from chalicelib.domain.ids import Instant, MerchantId, TransactionId

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARDS = "0123456789abcdef"
"""The list of merchants is split by the first digit of their ids, which keeps its order."""

WAITING = "waiting"
"""The topic of adjustments that wait for another admin."""

_WHO = "the desk's table"
_POSITION_DIGITS = 20
_NEW = {"ConditionExpression": "attribute_not_exists(topic)"}


class Desk:
    """Notes and lists. Every method may raise `RetryLater` (`unavailable`) when the table cannot answer."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def enlist(self, merchant_id: MerchantId) -> None:
        """Put a merchant into the list of merchants."""
        self._put({"topic": {"S": f"merchants#{merchant_id[0]}"}, "place": {"S": merchant_id}})

    def merchants(self, *, starting: str = "", after: MerchantId | None = None, wanted: int) -> list[MerchantId]:
        """Return up to `wanted` merchants by id: those after `after` whose ids begin so."""
        found: list[MerchantId] = []
        first = after[0] if after else ""
        for shard in SHARDS:
            if len(found) >= wanted or (starting and shard != starting[0]) or shard < first:
                continue
            low = after if shard == first and after else None
            items = self._query(f"merchants#{shard}", starting=starting, after=low, limit=wanted - len(found))
            found += [MerchantId(item["place"]["S"]) for item in items]
        return found

    def note(self, action: Action) -> None:
        """Put an action into the list of all actions and into its merchant's; the first one under a fact stays."""
        item = {
            "place": {"S": f"{action.position:0{_POSITION_DIGITS}}"},
            "at": {"S": action.time},
            "did": {"S": action.did},
            "admin_id": {"S": action.admin_id},
            "fact": {"S": action.fact},
            "details": {"S": json.dumps(dict(action.details), separators=(",", ":"))},
        }
        if action.merchant_id is not None:
            item["merchant_id"] = {"S": action.merchant_id}
            self._put({**item, "topic": {"S": f"actions#{action.merchant_id}"}}, only_if=_NEW)
        self._put({**item, "topic": {"S": "actions"}}, only_if=_NEW)

    def actions(self, merchant_id: MerchantId | None, *, before: int | None, wanted: int) -> list[Action]:
        """Return up to `wanted` actions, all or a merchant's, newest first, from before a position."""
        topic = "actions" if merchant_id is None else f"actions#{merchant_id}"
        below = "" if before is None else f"{before:0{_POSITION_DIGITS}}"
        return [_action(item) for item in self._query(topic, before=below, newest_first=True, limit=wanted)]

    def put_waiting(self, waiting: WaitingAdjustment) -> None:
        """Let an adjustment wait for another admin, unless one waits under its transaction's id."""
        members = json.dumps(asdict(waiting), separators=(",", ":"))
        self._put({**_waiting_key(waiting.transaction_id), "asked": {"S": members}}, only_if=_NEW)

    def waiting(self, transaction_id: TransactionId) -> WaitingAdjustment | None:
        """Return the adjustment that waits under this id, None if there is none."""
        with transient_faults(_WHO):
            answer = self._client.get_item(TableName=self._table, Key=_waiting_key(transaction_id), ConsistentRead=True)
        return WaitingAdjustment(**json.loads(answer["Item"]["asked"]["S"])) if "Item" in answer else None

    def remove_waiting(self, transaction_id: TransactionId) -> bool:
        """Let an adjustment wait no longer; return whether it did."""
        with transient_faults(_WHO):
            answer = self._client.delete_item(
                TableName=self._table, Key=_waiting_key(transaction_id), ReturnValues="ALL_OLD"
            )
        return "Attributes" in answer

    def all_waiting(self, *, wanted: int) -> list[WaitingAdjustment]:
        """Return the adjustments that wait, the oldest first; if more than `wanted` wait, any `wanted` of them."""
        found = [WaitingAdjustment(**json.loads(item["asked"]["S"])) for item in self._query(WAITING, limit=wanted)]
        return sorted(found, key=lambda one: (one.asked_at, one.adjustment_id))

    def _put(self, item: Mapping[str, Any], *, only_if: Mapping[str, Any] | None = None) -> None:
        """Write an item, if the condition of `only_if` holds."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException), transient_faults(_WHO):
            self._client.put_item(TableName=self._table, Item=dict(item), **(only_if or {}))

    def _query(
        self,
        topic: str,
        *,
        starting: str = "",
        before: str = "",
        after: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield a topic's items in the order of their places, after `after`; only one further bound is allowed."""
        values: dict[str, Any] = {":topic": {"S": topic}}
        condition = "topic = :topic"
        request: dict[str, Any] = {"TableName": self._table, "ScanIndexForward": not newest_first}
        if after is not None:
            request["ExclusiveStartKey"] = {"topic": {"S": topic}, "place": {"S": after}}
        if bound := starting or before:
            places = "begins_with(place, :place)" if starting else "place < :place"
            condition, values[":place"] = f"{condition} AND {places}", {"S": bound}
        request |= {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        left = limit
        while left is None or left > 0:
            if left is not None:
                request["Limit"] = left
            with transient_faults(_WHO):
                answer = self._client.query(**request)
            yield from answer["Items"]
            left = None if left is None else left - len(answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _waiting_key(transaction_id: TransactionId) -> dict[str, Any]:
    return {"topic": {"S": WAITING}, "place": {"S": transaction_id}}


def _action(item: Mapping[str, Any]) -> Action:
    return Action(
        time=Instant(item["at"]["S"]),
        did=item["did"]["S"],
        admin_id=item["admin_id"]["S"],
        fact=item["fact"]["S"],
        merchant_id=MerchantId(item["merchant_id"]["S"]) if "merchant_id" in item else None,
        details=json.loads(item["details"]["S"]),
    )

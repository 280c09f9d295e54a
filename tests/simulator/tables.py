"""DynamoDB in memory, exact in everything that the service uses: conditions, transactions, tokens, streams.

A write takes effect whole or not at all, a cancelled transaction gives a reason for each of its items, and every change
leaves a record with both images on its table's stream. The store's contract suite compares it with the real engine.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from tests.simulator.expressions import InvalidExpressionError, Scope, holds, plain, projected, updated

Item = Mapping[str, Any]
Key = tuple[str, ...]
Request = Mapping[str, Any]

ITEMS_MAX = 100
"""Items of one transaction, and keys of one batch read."""
SHARDS = 2
TOKEN_SECONDS = 600
"""How long DynamoDB recognizes a transaction by its client token."""
STALE_SECONDS = 0.5
"""How long after a write an eventually consistent read may miss it."""
LISTED_LATE = ("by_due",)
"""The indexes whose entries follow a write late here too, as all of DynamoDB's do."""

_ACTIONS = ("Put", "Update", "Delete", "ConditionCheck")


class AwsError(Exception):
    """A request is refused: HTTP status, code, and further members of the answer."""

    def __init__(self, code: str, message: str = "", *, status: int = 400, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.content = {"__type": f"com.amazonaws#{code}", "message": message or code, **members}
        self.code = code


@dataclass(frozen=True, slots=True)
class Change:
    """One item changed by a write: before (None: it was not there) and after (None: it is deleted)."""

    table: str
    key: Key
    old: Item | None
    new: Item | None


@dataclass(frozen=True, slots=True)
class Write:
    """The changes of one moment, `at` in seconds, and the call that made them."""

    at: float
    by: str
    changes: tuple[Change, ...]


@dataclass
class Table:
    """A table: its items under their keys, and the records of its stream, shard by shard."""

    name: str
    key: tuple[str, ...]
    indexes: dict[str, tuple[str, ...]]
    streams: bool
    items: dict[Key, Item] = field(default_factory=dict)
    shards: list[list[dict[str, Any]]] = field(default_factory=lambda: [[] for _ in range(SHARDS)])
    stale: dict[Key, tuple[float, Item | None]] = field(default_factory=dict)
    index_only: dict[str, bool] = field(default_factory=dict)

    def key_of(self, item: Item) -> Key:
        """Return the key of an item."""
        try:
            return tuple(next(iter(item[name].values())) for name in self.key)
        except KeyError as error:
            raise AwsError("ValidationException", f"the key attribute {error} is missing") from None

    def scope(self, key: Key, request: Request) -> Scope:
        """Return the item under `key` as the expressions of `request` see it."""
        return scope(self.items.get(key, {}), request)


def scope(item: Item, request: Request) -> Scope:
    """Return an item as the expressions of `request` see it."""
    return Scope(item, request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {}))


class Tables:
    """The tables of an account. `clock` gives seconds, `stale` decides whether a read misses a recent write."""

    def __init__(self, *, clock: Callable[[], float], stale: Callable[[], bool] = lambda: False) -> None:
        self.tables: dict[str, Table] = {}
        self.log: list[Write] = []
        self.by = ""
        self._clock = clock
        self._stale = stale
        self._tokens: dict[str, tuple[float, str]] = {}
        self._sequence = 0

    def answer(self, operation: str, request: Request) -> dict[str, Any]:
        """Return the answer to a request; raises `AwsError`, and then nothing has changed."""
        known: Mapping[str, Callable[[Request], dict[str, Any]]] = {
            "CreateTable": self._create,
            "GetItem": self._get,
            "PutItem": lambda asked: self._single("Put", asked),
            "UpdateItem": lambda asked: self._single("Update", asked),
            "DeleteItem": lambda asked: self._single("Delete", asked),
            "BatchGetItem": self._batch_get,
            "TransactWriteItems": self._transact,
            "Query": self._query,
            "Scan": self._query,
        }
        if operation not in known:
            raise AwsError("UnknownOperationException", f"the engine does not know {operation}")
        try:
            return known[operation](request)
        except InvalidExpressionError as error:
            raise AwsError("ValidationException", str(error)) from error

    def reasons(self, request: Request) -> list[dict[str, Any]]:
        """Return for each item of a transaction why it is refused now, `None` where it is not."""
        return [reason for reason, _ in map(self._tried, request["TransactItems"])]

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            raise AwsError("ResourceNotFoundException", f"there is no table {name}")
        return self.tables[name]

    def _create(self, request: Request) -> dict[str, Any]:
        def names(schema: Sequence[Item]) -> tuple[str, ...]:
            return tuple(part["AttributeName"] for part in sorted(schema, key=lambda part: part["KeyType"] != "HASH"))

        table = Table(
            name=request["TableName"],
            key=names(request["KeySchema"]),
            indexes={
                index["IndexName"]: names(index["KeySchema"]) for index in request.get("GlobalSecondaryIndexes", [])
            },
            streams=bool(request.get("StreamSpecification", {}).get("StreamEnabled")),
            index_only={
                index["IndexName"]: index["Projection"]["ProjectionType"] == "KEYS_ONLY"
                for index in request.get("GlobalSecondaryIndexes", [])
            },
        )
        self.tables[table.name] = table
        return {"TableDescription": {"TableName": table.name, "TableStatus": "ACTIVE"}}

    def _read(self, table: Table, key: Key, *, consistent: bool) -> Item | None:
        if not consistent and key in table.stale:
            at, before = table.stale[key]
            if self._clock() - at < STALE_SECONDS and self._stale():
                return before
        return table.items.get(key)

    def _get(self, request: Request) -> dict[str, Any]:
        table = self._table(request["TableName"])
        consistent = bool(request.get("ConsistentRead"))
        item = self._read(table, table.key_of(request["Key"]), consistent=consistent)
        return {} if item is None else {"Item": projected(request.get("ProjectionExpression"), scope(item, request))}

    def _batch_get(self, request: Request) -> dict[str, Any]:
        found: dict[str, list[Item]] = {}
        asked = 0
        for name, wanted in request["RequestItems"].items():
            table = self._table(name)
            keys = [table.key_of(key) for key in wanted["Keys"]]
            asked += len(keys)
            if len(set(keys)) < len(keys):
                raise AwsError("ValidationException", "Provided list of item keys contains duplicates")
            consistent = bool(wanted.get("ConsistentRead"))
            items = [self._read(table, key, consistent=consistent) for key in keys]
            projection = wanted.get("ProjectionExpression")
            found[name] = [projected(projection, scope(item, wanted)) for item in items if item is not None]
        if not 1 <= asked <= ITEMS_MAX:
            raise AwsError("ValidationException", f"{asked} keys in a batch read")
        return {"Responses": found, "UnprocessedKeys": {}}

    def _single(self, kind: str, request: Request) -> dict[str, Any]:
        reason, change = self._tried({kind: request})
        if reason["Code"] != "None":
            code = "ConditionalCheckFailedException" if reason["Code"] == "ConditionalCheckFailed" else reason["Code"]
            members = {"Item": reason["Item"]} if "Item" in reason else {}
            raise AwsError(code, reason.get("Message", ""), **members)
        assert change is not None
        self._effect([change])
        returned = {"ALL_OLD": change.old, "ALL_NEW": change.new}.get(request.get("ReturnValues", "NONE"))
        return {"Attributes": returned} if returned else {}

    def _transact(self, request: Request) -> dict[str, Any]:
        actions = request["TransactItems"]
        if not 1 <= len(actions) <= ITEMS_MAX:
            raise AwsError("ValidationException", f"a transaction of {len(actions)} items")
        token, content = request.get("ClientRequestToken"), json.dumps(actions, sort_keys=True)
        if token in self._tokens and self._clock() - self._tokens[token][0] < TOKEN_SECONDS:
            if self._tokens[token][1] != content:
                raise AwsError("IdempotentParameterMismatchException", "the token stands for another transaction")
            return {}
        places = [self._place(action) for action in actions]
        if len(set(places)) < len(places):
            raise AwsError("ValidationException", "Transaction request cannot include multiple operations on one item")
        tried = [self._tried(action) for action in actions]
        if any(reason["Code"] != "None" for reason, _ in tried):
            raise cancelled([reason for reason, _ in tried])
        if token is not None:
            self._tokens[token] = (self._clock(), content)
        self._effect([change for _, change in tried if change is not None])
        return {}

    def _place(self, action: Request) -> tuple[str, Key]:
        [(kind, asked)] = action.items()
        table = self._table(asked["TableName"])
        return table.name, table.key_of(asked["Item"] if kind == "Put" else asked["Key"])

    def _tried(self, action: Request) -> tuple[dict[str, Any], Change | None]:
        """Return why an action is refused now, and what it would change."""
        [(kind, asked)] = action.items()
        assert kind in _ACTIONS, kind
        name, key = self._place(action)
        table = self.tables[name]
        old = table.items.get(key)
        seen = table.scope(key, asked)
        if not holds(asked.get("ConditionExpression"), seen):
            failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
            if old is not None and asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                return {**failed, "Item": old}, None
            return failed, None
        if kind == "ConditionCheck":
            return {"Code": "None"}, None
        new: Item | None = None
        if kind == "Put":
            new = asked["Item"]
        elif kind == "Update":
            new = {**updated(asked["UpdateExpression"], seen), **asked["Key"]}
        return {"Code": "None"}, Change(name, key, old, new)

    def _effect(self, changes: Sequence[Change]) -> None:
        at = self._clock()
        for change in changes:
            table = self.tables[change.table]
            table.stale[change.key] = (at, change.old)
            if change.new is None:
                table.items.pop(change.key, None)
            else:
                table.items[change.key] = change.new
            if table.streams and change.old != change.new:
                self._tell(table, change, at)
        self.log.append(Write(at, self.by, tuple(changes)))

    def _tell(self, table: Table, change: Change, at: float) -> None:
        self._sequence += 1
        name = "INSERT" if change.old is None else "REMOVE" if change.new is None else "MODIFY"
        images = {"OldImage": change.old, "NewImage": change.new}
        keys = change.new if change.new is not None else change.old or {}
        table.shards[crc32(repr(change.key).encode()) % SHARDS].append(
            {
                "eventID": f"event-{self._sequence}",
                "eventName": name,
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "eventSourceARN": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table.name}/stream/1",
                "awsRegion": "eu-west-1",
                "dynamodb": {
                    "ApproximateCreationDateTime": at,
                    "SequenceNumber": str(10**20 + self._sequence),
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                    "Keys": {part: keys[part] for part in table.key},
                    **{name: image for name, image in images.items() if image is not None},
                },
            }
        )

    def _query(self, request: Request) -> dict[str, Any]:
        table = self._table(request["TableName"])
        index = request.get("IndexName")
        order = table.indexes[index] if index else table.key
        found = list(self._listed(table, order, request))
        found.sort(key=lambda item: tuple(plain(item[name]) for name in (*order, *table.key)))
        if request.get("ScanIndexForward") is False:
            found.reverse()
        if (start := request.get("ExclusiveStartKey")) is not None:
            after = table.key_of(start)
            places = [table.key_of(item) for item in found]
            found = found[places.index(after) + 1 :] if after in places else []
        page = found[: request.get("Limit", len(found))]
        kept = [item for item in page if holds(request.get("FilterExpression"), scope(item, request))]
        answer: dict[str, Any] = {"Count": len(kept), "ScannedCount": len(page)}
        if request.get("Select") != "COUNT":
            only = {*order, *table.key} if index and table.index_only[index] else None
            projection = request.get("ProjectionExpression")
            answer["Items"] = [
                dict(projected(projection, scope(item, request)))
                if only is None
                else {name: item[name] for name in item if name in only}
                for item in kept
            ]
        if len(page) < len(found):
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in {*order, *table.key}}
        return answer

    def _listed(self, table: Table, order: tuple[str, ...], request: Request) -> Iterator[Item]:
        for key, newest in table.items.items():
            # What is listed for everybody to see may be listed late.
            item = self._read(table, key, consistent=False) if request.get("IndexName") in LISTED_LATE else newest
            if (
                item
                and all(name in item for name in order)
                and holds(request.get("KeyConditionExpression"), scope(item, request))
            ):
                yield item


def cancelled(reasons: Sequence[Mapping[str, Any]]) -> AwsError:
    """Return DynamoDB's error for a cancelled transaction, with a reason for each of its items."""
    named = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{named}]"
    return AwsError("TransactionCanceledException", message, CancellationReasons=list(reasons))

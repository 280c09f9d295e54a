"""The three tables in memory under botocore, metered: every request of every client passes through here.

The engine is the emulator's own, called in this process; its items are read before and after each request, so that
units are computed from the items themselves (`units`).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from ministack.services import dynamodb as engine

from chalicelib.adapters.dynamodb.sizes import item_bytes
from infra.bench.units import (
    TRANSACTION_FACTOR,
    Index,
    Item,
    Schema,
    index_entry,
    index_units,
    query_units,
    read_units,
    write_units,
)
from infra.local.tables import declared

LOGICAL_IDS = MappingProxyType(
    {"CreditsTable": "credits", "TransactionsTable": "transactions", "FiguresTable": "figures"}
)
_SERVICES = {"DynamoDB_20120810": "dynamodb", "AWSEvents": "events", "AmazonSQS": "sqs"}


@dataclass(frozen=True, slots=True)
class Body:
    """An answer's body, in the interface that botocore reads."""

    text: bytes

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.text


@dataclass(slots=True)
class Usage:
    """Requests made to AWS: requests by operation, units, items looked at, and the largest item written by table."""

    requests: Counter[str] = field(default_factory=Counter)
    write_units: float = 0
    read_units: float = 0
    items_read: int = 0
    largest: dict[str, int] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """All requests."""
        return self.requests.total()


class MeteredTables:
    """Answers for DynamoDB, and records the cost of each request."""

    def __init__(self) -> None:
        self.usage = Usage()
        self._schemas: dict[str, Schema] = {}
        self._lock = Lock()
        engine.reset()
        for logical_id, name in LOGICAL_IDS.items():
            wanted = declared(logical_id)
            self._schemas[name] = _schema(wanted)
            status, answer = _engine("CreateTable", {"TableName": name, **wanted})
            assert status == 200, answer  # noqa: PLR2004 - HTTP

    @contextmanager
    def metered(self) -> Iterator[Usage]:
        """Yield the requests made to AWS inside the context."""
        before, self.usage = self.usage, Usage()
        try:
            yield self.usage
        finally:
            self.usage = before

    def under_botocore(self) -> AbstractContextManager[None]:
        """Answer every request of every client of this process."""
        return answering(self.answer)

    def load(self, table: str, items: Iterable[Item]) -> None:
        """Put items into a table without a request: a benchmark's initial data is not measured."""
        held = engine._tables[table]  # noqa: SLF001 - the engine has no other way to load a million items
        key = self._schemas[table].key
        for item in items:
            engine._set_item(held, item[key]["S"], "__no_sort__", item)  # noqa: SLF001

    def item(self, table: str, key: str) -> Item | None:
        """Return an item as stored."""
        found: Item | None = engine._tables[table]["items"].get(key, {}).get("__no_sort__")  # noqa: SLF001
        return found

    def count(self, table: str) -> int:
        """Return how many items a table holds."""
        return len(engine._tables[table]["items"])  # noqa: SLF001

    def answer(self, request: Any) -> AWSResponse:
        """Answer a request, one at a time."""
        prefix, operation = target_of(request)
        asked = json.loads(request.body or b"{}")
        with self._lock:
            self.usage.requests[operation] += 1
            if _SERVICES[prefix] == "dynamodb":
                status, answer = self._dynamodb(operation, asked)
            else:
                status, answer = 200, _elsewhere(operation, asked)
        return answered(request, status, answer)

    def _dynamodb(self, operation: str, asked: Mapping[str, Any]) -> tuple[int, bytes]:
        writes = [self._target(action) for action in _actions(operation, asked)]
        before = [self.item(*target) for target in writes]
        status, answer = _engine(operation, asked)
        after = [self.item(*target) for target in writes]
        factor = TRANSACTION_FACTOR if operation == "TransactWriteItems" else 1
        for (table, _), old, new in zip(writes, before, after, strict=True):
            self.usage.write_units += factor * write_units(old, new) + index_units(self._schemas[table], old, new)
            if new is not None and new is not old:
                self.usage.largest[table] = max(item_bytes(new), self.usage.largest.get(table, 0))
        if not writes and status == 200:  # noqa: PLR2004 - HTTP
            self._read(operation, asked, json.loads(answer))
        return status, answer

    def _read(self, operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        if operation in {"GetItem", "BatchGetItem"}:
            wanted = asked["RequestItems"] if operation == "BatchGetItem" else {asked["TableName"]: asked}
            for table, request in wanted.items():
                keys = request["Keys"] if "Keys" in request else [request["Key"]]
                found = [self.item(table, key[self._schemas[table].key]["S"]) for key in keys]
                self.usage.items_read += len(found)
                self.usage.read_units += read_units(found, consistent=bool(request.get("ConsistentRead")))
        elif operation in {"Query", "Scan"}:
            schema = self._schemas[asked["TableName"]]
            looked_at = [self._whole(schema, asked, item) for item in answer["Items"]]
            assert answer["ScannedCount"] == len(looked_at) or "FilterExpression" in asked
            self.usage.items_read += answer["ScannedCount"]
            self.usage.read_units += query_units(looked_at, consistent=bool(asked.get("ConsistentRead")))

    def _whole(self, schema: Schema, asked: Mapping[str, Any], item: Item) -> Item:
        # A projection expression makes an answer smaller, but not what was read for it.
        stored = self.item(asked["TableName"], item[schema.key]["S"]) if schema.key in item else item
        index = asked.get("IndexName")
        entry = stored if index is None else index_entry(schema, schema.indexes[index], stored)
        assert entry is not None
        return entry

    def _target(self, action: Mapping[str, Any]) -> tuple[str, str]:
        table = action["TableName"]
        key = action.get("Key") or action["Item"]
        return table, key[self._schemas[table].key]["S"]


@contextmanager
def answering(answer: Callable[[Any], AWSResponse]) -> Iterator[None]:
    """Let `answer` answer every request of every client of this process."""
    real = URLLib3Session.send
    URLLib3Session.send = lambda _, request: answer(request)  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        URLLib3Session.send = real  # type: ignore[method-assign]


def target_of(request: Any) -> tuple[str, str]:
    """Return the service and the operation that a request names."""
    target = request.headers["X-Amz-Target"]
    service, _, operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")
    return service, operation


def answered(request: Any, status: int, body: bytes) -> AWSResponse:
    """Return an answer in the form that botocore gets from the network."""
    headers = HTTPHeaders()
    headers["content-type"] = "application/x-amz-json-1.0"
    return AWSResponse(request.url, status, headers, Body(body))


def _schema(properties: Mapping[str, Any]) -> Schema:
    indexes = {
        index["IndexName"]: Index(
            keys=tuple(part["AttributeName"] for part in index["KeySchema"]),
            whole=index["Projection"]["ProjectionType"] == "ALL",
        )
        for index in properties.get("GlobalSecondaryIndexes", [])
    }
    [key] = properties["KeySchema"]
    return Schema(key=key["AttributeName"], indexes=indexes)


def _actions(operation: str, asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the writes that a request asks for, each with its table and key."""
    if operation == "TransactWriteItems":
        return [action for member in asked["TransactItems"] for action in member.values()]
    return [asked] if operation in {"PutItem", "UpdateItem", "DeleteItem"} else []


def _engine(operation: str, asked: Mapping[str, Any]) -> tuple[int, bytes]:
    """Call the engine's coroutine, which returns without waiting."""
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    asking = engine.handle_request("POST", "/", headers, json.dumps(asked).encode(), {})
    try:
        asking.send(None)
    except StopIteration as finished:
        status, _, answer = finished.value
        return int(status), answer if isinstance(answer, bytes) else str(answer).encode()
    raise AssertionError("the engine waits for something")


def _elsewhere(operation: str, asked: Mapping[str, Any]) -> bytes:
    if operation == "PutEvents":
        entries = [{"EventId": str(place)} for place, _ in enumerate(asked["Entries"])]
        return json.dumps({"FailedEntryCount": 0, "Entries": entries}).encode()
    return b'{"Successful": [], "Failed": []}'

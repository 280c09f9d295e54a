"""The API as the gateway calls it: raw proxy events in, answers out, on tables that moto keeps in memory."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import boto3
from botocore.exceptions import ClientError
from chalice.app import Chalice

from chalicelib.adapters.dynamodb.items import account_item, transaction_item
from chalicelib.adapters.dynamodb.ledger import DynamoDBLedger
from chalicelib.contracts.api.problems import MEDIA_TYPE
from chalicelib.domain.ids import instant
from chalicelib.domain.movements import Movement
from chalicelib.handlers.adjust_credits import adjust_credits
from chalicelib.handlers.set_threshold import set_threshold
from tests.support.builders import SHOP, merchant
from tests.support.fakes import FakeLedger, settle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.literals import ScalarAttributeTypeType
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef

CREDITS_TABLE = "credits-test"
TRANSACTIONS_TABLE = "transactions-test"
LINKS_TABLE = "links-test"
REGION = "eu-west-1"

OTHER = merchant("other shop")
NOBODY = merchant("nobody")
OWNER = {"merchant_id": SHOP, "scope": "credits:read", "subject": "shop"}
ADMIN = {"scope": "credits:admin", "subject": "admin-7"}
OPS = {"scope": "credits:ops", "subject": "ops"}
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def create_tables() -> "DynamoDBClient":
    """Create both tables as the template declares them, and return a client for them."""
    client = _client()
    listed: Mapping[str, Mapping[str, ScalarAttributeTypeType]] = {
        "by_level": {"level": "S", "merchant_id": "S"},
        "by_due": {"due_shard": "S", "due_at": "S"},
    }
    _create(client, CREDITS_TABLE, "merchant_id", listed)
    _create(client, TRANSACTIONS_TABLE, "transaction_id", {"by_merchant": {"merchant_id": "S", "sequence": "N"}})
    return client


@cache
def _client() -> "DynamoDBClient":
    return boto3.client("dynamodb", region_name=REGION)


def _create(
    client: "DynamoDBClient", name: str, key: str, indexes: "Mapping[str, Mapping[str, ScalarAttributeTypeType]]"
) -> None:
    attributes: dict[str, ScalarAttributeTypeType] = {key: "S"}
    for keys in indexes.values():
        attributes |= keys
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, kind in attributes.items()],
        KeySchema=_schema([key]),
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": _schema(list(keys)),
                "Projection": {"ProjectionType": "ALL" if index == "by_merchant" else "KEYS_ONLY"},
            }
            for index, keys in indexes.items()
        ],
    )


def _schema(key: Sequence[str]) -> "list[KeySchemaElementTypeDef]":
    return [{"AttributeName": name, "KeyType": "HASH" if place == 0 else "RANGE"} for place, name in enumerate(key)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer as the gateway gets it. `body` is the JSON, None without one; `text` is the body as it came."""

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Return the parts of a proxy answer."""
        text = answer["body"]
        is_json = answer["headers"].get("Content-Type", "").partition(";")[0] in ("application/json", MEDIA_TYPE)
        body = json.loads(text) if text and is_json else None
        return cls(status=answer["statusCode"], headers=answer["headers"], body=body, text=text)


@dataclass(slots=True)
class Api:
    """Calls the application with the event of a request, as API Gateway writes it."""

    app: Chalice
    calls: int = 0

    def get(
        self,
        path: str,
        *,
        route: str | None = None,
        token: Mapping[str, str] | None = None,
        parameters: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Any = None,
    ) -> Answered:
        """Return the answer to a request for `path` below /api/v1; `route` is its template if the path holds an id.

        `token` is the authorizer's context, None where there was no authorizer. A `body` of bytes is passed in base64,
        any other that is not a text as JSON.
        """
        route = f"/api/v1{route or path}"
        path = f"/api/v1{path}"
        multi = {name: value if isinstance(value, list) else [value] for name, value in (parameters or {}).items()}
        event = {
            "resource": route,
            "path": path,
            "httpMethod": method,
            "headers": dict(headers or {}),
            "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
            "queryStringParameters": {name: values[-1] for name, values in multi.items()} or None,
            "multiValueQueryStringParameters": multi or None,
            "pathParameters": _identifiers(route, path) or None,
            "stageVariables": None,
            "requestContext": {
                "requestId": str(uuid4()),
                "resourcePath": route,
                "httpMethod": method,
                "path": f"/test{path}",
                "stage": "test",
                **({"authorizer": dict(token)} if token is not None else {}),
            },
            **_body(body),
        }
        self.calls += 1
        return Answered.of(self.app(event, None))

    def post(self, path: str, body: Any, **more: Any) -> Answered:
        """Return the answer to a POST."""
        return self.get(path, method="POST", body=body, **more)

    def put(self, path: str, body: Any, **more: Any) -> Answered:
        """Return the answer to a PUT."""
        return self.get(path, method="PUT", body=body, **more)


def _body(body: Any) -> dict[str, Any]:
    if isinstance(body, bytes):
        return {"body": b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body if isinstance(body, str | None) else json.dumps(body), "isBase64Encoded": False}


def _identifiers(route: str, path: str) -> dict[str, str]:
    pairs = zip(route.split("/"), path.rstrip("/").split("/"), strict=True)
    return {name.strip("{}"): value for name, value in pairs if name.startswith("{")}


@dataclass(slots=True)
class Aws:
    """Requests made to AWS, and their answer instead when `fault` is set."""

    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    fault: Exception | None = None

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


@dataclass(frozen=True, slots=True)
class Context:
    """The context of a function's call."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 10_000


@dataclass(slots=True)
class Functions:
    """Replaces the Lambda API: an invoked function runs here and now, or fails with `fault`."""

    invoked: list[tuple[str, Any]] = field(default_factory=list)
    fault: Exception | Mapping[str, Any] | None = None

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: N803 - boto3's names
        self.invoked.append((FunctionName, json.loads(Payload)))
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        function = {"adjust-test": adjust_credits, "threshold-test": set_threshold}[FunctionName]
        answer = json.dumps(function(json.loads(Payload), Context()))
        return {"StatusCode": 200, "Payload": BytesIO(answer.encode())}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Posts movements as the functions do."""

    client: "DynamoDBClient"

    @property
    def store(self) -> DynamoDBLedger:
        return DynamoDBLedger(self.client, credits_table=CREDITS_TABLE, transactions_table=TRANSACTIONS_TABLE)

    def post(self, *movements: Movement, at: datetime = NOON) -> None:
        settle(self.store, movements, now=instant(at))

    def copy(self, written: FakeLedger) -> None:
        """Put the items of another ledger, many at once: moto is slow at each write of the real one."""
        items = [(CREDITS_TABLE, account_item(account)) for account in written.accounts.values()]
        items += [(TRANSACTIONS_TABLE, transaction_item(transaction)) for transaction in written.transactions.values()]
        for chunk in batched(items, 25):
            requests: dict[str, list[Any]] = {}
            for table, item in chunk:
                requests.setdefault(table, []).append({"PutRequest": {"Item": item}})
            self.client.batch_write_item(RequestItems=requests)


def batched(items: Sequence[tuple[str, Any]], size: int) -> Iterator[Sequence[tuple[str, Any]]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def throttled() -> ClientError:
    return ClientError(
        {"Error": {"Code": "ThrottlingException", "Message": "arn:aws:dynamodb:::table/secret"}}, "GetItem"
    )

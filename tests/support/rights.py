"""The functions' requests to AWS, as rights: recorded at botocore, for every library."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from botocore.client import BaseClient

Request = Mapping[str, Any]

TRANSACT = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html"""
OF_ONE_TABLE = {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"}
OF_ONE_QUEUE = {
    "SendMessage": "sqs:SendMessage",
    "SendMessageBatch": "sqs:SendMessage",
    "DeleteMessage": "sqs:DeleteMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibility": "sqs:ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
}


UNANSWERED = {"PutLifecycleEventHookExecutionStatus"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One right that one request needed. `key` is the item's, where a policy may ask for it (`LeadingKeys`)."""

    action: str
    resource: str
    key: str | None = None


@dataclass(slots=True)
class Recorder:
    """Records the needs of each function, by its name in app.py. `names` maps AWS's names to the template's.

    An invocation is not sent: the function runs here and now, and its needs count as its own.
    """

    names: Mapping[str, str]
    functions: Mapping[str, Callable[[Any], Any]]
    needs: dict[str, set[Need]] = field(default_factory=dict)
    _running: list[str] = field(default_factory=list)

    @contextmanager
    def running(self, function: str) -> Iterator[None]:
        """Record requests to AWS as made by `function`."""
        self._running.append(function)
        try:
            yield
        finally:
            self._running.pop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Do not record requests meanwhile: another writer makes them."""
        running, self._running = self._running, []
        try:
            yield
        finally:
            self._running = running

    @contextmanager
    def recording(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Stand between the clients and AWS."""
        answer: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

        def asked(client: BaseClient, operation: str, request: Request) -> Any:
            if not self._running:
                return answer(client, operation, request)
            needed = set(needs(operation, request, self.names))
            self.needs.setdefault(self._running[-1], set()).update(needed)
            if operation == "Invoke":
                return self._invoked(request)
            # The emulator in memory has no such operation.
            return {} if operation in UNANSWERED else answer(client, operation, request)

        with monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", asked)
            yield

    def _invoked(self, request: Request) -> dict[str, Any]:
        function = request["FunctionName"].partition(":")[0]
        with self.running(function):
            said = self.functions[function](json.loads(request["Payload"]))
        return {"StatusCode": 200, "Payload": BytesIO(json.dumps(said).encode())}


def needs(operation: str, request: Request, names: Mapping[str, str]) -> Iterator[Need]:
    """Yield the rights that a request needs, resources in the template's words.

    Raises:
        NotImplementedError: tests/support/rights.py does not know which right that is.
    """
    if operation in OF_ONE_TABLE:
        table = names[request["TableName"]]
        resource = f"${{{table}.Arn}}/index/{request['IndexName']}" if "IndexName" in request else f"{table}.Arn"
        key = _key(request.get("Key") or request.get("Item") or {})
        yield Need(action=f"dynamodb:{operation}", resource=resource, key=key)
    elif operation in OF_MANY_ITEMS:
        yield from OF_MANY_ITEMS[operation](request, names)
    elif operation in OF_ONE_QUEUE:
        yield Need(action=OF_ONE_QUEUE[operation], resource=f"{names[request['QueueUrl']]}.Arn")
    elif operation in OF_OTHERS:
        action, resource = OF_OTHERS[operation](request, names)
        yield Need(action=action, resource=resource)
    else:
        raise NotImplementedError(f"{operation} needs a right that tests/support/rights.py does not know")


def _batch_get_item(request: Request, names: Mapping[str, str]) -> Iterator[Need]:
    for table, asked in request["RequestItems"].items():
        for key in asked["Keys"]:
            yield Need(action="dynamodb:BatchGetItem", resource=f"{names[table]}.Arn", key=_key(key))


def _transact_write_items(request: Request, names: Mapping[str, str]) -> Iterator[Need]:
    for one in request["TransactItems"]:
        ((kind, action),) = one.items()
        key = _key(action.get("Key") or action["Item"])
        yield Need(action=TRANSACT[kind], resource=f"{names[action['TableName']]}.Arn", key=key)


def _put_events(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    (bus,) = {entry["EventBusName"] for entry in request["Entries"]}
    return "events:PutEvents", f"{names[bus]}.Arn"


def _get_parameter(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    return "ssm:GetParameter", names[f"GetParameter {request['Name']}"]


def _get_secret_value(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    return "secretsmanager:GetSecretValue", names[f"GetSecretValue {request['SecretId']}"]


def _invoke(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    function, _, version = request["FunctionName"].partition(":")
    return "lambda:InvokeFunction", f"${{{names[function]}.Arn}}:{'*' if version else 'live'}"


def _put_lifecycle_event_hook_execution_status(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    return "codedeploy:PutLifecycleEventHookExecutionStatus", names[request["deploymentId"]]


def _get_object(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    return "s3:GetObject", _objects(request, names)


def _put_object(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    return "s3:PutObject", _objects(request, names)


def _delete_object(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    return "s3:DeleteObject", _objects(request, names)


def _objects(request: Request, names: Mapping[str, str]) -> str:
    return f"{names[request['Bucket']]}/{names[request['Key'].partition('/')[0]]}*"


def _list_objects(request: Request, names: Mapping[str, str]) -> tuple[str, str]:
    return "s3:ListBucket", names[request["Bucket"]]


def _key(item: Request) -> str | None:
    """Return the key of an item of the figures', links' or desk's table, whose items are not all alike to a policy."""
    return next((item[name]["S"] for name in ("id", "topic", "name") if name in item), None)


OF_MANY_ITEMS = {"BatchGetItem": _batch_get_item, "TransactWriteItems": _transact_write_items}
OF_OTHERS = {
    "PutEvents": _put_events,
    "GetParameter": _get_parameter,
    "GetSecretValue": _get_secret_value,
    "Invoke": _invoke,
    "GetObject": _get_object,
    "PutObject": _put_object,
    "DeleteObject": _delete_object,
    "ListObjectsV2": _list_objects,
    "PutLifecycleEventHookExecutionStatus": _put_lifecycle_event_hook_execution_status,
}

"""Atomic writes in their wire form, without botocore's serializer.

The actions of a write are built in DynamoDB's own form, which is the form on the wire. botocore would walk them again
shape by shape, and once more to look for table names: as much work as the rest of an order. Signing, endpoints, tokens,
retries and errors stay botocore's.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_OPERATION = "dynamodb.TransactWriteItems"
_ACTIONS = "TransactItems"

_encode = json.JSONEncoder(separators=(",", ":")).encode


def send_as_built(client: "DynamoDBClient") -> None:
    """Make the client's TransactWriteItems send the actions unchanged; safe to call twice.

    The client must not check parameters (`parameter_validation=False`): it would find no action at all.
    """
    client.meta.events.register(f"provide-client-params.{_OPERATION}", _set_aside, unique_id="set-aside")  # type: ignore[arg-type]
    client.meta.events.register(f"before-call.{_OPERATION}", _put_back, unique_id="put-back")


def _set_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
    context[_ACTIONS] = params[_ACTIONS]
    return {**params, _ACTIONS: []}


def _put_back(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    body = json.loads(params["body"])
    params["body"] = _encode({**body, _ACTIONS: context[_ACTIONS]}).encode()

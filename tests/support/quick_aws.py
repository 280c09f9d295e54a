"""moto and botocore without what they do again and again for nobody: importing this module is enough.

A frequent request is answered without the HTTP around it (text, headers, signature), which was most of its time. One
that moto refuses is asked again with all of it, so an error is what botocore makes of it. A client that is watched, by
a handler of `before-send` without an attribute `needs_no_request`, goes with HTTP too.

What they do without it, where tests spend their time:

- A botocore session reads its services' models itself and writes the classes of its clients, and PynamoDB makes a
  session for each connection: here all sessions share one loader and the classes.
- A session looks up the newer name of each event that it registers a handler of, and whether the handler takes
  keywords: both are the same in all sessions.
- moto registers each of its addresses with `responses`, for programs that ask AWS without botocore: there are none.
- It looks for each of the ten types that an attribute may have under three names, where a value has one.
- It reads a number again for each comparison, and sorts all items of a table by such comparisons for each query.
- It reads an update's expression each time, counts its clauses at each of its nodes, and asks each node ten times, with
  the slow test of abstract classes, what it is.
- It measures the whole item for each attribute that an item gets.
- It copies the history of a table's stream before each transaction, in case it has to undo it.
"""

import json
import pickle
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, cast

from botocore import hooks, loaders, session, xform_name
from botocore.client import ClientCreator
from botocore.endpoint import Endpoint
from botocore.model import OperationModel
from moto.core import models
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import BaseResponse
from moto.core.serialize import ResponseSerializer
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import StreamShard, Table
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser, Node, UpdateExpression  # type: ignore[attr-defined]
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.validators import ActionCountValidator, UpdateExpressionValidator
from moto.dynamodb.responses import DynamoHandler
from moto.sqs.responses import SQSResponse

_OF_ITEMS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem")
_OF_TABLES = (*_OF_ITEMS, "TransactGetItems", "TransactWriteItems", "CreateTable")
_OF_MESSAGES = ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility")
_OF_QUEUES = (*_OF_MESSAGES, *(f"{name}Batch" for name in _OF_MESSAGES), "CreateQueue", "GetQueueAttributes")
_HANDLERS: dict[str, tuple[type[BaseResponse], tuple[str, ...]]] = {
    "dynamodb": (DynamoHandler, _OF_TABLES),
    "sqs": (SQSResponse, _OF_QUEUES),
}
"""What answers the frequent requests of a service. No answer has bytes, or a time that anybody reads."""
_AWS = ".amazonaws.com"
_ITEM_BYTES_MAX = 405_000
"""moto's own limit, between AWS's documented and real ones."""

_number = lru_cache(maxsize=1 << 16)(Decimal)
_cast_slowly: Callable[..., Any] = vars(DynamoType)["cast_value"].fget
_slowly: Callable[..., Any] = ResponseSerializer.get_value
_is = cast("Callable[[type, Any], bool]", cache(issubclass))


def _quickly(self: Any, value: Any, key: str, shape: Any) -> Any:
    if shape.name.endswith("AttributeValue") and type(value) is dict:
        return value.get(key)
    return _slowly(self, value, key, shape)


def _cast_quickly(self: DynamoType) -> Any:
    if self.type == "S":
        return self.value
    return _number(self.value) if self.type == "N" else _cast_slowly(self)


def _all_items(self: Table) -> list[Item]:
    if self.range_key_attr:
        items = [item for items_of_key in self.items.values() for item in items_of_key.values()]
        return sorted(items, key=lambda item: (item.hash_key.cast_value, item.range_key.cast_value))
    return sorted(cast("Iterable[Item]", self.items.values()), key=lambda item: item.hash_key.cast_value)


def _sorted_items(self: Table, hash_keys: list[str], range_keys: list[str | None], items: list[Item]) -> list[Item]:
    names = self._generate_attr_to_sort_by(hash_keys, range_keys)
    items.sort(key=lambda item: tuple(item.attrs[name].cast_value for name in names))
    return items


def _copied_shard(self: StreamShard, memo: dict[int, Any]) -> StreamShard:
    # Its records never change.
    copied = copy(self)
    copied.items = list(self.items)
    copied.table = memo.get(id(self.table), self.table)
    return copied


def _filled(self: Item, hash_key: DynamoType, range_key: DynamoType | None, attrs: Mapping[str, Any]) -> None:
    self.hash_key, self.range_key = hash_key, range_key
    self.attrs = LimitedSizeDict()
    dict.update(self.attrs, {name: DynamoType(value) for name, value in attrs.items()})
    if self.size() > _ITEM_BYTES_MAX:
        raise ItemSizeTooLarge


@lru_cache
def _parsed(expression: str) -> UpdateExpression:
    parsed = _parsed_by_moto(expression)
    ActionCountValidator().traverse(parsed)
    content = pickle.dumps(parsed)
    parsed.copied = lambda: pickle.loads(content)  # noqa: S301 - our own bytes
    return parsed


def _copied_expression(self: UpdateExpression, _memo: object) -> UpdateExpression:
    copied: UpdateExpression = self.copied()
    return copied


def _but_counting(self: UpdateExpressionValidator) -> list[DepthFirstTraverser]:
    return [each for each in _all_processors(self) if not isinstance(each, ActionCountValidator)]


def _traversed(self: Any, node: Any, child_id: int = -1) -> Any:
    if not _is(type(node), Node):
        return node
    parent = node.parent
    for place, child in enumerate(node.children or ()):
        self.pre_processing_of_child(node, place)
        self.traverse_node_recursively(child, place)
    if "_nodes" not in vars(self):
        self._nodes = tuple(self._processing_map())
    if _is(type(node), self._nodes):
        node = self.process(node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
    return node


def _client_class(self: ClientCreator, service: str, model: object) -> type:
    if service not in _client_classes:
        _client_classes[service] = _client_class_anew(self, service, model)
    return _client_classes[service]


def _named(self: hooks.EventAliaser, event: str) -> str:
    if event not in _names:
        _names[event] = _named_anew(self, event)
    return _names[event]


def _takes_keywords(handler: Any) -> Any:
    return _keywords_of(getattr(handler, "__func__", handler))


def _watching(self: Endpoint, event: str) -> list[Callable[..., Any]]:
    handlers = cast("Any", self)._event_emitter._emitter._handlers.prefix_search(event)
    return [
        handler
        for handler in handlers
        # PynamoDB's own adds headers.
        if handler is not models.botocore_stubber and not getattr(handler, "__module__", "").startswith("pynamodb.")
    ]


def _answered(self: Endpoint, operation: OperationModel, request: Mapping[str, Any]) -> Any:
    service = operation.service_model
    handler, known = _HANDLERS.get(service.service_name, (None, ()))
    url, event = request["url"], f"before-send.{service.service_id.hyphenize()}.{operation.name}"
    if handler is None or operation.name not in known or not models.botocore_stubber.enabled or _AWS not in url:
        return _by_http(self, operation, request)
    watching = _watching(self, event)
    if not all(hasattr(each, "needs_no_request") for each in watching):
        return _by_http(self, operation, request)
    asked: Any = handler()
    asked.current_account, asked.region = DEFAULT_ACCOUNT_ID, request["context"]["client_region"]
    asked.uri, asked.uri_match = url, {}
    asked.body = asked.params = json.loads(request["body"])
    try:
        result = getattr(asked, xform_name(operation.name))().result
    except Exception:  # noqa: BLE001 - whatever it is, it comes again, as botocore would see it
        return _by_http(self, operation, request)
    for each in watching:
        each(event_name=event)
    content = json.loads(json.dumps(result or {}, default=_time_as_text))
    answered = {"RequestId": "of-moto", "HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
    given = {name: value for name, value in content.items() if value is not None}
    return SimpleNamespace(status_code=200), {**given, "ResponseMetadata": answered}


def _time_as_text(value: object) -> str:
    assert isinstance(value, datetime), "bytes go with HTTP only"
    return value.isoformat()


_by_http: Callable[..., Any] = Endpoint.make_request
setattr(Endpoint, "make_request", _answered)  # noqa: B010 - a method, as far as mypy knows
setattr(Item, "__init__", _filled)  # noqa: B010 - the same
setattr(StreamShard, "__deepcopy__", _copied_shard)  # noqa: B010 - the same
_parsed_by_moto: Callable[[str], UpdateExpression] = UpdateExpressionParser.make
setattr(UpdateExpressionParser, "make", staticmethod(_parsed))  # noqa: B010 - the same
setattr(UpdateExpression, "__deepcopy__", _copied_expression)  # noqa: B010 - the same
_all_processors: Callable[..., list[DepthFirstTraverser]] = UpdateExpressionValidator.get_ast_processors
setattr(UpdateExpressionValidator, "get_ast_processors", _but_counting)  # noqa: B010 - the same
setattr(DepthFirstTraverser, "traverse_node_recursively", _traversed)  # noqa: B010 - the same
_client_classes: dict[str, type] = {}
_client_class_anew: Callable[..., type] = vars(ClientCreator)["_create_client_class"]
setattr(ClientCreator, "_create_client_class", _client_class)  # noqa: B010 - the same
_names: dict[str, str] = {}
_named_anew: Callable[..., str] = vars(hooks.EventAliaser)["_alias_event_name"]
setattr(hooks.EventAliaser, "_alias_event_name", _named)  # noqa: B010 - the same
_keywords_of = lru_cache(maxsize=1 << 10)(vars(hooks)["accepts_kwargs"])
setattr(hooks, "accepts_kwargs", _takes_keywords)  # noqa: B010 - a function, as far as mypy knows
setattr(DynamoType, "cast_value", property(_cast_quickly))  # noqa: B010 - a property, as far as mypy knows
setattr(Table, "all_items", _all_items)  # noqa: B010 - a method, as far as mypy knows
setattr(Table, "sorted_items", _sorted_items)  # noqa: B010 - the same
setattr(session, "create_loader", cache(loaders.create_loader))  # noqa: B010 - a function, as far as mypy knows
setattr(ResponseSerializer, "get_value", _quickly)  # noqa: B010 - the same
models.RESPONSES_METHODS.clear()

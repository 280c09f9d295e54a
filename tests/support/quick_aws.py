"""moto and botocore without what they do again and again for nobody: importing this module is enough.

A botocore session reads its services' models itself, and PynamoDB makes a session for each connection: here all
sessions share one loader, which keeps what it has read. moto registers each of its addresses with `responses`, for
programs that ask AWS without botocore, of which there are none here: what botocore sends, moto takes without that.
And moto looks for each of the ten types that an attribute may have under three names, where a value has one; it reads
a number again for each comparison, and sorts all items of a table by such comparisons for each query.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, cast

from botocore import loaders, session
from moto.core import models
from moto.core.serialize import ResponseSerializer
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_number = lru_cache(maxsize=1 << 16)(Decimal)
_cast_slowly: Callable[..., Any] = vars(DynamoType)["cast_value"].fget
_slowly: Callable[..., Any] = ResponseSerializer.get_value


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


setattr(DynamoType, "cast_value", property(_cast_quickly))  # noqa: B010 - a property, as far as mypy knows
setattr(Table, "all_items", _all_items)  # noqa: B010 - a method, as far as mypy knows
setattr(Table, "sorted_items", _sorted_items)  # noqa: B010 - the same
setattr(session, "create_loader", cache(loaders.create_loader))  # noqa: B010 - a function, as far as mypy knows
setattr(ResponseSerializer, "get_value", _quickly)  # noqa: B010 - the same
models.RESPONSES_METHODS.clear()

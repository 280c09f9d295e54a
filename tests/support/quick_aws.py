"""moto and botocore without what they do again and again for nobody: importing this module is enough.

A botocore session reads its services' models itself, and PynamoDB makes a session for each connection: here all
sessions share one loader, which keeps what it has read. moto registers each of its addresses with `responses`, for
programs that ask AWS without botocore, of which there are none here: what botocore sends, moto takes without that.
And moto looks for each of the ten types that an attribute may have under three names, where a value has one.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from botocore import loaders, session
from moto.core import models
from moto.core.serialize import ResponseSerializer

_slowly: Callable[..., Any] = ResponseSerializer.get_value


def _quickly(self: Any, value: Any, key: str, shape: Any) -> Any:
    if shape.name.endswith("AttributeValue") and type(value) is dict:
        return value.get(key)
    return _slowly(self, value, key, shape)


setattr(session, "create_loader", cache(loaders.create_loader))  # noqa: B010 - a function, as far as mypy knows
setattr(ResponseSerializer, "get_value", _quickly)  # noqa: B010 - the same
models.RESPONSES_METHODS.clear()

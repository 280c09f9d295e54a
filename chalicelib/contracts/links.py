"""Names of shops and customers in events and requests, normalized to the form of links."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.domain.errors import Code
from chalicelib.domain.links import LABEL_LENGTH_MAX, label_of, link_name_of

LINKS_MAX = 10
"""Most names that one event may give to a merchant."""


def _valid(read: Callable[[Any], str]) -> BeforeValidator:
    def validated(value: Any) -> str:
        try:
            return read(value)
        except ValueError as error:
            raise PydanticCustomError(Code.FIELD_INVALID, "{why}", {"why": str(error)}) from None

    return BeforeValidator(validated)


def _named(value: Any) -> Any:
    """Return the links of a list, in which a text is a name without a label; none if the list is absent."""
    if not isinstance(value, list):
        return [] if value is None else value
    return [{"name": one} if isinstance(one, str) else one for one in value]


named_alone = BeforeValidator(_named)
LinkName = Annotated[
    str,
    _valid(lambda value: link_name_of(value if isinstance(value, str) else "")),
    WithJsonSchema({"type": "string", "pattern": "^(shopify:[A-Za-z0-9.-]{4,253}|stripe:[A-Za-z0-9_]{1,64})$"}),
]
Label = Annotated[
    str,
    _valid(label_of),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LABEL_LENGTH_MAX}),
]

"""Names of shops and customers in events and requests, normalized to the form of links."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.domain.errors import Code
from chalicelib.domain.links import LABEL_LENGTH_MAX, link_name_of

LINKS_MAX = 10
"""Most names that one event may give to a merchant."""

_PRINTABLE = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{1,{LABEL_LENGTH_MAX}}}")


def _name(value: Any) -> str:
    try:
        return link_name_of(value if isinstance(value, str) else "")
    except ValueError as error:
        raise PydanticCustomError(Code.FIELD_INVALID, "{why}", {"why": str(error)}) from None


def _label(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if _PRINTABLE.fullmatch(text) is None:
        raise PydanticCustomError(
            Code.FIELD_INVALID, "a label is a text of 1 to {most} printable characters", {"most": LABEL_LENGTH_MAX}
        )
    return text


def _named(value: Any) -> Any:
    """Return the links of a list, in which a text is a name without a label; none if the list is absent."""
    if not isinstance(value, list):
        return [] if value is None else value
    return [{"name": one} if isinstance(one, str) else one for one in value]


named_alone = BeforeValidator(_named)
LinkName = Annotated[
    str,
    BeforeValidator(_name),
    WithJsonSchema({"type": "string", "pattern": "^(shopify:[A-Za-z0-9.-]{4,253}|stripe:[A-Za-z0-9_]{1,64})$"}),
]
Label = Annotated[
    str,
    BeforeValidator(_label),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LABEL_LENGTH_MAX}),
]

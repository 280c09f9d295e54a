"""JSON objects of events and requests, read strictly and without losing a digit.

Standard library only: routes read their bodies with it too.
"""

import json
from decimal import Decimal
from typing import Any

from chalicelib.domain.errors import Code, Rejected

_NAME_LENGTH_MAX = 64

_EXPONENT_MAX = 31
"""A number of JSON with more digits before or after its point decides nothing: writing it out could take minutes."""


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object that `text` holds; a number with a point or an exponent comes as Decimal.

    Raises:
        Rejected: `text` is not JSON (NaN and Infinity are not), nests too deep, is not an object, or one of its
        objects names a field twice: then `field` is the name as the sender wrote it.
    """
    try:
        fields = _DECODER.decode(text)
    except (ValueError, RecursionError, ArithmeticError):
        raise Rejected(Code.NOT_JSON, "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise Rejected(Code.NOT_JSON, "the body is not a JSON object")
    return fields


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object. As a decoder's hook it refuses a repeated name, whose last value would win.

    Raises:
        Rejected: a name is there twice.
    """
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Rejected(Code.DUPLICATE_FIELD, "a field appears twice in one object", field=name[:_NAME_LENGTH_MAX])
        seen.add(name)
    raise AssertionError("fewer names than pairs, and none of them twice")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


# Money keeps its digits: a float would lose some before anybody could check it. One decoder serves all
# messages, since building one costs as much as reading a small body.
_DECODER = json.JSONDecoder(object_pairs_hook=distinct, parse_float=Decimal, parse_constant=_refuse)


def is_writable(number: Decimal) -> bool:
    """Return whether a number of JSON has so few digits that it can be written out."""
    return number.is_finite() and abs(number.adjusted()) <= _EXPONENT_MAX

"""Ids of Shopify's objects: numbers, in JSON or in a global id such as `gid://shopify/Order/5726128734520`."""

import re
from decimal import Decimal
from typing import Any

from chalicelib.contracts.sources.fields import Fields
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import ID_LENGTH_MAX

_EXACT_MAX = 2**53
_GLOBAL_ID = re.compile(r"gid://shopify/([A-Za-z]{1,64})/([1-9][0-9]{0,63})(\?.*)?")
_NUMBER = re.compile(r"[1-9][0-9]{0,63}")


def number(fields: Fields, name: str, kind: str | None) -> str:
    """Return an id as digits; the object's own id, of this `kind`, is in its global id too.

    Raises:
        Rejected: it is missing, is not a number, or the two name different objects.
    """
    value = fields.values.get(name)
    named = _global_number(fields, kind) if kind else None
    if value is None or value == "":
        return named or fields.missing(name)
    digits = _digits(value, rounded=named is not None)
    if digits is None:
        fields.invalid(name, "an id: a whole number above 0")
    if named is None or named == digits:
        return digits
    # A double has 53 bits: from there on, JavaScript rounds, by no more than this.
    if int(digits) <= _EXACT_MAX or abs(int(digits) - int(named)) > int(digits) >> 51:
        raise Rejected(
            Code.TOPIC_CONTRADICTS_BODY, f"{name} and admin_graphql_api_id name two objects", field=fields.path(name)
        )
    return named


def _digits(value: Any, *, rounded: bool) -> str | None:
    digits = ""
    if isinstance(value, str):
        spelled = _GLOBAL_ID.fullmatch(value)
        digits = spelled[2] if spelled else value
    elif isinstance(value, int):
        digits = str(value)
    elif isinstance(value, Decimal) and rounded and 0 <= value.adjusted() < ID_LENGTH_MAX:
        digits = f"{value:f}".partition(".")[0]
    return digits if _NUMBER.fullmatch(digits) else None


def _global_number(fields: Fields, kind: str) -> str | None:
    value = fields.scalar("admin_graphql_api_id")
    found = _GLOBAL_ID.fullmatch(value) if isinstance(value, str) else None
    if found is not None and found[1] != kind:
        raise Rejected(
            Code.TOPIC_CONTRADICTS_BODY,
            f"admin_graphql_api_id is not that of the topic: {kind}",
            field=fields.path("admin_graphql_api_id"),
        )
    return found[2] if found else None

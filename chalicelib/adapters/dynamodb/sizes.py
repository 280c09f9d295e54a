"""The size of an item, by which DynamoDB charges (AWS's developer guide, "DynamoDB item sizes and formats")."""

from collections.abc import Mapping
from math import ceil
from typing import Any

WRITE_UNIT_BYTES = 1024
"""A write of an item costs one unit per this many bytes, rounded up."""
_CONTAINER_BYTES = 3
"""Bytes of a map or list beside its members, each of which takes one byte more."""


def item_bytes(item: Mapping[str, Any]) -> int:
    """Return the size of an item in bytes: its attributes' names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_bytes(content)
    if kind == "M":
        return _CONTAINER_BYTES + sum(len(name.encode()) + _value_bytes(one) + 1 for name, one in content.items())
    if kind == "L":
        return _CONTAINER_BYTES + sum(_value_bytes(one) + 1 for one in content)
    if kind in {"BOOL", "NULL"}:
        return 1
    raise ValueError(f"no item here holds a {kind}")


def _number_bytes(text: str) -> int:
    """Return about how many bytes a number takes: one for two significant digits, one more, and one for a sign."""
    digits = text.lstrip("-").replace(".", "").strip("0")
    return ceil(len(digits) / 2) + 1 + text.startswith("-")

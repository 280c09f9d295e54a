"""What DynamoDB charges for, by its published rules, from the real sizes of the items.

The rules are those of AWS's developer guide, "Capacity unit consumption" and "Item sizes and formats". The emulators'
own figures are wrong and not used here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from chalicelib.adapters.dynamodb.sizes import WRITE_UNIT_BYTES, item_bytes

Item = Mapping[str, Any]

READ_UNIT_BYTES = 4096
TRANSACTION_FACTOR = 2
"""A transaction prepares and commits each item, and is charged for both."""
EVENTUAL_FACTOR = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A secondary index: its keys and, unless `whole`, nothing else that is projected but the table's key."""

    keys: tuple[str, ...]
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A table: its key, and its indexes by name."""

    key: str
    indexes: Mapping[str, Index]


def write_units(before: Item | None, after: Item | None) -> int:
    """Return the units of a plain write of an item: the larger of its sizes before and after counts."""
    return max(_whole_units(before, WRITE_UNIT_BYTES), _whole_units(after, WRITE_UNIT_BYTES), 1)


def index_units(schema: Schema, before: Item | None, after: Item | None) -> int:
    """Return the units of a write in the table's indexes: each entry put, changed or removed counts.

    An entry that moves to another key is removed and put. A write that changes nothing projected is free.
    """
    units = 0
    for index in schema.indexes.values():
        old, new = index_entry(schema, index, before), index_entry(schema, index, after)
        if old == new:
            continue
        if old is not None and new is not None and not _moved(index, old, new):
            units += write_units(old, new)
        else:
            units += sum(write_units(entry, None) for entry in (old, new) if entry is not None)
    return units


def index_entry(schema: Schema, index: Index, item: Item | None) -> Item | None:
    """Return the item's entry in an index, None where it has none."""
    if item is None or any(name not in item for name in index.keys):
        return None
    if index.whole:
        return item
    return {name: item[name] for name in (*index.keys, schema.key)}


def read_units(items: Iterable[Item | None], *, consistent: bool) -> float:
    """Return the units of reading items by their keys, each rounded up on its own; missing items cost too."""
    units = sum(max(1, _whole_units(item, READ_UNIT_BYTES)) for item in items)
    return units * (1 if consistent else EVENTUAL_FACTOR)


def query_units(items: Iterable[Item], *, consistent: bool) -> float:
    """Return the units of a query: all items that it examined, rounded up together."""
    units = max(1, ceil(sum(item_bytes(item) for item in items) / READ_UNIT_BYTES))
    return units * (1 if consistent else EVENTUAL_FACTOR)


def _moved(index: Index, old: Item, new: Item) -> bool:
    return any(old[name] != new[name] for name in index.keys)


def _whole_units(item: Item | None, unit_bytes: int) -> int:
    return 0 if item is None else ceil(item_bytes(item) / unit_bytes)

"""The price list of the meter, held against AWS's published examples."""

from typing import Any

import pytest

from chalicelib.adapters.dynamodb.sizes import item_bytes
from infra.bench.units import Index, Schema, index_units, query_units, read_units, write_units

SCHEMA = Schema(
    key="id",
    indexes={
        "whole": Index(keys=("shop", "sequence"), whole=True),
        "sparse": Index(keys=("level",), whole=False),
    },
)


def item(size: int = 0, **texts: str) -> dict[str, Any]:
    """Return an item of texts, filled up to so many bytes."""
    made: dict[str, Any] = {name: {"S": text} for name, text in {"id": "1", **texts}.items()}
    if size:
        made["x"] = {"S": "y" * (size - item_bytes(made) - 1)}
    return made


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "Grüße"}, 7),
        ({"N": "0"}, 1),
        ({"N": "12"}, 2),
        ({"N": "-123"}, 4),
        ({"N": "1000000"}, 2),
        ({"BOOL": True}, 1),
        ({"M": {}}, 3),
        ({"M": {"ab": {"S": "c"}}}, 7),
        ({"L": [{"N": "1"}, {"S": "a"}]}, 8),
    ],
)
def test_an_attribute_takes_its_name_and_its_value(attribute: dict[str, Any], size: int) -> None:
    assert item_bytes({"name": attribute}) == len("name") + size


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [(0, 1024, 1), (0, 1025, 2), (2049, 10, 3), (10, 2049, 3), (1024, 1024, 1)],
)
def test_a_write_costs_the_larger_of_what_stood_and_what_stands(before: int, after: int, units: int) -> None:
    assert write_units(item(before) if before else None, item(after)) == units


def test_a_write_that_changes_nothing_costs_as_much_as_the_item_it_met() -> None:
    assert write_units(None, None) == 1
    assert write_units(item(3000), item(3000)) == 3


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item(), 0),
        (None, item(shop="a", sequence="1"), 1),
        (item(shop="a", sequence="1"), item(shop="a", sequence="1"), 0),
        (item(shop="a", sequence="1"), item(shop="a", sequence="1", more="x"), 1),
        (item(shop="a", sequence="1"), item(shop="a", sequence="2"), 2),
        (item(shop="a", sequence="1"), None, 1),
        (item(level="low"), item(level="low", balance="5"), 0),
        (item(level="low"), item(level="zero"), 2),
        (item(level="low"), item(), 1),
        (None, item(2000, shop="a", sequence="1", level="low"), 3),
    ],
)
def test_an_index_costs_for_what_changes_in_it(
    before: dict[str, Any] | None, after: dict[str, Any] | None, units: int
) -> None:
    assert index_units(SCHEMA, before, after) == units


def test_reads_by_key_are_rounded_up_one_by_one_and_queries_together() -> None:
    assert read_units([item(), item(4097), None], consistent=True) == 4
    assert read_units([item()], consistent=False) == 0.5
    assert query_units([item(3000), item(3000)], consistent=False) == 1
    assert query_units([], consistent=True) == 1

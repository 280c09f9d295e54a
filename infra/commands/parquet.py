"""Transactions as Parquet, by pyarrow, which is in a requirements file of its own and ships nowhere."""

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from chalicelib.contracts.api import tables
from infra.commands.output import unable

ROWS_OF_A_GROUP = 50_000
"""Rows that are in memory at once."""


def pyarrow() -> tuple[Any, Any]:
    """Return the modules `pyarrow` and `pyarrow.parquet`; ends the command with what to install where they are not."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise unable(
            "Parquet needs pyarrow, which is not installed: .venv/bin/pip install -r requirements-parquet.txt. "
            "csv and jsonl need nothing more."
        ) from None


def write(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows as a Parquet file, whole or not at all; `extra_metadata` and `drawn` are columns of JSON texts."""
    arrow, parquet = pyarrow()
    schema = arrow.schema(
        [
            arrow.field(name, arrow.int64() if name in tables.WHOLE else arrow.string(), name in tables.NULLABLE)
            for name in tables.COLUMNS
        ]
    )
    unfinished = path.with_name(f".{path.name}-unfinished")
    with parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        left = iter(rows)
        while group := list(islice(left, ROWS_OF_A_GROUP)):
            flat = [
                row | {name: json.dumps(row[name], separators=(",", ":")) for name in tables.JSON_TEXTS}
                for row in map(dict, group)
            ]
            writer.write_table(arrow.Table.from_pylist(flat, schema=schema))
    unfinished.replace(path)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file; texts in JSON are not decoded.

    Raises:
        ValueError, OSError: it is not a Parquet file, or an incomplete one.
    """
    _, parquet = pyarrow()
    for group in parquet.ParquetFile(path).iter_batches():
        yield from group.to_pylist()

"""Transactions as rows of CSV and JSON Lines, each with every member that the API answers (contract, section 17).

CSV is RFC 4180 in UTF-8: a heading, `extra_metadata` and `drawn` as JSON, null as an empty cell. A text that a
spreadsheet would run (`=`, `+`, `-`, `@`, a tab or a carriage return first) has an apostrophe before it, and so has one
that begins with an apostrophe: a reader of the file removes one.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.contracts.api.answers import Transaction

CSV = "text/csv"
JSON_LINES = "application/x-ndjson"
COLUMNS = tuple(Transaction.model_fields)
DRAWN = "drawn"
"""The newest column. A file from before it has all the others."""
JSON_TEXTS = ("extra_metadata", DRAWN)
"""Columns whose cells are JSON."""
NULLABLE = frozenset({"correlation_id", "occurred_at"})
WHOLE = frozenset(name for name, member in Transaction.model_fields.items() if member.annotation is int)
"""Columns that hold whole numbers: no spreadsheet runs them."""
_RUN = ("=", "+", "-", "@", "\t", "\r", "'")


def heading() -> str:
    """Return the first line of a CSV."""
    return _line(COLUMNS)


def csv_lines(transactions: Iterable[Transaction]) -> str:
    """Return the transactions as lines of CSV, without the heading."""
    return "".join(_line(_cells(transaction.model_dump(mode="json"))) for transaction in transactions)


def json_lines(transactions: Iterable[Transaction]) -> str:
    """Return the transactions as one line of JSON each."""
    return "".join(f"{transaction.model_dump_json()}\n" for transaction in transactions)


def safe(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_RUN) else text


def plain(cell: str) -> str:
    """Return the text of a cell that `safe` made."""
    return cell.removeprefix("'")


def _cells(members: Mapping[str, Any]) -> list[str]:
    return [_cell(name, members[name]) for name in COLUMNS]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value) if name in WHOLE else safe(value)


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()

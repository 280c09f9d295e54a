"""Reads the rows of an exported file, also if it was changed or damaged since (contract, section 17)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from chalicelib.contracts.api import tables
from chalicelib.contracts.csv_rows import UnreadableFileError, rows_of, utf_8
from infra.commands import parquet
from infra.commands.exported import Form, NotAnExportError, value_of

CELL_LENGTH_MAX = 1024 * 1024
"""Characters of a cell or line: the largest transaction is a hundredth of it."""
DIGITS_MAX = 20
"""The most digits of a whole number; the largest in an export has 13."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a file, at a line (a row number in Parquet): its members, or why and where it cannot be read."""

    line: int
    members: Mapping[str, Any] | None
    column: str = ""
    why: str = ""


def rows(path: Path, form: Form) -> Iterator[Row]:
    """Yield the rows of a file in their order; what cannot be read is reported with its line and column, never guessed.

    Raises:
        NotAnExportError: the file cannot be read any further.
    """
    if form is Form.PARQUET:
        yield from _parquet_rows(path)
        return
    yield from _csv_rows(path) if form is Form.CSV else _json_rows(path)


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        for number, members in enumerate(parquet.read(path), 1):
            yield _of_texts(number, members)
    except (ValueError, OSError) as error:
        raise NotAnExportError(f"{path} is not a complete Parquet file") from error


def _of_texts(number: int, members: Mapping[str, Any]) -> Row:
    found: dict[str, Any] = {tables.DRAWN: [], **members}
    for name in tables.JSON_TEXTS:
        if isinstance(text := members.get(name), str):
            try:
                found[name] = value_of(text)
            except ValueError as error:
                return Row(line=number, members=None, column=name, why=str(error))
    return Row(line=number, members=found)


def _csv_rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        lines = (utf_8(line, number=number) for number, line in enumerate(file, 1))
        found = rows_of(lines, cell_length_max=CELL_LENGTH_MAX)
        try:
            _, heading = next(found, (1, []))
            if heading not in (_COLUMNS, _OLDER_COLUMNS):
                raise NotAnExportError(f"{path}, line 1: the header is not that of an export: {_differs(heading)}")
            for line, cells in found:
                yield _csv_row(line, cells, heading)
        except UnreadableFileError as error:
            raise NotAnExportError(f"{path}, {error}") from None


def _differs(first: Sequence[str]) -> str:
    missing = [name for name in tables.COLUMNS if name not in first]
    return f"{missing[0]} is missing" if missing else "columns were added or moved"


_COLUMNS = list(tables.COLUMNS)
_OLDER_COLUMNS = [name for name in tables.COLUMNS if name != tables.DRAWN]


def _csv_row(line: int, cells: Sequence[str], heading: Sequence[str]) -> Row:
    if len(cells) != len(heading):
        why = f"{len(cells)} cells, the header has {len(heading)}"
        return Row(line=line, members=None, column=heading[-1], why=why)
    members: dict[str, Any] = {tables.DRAWN: []}
    for name, cell in zip(heading, cells, strict=True):
        try:
            members[name] = _value(name, cell)
        except ValueError as error:
            return Row(line=line, members=None, column=name, why=str(error))
    return Row(line=line, members=members)


def _value(name: str, cell: str) -> Any:
    if name in tables.WHOLE:
        digits = cell.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX):
            raise ValueError("not a whole number: a spreadsheet may have rewritten it")
        return int(cell)
    if name in tables.JSON_TEXTS:
        return value_of(cell)
    return None if not cell and name in tables.NULLABLE else tables.plain(cell)


def _json_rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for line, content in enumerate(_lines(file), 1):
            try:
                members = value_of(utf_8(content, number=line))
            except UnreadableFileError as error:
                yield Row(line=line, members=None, column=error.column, why=error.why)
                continue
            except ValueError as error:
                yield Row(line=line, members=None, why=str(error))
                continue
            if not isinstance(members, dict):
                yield Row(line=line, members=None, why="not a JSON object")
            else:
                yield Row(line=line, members={tables.DRAWN: [], **members})


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while content := file.readline(CELL_LENGTH_MAX):
        if not content.endswith(b"\n") and len(content) == CELL_LENGTH_MAX:
            raise NotAnExportError(f"a line has more than {CELL_LENGTH_MAX} bytes: not an export of this command")
        yield content

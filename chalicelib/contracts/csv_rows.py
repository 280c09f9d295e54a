"""Reads the rows of CSV files that people send; an error names the line and the column."""

import csv
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator, Sequence

_CELL = re.compile(r'"(?P<quoted>[^"]*(?:""[^"]*)*)(?P<closed>"?)|[^,\r\n]*')


class UnreadableFileError(Exception):
    """Raised for a file that cannot be read any further: `line` (from 1), `column` (a name or number) and `why`."""

    def __init__(self, line: int, column: str, why: str) -> None:
        super().__init__(f"line {line}, {column}: {why}" if column else f"line {line}: {why}")
        self.line = line
        self.column = column
        self.why = why


def rows_of(
    lines: Iterable[str], *, cell_length_max: int, columns: Sequence[str] = (), first_line: int = 1
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row: the line where it begins, and its cells. Without `columns` the first row names them.

    Raises:
        UnreadableFileError: a row is not CSV, or a cell has more than `cell_length_max` characters.
    """
    csv.field_size_limit(cell_length_max)
    row: list[str] = []
    reader = csv.reader(_remembered(lines, row), strict=True)
    begins = first_line
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            place, why = _fault("".join(row), cell_length_max)
            column = columns[place] if place < len(columns) else f"cell {place + 1}"
            raise UnreadableFileError(begins, column, why) from None
        if cells is None:
            return
        columns = columns or cells
        yield begins, cells
        begins += len(row)
        row.clear()


def _remembered(lines: Iterable[str], row: list[str]) -> Iterator[str]:
    for line in lines:
        row.append(line)
        yield line


def _fault(row: str, cell_length_max: int) -> tuple[int, str]:
    """Return the index of the cell that cannot be read, and why: csv.Error does not name the cell."""
    position = place = 0
    while True:
        found = _CELL.match(row, position)
        assert found is not None, "a cell may be empty"
        quoted = found["quoted"]
        if len(found[0] if quoted is None else quoted.replace('""', '"')) > cell_length_max:
            return place, f"the cell has more than {cell_length_max:,} characters"
        if quoted is not None and not found["closed"]:
            return place, "the quotation mark before the cell is never closed"
        if row[found.end() : found.end() + 1] != ",":
            break
        position, place = found.end() + 1, place + 1
    if quoted is not None and row[found.end()] != "\r":
        return place, "there is text after the cell's closing quotation mark"
    return place, "the cell has a line break of old Macs (CR alone): save the file with other line breaks"


def utf_8(line: bytes, *, number: int) -> str:
    """Return the text of a file's line; the first one without its byte order mark.

    Raises:
        UnreadableFileError: it is not UTF-8; the text says where, and which encoding it may be.
    """
    if number == 1:
        if line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise UnreadableFileError(1, "", "UTF-16, as spreadsheets save Unicode text: save it in UTF-8")
        line = line.removeprefix(BOM_UTF8)
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise UnreadableFileError(number, f"byte {error.start + 1}", "not UTF-8: save it in UTF-8") from None

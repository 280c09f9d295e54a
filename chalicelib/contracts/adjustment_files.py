"""A file of adjustments: rows of `merchant_id,credits,reason`, credits signed (contract, section 17).

A cell that cannot be read for certain is reported with its line and column, never guessed.
"""

import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping

from chalicelib.contracts.csv_rows import UnreadableFileError, rows_of, utf_8
from chalicelib.contracts.values import REASON_LENGTH_MAX
from chalicelib.domain.bulk import AdjustmentRow
from chalicelib.domain.ids import merchant_id
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.source_orders import BadRow, NotOrdersError

COLUMNS = ("merchant_id", "credits", "reason")
ROWS_MAX = 100_000
CELL_LENGTH_MAX = 64 * 1024
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)


def batch_of(content: bytes) -> str:
    """Return the id of a file's batch: the same lines are the same batch, so a run can be repeated.

    A byte order mark and the line endings are ignored: browsers change both.
    """
    lines = b"".join(line + b"\n" for line in content.removeprefix(BOM_UTF8).splitlines())
    return f"batch-{hashlib.sha256(lines).hexdigest()[:12]}"


def read_rows(content: bytes) -> list[AdjustmentRow | BadRow]:
    """Return the rows of a file, in their order.

    Raises:
        NotOrdersError: the file is not such a table, not UTF-8, or too long.
    """
    lines = (utf_8(line, number=number) for number, line in enumerate(content.splitlines(keepends=True), 1))
    rows = rows_of(lines, cell_length_max=CELL_LENGTH_MAX)
    try:
        columns = [name.strip().lower() for name in next(rows, (1, []))[1]]
        if missing := [name for name in COLUMNS if columns.count(name) != 1]:
            raise NotOrdersError(
                f"line 1: the header needs the column {missing[0]!r} exactly once: {','.join(COLUMNS)}"
            )
        return list(_rows(rows, columns))
    except UnreadableFileError as error:
        raise NotOrdersError(str(error)) from None


def _rows(rows: Iterator[tuple[int, list[str]]], columns: list[str]) -> Iterator[AdjustmentRow | BadRow]:
    for number, (line, cells) in enumerate(rows, 1):
        if number > ROWS_MAX:
            raise NotOrdersError(f"line {line}: more than {ROWS_MAX:,} rows: split the file")
        if len(cells) != len(columns):
            yield BadRow(line=line, column=columns[-1], why=f"{len(cells)} cells, the header has {len(columns)}")
        else:
            yield _row(line, number, dict(zip(columns, cells, strict=True)))


def _row(line: int, number: int, row: Mapping[str, str]) -> AdjustmentRow | BadRow:
    try:
        merchant = merchant_id(row["merchant_id"])
    except ValueError as error:
        return BadRow(line=line, column="merchant_id", why=str(error))
    text = row["credits"]
    if _WHOLE.fullmatch(text) is None or not 1 <= abs(int(text)) <= CREDITS_MAX:
        return BadRow(
            line=line,
            column="credits",
            why=f"credits are a whole number from 1 to {CREDITS_MAX}, with a minus to remove them",
        )
    reason = row["reason"].strip()
    if not 1 <= len(reason) <= REASON_LENGTH_MAX or not reason.isprintable():
        why = f"a reason is a printable text of 1 to {REASON_LENGTH_MAX} characters"
        return BadRow(line=line, column="reason", why=why)
    return AdjustmentRow(line=line, number=number, merchant_id=merchant, credits=int(text), reason=reason)

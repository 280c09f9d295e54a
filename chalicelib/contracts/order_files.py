"""Orders of a source: Shopify's own order export (CSV), unchanged, or JSON Lines.

A file of any size is read line by line. A cell that cannot be read for certain is reported with its line and column,
never guessed: an id that a spreadsheet wrote as 5.1E+12 has lost its digits.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic_core import PydanticCustomError

from chalicelib.contracts.csv_rows import UnreadableFileError, rows_of, utf_8
from chalicelib.contracts.decoding import distinct
from chalicelib.contracts.inbound.orders import PAID
from chalicelib.contracts.values import currency, money
from chalicelib.domain.errors import Rejected
from chalicelib.domain.ids import Instant, MerchantId, instant, merchant_id, shop_id
from chalicelib.domain.source_orders import BadRow, FilePosition, NotOrdersError, SourceOrder, SourceRefund

CELL_LENGTH_MAX = 1024 * 1024
"""Characters of a cell, and bytes of a line of JSON: an export's longest cell is a note."""
LINE_LENGTH_MAX = 16 * CELL_LENGTH_MAX
"""Bytes of a line of CSV."""
REFUNDS_MAX = 100
"""Refunds of one order in JSON Lines."""
ID, NAME, STATUS, PAID_AT, CREATED_AT = "Id", "Name", "Financial Status", "Paid at", "Created at"
TOTAL, CURRENCY, REFUNDED = "Total", "Currency", "Refunded Amount"
NEEDED = (NAME, ID, STATUS, PAID_AT, CURRENCY, TOTAL, CREATED_AT)
"""The columns of Shopify's export that are needed; all others may be there."""

_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_SCIENTIFIC = re.compile(r"[0-9.,]+[eE][+-]?[0-9]+", re.ASCII)
_REFUND_ID = re.compile(r"[ -~]{1,64}", re.ASCII)


class Form(StrEnum):
    """The two forms of a file of orders."""

    CSV = "csv"
    JSON_LINES = "jsonl"

    @classmethod
    def named(cls, name: str) -> "Form | None":
        """Return the form for the ending of a file's name, None for another ending."""
        ending = name.lower().rpartition(".")[2]
        return {"csv": cls.CSV, "jsonl": cls.JSON_LINES, "ndjson": cls.JSON_LINES}.get(ending)


class _WrongError(Exception):
    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column


class OrderFile:
    """The orders of a file, which is read from `chunks`, the bytes from `place` on.

    `place` advances with each order that was yielded: another `OrderFile` can continue there.
    """

    def __init__(
        self, chunks: Iterable[bytes], form: Form, merchant: MerchantId | None, place: FilePosition | None = None
    ) -> None:
        self._chunks = chunks
        self.form = form
        self._merchant = merchant
        self.place = self._read_to = place or FilePosition()

    def orders(self) -> Iterator[SourceOrder | BadRow]:
        """Yield the orders in their order, once.

        Raises:
            NotOrdersError: the file is neither of the two, not UTF-8, or ends within a row.
        """
        try:
            yield from self._of_json_lines() if self.form is Form.JSON_LINES else self._of_csv()
        except UnreadableFileError as error:
            raise NotOrdersError(str(error)) from None

    def _lines(self, *, most: int) -> Iterator[bytes]:
        for line in _split(self._chunks):
            before = self._read_to
            if len(line) > most:
                raise NotOrdersError(f"line {before.lines + 1}: longer than {most} bytes")
            self._read_to = replace(before, position=before.position + len(line), lines=before.lines + 1)
            yield line

    def _texts(self) -> Iterator[str]:
        for line in self._lines(most=LINE_LENGTH_MAX):
            yield utf_8(line, number=self._read_to.lines)

    def _of_csv(self) -> Iterator[SourceOrder | BadRow]:
        if self._merchant is None:
            raise NotOrdersError("Shopify's export names no shop: say which merchant's orders they are")
        known = self.place
        rows = rows_of(
            self._texts(), cell_length_max=CELL_LENGTH_MAX, columns=known.columns, first_line=known.lines + 1
        )
        columns = list(known.columns) or next(rows, (1, []))[1]
        if missing := [name for name in NEEDED if name not in columns]:
            raise NotOrdersError(f"line 1: the header has no column {missing[0]!r}; Shopify's order export has it")
        if doubled := [name for name in (*NEEDED, REFUNDED) if columns.count(name) > 1]:
            raise NotOrdersError(f"line 1: the column {doubled[0]!r} appears twice")
        self.place = self._read_to = replace(self._read_to, columns=tuple(columns))
        yield from self._grouped(rows, columns)

    def _grouped(self, rows: Iterator[tuple[int, list[str]]], columns: list[str]) -> Iterator[SourceOrder | BadRow]:
        """Yield each order once: its further line items are rows that contain its name and nothing else."""
        before: SourceOrder | BadRow | None = None
        named = ""
        begins = self._read_to
        for line, cells in rows:
            if len(cells) != len(columns):
                why = f"{len(cells)} cells, the header has {len(columns)}"
                row: dict[str, str] | None = None
                found: SourceOrder | BadRow = BadRow(line=line, column=columns[-1], why=why)
            else:
                row = dict(zip(columns, cells, strict=True))
                further = not row[ID] and not row[STATUS] and bool(named) and row[NAME] == named
                if further and before is not None:
                    if isinstance(before, SourceOrder):
                        before = replace(before, lines=before.lines + 1)
                    begins = self._read_to
                    continue
                found = self._read(line, row)
            if before is not None:
                # Whoever continues here begins with a row that is no further line of the order before it.
                self.place = begins
                yield before
            before, named = found, row[NAME] if row else ""
            begins = self._read_to
        self.place = self._read_to
        if before is not None:
            yield before

    def _read(self, line: int, row: Mapping[str, str]) -> SourceOrder | BadRow:
        assert self._merchant is not None, "a CSV needs it"
        try:
            refunded = row.get(REFUNDED, "")
            return SourceOrder(
                line=line,
                merchant_id=self._merchant,
                order_id=_order_id(ID, row[ID].removeprefix("'")),
                paid=_plain(STATUS, row[STATUS]).lower() in PAID,
                paid_at=_time(PAID_AT if row[PAID_AT] else CREATED_AT, row[PAID_AT] or row[CREATED_AT]),
                total=_money(TOTAL, row[TOTAL]),
                currency=_currency(CURRENCY, row[CURRENCY]),
                refunded=_money(REFUNDED, refunded) if refunded else None,
            )
        except _WrongError as error:
            return BadRow(line=line, column=error.column, why=str(error))

    def _of_json_lines(self) -> Iterator[SourceOrder | BadRow]:
        for content in self._lines(most=CELL_LENGTH_MAX):
            number = self._read_to.lines
            text = utf_8(content, number=number)
            self.place = self._read_to
            if not text.strip():
                continue
            try:
                yield self._of_members(number, json.loads(text, parse_float=Decimal, object_pairs_hook=distinct))
            except _WrongError as error:
                yield BadRow(line=number, column=error.column, why=str(error))
            except Rejected as error:
                yield BadRow(line=number, column=error.field or "", why=error.message)
            except (ValueError, RecursionError):
                yield BadRow(line=number, column="", why="no JSON")

    def _of_members(self, line: int, members: Any) -> SourceOrder:
        if not isinstance(members, dict):
            raise _WrongError("", "not a JSON object")
        status = members.get("financial_status")
        paid = status is None or _plain("financial_status", status).lower() in PAID
        total = None if members.get("total") is None else _money("total", members["total"])
        code = members.get("currency")
        refunds = _refunds(members.get("refunds"))
        return SourceOrder(
            line=line,
            merchant_id=self._merchant_of(members),
            order_id=_order_id("order_id", members.get("order_id"), any_form=True),
            paid=paid and members.get("test") is not True,
            paid_at=_time("paid_at", members.get("paid_at")),
            total=total,
            currency=None if code is None else _currency("currency", code),
            refunded=None if refunds is None else _refunded(refunds, total),
            refunds=refunds,
        )

    def _merchant_of(self, members: Mapping[str, Any]) -> MerchantId:
        named = members.get("merchant_id")
        if named is None and self._merchant is not None:
            return self._merchant
        if named is None:
            raise _WrongError("merchant_id", "missing: give --merchant, or merchant_id in each line")
        try:
            found = merchant_id(_plain("merchant_id", named))
        except ValueError as error:
            raise _WrongError(
                "merchant_id", f"{error}; a line without it needs a merchant for the whole file"
            ) from None
        if self._merchant not in (None, found):
            raise _WrongError("merchant_id", "another merchant than the file's")
        return found


def _plain(column: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongError(column, "no text")
    for place, sign in enumerate(value, 1):
        if not sign.isprintable():
            name = unicodedata.name(sign, f"U+{ord(sign):04X}")
            raise _WrongError(column, f"an invisible character at position {place}: {name}")
    return value


def _order_id(column: str, value: Any, *, any_form: bool = False) -> str:
    if any_form and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = shop_id(_plain(column, value))
    if _SCIENTIFIC.fullmatch(text):
        raise _WrongError(column, "a spreadsheet wrote the id as a number and lost its digits: export again")
    allowed = _REFUND_ID if any_form else _ID
    if allowed.fullmatch(text) is None:
        raise _WrongError(
            column, "an id is 1 to 64 printable ASCII characters" if any_form else "an id has digits only"
        )
    return text


def _money(column: str, value: Any) -> Decimal:
    try:
        return money(_plain(column, value) if isinstance(value, str) else value)
    except PydanticCustomError:
        raise _WrongError(column, "not an amount of money: digits and a point, such as 1234.50") from None


def _currency(column: str, value: Any) -> str | None:
    try:
        return currency(_plain(column, value))
    except PydanticCustomError:
        raise _WrongError(column, "not a currency: a code of three letters") from None


def _time(column: str, value: Any) -> Instant:
    text = _plain(column, value)
    try:
        moment = datetime.fromisoformat(re.sub(r" (?=[+-][0-9]{4}$)", "", text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _WrongError(column, "not a time with its offset, such as 2026-11-28 10:30:00 +0100")
    return instant(moment)


def _refunds(value: Any) -> tuple[SourceRefund, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > REFUNDS_MAX or not all(isinstance(one, dict) for one in value):
        raise _WrongError("refunds", f"not a list of up to {REFUNDS_MAX} objects with refund_id and amount")
    return tuple(
        SourceRefund(
            refund_id=_order_id("refunds.refund_id", one.get("refund_id"), any_form=True),
            amount=None if one.get("amount") is None else _money("refunds.amount", one["amount"]),
        )
        for one in value
    )


def _refunded(refunds: Iterable[SourceRefund], total: Decimal | None) -> Decimal | None:
    """Return the money that went back with these refunds, None where one was full and the total is unknown."""
    amounts = [refund.amount for refund in refunds]
    return total if None in amounts else sum((amount for amount in amounts if amount is not None), Decimal(0))


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream with their ends; a line that is too long is cut off after `LINE_LENGTH_MAX` bytes."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > LINE_LENGTH_MAX:
            break
    if rest:
        yield rest

"""Files of transactions: written with what proves them, and read back row by row (contract, section 17).

Beside FILE is FILE.heads.jsonl, a line for each part of a merchant's chain that FILE holds: where it begins, the
hash before it, where it ends and the hash there. Its last line says that the export came to its end, with the SHA-256
of FILE. The lines are written after their rows, so an interrupted export continues after its last line.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from chalicelib.contracts.api import tables
from chalicelib.contracts.api.answers import Transaction
from chalicelib.domain.ids import MerchantId
from infra.commands.output import why_not

FORMAT = "credits-export-2"
OLDER_FORMAT = "credits-export-1"
"""The format of files from before the column `drawn`, which can be read for ever."""
HEADS_SUFFIX = ".heads.jsonl"
_BLOCK = 1024 * 1024


class Form(StrEnum):
    """The forms of a file."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A part of a merchant's chain in the file; `end` is the size of the file after it, in bytes."""

    merchant_id: MerchantId
    first_sequence: int
    previous_hash: str
    last_sequence: int
    hash: str
    end: int


class NotAnExportError(Exception):
    """Raised for a file that is no export, or whose heads are missing; the text says what is wrong."""


class Writer(AbstractContextManager["Writer"]):
    """Writes an export, or continues an interrupted one: `done` are the parts that it holds already.

    `asked` says what is exported; a file of another export is not continued.

    Raises:
        NotAnExportError: the file is there and is not the beginning of this export.
    """

    def __init__(self, path: Path, form: Form, asked: Mapping[str, Any]) -> None:
        self.done: list[Head] = []
        self.complete = False
        self._form = form
        self._path = path
        heads = heads_of(path)
        expected = {"format": FORMAT, "form": form.value, "asked": dict(asked)}
        if path.exists() or heads.exists():
            self._take_up(heads, expected)
        else:
            heads.write_text(json_line(expected))
        begins = self.done[-1].end if self.done else 0
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._hash = _digest(self._file, begins)
        self._file.seek(begins)
        if not self.complete:
            self._file.truncate(begins)
        self._heads = heads.open("a")
        if not begins and form is Form.CSV:
            self._write(tables.heading())

    def part(self, transactions: Sequence[Transaction]) -> None:
        """Write the next transactions of one merchant, in their order, and then the line that proves them."""
        lines = tables.csv_lines if self._form is Form.CSV else tables.json_lines
        self._write(lines(transactions))
        first, last = transactions[0], transactions[-1]
        self._file.flush()
        os.fsync(self._file.fileno())
        head = Head(
            merchant_id=MerchantId(first.merchant_id),
            first_sequence=first.sequence,
            previous_hash=first.previous_hash,
            last_sequence=last.sequence,
            hash=last.hash,
            end=self._file.tell(),
        )
        self.done.append(head)
        self._say(asdict(head))

    def end(self) -> None:
        """Write that the export is complete."""
        if not self.complete:
            self._say(_ending(self.done, self._hash.hexdigest()))
            self.complete = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both files; what was not ended can be continued."""
        self._file.close()
        self._heads.close()

    def _take_up(self, heads: Path, expected: Mapping[str, Any]) -> None:
        if not heads.exists():
            raise NotAnExportError(f"{self._path} is there, and {heads.name} is not: name another file.")
        said, parts, ending = read_heads(heads)
        if said != expected:
            raise NotAnExportError(f"{self._path} holds another export: name another file, or remove both.")
        size = self._path.stat().st_size if self._path.exists() else 0
        if parts and size < parts[-1].end:
            raise NotAnExportError(f"{self._path} is shorter than {heads.name} says: remove both.")
        self.done, self.complete = list(parts), ending is not None
        # A cut line belongs to a part that is written again.
        _replace(heads, said, parts, ending)

    def _write(self, text: str) -> None:
        content = text.encode()
        self._hash.update(content)
        self._file.write(content)

    def _say(self, members: Mapping[str, Any]) -> None:
        self._heads.write(json_line(members))
        self._heads.flush()
        os.fsync(self._heads.fileno())


def write_heads(path: Path, said: Mapping[str, Any], parts: Sequence[Head], *, sha256: str) -> None:
    """Write the heads of a finished file at once."""
    _replace(path, said, parts, _ending(parts, sha256))


def heads_of(path: Path) -> Path:
    """Return the path of a file's heads."""
    return path.with_name(f"{path.name}{HEADS_SUFFIX}")


def read_heads(path: Path) -> tuple[dict[str, Any], tuple[Head, ...], dict[str, Any] | None]:
    """Return what an export's heads hold: what it is of, its parts, and its end (None if it is unfinished).

    Raises:
        NotAnExportError: these are no heads.
    """
    try:
        lines = path.read_text().splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise NotAnExportError(f"{path} cannot be read: {why_not(error)}") from error
    members = []
    for number, line in enumerate(lines):
        try:
            members.append(value_of(line))
        except ValueError:
            if number + 1 < len(lines):
                raise NotAnExportError(f"{path}, line {number + 1}: not JSON.") from None
    said, *others = members or [None]
    if not isinstance(said, dict) or said.get("format") not in (FORMAT, OLDER_FORMAT) or said.get("form") not in _FORMS:
        raise NotAnExportError(f"{path} has no heads of an export.")
    ending = others.pop() if others and isinstance(others[-1], dict) and "complete" in others[-1] else None
    if not all(map(_is_head, others)) or not (ending is None or isinstance(ending.get("sha256"), str)):
        raise NotAnExportError(f"{path} has lines that are not heads.")
    return said, tuple(Head(**part) for part in others), ending


_FORMS = tuple(Form)
_HEAD = {field.name: int if field.name in ("first_sequence", "last_sequence", "end") else str for field in fields(Head)}


def _is_head(part: Any) -> bool:
    return isinstance(part, dict) and {name: type(value) for name, value in part.items()} == _HEAD


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return str(_digest(file, path.stat().st_size).hexdigest())


def _digest(file: BinaryIO, size: int) -> Any:
    digest, left = hashlib.sha256(), size
    file.seek(0)
    while left and (block := file.read(min(left, _BLOCK))):
        digest.update(block)
        left -= len(block)
    return digest


def json_line(members: Mapping[str, Any]) -> str:
    """Return members as a line of JSON."""
    return json.dumps(members, separators=(",", ":")) + "\n"


def value_of(text: str) -> Any:
    """Return the value of a text in JSON.

    Raises:
        ValueError: it cannot be read, or what it holds cannot be written again in UTF-8.
    """
    try:
        found = json.loads(text)
        # Only an escape can hold half a surrogate pair.
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("cannot be read as JSON") from None
    return found


def _ending(parts: Sequence[Head], sha256: str) -> dict[str, Any]:
    return {"complete": True, "parts": len(parts), "sha256": sha256}


def _replace(path: Path, said: Mapping[str, Any], parts: Sequence[Head], ending: Mapping[str, Any] | None) -> None:
    unfinished = path.with_name(f".{path.name}-unfinished")
    unfinished.write_text("".join(map(json_line, [said, *map(asdict, parts), *([ending] if ending else [])])))
    unfinished.replace(path)

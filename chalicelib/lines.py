"""Log lines in the form of Powertools' Logger, with a tenth of its CPU and without its imports.

Every call writes a line, and a new container waits for what its lines import. A test compares the lines with those that
Powertools writes. Nothing here formats a payload: an error is written by `described`.
"""

import os
import sys
from json.encoder import JSONEncoder, encode_basestring
from time import localtime, strftime, time
from traceback import format_tb
from typing import Any, TextIO

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}

_encode = JSONEncoder(default=str, separators=(",", ":"), ensure_ascii=False).encode
_FREE_OF_PAYLOADS = ("botocore", "chalicelib", "pynamodb")
"""Packages whose errors say what a service answered or a setting lacks, and hold nothing of a message."""


class Lines:
    """Writes one JSON object a line to `stream`, or to standard output where it is None; `level` is a name of `LEVELS`.

    Fields that are None are left out; values that JSON does not know are written as texts.
    """

    def __init__(self, service: str, *, level: str) -> None:
        self.service = service
        self.level = level
        self.stream: TextIO | None = None
        self._second = -1
        self._minute_text, self._zone_text = "", ""

    def info(self, message: str, **fields: Any) -> None:
        """Write what happened."""
        if LEVELS[self.level] <= 20:  # noqa: PLR2004 - its own level
            self._write("INFO", message, fields, None)

    def warning(self, message: str, *, exc_info: bool | BaseException | None = None, **fields: Any) -> None:
        """Write something that may need attention."""
        if LEVELS[self.level] <= 30:  # noqa: PLR2004 - its own level
            self._write("WARNING", message, fields, _error(exc_info))

    def error(self, message: str, *, exc_info: bool | BaseException | None = None, **fields: Any) -> None:
        """Write what went wrong."""
        if LEVELS[self.level] <= 40:  # noqa: PLR2004 - its own level
            self._write("ERROR", message, fields, _error(exc_info))

    def exception(self, message: str, **fields: Any) -> None:
        """Write what went wrong, with the error that is being handled."""
        if LEVELS[self.level] <= 40:  # noqa: PLR2004 - the level of errors
            self._write("ERROR", message, fields, sys.exc_info()[1])

    def _write(self, level: str, message: str, fields: dict[str, Any], error: BaseException | None) -> None:
        caller = sys._getframe(2)  # noqa: SLF001 - as logging finds it
        present = {name: value for name, value in fields.items() if value is not None}
        if error is not None:
            present["exception"] = described(error)
            present["exception_name"] = type(error).__name__
        if traced := os.environ.get("_X_AMZN_TRACE_ID"):
            present["xray_trace_id"] = traced.split(";")[0].replace("Root=", "")
        more = "," + _encode(present)[1:] if present else "}"
        stream = self.stream or sys.stdout
        line = (
            f'{{"level":"{level}","location":"{caller.f_code.co_name}:{caller.f_lineno}",'
            f'"message":{encode_basestring(message)},"timestamp":"{self._timestamp()}",'
            f'"service":{encode_basestring(self.service)}{more}\n'
        )
        try:
            stream.write(line)
        except UnicodeEncodeError:  # Half of a surrogate pair, which a sender's JSON may hold.
            stream.write(line.encode(errors="backslashreplace").decode())
        stream.flush()

    def _timestamp(self) -> str:
        moment = time()
        second = int(moment)
        if second != self._second:
            text = strftime("%Y-%m-%d %H:%M:%S|%z", localtime(second))
            self._minute_text, _, self._zone_text = text.partition("|")
            self._second = second
        return f"{self._minute_text},{int((moment - second) * 1000):03}{self._zone_text}"


def described(error: BaseException) -> str:
    """Return an error with its frames, then its causes, latest first; its text only if that cannot quote a body.

    The texts of a KeyError, a failed conversion and pydantic's errors quote the value.
    """
    parts: list[str] = []
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        words = f": {each}" if type(each).__module__.partition(".")[0] in _FREE_OF_PAYLOADS else ""
        parts.append(f"{''.join(format_tb(each.__traceback__))}{type(each).__qualname__}{words}")
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\ncaused by\n".join(parts)


def _error(exc_info: bool | BaseException | None) -> BaseException | None:
    return sys.exc_info()[1] if exc_info is True else exc_info or None

"""Log lines and metrics: one line per call, and one for each message that was not simply posted.

No payload, token or name of a person is ever logged: keys, merchants, codes and counts are; an error is written by
`described`. A counter goes to CloudWatch by way of the log, and to /metrics by way of the container's counters
(`CounterWriter`).

Lines have the form of Powertools' Logger, with a tenth of its CPU and without its imports: every call writes one, and a
new container waits for what its lines import. A test compares them with those that Powertools writes.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from json.encoder import JSONEncoder, encode_basestring
from traceback import format_tb
from typing import Any, NewType, Protocol, TextIO

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
        moment = time.time()
        second = int(moment)
        if second != self._second:
            text = time.strftime("%Y-%m-%d %H:%M:%S|%z", time.localtime(second))
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


Sample = NewType("Sample", str)
"""A counter's name and labels, `name|label=value|…`: a key of the counters, in memory and in the table."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a duration's buckets; longer ones are in `+Inf`."""
INFINITE = "+Inf"
BUCKET, SUM, COUNT = "_bucket", "_sum", "_count"


def sample(name: str, labels: Mapping[str, str] | None = None) -> Sample:
    """Return the key of a counter; labels are words of the contract, without `|` and `=`."""
    return Sample("|".join([name, *(f"{label}={value}" for label, value in (labels or {}).items())]))


def name_and_labels(key: str) -> tuple[str, dict[str, str]]:
    """Return the name and labels of a key that `sample` made."""
    name, *labels = key.split("|")
    return name, dict(label.split("=", 1) for label in labels)


def over_labels(values: Mapping[str, float], name: str) -> int:
    """Return the sum of a counter over all its labels, a whole number."""
    return round(sum(value for key, value in values.items() if name_and_labels(key)[0] == name))


class Counters:
    """Counters that only grow. While `urgent`, they must be in the table before the call answers."""

    def __init__(self) -> None:
        self.urgent = False
        self._values: dict[str, float] = {}

    def add(self, key: Sample, value: float = 1) -> None:
        """Add to one counter."""
        self._values[key] = self._values.get(key, 0) + value

    def observe(self, name: str, seconds: float, times: int) -> None:
        """Add a duration, `times` over, to its bucket, its sum and its count."""
        bound = next((str(bound) for bound in SECONDS if seconds <= bound), INFINITE)
        self.add(sample(name + BUCKET, {"le": bound}), times)
        self.add(sample(name + SUM), seconds * times)
        self.add(sample(name + COUNT), times)

    def values(self) -> dict[str, float]:
        """Return the present value of every counter."""
        return dict(self._values)


NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "credits"
"""The template sets it to the stack's name."""
OLDEST_SECONDS = "credits_oldest_message_seconds"
PROCESSING_SECONDS = "credits_transaction_processing_seconds"

_LEVEL = os.environ.get("LOG_LEVEL", "").strip().upper()

# A bad level is `settings`' to name, at the first call: here it would fail the import without giving the reason.
logger = Lines(os.environ.get("SERVICE_NAME") or "credit-service", level=_LEVEL if _LEVEL in LEVELS else "INFO")
counters = Counters()
"""What this container has counted since it started."""

_unsent: dict[Sample, int] = {}
_unsent_seconds: list[float] = []
SECONDS_MAX = 100
"""Values that CloudWatch takes of one metric at once."""


def count(name: str, value: int, dimensions: Mapping[str, str] | None = None) -> None:
    """Add `value` to a counter of section 7 of the contract; nothing for 0."""
    if not value:
        return
    counters.add(sample(name, dimensions), value)
    _emit(name, [value], "Count", dimensions or {})


def count_parked(code: str) -> None:
    """Count a parked message; /metrics has it by the end of this call.

    Somebody has to look at each of them, and a container's last calls may be those that parked (contract, section 19).
    """
    count("credits_messages_parked_total", 1, {"code": code})
    counters.urgent = True


def add_up(key: Sample, value: int = 1) -> None:
    """Add `value` to a counter that CloudWatch gets in sums, because a line for each would cost more than the call."""
    if not value:
        return
    counters.add(key, value)
    _unsent[key] = _unsent.get(key, 0) + value


def processed(seconds: float, transactions: int) -> None:
    """Note how long a call took to post its transactions, once for each; CloudWatch gets it with the next flush."""
    if not transactions:
        return
    counters.observe(PROCESSING_SECONDS, seconds, transactions)
    _unsent_seconds.append(seconds)
    if len(_unsent_seconds) >= SECONDS_MAX:
        flush_counted()


def flush_counted() -> None:
    """Send CloudWatch what `add_up` and `processed` noted since the last flush; `count` sends at once."""
    for key, value in _unsent.items():
        name, labels = name_and_labels(key)
        _emit(name, [value], "Count", labels)
    _unsent.clear()
    if _unsent_seconds:
        _emit(PROCESSING_SECONDS, _unsent_seconds, "Seconds", {})
        _unsent_seconds.clear()


def waited(seconds: float) -> None:
    """Note the age of a batch's oldest message in seconds, messages that wait for their ground included."""
    counters.add(sample(OLDEST_SECONDS + SUM), seconds)
    counters.add(sample(OLDEST_SECONDS + COUNT))


def gauge(name: str, value: float, dimensions: Mapping[str, str] | None = None) -> None:
    """Send CloudWatch the present value of something."""
    _emit(name, [value], "None", dimensions or {})


def _emit(name: str, values: Sequence[float], unit: str, dimensions: Mapping[str, str]) -> None:
    """Print a metric in CloudWatch's embedded format."""
    # Not every first answer has a metric, and the import would be a sixteenth of boto3's.
    from aws_lambda_powertools.metrics import MetricUnit, single_metric  # noqa: PLC0415

    with single_metric(name, MetricUnit(unit), values[0], namespace=NAMESPACE) as metric:
        metric.metric_set[name]["Value"] += values[1:]
        for dimension, text in dimensions.items():
            metric.add_dimension(dimension, text)


WRITE_EVERY_SECONDS = 10.0
"""The shortest time between two writes of a container's counters that are not urgent."""
URGENT_TRIES = 2
"""How often what must not wait for the next call is tried."""


class CounterStore(Protocol):
    """Keeps the counters of one container where /metrics adds them up."""

    def save(self, values: Mapping[str, float]) -> None:
        """Overwrite this container's counters with `values`."""
        ...


class CounterWriter:
    """Writes a container's counters into their store; `written_at` is in seconds of the monotonic clock.

    The store is requested on each write; if it is None, only CloudWatch gets the counters.
    """

    def __init__(self, counted: Counters, store: Callable[[], CounterStore | None]) -> None:
        self.written_at = float("-inf")
        self._counted = counted
        self._store = store
        self._new = True

    def write(self, *, now: float | None = None, awaited: bool = False) -> None:
        """Write the counters, unless they were written less than ten seconds ago.

        Called at the end of every call. What is urgent goes at once, with a second try. A failure never fails the
        call: it is logged, and the next write makes up for it. With `awaited`, somebody waits for the call's answer:
        then a container's first call sends to CloudWatch only, and the second makes the client that the store needs.
        """
        first, self._new = self._new, False
        if awaited and first and not self._counted.urgent:
            flush_counted()
            return
        moment = time.monotonic() if now is None else now
        if not self._counted.urgent and moment - self.written_at < WRITE_EVERY_SECONDS:
            return
        self.written_at = moment
        for _ in range(URGENT_TRIES if self._counted.urgent else 1):
            try:
                flush_counted()
                if (store := self._store()) is not None and (values := self._counted.values()):
                    store.save(values)
            except Exception:
                logger.warning("counters not written", exc_info=True)
            else:
                self._counted.urgent = False
                return

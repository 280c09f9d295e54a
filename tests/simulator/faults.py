"""Faults of requests to AWS, below botocore: every kind, and plans of when they happen."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.simulator.running import Killed
from tests.simulator.tables import AwsError, cancelled

URL = "http://aws.invalid"
READ_SECONDS = 4.0
CONNECT_SECONDS = 2.0
BUSY = "TransactionConflict"
BUSY_OR_THROTTLED = (BUSY, "ThrottlingError", "ProvisionedThroughputExceeded")


@dataclass(frozen=True, kw_only=True)
class AwsRequest:
    """A request under way: `effect` applies it and returns its answer, `wait` lets seconds pass."""

    service: str
    operation: str
    request: Mapping[str, Any]
    effect: Callable[[], Mapping[str, Any]]
    reasons: Callable[[], list[dict[str, Any]]]
    wait: Callable[[float], None]
    random: Random


Deed = Callable[[AwsRequest], Mapping[str, Any]]


def _refused(code: str, status: int) -> Deed:
    def deed(asked: AwsRequest) -> Mapping[str, Any]:
        raise AwsError(code, status=status)

    return deed


def _raised(error: Callable[[], Exception], *, seconds: float = 0.0) -> Deed:
    def deed(asked: AwsRequest) -> Mapping[str, Any]:
        asked.wait(seconds)
        raise error()

    return deed


def _killed(asked: AwsRequest) -> Mapping[str, Any]:
    raise Killed


def _afterwards(deed: Deed) -> Deed:
    """Let the request take effect first."""

    def late(asked: AwsRequest) -> Mapping[str, Any]:
        asked.effect()
        return deed(asked)

    return late


def _throttled(asked: AwsRequest) -> Mapping[str, Any]:
    code = "ThrottlingException"
    if asked.service == "dynamodb":
        code = asked.random.choice(["ProvisionedThroughputExceededException", "ThrottlingException"])
    raise AwsError(code, status=400)


def _all_cancelled(code: str) -> Deed:
    def deed(asked: AwsRequest) -> Mapping[str, Any]:
        reasons = [{"Code": "None"} for _ in asked.request["TransactItems"]]
        reasons[asked.random.randrange(len(reasons))] = {"Code": code}
        raise cancelled(reasons)

    return deed


def _mixed(asked: AwsRequest) -> Mapping[str, Any]:
    """Cancel for true and for invented reasons: the conditions that fail, and transient errors on some other items."""
    reasons = asked.reasons()
    others = [place for place, reason in enumerate(reasons) if reason["Code"] == "None"]
    if not others:
        raise cancelled(reasons)
    for place in asked.random.sample(others, asked.random.randint(1, len(others))):
        reasons[place] = {"Code": asked.random.choice(BUSY_OR_THROTTLED)}
    raise cancelled(reasons)


def _unprocessed(asked: AwsRequest) -> Mapping[str, Any]:
    """Answer a batch read for some of its keys only."""
    answer = dict(asked.effect())
    left: dict[str, Any] = {}
    found = {name: list(items) for name, items in answer["Responses"].items()}
    for name, wanted in asked.request["RequestItems"].items():
        keys = [key for key in wanted["Keys"] if asked.random.random() < 0.5]
        if keys:
            left[name] = {**wanted, "Keys": keys}
            found[name] = [item for item in found[name] if not any(key.items() <= item.items() for key in keys)]
    return {"Responses": found, "UnprocessedKeys": left}


def _entries_failed(asked: AwsRequest) -> Mapping[str, Any]:
    """Take some of the entries of a batch and refuse the others."""
    entries: Sequence[Any] = asked.request["Entries"]
    refused = set(asked.random.sample(range(len(entries)), asked.random.randint(1, len(entries))))
    taken = [entry for place, entry in enumerate(entries) if place not in refused]
    answers = iter(_effect_of(asked, taken)["Entries"] if taken else [])
    failed = {"ErrorCode": "InternalFailure", "ErrorMessage": "no"}
    return {
        "FailedEntryCount": len(refused),
        "Entries": [failed if place in refused else next(answers) for place in range(len(entries))],
    }


def _delays_failed(asked: AwsRequest) -> Mapping[str, Any]:
    """Take some of the entries of a batch for a queue and refuse the others."""
    entries: Sequence[Any] = asked.request["Entries"]
    refused = asked.random.sample(entries, asked.random.randint(1, len(entries)))
    taken = [entry for entry in entries if entry not in refused]
    answer = _effect_of(asked, taken) if taken else {"Successful": [], "Failed": []}
    failed = [{"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"} for entry in refused]
    return {"Successful": answer["Successful"], "Failed": [*answer["Failed"], *failed]}


def _effect_of(asked: AwsRequest, entries: Sequence[Any]) -> Mapping[str, Any]:
    if isinstance(asked.request, dict):
        whole, asked.request["Entries"] = asked.request["Entries"], list(entries)
        try:
            return asked.effect()
        finally:
            asked.request["Entries"] = whole
    raise AssertionError(asked)


_TIMEOUT = _raised(lambda: ReadTimeoutError(endpoint_url=URL), seconds=READ_SECONDS)
_RESET = _raised(lambda: ConnectionClosedError(endpoint_url=URL))
_INTERNAL = _refused("InternalServerError", 500)
_UNAVAILABLE = _refused("ServiceUnavailable", 503)


class Fault(Enum):
    """The kinds of faults, each with its effect and, if limited to one, its operation."""

    THROTTLED = (_throttled, None)
    INTERNAL = (_INTERNAL, None)
    INTERNAL_AFTER_EFFECT = (_afterwards(_INTERNAL), None)
    UNAVAILABLE = (_UNAVAILABLE, None)
    UNAVAILABLE_AFTER_EFFECT = (_afterwards(_UNAVAILABLE), None)
    RESET = (_RESET, None)
    RESET_AFTER_EFFECT = (_afterwards(_RESET), None)
    UNREACHABLE = (_raised(lambda: EndpointConnectionError(endpoint_url=URL)), None)
    NO_CONNECTION = (_raised(lambda: ConnectTimeoutError(endpoint_url=URL), seconds=CONNECT_SECONDS), None)
    TIMEOUT = (_TIMEOUT, None)
    TIMEOUT_AFTER_EFFECT = (_afterwards(_TIMEOUT), None)
    KILLED = (_killed, None)
    KILLED_AFTER_EFFECT = (_afterwards(_killed), None)
    CONFLICT = (_all_cancelled(BUSY), "TransactWriteItems")
    TRANSACTION_THROTTLED = (_all_cancelled("ThrottlingError"), "TransactWriteItems")
    IN_PROGRESS = (_refused("TransactionInProgressException", 400), "TransactWriteItems")
    MIXED_REASONS = (_mixed, "TransactWriteItems")
    UNPROCESSED_KEYS = (_unprocessed, "BatchGetItem")
    ENTRIES_FAILED = (_entries_failed, "PutEvents")
    DELAYS_FAILED = (_delays_failed, "ChangeMessageVisibilityBatch")
    SENDS_FAILED = (_delays_failed, "SendMessageBatch")

    def __init__(self, deed: Deed, operation: str | None) -> None:
        self.deed = deed
        self.operation = operation

    def applies(self, operation: str) -> bool:
        """Whether a request of this operation can have it."""
        return self.operation is None or self.operation == operation


@dataclass(frozen=True)
class Point:
    """A request's position: the `number`th of the run, by this function, at a moment of the simulated time."""

    number: int
    function: str
    service: str
    operation: str
    moment: float


class Calm:
    """A plan without a fault; `seen` are the kinds that a plan has caused."""

    seen: AbstractSet[Fault] = frozenset()

    def fault(self, place: Point) -> Fault | None:
        """Return the fault of a request, None if there is none."""
        del place
        return None


OUTAGE = 0
"""Instead of a number of times: an outage of `OUTAGE_SECONDS`, which outlasts all tries of a call."""
OUTAGE_SECONDS = 60.0


class Planned(Calm):
    """One kind of fault at one request of the run, and at its function's next similar requests, `times` in all."""

    def __init__(self, kind: Fault, at: int, times: int = 1) -> None:
        self._kind = kind
        self._at = at
        self._left = times
        self._lasts = OUTAGE_SECONDS if times == OUTAGE else 0.0
        self._until = 0.0
        self._like: tuple[str, str] | None = None

    def fault(self, place: Point) -> Fault | None:
        """Return the fault if this request has it."""
        like = (place.function, place.operation)
        if place.number == self._at:
            self._like, self._until = like, place.moment + self._lasts
        if like != self._like or not self._kind.applies(place.operation):
            return None
        self._left -= 1
        return self._kind if self._left >= 0 or place.moment < self._until else None


class Weather(Calm):
    """Faults by chance until `until`: a rate of single ones, and outages of a service that last for a while.

    `rate_max` bounds the rate, so that the longest calls may succeed at some time.
    """

    def __init__(self, random: Random, *, start: float, until: float, rate_max: float = 1.0) -> None:
        self.seen = set()
        self._random = random
        self._until = until
        self._rate = min(random.choice([0.0, 0.02, 0.05, 0.1, 0.25]), rate_max)
        # Not always all kinds at once: a frequent one hides the effects of others.
        self._kinds = random.sample(list(Fault), random.choice([2, 5, len(Fault)]))
        self._outages = [
            (service, begin, begin + random.uniform(1, 30), random.choice(list(Fault)))
            for service in random.choices(["dynamodb", "sqs", "events"], k=random.choice([0, 0, 1, 3]))
            for begin in [random.uniform(start, until - 60)]
        ]

    def fault(self, place: Point) -> Fault | None:
        """Return the fault of a request made now, if any."""
        kind = self._now(place) if place.moment < self._until else None
        if kind is not None:
            self.seen |= {kind}
        return kind

    def _now(self, place: Point) -> Fault | None:
        for of, begin, end, kind in self._outages:
            if of == place.service and begin <= place.moment < end and kind.applies(place.operation):
                return kind
        if self._random.random() < self._rate:
            kinds = [kind for kind in self._kinds if kind.applies(place.operation)]
            return self._random.choice(kinds) if kinds else None
        return None

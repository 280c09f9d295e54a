"""The callers of the functions: Lambda's pollers of the queue and of the streams, with everything that AWS permits:
batches of any size, messages delivered twice at once, lost deletions, repeated records, batches split again. AWS
promises only at-least-once delivery, and the functions must cope with it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from infra.packaging.yaml_text import yaml_parse
from tests.simulator.product import ROOT
from tests.simulator.queues import Message, Queues, system_attributes
from tests.simulator.running import Call
from tests.simulator.tables import Table

BATCH_MAX = 100
POLL_SECONDS = (0.05, 2.0)
CALM_POLL_SECONDS = (1.0, 60.0)
"""The same when no new messages arrive, so that waiting ones come together."""
RETRY_SECONDS = (0.5, 30.0)

WHIMS_MAX = 4
"""The most repeats of a shard's records in a run; without a limit there would be many."""

Start = Callable[[str, Any, Callable[[Call], None]], Call]
"""Starts the call of a function with an event; takes a callback for its end."""


@dataclass
class Lab:
    """The run as the pollers need it; `rough` is true while AWS may misbehave."""

    start: Start
    after: Callable[[float, Callable[[], None]], None]
    random: Random
    rough: Callable[[], bool]
    violated: Callable[[str], None]

    def perhaps(self, chance: float) -> bool:
        """Decide whether something unlikely happens; never while it is not rough."""
        return self.rough() and self.random.random() < chance

    def seconds(self, between: tuple[float, float]) -> float:
        """Return some seconds."""
        return self.random.uniform(*between)


@cache
def declared() -> Mapping[str, Any]:
    """Return the resources of infra/template.yaml."""
    found: Mapping[str, Any] = yaml_parse((ROOT / "infra/template.yaml").read_text())["Resources"]
    return found


def at_once(queue: str) -> int:
    """Return how many calls of `ingest_events` may run at once for a queue, by its logical id."""
    sources = declared()["IngestEvents"]["Properties"]["Events"].values()
    (found,) = (one["Properties"] for one in sources if one["Properties"]["Queue"]["Fn::GetAtt"][0] == queue)
    most: int = found["ScalingConfig"]["MaximumConcurrency"]
    return most


def window_seconds(function: str) -> float:
    """Return how long the mapping of a stream collects records for a function, where it shares no statuses."""
    [source] = declared()[logical_id(function)]["Properties"]["Events"].values()
    window = source["Properties"]["MaximumBatchingWindowInSeconds"]
    return float(window["Fn::If"][2] if isinstance(window, Mapping) else window)


def logical_id(function: str) -> str:
    """Return the name of a function in the template."""
    return "".join(part.title() for part in function.split("_"))


@dataclass(frozen=True)
class Delivered:
    """How a delivery of a message ended that a call survived."""

    body: str
    call: str


class QueuePoller:
    """Delivers the messages of a queue to `ingest_events`, and deletes those that it did not return.

    `deleted` are the deliveries that a call completed, `back` those that it returned.
    """

    def __init__(self, lab: Lab, queues: Queues, url: str, *, at_once: int) -> None:
        self.deleted: list[Delivered] = []
        self.back: list[Delivered] = []
        self._lab = lab
        self._queues = queues
        self._url = url
        self._at_once = at_once
        self._running = 0
        self._asleep = False

    def poll(self) -> None:
        """Poll for messages until there are none."""
        if self._running < self._at_once:
            most = self._lab.random.choice([1, 3, 10, BATCH_MAX])
            if messages := self._queues.receive(self._url, most):
                self._bring(messages)
        if self._queues.queues[self._url]:
            between = POLL_SECONDS if self._lab.rough() else CALM_POLL_SECONDS
            self._lab.after(self._lab.seconds(between), self.poll)
        else:
            self._asleep = True

    def wake(self) -> None:
        """Poll again, since there is a message."""
        if self._asleep:
            self._asleep = False
            self.poll()

    def _bring(self, messages: Sequence[Message]) -> None:
        self._running += 1
        if self._lab.perhaps(0.1):
            # Delivered, and not hidden: another call has it at the same time.
            self._lab.random.choice(messages).visible_at = 0.0
        event = {"Records": [_sqs_record(message, self._url) for message in messages]}
        self._lab.start("ingest_events", event, lambda call: self._end(call, messages))

    def _end(self, call: Call, messages: Sequence[Message]) -> None:
        self._running -= 1
        if call.killed or call.error is not None:
            return
        brought = {message.message_id for message in messages}
        back = {failure["itemIdentifier"] for failure in call.answer["batchItemFailures"]}
        if not back <= brought:
            self._lab.violated(f"{call.name} names messages that it was not brought: {sorted(back - brought)}")
            return
        for message in messages:
            (self.back if message.message_id in back else self.deleted).append(Delivered(message.body, call.name))
        for message_id in sorted(brought - back):
            if not self._lab.perhaps(0.05):
                self._queues.delete(self._url, message_id)


def _sqs_record(message: Message, url: str) -> dict[str, Any]:
    return {
        "messageId": message.message_id,
        "receiptHandle": message.handles[-1],
        "body": message.body,
        "attributes": system_attributes(message),
        "messageAttributes": {
            name: {"dataType": attribute["DataType"], "stringValue": attribute["StringValue"]}
            for name, attribute in message.attributes.items()
        },
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{url.rpartition('/')[2]}",
        "awsRegion": "eu-west-1",
    }


class StreamPoller:
    """Delivers one shard of a table's stream to a function, in order, until each record is completed."""

    def __init__(self, lab: Lab, function: str, table: Table, shard: int) -> None:
        self.function = function
        self._lab = lab
        self._records = table.shards[shard]
        self._patterns = _patterns(function)
        shortest, longest = POLL_SECONDS
        self._poll_seconds = (shortest, longest + window_seconds(function))
        self._place = 0
        self._busy = False
        self._whims = WHIMS_MAX

    @property
    def done(self) -> bool:
        """Whether it has delivered everything."""
        return not self._busy and self._place >= len(self._records)

    def poll(self) -> None:
        """Deliver the next records, unless the last ones are still in progress."""
        if self._busy:
            return
        if self._place and self._whims and self._lab.perhaps(0.1):
            self._whims -= 1
            if self._lab.perhaps(0.5):
                self._stray()
            else:
                self._place -= self._lab.random.randint(1, min(self._place, 10))
        if self._place >= len(self._records):
            return
        size = self._lab.random.choice([1, 2, 5, BATCH_MAX])
        window = self._records[self._place : self._place + size]
        end = self._place + len(window)
        chosen = [record for record in window if _passes(record, self._patterns)]
        if not chosen:
            self._place = end
            self._lab.after(self._lab.seconds(self._poll_seconds), self.poll)
            return
        self._busy = True
        self._lab.start(self.function, {"Records": chosen}, lambda call: self._end(call, chosen, end))

    def _stray(self) -> None:
        """Deliver some earlier records again, in parallel: a batch that was wrongly believed lost."""
        start = self._lab.random.randrange(self._place)
        window = self._records[start : start + self._lab.random.choice([1, 3, 10])]
        if chosen := [record for record in window if _passes(record, self._patterns)]:
            self._lab.start(self.function, {"Records": chosen}, lambda _: None)

    def _end(self, call: Call, chosen: Sequence[Mapping[str, Any]], end: int) -> None:
        if call.killed or call.error is not None:
            self._lab.after(self._lab.seconds(RETRY_SECONDS), self._retry)
            return
        brought = [record["dynamodb"]["SequenceNumber"] for record in chosen]
        back = {failure["itemIdentifier"] for failure in call.answer["batchItemFailures"]}
        if not back <= set(brought):
            self._lab.violated(f"{call.name} names records that it was not brought: {sorted(back)}")
            back = set()
        if not back:
            self._busy = False
            self._place = max(self._place, end)
            self._lab.after(self._lab.seconds(self._poll_seconds), self.poll)
            return
        first = next(record for record in chosen if record["dynamodb"]["SequenceNumber"] in back)
        self._place = next(place for place, record in enumerate(self._records) if record is first)
        self._lab.after(self._lab.seconds(RETRY_SECONDS), self._retry)

    def _retry(self) -> None:
        """Deliver the failed records again, which block their shard until then."""
        self._busy = False
        self.poll()


def _patterns(function: str) -> list[Any]:
    [source] = declared()[logical_id(function)]["Properties"]["Events"].values()
    filters = source["Properties"].get("FilterCriteria", {}).get("Filters", [])
    return [json.loads(found["Pattern"]) for found in filters]


def _passes(record: Any, patterns: Sequence[Any]) -> bool:
    return not patterns or any(_matches(record, pattern) for pattern in patterns)


def _matches(value: Any, pattern: Any) -> bool:
    """Return whether a record is one that the event filter lets through, as Lambda's documentation has it."""
    if isinstance(pattern, list):
        return any(_matches_one(value, one) for one in pattern)
    if not isinstance(value, Mapping):
        return all(_matches(None, part) for part in pattern.values())
    return all(_matches(value.get(name), part) for name, part in pattern.items())


def _matches_one(value: Any, one: Any) -> bool:
    if not isinstance(one, Mapping):
        return bool(value == one)
    [(test, wanted)] = one.items()
    if test == "exists":
        return bool((value is not None) == wanted)
    if test == "anything-but":
        return value is not None and value not in wanted
    raise AssertionError(f"the simulator knows no filter {test}")

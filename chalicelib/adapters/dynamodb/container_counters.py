"""The counters of all containers in the figures table: each overwrites one item, and a reader adds them up.

The items are slots: there are never more of them than containers that live at the same time. A container takes a free
slot, or one whose owner has been silent for `SILENT_SECONDS`, and keeps that owner's counters as the slot's `base`:
they are added exactly once, since the takeover is conditional on the owner's last write. An owner that was only
suspended finds its slot taken, sees which of its writes was added, and continues in another slot with the rest. Nothing
expires, nothing is deleted, nothing is scanned.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from chalicelib.adapters.dynamodb.figures import DynamoDBFigures

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Counted = Mapping[str, float]

SLOTS_PER_READ = 32
"""Slots that are read, and offered, together; the next ones are read only if these are all taken."""
SLOTS_MAX = 1024
SILENT_SECONDS = 900
CLAIMS_MAX = 5
"""Slots that a container tries to take before it postpones its counters."""

_PREFIX = "container#"


class ContainerCounters:
    """Stores one container's counters, and sums up those of all."""

    def __init__(self, client: "DynamoDBClient", *, table: str, clock: Callable[[], float] = time.time) -> None:
        self._figures = DynamoDBFigures(client, table=table)
        self._clock = clock
        self._me = str(uuid4())
        self._slot: int | None = None
        self._base: Counted = {}
        self._former: Mapping[str, Any] = {}
        self._elsewhere: Counted = {}
        self._written: dict[int, Counted] = {}
        self._writes = 0

    def save(self, values: Counted) -> None:
        """Overwrite this container's counters in the table with `values`, if they changed.

        May raise whatever botocore raises: the next call makes up for it.
        """
        if self._slot is not None and self._write(values):
            return
        for _ in range(CLAIMS_MAX):
            if self._claim() and self._write(values):
                return

    def sums(self) -> dict[str, float]:
        """Return the sum of the counters of all containers, past and present."""
        sums: dict[str, float] = {}
        for items in self._read_slots():
            for item in items.values():
                for part in (_counted(item, "base"), _counted(item, "own")):
                    sums = _plus(sums, part)
        return sums

    def _read_slots(self) -> Any:
        """Yield the existing slots by number, `SLOTS_PER_READ` at a time, up to the first read without any."""
        for first in range(0, SLOTS_MAX, SLOTS_PER_READ):
            keys = [f"{_PREFIX}{number}" for number in range(first, first + SLOTS_PER_READ)]
            items = {int(item["id"]["S"].removeprefix(_PREFIX)): item for item in self._figures.read(keys)}
            yield {number: items[number] for number in sorted(items)}
            if not items:
                return

    def _claim(self) -> bool:
        """Take a slot, and return whether it now belongs to this container."""
        found = self._free_slot()
        if found is None:
            return False
        number, item = found
        base = _plus(_counted(item, "base"), _counted(item, "own"))
        # Noted before the write: if its answer is lost, the next write finds out whose slot it is.
        self._slot, self._base, self._former = number, base, {}
        self._written, self._writes = {0: {}}, 0
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if item:
            condition = {
                "ConditionExpression": "#owner = :owner AND writes = :writes",
                "ExpressionAttributeNames": {"#owner": "owner"},
                "ExpressionAttributeValues": {":owner": item["owner"], ":writes": item["writes"]},
            }
            self._former = {"former_owner": item["owner"], "former_writes": item["writes"]}
        if not self._put({}, condition):
            self._slot = None
        return self._slot is not None

    def _free_slot(self) -> tuple[int, Mapping[str, Any]] | None:
        silent_since = self._clock() - SILENT_SECONDS
        for place, items in enumerate(self._read_slots()):
            first = place * SLOTS_PER_READ
            free = [
                number
                for number in range(first, first + SLOTS_PER_READ)
                if number not in items or float(items[number]["at"]["N"]) < silent_since
            ]
            if free:
                number = random.choice(free)  # noqa: S311 - containers that start together should not meet
                return number, items.get(number, {})
        return None

    def _write(self, values: Counted) -> bool:
        """Overwrite the slot, and return whether it still belonged to this container."""
        own = _plus(values, self._elsewhere, sign=-1)
        if self._written == {self._writes: own}:
            return True
        self._writes += 1
        self._written[self._writes] = own
        condition = {
            "ConditionExpression": "#owner = :me",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":me": {"S": self._me}},
        }
        if self._put(own, condition):
            self._written = {self._writes: own}
            return True
        self._leave_slot()
        return False

    def _leave_slot(self) -> None:
        """Note which of this container's counters remain in the slot that another one has taken."""
        [item] = self._figures.read([f"{_PREFIX}{self._slot}"]) or [{}]
        confirmed = self._written[min(self._written)]
        folded = confirmed
        if item.get("former_owner", {}).get("S") == self._me:
            folded = self._written.get(int(item["former_writes"]["N"]), confirmed)
        self._elsewhere = _plus(self._elsewhere, folded)
        self._slot = None

    def _put(self, own: Counted, condition: Mapping[str, Any]) -> bool:
        item = {
            "id": {"S": f"{_PREFIX}{self._slot}"},
            "owner": {"S": self._me},
            "writes": {"N": str(self._writes)},
            "at": {"N": str(round(self._clock(), 3))},
            "base": {"S": json.dumps(self._base, separators=(",", ":"))},
            "own": {"S": json.dumps(own, separators=(",", ":"))},
            **self._former,
        }
        return self._figures.put(item, condition)


def _counted(item: Mapping[str, Any], name: str) -> Counted:
    return json.loads(item[name]["S"]) if name in item else {}


def _plus(one: Counted, other: Counted, *, sign: int = 1) -> dict[str, float]:
    sums = {name: one.get(name, 0) + sign * other.get(name, 0) for name in {**one, **other}}
    return {name: value for name, value in sums.items() if value}

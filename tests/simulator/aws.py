"""The AWS account of a run: its tables, queues and bus, and the routing of requests to them."""

import json
from collections.abc import Callable
from typing import Any

from tests.simulator.queues import Queues
from tests.simulator.tables import AwsError, Request, Tables

ENTRIES_MAX = 10
CREDITS, TRANSACTIONS, FIGURES = "credits", "transactions", "figures"
BUS = "credits"


class Aws:
    """The services that the functions use. `clock` gives seconds; with `stale` a read may miss a recent write."""

    def __init__(self, *, clock: Callable[[], float], stale: Callable[[], bool] = lambda: False) -> None:
        self.tables = Tables(clock=clock, stale=stale)
        self.queues = Queues(clock=clock)
        self.heard: list[dict[str, Any]] = []

    def answer(self, service: str, operation: str, request: Request, *, by: str = "") -> dict[str, Any]:
        """Apply a request of the call `by`, and return its answer; raises `AwsError` where it is refused."""
        self.tables.by = self.queues.by = by
        if service == "dynamodb":
            return self.tables.answer(operation, request)
        if service == "sqs":
            return self.queues.answer(operation, request)
        if (service, operation) == ("events", "PutEvents"):
            return self._put_events(request)
        raise AwsError("UnknownOperationException", f"the account has no {service} {operation}")

    def _put_events(self, request: Request) -> dict[str, Any]:
        entries = request["Entries"]
        if not 1 <= len(entries) <= ENTRIES_MAX:
            raise AwsError("ValidationException", f"{len(entries)} entries")
        for entry in entries:
            if entry["EventBusName"] != BUS:
                raise AwsError("ResourceNotFoundException", f"there is no bus {entry['EventBusName']}")
            self.heard.append(
                {
                    "source": entry["Source"],
                    "detail-type": entry["DetailType"],
                    "detail": json.loads(entry["Detail"]),
                    "time": entry.get("Time"),
                }
            )
        return {"FailedEntryCount": 0, "Entries": [{"EventId": f"{len(self.heard)}-{n}"} for n in range(len(entries))]}

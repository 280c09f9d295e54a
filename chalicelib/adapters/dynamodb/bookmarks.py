"""The progress of sweeps over the ledger, kept in the figures table beside their metrics: checks, and what is due.

Every method may raise `RetryLater` (`unavailable`).
"""

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.dynamodb.fleet import DUE, RECONCILED
from chalicelib.domain.ids import Instant
from chalicelib.usecases.reconciling import LedgerSweep

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SETS = frozenset({"drifted", "suspects", "too_long"})


class _Mark:
    """One item of the figures table."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def _read(self, name: str) -> dict[str, Any]:
        key: Any = {"id": {"S": name}}
        with transient_faults("the figures"):
            return dict(self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {}))

    def _write(self, name: str, attributes: Any) -> None:
        with transient_faults("the figures"):
            self._client.put_item(TableName=self._table, Item={"id": {"S": name}, **attributes})


class Bookmarks(_Mark):
    """Keeps the one bookmark of the function that checks the ledger."""

    def last(self) -> LedgerSweep | None:
        """Return the last sweep kept, None before the first one or if it is no longer readable."""
        item = self._read(RECONCILED)
        if "sweep" not in item:
            return None
        # An earlier or later release may have kept more or less of a sweep.
        known = {field.name for field in fields(LedgerSweep)}
        kept: dict[str, Any] = {name: value for name, value in json.loads(item["sweep"]["S"]).items() if name in known}
        kept |= {name: frozenset(value) for name, value in kept.items() if name in _SETS}
        return LedgerSweep(**kept)

    def keep(self, sweep: LedgerSweep) -> None:
        """Keep the sweep; `drift` beside it is the metric: the last sweep's count until this one exceeds it or ends."""
        kept = {name: sorted(value) if name in _SETS else value for name, value in asdict(sweep).items()}
        text = json.dumps(kept, separators=(",", ":"))
        self._write(RECONCILED, {"drift": {"N": str(drift(sweep))}, "sweep": {"S": text}})


class DueMarks(_Mark):
    """Keeps the one mark of the function that posts what is due."""

    def last(self) -> Instant | None:
        """Return until when everything that was due has been posted, None before the first sweep."""
        item = self._read(DUE)
        return Instant(item["until"]["S"]) if "until" in item else None

    def keep(self, until: Instant) -> None:
        """Keep until when everything that was due has been posted."""
        self._write(DUE, {"until": {"S": until}})


def drift(sweep: LedgerSweep) -> int:
    """Return the number of findings: the last finished sweep's, or this one's so far if that is more."""
    return max(sweep.drift, sweep.found)

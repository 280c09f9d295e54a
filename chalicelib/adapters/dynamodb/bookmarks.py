"""The progress of a sweep over the ledger, kept in the figures table beside its metric."""

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.dynamodb.fleet import RECONCILED
from chalicelib.usecases.reconciling import LedgerSweep

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SETS = frozenset({"drifted", "suspects", "too_long"})


class Bookmarks:
    """Keeps the one bookmark. Both methods may raise `RetryLater` (`unavailable`)."""

    def __init__(self, client: "DynamoDBClient", *, table: str) -> None:
        self._client = client
        self._table = table

    def last(self) -> LedgerSweep | None:
        """Return the last sweep kept, None before the first one or if it is no longer readable."""
        key: Any = {"id": {"S": RECONCILED}}
        with transient_faults("the figures"):
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
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
        item: Any = {
            "id": {"S": RECONCILED},
            "drift": {"N": str(drift(sweep))},
            "sweep": {"S": json.dumps(kept, separators=(",", ":"))},
        }
        with transient_faults("the figures"):
            self._client.put_item(TableName=self._table, Item=item)


def drift(sweep: LedgerSweep) -> int:
    """Return the number of findings: the last finished sweep's, or this one's so far if that is more."""
    return max(sweep.drift, sweep.found)

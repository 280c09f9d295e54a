"""The progress of the two sweeps over the ledger, the checks and the posting of what is due, in the figures table.

Every method may raise `RetryLater` (`unavailable`).
"""

import json
from dataclasses import asdict, fields
from typing import Any

from chalicelib.adapters.dynamodb.figures import FiguresTable
from chalicelib.adapters.dynamodb.fleet import DUE, RECONCILED
from chalicelib.domain.ids import Instant
from chalicelib.usecases.reconciling import LedgerSweep

_SETS = frozenset({"drifted", "suspects", "too_long"})


class Bookmarks(FiguresTable):
    """Keeps the one bookmark of the function that checks the ledger."""

    def last(self) -> LedgerSweep | None:
        """Return the last sweep kept, None before the first one or if it is no longer readable."""
        item = self.item(RECONCILED)
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
        self.keep_item(RECONCILED, {"drift": {"N": str(drift(sweep))}, "sweep": {"S": text}})


class DueMarks(FiguresTable):
    """Keeps the one mark of the function that posts what is due."""

    def last(self) -> Instant | None:
        """Return until when everything that was due has been posted, None before the first sweep."""
        item = self.item(DUE)
        return Instant(item["until"]["S"]) if "until" in item else None

    def keep(self, until: Instant) -> None:
        """Keep until when everything that was due has been posted."""
        self.keep_item(DUE, {"until": {"S": until}})


def drift(sweep: LedgerSweep) -> int:
    """Return the number of findings: the last finished sweep's, or this one's so far if that is more."""
    return max(sweep.drift, sweep.found)

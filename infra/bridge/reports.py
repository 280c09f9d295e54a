"""The outcome of a batch, and the one log line about it."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from infra.bridge.telemetry import Outcome

REASONS_SHOWN = 3
"""The most different reasons that a line names; the rest are counted."""

_WORDS = {
    Outcome.FORWARDED: "forwarded",
    Outcome.OWN: "our own, skipped",
    Outcome.PARKED: "parked",
    Outcome.PUBLISHED: "published",
    Outcome.REPEATED: "published before",
    Outcome.RETRIED: "to be tried again",
    Outcome.UNPUBLISHABLE: "left to the dead-letter queue",
}

_FINE = frozenset({Outcome.FORWARDED, Outcome.OWN, Outcome.PUBLISHED, Outcome.REPEATED})


@dataclass(slots=True, kw_only=True)
class BatchReport:
    """Counts of outcomes and reasons, and why the other side could not be reached at all."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unavailable: str | None = None

    def count(self, outcome: Outcome, reason: str | None = None) -> None:
        """Add one message with `outcome`, for `reason`."""
        self.outcomes[outcome] += 1
        if reason is not None:
            self.reasons[reason] += 1

    @property
    def level(self) -> int:
        """The log level that the batch deserves: a warning when somebody may have to act."""
        return logging.INFO if self.outcomes.keys() <= _FINE else logging.WARNING

    def __str__(self) -> str:
        """Return the outcomes in words, then the reasons, most frequent first; never anything from a payload."""
        what = ", ".join(f"{times} {_WORDS[outcome]}" for outcome, times in self.outcomes.items())
        why = "; ".join(reason for reason, _ in self.reasons.most_common(REASONS_SHOWN))
        hidden = len(self.reasons) - REASONS_SHOWN
        more = f"; and {hidden} more reasons" if hidden > 0 else ""
        return f"{what} ({why}{more})" if why else what

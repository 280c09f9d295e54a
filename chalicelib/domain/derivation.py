"""Which thresholds a record crossed, derived from the ledger again: one derivation for all who ask.

The audit, the story of a plugin and `credits republish` rest on it: it repeats what `apply` decided for the record.
"""

from dataclasses import dataclass

from chalicelib.domain.ledger import THRESHOLD_BEFORE, CrossingRecord, Transaction, crossed_by
from chalicelib.domain.thresholds import Crossing

OF_THE_THRESHOLD = frozenset({Crossing.LOW_BALANCE_REACHED, Crossing.BALANCE_RESTORED})
"""The crossings that depend on the low-balance threshold, and not on the balance alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The crossings of a record. `doubtful`: low and restored are left out, because the ledger cannot tell.

    `low_before` is the threshold that the account had before the record, as far as the ledger tells.
    """

    crossings: tuple[CrossingRecord, ...]
    low_before: int
    doubtful: bool


def derived_crossings(record: Transaction, *, before: Transaction | None) -> Derived:
    """Return the thresholds that `record` crossed; `before` is the record it follows, None where it is not at hand.

    A record names the threshold before it wherever the record before may not tell. Records of earlier releases do not:
    where the threshold moved past the balance in front of one, either an admin's change published that crossing or
    this record did, and only low and restored are in doubt.
    """
    named = record.metadata.get(THRESHOLD_BEFORE)
    if isinstance(named, int):
        low_before, doubtful = named, False
    elif before is not None and before.sequence == record.sequence - 1:
        low_before = before.threshold
        doubtful = (record.balance_before > low_before) != (record.balance_before > record.threshold)
    else:
        low_before, doubtful = record.threshold, record.sequence > 1
    return Derived(
        crossings=tuple(
            crossing
            for crossing in crossed_by(record, low_before=low_before)
            if not (doubtful and crossing.type in OF_THE_THRESHOLD)
        ),
        low_before=low_before,
        doubtful=doubtful,
    )

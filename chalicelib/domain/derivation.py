"""Which thresholds a transaction crossed, derived from the ledger. This is the only derivation.

The audit, the story of a plugin and `credits republish` use it: it repeats what `apply` decided for the transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.ledger import THRESHOLD_BEFORE, Crossing, CrossingType, crossed_by
from chalicelib.domain.transactions import Transaction

OF_THE_THRESHOLD = frozenset({CrossingType.LOW_BALANCE_REACHED, CrossingType.BALANCE_RESTORED})
"""The crossings that depend on the low-balance threshold, and not on the balance alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The crossings of a transaction. `doubtful`: low and restored are left out, as the ledger does not prove them.

    `low_before` is the threshold that the account had before the transaction, as far as the ledger shows.
    """

    crossings: tuple[Crossing, ...]
    low_before: int
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A story's transactions, oldest first; `complete`: none is left out since the opening."""

    transactions: Sequence[Transaction]
    complete: bool


def derived_crossings(transaction: Transaction, *, before: Transaction | None) -> Derived:
    """Return the thresholds that `transaction` crossed; `before` is the previous transaction, None if unknown.

    A transaction names the threshold before it where the transaction before may hold another. Transactions of earlier
    releases do not: where the threshold moved past the balance in front of one, either an admin's change published that
    crossing or this transaction did, and only low and restored are in doubt.
    """
    named = transaction.metadata.get(THRESHOLD_BEFORE)
    if isinstance(named, int):
        low_before, doubtful = named, False
    elif before is not None and before.sequence == transaction.sequence - 1:
        low_before = before.threshold
        doubtful = (transaction.balance_before > low_before) != (transaction.balance_before > transaction.threshold)
    else:
        low_before, doubtful = transaction.threshold, transaction.sequence > 1
    return Derived(
        crossings=tuple(
            crossing
            for crossing in crossed_by(transaction, low_before=low_before)
            if not (doubtful and crossing.type in OF_THE_THRESHOLD)
        ),
        low_before=low_before,
        doubtful=doubtful,
    )

"""What the publishers said of a record, derived from the ledger again: the same events under the same ids.

Not to be derived are events without a transaction, of a threshold that an admin changed: their id counts the writes to
the account, which no record keeps. They are at hand only until the account's next write, which carries them.
"""

from dataclasses import dataclass

from chalicelib.contracts.published import PublishedEvent, crossing_event, transaction_event
from chalicelib.domain.ledger import Transaction, crossed_by
from chalicelib.domain.thresholds import Crossing
from chalicelib.domain.walk import doubtful

_OF_THE_THRESHOLD = (Crossing.LOW_BALANCE_REACHED, Crossing.BALANCE_RESTORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The events of a record: what the stream of transactions publishes, and that of accounts.

    `doubtful` tells that low or restored are left out, because the records do not tell whether this one passed the
    threshold or the threshold was moved past the balance before it.
    """

    of_transaction: tuple[PublishedEvent, ...]
    of_crossings: tuple[PublishedEvent, ...]
    doubtful: bool


def derived(record: Transaction, *, before: Transaction | None) -> Derived:
    """Return the events of a record; `before` is the one it follows, None for the first."""
    low_before = before.threshold if before else record.threshold
    unclear = doubtful(record, low_before=low_before)
    published = transaction_event(record)
    return Derived(
        of_transaction=(published,) if published else (),
        of_crossings=tuple(
            # Of a movement, the transaction is the fact: the account's version is not in its events.
            crossing_event(record.merchant_id, crossing, version=0)
            for crossing in crossed_by(record, low_before=low_before)
            if not (unclear and crossing.type in _OF_THE_THRESHOLD)
        ),
        doubtful=unclear,
    )

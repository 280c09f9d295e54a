"""The events that were published for a transaction, derived from the ledger again: the same events, the same ids.

Events of a threshold that an admin changed have no transaction and cannot be derived: their id contains the account's
version, which no transaction keeps. The account's item carries them until its next write.
"""

from dataclasses import dataclass

from chalicelib.contracts.outbound.published import PublishedEvent, crossing_event, transaction_event
from chalicelib.domain.derivation import derived_crossings
from chalicelib.domain.transactions import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedEvents:
    """The events of a transaction: what the stream of transactions publishes, and that of accounts.

    `doubtful`: low or restored are left out, because an earlier release wrote the transaction, and the ledger does not
    show whether it passed the threshold or an admin moved the threshold past the balance before it.
    """

    of_transaction: tuple[PublishedEvent, ...]
    of_crossings: tuple[PublishedEvent, ...]
    doubtful: bool


def derived_events(transaction: Transaction, *, before: Transaction | None) -> DerivedEvents:
    """Return the events of a transaction; `before` is the previous one, None where there is none or it is unknown."""
    published = transaction_event(transaction)
    crossed = derived_crossings(transaction, before=before)
    return DerivedEvents(
        of_transaction=(published,) if published else (),
        # Of a movement, the transaction is the fact: the account's version is not in its events.
        of_crossings=tuple(
            crossing_event(transaction.merchant_id, crossing, version=0) for crossing in crossed.crossings
        ),
        doubtful=crossed.doubtful,
    )

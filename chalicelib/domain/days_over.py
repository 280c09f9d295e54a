"""The ends of an account's days and months, derived from its transactions alone: after a restore, which loses them."""

from collections.abc import Iterable, Iterator

from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.statements import Closing, DayOver, day_between
from chalicelib.domain.transactions import Transaction
from chalicelib.domain.walk import Walk


def days_over(walk: Walk, transactions: Iterable[Transaction | UnreadableTransaction]) -> Iterator[DayOver]:
    """Yield each end that the transactions prove; walks them all from the first one. `walk` must be new.

    They are the same ends as `roll_up` keeps. After a transaction that is missing, changed or unreadable nothing is
    proven: then the iteration stops, and the walk is not `intact`.
    """
    for transaction in transactions:
        walk.step(transaction)
        if not walk.intact:
            return
        assert isinstance(transaction, Transaction), "the walk is not intact after one that cannot be read"
        # `last` is the transaction before: the walk takes each one in when the next one arrives.
        if (last := walk.last) is None:
            continue
        closing = Closing(
            sequence=last.sequence,
            balance=last.balance_after,
            debt=walk.debt,
            total_shortfall=walk.total_shortfall,
            hash=last.hash,
            totals=dict(walk.totals),
        )
        over = day_between(walk.merchant_id, last.created_at, transaction.created_at, closing)
        if over is not None:
            yield over

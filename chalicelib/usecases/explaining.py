"""Gathers the transactions that explain why a plugin is off or on."""

from collections.abc import Callable, Sequence

from chalicelib.domain.derivation import Excerpt
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.transactions import Transaction

BEFORE_MAX = 200
"""How many transactions a story looks back at, up to the one that decided the status."""
AFTER_MAX = 200
"""Of the transactions after it, how many of the first and of the newest a story looks at."""

Transactions = Callable[[MerchantId, int, int], Sequence[Transaction]]
"""Reads a merchant's transactions of these sequences, both included, newest first."""


def excerpt_of(account: Account, decided: Transaction | None, read: Transactions) -> Excerpt:
    """Return the transactions around the one that decided the status, and the newest; at most three reads.

    `decided` is that transaction, None where none was found: the story then looks back from the newest.
    """
    middle = account.sequence if decided is None else decided.sequence
    wanted = [
        (middle - BEFORE_MAX + 1, middle + AFTER_MAX),
        (max(middle + AFTER_MAX, account.sequence - AFTER_MAX) + 1, account.sequence),
    ]
    if middle > BEFORE_MAX:
        wanted.insert(0, (1, 1))
    # An index may lag a moment; this transaction was read by its key.
    found = {} if decided is None else {decided.sequence: decided}
    for lowest, highest in wanted:
        if max(1, lowest) <= min(highest, account.sequence):
            transactions = read(account.merchant_id, max(1, lowest), min(highest, account.sequence))
            found |= {transaction.sequence: transaction for transaction in transactions}
    transactions = [found[sequence] for sequence in sorted(found)]
    return Excerpt(
        transactions,
        complete=[transaction.sequence for transaction in transactions] == list(range(1, account.sequence + 1)),
    )

"""An account's freeze as its transactions prove it; each transaction is checked for impossible values."""

from chalicelib.domain.freeze import FREEZE, FROZEN, OFF, ON, PLUGIN, Freeze, FreezeNote, end_key
from chalicelib.domain.grace import Grace, after_time, due_time
from chalicelib.domain.ids import Instant
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Transaction


def wrongly_frozen(freeze: Freeze | None, grace: Grace | None, transaction: Transaction) -> str | None:
    """Return why a sealed transaction's record of a freeze is impossible, None if it is possible.

    `freeze` and `grace` are the account's before it.
    """
    note = transaction.metadata.get(FREEZE)
    if (
        freeze is not None
        and freeze.until is not None
        and note != FreezeNote.ENDED
        and _is_over(freeze.until, transaction)
    ):
        return f"it was created at {transaction.created_at}, and before that the freeze had to end, at {freeze.until}"
    if note is None:
        return _wrongly_noted(freeze, transaction)
    if note != FreezeNote.FROZEN and freeze is None:
        return "it ends a freeze that there is not"
    if note == FreezeNote.ENDED and freeze is not None and not _ends(freeze.until, transaction):
        return f"it ends at {transaction.reference_id} a freeze until {freeze.until}"
    grace = after_time(grace, due_time(transaction))
    covered = transaction.balance_before > 0 or (grace is not None and grace.running)
    turned = (OFF if freeze is None else None) if note == FreezeNote.FROZEN else ON
    expected, found = turned if covered else None, transaction.metadata.get(PLUGIN)
    return None if found == expected else f"it switched the plugin {found}, and it can only have been {expected}"


def _is_over(until: Instant, transaction: Transaction) -> bool:
    # Of two things due at the same instant, a lapse comes first.
    at = due_time(transaction)
    return at > until or (at == until and transaction.kind is not Kind.EXPIRY)


def _ends(until: Instant | None, transaction: Transaction) -> bool:
    return until is not None and (transaction.occurred_at, transaction.reference_id, transaction.idempotency_key) == (
        until,
        until,
        end_key(until),
    )


def _wrongly_noted(freeze: Freeze | None, transaction: Transaction) -> str | None:
    if (FROZEN in transaction.metadata) is (freeze is not None):
        return None
    if freeze is None:
        return "it says that the account was frozen, which it was not"
    return "the account was frozen, and it does not say so"

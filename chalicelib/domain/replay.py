"""An account's freeze and lots as its transactions prove them; each is checked for impossible values."""

from chalicelib.domain.due import lapse_key
from chalicelib.domain.freeze import FREEZE, FROZEN, OFF, ON, PLUGIN, Freeze, FreezeNote, end_key
from chalicelib.domain.grace import Grace, after_time, due_time
from chalicelib.domain.ids import Instant
from chalicelib.domain.lots import MERGED, Lots, deposit, draw, in_lots, in_words, merged_text, ordered, without
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.transactions import SCHEMA_VERSION, Transaction


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


def lots_after(transaction: Transaction, lots: Lots) -> Lots:
    """Return the lots after a transaction that drew from them or put credits in; unchanged if that is impossible."""
    if transaction.kind.direction is Direction.INCREASE:
        return deposit(lots, transaction.drawn)[0]
    try:
        return without(lots, transaction.drawn)
    except ValueError:
        return lots


def wrongly_drawn(transaction: Transaction, lots: Lots) -> str | None:
    """Return why no movement can have changed these lots in this way, None if one can."""
    drawn = transaction.drawn
    if drawn and transaction.schema_version == SCHEMA_VERSION:
        return f"it is of version {transaction.schema_version} and draws {in_words(drawn)}"
    if not (lots or drawn):
        return None
    if not ordered(drawn) or in_lots(drawn) > abs(transaction.amount):
        return f"it moved {transaction.amount} and drew {in_words(drawn)}"
    if transaction.kind is Kind.EXPIRY:
        return _wrongly_lapsed(transaction, lots)
    if lots and lots[0].expires_at <= due_time(transaction):
        return f"it was created at {transaction.created_at}, and before that {in_words(lots[:1])} had to lapse"
    if transaction.kind.direction is Direction.INCREASE:
        return _wrongly_deposited(transaction, lots)
    # A reversal takes from its payment's own lot first, whichever that is.
    own = [(lot,) for lot in lots] if transaction.kind is Kind.REVERSAL else []
    if not any(draw(lots, -transaction.amount, first=first) == drawn for first in ((), *own)):
        return f"it drew {in_words(drawn)} where the lots were {in_words(lots)}"
    return None


def _wrongly_lapsed(transaction: Transaction, lots: Lots) -> str | None:
    """Return why credits cannot have lapsed in this way: the whole first lot lapses, at its instant or later."""
    end = transaction.occurred_at
    if end is None or transaction.drawn != lots[:1] or transaction.drawn[0].expires_at != end:
        return f"it lapsed {in_words(transaction.drawn)} where the lots were {in_words(lots)}"
    if transaction.created_at < end or transaction.idempotency_key != lapse_key(end):
        return f"it lapsed at {transaction.created_at} under the key {transaction.idempotency_key}, its end is {end}"
    return None


def _wrongly_deposited(transaction: Transaction, lots: Lots) -> str | None:
    """Return why credits cannot have been put into lots in this way: none has lapsed, and merges only if needed."""
    drawn = transaction.drawn
    if drawn and drawn[0].expires_at <= transaction.created_at:
        return f"it put in {in_words(drawn[:1])}, and was created at {transaction.created_at}"
    merged = merged_text(deposit(lots, drawn)[1])
    if str(transaction.metadata.get(MERGED, "")) != merged:
        return f"it merged {transaction.metadata.get(MERGED, 'no lots')}, had to be {merged or 'none'}"
    return None

"""Freezing: an admin switches a shop's plugin off, whatever its balance and grace, until it ends or is unfrozen.

(contract, section 17, "Freeze")

Pure. A freeze and its end are transactions that move nothing; their metadata say what they did, so the ledger proves
whether an account is frozen. Every other transaction of a frozen account says that it was, and switches no plugin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant, TransactionId, milliseconds
from chalicelib.domain.movements import FixedMovement, Kind
from chalicelib.domain.transactions import Transaction

FREEZE: Final = "freeze"
"""In a transaction's metadata: what it did to a freeze, a `FreezeNote`."""
UNTIL: Final = "until"
"""In the metadata of a transaction that froze the account: when that ends, if it has an end."""
PLUGIN, ON, OFF = "plugin", "on", "off"
"""In the metadata of a transaction that did something to a freeze: which way the plugin went by it, if it did."""
FROZEN: Final = "frozen"
"""In a transaction's metadata: the account was frozen, so it switched no plugin."""


OF_A_FREEZE: Final = frozenset({Code.NOT_FROZEN, Code.UNTIL_PAST})
"""Why a freeze or its end is declined."""


class FreezeNote(StrEnum):
    """What a transaction did to a freeze: it began or replaced one, an admin ended it, or its end came."""

    FROZEN = "frozen"
    UNFROZEN = "unfrozen"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """An account's freeze: since when, by which transaction, why, by whom, and `until` when (None: no end).

    A later freeze replaces only reason, admin and end: the plugin is off since the first one.
    """

    since: Instant
    transaction_id: TransactionId
    reason: str
    admin_id: str
    until: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeMovement(FixedMovement):
    """An account is frozen `until` an instant (None: without an end), or unfrozen, as the `note` says: no credits move.

    It is a decrease, because an increase of nothing would count as an inflow.
    """

    kind: Kind = Kind.MANUAL_REMOVED
    credits: int = 0
    note: FreezeNote
    until: Instant | None = None


def end_key(until: Instant) -> str:
    """Return the idempotency key under which a freeze ends by time."""
    return f"UNFREEZE_{milliseconds(until)}"


def notes(
    freeze: Freeze | None, note: FreezeNote, until: Instant | None, *, covered: bool, now: Instant
) -> Mapping[str, str | int]:
    """Return the metadata of a transaction that does this to an account with this freeze.

    `covered`: the account has credits or a grace, so its plugin is on where it is not frozen.

    Raises:
        Rejected: `until_past` where the freeze would be over at `now`, `not_frozen` where there is none to end.
    """
    if note is not FreezeNote.FROZEN:
        if freeze is None:
            raise Rejected(Code.NOT_FROZEN, "the account is not frozen")
        return {FREEZE: note, **({PLUGIN: ON} if covered else {})}
    if until is not None and until <= now:
        message = f"a freeze until {until} would be over before it begins, at {now}"
        raise Rejected(Code.UNTIL_PAST, message, field="until")
    ends: Mapping[str, str | int] = {} if until is None else {UNTIL: until}
    return {FREEZE: note, **ends, **({PLUGIN: OFF} if covered and freeze is None else {})}


def after(freeze: Freeze | None, transaction: Transaction) -> Freeze | None:
    """Return an account's freeze after a transaction."""
    metadata = transaction.metadata
    note = metadata.get(FREEZE)
    if note is None:
        return freeze
    if note != FreezeNote.FROZEN:
        return None
    until = metadata.get(UNTIL)
    return Freeze(
        since=freeze.since if freeze else transaction.created_at,
        transaction_id=freeze.transaction_id if freeze else transaction.transaction_id,
        reason=str(metadata.get("reason", "")),
        admin_id=str(metadata.get("admin_id", "")),
        until=None if until is None else Instant(str(until)),
    )

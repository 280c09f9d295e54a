"""Grace and debt: for a while an account without credits keeps its plugin on, and owes what its orders lack.

(contract, section 16, "Grace"; a reversed payment may leave a debt too: section 14)

Pure. A transaction notes in its metadata what it did to a grace, so the ledger proves every debt of one; only its end
by time is in no transaction; it follows from the instant that its start names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.domain.freeze import FREEZE, FreezeNote
from chalicelib.domain.ids import Instant, TransactionId, instant
from chalicelib.domain.movements import FixedMovement, Kind, Movement
from chalicelib.domain.orders import Direction
from chalicelib.domain.runway import uses_credits
from chalicelib.domain.terms import GraceTerms
from chalicelib.domain.transactions import Transaction

GRACE: Final = "grace"
"""In a transaction's metadata: what it did to a grace, a `GraceNote`."""
DEBT: Final = "debt"
"""In the metadata of a reversal, or of an order in a grace: how many of its credits are owed since."""
UNTIL, CREDITS = "grace_until", "grace_credits"
"""In the metadata of a transaction that started a grace: its limits, as far as there are any."""


class GraceNote(StrEnum):
    """What a transaction did to a grace: started it, ended it, or passed zero while the grace kept the plugin on."""

    STARTED = "started"
    KEPT_ON = "kept_on"
    USED_UP = "used_up"
    PAID = "paid"


class End(StrEnum):
    """Why a grace ended: its time was over, its credits were used up, or an inflow was above the debt."""

    TIME = "time"
    CREDITS = "credits"
    INFLOW = "inflow"


ENDS: Final[Mapping[GraceNote, End]] = {GraceNote.USED_UP: End.CREDITS, GraceNote.PAID: End.INFLOW}
"""Of the notes of transactions that end a grace: why it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """A grace of an account, running or over; kept until the balance was above the low-balance threshold again.

    `until` and `credits` are its limits (None and 0: none), as of its start. `used` is what is owed because of it.
    `over` is when and why it ended.
    """

    started_at: Instant
    until: Instant | None
    credits: int
    used: int = 0
    over: tuple[Instant, End] | None = None

    @property
    def running(self) -> bool:
        """Whether it keeps the plugin on."""
        return self.over is None


def notes(  # noqa: PLR0913 - all that a transaction is about to be
    grace: Grace | None,
    terms: GraceTerms,
    *,
    kind: Kind,
    metadata: Mapping[str, str | int],
    before: int,
    amount: int,
    shortfall: int,
    debt: int,
    threshold: int,
    at: Instant,
) -> Mapping[str, str | int]:
    """Return what a transaction's metadata must note about grace; empty for most transactions.

    `before` is the balance before it, `debt` what was owed, `threshold` the low-balance threshold in force. A grace
    starts with the order that takes the last credit, unless that lacks more than may be owed, or there was a grace
    since the balance was last above the threshold. The caller sees to it that the account is not closed.
    """
    uses = uses_credits(kind, metadata)
    if grace is None or not grace.running:
        # A threshold that was lowered meanwhile may leave the balance above it without any transaction.
        anew = grace is None or before - debt > threshold
        starts = anew and terms.given and uses and before > 0 and before + amount == 0
        if not starts or (terms.credits and shortfall >= terms.credits):
            return {}
        found: dict[str, str | int] = {GRACE: GraceNote.STARTED}
        if terms.hours:
            found[UNTIL] = instant(datetime.fromisoformat(at) + timedelta(hours=terms.hours))
        if terms.credits:
            found[CREDITS] = terms.credits
        return found | _owed(shortfall)
    if uses:
        used_up = grace.credits and grace.used + shortfall >= grace.credits
        return {**({GRACE: GraceNote.USED_UP} if used_up else {}), **_owed(shortfall)}
    if kind.direction is Direction.INCREASE and amount > debt:
        return {GRACE: GraceNote.PAID}
    return {GRACE: GraceNote.KEPT_ON} if amount else {}


def _owed(shortfall: int) -> dict[str, str | int]:
    return {DEBT: shortfall} if shortfall else {}


def after(grace: Grace | None, transaction: Transaction, *, debt: int) -> Grace | None:
    """Return an account's grace after a transaction; `debt` is what is owed after it."""
    note = transaction.metadata.get(GRACE)
    if note == GraceNote.STARTED:
        until, limit = transaction.metadata.get(UNTIL), transaction.metadata.get(CREDITS, 0)
        return Grace(
            started_at=transaction.created_at,
            until=Instant(str(until)) if until else None,
            credits=int(limit),
            used=transaction.shortfall,
        )
    grace = after_time(grace, due_time(transaction))
    if grace is None:
        return None
    if grace.running:
        grace = _counted(grace, transaction)
    if note in ENDS:
        grace = replace(grace, over=(transaction.created_at, ENDS[GraceNote(str(note))]))
    if grace.running or transaction.balance_after - debt <= transaction.threshold:
        return grace
    return None


def due_time(transaction: Transaction) -> Instant:
    """Return the time for which a transaction was decided: its creation, or the instant at which it fell due.

    If two instants have passed before anything was written, what was due at the first is decided as if the second had
    not come.
    """
    by_time = transaction.kind is Kind.EXPIRY or transaction.metadata.get(FREEZE) == FreezeNote.ENDED
    return (transaction.occurred_at if by_time else None) or transaction.created_at


def limits(metadata: Mapping[str, str | int]) -> Mapping[str, str | int]:
    """Return the limits of the grace that a transaction started, by their names in its event."""
    named = {"ends_at": metadata.get(UNTIL), "credits": metadata.get(CREDITS)}
    return {name: value for name, value in named.items() if value is not None}


def _counted(grace: Grace, transaction: Transaction) -> Grace:
    if uses_credits(transaction.kind, transaction.metadata):
        return replace(grace, used=grace.used + transaction.shortfall)
    if transaction.kind is Kind.DEBT_REPAID:
        return replace(grace, used=max(0, grace.used + transaction.amount))
    return grace


def after_time(grace: Grace | None, now: Instant) -> Grace | None:
    """Return the grace as of `now`: it is over if its end has passed."""
    if grace is None or not grace.running or grace.until is None or grace.until > now:
        return grace
    return replace(grace, over=(grace.until, End.TIME))


def wrongly_owed(grace: Grace | None, transaction: Transaction) -> str | None:
    """Return why an order's debt is wrong: in a grace it is everything the order lacks, without one it is 0."""
    if not uses_credits(transaction.kind, transaction.metadata):
        return None
    known = after_time(grace, transaction.created_at)
    running = known is not None and known.running
    owed = transaction.shortfall if running or transaction.metadata.get(GRACE) == GraceNote.STARTED else 0
    found = int(transaction.metadata.get(DEBT, 0))
    if found == owed:
        return None
    return f"it made a debt of {found}, and {'in' if running else 'without'} a grace it is {owed}"


def switched(transaction: Transaction) -> bool:
    """Return whether a transaction switched the plugin: it passed zero without a grace, or used a grace up."""
    note = transaction.metadata.get(GRACE)
    if note is not None:
        return note == GraceNote.USED_UP
    return (transaction.balance_before > 0) != (transaction.balance_after > 0)


def owed_by(kind: Kind, amount: int, metadata: Mapping[str, str | int]) -> int:
    """Return by how much a transaction changes what its account owes, in credits."""
    if kind is Kind.DEBT_REPAID:
        return -abs(amount)
    return int(metadata.get(DEBT, 0))


def repayment_key(inflow: TransactionId) -> str:
    """Return the idempotency key under which an inflow pays debt."""
    return f"DEBT_REPAID_{inflow}"


def repays(kind: Kind) -> bool:
    """Return whether a transaction of this kind is an inflow, which pays debt before anything else."""
    return kind.direction is Direction.INCREASE


def repayment(inflow: Movement, *, debt: int, balance: int) -> FixedMovement | None:
    """Return the payment of debt that follows an inflow in the same write, None if nothing is owed or came in."""
    paid = min(debt, balance)
    if not paid:
        return None
    return FixedMovement(
        merchant_id=inflow.merchant_id,
        key=repayment_key(inflow.transaction_id),
        reference_id=inflow.transaction_id,
        occurred_at=inflow.occurred_at,
        correlation_id=inflow.correlation_id,
        kind=Kind.DEBT_REPAID,
        credits=paid,
    )

"""The only function that moves credits, `apply`: an account and a movement in, the account and a transaction out.

Pure: time comes in as an argument, nothing is read or written. Amounts are whole credits.
"""

from collections.abc import Mapping

from chalicelib.domain.alerts import CROSSED, Alerts, Supply, after_movement, crossed_text
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.freeze import FREEZE, FROZEN, FreezeMovement
from chalicelib.domain.freeze import after as freeze_after
from chalicelib.domain.freeze import notes as freeze_notes
from chalicelib.domain.grace import after as grace_after
from chalicelib.domain.grace import notes as grace_notes
from chalicelib.domain.grace import owed_by
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import CLOSED, THRESHOLD_BEFORE, Account, Crossing, crossed_by, decides_status
from chalicelib.domain.lots import MERGED, Lots, deposit, draw, merged_text, without
from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.orders import Direction
from chalicelib.domain.runway import Use, use_after
from chalicelib.domain.terms import NO_GRACE, TIME_TERMS, Outdated, TimeTerms, default_in_force
from chalicelib.domain.transactions import SCHEMA_VERSION, SCHEMA_VERSION_DRAWN, Total, Transaction, transaction_hash


def apply(  # noqa: PLR0913 - the movement, and all that decides what becomes of it
    account: Account,
    movement: Movement,
    *,
    kind: Kind,
    requested: int,
    metadata: Mapping[str, str | int],
    default_threshold: int,
    now: Instant,
    parts: Lots = (),
    terms: TimeTerms = TIME_TERMS,
) -> tuple[Account, Transaction, tuple[Crossing, ...]]:
    """Return the account after `movement`, its transaction and the thresholds it crossed.

    A decrease takes what is left, first from the lots of `parts`, and records the rest as shortfall; an increase puts
    `parts` into lots. `version` and `due_at` do not change: the write sets them, once for all its movements.

    Raises:
        Rejected: an admin's decrease would go below 0, or a freeze or its end is impossible.
    """
    amount = _moved(account, kind, requested)
    created_at = max(now, account.updated_at)
    threshold, outdated = _in_force(account, default=default_threshold, now=created_at)
    metadata, use, alerts = _kept_by_time(account, kind, requested, metadata, amount, created_at, threshold, terms)
    lots, drawn, merged = _change_lots(account.lots, amount, parts)
    transaction = Transaction(
        transaction_id=movement.transaction_id,
        merchant_id=account.merchant_id,
        sequence=account.sequence + 1,
        kind=kind,
        amount=amount,
        requested=requested,
        shortfall=requested - abs(amount),
        threshold=threshold,
        balance_before=account.balance,
        balance_after=account.balance + amount,
        idempotency_key=movement.key,
        reference_id=movement.reference_id,
        metadata=_noted(account, movement, metadata, created_at, threshold=threshold, merged=merged),
        correlation_id=movement.correlation_id,
        occurred_at=movement.occurred_at,
        created_at=created_at,
        previous_hash=account.hash,
        hash="",
        schema_version=SCHEMA_VERSION_DRAWN if drawn else SCHEMA_VERSION,
        drawn=drawn,
    )
    _seal(transaction)
    changed = _after(account, transaction, outdated, lots=lots, use=use, alerts=alerts)
    return changed, transaction, crossed_by(transaction, low_before=account.threshold)


def _noted(
    account: Account, movement: Movement, metadata: Mapping[str, str | int], at: Instant, *, threshold: int, merged: str
) -> Mapping[str, str | int]:
    """Return a transaction's metadata, with the facts about the account that no other member of it shows."""
    metadata = _freezing(account, movement, metadata, at)
    # Without it, this transaction's threshold, the account's and that of the transaction before are one and the same.
    if account.sequence and (threshold != account.threshold or account.updated_at != account.last_transaction_at):
        metadata = {**metadata, THRESHOLD_BEFORE: account.threshold}
    if account.closed:
        metadata = {**metadata, CLOSED: 1}
    if account.freeze is not None and FREEZE not in metadata:
        metadata = {**metadata, FROZEN: 1}
    if merged:
        metadata = {**metadata, MERGED: merged}
    return metadata


def _freezing(
    account: Account, movement: Movement, metadata: Mapping[str, str | int], at: Instant
) -> Mapping[str, str | int]:
    """Return a transaction's metadata, with its effect on a freeze; raises `Rejected` if that is impossible."""
    if not isinstance(movement, FreezeMovement):
        return metadata
    noted = freeze_notes(account.freeze, movement.note, movement.until, covered=account.covered, now=at)
    return {**metadata, **noted}


def _moved(account: Account, kind: Kind, requested: int) -> int:
    """Return the credits that a movement moves, signed: a decrease takes no more than the balance."""
    if kind.direction is Direction.INCREASE:
        return requested
    if requested > account.balance and kind is Kind.MANUAL_REMOVED:
        raise Rejected(
            Code.INSUFFICIENT_CREDITS,
            f"the balance is {account.balance}, {requested} credits cannot be taken from it",
            field="credits",
        )
    return -min(requested, account.balance)


def _change_lots(lots: Lots, amount: int, parts: Lots) -> tuple[Lots, Lots, str]:
    """Return the lots after a movement, what it took from them or put into them, and the merged ones, as text."""
    if amount > 0:
        after, merges = deposit(lots, parts)
        return after, parts, merged_text(merges)
    drawn = draw(lots, -amount, first=parts) if lots else ()
    return without(lots, drawn) if drawn else lots, drawn, ""


def _in_force(account: Account, *, default: int, now: Instant) -> tuple[int, Outdated | None]:
    """Return the threshold in force for the next transaction, and the default that it replaces."""
    if account.low_balance_threshold is not None:
        return account.low_balance_threshold, None
    return default_in_force(account.threshold, account.outdated, default=default, now=now)


def _seal(transaction: Transaction) -> None:
    # Nothing else refers to the transaction yet, and a copy would cost as much as all the rest of the movement.
    object.__setattr__(transaction, "hash", transaction_hash(transaction))


def _kept_by_time(
    account: Account,
    kind: Kind,
    requested: int,
    metadata: Mapping[str, str | int],
    amount: int,
    at: Instant,
    threshold: int,
    terms: TimeTerms,
) -> tuple[Mapping[str, str | int], Use | None, Alerts | None]:
    """Return the transaction's notes about a grace and levels, and the account's use and alerts after it."""
    given = NO_GRACE if account.closed else account.grace_terms or terms.grace
    if account.grace is not None or given.given:
        noted = grace_notes(
            account.grace,
            given,
            kind=kind,
            metadata=metadata,
            before=account.balance,
            amount=amount,
            shortfall=requested - abs(amount),
            debt=account.debt,
            threshold=threshold,
            at=at,
        )
        metadata = {**metadata, **noted} if noted else metadata
    use = use_after(account.use, kind, requested, metadata, last=account.last_transaction_at, at=at)
    if account.alerts is None and not terms.levels:
        return metadata, use, None
    supply = Supply(balance=account.balance + amount, use=use, last=at, now=at)
    alerts, crossed = after_movement(account.alerts, terms.levels, kind, supply)
    return ({**metadata, CROSSED: crossed_text(crossed)} if crossed else metadata), use, alerts


def _after(
    account: Account,
    transaction: Transaction,
    outdated: Outdated | None,
    *,
    lots: Lots,
    use: Use | None,
    alerts: Alerts | None,
) -> Account:
    kind = transaction.kind
    debt = account.debt + owed_by(kind, transaction.amount, transaction.metadata)
    total = account.totals.get(kind, Total())
    # The opening sets the status too: its transaction is the answer to "since when".
    status_changed = decides_status(transaction)
    return Account(
        merchant_id=account.merchant_id,
        balance=transaction.balance_after,
        sequence=transaction.sequence,
        version=account.version,
        totals={
            **account.totals,
            kind: Total(count=total.count + 1, credits=total.credits + abs(transaction.amount)),
        },
        total_shortfall=account.total_shortfall + transaction.shortfall,
        hash=transaction.hash,
        last_transaction_id=transaction.transaction_id,
        last_transaction_at=transaction.created_at,
        threshold=transaction.threshold,
        low_balance_threshold=account.low_balance_threshold,
        status_changed_at=transaction.created_at if status_changed else account.status_changed_at,
        status_transaction_id=transaction.transaction_id if status_changed else account.status_transaction_id,
        created_at=account.created_at,
        updated_at=transaction.created_at,
        outdated=outdated,
        closure=account.closure,
        debt=debt,
        use=use,
        alerts=alerts,
        grace=grace_after(account.grace, transaction, debt=debt),
        grace_terms=account.grace_terms,
        # Nobody has frozen most accounts: their orders need not ask.
        freeze=freeze_after(account.freeze, transaction) if account.freeze or FREEZE in transaction.metadata else None,
        lots=lots,
        due_at=account.due_at,
    )

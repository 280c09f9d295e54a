"""Many adjustments at once: what each row of a batch would do, and what undoing it would (contract, section 17)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from chalicelib.domain.ids import MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import adjustment_key
from chalicelib.domain.transactions import Transaction

UNDOS_MAX = 8
"""How many undos of undos are followed; each is a read, and only of what was applied before."""

Read = Callable[[list[TransactionId]], Mapping[TransactionId, Transaction]]
"""Reads those of some transactions that there are, by the id asked for."""


class State(StrEnum):
    """What will happen to a row, or has happened."""

    APPLY = "apply"
    APPLIED = "applied"
    DONE = "done"
    SKIPPED = "skipped"
    REFUSED = "refused"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentRow:
    """A row of the file: the `number` counts rows from 1, `credits` are signed."""

    line: int
    number: int
    merchant_id: MerchantId
    credits: int
    reason: str


@dataclass(slots=True, kw_only=True)
class Planned:
    """A row and its effect: the balance before and after it, and whether the plugin goes on or off."""

    line: int
    merchant_id: str
    adjustment_id: str
    credits: int
    reason: str
    state: State
    before: int | None = None
    after: int | None = None
    turns: str | None = None
    why: str | None = None


def names_of(rows: Sequence[AdjustmentRow], batch: str, *, undo: bool) -> list[TransactionId]:
    """Return the ids of the transactions that a plan has to know."""
    keys = [(row.merchant_id, _key(batch, row)) for row in rows]
    return [_name(merchant, name) for merchant, key in keys for name in ((key, undo_key(key)) if undo else (key,))]


def applying(
    rows: Sequence[AdjustmentRow],
    batch: str,
    accounts: Mapping[MerchantId, Account],
    transactions: Mapping[TransactionId, Transaction],
) -> list[Planned]:
    """Return what applying the rows, one after another, would do."""
    planned, left = [], dict(accounts)
    for row in rows:
        key = _key(batch, row)
        one = _planned(row, key, row.credits, row.reason)
        transaction = transactions.get(_name(row.merchant_id, key))
        if transaction is not None:
            _already(one, transaction)
        else:
            _effect(one, left, spent="")
        planned.append(one)
    return planned


def undoing(
    rows: Sequence[AdjustmentRow],
    batch: str,
    accounts: Mapping[MerchantId, Account],
    transactions: Mapping[TransactionId, Transaction],
) -> list[Planned]:
    """Return what taking back the rows would do, the last one first; those never applied are skipped.

    So an account returns through the same balances, and no row of the batch prevents the undo of another.
    """
    planned, left = [], dict(accounts)
    for row in reversed(rows):
        key = _key(batch, row)
        applied = transactions.get(_name(row.merchant_id, key))
        one = _planned(row, undo_key(key), -applied.amount if applied else -row.credits, f"undo of {key}")
        undone = transactions.get(_name(row.merchant_id, one.adjustment_id))
        if applied is None:
            one.state, one.why = State.SKIPPED, "it was never applied"
        elif undone is not None:
            _already(one, undone)
        else:
            _effect(one, left, spent=": it was spent meanwhile")
        planned.append(one)
    return planned


def refuse_taken_back(planned: Sequence[Planned], read: Read) -> None:
    """Refuse the rows that were applied before and undone since: an id counts once, so they would move nothing."""
    done = {(MerchantId(one.merchant_id), one.adjustment_id): one for one in planned if one.state is State.DONE}
    for pair in taken_back(done, read):
        done[pair].state = State.REFUSED
        done[pair].why = "applied before, and undone since; give it another id (another file)"


def taken_back(applied: Iterable[tuple[MerchantId, str]], read: Read) -> set[tuple[MerchantId, str]]:
    """Return which of these adjustments, each applied before, are undone now; an undo may itself be undone."""
    last = {pair: pair[1] for pair in applied}
    undone: set[tuple[MerchantId, str]] = set()
    for _ in range(UNDOS_MAX):
        names = {pair: _name(pair[0], undo_key(key)) for pair, key in last.items()}
        found = read(list(names.values())) if names else {}
        last = {pair: undo_key(last[pair]) for pair, name in names.items() if name in found}
        undone ^= set(last)
    return undone


def moved(planned: Sequence[Planned]) -> int:
    """Return the credits that applying a plan moves, all rows together, unsigned; rows applied before count too.

    So an interrupted batch has the same size when it is run again.
    """
    return sum(abs(one.credits) for one in planned if one.state in (State.APPLY, State.DONE, State.APPLIED))


def foreseen(account: Account, change: int) -> Account | None:
    """Return the account after an adjustment by this many credits, None if the adjustment would be refused.

    Added credits pay debt first (contract, section 14).
    """
    paid = min(account.debt, max(change, 0))
    after = account.balance + change - paid
    return replace(account, balance=after, debt=account.debt - paid) if after >= 0 else None


def _planned(row: AdjustmentRow, key: str, credits_moved: int, reason: str) -> Planned:
    return Planned(
        line=row.line,
        merchant_id=row.merchant_id,
        adjustment_id=key,
        credits=credits_moved,
        reason=reason,
        state=State.APPLY,
    )


def _already(one: Planned, transaction: Transaction) -> None:
    one.before, one.after, one.state = transaction.balance_before, transaction.balance_after, State.DONE
    if transaction.amount != one.credits:
        one.state = State.REFUSED
        recorded = f"{transaction.amount:+d} credits: transaction {transaction.transaction_id}"
        one.why = f"{one.adjustment_id} is recorded with {recorded}"


def _effect(one: Planned, accounts: dict[MerchantId, Account], *, spent: str) -> None:
    """Record the effect of a row on its merchant's account, and keep that account for the rows below it."""
    merchant = MerchantId(one.merchant_id)
    account = accounts.get(merchant)
    if account is None:
        one.state, one.why = State.REFUSED, "the merchant has no account"
        return
    one.before, after = account.balance, foreseen(account, one.credits)
    if after is None:
        one.state, one.why = State.REFUSED, f"{one.before} left, {-one.credits} cannot be removed{spent}"
        return
    one.after, accounts[merchant] = after.balance, after
    if account.enabled != after.enabled:
        one.turns = "on" if after.enabled else "off"


def _key(batch: str, row: AdjustmentRow) -> str:
    return f"{batch}-{row.number}"


def undo_key(key: str) -> str:
    """Return the id of the adjustment that undoes another one: always the same id."""
    return f"{key}-undo"


def _name(merchant: MerchantId, adjustment_id: str) -> TransactionId:
    return transaction_id(merchant, adjustment_key(adjustment_id))

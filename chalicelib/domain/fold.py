"""Many movements of one merchant, decided together for one atomic write.

`fold` is pure: what the store knows goes in, what to write comes out, beside an outcome for every movement.
Nothing is final before the write has been confirmed: on a lost race the whole of it is decided again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.ledger import Account, CrossingRecord, Transaction, apply, open_account
from chalicelib.domain.movements import (
    ORDER_UPDATED,
    FixedMovement,
    Instant,
    Kind,
    MerchantId,
    Movement,
    OrderMovement,
    RefundMovement,
    TransactionId,
)
from chalicelib.domain.orders import Basis, Direction, Policy, Tally, charge, refund, total_missing

ITEMS_MAX = 100
"""Distinct items in one atomic write, DynamoDB's limit: the account, the records, the orders refunds touch."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The movement was recorded."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The movement had been recorded before, as `transaction` where it is at hand.

    `order_changed` tells an order whose later event would have charged otherwise (hard-cases.md, "Conflict").
    """

    transaction: Transaction | None
    order_changed: bool = False


Outcome = Posted | Duplicate | Rejected | RetryLater


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyChange:
    """The tally of a stored order's record, before (None: never refunded) and after."""

    order: TransactionId
    before: Tally | None
    after: Tally
    time: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One atomic write: the account as known (None: it does not exist) and as it becomes, and its new records."""

    merchant_id: MerchantId
    before: Account | None
    after: Account
    transactions: tuple[Transaction, ...] = ()
    tallies: tuple[TallyChange, ...] = ()
    crossings: tuple[CrossingRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What to write (None: nothing) and an outcome for each movement, None for one that waits for the next write."""

    commit: Commit | None
    outcomes: tuple[Outcome | None, ...]


def fold(
    merchant_id: MerchantId,
    account: Account | None,
    movements: Sequence[Movement],
    *,
    stored: Mapping[TransactionId, Transaction],
    default_threshold: int,
    now: Instant,
) -> Fold:
    """Decide `movements` one after another, as if each were written alone, and return them as one write.

    `stored` holds the records that are known: duplicates met before and the orders that refunds need.
    `default_threshold` is the low-balance threshold, in credits, of accounts without one of their own.
    """
    write = _Write(merchant_id, account, stored=stored, default_threshold=default_threshold, now=now)
    outcomes: list[Outcome | None] = [None] * len(movements)
    for index in _arranged(movements, stored=stored):
        if write.full_for(movements[index]):
            break
        outcomes[index] = write.decide(movements[index])
    return Fold(commit=write.commit(), outcomes=tuple(outcomes))


def defects(
    requests: Sequence[Sequence[Movement]], *, stored: Mapping[TransactionId, Transaction]
) -> list[Rejected | None]:
    """Return for each message what makes one of its movements impossible, so that none of them is applied.

    The form of a message was checked when it was read; this finds the two defects that only show beside
    the ledger: an order without the total that its charge needs, and a refund of an amount of an order
    whose total nobody named, neither the ledger nor what is delivered with it, all messages of one merchant.
    What is recorded already has no defect: it is a duplicate or a conflict.
    """
    found: list[Rejected | None] = [None] * len(requests)
    while True:
        standing = [place for place, error in enumerate(found) if error is None]
        # What a rejected message names is not delivered, so its neighbours are looked at again without it.
        untotalled = _untotalled([movement for place in standing for movement in requests[place]], stored=stored)
        for place in standing:
            found[place] = _first_defect(requests[place], stored=stored, untotalled=untotalled)
        if all(found[place] is None for place in standing):
            return found


def _first_defect(
    request: Sequence[Movement], *, stored: Mapping[TransactionId, Transaction], untotalled: Collection[TransactionId]
) -> Rejected | None:
    for movement in request:
        if movement.transaction_id in stored:
            continue
        if isinstance(movement, OrderMovement):
            try:
                charge(movement.policy, lines=movement.lines, total=movement.total)
            except Rejected as error:
                return error
        elif _of_an_amount(movement) and movement.transaction_id in untotalled:
            return total_missing()
    return None


def _untotalled(movements: Sequence[Movement], *, stored: Mapping[TransactionId, Transaction]) -> set[TransactionId]:
    """Return the refunds of an amount whose order is there, but no total of it when their turn comes."""
    found: set[TransactionId] = set()
    if not any(isinstance(movement, RefundMovement) and movement.amount is not None for movement in movements):
        return found
    totals: dict[TransactionId, Decimal | None] = {}
    for index in _arranged(movements, stored=stored):
        movement = movements[index]
        if movement.transaction_id in stored:
            continue
        if isinstance(movement, OrderMovement):
            totals.setdefault(movement.transaction_id, movement.total)
        elif isinstance(movement, RefundMovement):
            order_id = movement.order_transaction_id
            if order_id not in totals and order_id in stored:
                order = stored[order_id]
                counted = order.tally.total if order.tally else None
                totals[order_id] = counted if counted is not None else _money(order, "total")
            if order_id in totals and totals[order_id] is None:
                totals[order_id] = movement.order_total
                if _of_an_amount(movement):
                    found.add(movement.transaction_id)
    return found


def _of_an_amount(movement: Movement) -> bool:
    """Whether it is a refund of an amount that does not say of which total.

    Another message may ask for a full refund under the same id, which needs none.
    """
    return isinstance(movement, RefundMovement) and movement.amount is not None and movement.order_total is None


def compare(movement: Movement, record: Transaction) -> Duplicate | Rejected:
    """Return whether this is the recorded movement again, or its key with another content (spec, section 2, rule 4)."""
    if isinstance(movement, FixedMovement):
        same = movement.kind is Kind.TRIAL or (movement.kind is record.kind and movement.credits == record.requested)
    elif isinstance(movement, RefundMovement):
        same = (
            record.metadata.get("order_id") == movement.order_id
            and _money(record, "refund_amount") == movement.amount
            and _money(record, "order_total") == movement.order_total
        )
    else:
        same = _charged_the_same(movement, record)
        if not same and (_updated(movement) or record.metadata.get("source") == ORDER_UPDATED):
            return Duplicate(record, order_changed=True)
    if same:
        return Duplicate(record)
    return Rejected(
        Code.KEY_REUSED,
        f"{movement.key} was recorded before with another content, as transaction {record.transaction_id}",
        field=_differing(movement, record),
    )


def _differing(movement: Movement, record: Transaction) -> str | None:
    """Return the first field of an event by which it contradicts the record, None where it is none of one's own."""
    if isinstance(movement, FixedMovement):
        return "credits" if movement.kind is record.kind else "operation_type"
    if isinstance(movement, RefundMovement):
        pairs = (
            ("order_id", movement.order_id, record.metadata.get("order_id")),
            ("refund_amount", movement.amount, _money(record, "refund_amount")),
            ("order_total", movement.order_total, _money(record, "order_total")),
        )
        return next((name for name, said, recorded in pairs if said != recorded), None)
    if not isinstance(movement, OrderMovement) or "policy" not in record.metadata:
        return None
    basis = Policy.parse(str(record.metadata["policy"])).basis
    return {Basis.TOTAL: "total", Basis.ITEM: "order_items", Basis.ORDER: None}[basis]


def _updated(movement: Movement) -> bool:
    return isinstance(movement, OrderMovement) and movement.updated


def _charged_the_same(movement: Movement, record: Transaction) -> bool:
    if not isinstance(movement, OrderMovement):
        return False
    try:
        asked = charge(Policy.parse(str(record.metadata["policy"])), lines=movement.lines, total=movement.total)
    except Rejected:
        return False
    return asked == record.requested


def _money(record: Transaction, name: str) -> Decimal | None:
    text = record.metadata.get(name)
    return None if text is None else Decimal(text)


def _arranged(movements: Sequence[Movement], *, stored: Mapping[TransactionId, Transaction]) -> list[int]:
    """Return the indexes in the order of posting: as delivered, but the trial first and refunds behind their orders."""
    if all(isinstance(movement, OrderMovement) for movement in movements):
        return list(range(len(movements)))
    first_order: dict[TransactionId, int] = {}
    for index, movement in enumerate(movements):
        # An order that is stored is ground enough: its repeat holds nobody up.
        if isinstance(movement, OrderMovement) and movement.transaction_id not in stored:
            first_order.setdefault(movement.transaction_id, index)

    def place(index: int) -> tuple[int, int, int]:
        movement = movements[index]
        if isinstance(movement, FixedMovement) and movement.kind is Kind.TRIAL:
            return (-1, 0, index)
        if isinstance(movement, RefundMovement):
            return (max(index, first_order.get(movement.order_transaction_id, index)), 1, index)
        return (index, 0, index)

    return sorted(range(len(movements)), key=place)


class _Write:
    """One atomic write in the making: what is known, and what has been decided so far."""

    def __init__(
        self,
        merchant_id: MerchantId,
        account: Account | None,
        *,
        stored: Mapping[TransactionId, Transaction],
        default_threshold: int,
        now: Instant,
    ) -> None:
        self._merchant_id = merchant_id
        self._before = account
        self._account = account
        self._stored = stored
        self._default_threshold = default_threshold
        self._now = now
        self._records: dict[TransactionId, Transaction] = {}
        self._tallies: dict[TransactionId, TallyChange] = {}
        self._crossings: list[CrossingRecord] = []

    def full_for(self, movement: Movement) -> bool:
        """Whether the write has no room for the items that `movement` may need."""
        needed = 1
        if isinstance(movement, RefundMovement):
            order = movement.order_transaction_id
            needed += order not in self._records and order not in self._tallies
        return 1 + len(self._records) + len(self._tallies) + needed > ITEMS_MAX

    def decide(self, movement: Movement) -> Outcome:
        """Apply the movement to what has been decided so far, and return its outcome if the write succeeds."""
        assert movement.merchant_id == self._merchant_id, "a fold is one merchant's"
        known = self._records.get(movement.transaction_id) or self._stored.get(movement.transaction_id)
        if known is not None:
            return compare(movement, known)
        try:
            if isinstance(movement, FixedMovement):
                return self._post_fixed(movement)
            if self._account is None:
                return _account_missing(self._merchant_id)
            if isinstance(movement, RefundMovement):
                return self._post_refund(self._account, movement)
            if isinstance(movement, OrderMovement):
                return self._post_order(self._account, movement)
        except Rejected as error:
            return error
        raise AssertionError(movement)

    def commit(self) -> Commit | None:
        """Return the write, or None where nothing is to be written."""
        if self._account is None or not self._records:
            return None
        return Commit(
            merchant_id=self._merchant_id,
            before=self._before,
            after=replace(self._account, version=self._account.version + 1),
            transactions=tuple(self._records.values()),
            tallies=tuple(self._tallies.values()),
            crossings=tuple(self._crossings),
        )

    def _post_fixed(self, movement: FixedMovement) -> Outcome:
        account = self._account
        if movement.kind is Kind.TRIAL:
            if account is not None:
                # Only a trial opens an account, so there has been one, and a merchant gets one.
                return Duplicate(None)
            account = open_account(self._merchant_id, threshold=self._default_threshold, now=self._now)
        elif account is None:
            return _account_missing(self._merchant_id)
        return self._post(account, movement, movement.kind, movement.credits, movement.metadata)

    def _post_order(self, account: Account, movement: OrderMovement) -> Posted:
        policy = movement.policy
        kind = Kind.ORDER_USED if policy.direction is Direction.DECREASE else Kind.ORDER_EARNED
        requested = charge(policy, lines=movement.lines, total=movement.total)
        return self._post(account, movement, kind, requested, {**movement.metadata, "policy": str(policy)})

    def _post_refund(self, account: Account, movement: RefundMovement) -> Outcome:
        order_id = movement.order_transaction_id
        change = self._tallies.get(order_id)
        order = self._records.get(order_id) or self._stored.get(order_id)
        if order is None:
            return RetryLater(
                Code.ORDER_MISSING, f"order {movement.order_id} is not in the ledger yet", field="order_id"
            )
        due, tally = refund(
            (change.after if change else order.tally) or Tally(),
            taken=abs(order.amount),
            recorded_total=_money(order, "total"),
            amount=movement.amount,
            order_total=movement.order_total,
        )
        kind = Kind.REFUND_RETURNED if order.kind is Kind.ORDER_USED else Kind.REFUND_TAKEN
        posted = self._post(account, movement, kind, due, movement.metadata)
        time = posted.transaction.created_at
        # One item may stand once in a write: an order of this very write takes its tally along, and several
        # refunds of a stored order are one change.
        if order_id in self._records:
            self._records[order_id] = replace(order, tally=tally, refunded_at=time)
        else:
            before = change.before if change else order.tally
            self._tallies[order_id] = TallyChange(order=order_id, before=before, after=tally, time=time)
        return posted

    def _post(
        self, account: Account, movement: Movement, kind: Kind, requested: int, metadata: Mapping[str, str | int]
    ) -> Posted:
        self._account, transaction, crossed = apply(
            account,
            movement,
            kind=kind,
            requested=requested,
            metadata=metadata,
            default_threshold=self._default_threshold,
            now=self._now,
        )
        self._records[transaction.transaction_id] = transaction
        self._crossings.extend(crossed)
        return Posted(transaction)


def _account_missing(merchant_id: MerchantId) -> RetryLater:
    return RetryLater(Code.ACCOUNT_MISSING, f"merchant {merchant_id} has no account yet", field="merchant_id")

"""Many movements of one merchant, decided together for one atomic write.

`fold` is pure: what the store knows goes in, what to write comes out, beside an outcome for every movement.
Nothing is final before the write has been confirmed: on a lost race the whole of it is decided again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeGuard

from chalicelib.domain.debt import repayment, repays
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.ledger import Account, CrossingRecord, Transaction, apply, open_account
from chalicelib.domain.movements import (
    DisputeWonMovement,
    FixedMovement,
    Kind,
    Movement,
    OrderMovement,
    RefundMovement,
    ReversalMovement,
)
from chalicelib.domain.orders import Direction, Tally, charge, refund, total_missing
from chalicelib.domain.outcomes import Duplicate, Outcome, Posted, compare, recorded_money
from chalicelib.domain.payments import Back, grounds, returned_by, reversed_by

ITEMS_MAX = 100
"""Distinct items in one atomic write, DynamoDB's limit: the account, the records, the grounds whose tallies change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyChange:
    """The tally of a stored record, an order's or a payment's, before (None: nothing went back) and after."""

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
    """What to write (None: nothing) and an outcome for each movement, None for one that waits for the next write.

    `foreseen` are the outcomes if all goes as it does here, those of later writes too where they were asked for.
    """

    commit: Commit | None
    outcomes: tuple[Outcome | None, ...]
    foreseen: tuple[Outcome | None, ...]


def fold(
    merchant_id: MerchantId,
    account: Account | None,
    movements: Sequence[Movement],
    *,
    stored: Mapping[TransactionId, Transaction],
    default_threshold: int,
    now: Instant,
    foresee: bool = False,
) -> Fold:
    """Decide `movements` one after another, as if each were written alone, and return them as one write.

    `stored` holds the records that are known: duplicates met before and the orders that refunds need.
    `default_threshold` is the low-balance threshold, in credits, of accounts without one of their own. With
    `foresee`, what does not fit into the write is decided too, and only foreseen.
    """
    write = _Write(merchant_id, account, stored=stored, default_threshold=default_threshold, now=now)
    outcomes: list[Outcome | None] = [None] * len(movements)
    order = iter(arranged(movements, stored=stored))
    left = []
    for index in order:
        if write.full_for(movements[index]):
            left = [index, *order]
            break
        outcomes[index] = write.decide(movements[index])
    commit, foreseen = write.commit(), list(outcomes)
    if foresee:
        for index in left:
            foreseen[index] = write.decide(movements[index])
    return Fold(commit=commit, outcomes=tuple(outcomes), foreseen=tuple(foreseen))


def arranged(movements: Sequence[Movement], *, stored: Mapping[TransactionId, Transaction]) -> list[int]:
    """Return the indexes in the order of posting: as delivered, but the trial first and what has a ground behind it."""
    if all(isinstance(movement, OrderMovement) for movement in movements):
        return list(range(len(movements)))
    first: dict[TransactionId, int] = {}
    for index, movement in enumerate(movements):
        # A ground that is stored is ground enough: its repeat holds nobody up.
        if not isinstance(movement, RefundMovement | DisputeWonMovement) and movement.transaction_id not in stored:
            first.setdefault(movement.transaction_id, index)

    def behind(index: int) -> int:
        """Return the place of the last ground of a movement, its own where all of them come before it."""
        return max([index, *(behind(first[ground]) for ground in grounds(movements[index]) if ground in first)])

    def place(index: int) -> tuple[int, int, int]:
        movement = movements[index]
        if isinstance(movement, FixedMovement) and movement.kind is Kind.TRIAL:
            return (-1, 0, index)
        return (behind(index), _RANKS.get(type(movement), 0), index)

    return sorted(range(len(movements)), key=place)


_RANKS: Mapping[type[Movement], int] = {RefundMovement: 1, ReversalMovement: 1, DisputeWonMovement: 2}
"""Where several movements end up at one place: what has a ground comes behind it."""


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
        # An inflow of an account that owes pays, and that is a record of its own.
        needed = 2 if self._account is not None and self._account.debt else 1
        if (ground := tallied(movement)) is not None:
            needed += ground not in self._records and ground not in self._tallies
        return 1 + len(self._records) + len(self._tallies) + needed > ITEMS_MAX

    def decide(self, movement: Movement) -> Outcome:
        """Apply the movement to what has been decided so far, and return its outcome if the write succeeds."""
        assert movement.merchant_id == self._merchant_id, "a fold is one merchant's"
        known = self._records.get(movement.transaction_id) or self._stored.get(movement.transaction_id)
        if known is not None:
            outcome = compare(movement, known)
            # A refund that is impossible whatever stands under its key is no mere conflict: its message is poison.
            impossible = isinstance(outcome, Rejected) and of_an_amount(movement) and self._untotalled(movement)
            return total_missing() if impossible else outcome
        try:
            if isinstance(movement, FixedMovement):
                return self._post_fixed(movement)
            if isinstance(movement, OrderMovement):
                return self._post_order(self._account, movement)
            if self._account is None:
                return _account_missing(self._merchant_id)
            if isinstance(movement, RefundMovement):
                return self._post_refund(self._account, movement)
            if isinstance(movement, ReversalMovement | DisputeWonMovement):
                return self._post_back(self._account, movement)
        except Rejected as error:
            return error
        raise AssertionError(movement)

    def _untotalled(self, movement: RefundMovement) -> bool:
        """Whether the refund's order is known, and no total of it."""
        order = self._known(movement.order_transaction_id)
        return order is not None and known_total(order, order.tally) is None

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

    def _post_order(self, account: Account | None, movement: OrderMovement) -> Outcome:
        policy = movement.policy
        kind = Kind.ORDER_USED if policy.direction is Direction.DECREASE else Kind.ORDER_EARNED
        # First, because an order that cannot be charged waits for no account.
        requested = charge(policy, lines=movement.lines, total=movement.total)
        if account is None:
            return _account_missing(self._merchant_id)
        return self._post(account, movement, kind, requested, {**movement.metadata, "policy": str(policy)})

    def _post_refund(self, account: Account, movement: RefundMovement) -> Outcome:
        order = self._known(movement.order_transaction_id)
        if order is None:
            return RetryLater(
                Code.ORDER_MISSING, f"order {movement.order_id} is not in the ledger yet", field="order_id"
            )
        sold, returned = order.metadata.get("currency"), movement.metadata.get("currency")
        if None not in (sold, returned) and sold != returned:
            return Rejected(
                Code.CURRENCY_MISMATCH,
                f"order {movement.order_id} was sold in {sold} and its refund is in {returned}: they do not divide",
                field="currency",
            )
        due, tally = refund(
            order.tally or Tally(),
            taken=abs(order.amount),
            recorded_total=recorded_money(order, "total"),
            amount=movement.amount,
            order_total=movement.order_total,
        )
        kind = Kind.REFUND_RETURNED if order.kind is Kind.ORDER_USED else Kind.REFUND_TAKEN
        posted = self._post(account, movement, kind, due, movement.metadata)
        self._count(order, tally, posted.transaction.created_at)
        return posted

    def _post_back(self, account: Account, movement: ReversalMovement | DisputeWonMovement) -> Outcome:
        payment = self._known(movement.payment_transaction_id)
        tally = payment.tally if payment else None
        if isinstance(movement, ReversalMovement):
            back = reversed_by(movement, payment, tally, balance=account.balance)
        else:
            back = returned_by(movement, payment, tally, self._known(movement.dispute_transaction_id))
        if not isinstance(back, Back):
            return back
        assert payment is not None, "without it nothing goes back"
        posted = self._post(account, movement, back.kind, back.requested, back.metadata)
        self._count(payment, back.tally, posted.transaction.created_at)
        return posted

    def _known(self, ground: TransactionId) -> Transaction | None:
        """Return a record, with the tally that it has after what has been decided so far."""
        change, record = self._tallies.get(ground), self._records.get(ground) or self._stored.get(ground)
        return replace(record, tally=change.after) if record and change else record

    def _count(self, ground: Transaction, tally: Tally, time: Instant) -> None:
        """Change the tally of a record. One item may stand once in a write.

        So a record of this very write takes its tally along, and several changes of a stored one are one.
        """
        identity = ground.transaction_id
        if identity in self._records:
            self._records[identity] = replace(ground, tally=tally, refunded_at=time)
        else:
            change = self._tallies.get(identity)
            before = change.before if change else ground.tally
            self._tallies[identity] = TallyChange(order=identity, before=before, after=tally, time=time)

    def _post(
        self, account: Account, movement: Movement, kind: Kind, requested: int, metadata: Mapping[str, str | int]
    ) -> Posted:
        after, transaction, crossed = apply(
            account,
            movement,
            kind=kind,
            requested=requested,
            metadata=metadata,
            default_threshold=self._default_threshold,
            now=self._now,
        )
        self._account = after
        self._records[transaction.transaction_id] = transaction
        self._crossings.extend(crossed)
        if after.debt and repays(kind):
            paid = repayment(movement, debt=after.debt, balance=after.balance)
            if paid is not None:
                self._post(after, paid, paid.kind, paid.credits, paid.metadata)
        return Posted(transaction)


def tallied(movement: Movement) -> TransactionId | None:
    """Return the record whose tally the movement changes, None where there is none."""
    if isinstance(movement, RefundMovement):
        return movement.order_transaction_id
    return movement.payment_transaction_id if isinstance(movement, ReversalMovement | DisputeWonMovement) else None


def of_an_amount(movement: Movement) -> TypeGuard[RefundMovement]:
    """Whether it is a refund of an amount that does not name the total which the amount is a share of."""
    return isinstance(movement, RefundMovement) and movement.amount is not None and movement.order_total is None


def known_total(order: Transaction, tally: Tally | None) -> Decimal | None:
    """Return the total that a refund of the order counts by: an earlier refund's, else its own, None without any."""
    counted = tally.total if tally else None
    return counted if counted is not None else recorded_money(order, "total")


def _account_missing(merchant_id: MerchantId) -> RetryLater:
    return RetryLater(Code.ACCOUNT_MISSING, f"merchant {merchant_id} has no account yet", field="merchant_id")

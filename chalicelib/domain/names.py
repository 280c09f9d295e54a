"""One fact, many names: the keys under which one transaction is known (contract, section 13).

A transaction has one key. Each other name of its fact has a guard: a small item at the key that the fact would have
under that name. So the condition that protects every transaction protects these names too, and the first name to arrive
wins.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.ids import MerchantId, TransactionId, transaction_id
from chalicelib.domain.movements import (
    DisputeWonMovement,
    Kind,
    Movement,
    OrderMovement,
    RefundMovement,
    ReversalMovement,
    dispute_won_key,
    names_of,
    refund_of_order_key,
    reversal_to_key,
)
from chalicelib.domain.transactions import Transaction

Guards = Mapping[TransactionId, TransactionId]
"""Which transaction each known guard names: by the guard's own id the id of the transaction."""
Transactions = Mapping[TransactionId, Transaction]
DependentMovement = RefundMovement | ReversalMovement | DisputeWonMovement
"""Refunds, reversals and won disputes: each depends on an order or a payment, of which the event may give any name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Another name of a fact, recorded as the transaction `names`: holds the key that the fact would have under it."""

    merchant_id: MerchantId
    key: str
    names: TransactionId

    @property
    def transaction_id(self) -> TransactionId:
        """The id under which a transaction of this key would be: that of the guard's item."""
        return transaction_id(self.merchant_id, self.key)


class FactNames:
    """The names of a merchant's facts: those of the transactions that are known, and those that a write adds.

    `guards` and `stored` are those known, `transactions` those of the write, which may still grow.
    """

    def __init__(self, guards: Guards, *, stored: Transactions, transactions: Transactions) -> None:
        self._known = guards
        self._stored = stored
        self._transactions = transactions
        self._added: dict[TransactionId, Guard] = {}

    @property
    def added(self) -> Collection[Guard]:
        """The guards of the write."""
        return self._added.values()

    def find(self, name: TransactionId) -> Transaction | None:
        """Return the transaction of the fact that has this name, its own or another."""
        added = self._added.get(name)
        own = added.names if added else self._known.get(name, name)
        return self._transactions.get(own) or self._stored.get(own)

    def recorded(self, movement: Movement) -> Transaction | Rejected | None:
        """Return the transaction of the movement's fact under any name; `Rejected` if its names belong to two."""
        if isinstance(movement, DisputeWonMovement) and isinstance(two := self._one(movement.dispute_names), Rejected):
            return two
        return self._one(names_of(movement))

    def as_recorded(self, movement: DependentMovement) -> DependentMovement:
        """Return the movement with the recorded names of its grounds, whichever names the event gave."""
        ground = self.find(ground_of(movement))
        movement = as_recorded(movement, ground) if ground else movement
        if not isinstance(movement, DisputeWonMovement):
            return movement
        # A dispute is won once: its first name is the name of the win too.
        for names, kind in ((movement.dispute_names, Kind.REVERSAL), (names_of(movement), Kind.REVERSAL_RETURNED)):
            known = self._one(names)
            if isinstance(known, Transaction) and known.kind is kind:
                return _of_dispute(movement, str(known.metadata["dispute_id"]))
        return movement

    def _one(self, names: Iterable[TransactionId]) -> Transaction | Rejected | None:
        """Return the transaction of a fact that has these names, None if there is none; `Rejected` if there are two."""
        known = None
        for name in names:
            other = self.find(name)
            if known is not None and other is not None and other.transaction_id != known.transaction_id:
                return _two_facts(known, other)
            known = known or other
        return known

    def add(self, transaction: Transaction, movement: Movement) -> None:
        """Add every free name of the movement to the transaction."""
        if not movement.other_keys:
            return
        for key, name in zip((movement.key, *movement.other_keys), names_of(movement), strict=True):
            if self.find(name) is None:
                self._added[name] = Guard(
                    merchant_id=transaction.merchant_id, key=key, names=transaction.transaction_id
                )


def torn(guard: TransactionId, transaction: TransactionId) -> RetryLater:
    """Return the error for a guard whose transaction is missing after a restore."""
    return RetryLater(
        Code.ACCOUNT_BEHIND, f"the guard {guard} names transaction {transaction}, which is not in the ledger"
    )


def _two_facts(first: Transaction, second: Transaction) -> Rejected:
    """Return why an event whose names belong to two transactions cannot be applied."""
    return Rejected(
        Code.NAMES_TWO_FACTS,
        f"its names belong to two facts, recorded as transactions {first.transaction_id} and {second.transaction_id}",
        field="aliases",
    )


def version_of(movement: OrderMovement, order: Transaction) -> OrderMovement:
    """Return an order that was recorded before, under its transaction's name, whichever of its names the event gave."""
    return replace(movement, key=order.idempotency_key, reference_id=order.reference_id, other_keys=())


def imported(movement: DependentMovement) -> Rejected:
    """Return why a refund or reversal of a fact of the old service cannot be applied (contract, section 20)."""
    if isinstance(movement, RefundMovement):
        named, field = f"order {movement.order_id} was charged", "order_id"
    else:
        named, field = f"payment {movement.payment_id} was recorded", "payment_id"
    reason = f"{named} before the import, and what it moved is not known here: use credits adjust"
    return Rejected(Code.ORDER_IMPORTED, reason, field=field)


def as_recorded(movement: DependentMovement, ground: Transaction) -> DependentMovement:
    """Return the movement with its order or payment under the transaction's name, whichever name the event gave."""
    if ground.transaction_id == ground_of(movement):
        return movement
    named = ground.reference_id
    if isinstance(movement, RefundMovement):
        if not ground.kind.is_order:
            return movement
        by_order = movement.key == refund_of_order_key(movement.order_id)
        return replace(
            movement,
            key=refund_of_order_key(named) if by_order else movement.key,
            reference_id=named if by_order else movement.reference_id,
            order_id=named,
            metadata={**movement.metadata, "order_id": named},
        )
    if ground.kind is not Kind.PAYMENT:
        return movement
    metadata = {**movement.metadata, "payment_id": named}
    if isinstance(movement, ReversalMovement) and movement.portion.refunded is not None:
        key = reversal_to_key(named, str(metadata["amount_refunded"]))
        return replace(movement, key=key, reference_id=named, payment_id=named, metadata=metadata)
    return replace(movement, payment_id=named, metadata=metadata)


def _of_dispute(won: DisputeWonMovement, named: str) -> DisputeWonMovement:
    """Return the won dispute under this name; the one that the event gave becomes one of the others."""
    if won.dispute_id == named:
        return won
    key = dispute_won_key(named)
    return replace(
        won,
        key=key,
        reference_id=named,
        dispute_id=named,
        metadata={**won.metadata, "dispute_id": named},
        other_keys=tuple(one for one in (won.key, *won.other_keys) if one != key),
    )


def ground_of(movement: DependentMovement) -> TransactionId:
    """Return the id of the order's or payment's transaction, by the name in the event."""
    return movement.order_transaction_id if isinstance(movement, RefundMovement) else movement.payment_transaction_id

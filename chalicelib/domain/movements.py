"""Movements: the changes of credits that can be asked for, their kinds and their keys (contract, section 3).

Also the grounds of a movement, which decide the order within one write.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from chalicelib.domain.ids import Instant, MerchantId, TransactionId, escaped, milliseconds, transaction_id
from chalicelib.domain.orders import Direction, Policy
from chalicelib.domain.reversals import Portion

TRIAL_KEY = "TRIAL_MERCHANT"
"""The one idempotency key that opens an account (contract, section 3)."""

ORDER_UPDATED = "evt.order.updated"
"""The event type that may charge an order but never contradicts a charge; recorded as `source` if it charged."""

_DISPUTE_WON = "BILLING_DISPUTE_WON_"


class Kind(Enum):
    """What a movement is, and which way it goes: the pairs of type and direction that can occur."""

    TRIAL = ("TRIAL", Direction.INCREASE)
    ORDER_USED = ("ORDER_PAID", Direction.DECREASE)
    ORDER_EARNED = ("ORDER_PAID", Direction.INCREASE)
    REFUND_RETURNED = ("REFUND", Direction.INCREASE)
    REFUND_TAKEN = ("REFUND", Direction.DECREASE)
    PAYMENT = ("PAYMENT", Direction.INCREASE)
    SUBSCRIPTION = ("SUBSCRIPTION", Direction.INCREASE)
    EDIT_ADDED = ("ORDER_EDITED", Direction.INCREASE)
    EDIT_REMOVED = ("ORDER_EDITED", Direction.DECREASE)
    MANUAL_ADDED = ("MANUAL", Direction.INCREASE)
    MANUAL_REMOVED = ("MANUAL", Direction.DECREASE)
    REVERSAL = ("REVERSAL", Direction.DECREASE)
    REVERSAL_RETURNED = ("REVERSAL_RETURNED", Direction.INCREASE)
    DEBT_REPAID = ("DEBT_REPAID", Direction.DECREASE)
    OPENING = ("OPENING", Direction.INCREASE)
    EXPIRY = ("EXPIRY", Direction.DECREASE)

    def __init__(self, transaction_type: str, direction: Direction) -> None:
        self.transaction_type = transaction_type
        self.direction = direction

    @property
    def is_order(self) -> bool:
        """Whether a refund may follow."""
        return self.transaction_type == "ORDER_PAID"


OPENS = frozenset({Kind.TRIAL, Kind.OPENING})
"""What opens an account: a trial, or the balance of the old service (contract, section 20). Both have one key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A change of one merchant's credits, asked for under an idempotency key.

    `reference_id` is the business id behind the key; `metadata` is kept with the transaction: the only part of the
    event that is kept, besides ids and times (contract, section 2, rule 7). `other_keys` are those that the same fact
    has under its other names (contract, section 13).
    """

    merchant_id: MerchantId
    key: str
    reference_id: str
    occurred_at: Instant | None = None
    correlation_id: str | None = None
    metadata: Mapping[str, str | int] = field(default_factory=dict)
    other_keys: tuple[str, ...] = ()

    @property
    def transaction_id(self) -> TransactionId:
        """The id of its transaction, whether that is written yet or not."""
        return transaction_id(self.merchant_id, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedMovement(Movement):
    """A trial, payment, renewal or adjustment: it names the credits it asks for.

    A renewal that repeats a recorded one, but happened more than `repeat_days` later, may be another period with a
    wrong name, and is no duplicate (contract, section 12). `ahead` is its own time if that lies too far ahead for
    `occurred_at`. Its credits lapse at `expires_at`, or `expires_in_days` days after they are recorded; without both,
    never. `expiry_stated`: `expires_at` comes from the event, not from a setting.
    """

    kind: Kind
    credits: int
    repeat_days: int | None = None
    ahead: Instant | None = None
    expires_at: Instant | None = None
    expires_in_days: int | None = None
    expiry_stated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMovement(Movement):
    """An order with its number of `lines` and, where known, its `total` money; `policy` says what it asks for.

    `updated` marks an `evt.order.updated`, which never contradicts an earlier charge. `updated_at` is the
    time of this version of the order, None where the event does not state it.
    """

    policy: Policy
    lines: int
    total: Decimal | None = None
    updated: bool = False
    updated_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundMovement(Movement):
    """A refund of `amount` money of an order, or a full refund if `amount` is None.

    `order_total` and `order_currency` are those of the order, as the refund's sender states them.
    """

    order_id: str
    amount: Decimal | None = None
    order_total: Decimal | None = None
    order_currency: str | None = None

    @property
    def order_transaction_id(self) -> TransactionId:
        """The id of the transaction that this refund needs as its ground."""
        return transaction_id(self.merchant_id, order_key(self.order_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMovement(Movement):
    """A later fact about a payment, recorded before or after it."""

    payment_id: str

    @property
    def payment_transaction_id(self) -> TransactionId:
        """The id of the payment's transaction, the first of its grounds."""
        return transaction_id(self.merchant_id, payment_key(self.payment_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalMovement(PaymentMovement):
    """The reversal of a `portion` of a payment. `owed`: what the balance lacks becomes debt."""

    portion: Portion
    owed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeWonMovement(PaymentMovement):
    """A dispute of a payment was won: the credits it took come back. Its other keys hold other ids of the dispute."""

    dispute_id: str

    @property
    def dispute_transaction_id(self) -> TransactionId:
        """The id of the dispute's transaction, the second of its grounds."""
        return transaction_id(self.merchant_id, dispute_key(self.dispute_id))

    @property
    def dispute_names(self) -> tuple[TransactionId, ...]:
        """The ids of the dispute's transaction under each of the names in the event, its `dispute_id` first."""
        others = (dispute_key(key.removeprefix(_DISPUTE_WON)) for key in self.other_keys)
        return (self.dispute_transaction_id, *(transaction_id(self.merchant_id, key) for key in others))


def names_of(movement: Movement) -> tuple[TransactionId, ...]:
    """Return the id of the movement's transaction under each of its names, its own first."""
    others = (transaction_id(movement.merchant_id, key) for key in movement.other_keys)
    return (movement.transaction_id, *others)


def grounds(movement: Movement) -> tuple[TransactionId, ...]:
    """Return the ids of the transactions that a movement builds on, besides the account; none for most."""
    if isinstance(movement, RefundMovement):
        return (movement.order_transaction_id,)
    if isinstance(movement, DisputeWonMovement):
        return (movement.payment_transaction_id, *movement.dispute_names)
    return (movement.payment_transaction_id,) if isinstance(movement, ReversalMovement) else ()


def arranged(movements: Sequence[Movement], *, stored: Container[TransactionId]) -> list[int]:
    """Return the indexes in the order of posting: as delivered, but the trial first and grounds before what needs them.

    `stored` are the ids under which a transaction is known, by any of its names.
    """
    if all(isinstance(movement, OrderMovement) for movement in movements):
        return list(range(len(movements)))
    first: dict[TransactionId, int] = {}
    for index, movement in enumerate(movements):
        if not isinstance(movement, RefundMovement | DisputeWonMovement):
            for name in names_of(movement):
                # A stored ground is enough: nothing waits for its repeat.
                if name not in stored:
                    first.setdefault(name, index)

    def behind(index: int) -> int:
        """Return the index of a movement's last ground, or its own if all its grounds come before it."""
        return max([index, *(behind(first[ground]) for ground in grounds(movements[index]) if ground in first)])

    def place(index: int) -> tuple[int, int, int]:
        movement = movements[index]
        if isinstance(movement, FixedMovement) and movement.kind is Kind.TRIAL:
            return (-1, 0, index)
        return (behind(index), _RANKS.get(type(movement), 0), index)

    return sorted(range(len(movements)), key=place)


_RANKS: Mapping[type[Movement], int] = {RefundMovement: 1, ReversalMovement: 1, DisputeWonMovement: 2}
"""The order of movements that share an index: those with grounds follow their grounds."""


def payment_key(payment_id: str) -> str:
    """Return the idempotency key of a payment (contract, section 3)."""
    return f"BILLING_PAYMENT_{payment_id}"


def reversal_key(reversal_id: str) -> str:
    """Return the idempotency key of a reversal by its id (contract, section 14)."""
    return f"BILLING_REVERSAL_{reversal_id}"


def reversal_to_key(payment_id: str, refunded: str) -> str:
    """Return the idempotency key of a reversal with a cumulative figure (contract, section 14)."""
    return f"BILLING_REVERSAL_{payment_id}_TO_{refunded}"


def dispute_key(dispute_id: str) -> str:
    """Return the idempotency key of a dispute (contract, section 14)."""
    return f"BILLING_DISPUTE_{dispute_id}"


def dispute_won_key(dispute_id: str) -> str:
    """Return the idempotency key of a dispute that was won (contract, section 14)."""
    return f"{_DISPUTE_WON}{dispute_id}"


def order_key(order_id: str) -> str:
    """Return the idempotency key of an order (contract, section 3).

    An order whose id looks like the end of an edit's key must not take that key: it is percent-encoded.
    """
    taken = "_EDIT_" in order_id or "%5FEDIT%5F" in order_id
    return f"SHOPIFY_ORDER_{escaped(order_id) if taken else order_id}"


def edit_key(order_id: str, updated_at: Instant) -> str:
    """Return the idempotency key of an order's edit, the time of its version in milliseconds (contract, section 12)."""
    return f"{order_key(order_id)}_EDIT_{milliseconds(updated_at)}"


def adjustment_key(adjustment_id: str) -> str:
    """Return the idempotency key of an admin's adjustment (contract, "Keys")."""
    return f"MANUAL_ADJUSTMENT_{adjustment_id}"


def refund_key(refund_id: str) -> str:
    """Return the idempotency key of a refund by its id (contract, "Keys")."""
    # A refund that calls itself ORDER_… must not take the key of that order's refund without an id.
    taken = refund_id.startswith(("ORDER_", "ORDER%"))
    return f"SHOPIFY_REFUND_{escaped(refund_id) if taken else refund_id}"


def refund_of_order_key(order_id: str) -> str:
    """Return the idempotency key of an order's refund that has no id of its own (contract, "Keys")."""
    return f"SHOPIFY_REFUND_ORDER_{order_id}"

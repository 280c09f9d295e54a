"""Short builders of test data: merchants, movements, accounts and transactions.

Every movement belongs to `SHOP` by default, and carries the metadata that the contracts transaction.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import NAMESPACE_DNS, uuid5

from chalicelib.domain.freeze import FreezeMovement, FreezeNote
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.ledger import Account, open_account
from chalicelib.domain.movements import (
    DisputeWonMovement,
    FixedMovement,
    Kind,
    Movement,
    OrderMovement,
    RefundMovement,
    ReversalMovement,
    order_key,
)
from chalicelib.domain.orders import Basis, Direction, Policy
from chalicelib.domain.reversals import Portion
from chalicelib.domain.transactions import Transaction

MovementT = TypeVar("MovementT", bound=Movement)

NOON = Instant("2025-06-01T12:00:00.000Z")
READ_AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
"""The time at which tests read messages: times up to a day later are valid."""
LATER = Instant("2025-06-01T12:00:00.250Z")

ONE_PER_ORDER = Policy()
TEN_PER_ITEM = Policy(basis=Basis.ITEM, fixed_amount=10)
TENTH_OF_TOTAL = Policy(basis=Basis.TOTAL, fixed_amount=0, percentage=Decimal(10))
EARNED_TENTH = Policy(direction=Direction.INCREASE, basis=Basis.TOTAL, fixed_amount=0, percentage=Decimal(10))
TEN_EARNED = Policy(direction=Direction.INCREASE, fixed_amount=10)


def merchant(name: str) -> MerchantId:
    """Return the merchant id for a name, always the same."""
    return MerchantId(str(uuid5(NAMESPACE_DNS, name)))


SHOP = merchant("shop")


def trial(credits_given: int = 100, *, of: MerchantId = SHOP) -> FixedMovement:
    """Return the movement that opens an account."""
    return FixedMovement(merchant_id=of, key="TRIAL_MERCHANT", reference_id=of, kind=Kind.TRIAL, credits=credits_given)


def payment(payment_id: str = "p1", credits_paid: int = 50, *, of: MerchantId = SHOP) -> FixedMovement:
    """Return a payment for credits."""
    return FixedMovement(
        merchant_id=of,
        key=f"BILLING_PAYMENT_{payment_id}",
        reference_id=payment_id,
        kind=Kind.PAYMENT,
        credits=credits_paid,
    )


def renewal(period: str = "2025-06", credits_renewed: int = 30, *, of: MerchantId = SHOP) -> FixedMovement:
    """Return the renewal of subscription `s1` for a period."""
    return FixedMovement(
        merchant_id=of,
        key=f"SUBSCRIPTION_RENEWAL_s1_{period}",
        reference_id="s1",
        kind=Kind.SUBSCRIPTION,
        credits=credits_renewed,
    )


def adjustment(adjustment_id: str = "a1", change: int = 5, *, of: MerchantId = SHOP) -> FixedMovement:
    """Return an admin's adjustment by `change` credits, signed."""
    return FixedMovement(
        merchant_id=of,
        key=f"MANUAL_ADJUSTMENT_{adjustment_id}",
        reference_id=adjustment_id,
        kind=Kind.MANUAL_ADDED if change > 0 else Kind.MANUAL_REMOVED,
        credits=abs(change),
        metadata={"reason": "goodwill", "admin_id": "admin-7"},
    )


def freezing(
    adjustment_id: str = "f1",
    *,
    until: Instant | None = None,
    reason: str = "chargeback fraud",
    of: MerchantId = SHOP,
) -> FreezeMovement:
    """Return that an admin freezes the account, until an instant or without an end."""
    return _frozen(adjustment_id, FreezeNote.FROZEN, of, reason, until)


def unfreezing(adjustment_id: str = "u1", *, reason: str = "settled", of: MerchantId = SHOP) -> FreezeMovement:
    """Return that an admin unfreezes the account."""
    return _frozen(adjustment_id, FreezeNote.UNFROZEN, of, reason, None)


def _frozen(adjustment_id: str, note: FreezeNote, of: MerchantId, reason: str, until: Instant | None) -> FreezeMovement:
    return FreezeMovement(
        merchant_id=of,
        key=f"MANUAL_ADJUSTMENT_{adjustment_id}",
        reference_id=adjustment_id,
        metadata={"reason": reason, "admin_id": "admin-7"},
        note=note,
        until=until,
    )


def order(
    order_id: str = "1",
    *,
    policy: Policy = ONE_PER_ORDER,
    lines: int = 1,
    total: str | None = None,
    updated: bool = False,
    at: Instant | None = None,
    of: MerchantId = SHOP,
) -> OrderMovement:
    """Return a paid order, or with `updated` the word of a change to one; `at` is the time of this version of it."""
    metadata: dict[str, str | int] = {"lines": lines}
    if total is not None:
        metadata["total"] = total
    if at is not None:
        metadata["updated_at"] = at
    if updated:
        metadata["source"] = "evt.order.updated"
    return OrderMovement(
        merchant_id=of,
        key=order_key(order_id),
        reference_id=order_id,
        policy=policy,
        lines=lines,
        total=None if total is None else Decimal(total),
        updated=updated,
        updated_at=at,
        metadata=metadata,
    )


def refund_of(
    order_id: str = "1",
    refund_id: str | None = None,
    *,
    amount: str | None = None,
    order_total: str | None = None,
    of: MerchantId = SHOP,
) -> RefundMovement:
    """Return a refund of an order: of `amount` money, or full without one."""
    metadata: dict[str, str | int] = {"order_id": order_id}
    if amount is not None:
        metadata["refund_amount"] = amount
    if order_total is not None:
        metadata["order_total"] = order_total
    return RefundMovement(
        merchant_id=of,
        key=f"SHOPIFY_REFUND_ORDER_{order_id}" if refund_id is None else f"SHOPIFY_REFUND_{refund_id}",
        reference_id=refund_id or order_id,
        order_id=order_id,
        amount=None if amount is None else Decimal(amount),
        order_total=None if order_total is None else Decimal(order_total),
        metadata=metadata,
    )


def account_of(balance: int, *, threshold: int = 20, of: MerchantId = SHOP) -> Account:
    """Return an account before its first transaction, except for its balance."""
    opened = open_account(of, threshold=threshold, now=NOON)
    return Account(
        merchant_id=of,
        balance=balance,
        sequence=7,
        version=5,
        totals=opened.totals,
        total_shortfall=0,
        hash="7" * 64,
        last_transaction_id=TransactionId(str(uuid5(NAMESPACE_DNS, "seventh"))),
        last_transaction_at=NOON,
        threshold=threshold,
        low_balance_threshold=None,
        status_changed_at=NOON,
        status_transaction_id=None,
        created_at=NOON,
        updated_at=NOON,
    )


def by_id(transactions: Sequence[Transaction]) -> dict[TransactionId, Transaction]:
    """Return the transactions by id, as a store's reader passes them to `fold`."""
    return {transaction.transaction_id: transaction for transaction in transactions}


def reversal(
    payment_id: str = "p1",
    reversal_id: str = "r1",
    *,
    credits_back: int | None = None,
    amount: str | None = None,
    refunded: str | None = None,
    payment_total: str | None = None,
    owed: bool = True,
    of: MerchantId = SHOP,
) -> ReversalMovement:
    """Return the refund of a payment, in one of its three forms."""
    portion = Portion(
        credits=credits_back,
        amount=None if amount is None else Decimal(amount),
        refunded=None if refunded is None else Decimal(refunded),
        payment_total=None if payment_total is None else Decimal(payment_total),
    )
    given = {"credits": credits_back, "amount": amount, "amount_refunded": refunded, "payment_total": payment_total}
    return ReversalMovement(
        merchant_id=of,
        key=f"BILLING_REVERSAL_{reversal_id if refunded is None else f'{payment_id}_TO_{refunded}'}",
        reference_id=reversal_id if refunded is None else payment_id,
        payment_id=payment_id,
        portion=portion,
        owed=owed,
        metadata={"payment_id": payment_id, **{name: value for name, value in given.items() if value is not None}},
    )


def dispute(
    payment_id: str = "p1", dispute_id: str = "d1", *, owed: bool = True, of: MerchantId = SHOP
) -> ReversalMovement:
    """Return the dispute of a payment."""
    return ReversalMovement(
        merchant_id=of,
        key=f"BILLING_DISPUTE_{dispute_id}",
        reference_id=dispute_id,
        payment_id=payment_id,
        portion=Portion(dispute_id=dispute_id),
        owed=owed,
        metadata={"payment_id": payment_id, "dispute_id": dispute_id},
    )


def dispute_won(payment_id: str = "p1", dispute_id: str = "d1", *, of: MerchantId = SHOP) -> DisputeWonMovement:
    """Return that a dispute was won."""
    return DisputeWonMovement(
        merchant_id=of,
        key=f"BILLING_DISPUTE_WON_{dispute_id}",
        reference_id=dispute_id,
        payment_id=payment_id,
        dispute_id=dispute_id,
        metadata={"payment_id": payment_id, "dispute_id": dispute_id},
    )


def known_as(movement: MovementT, *others: Movement) -> MovementT:
    """Return the movement of a fact whose other names are those of `others`."""
    return replace(movement, other_keys=tuple(other.key for other in others))

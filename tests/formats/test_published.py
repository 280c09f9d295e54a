"""Events out: every payload literally as in section 5 of the contract, under an id that follows from its fact alone."""

import json
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID, uuid5

import pytest

from chalicelib.contracts.outbound.published import PublishedEvent, crossing_event, transaction_event
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.ledger import Crossing, CrossingType
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Transaction

SHOP = MerchantId("0f8fad5b-d9cb-469f-a165-70867728950e")
TRANSACTION = TransactionId("370d3448-5285-55f1-bdc1-bac2cc743c68")
NOON = Instant("2025-06-01T12:00:00.000Z")


def transaction(kind: Kind, *, amount: int, after: int, reference_id: str, **metadata: str | int) -> Transaction:
    return Transaction(
        transaction_id=TRANSACTION,
        merchant_id=SHOP,
        sequence=7,
        kind=kind,
        amount=amount,
        requested=abs(amount),
        shortfall=0,
        threshold=20,
        balance_before=after - amount,
        balance_after=after,
        idempotency_key="a key",
        reference_id=reference_id,
        metadata=metadata,
        correlation_id="c1",
        occurred_at=Instant("2025-05-31T12:00:00.000Z"),
        created_at=NOON,
        previous_hash="0" * 64,
        hash="1" * 64,
    )


def published(transaction: Transaction) -> PublishedEvent:
    event = transaction_event(transaction)
    assert event is not None
    return event


@pytest.mark.parametrize(
    ("transaction", "event_type", "members"),
    [
        (
            transaction(Kind.TRIAL, amount=100, after=100, reference_id=SHOP),
            "evt.credits.account.created",
            {"initial_balance": 100},
        ),
        (
            transaction(Kind.PAYMENT, amount=50, after=150, reference_id="p1"),
            "evt.credits.recharged",
            {
                "amount": 50,
                "new_balance": 150,
                "source": "evt.billing.payment_succeeded",
                "reference_type": "PAYMENT",
                "reference_id": "p1",
            },
        ),
        (
            transaction(Kind.SUBSCRIPTION, amount=30, after=130, reference_id="s1", renewal_id="r1"),
            "evt.credits.recharged",
            {
                "amount": 30,
                "new_balance": 130,
                "source": "evt.subscription.renewed",
                "reference_type": "SUBSCRIPTION",
                "reference_id": "s1",
            },
        ),
        (
            transaction(Kind.ORDER_EARNED, amount=0, after=5, reference_id="5"),
            "evt.credits.recharged",
            {
                "amount": 0,
                "new_balance": 5,
                "source": "evt.shopify.webhook.order_paid",
                "reference_type": "ORDER_PAID",
                "reference_id": "5",
            },
        ),
        (
            transaction(Kind.ORDER_EARNED, amount=10, after=15, reference_id="5", source="evt.order.updated"),
            "evt.credits.recharged",
            {
                "amount": 10,
                "new_balance": 15,
                "source": "evt.order.updated",
                "reference_type": "ORDER_PAID",
                "reference_id": "5",
            },
        ),
        (
            transaction(Kind.EDIT_ADDED, amount=5, after=20, reference_id="5", policy="INCREASE total 0 10% 0"),
            "evt.credits.recharged",
            {
                "amount": 5,
                "new_balance": 20,
                "source": "evt.shopify.webhook.order_paid",
                "reference_type": "ORDER_EDITED",
                "reference_id": "5",
            },
        ),
        (
            transaction(Kind.REFUND_RETURNED, amount=1, after=8, reference_id="r1", order_id="5"),
            "evt.credits.refunded",
            {
                "amount": 1,
                "new_balance": 8,
                "source": "evt.shopify.webhook.order_refunded",
                "reference_type": "REFUND",
                "reference_id": "r1",
            },
        ),
        (
            transaction(Kind.REFUND_TAKEN, amount=-4, after=0, reference_id="r1", order_id="5"),
            "evt.credits.refunded",
            {
                "amount": -4,
                "new_balance": 0,
                "source": "evt.shopify.webhook.order_refunded",
                "reference_type": "REFUND",
                "reference_id": "r1",
            },
        ),
        (
            transaction(Kind.MANUAL_ADDED, amount=5, after=8, reference_id="a1", reason="goodwill", admin_id="x"),
            "evt.credits.adjusted",
            {
                "amount": 5,
                "new_balance": 8,
                "source": "evt.credits.manual_adjustment",
                "reference_type": "MANUAL",
                "reference_id": "a1",
            },
        ),
        (
            transaction(Kind.MANUAL_REMOVED, amount=-5, after=3, reference_id="a1"),
            "evt.credits.adjusted",
            {
                "amount": -5,
                "new_balance": 3,
                "source": "evt.credits.manual_adjustment",
                "reference_type": "MANUAL",
                "reference_id": "a1",
            },
        ),
    ],
)
def test_a_record_says_itself_with_its_balance(
    transaction: Transaction, event_type: str, members: dict[str, Any]
) -> None:
    event_id = str(uuid5(UUID(TRANSACTION), event_type))
    event = published(transaction)

    assert (event.event_id, event.event_type, event.merchant_id) == (event_id, event_type, SHOP)
    assert json.loads(event.detail()) == {
        "event_id": event_id,
        "event_type": event_type,
        "correlation_id": "c1",
        "idempotency_key": event_id,
        "timestamp": NOON,
        "metadata": {"schema_version": 1},
        "payload": {
            "merchant_id": SHOP,
            "transaction_id": TRANSACTION,
            "sequence": 7,
            "balance": transaction.balance_after,
            **members,
        },
    }


def test_an_order_that_uses_credits_publishes_nothing() -> None:
    assert transaction_event(transaction(Kind.ORDER_USED, amount=-1, after=5, reference_id="5")) is None


@pytest.mark.parametrize(
    ("kind", "amount", "policy"),
    [
        (Kind.EDIT_REMOVED, -5, "DECREASE total 0 10% 0"),
        (Kind.EDIT_ADDED, 5, "DECREASE total 0 10% 0"),
        (Kind.EDIT_REMOVED, -5, "INCREASE total 0 10% 0"),
    ],
)
def test_an_edit_publishes_only_what_an_order_earned(kind: Kind, amount: int, policy: str) -> None:
    assert transaction_event(transaction(kind, amount=amount, after=5, reference_id="5", policy=policy)) is None


def test_a_refund_of_its_order_does_not_change_what_a_record_says() -> None:
    earned = transaction(Kind.ORDER_EARNED, amount=10, after=15, reference_id="5")

    assert published(replace(earned, refunded_at=Instant("2025-07-01T12:00:00.000Z"))) == published(earned)


def crossing(kind: CrossingType, *, balance: int, of: TransactionId | None = TRANSACTION) -> Crossing:
    return Crossing(
        type=kind, transaction_id=of, sequence=7, balance=balance, threshold=20, time=NOON, correlation_id="c1"
    )


@pytest.mark.parametrize(
    ("crossed", "event_type", "members"),
    [
        (
            crossing(CrossingType.LOW_BALANCE_REACHED, balance=20),
            "evt.credits.low_balance_reached",
            {"balance": 20, "threshold": 20},
        ),
        (
            crossing(CrossingType.BALANCE_RESTORED, balance=21),
            "evt.credits.balance_restored",
            {"balance": 21, "threshold": 20},
        ),
        (crossing(CrossingType.BALANCE_EXHAUSTED, balance=0), "evt.credits.balance_exhausted", {"balance": 0}),
        (
            crossing(CrossingType.PLUGIN_STATUS_CHANGED, balance=0),
            "evt.credits.plugin_status_changed",
            {
                "balance": 0,
                "previous_status": "enabled",
                "current_status": "disabled",
                "reason": "Insufficient credits",
                "timestamp": NOON,
            },
        ),
        (
            crossing(CrossingType.PLUGIN_STATUS_CHANGED, balance=1),
            "evt.credits.plugin_status_changed",
            {
                "balance": 1,
                "previous_status": "disabled",
                "current_status": "enabled",
                "reason": "Sufficient credits",
                "timestamp": NOON,
            },
        ),
    ],
)
def test_a_crossing_says_the_movement_that_crossed(crossed: Crossing, event_type: str, members: dict[str, Any]) -> None:
    event_id = str(uuid5(UUID(TRANSACTION), event_type))

    assert json.loads(crossing_event(SHOP, crossed, version=3).detail()) == {
        "event_id": event_id,
        "event_type": event_type,
        "correlation_id": "c1",
        "idempotency_key": event_id,
        "timestamp": NOON,
        "metadata": {"schema_version": 1},
        "payload": {"merchant_id": SHOP, "transaction_id": TRANSACTION, "sequence": 7, **members},
    }


def test_the_id_of_a_crossing_rests_on_movement_and_type_and_not_on_the_write() -> None:
    crossed = crossing(CrossingType.LOW_BALANCE_REACHED, balance=20)

    assert crossing_event(SHOP, crossed, version=3) == crossing_event(SHOP, crossed, version=4)
    types = [CrossingType.LOW_BALANCE_REACHED, CrossingType.BALANCE_EXHAUSTED, CrossingType.PLUGIN_STATUS_CHANGED]
    assert len({crossing_event(SHOP, crossing(kind, balance=0), version=3).event_id for kind in types}) == 3


def test_a_changed_threshold_crosses_without_a_transaction_and_is_told_apart_by_the_accounts_version() -> None:
    crossed = crossing(CrossingType.LOW_BALANCE_REACHED, balance=15, of=None)
    event = crossing_event(SHOP, crossed, version=9)

    assert asdict(event.payload) == {
        "merchant_id": SHOP,
        "transaction_id": None,
        "sequence": 7,
        "balance": 15,
        "threshold": 20,
    }
    # UUIDv5 of the credit id c71acf36-3032-5f3c-9ca2-0e2c79a0373e, type and version.
    expected = uuid5(UUID("c71acf36-3032-5f3c-9ca2-0e2c79a0373e"), "evt.credits.low_balance_reached:9")
    assert event.event_id == str(expected)
    assert crossing_event(SHOP, crossed, version=10).event_id != event.event_id


def test_a_record_without_a_correlation_id_publishes_none() -> None:
    event = published(replace(transaction(Kind.PAYMENT, amount=1, after=1, reference_id="p1"), correlation_id=None))

    assert json.loads(event.detail())["correlation_id"] is None

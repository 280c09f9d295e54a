"""Orders and refunds: one movement for each distinct order or refund of a message, whatever its shape."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest

from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.movements import OrderMovement, RefundMovement
from chalicelib.domain.orders import Basis, Policy
from tests.support.builders import READ_AT

SHOP = MerchantId("0f8fad5b-d9cb-469f-a165-70867728950e")
POLICY = Policy(basis=Basis.ITEM, fixed_amount=3)
PAID = "evt.shopify.webhook.order_paid"
REFUNDED = "evt.shopify.webhook.order_refunded"


def orders_of(payload: dict[str, Any], event_type: str = PAID) -> list[OrderMovement]:
    orders = []
    for movement in _movements(event_type, payload):
        assert isinstance(movement, OrderMovement)
        assert movement.transaction_id == str(uuid5(UUID(SHOP), movement.key))
        orders.append(movement)
    return orders


def refunds_of(payload: dict[str, Any]) -> list[RefundMovement]:
    refunds = []
    for movement in _movements(REFUNDED, payload):
        assert isinstance(movement, RefundMovement)
        assert movement.transaction_id == str(uuid5(UUID(SHOP), movement.key))
        refunds.append(movement)
    return refunds


def _movements(event_type: str, payload: dict[str, Any]) -> Any:
    body = {"event_type": event_type, "payload": {"merchant_id": SHOP, **payload}}
    return read_event(json.dumps(body), Terms(trial_credits=100, policy=POLICY), now=READ_AT).movements


def test_an_order_is_recorded_with_the_policy_of_the_settings() -> None:
    assert orders_of({"order_id": 450789469, "total": "199.90", "currency": "eur"}) == [
        OrderMovement(
            merchant_id=SHOP,
            key="SHOPIFY_ORDER_450789469",
            reference_id="450789469",
            policy=POLICY,
            lines=1,
            total=Decimal("199.90"),
            metadata={"lines": 1, "total": "199.9", "currency": "EUR"},
        )
    ]


def test_an_updated_order_has_the_same_key_and_says_where_it_came_from() -> None:
    [order] = orders_of({"order_id": "5"}, "evt.order.updated")

    assert order.updated
    assert (order.key, order.metadata) == ("SHOPIFY_ORDER_5", {"lines": 1, "source": "evt.order.updated"})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"order_id": 5}, [("5", 1, None)]),
        ({"order_id": "5", "total": 10}, [("5", 1, "10")]),
        ({"order_id": "5", "order_items": None}, [("5", 1, None)]),
        ({"order_id": 5, "order_items": [{}, {"sku": "a"}, {"order_id": "5"}]}, [("5", 3, None)]),
        ({"order_items": [{"order_id": 5}, {"order_id": "5"}]}, [("5", 2, None)]),
        ({"order_items": [{"order_id": 2}, {"order_id": 1}, {"order_id": 2}]}, [("2", 2, None), ("1", 1, None)]),
        ({"order_id": 5, "order_items": [{"total": "4"}, {}]}, [("5", 2, "4")]),
        ({"order_items": [{"order_id": 5}, {"order_id": 5, "total": "4"}]}, [("5", 2, "4")]),
        ({"order_items": [{"order_id": 5, "total": "4.0"}, {"order_id": 5, "total": 4.00}]}, [("5", 2, "4")]),
        # The payload's total is the order's; entries of the same order are its lines.
        ({"order_id": 5, "total": "9.50", "order_items": [{"total": "4"}, {"total": "5.50"}]}, [("5", 2, "9.5")]),
        (
            {"order_items": [{"order_id": 1, "total": "4"}, {"order_id": 2, "total": "6"}, {"order_id": 3}]},
            [("1", 1, "4"), ("2", 1, "6"), ("3", 1, None)],
        ),
        # The payload's total beside several orders is none of theirs.
        (
            {"total": "10", "order_items": [{"order_id": 1, "total": "4"}, {"order_id": 2}]},
            [("1", 1, "4"), ("2", 1, None)],
        ),
    ],
)
def test_there_is_one_movement_for_each_distinct_order(
    payload: dict[str, Any], expected: list[tuple[str, int, str | None]]
) -> None:
    orders = orders_of(payload)

    assert [(order.reference_id, order.lines, order.total) for order in orders] == [
        (order_id, lines, None if total is None else Decimal(total)) for order_id, lines, total in expected
    ]
    assert [order.key for order in orders] == [f"SHOPIFY_ORDER_{order_id}" for order_id, _, _ in expected]
    assert [order.metadata.get("total") for order in orders] == [total for _, _, total in expected]


def test_a_message_holds_a_hundred_orders_each_of_many_lines() -> None:
    orders = orders_of({"order_items": [{"order_id": line % 100} for line in range(300)]})

    assert [(order.reference_id, order.lines) for order in orders] == [(str(place), 3) for place in range(100)]


@pytest.mark.parametrize(
    ("said", "total", "kept"),
    [
        ("0", "0", "0"),
        ("0.00", "0", "0"),
        (0, "0", "0"),
        ("100", "100", "100"),
        ("1234567890123456.1234567890123456", "1234567890123456.1234567890123456", "1234567890123456.1234567890123456"),
        (10.10, "10.1", "10.1"),
        (1e3, "1000", "1000"),
        (0.1, "0.1", "0.1"),
        ("007.50", "7.5", "7.5"),
    ],
)
def test_money_is_read_as_it_was_written(said: object, total: str, kept: str) -> None:
    [order] = orders_of({"order_id": 1, "total": said})

    assert order.total == Decimal(total)
    assert order.metadata["total"] == kept


def test_money_in_json_keeps_digits_that_a_float_would_lose() -> None:
    body = f'{{"event_type":"{PAID}","payload":{{"merchant_id":"{SHOP}","order_id":1,"total":1234567890123456.78}}}}'
    [order] = read_event(body, Terms(trial_credits=100, policy=POLICY), now=READ_AT).movements

    assert isinstance(order, OrderMovement)
    assert order.total == Decimal("1234567890123456.78")


def test_a_refund_is_recorded_with_its_order_and_amounts() -> None:
    payload = {"order_id": 5, "refund_id": 9, "refund_amount": "2.50", "order_total": 10, "currency": "usd"}

    assert refunds_of(payload) == [
        RefundMovement(
            merchant_id=SHOP,
            key="SHOPIFY_REFUND_9",
            reference_id="9",
            order_id="5",
            amount=Decimal("2.5"),
            order_total=Decimal(10),
            metadata={"order_id": "5", "refund_amount": "2.5", "order_total": "10", "currency": "USD"},
        )
    ]


def test_a_refund_without_an_id_is_its_orders_and_full_without_an_amount() -> None:
    assert refunds_of({"order_id": "5"}) == [
        RefundMovement(
            merchant_id=SHOP,
            key="SHOPIFY_REFUND_ORDER_5",
            reference_id="5",
            order_id="5",
            metadata={"order_id": "5"},
        )
    ]


ONE = ("SHOPIFY_REFUND_r1", "5", None, None)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"order_id": 5, "refund_id": "r1", "order_items": [{"sku": "a"}, {"order_id": "5"}]}, [ONE]),
        ({"order_id": 5, "refunds": [{"refund_id": "r1"}]}, [ONE]),
        ({"refunds": [{"order_id": 5, "refund_id": "r1"}, {"order_id": "5", "refund_id": "r1"}]}, [ONE]),
        (
            {"order_id": 5, "refund_id": "r1", "refund_amount": "4", "order_total": "8", "refunds": [{}, {}]},
            [("SHOPIFY_REFUND_r1", "5", "4", "8")],
        ),
        (
            {"order_id": 5, "refund_id": "r1", "refunds": [{"refund_amount": "4"}, {"order_total": 8}]},
            [("SHOPIFY_REFUND_r1", "5", "4", "8")],
        ),
        (
            {"refunds": [{"order_id": 1}, {"order_id": 2}]},
            [("SHOPIFY_REFUND_ORDER_1", "1", None, None), ("SHOPIFY_REFUND_ORDER_2", "2", None, None)],
        ),
        # Two refunds of one order are two movements; its total is said once for both.
        (
            {
                "order_id": 5,
                "order_total": "8",
                "refunds": [{"refund_id": "a", "refund_amount": "1"}, {"refund_id": "b", "refund_amount": "2"}],
            },
            [("SHOPIFY_REFUND_a", "5", "1", "8"), ("SHOPIFY_REFUND_b", "5", "2", "8")],
        ),
        (
            {
                "order_items": [
                    {"order_id": 1, "refund_amount": "1", "order_total": "4"},
                    {"order_id": 2, "refund_id": "b", "refund_amount": "2", "order_total": "5"},
                    {"order_id": 1, "refund_amount": "1.0"},
                ]
            },
            [("SHOPIFY_REFUND_ORDER_1", "1", "1", "4"), ("SHOPIFY_REFUND_b", "2", "2", "5")],
        ),
    ],
)
def test_there_is_one_movement_for_each_distinct_refund(
    payload: dict[str, Any], expected: list[tuple[str, str, str | None, str | None]]
) -> None:
    assert [(refund.key, refund.order_id, refund.amount, refund.order_total) for refund in refunds_of(payload)] == [
        (key, order_id, None if amount is None else Decimal(amount), None if total is None else Decimal(total))
        for key, order_id, amount, total in expected
    ]


def test_no_refund_id_takes_the_key_of_another_refund() -> None:
    ids = ["ORDER_5", "ORDER%5F5", "ORDER5", "5", None]
    keys = [
        refund.key
        for refund_id in ids
        for refund in refunds_of({"order_id": 5, **({"refund_id": refund_id} if refund_id else {})})
    ]

    assert keys[-1] == "SHOPIFY_REFUND_ORDER_5"
    assert len(set(keys)) == len(ids)

"""Every way to charge an order, with refunds in parts, through the whole system (contract, section 3, "Orders")."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.published_chain import broken_links_in_answers
from tests.support.marketplace import Event, happened, merchant
from tests.support.running_stack import Stack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

BY_TOTAL = {
    "ORDER_CREDIT_BASIS": "total",
    "ORDER_CREDIT_FIXED_AMOUNT": "1",
    "ORDER_CREDIT_PERCENTAGE": "10",
    "ORDER_CREDIT_MINIMUM": "2",
}
EARNING = {"ORDER_CREDIT_DIRECTION": "INCREASE", "ORDER_CREDIT_FIXED_AMOUNT": "10"}


@pytest.fixture(scope="module")
def by_total(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from _stack(tmp_path_factory.mktemp("by-total"), BY_TOTAL)


@pytest.fixture(scope="module")
def earning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from _stack(tmp_path_factory.mktemp("earning"), EARNING)


def _stack(directory: Path, settings: dict[str, str]) -> Iterator[Stack]:
    with running_stack(directory, settings) as stack:
        yield stack


def opened(shop: str, credits_given: int) -> Event:
    return happened("evt.account.created", shop, credits_to_use=credits_given)


def paid(shop: str, order_id: int, **more: Any) -> Event:
    return happened("evt.shopify.webhook.order_paid", shop, order_id=order_id, **more)


def refunded(shop: str, order_id: int, refund_id: str, **money: str) -> Event:
    return happened("evt.shopify.webhook.order_refunded", shop, order_id=order_id, refund_id=refund_id, **money)


def recorded(stack: Stack, *events: Event) -> list[tuple[str, int, int]]:
    """Tell `events` one after another; return type, amount and shortfall of every transaction of their merchant."""
    stack.tell(*events)
    ledger = stack.ledger(events[0]["payload"]["merchant_id"])
    assert broken_links_in_answers(ledger) == []
    return [(row["transaction_type"], row["amount"], row["shortfall"]) for row in ledger]


def test_charged_by_the_item_an_order_uses_a_credit_a_line_and_gives_back_its_refunded_share(by_item: Stack) -> None:
    shop = merchant("pays by the item")
    lines = [{"sku": "red"}, {"sku": "green"}, {"sku": "blue"}]
    assert recorded(
        by_item,
        opened(shop, 10),
        paid(shop, 1, order_items=lines, total="30.00"),
        refunded(shop, 1, "a third", refund_amount="10.00"),
        refunded(shop, 1, "a sixth", refund_amount="5.00"),
        refunded(shop, 1, "the rest"),
        paid(shop, 2, order_items=lines * 4),
        refunded(shop, 2, "all of what it took"),
    ) == [
        ("TRIAL", 10, 0),
        ("ORDER_PAID", -3, 0),
        ("REFUND", 1, 0),
        ("REFUND", 0, 0),
        ("REFUND", 2, 0),
        ("ORDER_PAID", -10, 2),
        ("REFUND", 10, 0),
    ]


def test_charged_by_the_total_an_order_uses_the_greatest_of_share_minimum_and_fixed_amount(by_total: Stack) -> None:
    shop = merchant("pays by the total")
    assert recorded(
        by_total,
        opened(shop, 20),
        paid(shop, 1, total="24.99"),
        paid(shop, 2, total="25.00"),
        paid(shop, 3, total="3.00"),
        paid(shop, 4, total="200.00"),
        refunded(shop, 2, "two fifths", refund_amount="10.00"),
        refunded(shop, 2, "three fifths", refund_amount="15.00"),
        refunded(shop, 4, "a half", refund_amount="100.00"),
        refunded(shop, 4, "more than there is", refund_amount="500.00"),
    ) == [
        ("TRIAL", 20, 0),
        ("ORDER_PAID", -2, 0),
        ("ORDER_PAID", -3, 0),
        ("ORDER_PAID", -2, 0),
        ("ORDER_PAID", -13, 7),
        ("REFUND", 1, 0),
        ("REFUND", 2, 0),
        ("REFUND", 6, 0),
        ("REFUND", 7, 0),
    ]


def test_where_orders_earn_credits_a_refund_takes_them_back_as_far_as_they_are_left(earning: Stack) -> None:
    shop = merchant("earns by the order")
    spent = happened(
        "evt.credits.manual_adjustment", shop, adjustment_id="spent", operation_type="DECREASE", credits=15
    )
    assert recorded(
        earning,
        opened(shop, 1),
        paid(shop, 1, total="60.00"),
        paid(shop, 2),
        refunded(shop, 1, "a third", refund_amount="20.00"),
        spent,
        refunded(shop, 1, "the rest"),
        refunded(shop, 2, "all"),
    ) == [
        ("TRIAL", 1, 0),
        ("ORDER_PAID", 10, 0),
        ("ORDER_PAID", 10, 0),
        ("REFUND", -3, 0),
        ("MANUAL", -15, 0),
        ("REFUND", -3, 4),
        ("REFUND", 0, 10),
    ]
    earning.settle()
    told = [heard.subject.removeprefix("evt.credits.") for heard in earning.told_about(shop)]
    assert {name: told.count(name) for name in ("recharged", "refunded", "adjusted")} == {
        "recharged": 2,
        "refunded": 3,
        "adjusted": 1,
    }

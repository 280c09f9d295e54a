"""Edited orders, as shops send them, through the inbox: what real senders taught (contract, section 12)."""

from typing import Any

import pytest

from chalicelib.contracts.sources.raw import from_request
from chalicelib.domain.links import LinkKind
from tests.support.builders import SHOP
from tests.support.events import asking, opened, refunded
from tests.support.system import System, seen
from tests.support.webhooks import CANARY, DOMAIN, ORDER_ID, headers, order, text

BY_TOTAL = {
    "ORDER_CREDIT_BASIS": "total",
    "ORDER_CREDIT_FIXED_AMOUNT": "0",
    "ORDER_CREDIT_PERCENTAGE": "10",
}
PAID, UPDATED = "evt.shopify.webhook.order_paid", "evt.order.updated"


def told(total: str, hour: int | None, event_type: str = PAID) -> str:
    """Return the event of order 1 as it was at that hour in New York."""
    when: dict[str, Any] = {} if hour is None else {"updated_at": f"2026-11-01T{hour}:00:00-05:00"}
    return asking(event_type, {"order_id": 1, "total": total, **when})


def moved(system: System) -> list[tuple[str, int]]:
    return [(transaction.kind.transaction_type, transaction.amount) for transaction in system.history()]


def test_an_order_is_edited_and_paid_again(system: System) -> None:
    system.configure(**BY_TOTAL)
    for body in (opened(), told("100.00", 10), told("150.00", 11), told("120.00", 12), told("150.00", 11)):
        assert system.ingest(body) == []

    assert moved(system) == [("TRIAL", 100), ("ORDER_PAID", -10), ("ORDER_EDITED", -5), ("ORDER_EDITED", 3)]
    assert (system.balance(), system.parked()) == (88, [])
    assert system.recorded()[2] == "SHOPIFY_ORDER_1_EDIT_1793548800000"


def test_an_edited_order_without_a_time_of_the_edit(system: System) -> None:
    system.configure(**BY_TOTAL)
    for body in (opened(), told("100.00", None), told("150.00", None)):
        assert system.ingest(body) == []

    assert moved(system) == [("TRIAL", 100), ("ORDER_PAID", -10)]
    assert [message.attributes["code"] for message in system.parked()] == ["key_reused"]


@pytest.mark.parametrize(
    "time",
    [1793545200, 1793545200000, "2026-11-01T15:00:00Z", "2026-11-01T15:00:00.000+00:00", "2026-11-01 15:00:00+00"],
)
def test_the_time_of_a_version_may_have_any_spelling(system: System, time: object) -> None:
    system.configure(**BY_TOTAL)
    system.ingest(opened(), told("100.00", 9))

    system.ingest(asking(UPDATED, {"order_id": 1, "total": "150.00", "updated_at": time}))

    assert moved(system)[2:] == [("ORDER_EDITED", -5)]
    assert system.history()[2].metadata["updated_at"] == "2026-11-01T15:00:00.000Z"


@pytest.mark.parametrize("time", [None, "", "soon", "0001-01-01T00:00:00Z", ["2026"], True])
def test_a_time_that_is_none_stops_nothing(system: System, time: object) -> None:
    system.configure(**BY_TOTAL)
    system.ingest(opened(), asking(PAID, {"order_id": 1, "total": "100", "updated_at": time}))

    assert moved(system) == [("TRIAL", 100), ("ORDER_PAID", -10)]
    assert system.parked() == []
    assert "updated_at" not in system.history()[1].metadata


def test_orders_of_one_message_have_their_own_times_or_the_message_s(system: System) -> None:
    system.configure(**BY_TOTAL)
    when = "2026-11-01T10:00:00Z"
    orders = [{"order_id": 1, "total": 10, "updated_at": "2026-11-01T09:00:00Z"}, {"order_id": 2, "total": 10}]
    system.ingest(opened(), asking(PAID, {"updated_at": when, "order_items": orders}))

    times = [transaction.metadata["updated_at"] for transaction in system.history()[1:]]
    assert times == ["2026-11-01T09:00:00.000Z", "2026-11-01T10:00:00.000Z"]


def test_an_order_its_edit_and_a_refund_in_one_batch_are_one_write(system: System) -> None:
    system.configure(**BY_TOTAL)
    system.ingest(opened())

    system.ingest(told("100", 10), told("150", 11, UPDATED), refunded(1, refund_id="r", refund_amount="75"))

    assert moved(system)[1:] == [("ORDER_PAID", -10), ("ORDER_EDITED", -5), ("REFUND", 7)]
    assert system.account().version == 2
    assert system.account().merchant_id == SHOP


def test_an_edit_delivered_again_in_any_form_changes_nothing(system: System) -> None:
    system.configure(**BY_TOTAL)
    system.ingest(opened(), told("100", 10))
    system.ingest(told("150", 11), told("150", 11, UPDATED))
    before = system.everything()

    assert system.ingest(told("150", 11), told("100", 10), told("150.00", 11, UPDATED)) == []
    assert (system.everything(), system.parked()) == (before, [])


def webhook(topic: str, hour: int, **fields: Any) -> Any:
    body = order(updated_at=f"2026-11-20T{hour}:00:00-05:00", **fields)
    return seen(from_request(LinkKind.SHOPIFY, text(body), headers(topic)).message())


def lines(number: int) -> list[dict[str, Any]]:
    return [{"id": place, "name": CANARY} for place in range(number)]


@pytest.fixture
def by_item(system: System) -> System:
    system.configure(ORDER_CREDIT_BASIS="item")
    assert system.ingest(asking("evt.merchant.created", {"links": [f"shopify:{DOMAIN}"]})) == []
    return system


def test_a_webhook_is_charged_by_the_lines_of_its_order_and_edited_by_their_number(by_item: System) -> None:
    for sent in (
        webhook("orders/paid", 10, line_items=lines(5)),
        webhook("orders/updated", 10, line_items=lines(5)),
        webhook("orders/updated", 12, line_items=lines(2)),
        webhook("orders/updated", 11, line_items=lines(9)),
    ):
        assert by_item.ingest(sent) == []

    assert moved(by_item)[1:] == [("ORDER_PAID", -5), ("ORDER_EDITED", 3)]
    assert (by_item.balance(), by_item.parked()) == (98, [])


def test_an_order_of_a_service_and_its_webhook_count_the_same_lines(by_item: System) -> None:
    by_item.ingest(asking(PAID, {"order_id": ORDER_ID, "order_items": [{}, {}, {}]}))
    assert by_item.ingest(webhook("orders/updated", 10, line_items=lines(3))) == []

    assert moved(by_item)[1:] == [("ORDER_PAID", -3)]


def test_a_webhook_without_lines_counts_as_one_item(by_item: System) -> None:
    by_item.ingest(webhook("orders/paid", 10, line_items=None))
    assert moved(by_item)[1:] == [("ORDER_PAID", -1)]

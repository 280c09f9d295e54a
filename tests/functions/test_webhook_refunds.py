"""Refunds within the webhooks of their orders: they never keep the order from being decided, and none is lost."""

from typing import Any

import pytest

from chalicelib.contracts.sources.raw import from_request
from chalicelib.domain.links import LinkKind
from tests.support.api import CREDITS_TABLE
from tests.support.events import asking
from tests.support.system import System, refusal, seen
from tests.support.webhooks import DOMAIN, ORDER_ID, REFUND_ID, both, headers, order, refund, text, transaction

BY_TOTAL = {
    "ORDER_CREDIT_BASIS": "total",
    "ORDER_CREDIT_FIXED_AMOUNT": "0",
    "ORDER_CREDIT_PERCENTAGE": "10",
}
PAID, REFUNDED = "evt.shopify.webhook.order_paid", "evt.shopify.webhook.order_refunded"


@pytest.fixture
def shop(system: System) -> System:
    system.configure(**BY_TOTAL)
    assert system.ingest(asking("evt.merchant.created", {"links": [f"shopify:{DOMAIN}"]})) == []
    return system


def webhook(topic: str, body: dict[str, Any]) -> Any:
    return seen(from_request(LinkKind.SHOPIFY, text(body), headers(topic)).message())


def updated(hour: int, *refunds: dict[str, Any], **fields: Any) -> Any:
    at = f"2026-11-22T{hour}:00:00-05:00"
    state = {"financial_status": "partially_refunded", "updated_at": at, "refunds": list(refunds), **fields}
    return webhook("orders/updated", order(**state))


def abroad(amount: str = "8000", **fields: Any) -> dict[str, Any]:
    """Return a refund in another currency than its order's, which nothing in itself contradicts."""
    plain = {"refund_line_items": [], "order_adjustments": [], **fields}
    return refund(transaction(amount, currency="JPY"), **plain)


def moved(system: System) -> list[int]:
    return [transaction.amount for transaction in system.history()][1:]


def codes(system: System) -> list[str]:
    return sorted(letter.attributes["code"] for letter in system.parked())


def ignored(system: System) -> list[tuple[str, str]]:
    return [(line["reason"], line["reference_id"]) for line in system.lines() if line["message"] == "ignored"]


def test_a_refund_that_was_pending_and_is_refused_once_it_is_settled_is_a_dead_letter(shop: System) -> None:
    shop.ingest(webhook("orders/paid", order()))
    pending = transaction("8000", currency="JPY", status="pending")
    shop.ingest(webhook("refunds/create", refund(pending, refund_line_items=[], order_adjustments=[])))
    assert (codes(shop), ignored(shop)) == ([], [("refund_pending", str(REFUND_ID))])

    assert shop.ingest(updated(10, abroad())) == []

    assert (moved(shop), codes(shop)) == ([-10], ["currency_mismatch"])


NOT_STATED = abroad()
BARE: dict[str, Any] = {"refund_line_items": [], "order_adjustments": []}
PENDING = refund(transaction("8000", currency="JPY", status="pending"), **BARE)


@pytest.mark.parametrize(
    "deliveries",
    [
        lambda: [webhook("refunds/create", NOT_STATED), updated(10, NOT_STATED), updated(11, NOT_STATED)],
        lambda: [webhook("refunds/create", PENDING), updated(10, NOT_STATED), updated(11, NOT_STATED)],
        lambda: [updated(10, NOT_STATED), webhook("refunds/create", NOT_STATED), updated(11, NOT_STATED)],
    ],
    ids=["settled at once", "pending first", "the order's webhook first"],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_refused_refund_is_one_dead_letter_however_many_webhooks_report_it(
    shop: System, deliveries: Any, together: bool
) -> None:
    shop.ingest(webhook("orders/paid", order()))
    messages = deliveries()
    for batch in [messages] if together else [[message] for message in messages]:
        assert shop.ingest(*batch) == []

    assert codes(shop) == ["currency_mismatch"]
    assert [name for _, name in ignored(shop)] == [str(REFUND_ID)] * 2


def test_a_second_refused_refund_of_an_order_is_a_dead_letter_of_its_own(shop: System) -> None:
    second = abroad(id=7, admin_graphql_api_id="gid://shopify/Refund/7")
    shop.ingest(webhook("orders/paid", order()), updated(10, NOT_STATED))
    assert codes(shop) == ["currency_mismatch"]

    for hour in (11, 12):
        shop.ingest(updated(hour, NOT_STATED, second))

    assert codes(shop) == ["currency_mismatch"]


def test_a_refund_that_the_ledger_refuses_is_one_dead_letter_too(shop: System) -> None:
    shop.ingest(asking(PAID, {"order_id": ORDER_ID, "total": 100, "currency": "USD"}))
    paid_back = refund(transaction("50.00"))
    for message in (webhook("refunds/create", paid_back), updated(10, paid_back), updated(11, paid_back)):
        assert shop.ingest(message) == []

    assert codes(shop) == ["currency_mismatch"]


def test_a_message_is_parked_again_if_it_was_put_back_or_its_parking_not_confirmed(shop: System) -> None:
    message = updated(10, NOT_STATED)
    shop.fail("SendMessage", refusal("SendMessage"))
    assert shop.ingest(message) == [message["messageId"]]
    assert shop.ingest(message) == []
    assert codes(shop) == ["currency_mismatch"]

    again = {"stringValue": "1", "dataType": "String"}
    assert shop.ingest({**message, "messageId": "put back", "messageAttributes": {"redriven": again}}) == []
    assert codes(shop) == ["currency_mismatch"]


def test_a_letter_that_was_moved_back_by_the_queue_itself_is_parked_again(shop: System) -> None:
    message = updated(10, NOT_STATED)
    shop.ingest(message)
    [letter] = shop.parked()

    attributes = {name: {"stringValue": text, "dataType": "String"} for name, text in letter.attributes.items()}
    assert shop.ingest({**message, "messageId": "moved back", "messageAttributes": attributes}) == []

    assert codes(shop) == ["currency_mismatch"]


def test_a_message_that_was_put_back_is_the_letter_of_a_refund_that_nobody_parked_for_this_reason(shop: System) -> None:
    again = {"stringValue": "1", "dataType": "String"}
    shop.ingest({**updated(10, NOT_STATED), "messageAttributes": {"redriven": again}})
    shop.ingest({**updated(11, NOT_STATED), "messageId": "later"})

    assert codes(shop) == ["currency_mismatch"]


def test_a_refused_refund_comes_back_while_the_table_of_links_does_not_answer(shop: System) -> None:
    message = updated(10, NOT_STATED)
    shop.fail("PutItem", refusal("PutItem"))
    assert shop.ingest(message) == [message["messageId"]]
    assert codes(shop) == []
    assert shop.ingest(message) == []
    assert codes(shop) == ["currency_mismatch"]


def test_a_refund_in_the_customers_currency_gives_credits_back_once_it_is_settled(shop: System) -> None:
    lines = [{"id": 1, "subtotal_set": both("50.00", abroad="8000"), "total_tax_set": both("5.00", abroad="800")}]
    due = [{"id": 2, "amount_set": both("55.00", abroad="8800"), "tax_amount_set": both("0.00", abroad="0")}]
    shop.ingest(webhook("orders/paid", order()))
    pending = transaction("8800", currency="JPY", status="pending")
    shop.ingest(webhook("refunds/create", refund(pending, refund_line_items=lines, order_adjustments=due)))
    settled = refund(transaction("8800", currency="JPY"), refund_line_items=lines, order_adjustments=[])
    for hour in (10, 11):
        assert shop.ingest(updated(hour, settled)) == []

    assert (moved(shop), codes(shop)) == ([-10, 5], [])


LINES = [{"id": 1, "subtotal_set": both("50.00", abroad="8000"), "total_tax_set": both("5.00", abroad="800")}]
SHIPPING = [{"id": 3, "subtotal_amount_set": both("10.00", abroad="1600")}]
LESS = [{"id": 2, "amount_set": both("20.00", abroad="3200"), "tax_amount_set": both("0.00", abroad="0")}]


@pytest.mark.parametrize(
    ("paid", "parts", "back"),
    [
        ("8800", {"refund_line_items": LINES}, 5),
        ("8000", {"refund_line_items": LINES}, 5),
        ("1600", {"refund_shipping_lines": SHIPPING}, 1),
        ("1600", {"duties": [{"id": 4, "amount_set": both("10.00", abroad="1600")}]}, 1),
        ("10400", {"refund_line_items": LINES, "refund_shipping_lines": SHIPPING}, 6),
        ("7200", {"refund_line_items": LINES, "refund_shipping_lines": SHIPPING, "order_adjustments": LESS}, 4),
    ],
    ids=["lines", "prices with taxes", "shipping", "duties", "lines and shipping", "less than lines and shipping"],
)
@pytest.mark.parametrize("currency", ["EUR", None])
def test_the_shops_money_counts_as_the_refund_states_it(
    shop: System, currency: str | None, paid: str, parts: dict[str, Any], back: int
) -> None:
    shop.ingest(asking(PAID, {"order_id": ORDER_ID, "total": 100, "currency": currency}))
    parts = {"refund_line_items": [], "order_adjustments": [], **parts}
    shop.ingest(webhook("refunds/create", refund(transaction(paid, currency="JPY"), **parts)))

    assert (moved(shop), codes(shop)) == ([-10, back], [])


@pytest.mark.parametrize("topic", ["refunds/create", "orders/updated"])
@pytest.mark.parametrize(
    "wrong",
    [
        refund(transaction("8700", currency="JPY"), refund_line_items=LINES, order_adjustments=[]),
        refund(transaction("8000", currency="JPY"), transaction("10.00"), refund_line_items=[], order_adjustments=[]),
    ],
    ids=["another sum than stated", "two currencies, and nothing stated"],
)
def test_the_customers_money_never_counts_also_of_an_order_without_a_currency(
    shop: System, topic: str, wrong: dict[str, Any]
) -> None:
    shop.ingest(asking(PAID, {"order_id": ORDER_ID, "total": 100}))
    shop.ingest(webhook(topic, wrong) if topic == "refunds/create" else updated(10, wrong))

    assert (moved(shop), codes(shop)) == ([-10], ["currency_mismatch"])


def test_a_refund_that_contradicts_its_record_is_no_dead_letter_with_each_update(shop: System) -> None:
    shop.ingest(webhook("orders/paid", order()))
    shop.ingest(
        asking(REFUNDED, {"order_id": ORDER_ID, "refund_id": REFUND_ID, "refund_amount": 50, "order_total": 99})
    )
    for hour in (10, 11):
        assert shop.ingest(updated(hour, refund(transaction("50.00")))) == []

    assert codes(shop) == []
    assert ignored(shop) == [("key_reused", str(REFUND_ID))] * 2


@pytest.mark.parametrize(
    ("wrong", "parked"),
    [
        (abroad(), ["currency_mismatch"]),
        (refund(transaction("1", currency="JPY")), ["currency_mismatch"]),
        (refund(transaction("9" * 16), transaction("9" * 16)), []),
        (refund(transaction("x")), []),
    ],
    ids=["another currency", "another currency than its lines", "too many digits", "no amount"],
)
def test_an_order_is_charged_and_edited_whatever_is_wrong_with_a_refund_in_it(
    shop: System, wrong: dict[str, Any], parked: list[str]
) -> None:
    fine = refund(transaction("50.00"), id=7, admin_graphql_api_id="gid://shopify/Refund/7")
    assert shop.ingest(updated(10, wrong)) == []
    assert shop.ingest(updated(11, wrong, fine, total_price="200.00")) == []

    assert (moved(shop), codes(shop)) == ([-10, -10, 5], parked)
    assert [name for _, name in ignored(shop)] == [str(REFUND_ID)] * (2 - len(parked))


def test_an_order_that_is_refused_is_parked_at_once_with_the_refund_in_it(shop: System) -> None:
    assert shop.ingest(updated(10, refund(transaction("50.00")), total_price=None)) == []

    [letter] = shop.parked()
    assert letter.attributes["code"] == "total_missing"
    assert str(REFUND_ID) in letter.body


CANCELLED = {"refund_line_items": [{"id": 1, "restock_type": "cancel", "subtotal_set": both("50.00", abroad="8000")}]}


@pytest.mark.parametrize("transactions", [(), (transaction("100.00", kind="void"),)], ids=["no money", "a void"])
def test_a_refund_of_no_money_is_ignored_if_nobody_paid_its_order(
    shop: System, transactions: tuple[dict[str, Any], ...]
) -> None:
    restock = webhook("refunds/create", refund(*transactions, **CANCELLED))
    assert shop.ingest(webhook("orders/updated", order(financial_status="pending"))) == []
    assert shop.ingest(restock) == [restock["messageId"]]

    shop.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    assert shop.ingest(restock) == []

    assert (moved(shop), codes(shop)) == ([], [])
    assert ignored(shop)[1:] == [("nothing_paid", str(REFUND_ID))]


def test_a_restock_of_a_paid_order_is_recorded_with_no_credits_in_any_order_of_arrival(shop: System) -> None:
    restock = webhook("refunds/create", refund(**CANCELLED))
    assert shop.ingest(restock) == [restock["messageId"]]
    assert shop.ingest(webhook("orders/paid", order()), restock) == []

    assert (moved(shop), codes(shop), ignored(shop)) == ([-10, 0], [], [])


def test_a_refund_of_money_without_its_order_is_a_dead_letter(shop: System) -> None:
    shop.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    shop.ingest(webhook("refunds/create", refund(transaction("50.00"))))
    shop.ingest(asking(REFUNDED, {"order_id": 5, "refund_id": 6, "refund_amount": 0}))

    assert codes(shop) == ["order_missing"] * 2


@pytest.mark.parametrize("unlinked", ["wait", "open"])
def test_a_refund_of_no_money_needs_no_link(system: System, unlinked: str) -> None:
    system.configure(UNLINKED=unlinked)
    assert system.ingest(webhook("refunds/create", refund(**CANCELLED))) == []

    assert (system.items(CREDITS_TABLE), codes(system)) == ([], [])
    assert ignored(system) == [("nothing_paid", str(REFUND_ID))]

"""Shopify's webhooks become events of ours, or nothing, or poison (contract, section 15, point 3)."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.contracts.inbound.events import Event, read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.contracts.sources.shopify import read
from chalicelib.contracts.sources.webhooks import SourceEvent, SourceTerms, Unused, UnusedReason, Webhook
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import merchant_id
from chalicelib.domain.movements import OrderMovement, RefundMovement
from chalicelib.domain.orders import Basis, Policy
from tests.support.webhooks import (
    DOMAIN,
    EDIT_BODY,
    MERCHANT,
    ORDER_ID,
    PRIVACY_BODY,
    REFUND_ID,
    SCOPES_BODY,
    SHOP_BODY,
    SUBSCRIPTION_BODY,
    both,
    headers,
    order,
    refund,
    transaction,
)

PLAIN = SourceTerms()
LATER = "2026-11-20T10:00:01-05:00"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
BEYOND = 820982911946154508
ROUNDED = 820982911946154500
GLOBAL = f"gid://shopify/Order/{BEYOND}"
EXACT = f"gid://shopify/Order/{2**53 + 1}"


def came(topic: str, body: dict[str, Any], terms: SourceTerms = PLAIN, **more: str) -> Webhook:
    return read(body, headers(topic, **more), terms)


def only_event(webhook: Webhook) -> SourceEvent:
    [part] = webhook.parts
    assert isinstance(part, SourceEvent)
    return part


def only_unused(webhook: Webhook) -> Unused:
    [part] = webhook.parts
    assert isinstance(part, Unused)
    return part


def moved(webhook: Webhook, basis: Basis = Basis.ORDER) -> Event:
    """Return what the one place that makes movements makes of a webhook's only event."""
    [body] = webhook.bodies(merchant_id(MERCHANT))
    return read_event(body, Terms(trial_credits=100, policy=Policy(basis=basis)), now=NOW)


def refused(topic: str, body: dict[str, Any], shop: str = DOMAIN) -> tuple[Code, str | None]:
    with pytest.raises(Rejected) as caught:
        came(topic, body, shop=shop)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    ("topic", "event_type"),
    [
        ("orders/paid", "evt.shopify.webhook.order_paid"),
        ("ORDERS_PAID", "evt.shopify.webhook.order_paid"),
        ("orders/updated", "evt.order.updated"),
    ],
)
def test_an_order_is_charged_by_its_id_and_the_money_of_the_shop(topic: str, event_type: str) -> None:
    webhook = came(topic, order())

    assert only_event(webhook) == SourceEvent(
        event_type=event_type,
        payload={
            "order_id": str(ORDER_ID),
            "total": "100.00",
            "currency": "EUR",
            "financial_status": "paid",
            "test": False,
            "updated_at": "2026-11-20T10:00:01-05:00",
            "order_items": [{}],
        },
    )
    assert (webhook.name, webhook.merchant_id) == (f"shopify:{DOMAIN}", None)
    assert webhook.occurred_at == "2026-11-20T10:00:01-05:00"
    assert webhook.correlation_id == "98880550-7158-44d4-b7cd-2c97c8a091b5"
    [movement] = moved(webhook, Basis.TOTAL).movements
    assert isinstance(movement, OrderMovement)
    assert (movement.key, movement.total) == (f"SHOPIFY_ORDER_{ORDER_ID}", Decimal(100))
    assert movement.occurred_at == "2026-11-20T15:00:01.000Z"


@pytest.mark.parametrize(
    ("lines", "stated"),
    [
        ([{"id": 1}, {"id": 2}, {"id": 3, "current_quantity": 0}], 3),
        ([{"id": 1}] * 500, 500),
        ([], 0),
        (None, 0),
    ],
)
@pytest.mark.parametrize("topic", ["orders/paid", "orders/updated"])
def test_an_order_has_as_many_items_as_lines_removed_ones_too(topic: str, lines: Any, stated: int) -> None:
    webhook = came(topic, order(line_items=lines))
    assert only_event(webhook).payload.get("order_items", []) == [{}] * stated
    [movement] = moved(webhook, Basis.ITEM).movements
    assert isinstance(movement, OrderMovement)
    assert movement.lines == (stated or 1)


def test_the_domain_of_a_shop_counts_in_small_letters_and_headers_in_any() -> None:
    found = read(order(), {name.lower(): text for name, text in headers("orders/paid").items()}, PLAIN)
    assert came("orders/paid", order(), shop=DOMAIN.upper()).name == found.name == f"shopify:{DOMAIN}"


@pytest.mark.parametrize("status", ["pending", "authorized", "VOIDED", "expired"])
@pytest.mark.parametrize("topic", ["orders/paid", "orders/updated"])
def test_an_order_that_is_not_paid_is_ignored_where_movements_are_made(topic: str, status: str) -> None:
    event = moved(came(topic, order(financial_status=status)))
    assert ([one.reason for one in event.ignored], event.movements) == (["order_not_paid"], ())


def test_an_updated_order_without_a_status_is_not_paid() -> None:
    unused = only_unused(came("orders/updated", order(financial_status=None)))
    assert (unused.reason, unused.field, unused.reference_id) == (
        UnusedReason.ORDER_NOT_PAID,
        "financial_status",
        str(ORDER_ID),
    )


def test_a_test_order_is_ignored_where_movements_are_made() -> None:
    assert [one.reason for one in moved(came("orders/paid", order(test=True))).ignored] == ["test_order"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": ROUNDED, "admin_graphql_api_id": GLOBAL}, BEYOND),
        ({"id": Decimal("8.20982911946154500E+17"), "admin_graphql_api_id": GLOBAL}, BEYOND),
        ({"id": BEYOND, "admin_graphql_api_id": GLOBAL}, BEYOND),
        ({"id": BEYOND, "admin_graphql_api_id": None}, BEYOND),
        ({"id": None, "admin_graphql_api_id": "gid://shopify/Order/77?x=y"}, 77),
        ({"id": "gid://shopify/Order/77", "admin_graphql_api_id": None}, 77),
        ({"id": "77", "admin_graphql_api_id": "https://www.example.com/"}, 77),
    ],
)
def test_an_id_is_its_number_and_beyond_2_to_the_53_that_of_the_global_id(
    fields: dict[str, Any], expected: int
) -> None:
    assert only_event(came("orders/paid", order(**fields))).payload["order_id"] == str(expected)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"id": None, "admin_graphql_api_id": None}, Code.FIELD_MISSING, "id"),
        ({"id": True, "admin_graphql_api_id": None}, Code.FIELD_INVALID, "id"),
        ({"id": 0, "admin_graphql_api_id": None}, Code.FIELD_INVALID, "id"),
        ({"id": -5, "admin_graphql_api_id": None}, Code.FIELD_INVALID, "id"),
        ({"id": Decimal("1E+17"), "admin_graphql_api_id": None}, Code.FIELD_INVALID, "id"),
        ({"id": Decimal("1E+99"), "admin_graphql_api_id": "gid://shopify/Order/1"}, Code.FIELD_INVALID, "id"),
        ({"id": {"n": 1}}, Code.FIELD_INVALID, "id"),
        ({"id": "seven", "admin_graphql_api_id": None}, Code.FIELD_INVALID, "id"),
        ({"id": BEYOND + 1000, "admin_graphql_api_id": GLOBAL}, Code.TOPIC_CONTRADICTS_BODY, "id"),
        ({"id": 2**53 - 1, "admin_graphql_api_id": EXACT}, Code.TOPIC_CONTRADICTS_BODY, "id"),
        ({"id": ORDER_ID + 1}, Code.TOPIC_CONTRADICTS_BODY, "id"),
        (
            {"id": BEYOND * 2, "admin_graphql_api_id": GLOBAL},
            Code.TOPIC_CONTRADICTS_BODY,
            "id",
        ),
        ({"admin_graphql_api_id": "gid://shopify/Refund/1"}, Code.TOPIC_CONTRADICTS_BODY, "admin_graphql_api_id"),
        ({"financial_status": 5}, Code.FIELD_INVALID, "financial_status"),
        ({"test": "yes"}, Code.FIELD_INVALID, "test"),
        ({"line_items": {"0": {"id": 1}}}, Code.FIELD_INVALID, "line_items"),
        ({"line_items": "two"}, Code.FIELD_INVALID, "line_items"),
        ({"line_items": -1}, Code.FIELD_INVALID, "line_items"),
        ({"line_items": 10**9}, Code.FIELD_INVALID, "line_items"),
    ],
)
def test_what_decides_of_an_order_is_strict(fields: dict[str, Any], code: Code, field: str) -> None:
    assert refused("orders/paid", order(**fields)) == (code, field)


@pytest.mark.parametrize("total", ["1,000.00", [], "", None, {"a": 1}])
def test_a_total_that_nobody_needs_stops_no_order(total: Any) -> None:
    assert len(moved(came("orders/paid", order(total_price=total))).movements) == 1


@pytest.mark.parametrize("time", [5, [], {"a": 1}, None, "", "x" * 256])
def test_a_time_that_cannot_be_read_is_none(time: Any) -> None:
    webhook = came("orders/paid", order(updated_at=time))
    assert "updated_at" not in only_event(webhook).payload
    assert webhook.occurred_at == "2026-11-20T15:00:02.123456789Z"


@pytest.mark.parametrize("name", ["X-Shopify-Event-Id", "X-Shopify-Triggered-At"])
def test_a_doubled_header_that_moves_nothing_is_dropped(name: str) -> None:
    webhook = read(SHOP_BODY, {**headers("app/uninstalled"), name.upper(): "other"}, PLAIN)
    assert (webhook.closed, None in (webhook.correlation_id, webhook.occurred_at)) == (True, True)


@pytest.mark.parametrize(
    ("transactions", "amount"),
    [
        ([transaction("45.00")], "45"),
        ([transaction("75.00"), transaction("10.00", gateway="gift_card")], "85"),
        ([transaction("0.10"), transaction("0.20")], "0.3"),
        ([transaction("45.00"), transaction("100.00", kind="sale")], "45"),
        ([transaction("45.00"), transaction("5.00", status="failure")], "45"),
        ([transaction("45.00", kind="REFUND", status="SUCCESS")], "45"),
        ([transaction("45.00", currency=None)], "45"),
        ([transaction("45.00", currency="eur")], "45"),
        ([transaction("40.00", currency="XXX"), transaction("5.00")], "45"),
        ([transaction("7200", currency="JPY", amount_set=both("45.00", abroad="7200"))], "45"),
        ([], "0"),
    ],
)
def test_a_refund_gives_back_the_sum_of_its_settled_transactions(
    transactions: list[dict[str, Any]], amount: str
) -> None:
    webhook = came("refunds/create", refund(*transactions))

    event = only_event(webhook)
    assert event.event_type == "evt.shopify.webhook.order_refunded"
    assert event.payload == {
        "order_id": str(ORDER_ID),
        "refund_id": str(REFUND_ID),
        "refund_amount": amount,
        "currency": "EUR",
    }
    [movement] = moved(webhook).movements
    assert isinstance(movement, RefundMovement)
    assert (movement.key, movement.order_id, movement.amount) == (
        f"SHOPIFY_REFUND_{REFUND_ID}",
        str(ORDER_ID),
        Decimal(amount),
    )
    assert webhook.occurred_at == "2026-11-21T09:00:00-05:00"


def test_a_refund_of_shipping_alone_has_the_currency_of_its_transactions() -> None:
    event = only_event(came("refunds/create", refund(transaction("9.90"), refund_line_items=[], order_adjustments=[])))
    assert (event.payload["refund_amount"], event.payload["currency"]) == ("9.9", "EUR")


def test_the_code_for_no_currency_is_not_that_of_the_shop() -> None:
    unknown = {"id": 1, "subtotal_set": both("0.0", "XXX")}
    event = only_event(came("refunds/create", refund(transaction("9.90"), refund_line_items=[unknown])))
    assert event.payload["currency"] == "EUR"


def test_the_currency_of_the_shop_may_be_told_by_an_adjustment_alone() -> None:
    bare = {"id": 1, "line_item_id": 2, "quantity": 1}
    code, field = refused("refunds/create", refund(transaction("9", currency="JPY"), refund_line_items=[bare]))
    assert (code, field) == (Code.CURRENCY_MISMATCH, "transactions.0.currency")


def abroad(amount: str, **fields: Any) -> dict[str, Any]:
    """Return a refund of a customer who pays in yen, for lines of 50.00 and 5.00 tax, as Shopify Payments sends it."""
    tax = {"total_tax_set": both("5.00", abroad="800")}
    lines = [{"id": 1, "subtotal_set": both("50.00", abroad="8000"), **tax}]
    plain = {"refund_line_items": lines, "order_adjustments": []}
    return refund(transaction(amount, currency="JPY"), **{**plain, **fields})


def adjusted(amount: str, yen: str) -> dict[str, Any]:
    return {"id": 2, "amount_set": both(amount, abroad=yen), "tax_amount_set": both("0.00", abroad="0")}


@pytest.mark.parametrize(
    ("body", "amount"),
    [
        (abroad("8800"), "55"),
        (abroad("8800", order_adjustments=[adjusted("55.00", "8800")]), "55"),
        (abroad("7000", order_adjustments=[adjusted("11.25", "1800")]), "43.75"),
        (abroad("9600", order_adjustments=[adjusted("-5.00", "-800")]), "60"),
        (abroad("9600", refund_shipping_lines=[{"id": 3, "subtotal_amount_set": both("5.00", abroad="800")}]), "60"),
        (abroad("9000", duties=[{"duty_id": 1, "amount_set": both("1.25", abroad="200")}]), "56.25"),
        (abroad("1600", refund_line_items=[], order_adjustments=[adjusted("-10.00", "-1600")]), "10"),
    ],
    ids=[
        "lines",
        "lines, pending before",
        "less than the lines",
        "lines and shipping",
        "shipping by itself",
        "duties",
        "goodwill",
    ],
)
def test_a_refund_in_the_customers_currency_counts_what_it_states_in_the_shops(
    body: dict[str, Any], amount: str
) -> None:
    event = only_event(came("refunds/create", body))
    assert (event.payload["refund_amount"], event.payload["currency"]) == (amount, "EUR")

    [_, by_order] = came("orders/updated", order(financial_status="partially_refunded", refunds=[body])).events
    assert by_order == replace(event, secondary=True)


@pytest.mark.parametrize(
    "body",
    [
        abroad("8700"),
        abroad("8800", duties="none"),
        abroad("8800", refund_line_items=[{"id": 1, "subtotal_set": both("-50.00", abroad="8800")}]),
        abroad("8000", refund_line_items=[{"id": 1, "subtotal_set": both("50.00x", abroad="8000")}]),
        abroad("8800", transactions=[transaction("8800", currency="JPY"), transaction("55.00", currency="USD")]),
    ],
)
def test_a_refund_that_states_no_amount_in_the_shops_currency_is_refused(body: dict[str, Any]) -> None:
    assert refused("refunds/create", body) == (Code.CURRENCY_MISMATCH, "transactions.0.currency")

    [_, by_order] = came("orders/updated", order(financial_status="partially_refunded", refunds=[body])).events
    assert (by_order.payload["currency"], by_order.secondary) == ("JPY", True)


@pytest.mark.parametrize(
    ("transactions", "reason", "place"),
    [
        ([transaction(status="pending")], UnusedReason.REFUND_PENDING, 0),
        ([transaction("75.00"), transaction("10.00", status="pending")], UnusedReason.REFUND_PENDING, 1),
        ([transaction(status="failure")], UnusedReason.REFUND_FAILED, 0),
        ([transaction(status=None)], UnusedReason.REFUND_FAILED, 0),
    ],
)
def test_a_refund_whose_money_has_not_moved_is_ignored(
    transactions: list[dict[str, Any]], reason: UnusedReason, place: int
) -> None:
    unused = only_unused(came("refunds/create", refund(*transactions)))
    assert unused == Unused(reason=reason, field=f"transactions.{place}.status", reference_id=str(REFUND_ID))


def test_a_refund_that_settles_later_has_the_same_key_and_amount_from_either_webhook() -> None:
    assert came("refunds/create", refund(transaction(status="pending"))).events == ()

    settled = refund(transaction("45.00"))
    [_, by_order] = came("orders/updated", order(financial_status="partially_refunded", refunds=[settled])).events
    assert by_order == replace(only_event(came("refunds/create", settled)), secondary=True)


@pytest.mark.parametrize(
    ("fields", "refunds"),
    [
        ({"financial_status": "voided"}, [refund(transaction())]),
        ({"financial_status": "pending"}, [refund(transaction())]),
        ({"test": True}, [refund(transaction())]),
        ({}, [refund()]),
        ({}, [refund(transaction(status="pending"))]),
        ({}, [refund(transaction("many"))]),
    ],
)
def test_a_refund_within_an_order_never_stops_the_order(fields: dict[str, Any], refunds: list[dict[str, Any]]) -> None:
    [event] = came("orders/updated", order(refunds=refunds, **fields)).events
    assert event.event_type == "evt.order.updated"


@pytest.mark.parametrize(
    ("wrong", "code"), [(transaction("many"), Code.FIELD_INVALID), (transaction(amount=None), Code.FIELD_MISSING)]
)
def test_a_refund_within_an_order_that_cannot_be_read_is_ignored_with_its_reason(
    wrong: dict[str, Any], code: Code
) -> None:
    [unused] = came("orders/updated", order(refunds=[refund(wrong)])).unused
    assert (unused.reason, unused.reference_id) == (code, str(REFUND_ID))


def test_a_refund_that_settles_later_counts_of_a_test_order_where_test_orders_count() -> None:
    body = order(test=True, financial_status="refunded", refunds=[refund(transaction(test=True))])
    assert len(came("orders/updated", body).events) == 1
    [_, settled] = came("orders/updated", body, SourceTerms(count_test_orders=True)).events
    assert settled.payload["refund_amount"] == "45"


def test_a_test_refund_within_an_order_is_ignored_as_in_its_own_webhook() -> None:
    body = order(financial_status="refunded", refunds=[refund(transaction(test=True))])
    assert only_event(came("orders/updated", body)).event_type == "evt.order.updated"
    assert len(came("orders/updated", body, SourceTerms(count_test_orders=True)).events) == 2


def test_refunds_within_a_paid_order_wait_for_their_own_webhook() -> None:
    assert len(came("orders/paid", order(refunds=[refund(transaction())])).events) == 1


@pytest.mark.parametrize(
    ("topic", "body"),
    [("orders/paid", order()), ("refunds/create", refund(transaction())), ("app/uninstalled", SHOP_BODY)],
)
def test_a_notification_of_shopifys_test_button_is_ignored_unless_test_orders_count(
    topic: str, body: dict[str, Any]
) -> None:
    pressed = headers(topic, **{"x-shopify-test": "true"})
    assert only_unused(read(body, pressed, PLAIN)).reason is UnusedReason.TEST_ORDER
    moving = came(topic, body).parts
    assert read(body, pressed, SourceTerms(count_test_orders=True)).parts == moving
    assert read(body, {**headers(topic), "X-Shopify-Test": "false"}, PLAIN).parts == moving
    unused = read({}, {**pressed, "X-Shopify-Topic": "products/create"}, PLAIN)
    assert only_unused(unused).reason is UnusedReason.TOPIC_UNUSED


def test_a_refund_of_a_test_order_is_ignored_unless_test_orders_count() -> None:
    body = refund(transaction(test=True))
    assert only_unused(came("refunds/create", body)).reason is UnusedReason.TEST_ORDER
    assert (
        only_event(came("refunds/create", body, SourceTerms(count_test_orders=True))).payload["refund_amount"] == "45"
    )


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (refund(transaction(currency="JPY")), Code.CURRENCY_MISMATCH, "transactions.0.currency"),
        (
            refund(transaction(), transaction(currency="USD"), refund_line_items=[], order_adjustments=[]),
            Code.CURRENCY_MISMATCH,
            "transactions.1.currency",
        ),
        (refund(transaction("1,000.00")), Code.FIELD_INVALID, "transactions.0.amount"),
        (refund(transaction("-1")), Code.FIELD_INVALID, "transactions.0.amount"),
        (refund(transaction(amount=None)), Code.FIELD_MISSING, "transactions.0.amount"),
        (refund(transaction(amount=True)), Code.FIELD_INVALID, "transactions.0.amount"),
        (refund(transactions=None), Code.FIELD_MISSING, "transactions"),
        (refund(transactions={}), Code.FIELD_INVALID, "transactions"),
        (refund(transactions=[5]), Code.FIELD_INVALID, "transactions.0"),
        (refund(order_id=None), Code.FIELD_MISSING, "order_id"),
        (refund(id=None, admin_graphql_api_id=None), Code.FIELD_MISSING, "id"),
        (refund(admin_graphql_api_id="gid://shopify/Order/1"), Code.TOPIC_CONTRADICTS_BODY, "admin_graphql_api_id"),
    ],
)
def test_what_decides_of_a_refund_is_strict(body: dict[str, Any], code: Code, field: str) -> None:
    assert refused("refunds/create", body) == (code, field)


def test_an_uninstalled_app_closes_the_account() -> None:
    webhook = came("app/uninstalled", SHOP_BODY)
    assert (webhook.closed, webhook.events, webhook.unused) == (True, (), ())
    assert (webhook.name, webhook.occurred_at) == (f"shopify:{DOMAIN}", "2026-11-20T15:00:02.123456789Z")
    assert came("app/uninstalled", {**SHOP_BODY, "myshopify_domain": None}).closed


def test_an_uninstall_of_another_shop_is_poison() -> None:
    assert refused("app/uninstalled", SHOP_BODY, shop="other.myshopify.com") == (
        Code.TOPIC_CONTRADICTS_BODY,
        "myshopify_domain",
    )


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("app/scopes_update", SCOPES_BODY, UnusedReason.SCOPES_UNUSED),
        ("app_subscriptions/update", SUBSCRIPTION_BODY, UnusedReason.SUBSCRIPTION_WITHOUT_PERIOD),
        ("customers/redact", PRIVACY_BODY, UnusedReason.CUSTOMERS_REDACT),
        ("customers/data_request", PRIVACY_BODY, UnusedReason.CUSTOMERS_DATA_REQUEST),
        ("shop/redact", PRIVACY_BODY, UnusedReason.SHOP_REDACT),
        ("orders/edited", EDIT_BODY, UnusedReason.TOPIC_UNUSED),
        ("orders/create", order(), UnusedReason.TOPIC_UNUSED),
        ("orders/cancelled", order(), UnusedReason.TOPIC_UNUSED),
        ("products/update", {"id": 1}, UnusedReason.TOPIC_UNUSED),
        ("orders/create", {}, UnusedReason.TOPIC_UNUSED),
        ("customer.tags_added", {"customerId": "gid://shopify/Customer/1"}, UnusedReason.TOPIC_UNUSED),
        ("customer.joined_segment", {"customer_id": "gid://shopify/Customer/1"}, UnusedReason.TOPIC_UNUSED),
    ],
)
def test_a_topic_that_moves_nothing_is_ignored_with_its_reason(
    topic: str, body: dict[str, Any], reason: UnusedReason
) -> None:
    webhook = came(topic, body)
    assert only_unused(webhook) == Unused(reason=reason, field="X-Shopify-Topic")
    assert webhook.name == f"shopify:{DOMAIN}"


@pytest.mark.parametrize(
    ("topic", "field"),
    [("orders/paid", "financial_status"), ("orders/updated", "financial_status"), ("refunds/create", "order_id")],
)
def test_a_body_without_what_its_topic_is_about_lacks_a_field(topic: str, field: str) -> None:
    assert refused(topic, {"id": ORDER_ID, "updated_at": LATER}) == (Code.FIELD_MISSING, field)


BODIES = {
    "orders/paid": order(),
    "orders/updated": order(),
    "refunds/create": refund(transaction()),
    "app/uninstalled": SHOP_BODY,
    "orders/edited": EDIT_BODY,
    "app_subscriptions/update": SUBSCRIPTION_BODY,
    "shop/redact": PRIVACY_BODY,
    "products/update": {"id": 1, "title": "x", "variants": []},
}


@pytest.mark.parametrize("topic", ["orders/paid", "orders/updated", "refunds/create", "app/uninstalled"])
@pytest.mark.parametrize("of", BODIES)
def test_a_topic_that_contradicts_the_body_is_poison(topic: str, of: str) -> None:
    if BODIES[topic] is BODIES[of] or {topic, of} == {"orders/paid", "orders/updated"}:
        return
    if topic == "app/uninstalled" and of in ("app_subscriptions/update", "shop/redact", "products/update"):
        # Nothing in it says that the app is still there.
        return
    code, _ = refused(topic, BODIES[of])
    assert code is Code.TOPIC_CONTRADICTS_BODY


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"X-Shopify-Topic": None}, Code.FIELD_MISSING, "X-Shopify-Topic"),
        ({"X-Shopify-Topic": ""}, Code.FIELD_MISSING, "X-Shopify-Topic"),
        ({"X-Shopify-Topic": "orders/paid,orders/updated"}, Code.FIELD_INVALID, "X-Shopify-Topic"),
        ({"X-Shopify-Topic": ["orders/paid"]}, Code.FIELD_INVALID, "X-Shopify-Topic"),
        ({"x-shopify-topic": "orders/updated"}, Code.FIELD_INVALID, "X-Shopify-Topic"),
        ({"X-Shopify-Shop-Domain": None}, Code.FIELD_MISSING, "X-Shopify-Shop-Domain"),
        ({"X-Shopify-Shop-Domain": "not a domain"}, Code.FIELD_INVALID, "X-Shopify-Shop-Domain"),
        ({"X-Shopify-Shop-Domain": "a" * 63 + ".b" * 200}, Code.FIELD_INVALID, "X-Shopify-Shop-Domain"),
        ({"X-SHOPIFY-SHOP-DOMAIN": "other.myshopify.com"}, Code.FIELD_INVALID, "X-Shopify-Shop-Domain"),
    ],
)
def test_topic_and_shop_are_one_header_each(changed: dict[str, Any], code: Code, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(order(), {**headers("orders/paid"), **changed}, PLAIN)
    assert (caught.value.code, caught.value.field) == (code, field)

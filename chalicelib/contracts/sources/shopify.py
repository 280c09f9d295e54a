"""Shopify's webhooks (topics of API version 2026-04) become events (contract, section 15, point 3).

Money is the shop's, never the customer's presentment currency. An id beyond 2^53 may have lost its last digits on its
way through JavaScript; then `admin_graphql_api_id` names the object.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from chalicelib.contracts.event_types import ORDER_PAID, ORDER_REFUNDED
from chalicelib.contracts.inbound.orders import PAID
from chalicelib.contracts.sources import fields as reading
from chalicelib.contracts.sources.fields import COUNT, Fields, Shape
from chalicelib.contracts.sources.shopify_ids import number
from chalicelib.contracts.sources.shopify_refunds import REFUND, Refunded, refunded
from chalicelib.contracts.sources.webhooks import (
    Closed,
    Part,
    SourceEvent,
    SourceTerms,
    Unused,
    UnusedReason,
    Webhook,
)
from chalicelib.contracts.values import given, money_text
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.links import SHOP_DOMAIN, LinkKind, link_name
from chalicelib.domain.movements import ORDER_UPDATED

TOPIC, SHOP, TRIGGERED, EVENT, TEST = (
    "X-Shopify-Topic",
    "X-Shopify-Shop-Domain",
    "X-Shopify-Triggered-At",
    "X-Shopify-Event-Id",
    "X-Shopify-Test",
)
HEADERS: Final = (TOPIC, SHOP, TRIGGERED, EVENT, TEST)
"""The headers that are read; the signature's is not among them."""

# The last ones only show what kind of object a body is: nothing of what they hold is kept.
SHAPE: Final[Shape] = {
    **REFUND,
    "test": None,
    "financial_status": None,
    "currency": None,
    "total_price": None,
    "updated_at": None,
    "refunds": REFUND,
    "line_items": COUNT,
    "myshopify_domain": None,
    "shop_domain": None,
    "order_edit": None,
    "app_subscription": None,
    "variants": None,
}
_ORDER_ONLY = ("financial_status", "total_price", "line_items", "currency")
_REFUND_ONLY = ("order_id", "refund_line_items", "order_adjustments")
_NEITHER = ("order_edit", "app_subscription", "myshopify_domain", "shop_domain", "variants")

_UNUSED: Mapping[str, UnusedReason] = {
    "app_scopes_update": UnusedReason.SCOPES_UNUSED,
    "app_subscriptions_update": UnusedReason.SUBSCRIPTION_WITHOUT_PERIOD,
    "customers_redact": UnusedReason.CUSTOMERS_REDACT,
    "customers_data_request": UnusedReason.CUSTOMERS_DATA_REQUEST,
    "shop_redact": UnusedReason.SHOP_REDACT,
}

# Where a body says when the fact was; the header X-Shopify-Triggered-At says it for the others.
_TIMES: Mapping[str, tuple[str, ...]] = {
    "orders_paid": ("updated_at",),
    "orders_updated": ("updated_at",),
    "refunds_create": ("processed_at", "created_at"),
}

# Newer topics have a point, such as `customer.tags_added`.
_TOPIC = re.compile(r"[a-z0-9_.]{1,64}(/[a-z0-9_.]{1,64})?")


def read(body: Mapping[str, Any], headers: Mapping[str, Any], terms: SourceTerms) -> Webhook:
    """Return what a webhook translates to, from its decoded body and its headers (in any case).

    Raises:
        Rejected: it is poison; `code` and `field` are the reason.
    """
    fields = Fields(reading.cut(body, SHAPE))
    topic = _named(headers, TOPIC, _TOPIC)
    shop = _named(headers, SHOP, SHOP_DOMAIN)
    # GraphQL spells a topic ORDERS_PAID.
    name = topic.replace("/", "_")
    reader = _READERS.get(name, _unused)
    if reader is not _unused and _moving_nothing(headers, TEST) == "true" and not terms.count_test_orders:
        # Shopify's button for tests sends a sample: its order is nobody's, and its shop has not gone.
        reader = _sample
    parts = reader(fields, name, terms)
    if Closed() in parts:
        _check_shop(fields, shop)
    time = next((time for field in _TIMES.get(name, ()) if (time := fields.word(field))), None)
    return Webhook(
        source=LinkKind.SHOPIFY,
        topic=topic,
        name=link_name(LinkKind.SHOPIFY, shop),
        occurred_at=time or _moving_nothing(headers, TRIGGERED),
        correlation_id=_moving_nothing(headers, EVENT),
        parts=tuple(parts),
    )


def _named(headers: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    found = _headers(headers, name)
    if all(value is None or value == "" for value in found):
        raise Rejected(Code.FIELD_MISSING, f"{name} is missing", field=name)
    value = found[0].strip().lower() if len(found) == 1 and isinstance(found[0], str) else ""
    if form.fullmatch(value) is None:
        raise Rejected(Code.FIELD_INVALID, f"{name} must be given once, in its right form", field=name)
    return value


def _moving_nothing(headers: Mapping[str, Any], name: str) -> str | None:
    found = _headers(headers, name)
    return (found[0] or None) if len(found) == 1 and isinstance(found[0], str) else None


def _headers(headers: Mapping[str, Any], name: str) -> list[Any]:
    spelled = [key for key in headers if key.lower() == name.lower()]
    return list(reading.cut(headers, dict.fromkeys(spelled)).values())


def _unused(_fields: Fields, topic: str, _terms: SourceTerms) -> list[Part]:
    return [Unused(reason=_UNUSED.get(topic, UnusedReason.TOPIC_UNUSED), field=TOPIC)]


def _sample(_fields: Fields, _topic: str, _terms: SourceTerms) -> list[Part]:
    return [Unused(reason=UnusedReason.TEST_ORDER, field=TEST)]


def _closed(fields: Fields, _topic: str, _terms: SourceTerms) -> list[Part]:
    _check_kind(fields, needed=(), foreign=("financial_status", "total_price", "order_edit", *_REFUND_ONLY))
    return [Closed()]


def _check_shop(fields: Fields, shop: str) -> None:
    named = fields.text("myshopify_domain")
    if named is not None and named.lower() != shop:
        raise Rejected(Code.TOPIC_CONTRADICTS_BODY, f"myshopify_domain is not {SHOP}", field="myshopify_domain")


def _order(fields: Fields, topic: str, terms: SourceTerms) -> list[Part]:
    _check_kind(fields, needed=_ORDER_ONLY, foreign=(*_REFUND_ONLY, *_NEITHER))
    order_id = number(fields, "id", "Order")
    lines = fields.count("line_items")
    status, test = fields.text("financial_status"), fields.flag("test")
    updated = topic == "orders_updated"
    if updated and status is None:
        return [Unused(reason=UnusedReason.ORDER_NOT_PAID, field="financial_status", reference_id=order_id)]
    order = SourceEvent(
        event_type=ORDER_UPDATED if updated else ORDER_PAID,
        payload=given(
            order_id=order_id,
            total=fields.scalar("total_price"),
            currency=fields.scalar("currency"),
            financial_status=status,
            test=test,
            updated_at=fields.word("updated_at"),
            order_items=[{}] * lines if lines else None,
        ),
    )
    charged = status is not None and status.lower() in PAID and (terms.count_test_orders or not test)
    return [order, *(_settled(fields, order_id, terms) if updated and charged else ())]


def _settled(order: Fields, order_id: str, terms: SourceTerms) -> list[Part]:
    """Return the order's settled refunds: one that was pending at first is reported only here."""
    found: list[Part] = []
    for refund in order.each("refunds"):
        # A refund that cannot be read does not keep its order from being charged.
        named = order_id
        try:
            named = refund_id = number(refund, "id", "Refund")
            amount = refunded(refund, refund_id, count_tests=terms.count_test_orders, shops=order.word("currency"))
        except Rejected as error:
            found.append(Unused(reason=error.code, field=error.field, reference_id=named))
            continue
        # If its amount is in the customer's currency, the ledger refuses it and the message is parked.
        if not isinstance(amount, Unused) and amount.amount > 0:
            found.append(replace(_refund_event(refund_id, order_id, amount), secondary=True))
    return found


def _refund(fields: Fields, _topic: str, terms: SourceTerms) -> list[Part]:
    _check_kind(fields, needed=("order_id",), foreign=("financial_status", "total_price", "line_items", *_NEITHER))
    order_id = number(fields, "order_id", None)
    refund_id = number(fields, "id", "Refund")
    if fields.values.get("transactions") is None:
        fields.missing("transactions")
    amount = refunded(fields, refund_id, count_tests=terms.count_test_orders)
    if isinstance(amount, Unused):
        return [amount]
    if amount.abroad is not None:
        reason = f"the refund was paid in {amount.currency}, and it states no such amount in the shop's currency"
        fact = link_name(LinkKind.SHOPIFY, refund_id)
        raise Rejected(Code.CURRENCY_MISMATCH, reason, field=amount.abroad, fact=fact)
    return [_refund_event(refund_id, order_id, amount)]


def _refund_event(refund_id: str, order_id: str, refund: Refunded) -> SourceEvent:
    payload = given(
        order_id=order_id,
        refund_id=refund_id,
        refund_amount=money_text(refund.amount),
        currency=refund.currency,
        order_currency=refund.shops,
    )
    return SourceEvent(event_type=ORDER_REFUNDED, payload=payload)


def _check_kind(fields: Fields, *, needed: tuple[str, ...], foreign: tuple[str, ...]) -> None:
    wrong = next((name for name in foreign if name in fields), None)
    if wrong is not None:
        raise Rejected(Code.TOPIC_CONTRADICTS_BODY, f"the field {wrong} does not fit the topic", field=wrong)
    if needed and not any(name in fields for name in needed):
        fields.missing(needed[0])


_READERS: Mapping[str, Callable[[Fields, str, SourceTerms], list[Part]]] = {
    "orders_paid": _order,
    "orders_updated": _order,
    "refunds_create": _refund,
    "app_uninstalled": _closed,
}
TOPICS: Final = frozenset({*_READERS, *_UNUSED})
"""The topics that the contract names, as GraphQL spells them in lower case: with an underscore."""

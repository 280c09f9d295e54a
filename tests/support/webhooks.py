"""Webhooks in the shapes of Shopify (API version 2026-04) and Stripe (both eras), with invented values.

`CANARY` is in every field that may hold personal data.
"""

import json
from typing import Any

CANARY = "canary-7731@example.org"
DOMAIN = "teegeist-demo.myshopify.com"
ORDER_ID = 5726128734520
REFUND_ID = 890088186047
PERIOD, NEXT_PERIOD = 1793491200, 1796083200
PAID_AT = 1793491201
SESSION = "cs_live_a11YYufWQzNY63zpQ6QSNRQhkUpVph4WRmzW0zWJO2znZKdVujZ0N0S22u"
"""The id of a checkout session, as long as Stripe's are."""
MERCHANT = "0b9ad4e5-2f2c-4c9c-9a8e-0c2a5d1f7e61"


def headers(topic: str, shop: str = DOMAIN, **more: str) -> dict[str, str]:
    """Return the headers of a webhook of Shopify."""
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-API-Version": "2026-04",
        "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "X-Shopify-Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
        "X-Shopify-Triggered-At": "2026-11-20T15:00:02.123456789Z",
        **more,
    }


def both(amount: str, currency: str = "EUR", abroad: str = "16000") -> dict[str, Any]:
    """Return money as Shopify sends it twice, in the shop's and the customer's currency."""
    return {
        "shop_money": {"amount": amount, "currency_code": currency},
        "presentment_money": {"amount": abroad, "currency_code": "JPY"},
    }


def address() -> dict[str, Any]:
    """Return an address."""
    return {"first_name": CANARY, "address1": CANARY, "phone": CANARY, "zip": CANARY, "country_code": "DE"}


def order(**fields: Any) -> dict[str, Any]:
    """Return the body of `orders/paid` and similar webhooks."""
    line = {"id": 487817672276298, "quantity": 2, "current_quantity": 1, "price": "50.00", "name": CANARY}
    return {
        "id": ORDER_ID,
        "admin_graphql_api_id": f"gid://shopify/Order/{ORDER_ID}",
        "app_id": None,
        "browser_ip": CANARY,
        "cancelled_at": None,
        "cancel_reason": None,
        "confirmed": True,
        "contact_email": CANARY,
        "created_at": "2026-11-20T10:00:00-05:00",
        "currency": "EUR",
        "current_total_price": "90.00",
        "customer": {"id": 115310627314723954, "email": CANARY, "default_address": address()},
        "billing_address": address(),
        "shipping_address": address(),
        "client_details": {"browser_ip": CANARY, "user_agent": CANARY},
        "discount_codes": [{"code": CANARY, "amount": "1.00"}],
        "email": CANARY,
        "financial_status": "paid",
        "fulfillment_status": None,
        "line_items": [line],
        "name": "#1001",
        "note": CANARY,
        "note_attributes": [{"name": CANARY, "value": CANARY}],
        "number": 1,
        "order_number": 1001,
        "order_status_url": f"https://example.com/{CANARY}",
        "payment_gateway_names": ["gift_card", "shopify_payments"],
        "payment_terms": None,
        "phone": CANARY,
        "presentment_currency": "JPY",
        "processed_at": "2026-11-20T10:00:00-05:00",
        "refunds": [],
        "returns": [],
        "source_name": "web",
        "subtotal_price": "90.00",
        "tags": CANARY,
        "test": False,
        "token": CANARY,
        "total_outstanding": "0.00",
        "total_price": "100.00",
        "total_price_set": both("100.00"),
        "updated_at": "2026-11-20T10:00:01-05:00",
        **fields,
    }


def transaction(amount: Any = "45.00", **fields: Any) -> dict[str, Any]:
    """Return a transaction of a refund."""
    return {
        "id": 389404469,
        "admin_graphql_api_id": "gid://shopify/OrderTransaction/389404469",
        "order_id": ORDER_ID,
        "kind": "refund",
        "status": "success",
        "gateway": "shopify_payments",
        "amount": amount,
        "currency": "EUR",
        "parent_id": 4,
        "test": False,
        "message": CANARY,
        "receipt": {"charge": {"payment_method_details": {"card": {"last4": CANARY}}}},
        "payment_details": {"credit_card_name": CANARY, "credit_card_number": CANARY},
        "total_unsettled_set": {"shop_money": {"amount": "0.0", "currency": "XXX"}},
        **fields,
    }


def refund(*transactions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the body of `refunds/create`."""
    line = {
        "id": 1,
        "line_item_id": 487817672276298,
        "quantity": 1,
        "restock_type": "no_restock",
        "subtotal": 50.0,
        "total_tax": 0,
        "subtotal_set": both("50.00", abroad="8000"),
        "line_item": {"id": 487817672276298, "name": CANARY},
    }
    adjustment = {
        "id": 2,
        "order_id": ORDER_ID,
        "refund_id": REFUND_ID,
        "kind": "refund_discrepancy",
        "reason": CANARY,
        "amount": "-5.00",
        "tax_amount": "0.00",
        "amount_set": both("-5.00", abroad="-800"),
    }
    return {
        "id": REFUND_ID,
        "admin_graphql_api_id": f"gid://shopify/Refund/{REFUND_ID}",
        "order_id": ORDER_ID,
        "created_at": "2026-11-21T09:00:00-05:00",
        "processed_at": "2026-11-21T09:00:00-05:00",
        "note": CANARY,
        "user_id": 1,
        "restock": False,
        "return": None,
        "duties": [],
        "refund_shipping_lines": [],
        "refund_line_items": [line],
        "order_adjustments": [adjustment],
        "transactions": list(transactions),
        **fields,
    }


SHOP_BODY: dict[str, Any] = {
    "id": 548380009,
    "name": CANARY,
    "email": CANARY,
    "customer_email": CANARY,
    "shop_owner": CANARY,
    "address1": CANARY,
    "phone": CANARY,
    "domain": "teegeist.example",
    "myshopify_domain": DOMAIN,
    "currency": "EUR",
    "plan_name": "basic",
}
SCOPES_BODY: dict[str, Any] = {
    "id": 1,
    "shop_id": "gid://shopify/Shop/548380009",
    "previous": ["read_products"],
    "current": ["read_products", "write_products"],
    "updated_at": "2026-06-25T00:00:00.000Z",
}
SUBSCRIPTION_BODY: dict[str, Any] = {
    "app_subscription": {
        "admin_graphql_api_id": "gid://shopify/AppSubscription/1029266952",
        "admin_graphql_api_shop_id": "gid://shopify/Shop/548380009",
        "name": "Pro",
        "status": "ACTIVE",
        "created_at": "2026-11-01T00:00:00-05:00",
        "updated_at": "2026-11-01T00:00:00-05:00",
        "currency": "USD",
        "capped_amount": "20.0",
        "price": "10.00",
        "interval": "every_30_days",
        "plan_handle": "pro",
    }
}
PRIVACY_BODY: dict[str, Any] = {
    "shop_id": 954889,
    "shop_domain": DOMAIN,
    "customer": {"id": 191167, "email": CANARY, "phone": CANARY},
    "orders_requested": [299938, 280263],
    "orders_to_redact": [299938, 280263],
    "data_request": {"id": 9999},
}
EDIT_BODY: dict[str, Any] = {
    "order_edit": {
        "id": 78912328793,
        "created_at": "2026-11-20T10:30:00-05:00",
        "committed_at": "2026-11-20T10:30:00-05:00",
        "notify_customer": False,
        "order_id": ORDER_ID,
        "staff_note": CANARY,
        "user_id": None,
        "line_items": {"additions": [{"id": 1, "delta": 1}], "removals": []},
    }
}


def stripe(event_type: str, thing: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return an event of Stripe around an object."""
    return {
        "id": "evt_1Test0000000000000000001",
        "object": "event",
        "api_version": "2026-03-25",
        "created": PAID_AT,
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": CANARY},
        "type": event_type,
        "data": {"object": thing, "previous_attributes": {"receipt_email": CANARY}},
        **fields,
    }


def line(price: str = "price_pro", *, old: bool = False, start: int = PERIOD, **fields: Any) -> dict[str, Any]:
    """Return a line of an invoice, of an API version before 2025-03-31 (`old`) or after."""
    if old:
        priced: dict[str, Any] = {
            "price": {"id": price, "object": "price", "unit_amount": 1000, "nickname": CANARY},
            "plan": {"id": price, "object": "plan"},
            "subscription": "sub_1",
            "type": "subscription",
            "proration": False,
        }
    else:
        details = {"subscription": "sub_1", "subscription_item": "si_1", "proration": False}
        priced = {
            "pricing": {"type": "price_details", "price_details": {"price": price, "product": "prod_1"}},
            "parent": {"type": "subscription_item_details", "subscription_item_details": details},
        }
    return {
        "id": f"il_{price}_{start}",
        "object": "line_item",
        "amount": 1000,
        "currency": "usd",
        "description": CANARY,
        "quantity": 1,
        "metadata": {},
        "period": {"start": start, "end": start + 2592000},
        **priced,
        **fields,
    }


def item(
    price: str = "price_setup", *, old: bool = False, start: int = PERIOD - 259200, **fields: Any
) -> dict[str, Any]:
    """Return an invoice's line of a fee or of extra use: its period is the moment at which it was made."""
    made = line(price, old=old, start=start, amount=300)
    if old:
        kind: dict[str, Any] = {"type": "invoiceitem", "invoice_item": "ii_1"}
    else:
        details = {"invoice_item": "ii_1", "proration": False, "subscription": "sub_1"}
        kind = {"parent": {"type": "invoice_item_details", "invoice_item_details": details}}
    return {**made, "id": f"il_item_{price}_{start}", "period": {"start": start, "end": start}, **kind, **fields}


def invoice(*lines: dict[str, Any], old: bool = False, **fields: Any) -> dict[str, Any]:
    """Return an invoice of a subscription, of an API version before 2025-03-31 (`old`) or after."""
    if old:
        era: dict[str, Any] = {
            "subscription": "sub_1",
            "subscription_details": {"metadata": {}},
            "payment_intent": "pi_1",
            "charge": "ch_1",
            "paid": True,
        }
    else:
        details = {"subscription": "sub_1", "metadata": {}}
        era = {"parent": {"type": "subscription_details", "quote_details": None, "subscription_details": details}}
    return {
        "id": "in_1Abc",
        "object": "invoice",
        "account_name": CANARY,
        "billing_reason": "subscription_cycle",
        "status": "paid",
        "currency": "usd",
        "amount_due": 1000,
        "amount_paid": 1000,
        "total": 1000,
        "starting_balance": 0,
        "created": PERIOD,
        "period_start": 1790812800,
        "period_end": PERIOD,
        "customer": "cus_1",
        "customer_email": CANARY,
        "customer_name": CANARY,
        "customer_address": {"line1": CANARY},
        "customer_phone": CANARY,
        "hosted_invoice_url": f"https://example.com/{CANARY}",
        "livemode": True,
        "metadata": {},
        "lines": {"object": "list", "has_more": False, "data": list(lines or [line(old=old)])},
        "status_transitions": {"paid_at": PAID_AT, "finalized_at": PERIOD},
        **era,
        **fields,
    }


def session(**fields: Any) -> dict[str, Any]:
    """Return a checkout session that was paid at once, without an invoice."""
    return {
        "id": SESSION,
        "object": "checkout.session",
        "amount_total": 2000,
        "currency": "usd",
        "client_reference_id": CANARY,
        "customer": "cus_1",
        "customer_details": {"email": CANARY, "name": CANARY, "phone": CANARY, "address": {"line1": CANARY}},
        "customer_email": CANARY,
        "invoice": None,
        "livemode": True,
        "metadata": {"credits": "500", "note": CANARY},
        "mode": "payment",
        "payment_intent": "pi_1",
        "payment_status": "paid",
        "status": "complete",
        "subscription": None,
        **fields,
    }


def charge(**fields: Any) -> dict[str, Any]:
    """Return a charge of which a part went back, of an API version after 2025-03-31."""
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 2000,
        "amount_captured": 2000,
        "amount_refunded": 500,
        "billing_details": {"email": CANARY, "name": CANARY, "address": {"line1": CANARY}},
        "captured": True,
        "currency": "usd",
        "customer": "cus_1",
        "description": CANARY,
        "livemode": True,
        "metadata": {},
        "paid": True,
        "payment_intent": "pi_1",
        "payment_method_details": {"card": {"last4": CANARY, "fingerprint": CANARY}},
        "receipt_email": CANARY,
        "receipt_url": f"https://example.com/{CANARY}",
        "refunded": False,
        "status": "succeeded",
        **fields,
    }


def stripe_refund(**fields: Any) -> dict[str, Any]:
    """Return a refund of a charge."""
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "charge": "ch_1",
        "created": PAID_AT,
        "currency": "usd",
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "requested_by_customer",
        "status": "succeeded",
        "destination_details": {"card": {"reference": CANARY}},
        **fields,
    }


def dispute(**fields: Any) -> dict[str, Any]:
    """Return a dispute: it names no customer."""
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 2000,
        "balance_transactions": [],
        "charge": "ch_1",
        "created": PAID_AT,
        "currency": "usd",
        "evidence": {"customer_email_address": CANARY, "customer_name": CANARY, "billing_address": CANARY},
        "livemode": True,
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
        **fields,
    }


def text(body: Any) -> str:
    """Return a body as it is sent."""
    return json.dumps(body, separators=(",", ":"))

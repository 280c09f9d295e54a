"""Made-up webhooks in the shapes of Shopify (API version 2026-04) and Stripe (2025-03-31 and later).

The fields are those that decide, and enough of the others to be recognised; no value is a real shop's or customer's.
The documents show them, and the local stack's two connected shops send them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from chalicelib.contracts.sources.signatures import SHOPIFY_HEADER, STRIPE_HEADER, shopify_signature, stripe_signature
from chalicelib.domain.ids import instant
from chalicelib.domain.links import LinkKind

CURRENCY: Final = "EUR"
_MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifyWebhook:
    """A webhook of Shopify: its topic, shop and body, triggered at an instant."""

    topic: str
    shop: str
    body: Mapping[str, Any]
    at: datetime

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers beside the signature's."""
        return {
            "X-Shopify-Topic": self.topic,
            "X-Shopify-Shop-Domain": self.shop,
            "X-Shopify-API-Version": "2026-04",
            "X-Shopify-Triggered-At": instant(self.at),
        }


def order(number: int, total: Decimal, at: datetime, *, test: bool = False) -> dict[str, Any]:
    """Return a paid order, as in `orders/paid` and `orders/updated`; `at` is when it was last changed."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "test": test,
        "financial_status": "paid",
        "currency": CURRENCY,
        "presentment_currency": CURRENCY,
        "total_price": str(total),
        "created_at": _local(at),
        "updated_at": _local(at),
        "email": "a.customer@example.com",
        "customer": {"id": 1, "first_name": "A", "last_name": "Customer"},
        "line_items": [{"id": 10 * number, "quantity": 1, "price": str(total)}],
        "refunds": [],
    }


def refund(number: int, order_number: int, amounts: Sequence[Decimal], at: datetime) -> dict[str, Any]:
    """Return a refund of an order, as in `refunds/create`: a transaction for each way in which money went back."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Refund/{number}",
        "order_id": order_number,
        "created_at": _local(at),
        "processed_at": _local(at),
        "refund_line_items": [],
        "order_adjustments": [],
        "transactions": [
            {
                "id": 10 * number + place,
                "order_id": order_number,
                "kind": "refund",
                "status": "success",
                "gateway": gateway,
                "amount": str(amount),
                "currency": CURRENCY,
                "test": False,
            }
            for place, (gateway, amount) in enumerate(zip(("gift_card", "shopify_payments"), amounts, strict=False))
        ],
    }


def stripe_event(event_id: str, event_type: str, thing: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Return an event of Stripe around an object."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": "2026-03-25",
        "created": _seconds(at),
        "livemode": True,
        "type": event_type,
        "data": {"object": dict(thing)},
    }


def invoice(number: str, customer: str, credits_paid: int, at: datetime) -> dict[str, Any]:
    """Return the paid invoice of a subscription's next period, which gives credits by its metadata."""
    subscription = f"sub_{customer.removeprefix('cus_')}"
    return {
        "id": f"in_{number}",
        "object": "invoice",
        "billing_reason": "subscription_cycle",
        "status": "paid",
        "currency": CURRENCY.lower(),
        "amount_paid": 10 * credits_paid,
        "total": 10 * credits_paid,
        "customer": customer,
        "customer_email": "a.shop@example.com",
        "metadata": {"credits": str(credits_paid)},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription}},
        "lines": {
            "object": "list",
            "has_more": False,
            "data": [
                {
                    "id": f"il_{number}",
                    "amount": 10 * credits_paid,
                    "quantity": 1,
                    "period": {"start": _seconds(at), "end": _seconds(at + _MONTH)},
                    "parent": {
                        "type": "subscription_item_details",
                        "subscription_item_details": {"subscription": subscription, "proration": False},
                    },
                }
            ],
        },
    }


def checkout(number: str, customer: str, credits_paid: int) -> dict[str, Any]:
    """Return a checkout session that was paid at once: credits bought beside any subscription."""
    return {
        "id": f"cs_{number}",
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "status": "complete",
        "amount_total": 10 * credits_paid,
        "currency": CURRENCY.lower(),
        "customer": customer,
        "invoice": None,
        "payment_intent": f"pi_{number}",
        "metadata": {"credits": str(credits_paid)},
    }


def dispute(number: str, credits_paid: int) -> dict[str, Any]:
    """Return the dispute of that session's payment: it names no customer."""
    return {
        "id": f"dp_{number}",
        "object": "dispute",
        "amount": 10 * credits_paid,
        "charge": f"ch_{number}",
        "payment_intent": f"pi_{number}",
        "currency": CURRENCY.lower(),
        "reason": "fraudulent",
        "status": "needs_response",
    }


def signed(source: LinkKind, body: bytes, secret: str, at: datetime) -> dict[str, str]:
    """Return the header with which a source signs the raw body of a webhook at an instant."""
    if source is LinkKind.SHOPIFY:
        return {SHOPIFY_HEADER: shopify_signature(body, secret)}
    return {STRIPE_HEADER: stripe_signature(body, secret, at=at)}


def _local(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _seconds(at: datetime) -> int:
    return int(at.timestamp())

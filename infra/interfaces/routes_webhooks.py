"""The routes for webhooks as Shopify and Stripe send them."""

from chalicelib.api.webhooks import BODY_BYTES_MAX
from chalicelib.contracts.api.webhooks import Queued
from infra.interfaces.bodies import ShopifyWebhook, StripeEvent
from infra.interfaces.operations import STORE_ERRORS, TEXT, Body, Route, Tag, answered, parameter

_QUEUED = answered(
    "The queue has confirmed it. A repeat is harmless: a fact moves credits once.", {"queued": Queued(status="queued")}
)
_ERRORS = (400, 401, 413, *STORE_ERRORS)
_CUT = (
    f"A body has up to {BODY_BYTES_MAX:,} bytes. Only the fields that decide are kept. A fault of its content is "
    "parked as a dead letter, not answered. 401: set `SHOPIFY_SECRET_PARAMETER` or `STRIPE_SECRET_PARAMETER`."
)

_SHOPIFY = Route(
    view="shopify_webhook",
    tag=Tag.WEBHOOKS,
    description=f"As Shopify sends it, for a topic that the app has subscribed to. {_CUT}",
    parameters=(
        parameter(
            "X-Shopify-Hmac-Sha256", "header", TEXT, "Shopify's signature over the raw body, in Base64.", required=True
        ),
        parameter("X-Shopify-Topic", "header", TEXT, "The topic.", example="orders/paid"),
        parameter("X-Shopify-Shop-Domain", "header", TEXT, "The shop.", example="teegeist.myshopify.com"),
    ),
    body=Body(
        model=ShopifyWebhook,
        examples={
            "a paid order": {
                "id": 5726128734520,
                "total_price": "100.00",
                "currency": "EUR",
                "financial_status": "paid",
            }
        },
    ),
    answers=_QUEUED,
    errors=_ERRORS,
)

_STRIPE = Route(
    view="stripe_webhook",
    tag=Tag.WEBHOOKS,
    description=f"As Stripe sends it. It may have been signed at most five minutes ago. {_CUT}",
    parameters=(
        parameter(
            "Stripe-Signature",
            "header",
            TEXT,
            "Stripe's signature over the time and the raw body: `t=…,v1=…`.",
            required=True,
        ),
    ),
    body=Body(
        model=StripeEvent,
        examples={
            "a checkout": {
                "id": "evt_1",
                "type": "checkout.session.completed",
                "created": 1793491201,
                "livemode": True,
                "data": {"object": {"id": "cs_1", "object": "checkout.session", "payment_status": "paid"}},
            }
        },
    ),
    answers=_QUEUED,
    errors=_ERRORS,
)

WEBHOOKS = (_SHOPIFY, _STRIPE)

"""The routes about the service itself (health, figures, this document), and those for webhooks."""

from dataclasses import replace

from chalicelib.api.console_files import CHART, SCRIPT
from chalicelib.api.webhooks import BODY_BYTES_MAX
from chalicelib.contracts.api.health import Health
from chalicelib.contracts.api.webhooks import Queued
from infra.interfaces import samples
from infra.interfaces.bodies import ShopifyWebhook, StripeEvent
from infra.interfaces.operations import (
    IF_NONE_MATCH,
    STORE_ERRORS,
    TEXT,
    Body,
    Route,
    Success,
    Tag,
    answered,
    in_header,
    in_path,
)

_WITHOUT_SLASH = Success(description="The page is at this address without the slash at its end.", headers=("Location",))
_KEPT = {304: Success(description="The caller holds it already.", headers=("ETag", "Cache-Control"))}
_SCRIPT = Success(description="The script.", media_type="text/javascript", schema=TEXT, headers=("Cache-Control",))


def _page(view: str, description: str) -> Route:
    """Return the description of a page for people."""
    return Route(
        view=view,
        tag=Tag.DOCUMENTS,
        description=description,
        parameters=(IF_NONE_MATCH,),
        answers={
            200: Success(
                description="The page.",
                media_type="text/html",
                schema=TEXT,
                headers=("ETag", "Cache-Control", "Content-Security-Policy"),
            ),
            **_KEPT,
            308: _WITHOUT_SLASH,
        },
        errors=(500,),
    )


_WIDGET = Route(
    view="widget",
    tag=Tag.STATUS,
    description="A script under 1 KB for a shop's theme. It reads the plugin status with a time limit, keeps it for "
    "the session, bridges a short outage, and sets `data-credits` on the page; no cookies. Its name contains "
    "its version, and a served version never changes.",
    answers={200: _SCRIPT},
    errors=(500,),
)

SERVICE = (
    Route(
        view="health",
        tag=Tag.OPERATIONS,
        description="Nothing is read for it.",
        answers=answered("It is.", {"alive": Health(status="ok", service="credit-service", stage="prod")}),
        errors=(500,),
    ),
    Route(
        view="health_detailed",
        tag=Tag.OPERATIONS,
        description="Each table, the bridge by its heartbeat, and the shared cache if there is one, all checked now.",
        answers=answered("Their states; `degraded` if one of them fails.", {"the bridge is down": samples.health()}),
        errors=(401, 403, 500),
    ),
    Route(
        view="plugin_status_metrics",
        tag=Tag.OPERATIONS,
        description="Exact: computed from every change of every account, also if changes are delivered twice.",
        answers=answered("The figures.", {"a small fleet": samples.fleet()}),
        errors=(401, 403, *STORE_ERRORS),
    ),
    Route(
        view="metrics",
        tag=Tag.OPERATIONS,
        description="The fleet's figures and the counters of all containers, summed up.",
        answers={200: Success(description="Prometheus text, version 0.0.4.", media_type="text/plain", schema=TEXT)},
        errors=(401, 403, *STORE_ERRORS),
    ),
    Route(
        view="openapi",
        tag=Tag.DOCUMENTS,
        description="OpenAPI 3.1, generated from the models that validate and answer. Any origin may read it.",
        parameters=(IF_NONE_MATCH,),
        answers={
            200: Success(
                description="The document.",
                schema={"type": "object", "required": ["openapi", "info", "paths"]},
                headers=("ETag", "Cache-Control"),
            ),
            **_KEPT,
        },
        errors=(500,),
    ),
    _page("docs", "One page that loads nothing from any other host."),
    _page("console", "One page that calls this API with its user's token, and loads nothing from other hosts."),
    Route(
        view="console_file",
        tag=Tag.DOCUMENTS,
        description="To be cached for a year: a new version has a new address, which the page names.",
        parameters=(
            in_path(
                "version",
                {**TEXT, "minLength": 1},
                "The version that the page names; under another version the file is returned too, but not to be "
                "cached.",
                example="0123456789ab",
            ),
            in_path("name", {**TEXT, "enum": [SCRIPT, CHART]}, "The script's name."),
        ),
        answers={200: _SCRIPT},
        errors=(404, 500),
    ),
    _WIDGET,
    replace(
        _WIDGET,
        view="widget_with_days",
        description="The same script, which also sets `data-credits-days-left` on the page: only where the page asks "
        "for it (`data-days-left`) and the setting `WIDGET_DAYS_LEFT` allows it.",
    ),
)


_QUEUED = answered(
    "The queue has confirmed it. A repeat is harmless: a fact moves credits once.", {"queued": Queued(status="queued")}
)
_ERRORS = (400, 401, 413, *STORE_ERRORS)
_CUT = (
    f"A body has up to {BODY_BYTES_MAX:,} bytes. Only the fields that decide are kept. A fault of its content is "
    "parked as a dead letter, not answered. 401: set `SHOPIFY_SECRET_PARAMETER` or `STRIPE_SECRET_PARAMETER`."
)

WEBHOOKS = (
    Route(
        view="shopify_webhook",
        tag=Tag.WEBHOOKS,
        description=f"As Shopify sends it, for a topic that the app has subscribed to. {_CUT}",
        parameters=(
            in_header(
                "X-Shopify-Hmac-Sha256", TEXT, "Shopify's signature over the raw body, in Base64.", required=True
            ),
            in_header("X-Shopify-Topic", TEXT, "The topic.", example="orders/paid"),
            in_header("X-Shopify-Shop-Domain", TEXT, "The shop.", example="teegeist.myshopify.com"),
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
    ),
    Route(
        view="stripe_webhook",
        tag=Tag.WEBHOOKS,
        description=f"As Stripe sends it. It may have been signed at most five minutes ago. {_CUT}",
        parameters=(
            in_header(
                "Stripe-Signature",
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
    ),
)

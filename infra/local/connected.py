"""Two made-up shops that are connected: Shopify and Stripe themselves send their webhooks, signed, to the API.

Their accounts open by an event that links shop and customer to the merchant. Then each shop tells the same story again
and again, with new numbers each time: a paid order and its edit, a refund to gift card and card, a test order, a
period's invoice, credits bought, their dispute, and the order once more. The service alone decides what follows.
"""

import json
import secrets
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from chalicelib.domain.links import LinkKind
from infra.interfaces.webhooks import ShopifyWebhook, checkout, dispute, invoice, order, refund, signed, stripe_event
from infra.local.engines import status_of
from infra.local.shops import NAMESPACE

PAUSE_SECONDS: Final = 2.0
FIRST_ORDER: Final = 5_700_000_001
STEP: Final = 10
"""The distance between a shop's order numbers of one round and of the next."""
_PERIOD: Final = timedelta(days=30)
_BOUGHT: Final = 25
_RENEWED: Final = 10
_ANSWER_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedShop:
    """A made-up shop that Shopify knows by its domain, and Stripe by its customer."""

    name: str
    first_order: int

    @property
    def domain(self) -> str:
        """Return the shop's name at Shopify."""
        return f"{self.name.lower()}.myshopify.com"

    @property
    def customer(self) -> str:
        """Return the shop's name at Stripe."""
        return f"cus_{self.name}"

    @property
    def merchant_id(self) -> str:
        """Return the shop's id, the same in every run."""
        return str(uuid.uuid5(NAMESPACE, self.name))

    def opening(self) -> str:
        """Return the body of the event that opens its account and links what belongs to it."""
        names = (f"{LinkKind.SHOPIFY}:{self.domain}", f"{LinkKind.STRIPE}:{self.customer}")
        links = [{"name": name, "label": self.name} for name in names]
        return json.dumps(
            {"event_type": "evt.merchant.created", "payload": {"merchant_id": self.merchant_id, "links": links}}
        )


CONNECTED: Final = (
    ConnectedShop(name="Teegeist", first_order=FIRST_ORDER),
    ConnectedShop(name="Kerzenwerk", first_order=2 * FIRST_ORDER),
)

BUSES: Final[Mapping[LinkKind, str]] = {
    LinkKind.SHOPIFY: "aws.partner/shopify.com/local/credits",
    LinkKind.STRIPE: "aws.partner/stripe.com/local",
}
"""The names of the two partner event buses, which are the sources of their events, as on AWS."""
_SECRET_BYTES: Final = 32


def new_secrets() -> dict[str, str]:
    """Return the secrets with which each signs its webhooks, in the forms that the two give them."""
    return {
        LinkKind.SHOPIFY: secrets.token_hex(_SECRET_BYTES),
        LinkKind.STRIPE: f"whsec_{secrets.token_urlsafe(_SECRET_BYTES)}",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook to send: who sends it, its headers without the signature, and its body."""

    source: LinkKind
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def webhooks(shop: ConnectedShop, round_number: int, now: datetime) -> Iterator[Webhook]:
    """Yield the webhooks of one of a shop's rounds, counted from 0, sent from `now` on."""
    number = shop.first_order + round_number * STEP
    name = f"{shop.name}{round_number}"
    paid, edited = Decimal("84.90"), Decimal("97.40")
    later, last = now + timedelta(seconds=1), now + timedelta(seconds=2)
    sold = _of_shopify(shop, "orders/paid", order(number, paid, now), now)
    yield sold
    yield _of_shopify(shop, "orders/updated", order(number, edited, later), later)
    split = (Decimal("60.00"), Decimal("37.40"))
    yield _of_shopify(shop, "refunds/create", refund(number + 1, number, split, last), last)
    yield _of_shopify(shop, "orders/paid", order(number + 2, paid, now, test=True), now)
    period = invoice(name, shop.customer, _RENEWED, now + round_number * _PERIOD)
    yield _of_stripe(f"evt_{name}1", "invoice.paid", period, now)
    yield _of_stripe(f"evt_{name}2", "checkout.session.completed", checkout(name, shop.customer, _BOUGHT), now)
    disputed = dispute(name, _BOUGHT)
    yield _of_stripe(f"evt_{name}3", "charge.dispute.funds_withdrawn", disputed, later)
    yield sold
    if round_number % 2:
        yield _of_stripe(f"evt_{name}4", "charge.dispute.funds_reinstated", disputed, last)


def all_webhooks(round_number: int, now: datetime) -> Iterator[tuple[ConnectedShop, Webhook]]:
    """Yield the webhooks of one round of all shops, in turn."""
    for step in zip(*(webhooks(shop, round_number, now) for shop in CONNECTED), strict=True):
        yield from zip(CONNECTED, step, strict=True)


def post(api_url: str, webhook: Webhook, secret: str, at: datetime) -> int:
    """Post a webhook, signed at an instant, as its sender would; return the status of the answer."""
    body = json.dumps(webhook.body).encode()
    headers = {"Content-Type": "application/json", **webhook.headers, **signed(webhook.source, body, secret, at)}
    url = f"{api_url}/api/v1/webhooks/{webhook.source}"
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - the local API
    return status_of(request, _ANSWER_SECONDS)


def put_link(api_url: str, name: str, *, merchant_id: str, label: str, admin_token: str) -> int:
    """Link a name to a merchant, as an admin would; return the status of the answer."""
    body = json.dumps({"merchant_id": merchant_id, "label": label}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {admin_token}"}
    url = f"{api_url}/api/v1/credits/admin/links/{name.replace(':', '/', 1)}"
    request = urllib.request.Request(url, data=body, headers=headers, method="PUT")  # noqa: S310 - the local API
    return status_of(request, _ANSWER_SECONDS)


def _of_shopify(shop: ConnectedShop, topic: str, body: Mapping[str, Any], at: datetime) -> Webhook:
    sent = ShopifyWebhook(topic=topic, shop=shop.domain, body=body, at=at)
    return Webhook(source=LinkKind.SHOPIFY, headers=sent.headers, body=body)


def _of_stripe(event_id: str, event_type: str, thing: Mapping[str, Any], at: datetime) -> Webhook:
    return Webhook(source=LinkKind.STRIPE, headers={}, body=stripe_event(event_id, event_type, thing, at))

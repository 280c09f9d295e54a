"""The local stack's connected shops: signed webhooks that read as their story says, with new facts each round."""

import json
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from chalicelib.contracts.sources.raw import from_request
from chalicelib.contracts.sources.signatures import check_shopify, check_stripe
from chalicelib.contracts.sources.webhooks import SourceTerms
from chalicelib.domain.links import LinkKind
from infra.interfaces.webhooks import signed
from infra.local.connected import CONNECTED, ConnectedShop, Webhook, all_webhooks, new_secrets, post, put_link, webhooks
from tests.support.engines import LOOPBACK

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
STORY = [
    ("evt.shopify.webhook.order_paid",),
    ("evt.order.updated",),
    ("evt.shopify.webhook.order_refunded",),
    ("evt.shopify.webhook.order_paid",),
    ("evt.subscription.renewed",),
    ("evt.billing.payment_succeeded",),
    ("evt.billing.payment_disputed",),
    ("evt.shopify.webhook.order_paid",),
]
WON = ("evt.billing.payment_dispute_won",)


def payloads(webhook: Webhook) -> list[tuple[str, dict[str, object]]]:
    found = from_request(webhook.source, json.dumps(webhook.body), webhook.headers).read(SourceTerms())
    return [(event.event_type, dict(event.payload)) for event in found.events]


@pytest.mark.parametrize(("around", "story"), [(0, STORY), (1, [*STORY, WON])])
@pytest.mark.parametrize("shop", CONNECTED)
def test_a_round_comes_to_the_events_of_its_story(
    shop: ConnectedShop, around: int, story: list[tuple[str, ...]]
) -> None:
    sent = list(webhooks(shop, around, NOW))

    assert [tuple(event_type for event_type, _ in payloads(one)) for one in sent] == story
    names = {from_request(one.source, json.dumps(one.body), one.headers).read(SourceTerms()).name for one in sent}
    linked = {one["name"] for one in json.loads(shop.opening())["payload"]["links"]}
    # A dispute names no customer.
    assert names - {None} == linked


def test_no_fact_of_a_round_comes_in_another_or_in_another_shop() -> None:
    ids: list[set[object]] = []
    for around in range(3):
        for shop in CONNECTED:
            found = [payload for one in webhooks(shop, around, NOW) for _, payload in payloads(one)]
            names = ("order_id", "refund_id", "payment_id", "dispute_id", "subscription_id")
            facts = {(name, one[name]) for one in found for name in names if name in one}
            renewals = {(one["subscription_id"], one["period_start"]) for one in found if "period_start" in one}
            ids.append({fact for fact in facts if fact[0] != "subscription_id"} | renewals)

    assert sum(map(len, ids)) == len(set().union(*ids))


def test_all_shops_send_in_turn() -> None:
    order = [shop.name for shop, _ in all_webhooks(0, NOW)]

    assert order == [shop.name for shop in CONNECTED] * len(STORY)


def test_a_webhook_is_signed_as_its_sender_signs() -> None:
    secrets = new_secrets()
    body = b'{"id": 1}'

    check_shopify(body, signed(LinkKind.SHOPIFY, body, secrets["shopify"], NOW), [secrets["shopify"]])
    check_stripe(body, signed(LinkKind.STRIPE, body, secrets["stripe"], NOW), [secrets["stripe"]], now=NOW)
    assert new_secrets() != secrets


class _Api(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            check_shopify(body, dict(self.headers), ["right"])
            self.send_response(200 if self.path == "/api/v1/webhooks/shopify" else 404)
        except Exception:  # noqa: BLE001 - whatever is wrong with it
            self.send_response(401)
        self.end_headers()

    def do_PUT(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = (
            self.path == "/api/v1/credits/admin/links/shopify/velo-vera.myshopify.com"
            and self.headers["Authorization"] == "Bearer right"
            and asked == {"merchant_id": "m", "label": "Velo Vera"}
        )
        self.send_response(200 if right else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.parametrize(("secret", "status"), [("right", 200), ("wrong", 401)])
def test_what_the_api_answers_comes_back(secret: str, status: int) -> None:
    with HTTPServer((LOOPBACK, 0), _Api) as server:
        Thread(target=server.handle_request, daemon=True).start()
        webhook = next(webhooks(CONNECTED[0], 0, NOW))

        assert post(f"http://{LOOPBACK}:{server.server_port}", webhook, secret, NOW) == status


@pytest.mark.parametrize(("token", "status"), [("right", 200), ("wrong", 401)])
def test_a_shop_is_linked_as_an_admin_links_it(token: str, status: int) -> None:
    with HTTPServer((LOOPBACK, 0), _Api) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url, name = f"http://{LOOPBACK}:{server.server_port}", "shopify:velo-vera.myshopify.com"

        assert put_link(url, name, merchant_id="m", label="Velo Vera", admin_token=token) == status

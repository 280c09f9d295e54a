"""Shopify's and Stripe's webhooks through the whole system: signed over HTTPS, from their buses, and over NATS."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.domain.links import LinkKind
from infra.local.connected import BUSES, Webhook, post
from tests.support import webhooks as made
from tests.support.running_stack import Stack, until
from tests.support.webhooks import CANARY

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

ORDERS, SENDERS = 8, 3
RAW = {LinkKind.SHOPIFY: "evt.shopify.webhook.raw", LinkKind.STRIPE: "evt.stripe.webhook.raw"}
TRIAL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A shop that is linked: its merchant, its domain and its customer."""

    merchant: str
    domain: str
    customer: str
    numbers: Iterator[int]

    def shopify(self, topic: str, body: Mapping[str, Any]) -> Webhook:
        return Webhook(source=LinkKind.SHOPIFY, headers=made.headers(topic, self.domain), body=body)

    def stripe(self, event_type: str, thing: Mapping[str, Any]) -> Webhook:
        return Webhook(source=LinkKind.STRIPE, headers={}, body=made.stripe(event_type, {**thing}))

    def order(self, number: int, **fields: Any) -> dict[str, Any]:
        return made.order(id=number, admin_graphql_api_id=f"gid://shopify/Order/{number}", **fields)


def opened(stack: Stack) -> Shop:
    """Return a shop whose account is there."""
    token = uuid4().hex[:12]
    shop = Shop(
        merchant=str(uuid4()),
        domain=f"shop-{token}.myshopify.com",
        customer=f"cus_{token}",
        numbers=iter(range(random.randrange(10**12, 10**15), 10**16)),  # noqa: S311 - ids of tests
    )
    links = [{"name": f"shopify:{shop.domain}", "label": "Teegeist"}, {"name": f"stripe:{shop.customer}"}]
    stack.tell({"event_type": "evt.merchant.created", "payload": {"merchant_id": shop.merchant, "links": links}})
    return shop


def over_https(stack: Stack, webhook: Webhook) -> None:
    secret = stack.description.webhook_secrets[webhook.source]
    assert post(stack.description.api_url, webhook, secret, datetime.now(UTC)) == 200


def over_nats(stack: Stack, webhook: Webhook) -> None:
    body = {"headers": dict(webhook.headers), "payload": webhook.body}
    stack.nats.publish([(RAW[webhook.source], json.dumps(body).encode())])


def over_the_bus(stack: Stack, webhook: Webhook) -> None:
    if webhook.source is LinkKind.SHOPIFY:
        detail: Mapping[str, Any] = {"metadata": dict(webhook.headers), "payload": webhook.body}
        stack.put_as_partner([(BUSES[webhook.source], "shopifyWebhook", detail)])
    else:
        stack.put_as_partner([(BUSES[webhook.source], webhook.body["type"], webhook.body)])


def each_over_nats(stack: Stack, webhooks: Sequence[Webhook]) -> None:
    for webhook in webhooks:
        over_nats(stack, webhook)


WAYS: Mapping[str, Callable[[Stack, Webhook], None]] = {"https": over_https, "nats": over_nats, "bus": over_the_bus}


def types(stack: Stack, shop: Shop) -> Counter[str]:
    return Counter(row["transaction_type"] for row in stack.ledger(shop.merchant))


def recorded(stack: Stack, shop: Shop, expected: Mapping[str, int]) -> None:
    """Return once the shop's transactions are of these types, and nothing is on its way any more."""
    until(f"{expected}, is {types(stack, shop)}", lambda: types(stack, shop) == Counter(expected))
    stack.settle()
    assert types(stack, shop) == Counter(expected)


@pytest.mark.parametrize("way", WAYS)
def test_an_order_a_refund_and_an_invoice_count_by_each_way(flows: Stack, way: str) -> None:
    shop, send = opened(flows), WAYS[way]
    number = next(shop.numbers)
    send(flows, shop.shopify("orders/paid", shop.order(number)))
    recorded(flows, shop, {"TRIAL": 1, "ORDER_PAID": 1})

    back = made.refund(made.transaction("60.00"), made.transaction("40.00"), id=number + 1, order_id=number)
    back["admin_graphql_api_id"] = f"gid://shopify/Refund/{number + 1}"
    send(flows, shop.shopify("refunds/create", back))
    invoice = made.invoice(made.line(), id=f"in_{number}", customer=shop.customer, metadata={"credits": "50"})
    send(flows, shop.stripe("invoice.paid", invoice))

    recorded(flows, shop, {"TRIAL": 1, "ORDER_PAID": 1, "REFUND": 1, "SUBSCRIPTION": 1})
    assert flows.read(f"/credits/accounts/{shop.merchant}")["balance"] == TRIAL + 50


def test_what_comes_by_all_ways_at_once_counts_once(flows: Stack) -> None:
    shop = opened(flows)
    numbers = [next(shop.numbers) for _ in range(ORDERS)]
    sent = [
        shop.shopify(topic, shop.order(number)) for number in numbers for topic in ("orders/paid", "orders/updated")
    ]
    session = made.session(id=f"cs_{numbers[0]}", customer=shop.customer, payment_intent=f"pi_{numbers[0]}")
    sent.append(shop.stripe("checkout.session.completed", session))
    deliveries = [(send, webhook) for webhook in sent for send in WAYS.values()]
    random.Random(15).shuffle(deliveries)  # noqa: S311 - an order of deliveries

    with ThreadPoolExecutor(SENDERS) as senders:
        # One connection to NATS is not for many threads.
        work = [senders.submit(each_over_nats, flows, [webhook for send, webhook in deliveries if send is over_nats])]
        work += [senders.submit(send, flows, webhook) for send, webhook in deliveries if send is not over_nats]
    for one in work:
        one.result()

    recorded(flows, shop, {"TRIAL": 1, "ORDER_PAID": ORDERS, "PAYMENT": 1})
    assert flows.read(f"/credits/accounts/{shop.merchant}")["balance"] == TRIAL - ORDERS + 500
    assert flows.letters(naming=shop.domain) == []


def test_a_dispute_finds_its_payment_and_a_test_order_moves_nothing(flows: Stack) -> None:
    shop = opened(flows)
    number = next(shop.numbers)
    intent = f"pi_{number}"
    session = made.session(id=f"cs_{number}", customer=shop.customer, payment_intent=intent)
    over_https(flows, shop.stripe("checkout.session.completed", session))
    over_https(flows, shop.shopify("orders/paid", shop.order(number, test=True)))
    recorded(flows, shop, {"TRIAL": 1, "PAYMENT": 1})

    dispute = made.dispute(id=f"dp_{number}", payment_intent=intent, charge=f"ch_{number}")
    over_https(flows, shop.stripe("charge.dispute.funds_withdrawn", dispute))
    over_https(flows, shop.stripe("charge.dispute.funds_withdrawn", dispute))

    recorded(flows, shop, {"TRIAL": 1, "PAYMENT": 1, "REVERSAL": 1})
    assert flows.read(f"/credits/accounts/{shop.merchant}")["balance"] == TRIAL


@pytest.mark.parametrize("source", list(LinkKind))
def test_a_webhook_that_another_secret_signed_is_refused_and_moves_nothing(flows: Stack, source: LinkKind) -> None:
    shop = opened(flows)
    number = next(shop.numbers)
    session = made.session(id=f"cs_{number}", customer=shop.customer, payment_intent=f"pi_{number}")
    webhook = {
        LinkKind.SHOPIFY: shop.shopify("orders/paid", shop.order(number)),
        LinkKind.STRIPE: shop.stripe("checkout.session.completed", session),
    }[source]
    others = flows.description.webhook_secrets[LinkKind.STRIPE if source is LinkKind.SHOPIFY else LinkKind.SHOPIFY]

    for secret in (others, "", "guessed"):
        assert post(flows.description.api_url, webhook, secret, datetime.now(UTC)) == 401

    recorded(flows, shop, {"TRIAL": 1})


def test_poison_that_came_from_a_bus_is_parked_without_personal_data(flows: Stack) -> None:
    shop = opened(flows)
    number = next(shop.numbers)
    broken = shop.shopify("orders/paid", shop.order(number, order_id=1))
    over_the_bus(flows, broken)
    over_nats(flows, broken)
    over_https(flows, broken)

    until("the letters", lambda: len(flows.letters(naming=shop.domain)) == len(WAYS))
    assert CANARY in json.dumps(broken.body)
    assert all(CANARY not in letter.body for letter in flows.letters(naming=shop.domain))
    recorded(flows, shop, {"TRIAL": 1})

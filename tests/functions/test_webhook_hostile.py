"""Hostile webhooks, from the request to the ledger: none moves a credit, and none leaks (contract, section 15)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from app import app
from chalicelib.contracts.sources.signatures import (
    SHOPIFY_HEADER,
    STRIPE_HEADER,
    shopify_signature,
    stripe_signature,
)
from chalicelib.wiring import for_api
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, TRANSACTIONS_TABLE, Answered, Api
from tests.support.events import asking
from tests.support.system import System, seen
from tests.support.webhooks import (
    CANARY,
    DOMAIN,
    SHOP_BODY,
    charge,
    dispute,
    headers,
    invoice,
    line,
    order,
    refund,
    session,
    stripe,
    stripe_refund,
    text,
    transaction,
)

SHOPIFY, WHSEC = "shopify-secret", "whsec_secret"
NOW = datetime.now(UTC)
ORDER, REFUND = text(order()), text(refund(transaction()))
INVOICE, CHECKOUT = text(stripe("invoice.paid", invoice())), text(stripe("checkout.session.completed", session()))


def shopify(body: str, topic: str = "orders/paid", secret: str = SHOPIFY, **more: Any) -> dict[str, Any]:
    return {**headers(topic), SHOPIFY_HEADER: shopify_signature(body.encode(), secret), **more}


def stripes(body: str, secret: str = WHSEC, *, at: datetime = NOW) -> dict[str, Any]:
    return {STRIPE_HEADER: stripe_signature(body.encode(), secret, at=at)}


def _without(sent: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in sent.items() if key != name}


def _by_a_byte(body: str) -> list[str]:
    places = (1, len(body) // 3, len(body) // 2, len(body) - 2)
    return [body[:place] + ("7" if body[place] != "7" else "8") + body[place + 1 :] for place in places]


SIGNED = shopify_signature(ORDER.encode(), SHOPIFY)
STAMPED = stripe_signature(INVOICE.encode(), WHSEC, at=NOW)
OTHERS = shopify_signature(b"another body", SHOPIFY)
# Refused before the queue: who sends it, the body, the headers.
REFUSED: list[tuple[str, str, Mapping[str, Any]]] = [
    *(("shopify", changed, shopify(ORDER)) for changed in _by_a_byte(ORDER)),
    *(("stripe", changed, stripes(INVOICE)) for changed in _by_a_byte(INVOICE)),
    ("shopify", ORDER, _without(shopify(ORDER), SHOPIFY_HEADER)),
    *(
        ("shopify", ORDER, {**headers("orders/paid"), SHOPIFY_HEADER: value})
        for value in (
            "",
            " ",
            "=",
            "x",
            "é",
            OTHERS,
            SIGNED[:-2],
            f"{SIGNED}\n{SIGNED}",
            f"{SIGNED},{OTHERS}",
            SIGNED.lower(),
            f" {SIGNED[::-1]}",
            "A" * 5000,
        )
    ),
    ("shopify", ORDER, {**shopify(ORDER), SHOPIFY_HEADER.lower(): SIGNED}),
    ("shopify", ORDER, {**shopify(ORDER), SHOPIFY_HEADER.upper(): OTHERS}),
    *(
        ("shopify", ORDER, shopify(ORDER, secret=secret))
        for secret in ("", "another shop's secret", WHSEC, SHOPIFY + " ")
    ),
    ("shopify", ORDER, stripes(ORDER)),
    ("shopify", "", headers("orders/paid")),
    *(("stripe", INVOICE, stripes(INVOICE, at=NOW + timedelta(minutes=late))) for late in (-6, 6, -60 * 24 * 365, 60)),
    *(("stripe", INVOICE, stripes(INVOICE, secret)) for secret in ("", "whsec_another", SHOPIFY)),
    *(
        ("stripe", INVOICE, {STRIPE_HEADER: value})
        for value in (
            "",
            "t=,v1=",
            "v1=" + "0" * 64,
            STAMPED.replace("v1", "v0"),
            STAMPED.partition(",")[0],
            STAMPED.partition(",")[2],
            STAMPED.replace("t=", "t=-"),
            f"t={int(NOW.timestamp()) - 900},{STAMPED}",
            STAMPED.replace("t=1", "t=9"),
            STAMPED[:-1],
            STAMPED.upper(),
            STAMPED + ",v1" + "=" * 3000,
            "t=" + "9" * 40 + ",v1=" + "0" * 64,
        )
    ),
    ("stripe", INVOICE, {**stripes(INVOICE), STRIPE_HEADER.lower(): STAMPED}),
    ("stripe", INVOICE, shopify(INVOICE)),
    ("stripe", INVOICE, {}),
    ("shopify", "null", shopify("null")),
    ("shopify", "[" * 100_000, shopify("[" * 100_000)),
    ("shopify", f'{{"id":1,"{CANARY}":1,"{CANARY}":2}}', shopify(f'{{"id":1,"{CANARY}":1,"{CANARY}":2}}')),
    ("shopify", text(order(note="x" * 4_500_000)), shopify(text(order(note="x" * 4_500_000)))),
    ("stripe", "{", stripes("{")),
]
TWICE = '{"id":5,"id":6,"financial_status":"paid"}'
# Signed, so they are queued; the function parks or ignores them.
QUEUED: list[tuple[str, str, Mapping[str, Any]]] = [
    ("shopify", REFUND, shopify(REFUND)),
    ("shopify", ORDER, shopify(ORDER, "refunds/create")),
    ("shopify", ORDER, shopify(ORDER, "app/uninstalled")),
    ("shopify", ORDER, shopify(ORDER, "orders/create")),
    ("shopify", ORDER, shopify(ORDER, "")),
    ("shopify", ORDER, {**shopify(ORDER), "X-Shopify-Shop-Domain": "another.myshopify.com"}),
    ("shopify", ORDER, {**shopify(ORDER), "X-Shopify-Shop-Domain": "not a domain"}),
    ("shopify", ORDER, {**shopify(ORDER), "x-shopify-topic": "orders/updated"}),
    ("shopify", text(SHOP_BODY), shopify(text(SHOP_BODY), "orders/paid")),
    *(
        ("shopify", body, shopify(body))
        for body in (
            "{}",
            text(order(id=-1, admin_graphql_api_id=None)),
            text(order(id=1.5, admin_graphql_api_id=None)),
            text(order(id={"$gt": 0}, admin_graphql_api_id=None)),
            text(order(id=7)),
            text(order(admin_graphql_api_id="gid://shopify/Refund/7")),
            text(order(test=True)),
            text(order(financial_status="voided")),
        )
    ),
    ("stripe", ORDER, stripes(ORDER)),
    *(
        ("stripe", body, stripes(body))
        for body in (
            text(stripe("invoice.paid", charge())),
            text(stripe("invoice.paid", invoice(line("price_unknown")))),
            text(stripe("invoice.paid", invoice(customer="cus_another"))),
            text(stripe("invoice.paid", invoice(), livemode=False)),
            text(stripe("checkout.session.completed", session(payment_status="unpaid"))),
            text(stripe("checkout.session.completed", session(metadata={"credits": "-500"}))),
            text(stripe("checkout.session.completed", session(metadata={"credits": "1e9"}))),
            text(stripe("checkout.session.completed", session(metadata={"credits": "9" * 13}))),
            text(stripe("charge.refunded", charge(amount_refunded=-1))),
            text(stripe("refund.created", stripe_refund())),
            text(stripe("charge.dispute.funds_withdrawn", dispute(charge="ch_x", payment_intent="pi_x"))),
            text(stripe("evt.credits.manual_adjustment", {"credits": 5})),
            text({"type": "invoice.paid"}),
            text({"event_type": "evt.billing.payment_succeeded", "payload": {"payment_id": "p", "credits": 5}}),
        )
    ),
]


@dataclass
class Inbox:
    """Keeps the messages that the route sends."""

    sent: list[str] = field(default_factory=list)

    def send(self, _queue_url: str, body: str, _group: str | None = None) -> None:
        self.sent.append(body)


@pytest.fixture
def inbox(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    stand_in = Inbox()
    secrets = {"/shopify": (SHOPIFY,), "/stripe": (WHSEC,)}
    monkeypatch.setattr(for_api, "webhook_queue", lambda: stand_in)
    monkeypatch.setattr(for_api, "webhook_secrets", lambda name: secrets.get(name, ()))
    system.configure(SHOPIFY_SECRET_PARAMETER="/shopify", STRIPE_SECRET_PARAMETER="/stripe")
    links = [f"shopify:{DOMAIN}", "stripe:cus_1"]
    assert system.ingest(asking("evt.merchant.created", {"links": links})) == []
    # Signatures were made when this module was read, which may be minutes ago.
    with time_machine.travel(NOW):
        yield stand_in


def posted(source: str, body: str, sent: Mapping[str, Any]) -> Answered:
    return Api(app).post(f"/webhooks/{source}", body, headers=sent)


def test_there_are_many_rows() -> None:
    assert len(REFUSED) + len(QUEUED) >= 60


def test_what_is_not_signed_or_cannot_be_read_never_reaches_the_queue(system: System, inbox: Inbox) -> None:
    before = system.everything()
    for source, body, sent in REFUSED:
        answered = posted(source, body, sent)
        assert answered.status in (400, 401, 413), (source, dict(sent), body[:100])
        assert answered.headers["Content-Type"] == "application/problem+json"
        assert CANARY not in json.dumps([answered.body, dict(answered.headers)])

    assert inbox.sent == []
    assert system.everything() == before
    assert CANARY not in system.log.getvalue()


def test_what_is_signed_and_wrong_moves_nothing_and_leaks_nothing(system: System, inbox: Inbox) -> None:
    before = system.everything()
    for source, body, sent in QUEUED:
        assert posted(source, body, sent).status == 200, (source, body[:100])
    assert len(inbox.sent) == len(QUEUED)
    for message in inbox.sent:
        system.ingest(seen(message))
    system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    for message in inbox.sent:
        assert system.ingest(seen(message)) == []

    assert system.everything() == before
    tables = [system.items(table) for table in (CREDITS_TABLE, TRANSACTIONS_TABLE, LINKS_TABLE)]
    assert CANARY not in f"{inbox.sent}{tables}{system.parked()}{system.asked}{system.log.getvalue()}"


def test_a_field_that_is_there_twice_is_refused(inbox: Inbox) -> None:
    assert posted("shopify", TWICE, shopify(TWICE)).status == 400
    assert inbox.sent == []
    assert posted("stripe", CHECKOUT, stripes(CHECKOUT)).status == 200

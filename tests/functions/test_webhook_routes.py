"""Webhooks of Shopify and Stripe over HTTP: signed, cut, queued, or refused as a problem (contract, section 15)."""

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from app import app
from chalicelib.adapters.parameters import ParameterError
from chalicelib.api.webhooks import BODY_BYTES_MAX
from chalicelib.contracts.sources.signatures import (
    SHOPIFY_HEADER,
    STRIPE_HEADER,
    shopify_signature,
    stripe_signature,
)
from chalicelib.settings import settings
from chalicelib.wiring import for_api
from tests.support.api import Answered, Api
from tests.support.system import refusal
from tests.support.webhooks import CANARY, charge, headers, invoice, order, stripe, text

NEW, WHSEC = "new-secret", "whsec_2"
SECRETS = {"/shopify": ("old-secret", NEW), "/stripe": ("whsec_1", WHSEC)}
WEBHOOK_SECRETS = for_api.webhook_secrets
INBOX = "https://inbox"


@dataclass
class Inbox:
    """Stands for the queue: keeps what it confirmed, or fails."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    fault: Exception | None = None

    def send(self, queue_url: str, body: str, group: str | None = None) -> None:
        if self.fault is not None:
            raise self.fault
        self.sent.append((queue_url, body))
        self.groups.append(group)

    def bodies(self) -> list[Any]:
        assert {url for url, _ in self.sent} <= {INBOX}
        return [json.loads(body) for _, body in self.sent]


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    environment = {
        "INBOX_QUEUE_URL": INBOX,
        "SHOPIFY_SECRET_PARAMETER": "/shopify",
        "STRIPE_SECRET_PARAMETER": "/stripe",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    stand_in = Inbox()
    monkeypatch.setattr(for_api, "webhook_queue", lambda: stand_in)
    monkeypatch.setattr(for_api, "webhook_secrets", lambda name: SECRETS.get(name, ()))
    yield stand_in
    settings.cache_clear()


def posted(source: str, body: str | bytes, sent: dict[str, str]) -> Answered:
    return Api(app).post(f"/webhooks/{source}", body, headers=sent)


def from_shopify(topic: str, body: dict[str, Any], secret: str = NEW, **more: str) -> Answered:
    sent = text(body)
    return posted("shopify", sent, {**headers(topic), SHOPIFY_HEADER: shopify_signature(sent.encode(), secret), **more})


def from_stripe(body: dict[str, Any], secret: str = WHSEC, *, ago: timedelta = timedelta(0)) -> Answered:
    sent = text(body)
    signed = stripe_signature(sent.encode(), secret, at=datetime.now(UTC) - ago)
    return posted("stripe", sent, {STRIPE_HEADER: signed})


@pytest.mark.parametrize("secret", SECRETS["/shopify"])
def test_a_webhook_that_one_of_the_secrets_signed_is_queued_without_personal_data(inbox: Inbox, secret: str) -> None:
    answered = from_shopify("orders/paid", order(), secret)

    assert (answered.status, answered.body["data"]) == (200, {"status": "queued"})
    [body] = inbox.bodies()
    assert body["event_type"] == "evt.shopify.webhook.raw"
    assert body["headers"]["X-Shopify-Topic"] == "orders/paid"
    assert body["payload"]["total_price"] == "100.00"
    assert CANARY not in json.dumps(body)
    assert "Hmac" not in json.dumps(body)


@pytest.mark.parametrize("secret", SECRETS["/stripe"])
def test_an_event_of_stripe_is_queued_without_personal_data(inbox: Inbox, secret: str) -> None:
    assert from_stripe(stripe("charge.refunded", charge()), secret).status == 200

    [body] = inbox.bodies()
    assert body["event_type"] == "evt.stripe.webhook.raw"
    assert body["payload"]["data"]["object"]["amount_refunded"] == 500
    assert CANARY not in json.dumps(body)


@pytest.mark.parametrize(
    ("shop", "group"),
    [
        ("Tea.myshopify.com", "shopify:tea.myshopify.com"),
        ("a tea shop", None),
        ("x" * 121, None),
        ("", None),
    ],
)
def test_a_shop_with_a_backlog_waits_in_a_group_of_its_own(inbox: Inbox, shop: str, group: str | None) -> None:
    answered = from_shopify("orders/paid", order(), **{"X-Shopify-Shop-Domain": shop})

    assert (answered.status, inbox.groups) == (200, [group])


def test_a_customer_with_a_backlog_waits_in_a_group_of_its_own(inbox: Inbox) -> None:
    from_stripe(stripe("invoice.paid", invoice(customer="cus_1")))
    from_stripe(stripe("invoice.paid", invoice(customer={"id": "cus_1"})))
    from_stripe({"type": "invoice.paid", "data": []})

    assert inbox.groups == ["stripe:cus_1", None, None]


def test_a_body_in_base64_is_checked_as_the_bytes_that_were_sent(inbox: Inbox) -> None:
    sent = text(order(note="Grüße")).encode()
    signed = {**headers("orders/paid"), SHOPIFY_HEADER: shopify_signature(sent, "new-secret")}

    assert posted("shopify", sent, signed).status == 200
    assert len(inbox.sent) == 1


def test_an_order_larger_than_other_bodies_may_be_is_taken(inbox: Inbox) -> None:
    lines = [{"id": place, "name": CANARY, "properties": "x" * 900} for place in range(500)]

    assert from_shopify("orders/paid", order(line_items=lines)).status == 200
    assert len(inbox.sent[0][1]) < 1000


def test_an_order_of_megabytes_is_taken_and_queued_small(inbox: Inbox) -> None:
    lines = [{"id": place, "name": CANARY, "properties": [{"name": "x", "value": "y" * 8_000}]} for place in range(540)]
    sent = text(order(line_items=lines, note="Grüße")).encode()
    signed = {**headers("orders/paid"), SHOPIFY_HEADER: shopify_signature(sent, NEW)}

    assert 4_300_000 < len(sent) < BODY_BYTES_MAX
    assert posted("shopify", sent, signed).status == 200
    assert len(inbox.sent[0][1]) < 1000


def test_the_largest_body_in_base64_leaves_room_in_a_request_of_lambda() -> None:
    assert len(b64encode(bytes(BODY_BYTES_MAX))) + 64 * 1024 < 6 * 1024 * 1024


def test_what_is_too_large_is_refused_and_not_queued(inbox: Inbox) -> None:
    answered = from_shopify("orders/paid", order(note="x" * BODY_BYTES_MAX))

    assert (answered.status, answered.body["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert inbox.sent == []


def _changed(body: str) -> str:
    return body.replace("100.00", "100.01")


def _shopify_headers(body: str, **more: str) -> dict[str, str]:
    return {**headers("orders/paid"), SHOPIFY_HEADER: shopify_signature(body.encode(), "new-secret"), **more}


BODY = text(order())
STRIPE_BODY = text(stripe("invoice.paid", invoice()))


def _signed(at: datetime, secret: str = WHSEC) -> str:
    return stripe_signature(STRIPE_BODY.encode(), secret, at=at)


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("source", "body", "sent"),
    [
        ("shopify", BODY, headers("orders/paid")),
        ("shopify", BODY, _shopify_headers(BODY, **{SHOPIFY_HEADER: ""})),
        ("shopify", BODY, _shopify_headers(BODY, **{SHOPIFY_HEADER: "no base64!"})),
        ("shopify", BODY, _shopify_headers(_changed(BODY))),
        ("shopify", _changed(BODY), _shopify_headers(BODY)),
        ("shopify", BODY, _shopify_headers(BODY, **{SHOPIFY_HEADER: shopify_signature(BODY.encode(), "another")})),
        ("shopify", BODY, _shopify_headers(BODY, **{SHOPIFY_HEADER: shopify_signature(BODY.encode(), "")})),
        ("shopify", BODY, {**_shopify_headers(BODY), SHOPIFY_HEADER.lower(): shopify_signature(b"x", "x")}),
        ("shopify", "", headers("orders/paid")),
        ("shopify", BODY, {**headers("orders/paid"), STRIPE_HEADER: _signed(NOW)}),
        ("stripe", STRIPE_BODY, {}),
        ("stripe", STRIPE_BODY, {STRIPE_HEADER: "v1=00"}),
        ("stripe", STRIPE_BODY, {STRIPE_HEADER: _signed(NOW - timedelta(minutes=6))}),
        ("stripe", STRIPE_BODY, {STRIPE_HEADER: _signed(NOW + timedelta(days=1))}),
        ("stripe", STRIPE_BODY, {STRIPE_HEADER: _signed(NOW, "another")}),
        ("stripe", STRIPE_BODY.replace("in_1", "in_2"), {STRIPE_HEADER: _signed(NOW)}),
        ("stripe", STRIPE_BODY, {STRIPE_HEADER: _signed(NOW).replace("v1", "v0")}),
        ("stripe", STRIPE_BODY, _shopify_headers(STRIPE_BODY)),
    ],
)
def test_what_nobody_signed_is_401_and_never_queued(
    inbox: Inbox, source: str, body: str, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = posted(source, body, sent)

    assert (answered.status, answered.body["error"]["code"]) == (401, "SIGNATURE_INVALID")
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert answered.headers["WWW-Authenticate"].startswith("Signature ")
    assert CANARY not in json.dumps(answered.body)
    assert inbox.sent == []


def test_without_a_secret_everything_is_refused(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(for_api, "webhook_secrets", lambda _name: ())

    assert from_shopify("orders/paid", order()).status == 401
    assert from_stripe(stripe("invoice.paid", invoice())).status == 401
    assert inbox.sent == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"id": 1', "NOT_JSON"),
        ("[1]", "NOT_JSON"),
        (f'{{"id": 1, "{CANARY}": 1, "{CANARY}": 2}}', "DUPLICATE_FIELD"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "NOT_JSON"),
    ],
    ids=["torn", "a list", "a field twice", "too deep"],
)
def test_a_signed_body_that_cannot_be_read_is_400(inbox: Inbox, body: str, code: str) -> None:
    answered = posted("shopify", body, _shopify_headers(body))

    assert (answered.status, answered.body["error"]["code"]) == (400, code)
    assert CANARY not in json.dumps(answered.body)
    assert inbox.sent == []


def test_bytes_that_are_no_text_are_400(inbox: Inbox) -> None:
    body = b'{"id": "\xff"}'
    signed = {**headers("orders/paid"), SHOPIFY_HEADER: shopify_signature(body, "new-secret")}

    assert posted("shopify", body, signed).status == 400


@pytest.mark.parametrize("fault", [refusal("SendMessage"), ReadTimeoutError(endpoint_url="https://sqs")])
def test_what_the_queue_did_not_confirm_is_asked_for_again(inbox: Inbox, fault: Exception) -> None:
    inbox.fault = fault
    answered = from_shopify("orders/paid", order())

    assert (answered.status, answered.headers["Retry-After"]) == (503, "1")


def test_secrets_that_cannot_be_read_accuse_nobody(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("SHOPIFY_SECRET_PARAMETER", "/shopify")
    monkeypatch.setenv("CREDITS_TABLE", "credits")
    settings.cache_clear()

    class Unreadable:
        def text(self) -> str:
            raise ParameterError("the parameter /shopify cannot be read")

    monkeypatch.setattr(for_api, "_parameter", lambda _name: Unreadable())
    answered = from_shopify("orders/paid", order())

    assert answered.status == 503
    assert "parameter" not in json.dumps(answered.body)


@pytest.mark.parametrize(
    "kept",
    [
        "new-secret-of-shopify # since November",
        '{"shopify": "new-secret-of-shopify"}',
        '{\n  "shopify":\n    "new-secret-of-shopify"\n}',
        "new-secret-of-shopify\nx",
    ],
)
def test_a_word_beside_a_secret_signs_nothing(monkeypatch: pytest.MonkeyPatch, inbox: Inbox, kept: str) -> None:
    monkeypatch.setattr(for_api, "_parameter", lambda _name: SimpleNamespace(text=lambda: kept))
    monkeypatch.setattr(for_api, "webhook_secrets", WEBHOOK_SECRETS)

    assert {from_shopify("orders/paid", order(), word).status for word in kept.split()} == {500}
    assert inbox.sent == []


def test_secrets_are_a_line_each(monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> None:
    monkeypatch.setattr(
        for_api, "_parameter", lambda _name: SimpleNamespace(text=lambda: "\n first-secret \r\nsecond-secret\n")
    )
    monkeypatch.setattr(for_api, "webhook_secrets", WEBHOOK_SECRETS)

    for secret in ("first-secret", "second-secret"):
        assert from_shopify("orders/paid", order(), secret).status == 200
    assert len(inbox.sent) == 2


def test_a_poisonous_webhook_is_queued_all_the_same_to_be_parked(inbox: Inbox) -> None:
    """Shopify removes a subscription whose webhooks are refused again and again."""
    assert from_shopify("orders/paid", {"id": 1}).status == 200
    assert len(inbox.sent) == 1

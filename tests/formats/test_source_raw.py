"""Webhooks as the inbox holds them: by route, by NATS and by the partners' buses alike (contract, section 15)."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chalicelib.contracts.inbound.messages import Message
from chalicelib.contracts.sources.raw import _ENVELOPES_MAX, RawWebhook, body_to_park, from_message, from_request
from chalicelib.contracts.sources.webhooks import SourceTerms, Webhook
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.links import LinkKind
from tests.support.webhooks import CANARY, DOMAIN, SESSION, charge, headers, invoice, order, session, stripe, text

TERMS = SourceTerms(credits_by_price={"price_pro": 1000})
SHOPIFY, STRIPE = "evt.shopify.webhook.raw", "evt.stripe.webhook.raw"
ORDER = order()
INVOICE = stripe("invoice.paid", invoice())
SHOPIFY_BUS: dict[str, Any] = {
    "version": "0",
    "source": "aws.partner/shopify.com/12345/credits",
    "detail-type": "shopifyWebhook",
    "detail": {"payload": ORDER, "metadata": headers("orders/paid")},
}
STRIPE_BUS: dict[str, Any] = {
    "version": "0",
    "source": "aws.partner/stripe.com/ed_test_1",
    "detail-type": "invoice.paid",
    "detail": INVOICE,
}
CLOUD = {"specversion": "1.0", "id": "1", "source": "shop-service"}


def came(fields: dict[str, Any], subject: str | None = None) -> Webhook:
    raw = from_message(fields, subject=subject)
    assert raw is not None
    return raw.read(TERMS)


WAYS_OF_SHOPIFY: list[tuple[dict[str, Any], str | None]] = [
    ({"event_type": SHOPIFY, "headers": headers("orders/paid"), "payload": ORDER}, None),
    ({"metadata": headers("orders/paid"), "payload": ORDER}, SHOPIFY),
    ({"headers": headers("orders/paid"), "payload": ORDER}, SHOPIFY),
    ({"event_type": SHOPIFY, "headers": headers("orders/paid"), "payload": ORDER}, SHOPIFY),
    ({"event_type": SHOPIFY, "payload": {"headers": headers("orders/paid"), "payload": ORDER}}, None),
    (
        {"event_type": SHOPIFY, "metadata": {}, "payload": {"metadata": headers("orders/paid"), "payload": ORDER}},
        None,
    ),
    (SHOPIFY_BUS, None),
    ({"headers": {"traceparent": "00-1"}, "metadata": headers("orders/paid"), "payload": ORDER}, SHOPIFY),
    (
        {
            "event_type": SHOPIFY,
            "metadata": headers("orders/paid"),
            "payload": {"event_type": SHOPIFY, "metadata": {"trace": "1"}, "payload": ORDER},
        },
        None,
    ),
    ({"headers": headers("orders/paid"), "data": ORDER}, SHOPIFY),
    ({"headers": headers("orders/paid"), "payload": text(ORDER)}, SHOPIFY),
    ({"headers": headers("orders/paid"), "payload": None, "data": text(ORDER)}, SHOPIFY),
    ({"headers": {name: [value] for name, value in headers("orders/paid").items()}, "payload": ORDER}, SHOPIFY),
    ({"event_type": SHOPIFY, "event_id": "1", "data": {"headers": headers("orders/paid"), "payload": ORDER}}, None),
    ({"event_type": SHOPIFY, "payload": text({"headers": headers("orders/paid"), "data": text(ORDER)})}, SHOPIFY),
    ({**CLOUD, "type": SHOPIFY, "data": {"headers": headers("orders/paid"), "payload": ORDER}}, SHOPIFY),
    ({**CLOUD, "type": SHOPIFY, "data": {"metadata": headers("orders/paid"), "data": ORDER}}, None),
    (
        {
            **CLOUD,
            "type": SHOPIFY,
            "data": {"event_type": SHOPIFY, "data": {"headers": headers("orders/paid"), "payload": ORDER}},
        },
        None,
    ),
    (
        {
            "event_type": SHOPIFY,
            "headers": headers("orders/paid"),
            "data": {"event_type": SHOPIFY, "payload": ORDER},
        },
        None,
    ),
]


@pytest.mark.parametrize(("fields", "subject"), WAYS_OF_SHOPIFY)
def test_a_webhook_of_shopify_is_the_same_whichever_way_it_came(fields: dict[str, Any], subject: str | None) -> None:
    by_request = from_request(LinkKind.SHOPIFY, text(ORDER), headers("orders/paid")).read(TERMS)
    assert came(fields, subject) == by_request


WAYS_OF_STRIPE: list[tuple[dict[str, Any], str | None]] = [
    ({"event_type": STRIPE, "payload": INVOICE}, None),
    ({"headers": {}, "payload": INVOICE}, STRIPE),
    (STRIPE_BUS, None),
    ({"event_type": STRIPE, "data": INVOICE}, None),
    ({"data": INVOICE}, STRIPE),
    ({"payload": text(INVOICE)}, STRIPE),
    (INVOICE, STRIPE),
    ({**CLOUD, "type": STRIPE, "data": INVOICE}, STRIPE),
    ({**CLOUD, "type": STRIPE, "data": INVOICE}, None),
    ({**CLOUD, "type": STRIPE, "data": text(INVOICE)}, None),
    ({**CLOUD, "type": STRIPE, "data": {"event_type": STRIPE, "payload": INVOICE}}, None),
    ({"event_type": STRIPE, "payload": {"metadata": {}, "data": INVOICE}}, STRIPE),
]


@pytest.mark.parametrize(("fields", "subject"), WAYS_OF_STRIPE)
def test_an_event_of_stripe_is_the_same_whichever_way_it_came(fields: dict[str, Any], subject: str | None) -> None:
    assert came(fields, subject) == from_request(LinkKind.STRIPE, text(INVOICE), {"Stripe-Signature": "x"}).read(TERMS)


@pytest.mark.parametrize("fields", [SHOPIFY_BUS, STRIPE_BUS])
def test_its_message_reads_alike_and_holds_no_personal_data(fields: dict[str, Any]) -> None:
    raw = from_message(fields)
    assert raw is not None
    message = raw.message()
    again = from_message(json.loads(message))
    assert again is not None
    assert (again.read(TERMS), again.message()) == (raw.read(TERMS), message)
    assert CANARY in text(fields)
    assert CANARY not in message
    assert len(message) < 3000


@pytest.mark.parametrize(
    "named",
    [
        {"x-shopify-topic": "orders/updated"},
        {"X-SHOPIFY-SHOP-DOMAIN": "other.myshopify.com"},
        {"X-Shopify-Topic": [CANARY]},
        {"X-Shopify-Topic": {CANARY: CANARY}},
        {"X-Shopify-Event-Id": CANARY + "x" * 300},
        {"x-shopify-event-id": "other"},
    ],
)
def test_a_message_reads_as_the_webhook_does_whatever_its_headers_are(named: dict[str, Any]) -> None:
    raw = from_request(LinkKind.SHOPIFY, text(ORDER), {**headers("orders/paid"), **named})
    again = from_message(json.loads(raw.message()))
    assert again is not None
    assert CANARY not in raw.message()
    assert ended(again) == ended(raw)


def ended(raw: RawWebhook) -> Webhook | tuple[Code, str | None]:
    try:
        return raw.read(TERMS)
    except Rejected as error:
        return error.code, error.field


def test_a_message_keeps_no_signature() -> None:
    signed = {**headers("orders/paid"), "x-shopify-hmac-sha256": "secret", "Authorization": CANARY}
    message = from_request(LinkKind.SHOPIFY, text(ORDER), signed).message()
    assert "secret" not in message
    assert CANARY not in message


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"event_type": "evt.order.updated", "payload": {}}, None),
        ({"payload": {}}, "evt.order.updated"),
        ({"detail-type": "evt.order.updated", "source": "orders", "detail": {}}, None),
        ({"detail-type": SHOPIFY, "source": "orders", "detail": {"headers": {}, "payload": {}}}, None),
        ({"detail-type": "invoice.paid", "source": "aws.partnership", "detail": {}}, None),
        ({"event_type": 5}, None),
        ({**CLOUD, "type": "evt.order.updated", "data": {}}, None),
        ({**CLOUD, "type": None, "data": {}}, None),
        ({}, None),
    ],
)
def test_any_other_message_holds_no_webhook(fields: dict[str, Any], subject: str | None) -> None:
    assert from_message(fields, subject=subject) is None


@pytest.mark.parametrize(
    ("fields", "subject", "code", "field"),
    [
        ({"event_type": SHOPIFY, "payload": {}}, "evt.order.updated", Code.TYPE_CONTRADICTS_SUBJECT, "event_type"),
        ({"event_type": "evt.order.updated", "payload": {}}, SHOPIFY, Code.TYPE_CONTRADICTS_SUBJECT, "event_type"),
        (STRIPE_BUS, "evt.order.updated", Code.TYPE_CONTRADICTS_SUBJECT, "detail-type"),
        (STRIPE_BUS, STRIPE, Code.TYPE_CONTRADICTS_SUBJECT, "detail-type"),
        (SHOPIFY_BUS, SHOPIFY, Code.TYPE_CONTRADICTS_SUBJECT, "detail-type"),
        ({"event_type": STRIPE}, SHOPIFY, Code.TYPE_CONTRADICTS_SUBJECT, "event_type"),
        ({"event_type": SHOPIFY}, None, Code.FIELD_MISSING, "payload"),
        ({"event_type": SHOPIFY, "payload": ORDER}, None, Code.FIELD_MISSING, "X-Shopify-Topic"),
        ({"event_type": SHOPIFY, "payload": ORDER, "headers": 5}, None, Code.FIELD_MISSING, "headers"),
        (
            {"event_type": SHOPIFY, "payload": {"payload": 5, "headers": {}}},
            None,
            Code.FIELD_MISSING,
            "payload.payload",
        ),
        ({**CLOUD, "type": STRIPE, "data": INVOICE}, SHOPIFY, Code.TYPE_CONTRADICTS_SUBJECT, "type"),
        ({**CLOUD, "type": "invoice.paid", "data": INVOICE}, STRIPE, Code.TYPE_CONTRADICTS_SUBJECT, "type"),
        ({**CLOUD, "type": STRIPE, "event_type": SHOPIFY, "data": {}}, None, Code.ENVELOPE_AMBIGUOUS, "type"),
        ({"payload": INVOICE, "data": INVOICE}, STRIPE, Code.ENVELOPE_AMBIGUOUS, "data"),
        ({"payload": {"event_type": SHOPIFY, "data": {}}}, STRIPE, Code.ENVELOPE_AMBIGUOUS, "payload.event_type"),
        ({"payload": "not json"}, STRIPE, Code.FIELD_MISSING, "payload"),
        ({"payload": "[]"}, STRIPE, Code.FIELD_MISSING, "payload"),
        ({"payload": '{"id":1,"id":2}'}, STRIPE, Code.DUPLICATE_FIELD, "payload"),
        ({"headers": headers("orders/paid"), "body": ORDER}, SHOPIFY, Code.FIELD_MISSING, "payload"),
        ({"payload": {"headers": headers("orders/paid"), "body": ORDER}}, SHOPIFY, Code.FIELD_MISSING, "payload"),
        ({"headers": headers("orders/paid"), "payload": {"data": ORDER}}, SHOPIFY, Code.FIELD_MISSING, "payload"),
        ({"payload": {"payload": INVOICE}}, STRIPE, Code.FIELD_MISSING, "payload"),
        (
            {"payload": ORDER, "headers": {"X-Shopify-Topic": ["orders/paid", "orders/paid"]}},
            SHOPIFY,
            Code.FIELD_INVALID,
            "X-Shopify-Topic",
        ),
        ({**SHOPIFY_BUS, "detail": None}, None, Code.FIELD_MISSING, "detail"),
        ({**SHOPIFY_BUS, "detail": {"metadata": {}}}, None, Code.FIELD_MISSING, "detail.payload"),
        ({**STRIPE_BUS, "detail": None}, None, Code.FIELD_MISSING, "detail"),
        ({**STRIPE_BUS, "detail-type": "charge.refunded"}, None, Code.TOPIC_CONTRADICTS_BODY, "detail-type"),
        (
            {**STRIPE_BUS, "detail": stripe("charge.refunded", charge())},
            None,
            Code.TOPIC_CONTRADICTS_BODY,
            "detail-type",
        ),
        ({**STRIPE_BUS, "detail-type": None}, None, Code.TOPIC_CONTRADICTS_BODY, "detail-type"),
    ],
)
def test_a_message_that_should_hold_a_webhook_and_does_not_is_poison(
    fields: dict[str, Any], subject: str | None, code: Code, field: str
) -> None:
    with pytest.raises(Rejected) as caught:
        came(fields, subject)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_events_of_a_webhook_become_bodies_of_one_merchant() -> None:
    webhook = came({"event_type": STRIPE, "payload": stripe("checkout.session.completed", session())})
    [body] = webhook.bodies("m")  # type: ignore[arg-type]
    assert json.loads(body) == {
        "event_type": "evt.billing.payment_succeeded",
        "correlation_id": "evt_1Test0000000000000000001",
        "occurred_at": 1793491201,
        "payload": {"payment_id": "pi_1", "credits": 500, "aliases": [SESSION], "merchant_id": "m"},
    }


def test_the_first_headers_are_kept_if_none_names_a_topic() -> None:
    shop = {"X-Shopify-Shop-Domain": DOMAIN}

    found = from_message(
        {"event_type": SHOPIFY, "headers": shop, "metadata": {"traceparent": "00-1"}, "payload": ORDER}
    )

    assert found is not None
    assert found.headers == shop


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"payload": "no JSON, from somebody@example.org"}, {"payload": []}),
        ({"payload": "5"}, {"payload": []}),
        ({"payload": None}, {"payload": None}),
        ({"payload": 5}, {"payload": []}),
        ({"payload": [{"id": 1, "email": "e"}, "e@example.org", 5]}, {"payload": [{"id": 1}, [], []]}),
        ({"payload": '{"id": 1, "email": "e"}'}, {"payload": {"id": 1}}),
        ({"payload": ['{"id": 1}']}, {"payload": [[]]}),
        ({"event_type": SHOPIFY, "payload": {}}, {"event_type": SHOPIFY, "payload": {}}),
        ({"source": SHOPIFY_BUS["source"], "detail": {}}, {"source": SHOPIFY_BUS["source"], "detail": {}}),
        ({"type": "e@example.org", "data": {"id": 1}}, {"data": {"id": 1}}),
        (
            {"source": "e@example.org", "detail-type": "t", "detail": {"id": 1}},
            {"detail-type": "t", "detail": {"id": 1}},
        ),
        (
            {"specversion": "1.0", "type": SHOPIFY, "data": {"id": 1}, "subject": "e"},
            {"specversion": "1.0", "type": SHOPIFY, "data": {"id": 1}},
        ),
        (
            {"headers": {"X-Shopify-Topic": ["orders/paid"], "X-Email": "e"}, "payload": {}},
            {"headers": {"X-Shopify-Topic": "orders/paid"}, "payload": {}},
        ),
    ],
)
def test_a_webhook_of_unknown_form_is_parked_with_the_fields_that_are_read(
    body: dict[str, Any], kept: dict[str, Any]
) -> None:
    parked = body_to_park(cast("Message", SimpleNamespace(body=json.dumps(body), subject=SHOPIFY)))

    assert json.loads(parked) == kept


def test_only_the_outer_few_of_nested_bodies_are_kept() -> None:
    nested: dict[str, Any] = {"id": 1}
    for _ in range(_ENVELOPES_MAX + 2):
        nested = {"payload": nested}

    parked = body_to_park(cast("Message", SimpleNamespace(body=json.dumps(nested), subject=SHOPIFY)))

    assert parked.count("payload") == _ENVELOPES_MAX
    assert "id" not in parked


def test_both_an_envelope_and_the_event_of_stripe_in_it_may_have_a_member_data() -> None:
    body = {"data": {"object": {"id": "in_1", "customer_email": "e"}, "payload": {"id": "evt_1", "email": "e"}}}

    parked = body_to_park(cast("Message", SimpleNamespace(body=json.dumps(body), subject=STRIPE)))

    assert json.loads(parked) == {"data": {"object": {"id": "in_1"}, "payload": {"id": "evt_1"}}}

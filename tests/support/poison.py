"""Twenty-five kinds of messages that must not move credits, and the reason for which each is parked."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.support.marketplace import Event, happened
from tests.support.webhooks import session, stripe

CREATED = "evt.merchant.created"
OPENED = "evt.account.created"
ORDER_PAID = "evt.shopify.webhook.order_paid"
REFUNDED = "evt.shopify.webhook.order_refunded"
PAID = "evt.billing.payment_succeeded"
RENEWED = "evt.subscription.renewed"
ADJUSTED = "evt.credits.manual_adjustment"
STRIPE = "evt.stripe.webhook.raw"


class Poison(NamedTuple):
    """A kind of poison: its subject, the maker of its body for a shop, and the reason for which it is parked."""

    subject: str
    body: Callable[[str], str]
    code: str
    field: str | None = None


def _event(event_type: str, **payload: Any) -> Callable[[str], str]:
    return lambda shop: json.dumps(happened(event_type, shop, **payload))


def _changed(event_type: str, change: Callable[[Event], Event], **payload: Any) -> Callable[[str], str]:
    return lambda shop: json.dumps(change(happened(event_type, shop, **payload)))


def _without(name: str) -> Callable[[Event], Event]:
    return lambda event: {key: value for key, value in event.items() if key != name}


def _paid(asked: Any) -> Callable[[str], str]:
    return _event(PAID, payment_id="bad", credits=asked)


KINDS: Mapping[str, Poison] = {
    "never closed": Poison(
        PAID, lambda shop: json.dumps(happened(PAID, shop, payment_id="bad", credits=5))[:-1], "not_json"
    ),
    "not a number": Poison(PAID, _paid(float("nan")), "not_json"),
    "a list": Poison(PAID, lambda shop: json.dumps([shop]), "not_json"),
    "a field twice": Poison(
        PAID,
        lambda shop: _paid(5)(shop).replace('"payment_id"', '"payment_id": "other", "payment_id"'),
        "duplicate_field",
        "payment_id",
    ),
    "the type of another subject": Poison(ORDER_PAID, _paid(5), "type_contradicts_subject", "event_type"),
    "no payload": Poison(
        PAID, lambda shop: json.dumps({"event_type": PAID, "event_id": shop}), "field_missing", "payload"
    ),
    "an unknown event type": Poison(
        PAID,
        _changed(
            PAID, lambda event: {**event, "event_type": "evt.billing.payment_dreamt"}, payment_id="bad", credits=5
        ),
        "type_contradicts_subject",
        "event_type",
    ),
    "two payloads": Poison(
        PAID,
        _changed(PAID, lambda event: {**event, "data": event["payload"]}, payment_id="bad", credits=5),
        "envelope_ambiguous",
        "data",
    ),
    "two merchants": Poison(
        PAID,
        _event(PAID, payment_id="bad", credits=5, identifiers={"merchant_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}),
        "envelope_ambiguous",
        "payload.identifiers.merchant_id",
    ),
    "no payment id": Poison(PAID, _event(PAID, credits=5), "field_missing", "payload.payment_id"),
    "an id too long": Poison(PAID, _event(PAID, payment_id="b" * 65, credits=5), "field_invalid", "payload.payment_id"),
    "a test that is neither true nor false": Poison(
        ORDER_PAID, _event(ORDER_PAID, order_id="bad", test="perhaps"), "field_invalid", "payload.test"
    ),
    "no credits": Poison(PAID, _event(PAID, payment_id="bad"), "field_missing", "payload.credits"),
    "zero credits": Poison(PAID, _paid(0), "credits_invalid", "payload.credits"),
    "negative credits": Poison(PAID, _paid(-5), "credits_invalid", "payload.credits"),
    "half a credit": Poison(PAID, _paid(0.5), "credits_invalid", "payload.credits"),
    "credits as text": Poison(PAID, _paid("5"), "credits_invalid", "payload.credits"),
    "too many credits": Poison(PAID, _paid(1_000_000_001), "credits_invalid", "payload.credits"),
    "a renewal of no period": Poison(
        RENEWED,
        _changed(RENEWED, _without("idempotency_key"), subscription_id="s1", credits_used=5),
        "period_missing",
        "payload.renewal_id",
    ),
    "money that is none": Poison(
        REFUNDED,
        _event(REFUNDED, refund_id="bad", order_id="good 1", refund_amount="a lot", order_total="9"),
        "field_invalid",
        "payload.refund_amount",
    ),
    "one bad order of five": Poison(
        ORDER_PAID,
        _event(ORDER_PAID, order_items=[*({"order_id": f"bad {n}"} for n in range(4)), {"order_id": True}]),
        "field_invalid",
        "payload.order_items.4.order_id",
    ),
    "an order too many": Poison(
        ORDER_PAID,
        _event(ORDER_PAID, order_items=[{"order_id": f"bad {n}"} for n in range(101)]),
        "too_large",
        "payload.order_items",
    ),
    "one refund of two orders": Poison(
        REFUNDED,
        _event(REFUNDED, refund_id="bad", refunds=[{"order_id": "good 1"}, {"order_id": "good 2"}]),
        "refund_ambiguous",
        "payload.refund_id",
    ),
    "a payment known with other credits": Poison(
        PAID, _event(PAID, payment_id="good", credits=8), "key_reused", "credits"
    ),
    "a decrease below zero": Poison(
        ADJUSTED,
        _event(ADJUSTED, adjustment_id="bad", operation_type="DECREASE", credits=1_000_000),
        "insufficient_credits",
        "credits",
    ),
}


def _minting(shape: Callable[[Event, Event], Any]) -> Callable[[str], str]:
    """Return how a body of `shape` is made, from the payload of an order and that of a payment."""

    def body(shop: str) -> str:
        order = {"merchant_id": shop, "order_id": 1}
        return json.dumps(shape(order, {"merchant_id": shop, "payment_id": "minted", "credits": 1000}))

    return body


def _bought(shop: str) -> dict[str, Any]:
    return stripe("checkout.session.completed", session(metadata={"credits": "1000", "merchant_id": shop}))


MINTING: Mapping[str, Callable[[str], str]] = {
    "a payment": _minting(lambda _, paid: {"event_type": PAID, "payload": paid}),
    "a payment as data": _minting(lambda _, paid: {"event_type": PAID, "data": paid}),
    "an adjustment": _event(ADJUSTED, adjustment_id="minted", operation_type="INCREASE", credits=1000),
    "a renewal": _event(RENEWED, subscription_id="minted", renewal_id="1", credits_used=1000),
    "a trial of one's own": _event(OPENED, credits_to_use=1000),
    "the type in capitals": _minting(lambda _, paid: {"event_type": PAID.upper(), "payload": paid}),
    "the field in capitals": _minting(
        lambda order, paid: {"Event_Type": PAID, "EVENT_TYPE": PAID, "payload": order, "Payload": paid}
    ),
    "a wildcard": _minting(lambda _, paid: {"event_type": "evt.>", "payload": paid}),
    "the type twice": lambda shop: _paid(1000)(shop).replace(
        '"event_type"', '"event_type": "evt.order.updated", "event_type"', 1
    ),
    "the type twice, once escaped": lambda shop: _paid(1000)(shop).replace(
        '"event_type"', '"event_type": "evt.order.updated", "event\\u005ftype"', 1
    ),
    "an envelope of the bus": _minting(lambda _, paid: {"detail-type": PAID, "source": "billing", "detail": paid}),
    "an envelope in an envelope of the bus": _minting(
        lambda _, paid: {"detail-type": "evt.order.updated", "detail": {"event_type": PAID, "payload": paid}}
    ),
    "a detail in a detail": _minting(
        lambda order, paid: {
            "detail-type": "evt.order.updated",
            "detail": {**order, "detail-type": PAID, "detail": paid},
        }
    ),
    "both types at once": _minting(
        lambda _, paid: {"detail-type": "evt.order.updated", "event_type": PAID, "detail": paid}
    ),
    "an envelope as the payload": _minting(
        lambda _, paid: {"event_type": "evt.order.updated", "payload": {"event_type": PAID, "payload": paid}}
    ),
    "a bare payment": _minting(lambda _, paid: paid),
    "a bare order that is a payment too": _minting(lambda order, paid: {**paid, **order}),
    "a type for the payload": _minting(lambda order, _: {**order, "type": PAID, "transaction_type": "PAYMENT"}),
    "a CloudEvent": _minting(
        lambda _, paid: {"specversion": "1.0", "id": "1", "source": "/x", "type": PAID, "data": paid}
    ),
    "a webhook of Stripe": lambda shop: json.dumps({"event_type": STRIPE, "headers": {}, "payload": _bought(shop)}),
    "a webhook of Stripe as a bare payload": lambda shop: json.dumps({"headers": {}, "payload": _bought(shop)}),
    "a webhook of Stripe as the payload": lambda shop: json.dumps(
        {"event_type": "evt.order.updated", "payload": {"headers": {}, "payload": _bought(shop)}}
    ),
    "an event of Stripe's bus": lambda shop: json.dumps(
        {"source": "aws.partner/stripe.com/1", "detail-type": "checkout.session.completed", "detail": _bought(shop)}
    ),
    "an event of Stripe's bus with the subject's type": lambda shop: json.dumps(
        {"source": "aws.partner/stripe.com/1", "detail-type": "evt.order.updated", "detail": _bought(shop)}
    ),
    "a list of events": _minting(lambda _, paid: [{"event_type": PAID, "payload": paid}]),
}
"""Bodies with which somebody who may only send orders tries to get credits, by name."""

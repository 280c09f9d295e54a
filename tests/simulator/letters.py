"""Messages as upstream services write them: one fact in many forms, and every kind of poison."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

from tests.simulator.asks import (
    DECREASE,
    INCREASE,
    UPDATED,
    Ask,
    order_key,
    refund_key,
    renewal_key,
)

CANARY = "canary-7d1f@example.org"
"""Personal data of the events: it must not appear in any table, log or outbound event."""

PAID = "evt.shopify.webhook.order_paid"
REFUNDED = "evt.shopify.webhook.order_refunded"
PAYMENT = "evt.billing.payment_succeeded"
RENEWED = "evt.subscription.renewed"
ADJUSTED = "evt.credits.manual_adjustment"

Payload = Mapping[str, Any]


@dataclass(frozen=True)
class Letter:
    """An event to be sent: its type, payload and asks; `poison` is the code and field for which it is parked.

    `raw` is the body where no envelope can hold what is wrong with it, `subject` where the bridge found it on NATS,
    `timestamp` its own time, and `ignored` names the orders in it that move nothing, each with the reason.
    """

    event_type: str
    payload: Payload
    asks: tuple[Ask, ...] = ()
    poison: tuple[str, str | None] | None = None
    idempotency_key: str | None = None
    raw: str | None = None
    subject: str | None = None
    timestamp: str | None = None
    ignored: tuple[tuple[str, str], ...] = ()

    def body(self, random: Random) -> str:
        """Return the letter in one of the forms that upstream services use, under a new event id."""
        if self.raw is not None:
            return self.raw
        if self.poison is not None:
            return json.dumps({"event_type": self.event_type, "payload": self.payload, "event_id": _id(random)})
        payload = _with_merchant(self.payload, random)
        envelope: dict[str, Any] = {"event_type": self.event_type, "event_id": _id(random)}
        if random.random() < 0.5:
            envelope |= {"correlation_id": _id(random), "timestamp": "2025-06-01T11:59:58.123456+00:00"}
        if self.timestamp is not None:
            envelope["timestamp"] = self.timestamp
        if self.idempotency_key is not None:
            envelope["idempotency_key"] = self.idempotency_key
        envelope |= {"metadata": {"customer": CANARY}, random.choice(["payload", "data"]): payload}
        form = random.choice(["platform", "platform", "bus", "bare"])
        if form == "bare" and self.idempotency_key is None:
            sent = {"time": self.timestamp} if self.timestamp is not None else {}
            around = {"detail-type": self.event_type, "source": "shop", **sent}
            return json.dumps({**around, "detail": payload, "id": _id(random)})
        if form == "bus":
            return json.dumps({"detail-type": self.event_type, "source": "shop", "detail": envelope})
        return json.dumps(envelope)


def _id(random: Random) -> str:
    return f"{random.getrandbits(64):016x}"


def _with_merchant(payload: Payload, random: Random) -> dict[str, Any]:
    """Return the payload with the merchant's id in one of its forms, and with surplus fields."""
    merchant = payload["merchant_id"]
    form = random.choice([merchant, merchant, merchant.upper(), UUID(merchant).hex])
    rest = {name: value for name, value in payload.items() if name != "merchant_id"}
    found = {"identifiers": {"merchant_id": form}} if random.random() < 0.2 else {"merchant_id": form}
    return {**found, **rest, "customer": {"email": CANARY}, "note": CANARY}


def opening(merchant: str, trial: int, *, named: bool) -> Letter:
    """Return the event that opens an account, with its own trial or (`named` False) that of the settings."""
    ask = Ask(
        merchant=merchant, key="TRIAL_MERCHANT", type="TRIAL", reference=merchant, credits=trial, of_settings=not named
    )
    if not named:
        return Letter("evt.merchant.created", {"merchant_id": merchant}, (ask,))
    return Letter("evt.account.created", {"merchant_id": merchant, "credits_to_use": trial}, (ask,))


@dataclass(frozen=True)
class Order:
    """An order as an event reports it."""

    id: object
    total: str | None = None
    lines: int = 1
    at: str | None = None
    currency: str | None = None
    aliases: tuple[str, ...] = ()


def order_ask(merchant: str, order: Order, *, updated: bool = False) -> Ask:
    """Return the ask of an order."""
    kept: dict[str, Any] = {"lines": order.lines}
    if order.total is not None:
        kept["total"] = short(order.total)
    if order.currency is not None:
        kept["currency"] = order.currency
    if order.at is not None:
        kept["updated_at"] = order.at
    if updated:
        kept["source"] = UPDATED
    return Ask(
        merchant=merchant,
        key=order_key(order.id),
        type="ORDER_PAID",
        reference=str(order.id),
        lines=order.lines,
        total=order.total,
        updated=updated,
        at=order.at,
        kept=tuple(kept.items()),
        others=tuple(order_key(name) for name in order.aliases),
    )


def paid(merchant: str, orders: Sequence[Order], *, updated: bool = False) -> Letter:
    """Return the event of one order, or of several that were paid together."""
    asks = tuple(order_ask(merchant, order, updated=updated) for order in orders)
    payload: dict[str, Any] = {"merchant_id": merchant}
    if len(orders) == 1 and orders[0].lines == 1:
        payload |= _said(
            order_id=orders[0].id,
            total=orders[0].total,
            updated_at=orders[0].at,
            aliases=list(orders[0].aliases) or None,
        )
    elif len(orders) == 1:
        payload |= _said(
            order_id=orders[0].id,
            total=orders[0].total,
            updated_at=orders[0].at,
            aliases=list(orders[0].aliases) or None,
        )
        payload["order_items"] = [{"title": CANARY} for _ in range(orders[0].lines)]
    else:
        payload["order_items"] = [
            _said(order_id=order.id, total=order.total, updated_at=order.at, aliases=list(order.aliases) or None)
            for order in orders
            for _ in range(order.lines)
        ]
    return Letter(UPDATED if updated else PAID, payload, asks)


@dataclass(frozen=True)
class Refund:
    """A refund as an event reports it."""

    order: object
    id: object | None = None
    amount: str | None = None
    order_total: str | None = None
    currency: str | None = None


def refund_ask(merchant: str, refund: Refund) -> Ask:
    """Return the ask of a refund."""
    kept: dict[str, Any] = {"order_id": str(refund.order)}
    if refund.amount is not None:
        kept["refund_amount"] = short(refund.amount)
    if refund.order_total is not None:
        kept["order_total"] = short(refund.order_total)
    if refund.currency is not None:
        kept["currency"] = refund.currency
    return Ask(
        merchant=merchant,
        key=refund_key(refund.id, refund.order),
        type="REFUND",
        reference=str(refund.id if refund.id is not None else refund.order),
        order=str(refund.order),
        amount=refund.amount,
        order_total=refund.order_total,
        currency=refund.currency,
        kept=tuple(kept.items()),
    )


def refunded(merchant: str, refunds: Sequence[Refund]) -> Letter:
    """Return the event of one refund, or of several."""
    asks = tuple(refund_ask(merchant, refund) for refund in refunds)
    said = [
        _said(order_id=one.order, refund_id=one.id, refund_amount=one.amount, order_total=one.order_total)
        for one in refunds
    ]
    payload = said[0] if len(said) == 1 else {"refunds": said}
    return Letter(REFUNDED, {"merchant_id": merchant, **payload}, asks)


def payment(merchant: str, payment_id: object, credits_paid: int, aliases: Sequence[str] = ()) -> Letter:
    """Return the event of a payment, with other names of it."""
    ask = Ask(
        merchant=merchant,
        key=f"BILLING_PAYMENT_{payment_id}",
        type="PAYMENT",
        reference=str(payment_id),
        credits=credits_paid,
        others=tuple(f"BILLING_PAYMENT_{name}" for name in aliases),
    )
    said = _said(payment_id=payment_id, credits=credits_paid, aliases=list(aliases) or None)
    return Letter(PAYMENT, {"merchant_id": merchant, **said}, (ask,))


def renewal(merchant: str, subscription: str, period: str, credits_paid: int, *, named_by: str) -> Letter:
    """Return the event of a renewal; `named_by` is the field that names its period."""
    ask = Ask(
        merchant=merchant,
        key=renewal_key(subscription, period),
        type="SUBSCRIPTION",
        reference=subscription,
        credits=credits_paid,
        kept=(("renewal_id", period),),
    )
    payload: dict[str, Any] = {"merchant_id": merchant, "subscription_id": subscription, "credits_used": credits_paid}
    if named_by == "both":
        named = f"in-{period}"
        ask = replace(
            ask,
            key=renewal_key(subscription, named),
            kept=(("renewal_id", named),),
            others=(renewal_key(subscription, period),),
        )
        return Letter(RENEWED, {**payload, "renewal_id": named, "period_start": period}, (ask,))
    if named_by == "idempotency_key":
        return Letter(RENEWED, payload, (ask,), idempotency_key=period)
    return Letter(RENEWED, {**payload, named_by: period}, (ask,))


def adjustment_ask(merchant: str, adjustment_id: str, change: int) -> Ask:
    """Return the ask of an admin's adjustment by signed credits."""
    return Ask(
        merchant=merchant,
        key=f"MANUAL_ADJUSTMENT_{adjustment_id}",
        type="MANUAL",
        reference=adjustment_id,
        direction=INCREASE if change > 0 else DECREASE,
        credits=abs(change),
    )


def adjustment(merchant: str, adjustment_id: str, change: int) -> Letter:
    """Return the event of an adjustment."""
    ask = adjustment_ask(merchant, adjustment_id, change)
    asked = {"adjustment_id": adjustment_id, "operation_type": ask.direction, "credits": ask.credits}
    return Letter(ADJUSTED, {"merchant_id": merchant, **asked}, (ask,))


def _said(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def short(money: str) -> str:
    """Return money as it is recorded."""
    return money.rstrip("0").rstrip(".") if "." in money else money


def _poison(event_type: str, code: str, field: str | None, **payload: Any) -> Callable[[str], Letter]:
    return lambda merchant: Letter(event_type, {"merchant_id": merchant, **payload}, poison=(code, field))


def _raw(text: str, code: str, field: str | None) -> Callable[[str], Letter]:
    return lambda merchant: Letter(
        "", {}, poison=(code, field), raw=text.replace("SHOP", merchant).replace("WHO", CANARY)
    )


_BAD_CREDITS = ("credits_invalid", "payload.credits")
_GOOD_AND = [{"order_id": "poison-1"}, {"order_id": "poison-2"}]


def _misplaced(poison: Callable[[str], Letter], subject: str) -> Callable[[str], Letter]:
    return lambda merchant: replace(poison(merchant), subject=subject)


_MISPLACED = ("type_contradicts_subject", "event_type")

POISON: Mapping[str, Callable[[str], Letter]] = {
    "a payment on the orders' subject": _misplaced(
        _poison(PAYMENT, *_MISPLACED, payment_id="poison", credits=5), UPDATED
    ),
    "an envelope of the bus on the orders' subject": _misplaced(
        _raw(
            '{"detail-type": "evt.credits.manual_adjustment", "source": "shop", "detail": {"merchant_id": "SHOP", '
            '"adjustment_id": "poison", "operation_type": "INCREASE", "credits": 7}}',
            "type_contradicts_subject",
            "detail-type",
        ),
        UPDATED,
    ),
    "no JSON": _raw('{"event_type": "WHO', "not_json", None),
    "no object": _raw('["WHO"]', "not_json", None),
    "a field twice": _raw(
        '{"event_type": "evt.billing.payment_succeeded", "payload": '
        '{"merchant_id": "SHOP", "payment_id": "poison", "credits": 5, "credits": 50}}',
        "duplicate_field",
        "credits",
    ),
    "two envelopes": _raw(
        '{"detail-type": "evt.billing.payment_succeeded", "payload": {}, "detail": '
        '{"merchant_id": "SHOP", "payment_id": "poison", "credits": 5}}',
        "envelope_ambiguous",
        "detail",
    ),
    "two bodies": _raw(
        '{"event_type": "evt.merchant.created", "payload": {"merchant_id": "SHOP"}, "data": {}}',
        "envelope_ambiguous",
        "data",
    ),
    "types that contradict": _raw(
        '{"detail-type": "evt.merchant.created", "detail": {"event_type": "evt.order.updated", "payload": {}}}',
        "envelope_ambiguous",
        "detail-type",
    ),
    "a payment refunded in two forms": _poison(
        "evt.billing.payment_refunded",
        "refund_ambiguous",
        "payload.amount",
        payment_id="b1",
        reversal_id="poison",
        credits=5,
        amount="1",
        payment_total="2",
    ),
    "a payment refunded of no total": _poison(
        "evt.billing.payment_refunded", "total_missing", "payload.payment_total", payment_id="b1", amount_refunded="1"
    ),
    "a dispute without a name": _poison(
        "evt.billing.payment_disputed", "field_missing", "payload.dispute_id", payment_id="b1"
    ),
    "not-a-number credits": _raw(
        '{"event_type": "evt.billing.payment_succeeded", "payload": '
        '{"merchant_id": "SHOP", "payment_id": "poison", "credits": NaN}}',
        "not_json",
        None,
    ),
    "no event type": _raw('{"payload": {"merchant_id": "SHOP"}}', "field_missing", "event_type"),
    "an unknown event type": _poison("evt.unknown", "unknown_event_type", "event_type"),
    "no merchant": _raw(
        '{"event_type": "evt.merchant.created", "payload": {"email": "WHO"}}', "field_missing", "payload.merchant_id"
    ),
    "a merchant that is no UUID": _raw(
        '{"event_type": "evt.merchant.created", "payload": {"merchant_id": "WHO"}}',
        "field_invalid",
        "payload.merchant_id",
    ),
    "two merchants": _poison(
        "evt.merchant.created",
        "envelope_ambiguous",
        "payload.identifiers.merchant_id",
        identifiers={"merchant_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
    ),
    "zero credits": _poison(PAYMENT, *_BAD_CREDITS, payment_id="poison", credits=0),
    "negative credits": _poison(PAYMENT, *_BAD_CREDITS, payment_id="poison", credits=-5),
    "a fraction of credits": _poison(PAYMENT, *_BAD_CREDITS, payment_id="poison", credits=1.5),
    "credits as text": _poison(PAYMENT, *_BAD_CREDITS, payment_id="poison", credits="5"),
    "too many credits": _poison(PAYMENT, *_BAD_CREDITS, payment_id="poison", credits=1_000_000_001),
    "a trial of zero": _poison("evt.account.created", "credits_invalid", "payload.credits_to_use", credits_to_use=0),
    "no payment id": _poison(PAYMENT, "field_missing", "payload.payment_id", credits=5),
    "an id too long": _poison(PAYMENT, "field_invalid", "payload.payment_id", payment_id="p" * 65, credits=5),
    "no period": _poison(RENEWED, "period_missing", "payload.renewal_id", subscription_id="poison", credits_used=5),
    "credits that differ": _poison(
        ADJUSTED,
        "credits_invalid",
        "payload.credits",
        adjustment_id="poison",
        operation_type="INCREASE",
        credits=5,
        credits_used=6,
    ),
    "an unknown operation": _poison(
        ADJUSTED, "field_invalid", "payload.operation_type", adjustment_id="poison", operation_type="BOTH", credits=5
    ),
    "no order": _poison(PAID, "field_missing", "payload.order_id", total="5"),
    "one bad order of three": _poison(
        PAID, "field_invalid", "payload.order_items.2.order_id", order_items=[*_GOOD_AND, {"order_id": "3" * 65}]
    ),
    "an order of two orders": _poison(
        PAID, "order_ambiguous", "payload.order_items.1.order_id", order_id="poison-1", order_items=_GOOD_AND
    ),
    "an order with two totals": _poison(
        PAID,
        "order_ambiguous",
        "payload.total",
        order_items=[{"order_id": "poison-1", "total": 1}, {"order_id": "poison-1", "total": 2}],
    ),
    "too many orders": _poison(
        PAID, "too_large", "payload.order_items", order_items=[{"order_id": f"poison-{n}"} for n in range(101)]
    ),
    "a refund of two orders": _poison(
        REFUNDED,
        "refund_ambiguous",
        "payload.refund_id",
        refund_id="poison",
        order_items=[{"order_id": 1}, {"order_id": 2}],
    ),
    "a refund of two amounts": _poison(
        REFUNDED,
        "refund_ambiguous",
        "payload.refund_amount",
        order_id=1,
        refunds=[
            {"refund_id": "poison", "refund_amount": 1, "order_total": 9},
            {"refund_id": "poison", "refund_amount": 2, "order_total": 9},
        ],
    ),
    "money that is none": _poison(
        REFUNDED,
        "field_invalid",
        "payload.refund_amount",
        order_id=1,
        refund_id="poison",
        refund_amount="five",
        order_total="9",
    ),
}
"""Every kind of poison, as a merchant's event; no other event uses its ids."""

"""A made-up marketplace: a few shops and their events, decided by a seed alone.

Together the shops do everything that moves credits: orders one by one and many at once, under numbers and under texts,
refunds whole, in parts and of several orders, payments, renewals, adjustments. One shop runs out, continues to sell,
and recovers; some of the orders it sold without credits are refunded.
"""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from tests.oracles.recount import Books, facts

NAMESPACE = UUID("0b1e6d3a-7a43-4f0e-9f0b-6f2c5a1d8e44")
FIRST_ORDER = 5001
BROKE_ORDERS = 4
"""Orders that the shop without credits gets before it pays."""
TOP_UP = 9
MOMENTS: Mapping[str, int] = {
    "order": 60,
    "refund": 12,
    "refund in parts": 8,
    "payment": 4,
    "renewal": 5,
    "adjustment": 4,
    "order updated": 4,
    "refunds": 3,
}
"""Of a hundred steps, how many bring which kind."""

Payload = dict[str, Any]
Event = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Shop:
    """A shop with a trial of `credits`; one that sells `in_lots` pays several orders with one event."""

    name: str
    busyness: int
    credits: int = 100
    numbers: bool = True
    in_lots: bool = False
    spends_all: bool = False
    books: Books = field(default_factory=Books)
    paid_at_shortfall: int = 0
    refundable: list[tuple[int | str, Decimal]] = field(default_factory=list)


def shops() -> list[Shop]:
    """Return the shops of the marketplace before anything has happened to them."""
    return [
        Shop(name="lamps", busyness=3),
        Shop(name="ceramics", busyness=3, numbers=False, in_lots=True),
        Shop(name="tea", busyness=2, credits=90, in_lots=True),
        Shop(name="last penny", busyness=6, credits=8, spends_all=True),
        Shop(name="kiosk", busyness=3, credits=23, numbers=False),
    ]


def marketplace(seed: int, *, events: int, name: str) -> list[Event]:
    """Return so many events, each after its ground.

    Another `name` gives the same story to other merchants.
    """
    story = _Story(random.Random(seed), name)  # noqa: S311 - a story, not a secret
    told: list[Event] = list(story.openings())
    while len(told) < events:
        told.extend(story.next_moment())
    return told[:events]


def merchant(name: str) -> str:
    """Return the id of the merchant with this name."""
    return str(uuid5(NAMESPACE, name))


def happened(event_type: str, merchant_id: str, **payload: Any) -> Event:
    """Return an event in the platform's envelope; its ids derive from its content."""
    said = {"merchant_id": merchant_id, **payload}
    identity = str(uuid5(NAMESPACE, f"{event_type} {json.dumps(said)}"))
    return {
        "event_id": identity,
        "event_type": event_type,
        "correlation_id": f"story {identity}",
        "timestamp": "2025-06-01T12:00:00.000Z",
        "payload": said,
    }


class _Story:
    def __init__(self, chance: random.Random, name: str) -> None:
        self._chance = chance
        self._name = name
        self._shops = shops()
        self._numbers = iter(range(FIRST_ORDER, 10**6))
        self._heard: set[str] = set()

    def openings(self) -> Iterator[Event]:
        for shop in self._shops:
            if shop.credits == 100:
                yield self._event(shop, "evt.merchant.created", {"shop_domain": f"{shop.name}.example"})
            else:
                trial = {"trial_id": f"trial {shop.name}", "credits_to_use": shop.credits}
                yield self._event(shop, "evt.account.created", trial)

    def next_moment(self) -> Iterator[Event]:
        (shop,) = self._chance.choices(self._shops, weights=[shop.busyness for shop in self._shops])
        (moment,) = self._chance.choices(list(MOMENTS), weights=list(MOMENTS.values()))
        if shop.books.shortfall >= shop.paid_at_shortfall + BROKE_ORDERS:
            yield self._payment(shop, TOP_UP)
        if moment == "order" or not shop.refundable:
            yield self._orders(shop)
        elif moment == "refund":
            order_id, _ = self._refundable(shop)
            refund = {"order_id": order_id, **self._chance.choice([{}, {"refund_id": f"whole {order_id}"}])}
            yield self._event(shop, "evt.shopify.webhook.order_refunded", refund)
        elif moment == "refund in parts":
            yield from self._refund_in_parts(shop)
        elif moment == "refunds":
            orders = [self._refundable(shop)[0] for _ in range(min(2, len(shop.refundable)))]
            refunds = {"refunds": [{"order_id": order_id} for order_id in orders]}
            yield self._event(shop, "evt.shopify.webhook.order_refunded", refunds)
        elif moment == "order updated":
            order_id, total = self._chance.choice(shop.refundable)
            update = {"order_id": order_id, "total": str(total)}
            yield self._event(shop, "evt.order.updated", update)
        elif shop.spends_all:
            yield self._orders(shop)
        else:
            yield self._gift(shop, moment)

    def _orders(self, shop: Shop) -> Event:
        lots = [self._order(shop) for _ in range(self._chance.randint(2, 4) if shop.in_lots else 1)]
        shop.refundable += lots
        if not shop.in_lots:
            [(order_id, total)] = lots
            order = {"order_id": order_id, "total": str(total), "currency": "EUR"}
            return self._event(shop, "evt.shopify.webhook.order_paid", order)
        entries = [{"order_id": order_id, "total": str(total)} for order_id, total in lots]
        # An order of two lines is still one order.
        return self._event(shop, "evt.shopify.webhook.order_paid", {"order_items": [*entries, entries[0]]})

    def _order(self, shop: Shop) -> tuple[int | str, Decimal]:
        number = next(self._numbers)
        return number if shop.numbers else f"no_{number}", Decimal(self._chance.randint(200, 24900)) / 100

    def _refund_in_parts(self, shop: Shop) -> Iterator[Event]:
        order_id, total = self._refundable(shop)
        first = (total / 3).quantize(Decimal("0.01"))
        # Occasionally the rest is never refunded, and the order gives nothing back.
        parts = [first, total - first][: self._chance.choice([1, 2, 2])]
        for number, amount in enumerate(parts):
            refund = {"order_id": order_id, "refund_id": f"part {number} of {order_id}", "refund_amount": str(amount)}
            refund["order_total"] = str(total)
            yield self._event(shop, "evt.shopify.webhook.order_refunded", refund)

    def _refundable(self, shop: Shop) -> tuple[int | str, Decimal]:
        return shop.refundable.pop(self._chance.randrange(len(shop.refundable)))

    def _payment(self, shop: Shop, credits_bought: int) -> Event:
        shop.paid_at_shortfall = shop.books.shortfall
        payment = {"payment_id": next(self._numbers), "credits": credits_bought}
        return self._event(shop, "evt.billing.payment_succeeded", payment)

    def _gift(self, shop: Shop, moment: str) -> Event:
        number = next(self._numbers)
        if moment == "payment":
            return self._payment(shop, 20)
        if moment == "renewal":
            renewal = {"subscription_id": shop.name, "renewal_id": number, "credits_used": 10}
            return self._event(shop, "evt.subscription.renewed", renewal)
        # Only a shop that never comes near zero is corrected downwards, so that no order of delivery refuses it.
        direction = "DECREASE" if shop.name == "lamps" else "INCREASE"
        adjustment = {"adjustment_id": f"correction {number}", "operation_type": direction, "credits": 3}
        return self._event(shop, "evt.credits.manual_adjustment", {**adjustment, "reason": "counted again"})

    def _event(self, shop: Shop, event_type: str, payload: Mapping[str, Any]) -> Event:
        event = happened(event_type, merchant(f"{self._name}/{shop.name}"), **payload)
        for fact in facts(event):
            if fact.transaction_id not in self._heard:
                self._heard.add(fact.transaction_id)
                shop.books.note(fact)
        return event

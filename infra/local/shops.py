"""Sample traffic: a few shops and their events, decided by a seed alone.

The same seed gives the same events in the same order. The sender stamps the times. Every event has the form of sections
3 and 4 of the contract, except for an occasional poison message.
"""

import json
import random
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import count
from typing import Final

NAMESPACE: Final = uuid.UUID("6f1d3c1e-3f0a-4f4e-9a57-2b1f0d6a9c11")
SAMPLE: Final = "sample-"
"""How the correlation ids of the sample traffic begin."""
FIRST_ORDER: Final = 1001
ORDERS_IN_A_RUN: Final = 1_000_000
OPENING_PAUSE_SECONDS: Final = 0.3
MEAN_PAUSE_SECONDS: Final = 0.7
LONGEST_PAUSE_SECONDS: Final = 3.0
REFUNDABLE_KEPT: Final = 20
LOW: Final = 20


class Happening(StrEnum):
    """The kind of an emission, as shown on the screen."""

    OPENED = "opened"
    ORDER = "order"
    REFUND = "refund"
    PAYMENT = "payment"
    RENEWAL = "renewal"
    AGAIN = "sent again"
    POISON = "poison"


MIX: Final[Mapping[Happening, int]] = {
    Happening.ORDER: 86,
    Happening.REFUND: 7,
    Happening.AGAIN: 3,
    Happening.POISON: 2,
    Happening.RENEWAL: 2,
}
"""Of a hundred steps, how many bring which kind; payments come when a shop needs one."""


class Channel(StrEnum):
    """How an emission reaches the service."""

    NATS = "NATS"
    BUS = "bus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A made-up web shop. `busyness` weighs how often it sells; `spends_all` lets it run out before it pays.

    It then gets `broke_orders` orders without credits, and buys one of `top_ups`.
    """

    name: str
    credits: int
    busyness: int
    spends_all: bool = False
    broke_orders: int = 3
    top_ups: tuple[int, ...] = (50, 100)

    @property
    def merchant_id(self) -> str:
        """Return the shop's id, the same in every run."""
        return str(uuid.uuid5(NAMESPACE, self.name))

    @property
    def domain(self) -> str:
        """Return the domain under which Shopify would know the shop, and people find it."""
        return f"{'-'.join(re.findall(r'[a-z]+', self.name.lower()))}.myshopify.com"


SHOPS: Final = (
    Shop(name="Nordlicht Lamps", credits=100, busyness=4),
    Shop(name="Blue Door Ceramics", credits=30, busyness=4),
    # Is off for a minute: time enough to ask why.
    Shop(name="Last Penny Books", credits=23, busyness=7, spends_all=True, broke_orders=25, top_ups=(20, 30)),
    Shop(name="Alma & Sons Tea", credits=26, busyness=3),
    Shop(name="Velo Vera", credits=100, busyness=2),
    Shop(name="Kiosk Kowalski", credits=21, busyness=2),
    # Alternates between off and on, each longer than any cache keeps a status: the demo shop's page shows it.
    Shop(name="Demo Shop", credits=6, busyness=4, spends_all=True, broke_orders=10, top_ups=(8,)),
)
DEMO_SHOP: Final = SHOPS[-1]
PAST_SHOP: Final = Shop(name="Sunday Records", credits=60, busyness=0)
"""Sells nothing now: infra/sample/past.py gives it a past."""
SALES: Final = (4, 3, 5, 4, 2, 4, 5, 3, 4, 5, 3, 4)
"""Its orders of each day before today, the newest last."""
LOST_ORDER: Final = 1042
"""Its order that came before its account and was parked: put back, it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """One event to send after a pause. `body` is a platform envelope as JSON, without its timestamp."""

    pause_seconds: float
    channel: Channel
    happening: Happening
    shop: Shop
    event_type: str
    body: str


@dataclass(slots=True, kw_only=True)
class _Books:
    """The generator's model of one shop, which decides what plausibly happens next."""

    balance: int
    broke_orders: int = 0
    refundable: list[tuple[int, Decimal]] = field(default_factory=list)


def emissions(seed: int, runs: int = 0) -> Iterator[Emission]:
    """Yield events of `SHOPS` without end: every shop opens first, then they sell.

    After `runs` runs whose data are still there, all shops are open, and other facts follow.
    """
    chance = random.Random(seed + runs)  # noqa: S311 - sample traffic, not a secret
    street = _Street(chance, FIRST_ORDER + runs * ORDERS_IN_A_RUN)
    if not runs:
        yield from street.openings()
    while True:
        yield from street.next_moment()


class _Street:
    """All shops, drawing from one random generator."""

    def __init__(self, chance: random.Random, first_order: int) -> None:
        self._chance = chance
        self._books = {shop.name: _Books(balance=shop.credits) for shop in SHOPS}
        self._orders = count(first_order)
        self._last_order: Emission | None = None

    def openings(self) -> Iterator[Emission]:
        for shop in SHOPS:
            trial = {"trial_id": f"trial-{shop.merchant_id[:8]}", "credits_to_use": shop.credits}
            yield self._emission(shop, Happening.OPENED, "evt.account.created", trial, OPENING_PAUSE_SECONDS)

    def next_moment(self) -> Iterator[Emission]:
        """Yield the next event, with a payment before it when a shop runs out of credits."""
        (shop,) = self._chance.choices(SHOPS, weights=[shop.busyness for shop in SHOPS])
        books = self._books[shop.name]
        if self._pays_now(shop, books):
            yield self._payment(shop, books)
        (happening,) = self._chance.choices(list(MIX), weights=list(MIX.values()))
        if happening is Happening.AGAIN and self._last_order is not None:
            yield self._again(self._last_order)
        elif happening is Happening.POISON:
            yield self._poison(shop)
        elif happening is Happening.REFUND and books.refundable:
            yield self._refund(shop, books)
        elif happening is Happening.RENEWAL:
            yield self._renewal(shop, books)
        else:
            self._last_order = self._order(shop, books)
            yield self._last_order

    def _pays_now(self, shop: Shop, books: _Books) -> bool:
        if shop.spends_all:
            return books.broke_orders >= shop.broke_orders
        return books.balance < LOW // 2

    def _order(self, shop: Shop, books: _Books) -> Emission:
        number = next(self._orders)
        total = Decimal(self._chance.randint(490, 24900)) / 100
        if books.balance > 0:
            books.balance -= 1
            books.refundable = [*books.refundable[-REFUNDABLE_KEPT:], (number, total)]
        else:
            books.broke_orders += 1
        order = {"order_id": number, "total": str(total), "currency": "EUR"}
        return self._emission(shop, Happening.ORDER, "evt.shopify.webhook.order_paid", order)

    def _refund(self, shop: Shop, books: _Books) -> Emission:
        number, total = books.refundable.pop(self._chance.randrange(len(books.refundable)))
        books.balance += 1
        refund = {
            "order_id": number,
            "refund_id": f"refund-{number}",
            "refund_amount": str(total),
            "order_total": str(total),
        }
        return self._emission(shop, Happening.REFUND, "evt.shopify.webhook.order_refunded", refund)

    def _payment(self, shop: Shop, books: _Books) -> Emission:
        bought = self._chance.choice(shop.top_ups)
        books.balance += bought
        books.broke_orders = 0
        payment = {"payment_id": f"pay-{self._chance.randrange(10**8):08d}", "credits": bought}
        return self._emission(shop, Happening.PAYMENT, "evt.billing.payment_succeeded", payment)

    def _renewal(self, shop: Shop, books: _Books) -> Emission:
        books.balance += 10
        renewal = {
            "subscription_id": f"sub-{shop.merchant_id[:8]}",
            "renewal_id": f"renewal-{self._chance.randrange(10**8):08d}",
            "credits_used": 10,
        }
        return self._emission(shop, Happening.RENEWAL, "evt.subscription.renewed", renewal)

    def _again(self, earlier: Emission) -> Emission:
        """Return the same order in another delivery, as webhooks repeat it."""
        envelope = json.loads(earlier.body)
        return self._emission(earlier.shop, Happening.AGAIN, earlier.event_type, envelope["payload"])

    def _poison(self, shop: Shop) -> Emission:
        credits_asked = self._chance.choice([-5, 0, "many", 2.5])
        payment = {"payment_id": f"pay-{self._chance.randrange(10**8):08d}", "credits": credits_asked}
        return self._emission(shop, Happening.POISON, "evt.billing.payment_succeeded", payment)

    def _emission(
        self,
        shop: Shop,
        happening: Happening,
        event_type: str,
        payload: dict[str, object],
        pause_seconds: float | None = None,
    ) -> Emission:
        envelope = {
            "event_id": str(uuid.UUID(int=self._chance.getrandbits(128), version=4)),
            "event_type": event_type,
            "correlation_id": f"{SAMPLE}{self._chance.getrandbits(32):08x}",
            "payload": {**payload, "merchant_id": shop.merchant_id},
        }
        if pause_seconds is None:
            pause_seconds = min(self._chance.expovariate(1 / MEAN_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return Emission(
            pause_seconds=pause_seconds,
            channel=self._chance.choice(list(Channel)),
            happening=happening,
            shop=shop,
            event_type=event_type,
            body=json.dumps(envelope),
        )

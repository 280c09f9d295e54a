"""What real senders send: ids, periods and currencies in other spellings, zero values, orders that nobody paid.

Nothing of it is drawn from the generator that makes the rest of a story, which stays what it was.
"""

import json
import re
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from tests.simulator.asks import UPDATED, Ask, renewal_key
from tests.simulator.letters import PAID, RENEWED, Letter, Order, Refund, paid, refunded

SUBSCRIPTION = "z"
PERIODS: Mapping[int, tuple[str, ...]] = {
    1_746_057_600: ("2025-05-01", "2025-05-01T00:00:00Z", "2025-05-01T00:00:00.000Z", "2025-05-01T05:30:00+05:30"),
    1_748_736_000: ("2025-06-01", "2025-06-01t00:00:00z", "2025-05-31T20:00:00-04:00", "2025-06-01T00:00"),
}
"""The starts of periods in Unix seconds, and other spellings of the same instants."""
TIMES = ("2025-04-30T23:59:00Z", "2025-05-01T00:00:05Z", "2025-06-01T00:00:05Z")
"""When renewals happened, by their senders: the last one is too late for a period that was recorded at the others."""
CURRENCIES: Mapping[str, str | None] = {"c1": "EUR", "c2": "USD", "c3": None}
"""What each order was sold in."""
TRACES = (
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "t" * 255,
)
LONGEST_TRACE = 255
NEVER_SET = "0001-01-01T00:00:00Z"
"""What Go writes for a time that was never set."""
_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "event_id": ("", None, [], "e" * 256),
    "correlation_id": ("", None, 1.5, "ß", "t" * 256, *TRACES),
    "timestamp": ("", None, "0001-01-01T00:00:00Z", "yesterday", {}, "2999-01-01", 1e18),
    "metadata": (None, "", 5, []),
    "idempotency_key": ("", None, {}),
}


def letters_of(random: Random, shop: str) -> list[Letter]:
    """Return some letters of a shop: ignored orders, refunds in currencies, renewals by periods, a delivery id."""
    makers = (_unpaid, _partly_paid, _sold, _sold, _returned, _returned, _renewed, _renewed, _delivery_id)
    return [make(random, shop) for make in random.choices(makers, k=random.choice([0, 2, 4, 8]))]


def as_sent(letter: Letter, body: str, random: Random) -> str:
    """Return the body of a letter as another sender would write it; poison stays as it is."""
    if letter.poison is not None or letter.raw is not None or random.random() < 0.3:
        return body
    fields = json.loads(body)
    detail = fields.get("detail")
    envelope = detail if isinstance(detail, dict) and "event_type" in detail else fields
    name = next((name for name in ("payload", "data") if name in envelope), None)
    if name is None:
        return json.dumps({**fields, "detail": _spelled(detail, random)})
    envelope[name] = _spelled(envelope[name], random)
    for field, values in _NOTHING.items():
        # A renewal's own time decides whether it may be a repeat.
        kept = field == "timestamp" and letter.event_type == RENEWED
        if not kept and not (field == "idempotency_key" and letter.idempotency_key) and random.random() < 0.3:
            envelope[field] = random.choice(values)
    if envelope is fields and letter.idempotency_key is None and random.random() < 0.3:
        return json.dumps(_cloud_event(fields, fields[name]))
    return json.dumps(fields)


def traces_in(bodies: Iterable[str]) -> frozenset[str]:
    """Return the correlation ids of bodies that a transaction may have: whole, and of printable characters."""
    found = (trace for body in bodies for trace in re.findall(r'"correlation_?id": "([^"]*)"', body))
    return frozenset(trace for trace in found if 0 < len(trace) <= LONGEST_TRACE and "\\" not in trace)


def _cloud_event(envelope: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    said = {"id": "event_id", "time": "timestamp", "correlationid": "correlation_id"}
    named = {name: envelope[field] for name, field in said.items() if field in envelope}
    return {"specversion": "1.0", "type": envelope["event_type"], "source": "shop", **named, "data": payload}


def _spelled(value: Any, random: Random) -> Any:
    """Return a payload with ids and periods in one of their spellings."""
    if isinstance(value, list):
        return [_spelled(each, random) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _spelling(name, each, random) for name, each in value.items()}


def _spelling(name: str, value: Any, random: Random) -> Any:
    if name in ("order_id", "refund_id") and str(value).isdigit() and random.random() < 0.5:
        kind = "Order" if name == "order_id" else "Refund"
        return f"gid://shopify/{kind}/{value}{random.choice(['', '?a=b'])}"
    if name == "period_start" and value in PERIODS:
        return random.choice([value, str(value), value * 1000, f"{value}000", *PERIODS[value]])
    if name in ("order_items", "refunds"):
        return _spelled(value, random)
    return value


def _unpaid(random: Random, shop: str) -> Letter:
    order = random.choice([1, 2, "u1"])
    reason, fields = random.choice(_IGNORED)
    payload = {"merchant_id": shop, "order_id": order, **fields}
    return Letter(random.choice([PAID, UPDATED]), payload, ignored=((str(order), reason),))


def _partly_paid(_random: Random, shop: str) -> Letter:
    letter = paid(shop, [Order("f1", "10"), Order("f2", "10")])
    items = [*letter.payload["order_items"], {"order_id": "f3", "total": "1", "test": True}]
    return Letter(PAID, {**letter.payload, "order_items": items}, letter.asks, ignored=(("f3", "test_order"),))


def _sold(random: Random, shop: str) -> Letter:
    order = random.choice(list(CURRENCIES))
    currency = CURRENCIES[order]
    letter = paid(shop, [Order(order, "10", currency=currency)])
    said: Any = (
        random.choice([currency, currency.lower()]) if currency else random.choice([None, "", "EURO", "XXX", 840, {}])
    )
    total = random.choice(["total", "order_total", "total_price"])
    payload: dict[str, Any] = {"merchant_id": shop, "order_id": order, total: "10", "currency": said, "order_items": []}
    return Letter(PAID, {**payload, "expires_at": NEVER_SET}, letter.asks)


def _returned(random: Random, shop: str) -> Letter:
    order, currency = random.choice(list(CURRENCIES)), random.choice(["EUR", "EUR", "USD", "JPY", None])
    refund = Refund(order, f"9{order}{currency}", random.choice([None, "5"]), currency=currency)
    letter = refunded(shop, [refund])
    said = random.choice([currency, currency.lower()]) if currency else random.choice([None, "", "EURO", "xxx"])
    return Letter(letter.event_type, {**letter.payload, "currency": said, "refunds": []}, letter.asks)


def _renewed(random: Random, shop: str) -> Letter:
    start, at = random.choice(list(PERIODS)), random.choice(TIMES)
    ask = Ask(
        merchant=shop,
        key=renewal_key(SUBSCRIPTION, f"{start}000"),
        type="SUBSCRIPTION",
        reference=SUBSCRIPTION,
        credits=5,
        kept=(("renewal_id", f"{start}000"),),
        at=at,
    )
    payload = {"merchant_id": shop, "subscription_id": SUBSCRIPTION, "credits": 5, "period_start": start}
    return Letter(RENEWED, {**payload, "period_end": 0, "expires_at": NEVER_SET}, (ask,), timestamp=at)


def _delivery_id(random: Random, shop: str) -> Letter:
    delivery = f"{random.getrandbits(32):08x}"
    payload = {"merchant_id": shop, "subscription_id": "poison", "credits": 5}
    body = {"event_type": RENEWED, "event_id": delivery, "idempotency_key": delivery, "payload": payload}
    return Letter(RENEWED, {}, poison=("period_missing", "payload.renewal_id"), raw=json.dumps(body))


_IGNORED: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("order_not_paid", {"financial_status": "pending", "total": "10"}),
    ("order_not_paid", {"financial_status": "VOIDED", "cancelled_at": "2025-05-01T10:00:00-05:00"}),
    ("test_order", {"test": True, "financial_status": "paid"}),
)

"""The same balances counted a second time, from the events alone: no line is shared with the service.

Written from sections 2 and 3 of the contract for the default policy, under which an order uses one credit. It reads
the events that the marketplace makes, and platform envelopes from a file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid5

TRIAL_CREDITS = 100
CREDITS_PER_ORDER = 1

Event = Mapping[str, Any]
Order = tuple[str, str]
"""A merchant's id and the id of one of its orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened to a merchant, by whichever event we hear of it.

    It gives `credits` of its own, or is the charge or a refund of `order`: of `amount` money of `total`, or
    of the whole order where there is no amount.
    """

    merchant_id: str
    key: str
    credits: int = 0
    order: str | None = None
    refund: bool = False
    amount: Fraction | None = None
    total: Fraction | None = None

    @property
    def transaction_id(self) -> str:
        """Return the id under which it must be recorded (contract, section 8)."""
        return str(uuid5(UUID(self.merchant_id), self.key))

    @property
    def share(self) -> Fraction:
        """Return how much of its order is refunded."""
        if self.amount is None:
            return Fraction(1)
        assert self.total is not None, "the recount counts refunds only that name the order's total"
        return self.amount / self.total


def facts(event: Event) -> list[Fact]:
    """Return what an event says, without telling whether it was said before."""
    payload = event["payload"]
    merchant = payload["merchant_id"]

    def gives(key: str, credits_given: int) -> list[Fact]:
        return [Fact(merchant_id=merchant, key=key, credits=credits_given)]

    match event["event_type"]:
        case "evt.merchant.created":
            return gives("TRIAL_MERCHANT", TRIAL_CREDITS)
        case "evt.account.created":
            return gives("TRIAL_MERCHANT", payload["credits_to_use"])
        case "evt.billing.payment_succeeded":
            return gives(f"BILLING_PAYMENT_{payload['payment_id']}", payload["credits"])
        case "evt.subscription.renewed":
            key = f"SUBSCRIPTION_RENEWAL_{payload['subscription_id']}_{payload['renewal_id']}"
            return gives(key, payload["credits_used"])
        case "evt.credits.manual_adjustment":
            sign = 1 if payload["operation_type"] == "INCREASE" else -1
            return gives(f"MANUAL_ADJUSTMENT_{payload['adjustment_id']}", sign * payload["credits"])
        case "evt.shopify.webhook.order_paid" | "evt.order.updated":
            orders = [str({**payload, **entry}["order_id"]) for entry in payload.get("order_items", [payload])]
            return [
                Fact(merchant_id=merchant, key=f"SHOPIFY_ORDER_{order}", order=order) for order in dict.fromkeys(orders)
            ]
        case "evt.shopify.webhook.order_refunded":
            return list(dict.fromkeys(_refund(payload, entry) for entry in _refunds(payload)))
        case other:
            raise ValueError(f"the recount does not know {other}")


def _refunds(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return payload.get("refunds") or payload.get("order_items") or [payload]


def _refund(payload: Mapping[str, Any], entry: Mapping[str, Any]) -> Fact:
    said = {**payload, **entry}
    order, refund_id = str(said["order_id"]), said.get("refund_id")
    key = f"SHOPIFY_REFUND_ORDER_{order}" if refund_id is None else f"SHOPIFY_REFUND_{refund_id}"
    amount, total = (Fraction(said[name]) if name in said else None for name in ("refund_amount", "order_total"))
    return Fact(merchant_id=said["merchant_id"], key=key, order=order, refund=True, amount=amount, total=total)


def distinct(events: Iterable[Event]) -> dict[str, Fact]:
    """Return every fact once, by the id of its transaction, in the order in which it was first heard of."""
    found: dict[str, Fact] = {}
    for event in events:
        for fact in facts(event):
            found.setdefault(fact.transaction_id, fact)
    return found


@dataclass(slots=True)
class Books:
    """One merchant's credits as the recount sees them; `taken` is what each order really used."""

    balance: int = 0
    shortfall: int = 0
    taken: dict[str, int] = field(default_factory=dict)
    refunded: dict[str, Fraction] = field(default_factory=dict)
    given_back: dict[str, int] = field(default_factory=dict)

    def note(self, fact: Fact) -> None:
        """Count one fact after all those before it."""
        if fact.order is None:
            self.balance += fact.credits
        elif not fact.refund:
            self.taken[fact.order] = min(CREDITS_PER_ORDER, self.balance)
            self.shortfall += CREDITS_PER_ORDER - self.taken[fact.order]
            self.balance -= self.taken[fact.order]
        else:
            share = self.refunded.get(fact.order, Fraction(0)) + fact.share
            due = _due(self.taken[fact.order], share) - self.given_back.get(fact.order, 0)
            self.refunded[fact.order] = share
            self.given_back[fact.order] = self.given_back.get(fact.order, 0) + due
            self.balance += due


def in_sequence(events: Iterable[Event]) -> dict[str, Books]:
    """Return the books of every merchant when the events are heard one after another."""
    books: dict[str, Books] = {}
    for fact in distinct(events).values():
        books.setdefault(fact.merchant_id, Books()).note(fact)
    return books


def in_any_order(events: Iterable[Event], shortfalls: Mapping[Order, int]) -> dict[str, int]:
    """Return the balance of every merchant, when the orders that met too few credits fell short by `shortfalls`.

    That is all that the order of delivery decides: a refund gives back its share of what its order took.
    """
    balances: dict[str, int] = {}
    taken: dict[Order, int] = {}
    refunded: dict[Order, Fraction] = {}
    for fact in distinct(events).values():
        balances[fact.merchant_id] = balances.get(fact.merchant_id, 0) + fact.credits
        if fact.order is not None:
            order = (fact.merchant_id, fact.order)
            if not fact.refund:
                taken[order] = CREDITS_PER_ORDER - shortfalls.get(order, 0)
            else:
                refunded[order] = refunded.get(order, Fraction(0)) + fact.share
    for order, credits_taken in taken.items():
        balances[order[0]] -= credits_taken
    for order, share in refunded.items():
        balances[order[0]] += _due(taken[order], share)
    return balances


def _due(taken: int, share: Fraction) -> int:
    """Return what a refunded share of an order gives back in all, rounded down and never more than it took."""
    return int(taken * min(Fraction(1), share))

"""The story behind all examples: one shop's events, read by the contracts and posted to the ledger itself.

So an example is always what the service would take and say. Everything is fixed: the same code gives the
same documents.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.contracts.outbound.published import PublishedEvent, crossing_event, drift_event, transaction_event
from chalicelib.domain.audit import audit
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import grounds
from chalicelib.domain.orders import Policy
from chalicelib.domain.outcomes import Posted
from chalicelib.domain.terms import GraceTerms, Level, TimeTerms, Unit
from chalicelib.domain.transactions import Transaction

MERCHANT = MerchantId("6f30229d-c05f-57e4-9353-d107f77a72fa")
OTHER_MERCHANT = MerchantId("0b6a3d3c-52f5-4c0e-8f0b-2a4b1c7d9e10")
TERMS = Terms(trial_credits=100, policy=Policy())
THRESHOLD = 20
OPENED = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BETWEEN = timedelta(minutes=7)
DRIFT_DETECTED = "evt.credits.drift_detected"
ON_THE_WAY = timedelta(milliseconds=180)
"""How long an event takes from its source to the ledger."""

_TOLD: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("evt.merchant.created", {}),
    ("evt.billing.payment_succeeded", {"payment_id": "pay_8f41", "credits": 50}),
    (
        "evt.billing.payment_refunded",
        {"payment_id": "pay_8f41", "reversal_id": "re_77", "amount": "20.00", "payment_total": "50.00"},
    ),
    ("evt.billing.payment_disputed", {"payment_id": "pay_8f41", "dispute_id": "dp_12"}),
    ("evt.billing.payment_dispute_won", {"payment_id": "pay_8f41", "dispute_id": "dp_12"}),
    (
        "evt.shopify.webhook.order_paid",
        {"order_id": 5732481908, "total": "84.90", "currency": "EUR", "order_items": [{}, {}]},
    ),
    (
        "evt.shopify.webhook.order_refunded",
        {"order_id": 5732481908, "refund_id": 901, "refund_amount": "84.90", "order_total": "84.90"},
    ),
    ("evt.subscription.renewed", {"subscription_id": "sub_12", "renewal_id": "2026-11", "credits_used": 30}),
    ("evt.order.updated", {"order_id": 5732481911, "total": "19.00", "currency": "EUR"}),
    *(
        ("evt.credits.manual_adjustment", {"adjustment_id": key, "operation_type": way, **moved, "admin_id": "admin-7"})
        for key, way, moved in (
            ("adj-41", "DECREASE", {"credits": 144, "reason": "Trial misuse, ticket 4711"}),
            ("adj-42", "INCREASE", {"credits": 10, "reason": "Goodwill after an outage"}),
            ("adj-43", "DECREASE", {"credits": 25, "reason": "Contract ended"}),
        )
    ),
)


@dataclass(frozen=True, slots=True)
class Example:
    """One event in, the account and the transaction that it left, and the events out that followed."""

    event_type: str
    body: Mapping[str, Any]
    account: Account
    transaction: Transaction
    published: tuple[PublishedEvent, ...]


@cache
def story() -> tuple[Example, ...]:
    """Return what happened to the shop, event by event."""
    examples: list[Example] = []
    account: Account | None = None
    stored: dict[TransactionId, Transaction] = {}
    for place, (event_type, payload) in enumerate(_TOLD):
        happened = OPENED + place * BETWEEN
        body = envelope(event_type, {"merchant_id": MERCHANT, **payload}, number=place + 1, happened=happened)
        example = _told(event_type, body, account, stored, now=instant(happened + ON_THE_WAY))
        account = example.account
        examples.append(example)
    return tuple(examples)


def envelope(event_type: str, payload: Mapping[str, Any], *, number: int, happened: datetime) -> dict[str, Any]:
    """Return an event in, as upstream services write it."""
    return {
        "event_id": f"5d3c0a1e-0000-4000-8000-{number:012d}",
        "event_type": event_type,
        "correlation_id": f"req-{7000 + number}",
        "idempotency_key": f"{event_type}:{number}",
        "timestamp": instant(happened),
        "metadata": {},
        "payload": dict(payload),
    }


def account_created() -> dict[str, Any]:
    """Return the other event that opens an account, of a shop of its own: a merchant gets one trial."""
    payload = {"merchant_id": OTHER_MERCHANT, "trial_id": "trial-9", "credits_to_use": 250}
    return envelope("evt.account.created", payload, number=99, happened=OPENED)


def example_of(event_type: str) -> Example:
    """Return the first example that an event of this type opens."""
    return next(one for one in story() if one.event_type == event_type)


def published(event_type: str) -> PublishedEvent:
    """Return the first event out of this type."""
    if event_type == DRIFT_DETECTED:
        return _drift()
    told = (event for one in story() for event in one.published)
    return next(event for event in (*told, *_lapsing(), *_graced()) if event.event_type == event_type)


@cache
def _lapsing() -> tuple[PublishedEvent, ...]:
    """Return what is published of a payment whose credits lapse before they are used."""
    payload = {"merchant_id": MERCHANT, "payment_id": "pay_9c02", "credits": 50, "expires_in_days": 30}
    body = envelope("evt.billing.payment_succeeded", payload, number=98, happened=OPENED)
    account = _told("evt.billing.payment_succeeded", body, story()[0].account, {}, now=instant(OPENED)).account
    told: list[PublishedEvent | None] = []
    while account.due_at is not None:
        now = account.due_at
        commit = fold(MERCHANT, account, [], stored={}, default_threshold=THRESHOLD, now=now).commit
        assert commit is not None, "it is due"
        account = commit.after
        told += [crossing_event(MERCHANT, crossing, version=account.version) for crossing in commit.crossings]
        told += map(transaction_event, commit.transactions)
    return tuple(event for event in told if event is not None)


@cache
def _graced() -> tuple[PublishedEvent, ...]:
    """Return what is published of an order that uses the last credits, and of the grace that it starts."""
    terms = TimeTerms(levels=(Level(name="few", at=20, unit=Unit.CREDITS),), grace=GraceTerms(hours=48, credits=100))
    payload = {"merchant_id": MERCHANT, "order_id": "5901", "total": "24.90"}
    body = envelope("evt.shopify.webhook.order_paid", payload, number=97, happened=OPENED)
    [movement] = read_event(json.dumps(body), TERMS, now=OPENED).movements
    account = replace(story()[0].account, balance=1)
    told = []
    for movements in ([movement], []):
        now = instant(OPENED) if movements else account.due_at
        assert now is not None, "a grace ends"
        commit = fold(MERCHANT, account, movements, stored={}, default_threshold=THRESHOLD, now=now, terms=terms).commit
        assert commit is not None, "something is due"
        account = commit.after
        told += [crossing_event(MERCHANT, crossing, version=account.version) for crossing in commit.crossings]
    return tuple(told)


def _drift() -> PublishedEvent:
    """Return what the comparison says where somebody has changed the shop's balance by hand."""
    account = replace(story()[0].account, balance=1_000)
    [finding, *_] = audit(MERCHANT, account, [story()[0].transaction])
    return drift_event(finding, balance=account.balance, time=OPENED + timedelta(days=1))


def _told(
    event_type: str,
    body: Mapping[str, Any],
    account: Account | None,
    stored: dict[TransactionId, Transaction],
    *,
    now: Instant,
) -> Example:
    [movement] = read_event(json.dumps(body), TERMS, now=OPENED).movements
    known = set(grounds(movement))
    written = fold(
        movement.merchant_id,
        account,
        [movement],
        stored={key: transaction for key, transaction in stored.items() if key in known},
        default_threshold=THRESHOLD,
        now=now,
    )
    [outcome] = written.outcomes
    assert isinstance(outcome, Posted), outcome
    commit = written.commit
    assert commit is not None
    stored |= {transaction.transaction_id: transaction for transaction in commit.transactions}
    stored |= {
        change.transaction_id: replace(stored[change.transaction_id], tally=change.after, refunded_at=change.time)
        for change in commit.tallies
    }
    said = [transaction_event(outcome.transaction)]
    said += [
        crossing_event(movement.merchant_id, crossing, version=commit.after.version) for crossing in commit.crossings
    ]
    return Example(
        event_type, body, commit.after, outcome.transaction, tuple(event for event in said if event is not None)
    )

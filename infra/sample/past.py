"""A sample shop with a past: twelve days of orders, few credits left, and a dead letter that a retry mends.

What takes days elsewhere is there at once: a runway, charts by day, a shop that runs out this week. Its events are
read and posted by the service's own code, which is given the clock of their day; streams and figures see them as ever.
"""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

from chalicelib.adapters.queues import Queues
from chalicelib.contracts.event_types import ORDER_PAID
from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.messages import ORIGIN_NATS, Message
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.errors import Code
from chalicelib.domain.ids import instant
from chalicelib.domain.outcomes import Posted
from chalicelib.ports import CallTime
from chalicelib.usecases.posting import Posting
from chalicelib.wiring.for_posting import terms
from infra.commands.ledger import ledger_of
from infra.commands.target import Target, settings_of
from infra.local.shops import LOST_ORDER, PAST_SHOP, SALES, SAMPLE

CALL_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One moment of the past, and the bodies of the events that arrived then."""

    moment: datetime
    events: tuple[str, ...]


def past(now: datetime) -> Iterator[Past]:
    """Yield what happened to the shop before `now`, oldest first: it opened, and sold a few things a day."""
    opened = now - timedelta(days=len(SALES), hours=1)
    trial = {"trial_id": f"trial-{PAST_SHOP.merchant_id[:8]}", "credits_to_use": PAST_SHOP.credits}
    yield Past(moment=opened, events=(_event("evt.account.created", trial, opened),))
    order = LOST_ORDER
    for ago, sold in zip(range(len(SALES), 0, -1), SALES, strict=True):
        moment = now - timedelta(days=ago)
        yield Past(moment=moment, events=tuple(_order(order + place, moment) for place in range(1, sold + 1)))
        order += sold


def lost_order(now: datetime) -> Message:
    """Return the message of the order that came before the account was opened."""
    moment = now - timedelta(days=len(SALES), hours=3)
    return Message(
        message_id=SAMPLE,
        receipt_handle="",
        body=_order(LOST_ORDER, moment),
        origin=ORIGIN_NATS,
        deliveries=1,
        first_seen=moment,
        sent_at=moment,
        subject=ORDER_PAID,
    )


def live_through(target: Target, now: datetime) -> int:
    """Post the past into a running stack, park the lost order, and return how many transactions there are."""
    configured = settings_of(target)
    posting = Posting(ledger_of(target), default_threshold=configured.default_threshold)
    transactions = post(past(now), posting, terms(configured))
    lost = lost_order(now)
    reason = f"merchant {PAST_SHOP.merchant_id} has no account yet, and did not come within an hour"
    why = lost.parked(code=Code.ACCOUNT_MISSING, reason=reason, field="merchant_id")
    Queues(target.client("sqs")).park(target.dead_letter_queue_url, lost.body, why)
    return transactions


def post(what: Iterable[Past], posting: Posting, asked: Terms) -> int:
    """Post what happened, each at its moment, and return how many transactions that made."""
    transactions = 0
    for each in what:
        requests = [read_event(body, asked, now=each.moment).movements for body in each.events]
        at = instant(each.moment)
        clock = CallTime(now=lambda at=at: at, remaining_seconds=lambda: CALL_SECONDS, sleep=time.sleep)  # type: ignore[misc]
        outcomes = chain.from_iterable(posting.post(requests, time=clock))
        transactions += sum(isinstance(outcome, Posted) for outcome in outcomes)
    return transactions


def _order(number: int, moment: datetime) -> str:
    total = {"order_id": number, "total": f"{number % 40 + 9}.90", "currency": "EUR"}
    return _event(ORDER_PAID, total, moment)


def _event(event_type: str, payload: dict[str, object], moment: datetime) -> str:
    return json.dumps(
        {
            "event_id": f"{SAMPLE}{event_type}-{payload.get('order_id', 0)}",
            "event_type": event_type,
            "correlation_id": f"{SAMPLE}{PAST_SHOP.merchant_id[:8]}",
            "payload": {**payload, "merchant_id": PAST_SHOP.merchant_id},
            "timestamp": moment.astimezone(UTC).isoformat(timespec="milliseconds"),
        }
    )

"""Events out: their envelope and payloads, made from what the ledger committed (spec, section 5).

Plain dataclasses: the publishers run without pydantic. An event's id is derived from its fact, so the same
fact has the same id on every retry.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from chalicelib.domain.ledger import CrossingRecord, Transaction
from chalicelib.domain.movements import Kind, MerchantId, credit_id, instant
from chalicelib.domain.thresholds import Crossing

SCHEMA_VERSION = 1

_TYPE_PREFIX = "evt.credits."
_BY_KIND: Mapping[Kind, tuple[str, str]] = {
    Kind.ORDER_EARNED: ("recharged", "evt.shopify.webhook.order_paid"),
    Kind.PAYMENT: ("recharged", "evt.billing.payment_succeeded"),
    Kind.SUBSCRIPTION: ("recharged", "evt.subscription.renewed"),
    Kind.REFUND_RETURNED: ("refunded", "evt.shopify.webhook.order_refunded"),
    Kind.REFUND_TAKEN: ("refunded", "evt.shopify.webhook.order_refunded"),
    Kind.MANUAL_ADDED: ("adjusted", "evt.credits.manual_adjustment"),
    Kind.MANUAL_REMOVED: ("adjusted", "evt.credits.manual_adjustment"),
}
"""The event that a recorded movement publishes, and the event type that asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEvent:
    """An event out. Delivered at least once: consumers drop repeats by `event_id`."""

    event_id: str
    event_type: str
    merchant_id: MerchantId
    correlation_id: str | None
    time: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)

    def detail(self) -> str:
        """Return the platform's envelope as JSON text."""
        return json.dumps(
            {
                "event_id": self.event_id,
                "event_type": self.event_type,
                "correlation_id": self.correlation_id,
                "idempotency_key": self.event_id,
                "timestamp": instant(self.time),
                "metadata": {"schema_version": SCHEMA_VERSION},
                "payload": dict(self.payload),
            },
            separators=(",", ":"),
        )


def transaction_event(transaction: Transaction) -> PublishedEvent | None:
    """Return what a new record publishes; None for an order that uses credits, which publishes nothing."""
    if transaction.kind is Kind.TRIAL:
        return _of_transaction(transaction, "account.created", {"initial_balance": transaction.balance_after})
    if transaction.kind not in _BY_KIND:
        return None
    name, asked_by = _BY_KIND[transaction.kind]
    members = {
        "amount": transaction.amount,
        "new_balance": transaction.balance_after,
        "source": transaction.metadata.get("source", asked_by),
        "reference_type": transaction.kind.transaction_type,
        "reference_id": transaction.reference_id,
    }
    return _of_transaction(transaction, name, members)


def crossing_event(merchant_id: MerchantId, crossing: CrossingRecord, *, version: int) -> PublishedEvent:
    """Return what a crossing publishes; `version` is that of the account as the crossing's write left it.

    A crossing without a transaction comes from a changed threshold, whose fact is the account's version.
    """
    event_type = _TYPE_PREFIX + crossing.type
    fact = uuid5(UUID(crossing.transaction_id), event_type) if crossing.transaction_id else None
    return PublishedEvent(
        event_id=str(fact or uuid5(UUID(credit_id(merchant_id)), f"{event_type}:{version}")),
        event_type=event_type,
        merchant_id=merchant_id,
        correlation_id=crossing.correlation_id,
        time=datetime.fromisoformat(crossing.time),
        payload={
            "merchant_id": merchant_id,
            "transaction_id": crossing.transaction_id,
            "sequence": crossing.sequence,
            "balance": crossing.balance,
            **_crossing_members(crossing),
        },
    )


def _of_transaction(transaction: Transaction, name: str, members: Mapping[str, Any]) -> PublishedEvent:
    event_type = _TYPE_PREFIX + name
    return PublishedEvent(
        event_id=str(uuid5(UUID(transaction.transaction_id), event_type)),
        event_type=event_type,
        merchant_id=transaction.merchant_id,
        correlation_id=transaction.correlation_id,
        time=datetime.fromisoformat(transaction.created_at),
        payload={
            "merchant_id": transaction.merchant_id,
            "transaction_id": transaction.transaction_id,
            "sequence": transaction.sequence,
            "balance": transaction.balance_after,
            **members,
        },
    )


def _crossing_members(crossing: CrossingRecord) -> dict[str, Any]:
    if crossing.type is Crossing.PLUGIN_STATUS_CHANGED:
        enabled = crossing.balance > 0
        return {
            "previous_status": "disabled" if enabled else "enabled",
            "current_status": "enabled" if enabled else "disabled",
            "reason": "Sufficient credits" if enabled else "Insufficient credits",
            "timestamp": crossing.time,
        }
    if crossing.type is Crossing.BALANCE_EXHAUSTED:
        return {}
    return {"threshold": crossing.threshold}

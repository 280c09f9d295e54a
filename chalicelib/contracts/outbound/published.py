"""Events out: their envelope and payloads, made from what the ledger committed (contract, section 5).

Plain dataclasses: the publishers run without pydantic. An event's id is derived from its fact, so the same
fact has the same id on every retry.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID, uuid5

from chalicelib.contracts.outbound.payloads import (
    AccountOpened,
    BalanceExhausted,
    CreditsExpired,
    CreditsExpiring,
    CreditsMoved,
    DriftDetected,
    GraceEnded,
    GraceStarted,
    LevelCrossed,
    Payload,
    PaymentReversed,
    StatusChanged,
    ThresholdPassed,
)
from chalicelib.domain.debt import DEBT
from chalicelib.domain.findings import Finding
from chalicelib.domain.ids import Instant, MerchantId, credit_id, instant
from chalicelib.domain.ledger import Crossing, Transaction
from chalicelib.domain.movements import OPENS, Kind
from chalicelib.domain.orders import Direction, Policy
from chalicelib.domain.thresholds import CrossingType

SCHEMA_VERSION = 1

_TYPE_PREFIX = "evt.credits."
_BY_KIND: Mapping[Kind, tuple[str, str]] = {
    Kind.ORDER_EARNED: ("recharged", "evt.shopify.webhook.order_paid"),
    Kind.EDIT_ADDED: ("recharged", "evt.shopify.webhook.order_paid"),
    Kind.PAYMENT: ("recharged", "evt.billing.payment_succeeded"),
    Kind.SUBSCRIPTION: ("recharged", "evt.subscription.renewed"),
    Kind.REFUND_RETURNED: ("refunded", "evt.shopify.webhook.order_refunded"),
    Kind.REFUND_TAKEN: ("refunded", "evt.shopify.webhook.order_refunded"),
    Kind.MANUAL_ADDED: ("adjusted", "evt.credits.manual_adjustment"),
    Kind.MANUAL_REMOVED: ("adjusted", "evt.credits.manual_adjustment"),
}
"""The event that a recorded movement publishes, and the event type that asked for it."""


PUBLISHED: Mapping[str, type[Payload]] = {
    "evt.credits.account.created": AccountOpened,
    "evt.credits.recharged": CreditsMoved,
    "evt.credits.refunded": CreditsMoved,
    "evt.credits.adjusted": CreditsMoved,
    "evt.credits.reversed": PaymentReversed,
    "evt.credits.expiring": CreditsExpiring,
    "evt.credits.expired": CreditsExpired,
    "evt.credits.low_balance_reached": ThresholdPassed,
    "evt.credits.balance_restored": ThresholdPassed,
    "evt.credits.balance_exhausted": BalanceExhausted,
    "evt.credits.plugin_status_changed": StatusChanged,
    "evt.credits.level_crossed": LevelCrossed,
    "evt.credits.grace_started": GraceStarted,
    "evt.credits.grace_ended": GraceEnded,
    "evt.credits.drift_detected": DriftDetected,
}
"""The types of events out, and their payloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEnvelope:
    """The platform's envelope around an event out."""

    event_id: str
    event_type: str
    correlation_id: str | None
    idempotency_key: str
    timestamp: Instant
    metadata: Mapping[str, int]
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEvent:
    """An event out. Delivered at least once: consumers drop repeats by `event_id`."""

    event_id: str
    event_type: str
    correlation_id: str | None
    time: datetime
    payload: Payload

    @property
    def merchant_id(self) -> MerchantId:
        """Whose account the event is about."""
        return self.payload.merchant_id

    def envelope(self) -> PublishedEnvelope:
        """Return the platform's envelope; the fact's id is its idempotency key too."""
        return PublishedEnvelope(
            event_id=self.event_id,
            event_type=self.event_type,
            correlation_id=self.correlation_id,
            idempotency_key=self.event_id,
            timestamp=instant(self.time),
            metadata={"schema_version": SCHEMA_VERSION},
            payload=self.payload,
        )

    def detail(self) -> str:
        """Return the envelope as JSON text."""
        return json.dumps(asdict(self.envelope()), separators=(",", ":"))


def transaction_event(transaction: Transaction) -> PublishedEvent | None:
    """Return the event of a new transaction; None for an order that uses credits, its edits, and a debt repaid."""
    if transaction.kind in OPENS:
        opened = AccountOpened(
            merchant_id=transaction.merchant_id,
            transaction_id=transaction.transaction_id,
            sequence=transaction.sequence,
            balance=transaction.balance_after,
            initial_balance=transaction.balance_after,
        )
        return _of_transaction(transaction, "account.created", opened)
    if transaction.kind in (Kind.REVERSAL, Kind.REVERSAL_RETURNED):
        return _of_transaction(transaction, "reversed", _reversed(transaction))
    if transaction.kind is Kind.EXPIRY:
        return _of_transaction(transaction, "expired", _expired(transaction))
    if transaction.kind not in _BY_KIND or _gives_back(transaction):
        return None
    name, asked_by = _BY_KIND[transaction.kind]
    moved = CreditsMoved(
        merchant_id=transaction.merchant_id,
        transaction_id=transaction.transaction_id,
        sequence=transaction.sequence,
        balance=transaction.balance_after,
        amount=transaction.amount,
        new_balance=transaction.balance_after,
        source=str(transaction.metadata.get("source", asked_by)),
        reference_type=transaction.kind.transaction_type,
        reference_id=transaction.reference_id,
    )
    return _of_transaction(transaction, name, moved)


def _reversed(transaction: Transaction) -> PaymentReversed:
    reason = "disputed" if "dispute_id" in transaction.metadata else "refunded"
    return PaymentReversed(
        merchant_id=transaction.merchant_id,
        transaction_id=transaction.transaction_id,
        sequence=transaction.sequence,
        balance=transaction.balance_after,
        amount=transaction.amount,
        debt=int(transaction.metadata.get(DEBT, 0)),
        payment_id=str(transaction.metadata["payment_id"]),
        reason="dispute_won" if transaction.kind is Kind.REVERSAL_RETURNED else reason,
    )


def _expired(transaction: Transaction) -> CreditsExpired:
    return CreditsExpired(
        merchant_id=transaction.merchant_id,
        transaction_id=transaction.transaction_id,
        sequence=transaction.sequence,
        balance=transaction.balance_after,
        credits=abs(transaction.amount),
        expires_at=Instant(transaction.reference_id),
    )


def _gives_back(transaction: Transaction) -> bool:
    """Whether it is the edit of an order that used credits: what it gives back recharges nothing."""
    return transaction.kind is Kind.EDIT_ADDED and (
        Policy.parse(str(transaction.metadata["policy"])).direction is Direction.DECREASE
    )


_SWITCHED: Final[Mapping[CrossingType, tuple[bool, str]]] = {
    CrossingType.SHOP_CLOSED: (False, "Account closed"),
    CrossingType.SHOP_REOPENED: (True, "Account reopened"),
    CrossingType.FROZEN: (False, "Account frozen"),
    CrossingType.UNFROZEN: (True, "Account unfrozen"),
}
"""What switched the plugin beside the balance: whether it is on by that, and the reason that its event names."""
_BY_BALANCE: Final = {True: "Sufficient credits", False: "Insufficient credits"}
STATUS_REASONS: Final = (*_BY_BALANCE.values(), *(reason for _, reason in _SWITCHED.values()))
"""The reasons that events of a switched plugin name."""


def crossing_event(merchant_id: MerchantId, crossing: Crossing, *, version: int) -> PublishedEvent:
    """Return what a crossing publishes; `version` is that of the account as the crossing's write left it.

    A crossing without a transaction comes from a changed threshold, whose fact is the account's version, or announces
    what time will change, whose fact are its details.

    Raises:
        ValueError: a crossing that only a movement can cause names none.
    """
    event_type = _TYPE_PREFIX + (CrossingType.PLUGIN_STATUS_CHANGED if crossing.type in _SWITCHED else crossing.type)
    details = crossing.details
    # One write may cross several levels.
    level = f":{details['level']}" if crossing.type is CrossingType.LEVEL_CROSSED else ""
    if crossing.transaction_id:
        fact = uuid5(UUID(crossing.transaction_id), f"{event_type}{level}")
    else:
        named = f"{details['expires_at']}:{details['days']}" if crossing.type is CrossingType.EXPIRING else version
        fact = uuid5(UUID(credit_id(merchant_id)), f"{event_type}:{named}{level}")
    return PublishedEvent(
        event_id=str(fact),
        event_type=event_type,
        correlation_id=crossing.correlation_id,
        time=datetime.fromisoformat(crossing.time),
        payload=_crossing_payload(merchant_id, crossing),
    )


def drift_event(finding: Finding, *, balance: int, time: datetime) -> PublishedEvent:
    """Return what a finding of the comparison publishes: the same finding again has the same id."""
    event_type = f"{_TYPE_PREFIX}drift_detected"
    fact = f"{event_type}:{finding.kind}:{finding.sequence}:{finding.transaction_id}:{finding.detail}"
    return PublishedEvent(
        event_id=str(uuid5(UUID(credit_id(finding.merchant_id)), fact)),
        event_type=event_type,
        correlation_id=None,
        time=time,
        payload=DriftDetected(
            merchant_id=finding.merchant_id,
            transaction_id=finding.transaction_id,
            sequence=finding.sequence,
            balance=balance,
            kind=finding.kind,
            detail=finding.detail,
        ),
    )


def _of_transaction(transaction: Transaction, name: str, payload: Payload) -> PublishedEvent:
    event_type = _TYPE_PREFIX + name
    return PublishedEvent(
        event_id=str(uuid5(UUID(transaction.transaction_id), event_type)),
        event_type=event_type,
        correlation_id=transaction.correlation_id,
        time=datetime.fromisoformat(transaction.created_at),
        payload=payload,
    )


def _crossing_payload(merchant_id: MerchantId, crossing: Crossing) -> Payload:
    if crossing.type in (CrossingType.LOW_BALANCE_REACHED, CrossingType.BALANCE_RESTORED):
        return ThresholdPassed(
            merchant_id=merchant_id,
            transaction_id=crossing.transaction_id,
            sequence=crossing.sequence,
            balance=crossing.balance,
            threshold=crossing.threshold,
        )
    if crossing.type is CrossingType.EXPIRING:
        return CreditsExpiring(
            merchant_id=merchant_id,
            transaction_id=None,
            sequence=crossing.sequence,
            balance=crossing.balance,
            credits=int(crossing.details["credits"]),
            expires_at=Instant(str(crossing.details["expires_at"])),
            days=int(crossing.details["days"]),
        )
    if crossing.type in _SWITCHED:
        enabled, reason = _SWITCHED[crossing.type]
        return _status_changed(merchant_id, crossing, enabled=enabled, reason=reason)
    if crossing.type in (CrossingType.LEVEL_CROSSED, CrossingType.GRACE_ENDED):
        of_type = LevelCrossed if crossing.type is CrossingType.LEVEL_CROSSED else GraceEnded
        return of_type(
            merchant_id=merchant_id,
            transaction_id=crossing.transaction_id,
            sequence=crossing.sequence,
            balance=crossing.balance,
            **cast("Any", crossing.details),
        )
    if crossing.type is CrossingType.PLUGIN_STATUS_CHANGED:
        enabled = crossing.balance > 0
        return _status_changed(merchant_id, crossing, enabled=enabled, reason=_BY_BALANCE[enabled])
    return _last_credit_used(merchant_id, crossing)


def _last_credit_used(merchant_id: MerchantId, crossing: Crossing) -> Payload:
    if crossing.transaction_id is None:
        raise ValueError(f"a crossing of type {crossing.type} without its transaction")
    if crossing.type is CrossingType.GRACE_STARTED:
        return GraceStarted(
            merchant_id=merchant_id,
            transaction_id=crossing.transaction_id,
            sequence=crossing.sequence,
            balance=crossing.balance,
            ends_at=cast("Instant | None", crossing.details.get("ends_at")),
            credits=cast("int | None", crossing.details.get("credits")),
        )
    return BalanceExhausted(
        merchant_id=merchant_id,
        transaction_id=crossing.transaction_id,
        sequence=crossing.sequence,
        balance=crossing.balance,
    )


def _status_changed(merchant_id: MerchantId, crossing: Crossing, *, enabled: bool, reason: str) -> StatusChanged:
    return StatusChanged(
        merchant_id=merchant_id,
        transaction_id=crossing.transaction_id,
        sequence=crossing.sequence,
        balance=crossing.balance,
        previous_status="disabled" if enabled else "enabled",
        current_status="enabled" if enabled else "disabled",
        reason=reason,
        timestamp=crossing.time,
    )

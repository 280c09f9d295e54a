"""Events out: their envelope and payloads, made from what the ledger committed (contract, section 5).

Plain dataclasses: the publishers run without pydantic. An event's id is derived from its fact, so the same
fact has the same id on every retry.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from chalicelib.contracts.event_types import ADJUSTED, ORDER_PAID, ORDER_REFUNDED, PAYMENT_SUCCEEDED, RENEWED
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
from chalicelib.domain.findings import Finding
from chalicelib.domain.grace import DEBT
from chalicelib.domain.ids import Instant, MerchantId, credit_id, instant
from chalicelib.domain.ledger import Crossing, CrossingType
from chalicelib.domain.movements import OPENS, Kind
from chalicelib.domain.orders import Direction, Policy
from chalicelib.domain.transactions import Transaction

SCHEMA_VERSION = 1

_TYPE_PREFIX = "evt.credits."
_BY_KIND: Mapping[Kind, tuple[str, str]] = {
    Kind.ORDER_EARNED: ("recharged", ORDER_PAID),
    Kind.EDIT_ADDED: ("recharged", ORDER_PAID),
    Kind.PAYMENT: ("recharged", PAYMENT_SUCCEEDED),
    Kind.SUBSCRIPTION: ("recharged", RENEWED),
    Kind.REFUND_RETURNED: ("refunded", ORDER_REFUNDED),
    Kind.REFUND_TAKEN: ("refunded", ORDER_REFUNDED),
    Kind.MANUAL_ADDED: ("adjusted", ADJUSTED),
    Kind.MANUAL_REMOVED: ("adjusted", ADJUSTED),
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
        """The merchant of the event."""
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
    kind, metadata = transaction.kind, transaction.metadata
    common: dict[str, Any] = {
        "merchant_id": transaction.merchant_id,
        "transaction_id": transaction.transaction_id,
        "sequence": transaction.sequence,
        "balance": transaction.balance_after,
    }
    if kind in OPENS:
        opened = AccountOpened(**common, initial_balance=transaction.balance_after)
        return _of_transaction(transaction, "account.created", opened)
    if kind in (Kind.REVERSAL, Kind.REVERSAL_RETURNED):
        reason = "disputed" if "dispute_id" in metadata else "refunded"
        gone_back = PaymentReversed(
            **common,
            amount=transaction.amount,
            debt=int(metadata.get(DEBT, 0)),
            payment_id=str(metadata["payment_id"]),
            reason="dispute_won" if kind is Kind.REVERSAL_RETURNED else reason,
        )
        return _of_transaction(transaction, "reversed", gone_back)
    if kind is Kind.EXPIRY:
        lapsed = CreditsExpired(**common, credits=abs(transaction.amount), expires_at=Instant(transaction.reference_id))
        return _of_transaction(transaction, "expired", lapsed)
    if kind not in _BY_KIND or _gives_back(transaction):
        return None
    name, asked_by = _BY_KIND[kind]
    moved = CreditsMoved(
        **common,
        amount=transaction.amount,
        new_balance=transaction.balance_after,
        source=str(metadata.get("source", asked_by)),
        reference_type=kind.transaction_type,
        reference_id=transaction.reference_id,
    )
    return _of_transaction(transaction, name, moved)


def _gives_back(transaction: Transaction) -> bool:
    """Whether it is an edit that gives back credits of an order: that is no recharge."""
    return transaction.kind is Kind.EDIT_ADDED and (
        Policy.parse(str(transaction.metadata["policy"])).direction is Direction.DECREASE
    )


_SWITCHED: Final[Mapping[CrossingType, tuple[bool, str]]] = {
    CrossingType.SHOP_CLOSED: (False, "Account closed"),
    CrossingType.SHOP_REOPENED: (True, "Account reopened"),
    CrossingType.FROZEN: (False, "Account frozen"),
    CrossingType.UNFROZEN: (True, "Account unfrozen"),
}
"""What switches the plugin besides the balance: whether it is then on, and the reason in its event."""
_DETAILED: Final[Mapping[CrossingType, Callable[..., Payload]]] = {
    CrossingType.EXPIRING: CreditsExpiring,
    CrossingType.LEVEL_CROSSED: LevelCrossed,
    CrossingType.GRACE_ENDED: GraceEnded,
}
"""The payloads of crossings whose details are all the members that only they have."""
_BY_BALANCE: Final = {True: "Sufficient credits", False: "Insufficient credits"}
STATUS_REASONS: Final = (*_BY_BALANCE.values(), *(reason for _, reason in _SWITCHED.values()))
"""The reasons that events of a switched plugin name."""


def crossing_event(merchant_id: MerchantId, crossing: Crossing, *, version: int) -> PublishedEvent:
    """Return what a crossing publishes; `version` is that of the account as the crossing's write left it.

    A crossing without a transaction comes from a changed threshold (its fact is the account's version), or announces a
    change by time (its fact is its details).

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
    """Return the event of a finding of the comparison; the same finding has the same id again."""
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
    kind = crossing.type
    common: dict[str, Any] = {
        "merchant_id": merchant_id,
        "transaction_id": crossing.transaction_id,
        "sequence": crossing.sequence,
        "balance": crossing.balance,
    }
    if kind in (CrossingType.LOW_BALANCE_REACHED, CrossingType.BALANCE_RESTORED):
        return ThresholdPassed(**common, threshold=crossing.threshold)
    if kind in _DETAILED:
        return _DETAILED[kind](**common, **crossing.details)
    if kind is CrossingType.PLUGIN_STATUS_CHANGED or kind in _SWITCHED:
        by_balance = crossing.balance > 0
        enabled, reason = _SWITCHED.get(kind, (by_balance, _BY_BALANCE[by_balance]))
        return StatusChanged(
            **common,
            previous_status="disabled" if enabled else "enabled",
            current_status="enabled" if enabled else "disabled",
            reason=reason,
            timestamp=crossing.time,
        )
    if crossing.transaction_id is None:
        raise ValueError(f"a crossing of type {kind} without its transaction")
    if kind is CrossingType.GRACE_STARTED:
        limits: Mapping[str, Any] = crossing.details
        return GraceStarted(**common, ends_at=limits.get("ends_at"), credits=limits.get("credits"))
    return BalanceExhausted(**common)

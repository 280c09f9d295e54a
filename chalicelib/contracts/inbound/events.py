"""Events in: what each type asks for (contract, sections 3 and 4).

`read_event` either returns every movement of a message or rejects the whole of it: no part of a poison message is
applied, even if only one of its five orders is bad.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Final

from pydantic import BaseModel

from chalicelib.contracts.event_types import (
    ACCOUNT_CREATED,
    ADJUSTED,
    DISPUTE_WON,
    MERCHANT_CREATED,
    ORDER_PAID,
    ORDER_REFUNDED,
    PAYMENT_DISPUTED,
    PAYMENT_REFUNDED,
    PAYMENT_SUCCEEDED,
    RENEWED,
)
from chalicelib.contracts.inbound.envelopes import Envelope, read_envelope, validated
from chalicelib.contracts.inbound.orders import OrderPaid, OrderUpdated
from chalicelib.contracts.inbound.payloads import (
    AccountCreated,
    Ignored,
    ManualAdjustment,
    MerchantCreated,
    PaymentSucceeded,
    Terms,
)
from chalicelib.contracts.inbound.refunds import OrderRefunded
from chalicelib.contracts.inbound.renewals import SubscriptionRenewed
from chalicelib.contracts.inbound.reversals import PaymentDisputed, PaymentDisputeWon, PaymentRefunded
from chalicelib.contracts.values import Reading
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.links import Link, LinkKind, link_name
from chalicelib.domain.movements import ORDER_UPDATED, Movement, RefundMovement
from chalicelib.domain.outcomes import Outcome, contradicts_record

AskingPayload = (
    type[MerchantCreated]
    | type[AccountCreated]
    | type[OrderPaid]
    | type[OrderRefunded]
    | type[PaymentSucceeded]
    | type[PaymentRefunded]
    | type[PaymentDisputed]
    | type[PaymentDisputeWon]
    | type[SubscriptionRenewed]
    | type[ManualAdjustment]
)

INBOUND: Mapping[str, AskingPayload] = {
    MERCHANT_CREATED: MerchantCreated,
    ACCOUNT_CREATED: AccountCreated,
    ORDER_PAID: OrderPaid,
    ORDER_UPDATED: OrderUpdated,
    ORDER_REFUNDED: OrderRefunded,
    PAYMENT_SUCCEEDED: PaymentSucceeded,
    PAYMENT_REFUNDED: PaymentRefunded,
    PAYMENT_DISPUTED: PaymentDisputed,
    DISPUTE_WON: PaymentDisputeWon,
    RENEWED: SubscriptionRenewed,
    ADJUSTED: ManualAdjustment,
}
"""The event types that move credits, and their payloads."""
OPENING: Final = frozenset({MERCHANT_CREATED, ACCOUNT_CREATED})
"""The event types by which a shop comes, or comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An inbound event: the movements it asks for, all of one merchant, and its parts that are ignored by rule.

    It has at least one movement or one ignored part. `dropped` names the fields that move nothing and could not be
    read. `links` are names that belong to the merchant from now on, `payment_names` those of payments, which no other
    merchant may have; `paid` are the invoices that payments paid, by the payments' names. An event that `closes`
    reports that the shop removed the app, at `occurred_at` if the time is known. `secondary` are movements that have
    events of their own, and may be repeated here: one that contradicts its record is ignored. `moot` is set if none of
    its movements gives money back: if their orders never arrive, they are ignored, as `moot` says. `source` is the
    platform whose webhook it was read from, None for any other event.
    """

    event_type: str
    correlation_id: str | None
    movements: tuple[Movement, ...]
    secondary: tuple[Movement, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    moot: tuple[Ignored, ...] = ()
    dropped: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    payment_names: tuple[str, ...] = ()
    paid: Mapping[str, str] = field(default_factory=dict)
    merchant_id: MerchantId | None = None
    closes: bool = False
    occurred_at: Instant | None = None
    source: LinkKind | None = None

    @property
    def opens(self) -> bool:
        """Whether it reports that a shop has come, or has come back."""
        return self.event_type in OPENING

    @property
    def moves(self) -> bool:
        """Whether it may move credits: a moot event does not."""
        return bool(self.secondary) or (bool(self.movements) and not self.moot)

    def as_ignored(self) -> "Event":
        """Return it with its movements ignored, since they are moot."""
        return replace(self, movements=(), ignored=(*self.ignored, *self.moot))

    @property
    def requests(self) -> tuple[tuple[Movement, ...], ...]:
        """The groups in which its movements are posted: each secondary one alone, so its faults stop no other."""
        return (self.movements, *((movement,) for movement in self.secondary)) if self.secondary else (self.movements,)

    def refused(self, outcomes: Sequence[Outcome]) -> list[Ignored]:
        """Return the secondary movements that contradict their record; `outcomes` are those of all of them, or none."""
        return [
            Ignored(reason=outcome.code, merchant_id=movement.merchant_id, reference_id=movement.reference_id)
            for movement, outcome in zip(self.secondary, outcomes, strict=False)
            if isinstance(outcome, Rejected) and contradicts_record(outcome)
        ]

    def facts(self, error: Rejected, outcomes: Sequence[Outcome], secondary: Sequence[Outcome]) -> tuple[str, ...]:
        """Return the facts for which `error` parks it, if other messages report the same facts; else nothing.

        These are the refused refunds of a webhook, which every webhook of their order repeats. `secondary` are the
        outcomes of the secondary movements: one that contradicts its record does not park the event.
        """
        asked = [*zip(self.movements, outcomes, strict=False)]
        asked += [one for one in zip(self.secondary, secondary, strict=False) if not contradicts_record(one[1])]
        refused = {
            movement.reference_id: outcome
            for movement, outcome in asked
            if isinstance(movement, RefundMovement) and isinstance(outcome, Rejected)
        }
        if self.source is None or not any(outcome is error for outcome in refused.values()):
            return ()
        return tuple(f"{outcome.code}:{link_name(self.source, name)}" for name, outcome in refused.items())


def read_event(
    body: str,
    terms: Terms,
    *,
    now: datetime,
    subject: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Event:
    """Return the event of a message body, read at `now`; its type is `subject` if it came over NATS.

    `headers` are those of a CloudEvent in binary mode: see `read_envelope`.

    Raises:
        Rejected: the message is poison; `code`, the sentence and `field` are the reason, without any text of the
        sender.
    """
    reading = Reading(now=now)
    try:
        envelope = read_envelope(body, reading=reading, subject=subject, headers=headers)
    except Rejected as error:
        if error.code is Code.DUPLICATE_FIELD and error.field not in _names():
            raise Rejected(error.code, f"{error.message}, under a name that the sender chose") from None
        raise
    model = INBOUND.get(envelope.event_type)
    if model is None:
        raise Rejected(Code.UNKNOWN_EVENT_TYPE, "no event of this type moves credits", field="event_type")
    payload = validated(model, envelope.payload, prefix="payload.", reading=reading)
    asked = payload.movements(envelope, terms, reading)
    named = payload.links if isinstance(payload, MerchantCreated) else ()
    return Event(
        event_type=envelope.event_type,
        correlation_id=envelope.correlation_id,
        movements=tuple(one for one in asked if not isinstance(one, Ignored)),
        ignored=tuple(one for one in asked if isinstance(one, Ignored)),
        dropped=tuple(reading.dropped),
        links=tuple(
            Link(name=one.name, merchant_id=payload.merchant(), label=one.label, since=instant(now)) for one in named
        ),
    )


@cache
def _names() -> frozenset[str]:
    """Return the field names of the contract. Any other name is the sender's own, and may be personal."""
    models: list[type[BaseModel]] = [Envelope, *INBOUND.values()]
    schemas = [model.model_json_schema() for model in models]
    schemas += [inner for schema in schemas for inner in schema.get("$defs", {}).values()]
    fields = (name for model in models for name in model.model_fields)
    properties = (name for schema in schemas for name in schema.get("properties", {}))
    return frozenset(
        (*fields, *properties, "data", "detail", "detail-type", "specversion", "type", "id", "time", "subject")
    )

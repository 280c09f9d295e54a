"""The payloads of inbound events that state their number of credits (contract, section 3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.expiry import Expiring
from chalicelib.contracts.links import LINKS_MAX, Label, LinkName, named_alone
from chalicelib.contracts.values import (
    Aliases,
    BatchCredits,
    Credits,
    FactId,
    Id,
    Merchant,
    PaymentAliases,
    PaymentId,
    Reading,
    Reason,
    empty_is_none,
    given,
)
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.movements import TRIAL_KEY, FixedMovement, Kind, Movement, adjustment_key, payment_key
from chalicelib.domain.orders import Direction, Policy

MovementT = TypeVar("MovementT", bound=Movement)

RENEWAL_REPEAT_DAYS = 20
"""A renewal of a recorded period that comes this much later may be another period with a wrong name."""


class IgnoredReason(StrEnum):
    """Why a part of an event moves nothing; the label of `credits_events_ignored_total`."""

    ORDER_NOT_PAID = "order_not_paid"
    TEST_ORDER = "test_order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The settings that decide what an event asks for.

    They say how many trial credits a new merchant gets, what an order costs (`policy`), and whether test orders are
    charged. `month_as_period`: a renewal that names no period counts for the calendar month in which it happened.
    A second renewal of a recorded period is a repeat for `renewal_repeat_days`. `debt_owed`: credits of a reversed
    payment that the account no longer has are owed. Trials lapse after `trial_expires_days` and renewals after
    `renewal_expires_days` (0: never), or with `renewal_expires_with_period` at the end of their period, if it is named.
    """

    trial_credits: int
    policy: Policy
    count_test_orders: bool = False
    month_as_period: bool = False
    renewal_repeat_days: int = RENEWAL_REPEAT_DAYS
    debt_owed: bool = True
    trial_expires_days: int = 0
    renewal_expires_days: int = 0
    renewal_expires_with_period: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A part of an event that moves nothing by rule, and why. It is acknowledged and counted; nothing is written.

    For a raw webhook, the merchant may be unknown.
    """

    reason: StrEnum
    merchant_id: MerchantId | None
    reference_id: str | None


OptionalMerchant = Annotated[Merchant | None, empty_is_none]


class Identifiers(BaseModel):
    """Where some upstream services put the merchant's id; an empty one counts as absent (contract, section 11)."""

    merchant_id: OptionalMerchant = None


class Payload(BaseModel):
    """What every payload holds. Unknown fields are dropped unread."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        # A new container builds the types that it receives, not all.
        defer_build=True,
        json_schema_extra={"anyOf": [{"required": ["merchant_id"]}, {"required": ["identifiers"]}]},
    )

    merchant_id: OptionalMerchant = None
    identifiers: Annotated[Identifiers | None, BeforeValidator(lambda value: value or None)] = None

    def merchant(self) -> MerchantId:
        """Return the merchant, from either of its two fields.

        Raises:
            Rejected: both fields are missing, or they differ.
        """
        named = self.identifiers.merchant_id if self.identifiers else None
        merchant = self.merchant_id or named
        if merchant is None:
            raise Rejected(Code.FIELD_MISSING, "payload.merchant_id is missing", field="payload.merchant_id")
        if named is not None and named != merchant:
            raise Rejected(
                Code.ENVELOPE_AMBIGUOUS,
                "payload.merchant_id and payload.identifiers.merchant_id contradict each other",
                field="payload.identifiers.merchant_id",
            )
        return merchant


class NamedLink(BaseModel):
    """A shop or customer that belongs to the merchant, and what people call it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    name: LinkName
    label: Annotated[Label | None, empty_is_none] = None


class MerchantCreated(Expiring, Payload):
    """A shop was created: its account opens with the settings' trial. `links` are its shops and customers."""

    links: Annotated[tuple[NamedLink, ...], Field(max_length=LINKS_MAX), named_alone] = ()

    def movements(self, envelope: Envelope, terms: Terms, _reading: Reading) -> list[Movement | Ignored]:
        """Return the trial, recorded under the merchant's own id."""
        merchant = self.merchant()
        trial = fixed_movement(envelope, self, Kind.TRIAL, terms.trial_credits, key=TRIAL_KEY, reference_id=merchant)
        return [self.lapsing(trial, in_days=terms.trial_expires_days)]


class AccountCreated(Expiring, Payload):
    """An account was created, and the event says how many trial credits it gets."""

    trial_id: Annotated[Id | None, empty_is_none] = None
    credits_to_use: Credits

    def movements(self, envelope: Envelope, terms: Terms, _reading: Reading) -> list[Movement | Ignored]:
        """Return the trial; its key is that of `MerchantCreated`, so a merchant gets one trial."""
        reference_id = self.trial_id or self.merchant()
        trial = fixed_movement(
            envelope, self, Kind.TRIAL, self.credits_to_use, key=TRIAL_KEY, reference_id=reference_id
        )
        return [self.lapsing(trial, in_days=terms.trial_expires_days)]


class PaymentSucceeded(Expiring, Payload):
    """A payment was made, for this many credits."""

    payment_id: PaymentId
    credits: Credits
    aliases: PaymentAliases = ()

    def movements(self, envelope: Envelope, _terms: Terms, _reading: Reading) -> list[Movement | Ignored]:
        """Return the payment."""
        key, *others = map(payment_key, (self.payment_id, *self.aliases))
        paid = fixed_movement(envelope, self, Kind.PAYMENT, self.credits, key=key, reference_id=self.payment_id)
        return [known_by(others, self.lapsing(paid))]


class CreditsByManyNames(Payload):
    """Credits under any of the names that upstream services use; two that differ are invalid."""

    credits: Credits | None = None
    credits_used: Credits | None = None

    def amount(self, *names: str) -> int:
        """Return the credits that the fields `names` state.

        Raises:
            Rejected: there are none, or two that differ.
        """
        asked: set[int] = {value for name in names if (value := getattr(self, name)) is not None}
        if not asked:
            raise Rejected(Code.FIELD_MISSING, f"payload.{names[0]} is missing", field=f"payload.{names[0]}")
        if len(asked) > 1:
            raise Rejected(Code.CREDITS_INVALID, f"{' and '.join(names)} differ", field=f"payload.{names[0]}")
        return asked.pop()


class ManualAdjustment(Expiring, CreditsByManyNames):
    """An admin corrects a balance."""

    adjustment_id: FactId
    operation_type: Direction
    credits_to_use: Credits | None = None
    reason: Reason | None = None
    admin_id: Id | None = None
    aliases: Aliases = ()

    def movement(self, envelope: Envelope) -> FixedMovement:
        """Return the adjustment, with its reason and admin, which are kept but are not content.

        Raises:
            Rejected: it has no credits, two amounts that differ, or an expiry for credits that it removes.
        """
        if self.lapses and self.operation_type is Direction.DECREASE:
            field = "payload.expires_at" if self.expires_at is not None else "payload.expires_in_days"
            raise Rejected(Code.FIELD_INVALID, "only credits that are added can lapse", field=field)
        kind = Kind.MANUAL_ADDED if self.operation_type is Direction.INCREASE else Kind.MANUAL_REMOVED
        amount = self.amount("credits", "credits_to_use", "credits_used")
        key, *others = (adjustment_key(name) for name in (self.adjustment_id, *self.aliases))
        adjustment = fixed_movement(
            envelope,
            self,
            kind,
            amount,
            key=key,
            reference_id=self.adjustment_id,
            metadata=given(reason=self.reason, admin_id=self.admin_id),
        )
        return known_by(others, self.lapsing(adjustment))

    def movements(self, envelope: Envelope, _terms: Terms, _reading: Reading) -> list[Movement | Ignored]:
        """Return the adjustment."""
        return [self.movement(envelope)]


class AdjustmentRequest(ManualAdjustment):
    """An adjustment that an admin requests directly, with its reason and its admin.

    `batch_credits` are all credits that its batch moves, 0 for one alone. `confirmed_by` is another person, for whom
    the caller vouches.
    """

    reason: Reason
    admin_id: Id
    batch_credits: BatchCredits = 0
    confirmed_by: Id | None = None


def fixed_movement(
    envelope: Envelope,
    payload: Payload,
    kind: Kind,
    credits_asked: int,
    *,
    key: str,
    reference_id: str,
    metadata: Mapping[str, str | int] | None = None,
) -> FixedMovement:
    """Return the movement of a payload that states its number of credits."""
    return FixedMovement(
        merchant_id=payload.merchant(),
        key=key,
        reference_id=reference_id,
        occurred_at=envelope.time,
        correlation_id=envelope.correlation_id,
        metadata=metadata or {},
        kind=kind,
        credits=credits_asked,
    )


def known_by(keys: Iterable[str], movement: MovementT) -> MovementT:
    """Return the movement with these further keys, of its fact's other names (contract, section 13)."""
    others = tuple(key for key in dict.fromkeys(keys) if key != movement.key)
    return replace(movement, other_keys=others) if others else movement

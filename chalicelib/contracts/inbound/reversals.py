"""The payloads of refunded and disputed payments (contract, section 14)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.payloads import Ignored, Payload, Terms, known_by
from chalicelib.contracts.values import (
    Aliases,
    Credits,
    FactId,
    Money,
    PaymentId,
    Reading,
    given,
    money,
    money_text,
    nil_is_none,
)
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.movements import (
    DisputeWonMovement,
    Movement,
    ReversalMovement,
    dispute_key,
    dispute_won_key,
    reversal_key,
    reversal_to_key,
)
from chalicelib.domain.reversals import Portion

_FORMS = ("credits", "amount", "amount_refunded")


def _above_zero(value: Any) -> Any:
    if money(value) == 0:
        raise PydanticCustomError(Code.FIELD_INVALID, "a payment's total is above 0")
    return value


PaymentTotal = Annotated[Money, BeforeValidator(_above_zero)]


class PaymentRefunded(Payload):
    """A payment was refunded, in full or in part.

    In one of three forms: `credits`; an `amount` of the `payment_total`; or `amount_refunded`, the cumulative sum of
    the `payment_total`, which names the reversal: it needs no `reversal_id`, and `aliases` have no effect.
    """

    payment_id: PaymentId
    reversal_id: Annotated[FactId | None, nil_is_none] = None
    credits: Credits | None = None
    amount: Money | None = None
    amount_refunded: Money | None = None
    payment_total: PaymentTotal | None = None
    aliases: Aliases = ()

    def movements(self, envelope: Envelope, terms: Terms, _reading: Reading) -> list[Movement | Ignored]:
        """Return the reversal.

        Raises:
            Rejected: it has none of the three forms, or more than one, or lacks what its form needs.
        """
        forms = [name for name in _FORMS if getattr(self, name) is not None]
        if not forms:
            raise Rejected(
                Code.FIELD_MISSING, f"a refund needs one of {', '.join(_FORMS)}", field="payload.amount_refunded"
            )
        if len(forms) > 1:
            raise Rejected(
                Code.REFUND_AMBIGUOUS,
                f"{' and '.join(forms)} are both given: give one of them",
                field=f"payload.{forms[1]}",
            )
        if self.credits is None and self.payment_total is None:
            raise Rejected(
                Code.TOTAL_MISSING,
                f"{forms[0]} needs payment_total, which is missing",
                field="payload.payment_total",
            )
        portion = Portion(
            credits=self.credits,
            amount=self.amount,
            refunded=self.amount_refunded,
            payment_total=None if self.credits is not None else self.payment_total,
        )
        if self.amount_refunded is not None:
            key = reversal_to_key(self.payment_id, money_text(self.amount_refunded))
            return [_reversal(self, envelope, terms, keys=(key,), reference_id=self.payment_id, portion=portion)]
        if self.reversal_id is None:
            raise Rejected(Code.FIELD_MISSING, "payload.reversal_id is missing", field="payload.reversal_id")
        keys = [reversal_key(name) for name in (self.reversal_id, *self.aliases)]
        return [_reversal(self, envelope, terms, keys=keys, reference_id=self.reversal_id, portion=portion)]


class _OfDispute(Payload):
    payment_id: PaymentId
    dispute_id: FactId
    aliases: Aliases = ()


class PaymentDisputed(_OfDispute):
    """A payment is disputed: the bank has taken the money back until the dispute is decided."""

    def movements(self, envelope: Envelope, terms: Terms, _reading: Reading) -> list[Movement | Ignored]:
        """Return the reversal of what is left of the payment."""
        portion = Portion(dispute_id=self.dispute_id)
        keys = [dispute_key(name) for name in (self.dispute_id, *self.aliases)]
        return [_reversal(self, envelope, terms, keys=keys, reference_id=self.dispute_id, portion=portion)]


class PaymentDisputeWon(_OfDispute):
    """A dispute was decided for the shop: the money is back."""

    def movements(self, envelope: Envelope, _terms: Terms, _reading: Reading) -> list[Movement | Ignored]:
        """Return the movement that gives back what the dispute took."""
        won = DisputeWonMovement(
            merchant_id=self.merchant(),
            key=dispute_won_key(self.dispute_id),
            reference_id=self.dispute_id,
            occurred_at=envelope.time,
            correlation_id=envelope.correlation_id,
            metadata={"payment_id": self.payment_id, "dispute_id": self.dispute_id},
            payment_id=self.payment_id,
            dispute_id=self.dispute_id,
        )
        return [known_by(map(dispute_won_key, self.aliases), won)]


def _reversal(
    payload: PaymentRefunded | PaymentDisputed,
    envelope: Envelope,
    terms: Terms,
    *,
    keys: Sequence[str],
    reference_id: str,
    portion: Portion,
) -> ReversalMovement:
    reversal = ReversalMovement(
        merchant_id=payload.merchant(),
        key=keys[0],
        reference_id=reference_id,
        occurred_at=envelope.time,
        correlation_id=envelope.correlation_id,
        metadata={"payment_id": payload.payment_id, **_kept(portion)},
        payment_id=payload.payment_id,
        portion=portion,
        owed=terms.debt_owed,
    )
    return known_by(keys, reversal)


def _kept(portion: Portion) -> Mapping[str, str | int]:
    """Return a portion as metadata of its transaction; `Portion.recorded` reads it back."""
    return given(
        credits=portion.credits,
        amount=None if portion.amount is None else money_text(portion.amount),
        amount_refunded=None if portion.refunded is None else money_text(portion.refunded),
        payment_total=None if portion.payment_total is None else money_text(portion.payment_total),
        dispute_id=portion.dispute_id,
    )

"""The requests of admins that freeze an account or unfreeze it (contract, section 17, "Freeze")."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from chalicelib.contracts.inbound.envelopes import validated
from chalicelib.contracts.inbound.expiry import End
from chalicelib.contracts.values import Id, Merchant, OptionalCorrelationId, Reason
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.freeze import FreezeMovement, FreezeNote
from chalicelib.domain.movements import adjustment_key


class _Asked(BaseModel):
    """Who asks, and under which id: the same id again counts once, as that of an adjustment."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Merchant
    admin_id: Id
    adjustment_id: Id
    correlation_id: OptionalCorrelationId = None


class FreezeRequest(_Asked):
    """Freeze the account until an instant, or without an end."""

    reason: Reason
    until: End = None


class UnfreezeRequest(_Asked):
    """Unfreeze the account."""

    reason: Reason | None = None


def freezing(request: Any) -> FreezeMovement:
    """Return the movement of a request: `freeze` true freezes the account, false unfreezes it.

    Raises:
        Rejected: a field is missing or invalid; `field` names the first.
    """
    if not isinstance(request, dict) or not isinstance(request.get("freeze"), bool):
        raise Rejected(Code.FIELD_INVALID, "freeze is true or false", field="freeze")
    asked: FreezeRequest | UnfreezeRequest
    asked = validated(FreezeRequest, request) if request["freeze"] else validated(UnfreezeRequest, request)
    kept = {"reason": asked.reason, "admin_id": asked.admin_id}
    return FreezeMovement(
        merchant_id=asked.merchant_id,
        key=adjustment_key(asked.adjustment_id),
        reference_id=asked.adjustment_id,
        correlation_id=asked.correlation_id,
        metadata={name: text for name, text in kept.items() if text is not None},
        note=FreezeNote.FROZEN if isinstance(asked, FreezeRequest) else FreezeNote.UNFROZEN,
        until=asked.until if isinstance(asked, FreezeRequest) else None,
    )

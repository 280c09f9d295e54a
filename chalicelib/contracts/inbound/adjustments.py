"""The requests of admins, adjustments and thresholds, and the answer to a refused one.

Contract, sections 6 and 7.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from chalicelib.contracts.event_types import ADJUSTED
from chalicelib.contracts.inbound.envelopes import Envelope, validated
from chalicelib.contracts.inbound.payloads import AdjustmentRequest
from chalicelib.contracts.values import Id, Merchant, OptionalCorrelationId, whole
from chalicelib.domain.errors import Code, CreditsError, Rejected
from chalicelib.domain.movements import FixedMovement
from chalicelib.domain.orders import CREDITS_MAX

POSTED = "posted"
DUPLICATE = "duplicate"
"""The `outcome` in an adjustment's answer, for a caller that asked for it: recorded now, or before."""

_PREFIX = "payload."


class ThresholdRequest(BaseModel):
    """A low-balance threshold that an admin gives an account, in credits; null restores the default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Merchant
    low_balance_threshold: (
        Annotated[int, whole(0, CREDITS_MAX, "a threshold is a whole number from 0 to {most}, or null")] | None
    )
    admin_id: Id
    correlation_id: OptionalCorrelationId = None


def adjustment(request: Any) -> tuple[FixedMovement, AdjustmentRequest]:
    """Return the movement that an admin asks for, and the checked request.

    Raises:
        Rejected: a field is missing or invalid; `field` names the first.
    """
    if not isinstance(request, dict):
        raise Rejected(Code.FIELD_INVALID, "an adjustment is an object")
    asked = validated(AdjustmentRequest, request)
    # The type is what a direct request is recorded and published as having been asked by (contract, "Labels").
    named: dict[str, Any] = {"event_type": ADJUSTED, "correlation_id": request.get("correlation_id"), "payload": {}}
    try:
        return asked.movement(validated(Envelope, named)), asked
    except Rejected as error:
        # What comes in an event's payload is the request itself here.
        field = error.field.removeprefix(_PREFIX) if error.field else None
        raise Rejected(error.code, error.message.replace(_PREFIX, ""), field=field) from None


def refusal(error: CreditsError) -> dict[str, Any]:
    """Return the answer to a refused request, in the platform's error shape."""
    details = {"field": error.field} if error.field else {}
    return {"error": {"code": error.code, "message": error.message, "details": details}}

"""What admins ask of an account, adjustments and thresholds, and how a refusal is answered.

Contract, sections 6 and 7.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from chalicelib.contracts.inbound.envelopes import Envelope, rejected
from chalicelib.contracts.inbound.payloads import AdjustmentRequest
from chalicelib.contracts.values import Id, Merchant, OptionalTrace
from chalicelib.domain.errors import Code, CreditsError, Rejected
from chalicelib.domain.movements import FixedMovement
from chalicelib.domain.orders import CREDITS_MAX

EVENT_TYPE = "evt.credits.manual_adjustment"
"""What a direct request is recorded and published as having been asked by (contract, "Labels")."""
POSTED = "posted"
DUPLICATE = "duplicate"
"""What an adjustment's answer says of its `outcome`, to who asked for it: recorded now, or before."""

_PREFIX = "payload."


def _threshold(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= CREDITS_MAX:
        raise PydanticCustomError(
            Code.FIELD_INVALID, "a threshold is a whole number from 0 to {most}, or null", {"most": CREDITS_MAX}
        )
    return value


class ThresholdRequest(BaseModel):
    """A low-balance threshold that an admin gives an account, in credits; null restores the default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Merchant
    low_balance_threshold: Annotated[int | None, BeforeValidator(_threshold)]
    admin_id: Id
    correlation_id: OptionalTrace = None


def adjustment(request: Any) -> tuple[FixedMovement, AdjustmentRequest]:
    """Return the movement that an admin asks for, and the request itself.

    Raises:
        Rejected: the request lacks something or holds something wrong; `field` names the first.
    """
    if not isinstance(request, dict):
        raise Rejected(Code.FIELD_INVALID, "an adjustment is an object")
    try:
        asked = AdjustmentRequest.model_validate(request)
        envelope = Envelope.model_validate(
            {"event_type": EVENT_TYPE, "correlation_id": request.get("correlation_id"), "payload": {}}
        )
        return asked.movement(envelope), asked
    except ValidationError as error:
        raise rejected(error) from None
    except Rejected as error:
        # What comes in an event's payload is the request itself here.
        field = error.field.removeprefix(_PREFIX) if error.field else None
        raise Rejected(error.code, error.message.replace(_PREFIX, ""), field=field) from None


def threshold(request: Any) -> ThresholdRequest:
    """Return the threshold that an admin asks for.

    Raises:
        Rejected: the request lacks something or holds something wrong; `field` names the first.
    """
    if not isinstance(request, dict):
        raise Rejected(Code.FIELD_INVALID, "a threshold request is an object")
    try:
        return ThresholdRequest.model_validate(request)
    except ValidationError as error:
        raise rejected(error) from None


def refusal(error: CreditsError) -> dict[str, Any]:
    """Return how a request that changed nothing is answered, in the platform's error shape."""
    details = {"field": error.field} if error.field else {}
    return {"error": {"code": error.code, "message": error.message, "details": details}}

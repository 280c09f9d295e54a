"""Adjustments as admins ask for them, and how a refused one is answered (spec, section 7)."""

from typing import Any

from pydantic import ValidationError

from chalicelib.contracts.envelopes import Envelope, rejected
from chalicelib.contracts.payloads import AdjustmentRequest
from chalicelib.domain.errors import Code, CreditsError, Rejected
from chalicelib.domain.movements import Movement

EVENT_TYPE = "evt.credits.manual_adjustment"
"""What a direct request is recorded and published as having been asked by (hard-cases.md, "Labels")."""
PAYLOAD = "payload."


def adjustment(request: Any) -> Movement:
    """Return the movement that an admin asks for.

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
    except ValidationError as error:
        raise rejected(error) from None
    try:
        return asked.movement(envelope)
    except Rejected as error:
        # An event would name the payload; this request has none.
        field = error.field and error.field.removeprefix(PAYLOAD)
        raise Rejected(error.code, error.message.replace(PAYLOAD, ""), field=field) from None


def refusal(error: CreditsError) -> dict[str, Any]:
    """Return how an adjustment that was not posted is answered, in the platform's error shape."""
    details = {"field": error.field} if error.field else {}
    return {"error": {"code": error.code, "message": error.message, "details": details}}

"""The requests of admins: to adjust credits, to freeze an account, and to set thresholds, levels and graces.

Also the answer to a refused request (contract, sections 6, 7, 16 and 17).
"""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictInt,
    WithJsonSchema,
    field_validator,
)

from chalicelib.contracts.event_types import ADJUSTED
from chalicelib.contracts.inbound.envelopes import Envelope, validated
from chalicelib.contracts.inbound.expiry import End
from chalicelib.contracts.inbound.payloads import AdjustmentRequest
from chalicelib.contracts.values import FactId, Id, Merchant, OptionalCorrelationId, Reason, given, whole
from chalicelib.domain.errors import Code, CreditsError, Rejected
from chalicelib.domain.freeze import FreezeMovement, FreezeNote
from chalicelib.domain.movements import FixedMovement, adjustment_key
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.terms import (
    AT_MOST,
    HOURS_MAX,
    LEVELS_MAX,
    NAME_PATTERN,
    GraceTerms,
    Level,
    Levels,
    Unit,
    checked,
    least,
)

POSTED = "posted"
DUPLICATE = "duplicate"
"""The `outcome` in an adjustment's answer, for a caller that asked for it: recorded now, or before."""

_PREFIX = "payload."
_STRICT = ConfigDict(frozen=True, extra="ignore")


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


class _Asked(BaseModel):
    """Who asks, and under which id: the same id again counts once, as that of an adjustment."""

    model_config = _STRICT

    merchant_id: Merchant
    admin_id: Id
    adjustment_id: FactId
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
    return FreezeMovement(
        merchant_id=asked.merchant_id,
        key=adjustment_key(asked.adjustment_id),
        reference_id=asked.adjustment_id,
        correlation_id=asked.correlation_id,
        metadata=given(reason=asked.reason, admin_id=asked.admin_id),
        note=FreezeNote.FROZEN if isinstance(asked, FreezeRequest) else FreezeNote.UNFROZEN,
        until=asked.until if isinstance(asked, FreezeRequest) else None,
    )


class ThresholdRequest(BaseModel):
    """A low-balance threshold that an admin gives an account, in credits; null restores the default."""

    model_config = _STRICT

    merchant_id: Merchant
    low_balance_threshold: (
        Annotated[int, whole(0, CREDITS_MAX, "a threshold is a whole number from 0 to {most}, or null")] | None
    )
    admin_id: Id
    correlation_id: OptionalCorrelationId = None


_AT_BY_UNIT: list[JsonValue] = [
    {"properties": {"unit": {"const": unit.value}, "at": {"minimum": least(unit), "maximum": AT_MOST[unit]}}}
    for unit in Unit
]


class AlertLevel(BaseModel):
    """A level: the account is below it at `at` of `unit` or less."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra={"oneOf": _AT_BY_UNIT})

    name: Annotated[str, WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]
    at: StrictInt
    unit: Unit

    def level(self) -> Level:
        """Return the level."""
        return Level(name=self.name, at=self.at, unit=self.unit)


class LevelsRequest(BaseModel):
    """The levels that an admin sets for an account, up to five; an empty list means none, null restores the fleet's."""

    model_config = _STRICT

    merchant_id: Merchant
    levels: Annotated[list[AlertLevel], Field(max_length=LEVELS_MAX, json_schema_extra={"uniqueItems": True})] | None
    admin_id: Id
    correlation_id: OptionalCorrelationId = None

    def own(self) -> Levels | None:
        """Return the levels, None for the fleet's."""
        return None if self.levels is None else tuple(one.level() for one in self.levels)

    @field_validator("levels", mode="after")
    @classmethod
    def _together(cls, levels: list[AlertLevel] | None) -> list[AlertLevel] | None:
        checked(one.level() for one in levels or [])
        return levels


class GraceLimits(BaseModel):
    """How many hours a grace lasts, and how many credits may be owed in it; 0: no such limit, both 0: no grace."""

    model_config = _STRICT

    hours: Annotated[StrictInt, Field(ge=0, le=HOURS_MAX)] = 0
    credits: Annotated[StrictInt, Field(ge=0, le=CREDITS_MAX)] = 0


class GraceRequest(BaseModel):
    """The limits that an admin sets for an account's next grace; null restores the fleet's."""

    model_config = _STRICT

    merchant_id: Merchant
    grace: GraceLimits | None
    admin_id: Id
    correlation_id: OptionalCorrelationId = None

    def own(self) -> GraceTerms | None:
        """Return the limits, None for the fleet's."""
        return None if self.grace is None else GraceTerms(hours=self.grace.hours, credits=self.grace.credits)


Override = ThresholdRequest | LevelsRequest | GraceRequest


def override(request: Any) -> Override:
    """Return what an admin sets: `levels` or `grace` where the request has one of them, else a threshold.

    Raises:
        Rejected: a field is missing or invalid; `field` names the first.
    """
    if not isinstance(request, dict):
        raise Rejected(Code.FIELD_INVALID, "what an admin sets is an object")
    if "levels" in request:
        return validated(LevelsRequest, request)
    if "grace" in request:
        return validated(GraceRequest, request)
    return validated(ThresholdRequest, request)

"""What an admin sets for one account instead of the fleet's: levels and a grace (contract, section 16)."""

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

from chalicelib.contracts.inbound.adjustments import ThresholdRequest
from chalicelib.contracts.inbound.envelopes import validated
from chalicelib.contracts.values import Id, Merchant, OptionalCorrelationId
from chalicelib.domain.alerts import AT_MOST, LEVELS_MAX, NAME_PATTERN, Level, Levels, Unit, checked, least
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.terms import HOURS_MAX, GraceTerms

_STRICT = ConfigDict(frozen=True, extra="ignore")
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

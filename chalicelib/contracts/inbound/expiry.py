"""When credits lapse, as events and requests state it (contract, section 16).

It decides about credits, so it is strict: an unreadable instant or number of days is poison, and so are both at once.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, WithJsonSchema, field_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.contracts.moments import MOMENT_FORM, moment, never_set
from chalicelib.contracts.values import whole
from chalicelib.domain.errors import Code
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.movements import FixedMovement

EXPIRES_IN_DAYS_MAX = 3650
"""The most days after which credits may lapse."""


def end(value: Any) -> Instant | None:
    """Return the instant of a value, None for null; raises `PydanticCustomError` for an invalid one."""
    if value is None:
        return None
    found = moment(value)
    if found is None:
        raise PydanticCustomError(
            Code.FIELD_INVALID, "it must be a time in RFC 3339, a date, or a number of seconds since 1970"
        )
    return instant(found)


def _stated(value: Any) -> Instant | None:
    return None if never_set(value) else end(value)


def _refused(value: Any) -> None:
    if not never_set(value):
        raise PydanticCustomError(Code.FIELD_INVALID, "only added credits can lapse, and this order uses credits")


End = Annotated[Instant | None, BeforeValidator(end), WithJsonSchema(MOMENT_FORM)]
StatedEnd = Annotated[Instant | None, BeforeValidator(_stated), WithJsonSchema(MOMENT_FORM)]
"""An end that an event states; None if its sender never set it."""
Days = Annotated[
    Annotated[int, whole(1, EXPIRES_IN_DAYS_MAX, "days are a whole number from 1 to {most}")] | None,
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": EXPIRES_IN_DAYS_MAX}),
]
NoEnd = SkipJsonSchema[Annotated[None, BeforeValidator(_refused)]]
"""A field that must not be there. No document names it."""


class Expiring(BaseModel):
    """The fields that state when credits lapse: at an instant, or a number of days after they are recorded."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    expires_at: StatedEnd = None
    expires_in_days: Days = None

    @field_validator("expires_in_days")
    @classmethod
    def _one_of_both(cls, days: int | None, info: ValidationInfo) -> int | None:
        if days is not None and info.data.get("expires_at") is not None:
            raise PydanticCustomError(Code.FIELD_INVALID, "expires_at and expires_in_days are both given")
        return days

    @property
    def lapses(self) -> bool:
        """Whether it states when its credits lapse."""
        return self.expires_at is not None or self.expires_in_days is not None

    def lapsing(
        self, movement: FixedMovement, *, at: datetime | None = None, in_days: int | None = None
    ) -> FixedMovement:
        """Return the movement with the end of its credits: the stated one, else the setting's."""
        if self.lapses:
            return replace(
                movement, expires_at=self.expires_at, expires_in_days=self.expires_in_days, expiry_stated=True
            )
        if at is not None:
            return replace(movement, expires_at=instant(at))
        return replace(movement, expires_in_days=in_days) if in_days else movement

"""Values that move nothing: what cannot be read of them is absent, and never stops a movement (contract, section 11).

What is dropped is named, so that it can be counted; it is never cut, since half an id would join two traces. The
form of what decides money is strict: see `values`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.contracts.values import KEY_LENGTH_MAX, MONEY_FORM, currency, money, text_id
from chalicelib.domain.ids import Instant, instant

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A time before this is a zero value or a mistake of its sender, and counts as none."""
AHEAD_MAX = timedelta(days=1)
"""How far ahead of now a time may be: clocks differ, but not by more."""
MILLISECONDS_FROM: Final = 10**11
"""A number from here on counts milliseconds since 1970, a smaller one seconds."""

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The reading of one message: when it is read, and the names of the fields that were dropped from it.

    `ahead` are the times among them that lie too far ahead: no times of facts, but what their sender wrote.
    """

    now: datetime
    dropped: list[str] = field(default_factory=list)
    ahead: list[Instant] = field(default_factory=list)


class Unreadable:
    """What stands in place of money that cannot be read, until it is known whether anybody needs it."""


UNREADABLE: Final = Unreadable()


def moment(value: Any) -> datetime | None:
    """Return the time that a value means, None for none: RFC 3339 with any offset, a date, or a number since 1970.

    A time without an offset is UTC, a date its midnight; a number counts seconds, or milliseconds from 10^11 on.
    """
    try:
        if isinstance(value, str):
            if _TIME.fullmatch(value) is None:
                return None
            # RFC 3339 takes small letters too, Python capital ones only.
            found = datetime.fromisoformat(value.upper().replace(",", "."))
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            milliseconds = int(value if value >= MILLISECONDS_FROM else value * 1000)
            return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError, ArithmeticError):
        return None
    return None


def lenient(read: Callable[[Any, Reading], Any]) -> BeforeValidator:
    """Return a validator for a field that stops nothing: null and empty are absent, and so is what `read` refuses."""

    def validated(value: Any, info: ValidationInfo) -> Any:
        if value is None or value == "":
            return None
        reading = info.context if isinstance(info.context, Reading) else Reading(now=datetime.now(UTC))
        try:
            found = read(value, reading)
        except PydanticCustomError:
            found = None
        if found is None:
            reading.dropped.append(str(info.field_name))
        return found

    return BeforeValidator(validated)


def _time(value: Any, reading: Reading) -> Instant | None:
    found = moment(value)
    if found is None or found < EARLIEST:
        return None
    if found > reading.now + AHEAD_MAX:
        reading.ahead.append(instant(found))
        return None
    return instant(found)


def _unneeded_money(value: Any) -> Decimal | Unreadable | None:
    if value is None or value == "":
        return None
    try:
        return money(value)
    except PydanticCustomError:
        return UNREADABLE


_TEXT = {"type": "string", "maxLength": KEY_LENGTH_MAX, "pattern": "^[ -~]*$"}
_MOMENT = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}, {"type": "number"}]
}

# pydantic need not know what stands in for money that cannot be read: the validator returns nothing else.
OptionalMoney = Annotated[Any, BeforeValidator(_unneeded_money), WithJsonSchema(MONEY_FORM)]
OptionalTrace = Annotated[str | None, lenient(lambda value, _: text_id(value, longest=KEY_LENGTH_MAX))]
OptionalKey = Annotated[str | None, lenient(lambda value, _: text_id(value, longest=KEY_LENGTH_MAX))]
OptionalTime = Annotated[Instant | None, lenient(_time), WithJsonSchema(_MOMENT)]
OptionalCurrency = Annotated[
    str | None,
    lenient(lambda value, _: currency(value)),
    WithJsonSchema({"type": "string", "description": "A code of three letters; anything else counts as none."}),
]

"""The values of events and requests, and their checks (contract, sections 3 and 4).

Values that decide about money or credits are strict: a text is never read as a number, nor a fraction as whole credits.
A refusal names the field and the rule, never the value, which may be personal.

Values that move nothing are lenient: an unreadable one counts as absent and never stops a movement (contract, section
11). A dropped field is named, so that it can be counted. It is never cut, since half an id could join two traces.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.contracts.decoding import is_writable
from chalicelib.contracts.moments import EARLIEST, MOMENT_FORM, moment
from chalicelib.domain.errors import Code
from chalicelib.domain.ids import (
    GLOBAL_ID_LENGTH_MAX,
    ID_LENGTH_MAX,
    NIL_UUIDS,
    SESSION_ID_LENGTH_MAX,
    SESSION_PREFIX,
    Instant,
    MerchantId,
    instant,
    merchant_id,
    payment_id_length_max,
    shop_id,
)
from chalicelib.domain.orders import CREDITS_MAX

KEY_LENGTH_MAX = 255
REASON_LENGTH_MAX = 500
BATCH_CREDITS_MAX = 10**15
ALIASES_MAX = 4
"""Other ids of the same fact that an event may name (contract, section 13)."""
MONEY_DIGITS_MAX = 16
"""Digits of money before the point."""
MONEY_LENGTH_MAX = 33
"""Characters of money, the point among them: a sender's binary number below 1 has up to twenty digits after it."""
AHEAD_MAX = timedelta(days=1)
"""How far ahead of now a time may be: clocks differ, but not by more."""
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_DECIMAL = re.compile(rf"[0-9]{{1,{MONEY_DIGITS_MAX}}}(\.[0-9]+)?")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
NO_CURRENCY: Final = "XXX"
"""ISO 4217's code for no currency, which Shopify writes where it knows none."""


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def text_id(value: Any, *, longest: int = ID_LENGTH_MAX) -> str:
    """Return an id as text; raises `PydanticCustomError` if it is invalid."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > longest or _PRINTABLE.fullmatch(text) is None:
        raise PydanticCustomError(
            Code.FIELD_INVALID,
            "an id is a text of 1 to {longest} printable ASCII characters, or an integer",
            {"longest": longest},
        )
    return text


def _fact_id(value: Any, *, longest: int = ID_LENGTH_MAX) -> str:
    """Return the id of a fact; one that was never set is refused, since it would be the id of many."""
    if value in NIL_UUIDS:
        raise PydanticCustomError(Code.FIELD_MISSING, "a UUID of zeros was never set, and names nothing")
    return text_id(value, longest=longest)


def _payment_id(value: Any) -> str:
    return _fact_id(value, longest=payment_id_length_max(value) if isinstance(value, str) else ID_LENGTH_MAX)


def _shop_id(value: Any) -> str:
    if isinstance(value, str) and len(value) <= GLOBAL_ID_LENGTH_MAX and _PRINTABLE.fullmatch(value):
        value = shop_id(value)
    return _fact_id(value)


def is_unset(value: Any) -> bool:
    """Whether a value is what senders write for one that they never set: null, an empty text, or a UUID of zeros."""
    return value is None or value in ("", *NIL_UUIDS)


empty_is_none = BeforeValidator(lambda value: None if is_unset(value) else value)
"""For a field that may be null and is no part of a key: an unset value counts as null."""
nil_is_none = BeforeValidator(lambda value: None if value in NIL_UUIDS else value)
"""For an id that may be null and is part of a key: a UUID of zeros counts as null."""


def other_names(read: Callable[[Any], str]) -> BeforeValidator:
    """Return a validator of a fact's other ids, each checked by `read`; no list, and null in one, means none."""

    def validated(value: Any) -> tuple[str, ...]:
        if value is not None and not isinstance(value, list):
            raise PydanticCustomError(Code.FIELD_INVALID, "aliases are a list of ids")
        names = tuple(dict.fromkeys(read(name) for name in value or () if not is_unset(name)))
        if len(names) > ALIASES_MAX:
            raise PydanticCustomError(Code.FIELD_INVALID, "a fact has up to {most} aliases", {"most": ALIASES_MAX})
        return names

    return BeforeValidator(validated)


def _merchant(value: Any) -> MerchantId:
    try:
        return merchant_id(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError(Code.FIELD_INVALID, "a merchant id is a UUID") from None


def whole(least: int, most: int, refusal: str, *, code: Code = Code.FIELD_INVALID) -> BeforeValidator:
    """Return a validator of whole numbers in this range; `refusal` is a sentence, with `{most}` for the greatest."""

    def validated(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise PydanticCustomError(code, refusal, {"most": most})
        return value

    return BeforeValidator(validated)


def money(value: Any) -> Decimal:
    """Return an exact amount of money; raises `PydanticCustomError` if it is invalid."""
    if isinstance(value, Decimal) and is_writable(value):
        value = f"{value:f}"
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**MONEY_DIGITS_MAX:
        value = str(value)
    if not isinstance(value, str) or len(value) > MONEY_LENGTH_MAX or _DECIMAL.fullmatch(value) is None:
        raise PydanticCustomError(
            Code.FIELD_INVALID,
            "money is a decimal number of at least 0, with up to {digits} digits before the point and {most} in all",
            {"digits": MONEY_DIGITS_MAX, "most": MONEY_LENGTH_MAX - 1},
        )
    return Decimal(value)


def currency(value: Any) -> str | None:
    """Return a currency's code in capitals, None for no currency; raises `PydanticCustomError` if it is invalid."""
    if not isinstance(value, str) or _CURRENCY.fullmatch(value) is None:
        raise PydanticCustomError(Code.FIELD_INVALID, "a currency is a code of three letters")
    code = value.upper()
    return None if code == NO_CURRENCY else code


def _reason(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= REASON_LENGTH_MAX or not text.isprintable():
        raise PydanticCustomError(
            Code.FIELD_INVALID,
            "a reason is a printable text of 1 to {longest} characters",
            {"longest": REASON_LENGTH_MAX},
        )
    return text


def money_text(amount: Decimal) -> str:
    """Return money in its recorded form: plain digits without trailing zeros, so that equal amounts are equal texts."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The reading of one message: when it is read, and the names of the fields that were dropped from it.

    `ahead` are the dropped times that lie too far ahead: not the times of facts, but what their sender wrote.
    """

    now: datetime
    dropped: list[str] = field(default_factory=list)
    ahead: list[Instant] = field(default_factory=list)


class UnreadableMoney:
    """Marks an amount of money that cannot be read. It is an error only if a movement needs the amount."""


UNREADABLE: Final = UnreadableMoney()


def lenient(read: Callable[[Any, Reading], Any]) -> BeforeValidator:
    """Return a validator for a lenient field: null, empty and values that `read` refuses count as absent."""

    def validated(value: Any, info: ValidationInfo) -> Any:
        if is_unset(value):
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


def _unneeded_money(value: Any) -> Decimal | UnreadableMoney | None:
    if value is None or value == "":
        return None
    try:
        return money(value)
    except PydanticCustomError:
        return UNREADABLE


def _id_form(longest: int) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[ -~]+$"}
    return {"anyOf": [text, {"type": "integer"}]}


def _payment_id_form() -> dict[str, Any]:
    session = {"type": "string", "maxLength": SESSION_ID_LENGTH_MAX, "pattern": f"^{SESSION_PREFIX}[ -~]*$"}
    return {"anyOf": [*_id_form(ID_LENGTH_MAX)["anyOf"], session]}


def _aliases_form(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": ["array", "null"],
        "items": one,
        "maxItems": ALIASES_MAX,
        "description": "Other ids of the same fact, of the kind that names it; any of them in a later event means it.",
    }


# Each form says to readers of the documents what its validator takes; a test holds the two together.
_MERCHANT_FORM = {
    "type": "string",
    "pattern": "^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})$",
}
_CREDITS_FORM = {"type": "integer", "minimum": 1, "maximum": CREDITS_MAX}
MONEY_FORM = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_DECIMAL.pattern}$", "maxLength": MONEY_LENGTH_MAX},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**MONEY_DIGITS_MAX},
    ]
}
_REASON_FORM = {"type": "string", "minLength": 1, "maxLength": REASON_LENGTH_MAX}
Id = Annotated[str, BeforeValidator(text_id), WithJsonSchema(_id_form(ID_LENGTH_MAX))]
FactId = Annotated[str, BeforeValidator(_fact_id), WithJsonSchema(_id_form(ID_LENGTH_MAX))]
PaymentId = Annotated[str, BeforeValidator(_payment_id), WithJsonSchema(_payment_id_form())]
ShopId = Annotated[str, BeforeValidator(_shop_id), WithJsonSchema(_id_form(GLOBAL_ID_LENGTH_MAX))]
Aliases = Annotated[tuple[str, ...], other_names(text_id), WithJsonSchema(_aliases_form(_id_form(ID_LENGTH_MAX)))]
PaymentAliases = Annotated[tuple[str, ...], other_names(_payment_id), WithJsonSchema(_aliases_form(_payment_id_form()))]
ShopAliases = Annotated[
    tuple[str, ...], other_names(_shop_id), WithJsonSchema(_aliases_form(_id_form(GLOBAL_ID_LENGTH_MAX)))
]
Merchant = Annotated[MerchantId, BeforeValidator(_merchant), WithJsonSchema(_MERCHANT_FORM)]
Credits = Annotated[
    int,
    whole(1, CREDITS_MAX, "credits are a whole number from 1 to {most}", code=Code.CREDITS_INVALID),
    WithJsonSchema(_CREDITS_FORM),
]
BatchCredits = Annotated[
    int,
    whole(0, BATCH_CREDITS_MAX, "a batch's credits are a whole number from 0 to {most}"),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": BATCH_CREDITS_MAX}),
]
Money = Annotated[Decimal, BeforeValidator(money), WithJsonSchema(MONEY_FORM)]
Reason = Annotated[str, BeforeValidator(_reason), WithJsonSchema(_REASON_FORM)]

# The validator returns an amount, None or `UNREADABLE`; the type is Any, since pydantic has no schema for the last.
OptionalMoney = Annotated[Any, BeforeValidator(_unneeded_money), WithJsonSchema(MONEY_FORM)]
OptionalCorrelationId = Annotated[str | None, lenient(lambda value, _: text_id(value, longest=KEY_LENGTH_MAX))]
OptionalKey = Annotated[str | None, lenient(lambda value, _: text_id(value, longest=KEY_LENGTH_MAX))]
OptionalTime = Annotated[Instant | None, lenient(_time), WithJsonSchema(MOMENT_FORM)]
OptionalCurrency = Annotated[
    str | None,
    lenient(lambda value, _: currency(value)),
    WithJsonSchema({"type": "string", "description": "A code of three letters; anything else counts as none."}),
]

"""The values that events and requests are made of, checked as the contract says (contract, sections 3 and 4).

Strict: a text is never taken for a number, nor a fraction for whole credits. What is refused is named by the
field and the rule, never by the value, which may be personal.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.domain.errors import Code
from chalicelib.domain.ids import Instant, MerchantId, instant, merchant_id
from chalicelib.domain.orders import CREDITS_MAX

ID_LENGTH_MAX = 64
KEY_LENGTH_MAX = 255
REASON_LENGTH_MAX = 500
MONEY_DIGITS_MAX = 16
"""Digits of money before and behind the point, each."""

_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_DECIMAL = re.compile(rf"[0-9]{{1,{MONEY_DIGITS_MAX}}}(\.[0-9]{{1,{MONEY_DIGITS_MAX}}})?")
_CURRENCY = re.compile(r"[A-Za-z]{3}")


def _id(value: Any, *, longest: int = ID_LENGTH_MAX) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > longest or _PRINTABLE.fullmatch(text) is None:
        raise PydanticCustomError(
            Code.FIELD_INVALID,
            "an id is a text of 1 to {longest} printable ASCII characters, or an integer",
            {"longest": longest},
        )
    return text


def _key(value: Any) -> str:
    return _id(value, longest=KEY_LENGTH_MAX)


def _merchant(value: Any) -> MerchantId:
    try:
        return merchant_id(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError(Code.FIELD_INVALID, "a merchant id is a UUID") from None


def _credits(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= CREDITS_MAX:
        raise PydanticCustomError(
            Code.CREDITS_INVALID, "credits are a whole number from 1 to {most}", {"most": CREDITS_MAX}
        )
    return value


def _money(value: Any) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= MONEY_DIGITS_MAX:
        value = f"{value:f}"
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**MONEY_DIGITS_MAX:
        value = str(value)
    if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
        raise PydanticCustomError(
            Code.FIELD_INVALID,
            "money is a decimal number of at least 0, with up to {digits} digits before and behind the point",
            {"digits": MONEY_DIGITS_MAX},
        )
    return Decimal(value)


def _instant(value: Any) -> Instant:
    try:
        # RFC 3339 takes small letters too, Python capital ones only.
        moment = datetime.fromisoformat(value.upper() if isinstance(value, str) else value)
        return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (TypeError, ValueError, OverflowError):
        raise PydanticCustomError(Code.FIELD_INVALID, "a time is a text in ISO 8601") from None


def _currency(value: Any) -> str:
    if not isinstance(value, str) or _CURRENCY.fullmatch(value) is None:
        raise PydanticCustomError(Code.FIELD_INVALID, "a currency is a code of three letters")
    return value.upper()


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
    """Return money as it is recorded: plain digits without idle zeros, so that equal amounts are equal texts."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _id_form(longest: int) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[ -~]+$"}
    return {"anyOf": [text, {"type": "integer"}]}


# Each form says to readers of the documents what its validator takes; a test holds the two together.
_MERCHANT_FORM = {
    "type": "string",
    "pattern": "^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})$",
}
_CREDITS_FORM = {"type": "integer", "minimum": 1, "maximum": CREDITS_MAX}
_MONEY_FORM = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_DECIMAL.pattern}$"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**MONEY_DIGITS_MAX},
    ]
}
_REASON_FORM = {"type": "string", "minLength": 1, "maxLength": REASON_LENGTH_MAX}

Id = Annotated[str, BeforeValidator(_id), WithJsonSchema(_id_form(ID_LENGTH_MAX))]
Key = Annotated[str, BeforeValidator(_key), WithJsonSchema(_id_form(KEY_LENGTH_MAX))]
Merchant = Annotated[MerchantId, BeforeValidator(_merchant), WithJsonSchema(_MERCHANT_FORM)]
Credits = Annotated[int, BeforeValidator(_credits), WithJsonSchema(_CREDITS_FORM)]
Money = Annotated[Decimal, BeforeValidator(_money), WithJsonSchema(_MONEY_FORM)]
Time = Annotated[Instant, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
Currency = Annotated[
    str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "pattern": f"^{_CURRENCY.pattern}$"})
]
Reason = Annotated[str, BeforeValidator(_reason), WithJsonSchema(_REASON_FORM)]

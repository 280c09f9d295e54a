"""The values that events and requests are made of, checked as the contract says (contract, sections 3 and 4).

Strict: a text is never taken for a number, nor a fraction for whole credits. What is refused is named by the
field and the rule, never by the value, which may be personal.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from chalicelib.domain.errors import Code
from chalicelib.domain.ids import GLOBAL_ID_LENGTH_MAX, MerchantId, merchant_id, shop_id
from chalicelib.domain.orders import CREDITS_MAX

ID_LENGTH_MAX = 64
KEY_LENGTH_MAX = 255
REASON_LENGTH_MAX = 500
ALIASES_MAX = 4
"""Other ids of the same fact that an event may name (contract, section 13)."""
MONEY_DIGITS_MAX = 16
"""Digits of money before and behind the point, each."""

_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_DECIMAL = re.compile(rf"[0-9]{{1,{MONEY_DIGITS_MAX}}}(\.[0-9]{{1,{MONEY_DIGITS_MAX}}})?")
_CURRENCY = re.compile(r"[A-Za-z]{3}")


def text_id(value: Any, *, longest: int = ID_LENGTH_MAX) -> str:
    """Return an id as text; raises `PydanticCustomError` for what is none."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > longest or _PRINTABLE.fullmatch(text) is None:
        raise PydanticCustomError(
            Code.FIELD_INVALID,
            "an id is a text of 1 to {longest} printable ASCII characters, or an integer",
            {"longest": longest},
        )
    return text


def _shop_id(value: Any) -> str:
    return text_id(shop_id(text_id(value, longest=GLOBAL_ID_LENGTH_MAX)))


def other_names(read: Callable[[Any], str]) -> BeforeValidator:
    """Return a validator of the other ids of a fact, each as `read` has it; no list, and null in one, names nothing."""

    def validated(value: Any) -> tuple[str, ...]:
        if value is not None and not isinstance(value, list):
            raise PydanticCustomError(Code.FIELD_INVALID, "aliases are a list of ids")
        names = tuple(dict.fromkeys(read(name) for name in value or () if name is not None and name != ""))
        if len(names) > ALIASES_MAX:
            raise PydanticCustomError(Code.FIELD_INVALID, "a fact has up to {most} aliases", {"most": ALIASES_MAX})
        return names

    return BeforeValidator(validated)


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


def money(value: Any) -> Decimal:
    """Return an amount of money, exact; raises `PydanticCustomError` for what is none."""
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


def currency(value: Any) -> str:
    """Return a currency's code in capitals; raises `PydanticCustomError` for what is none."""
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


def _aliases_form(longest: int) -> dict[str, Any]:
    return {
        "type": ["array", "null"],
        "items": _id_form(longest),
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
        {"type": "string", "pattern": f"^{_DECIMAL.pattern}$"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**MONEY_DIGITS_MAX},
    ]
}
_REASON_FORM = {"type": "string", "minLength": 1, "maxLength": REASON_LENGTH_MAX}

Id = Annotated[str, BeforeValidator(text_id), WithJsonSchema(_id_form(ID_LENGTH_MAX))]
ShopId = Annotated[str, BeforeValidator(_shop_id), WithJsonSchema(_id_form(GLOBAL_ID_LENGTH_MAX))]
Aliases = Annotated[tuple[str, ...], other_names(text_id), WithJsonSchema(_aliases_form(ID_LENGTH_MAX))]
ShopAliases = Annotated[tuple[str, ...], other_names(_shop_id), WithJsonSchema(_aliases_form(GLOBAL_ID_LENGTH_MAX))]
Merchant = Annotated[MerchantId, BeforeValidator(_merchant), WithJsonSchema(_MERCHANT_FORM)]
Credits = Annotated[int, BeforeValidator(_credits), WithJsonSchema(_CREDITS_FORM)]
Money = Annotated[Decimal, BeforeValidator(money), WithJsonSchema(MONEY_FORM)]
Reason = Annotated[str, BeforeValidator(_reason), WithJsonSchema(_REASON_FORM)]

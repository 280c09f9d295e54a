"""How many credits a purchase at Stripe gives: those in its metadata, else those set for its price."""

from collections.abc import Iterable
from typing import Final, NoReturn

from chalicelib.contracts.sources.fields import Fields, Shape
from chalicelib.contracts.sources.webhooks import SourceTerms
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.orders import CREDITS_MAX

ID: Final[Shape] = {"id": None}
"""An object named by its id, or there itself: of the whole object, its id alone is kept."""
METADATA: Final[Shape] = {"credits": None, "merchant_id": None}
PRICED: Final[Shape] = {
    "quantity": None,
    "metadata": METADATA,
    "price": ID,
    "plan": ID,
    "pricing": {"price_details": {"price": ID}},
}
"""What a line says of its price: `pricing` since 2025-03-31, `price` before, `plan` before 2020."""

_DIGITS_MAX = 12


def stated(metadata: Fields) -> int | None:
    """Return `metadata.credits`, which Stripe stores as text; 0 means no credits."""
    value = metadata.values.get("credits")
    if value is None or value == "":
        return None
    digits = str(value) if type(value) is int else value
    if not isinstance(digits, str) or not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX):
        metadata.invalid("credits", "a whole number of credits", Code.CREDITS_INVALID)
    return in_range(metadata, int(digits))


def of_line(line: Fields, terms: SourceTerms) -> int:
    """Return the credits of a line: those that its metadata states, else its price's times its quantity.

    Raises:
        Rejected: neither states a number.
    """
    own = stated(line.within("metadata"))
    return of_price(line, terms) if own is None else own


def of_price(line: Fields, terms: SourceTerms) -> int:
    """Return the credits that a line's price gives, times its quantity.

    Raises:
        Rejected: the price is not in `CREDITS_BY_PRICE`.
    """
    quantity = line.whole("quantity")
    quantity = 1 if quantity is None else quantity
    if quantity < 0:
        line.invalid("quantity", "a whole number of at least 0")
    each = _each(line, terms)
    if each is None:
        unknown(line.path("pricing" if _price(line.within("pricing", "price_details"), "price") else "price"))
    return in_range(line, each * quantity)


def is_priced(line: Fields, terms: SourceTerms) -> bool:
    """Return whether `CREDITS_BY_PRICE` has a line's price."""
    return _each(line, terms) is not None


def _each(line: Fields, terms: SourceTerms) -> int | None:
    pricing = _price(line.within("pricing", "price_details"), "price")
    names = (pricing, _price(line, "price"), _price(line, "plan"))
    return next((terms.credits_by_price[name] for name in names if name and name in terms.credits_by_price), None)


def _price(fields: Fields, name: str) -> str | None:
    """Return the id of a price, or of a plan (whose owner chose the id): any text, since it is only looked up."""
    return fields.within(name).text("id") if isinstance(fields.values.get(name), dict) else fields.text(name)


def of_lines(lines: Iterable[Fields], terms: SourceTerms) -> int:
    """Return the credits of several lines together."""
    return sum(of_line(line, terms) for line in lines)


def in_range(fields: Fields, credits_found: int) -> int:
    """Return a number of credits, which must be in the range of one movement."""
    if credits_found > CREDITS_MAX:
        fields.invalid("credits", f"at most {CREDITS_MAX} credits", Code.CREDITS_INVALID)
    return credits_found


def unknown(field: str) -> NoReturn:
    """Raise `Rejected`: nothing states how many credits a payment gives."""
    raise Rejected(
        Code.CREDITS_UNKNOWN,
        "neither metadata.credits nor CREDITS_BY_PRICE says how many credits this gives",
        field=field,
    )

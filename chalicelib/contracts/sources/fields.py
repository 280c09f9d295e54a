"""The relevant fields of a webhook: the webhook is cut to them, and they are read strictly.

A webhook is cut before it is read. So no other field can have an effect, a cut body is read like the whole one, and
personal data is dropped. Standard library only.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, NoReturn, Union

from chalicelib.contracts.decoding import read_object
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import payment_id_length_max

TEXT_LENGTH_MAX = 255
"""The longest text in a relevant field; a longer one is invalid, and no part of it is kept."""
ENTRIES_MAX = 10_000
"""Most entries of a list that is counted: Shopify's largest orders have some hundred lines."""

COUNT: Final = "count"
Shape = Mapping[str, Union["Shape", Literal["count"], None]]
"""Names of the fields that decide: None for a value, a shape for an object, a list of them or an id in its place.

`COUNT` is for a list of which only the number of entries decides: that number takes its place.
"""


def cut(fields: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """Return `fields` without everything that `shape` does not name; cutting again changes nothing."""
    return {name: _kept(fields[name], inner) for name, inner in shape.items() if name in fields}


def decoded(body: str) -> dict[str, Any]:
    """Return a webhook's body as a JSON object. A field that appears twice is not named: its name may be personal.

    Raises:
        Rejected: the body is not a JSON object, nests too deep, or names a field twice.
    """
    try:
        return read_object(body)
    except Rejected as error:
        raise Rejected(error.code, error.message) from None


INTEGER_DIGITS_MAX = 1_000
"""Digits of a whole number in a body that is cut to be parked: a longer one decides nothing."""


class Repeated(list[Any]):
    """The values of a name that an object has more than once; reading them as a field is an error."""


def decoded_leniently(body: str) -> Any:
    """Return the content of an invalid body, to be cut: without its byte order mark, and with repeated names.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return _LENIENT.decode(body.removeprefix("\ufeff"))
    except (RecursionError, ArithmeticError) as error:
        raise ValueError("no JSON") from error


def _with_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        before = fields.get(name)
        if isinstance(before, Repeated):
            before.append(value)
        else:
            fields[name] = Repeated([before, value]) if name in fields else value
    return fields


# Python refuses to read whole numbers of more digits, so that nobody waits for them.
_LENIENT = json.JSONDecoder(
    object_pairs_hook=_with_repeats,
    parse_float=Decimal,
    parse_int=lambda text: int(text) if len(text) <= INTEGER_DIGITS_MAX else None,
)


def as_json(value: Any) -> str:
    """Return JSON text in which a Decimal is a number with all its digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{as_json(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _kept(value: Any, shape: Shape | Literal["count"] | None) -> Any:
    if shape == COUNT:
        return _counted(value)
    if isinstance(value, dict):
        return {} if shape is None else cut(value, shape)
    if isinstance(value, Repeated):
        return Repeated(_kept(each, shape) for each in value)
    if isinstance(value, list):
        # A list in a list is never a form of either sender.
        return [] if shape is None else [[] if isinstance(entry, list) else _kept(entry, shape) for entry in value]
    # An empty list is no text either: too long and unreadable have the same end.
    return [] if isinstance(value, str) and len(value) > TEXT_LENGTH_MAX else value


def _counted(value: Any) -> Any:
    if isinstance(value, list):
        return len(value)
    # An object is no number of entries either, and holds nothing of what was there.
    return value if value is None or (isinstance(value, int) and not isinstance(value, bool)) else {}


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a webhook, and the `prefix` of its fields' paths; null and an empty text count as absent.

    Every reader raises `Rejected` for a value of another form, and names the field, never the value.
    """

    values: Mapping[str, Any]
    prefix: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def path(self, name: str) -> str:
        """Return the path of a field of this object in the body."""
        return f"{self.prefix}{name}"

    def missing(self, name: str) -> NoReturn:
        """Raise `Rejected` for a missing field."""
        raise Rejected(Code.FIELD_MISSING, f"{self.path(name)} is missing", field=self.path(name))

    def invalid(self, name: str, form: str, code: Code = Code.FIELD_INVALID) -> NoReturn:
        """Raise `Rejected` for a field that has not its form."""
        raise Rejected(code, f"{self.path(name)} is not {form}", field=self.path(name))

    def scalar(self, name: str) -> str | int | Decimal | None:
        """Return a text or number as it is, None for anything else: only for what another module checks."""
        value = self.values.get(name)
        return value if isinstance(value, str | int | Decimal) and value != "" else None

    def word(self, name: str) -> str | None:
        """Return a text as it is, None for anything else: only for what moves nothing."""
        value = self.values.get(name)
        return value if isinstance(value, str) and value else None

    def text(self, name: str) -> str | None:
        """Return a text of up to 255 characters."""
        value = self._there(name)
        return value if value is None or isinstance(value, str) else self.invalid(name, "a text")

    def flag(self, name: str) -> bool:
        """Return a flag, False where it is absent."""
        value = self._there(name)
        return bool(value) if value is None or isinstance(value, bool) else self.invalid(name, "true or false")

    def whole(self, name: str) -> int | None:
        """Return a whole number."""
        value = self._there(name)
        if isinstance(value, bool) or not (value is None or isinstance(value, int)):
            self.invalid(name, "a whole number")
        return value

    def count(self, name: str) -> int | None:
        """Return how many entries a list had before it was cut, None where it is absent or empty."""
        value = self.values.get(name)
        if value is not None and not (isinstance(value, int) and 0 <= value <= ENTRIES_MAX):
            self.invalid(name, f"a list of up to {ENTRIES_MAX} entries")
        return value or None

    def needed(self, name: str) -> int:
        """Return a whole number that must be there."""
        value = self.whole(name)
        return self.missing(name) if value is None else value

    def reference(self, name: str) -> str | None:
        """Return the id of an object that is given as its id or expanded."""
        value = self.values.get(name)
        return self.within(name).reference("id") if isinstance(value, dict) else self._id(name)

    def within(self, *names: str) -> "Fields":
        """Return the object at the end of the path `names`, an empty one if there is none."""
        found = self
        for name in names:
            value = found.values.get(name)
            # PHP writes an object without fields as an empty list: of those that decide, metadata alone has none.
            if value is not None and not isinstance(value, dict) and not (name == "metadata" and value == []):
                found.invalid(name, "an object")
            found = Fields(value or {}, f"{found.path(name)}.")
        return found

    def each(self, name: str) -> Iterator["Fields"]:
        """Yield the objects of a list, none where it is absent."""
        values = self.values.get(name)
        if values is not None and not isinstance(values, list):
            self.invalid(name, "a list")
        for index, value in enumerate(values or ()):
            if not isinstance(value, dict):
                self.invalid(f"{name}.{index}", "an object")
            yield Fields(value, f"{self.path(name)}.{index}.")

    def _id(self, name: str) -> str | None:
        value = self._there(name)
        longest = payment_id_length_max(value if isinstance(value, str) else "")
        good = isinstance(value, str) and len(value) <= longest and value.isascii() and value.isprintable()
        if value is not None and not good:
            self.invalid(name, f"an id: a text of 1 to {longest} printable ASCII characters")
        return None if value is None else str(value)

    def _there(self, name: str) -> Any:
        value = self.values.get(name)
        return None if value == "" else value

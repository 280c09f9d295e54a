"""Times as senders write them (contract, section 11)."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final

from chalicelib.contracts.decoding import is_writable

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A time before this is a zero value or a mistake of its sender, and counts as none."""
EPOCH: Final = datetime.fromtimestamp(0, UTC)
MILLISECONDS_FROM: Final = 10**11
"""A number from here on counts milliseconds since 1970, a smaller one seconds."""

# PostgreSQL writes an offset as `+00`, Ruby ` UTC`, Go ` +0000 UTC`, Java `Z[UTC]`: beside an offset, a name is idle.
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?"
    r"(?: ?(Z|[+-]\d{2}(?::?\d{2})?)(?: ?\[[\w/+-]{1,64}\]| [A-Z+-]\w{0,5})?| ?(?:UTC|GMT|\[(?:Etc/)?UTC\]))?)?",
    re.ASCII | re.IGNORECASE,
)
_BASIC_TIME = re.compile(
    r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(?:(\d{2})([.,]\d{1,12})?)?(\D.*)?", re.ASCII | re.IGNORECASE
)
_MAIL_TIME = re.compile(
    r"(?:[A-Z]{3}, ?)?\d{1,2} [A-Z]{3} \d{4} \d{2}:\d{2}(?::\d{2})? (?:GMT|UTC|UT|Z|[+-]\d{4})",
    re.ASCII | re.IGNORECASE,
)
_UNSET = re.compile(
    r"\s*(?:000[01](?:-\d{2}-\d{2}|\d{4}(?=T))(?:\D.*)?|(?:0|-62135596800(?:000)?)(?:\.0+)?\s*)", re.ASCII
)
"""What languages and databases write for a time that was never set: Go and C# the year 1, MySQL the year 0.

In Unix time, the year 1 begins 62135596800 seconds before 1970.
"""
MOMENT_FORM = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}, {"type": "number"}]
}


def moment(value: Any) -> datetime | None:
    """Return the time of a value (a text, or a number since 1970), None if it is not a time.

    A text is RFC 3339 or ISO 8601 with any offset, as databases and languages write it too, RFC 1123, or a date. A time
    without an offset is UTC, a date its midnight. A number counts seconds, or milliseconds from 10^11 on.
    """
    try:
        if isinstance(value, str):
            found = _spelled(value.strip())
            return found and (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, Decimal) and not is_writable(value):
            return None
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            milliseconds = int(value if value >= MILLISECONDS_FROM else value * 1000)
            return EPOCH + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError, ArithmeticError):
        return None
    return None


def never_set(value: Any) -> bool:
    """Return whether a value is null, or a time that its sender never set: of the years 0 and 1, or 1970's first."""
    value = integral(value)
    spelled = isinstance(value, str | int) and not isinstance(value, bool)
    return value is None or (spelled and _UNSET.fullmatch(str(value)) is not None) or moment(value) == EPOCH


def integral(value: Any) -> Any:
    """Return the integer of a number without a fraction, such as 1793491200.0; anything else as it is."""
    if isinstance(value, Decimal) and is_writable(value) and value == value.to_integral():
        return int(value)
    return value


def _spelled(text: str) -> datetime | None:
    if _MAIL_TIME.fullmatch(text):
        return parsedate_to_datetime(text)
    basic = _BASIC_TIME.fullmatch(text)
    if basic:
        year, month, day, hour, minute, second, part, offset = basic.groups("")
        text = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{part}{offset}"
    parts = _TIME.fullmatch(text)
    if parts is None:
        return None
    day, minute, second, part, offset = parts.groups("")
    # Python reads small letters in no offset, and six digits of a second.
    return datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}.{part[:6] or '0'}{offset.upper()}")

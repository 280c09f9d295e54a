"""Ids and times, as stored and published."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha1
from typing import NewType
from urllib.parse import quote
from uuid import UUID

MerchantId = NewType("MerchantId", str)
TransactionId = NewType("TransactionId", str)
Instant = NewType("Instant", str)
"""A time as text: UTC, ISO 8601 with milliseconds and `Z`, so that it sorts and compares as time does."""


def instant(moment: datetime) -> Instant:
    """Return a time as stored and published, cut off after the milliseconds."""
    return Instant(moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def milliseconds(time: Instant) -> int:
    """Return the milliseconds from 1970 to `time`."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def unused_version(version: int, *, now: Instant) -> int:
    """Return a version above `version` that no write to the account has had, even if a restore cut its history.

    So every counter and publisher recognizes the next image as newer, and no event id derived from a version is used
    twice. A version counts writes of two write units each, and DynamoDB takes 1,000 units of an item a second: the
    milliseconds since 1970 are above every version, including earlier results of this function.
    """
    return max(version + 1, milliseconds(now))


def later_than(time: Instant, *, now: Instant) -> Instant:
    """Return `now`, or the first instant after `time` if the clock is not past it."""
    return max(now, instant(datetime.fromisoformat(time) + timedelta(milliseconds=1)))


def days_after(time: Instant, days: int) -> Instant:
    """Return the instant this many days of 24 hours after `time` (before it if `days` is negative)."""
    return instant(datetime.fromisoformat(time) + timedelta(days=days))


_MERCHANT_ID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.ASCII)


def merchant_id(text: str) -> MerchantId:
    """Return the merchant's id as it is kept: a UUID in lower case with hyphens (contract, section 3).

    Raises:
        ValueError: `text` is not a UUID, with or without hyphens.
    """
    lower = text.lower()
    if _MERCHANT_ID.fullmatch(lower) is None:
        raise ValueError("a merchant id is a UUID")
    return MerchantId(lower if "-" in lower else str(UUID(lower)))


NIL_UUID = "00000000-0000-0000-0000-000000000000"
"""What languages write for a UUID that was never set, Go even where `omitempty` is to leave it out."""
NIL_UUIDS = (NIL_UUID, NIL_UUID.replace("-", ""))
"""It with hyphens, and without them, as .NET writes it."""
ID_LENGTH_MAX = 64
SESSION_PREFIX = "cs_"
"""How the ids of Stripe's checkout sessions begin, which are names of payments."""
SESSION_ID_LENGTH_MAX = 255
"""They have 66 characters and more: Stripe asks for room for 255."""
GLOBAL_ID_LENGTH_MAX = 255
"""The longest id of a shop before it is unwrapped."""


def payment_id_length_max(text: str) -> int:
    """Return the maximum length of an id that may name a payment: a checkout session's id may be longer than others."""
    return SESSION_ID_LENGTH_MAX if text.startswith(SESSION_PREFIX) else ID_LENGTH_MAX


_GLOBAL_ID = re.compile(r"gid://shopify/[A-Za-z]+/([0-9]+)(?:\?.*)?", re.ASCII)


def shop_id(text: str) -> str:
    """Return the id of an order or refund as in keys: `gid://shopify/Order/5` is `5` (contract, section 12)."""
    number = _GLOBAL_ID.fullmatch(text)
    return number[1] if number else text


def day_of(time: Instant) -> str:
    """Return the day of a time, in UTC."""
    return time[: len("2026-01-31")]


def uuid_v5(namespace: str, name: str) -> str:
    """Return the UUIDv5 (RFC 9562) of a name in a namespace (a UUID): as `uuid.uuid5`, in a third of its time."""
    digest = sha1(bytes.fromhex(namespace.replace("-", "")) + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


@lru_cache(maxsize=4096)
def transaction_id(merchant: MerchantId, key: str) -> TransactionId:
    """Return the id under which the movement with this idempotency key is recorded: UUIDv5 of both."""
    return TransactionId(uuid_v5(merchant, key))


def escaped(part: str) -> str:
    """Return an id as one part of a key: percent-encoded, `_` too, so that different ids never give the same key."""
    return quote(part, safe="").replace("_", "%5F")


def credit_id(merchant: MerchantId) -> str:
    """Return the account's own id in answers: UUIDv5 of the merchant, derived and never stored."""
    return uuid_v5(merchant, "CREDIT")

"""What time adds to items: the text of lots, and where the sparse index `by_due` lists an account."""

from datetime import UTC, datetime, timedelta
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from chalicelib.domain.ids import Instant, MerchantId, instant, milliseconds
from chalicelib.domain.lots import Lot, Lots

if TYPE_CHECKING:
    from chalicelib.domain.ledger import Account

DUE_SHARDS = 8
"""How many partitions each hour of the index is spread over: 8,000 accounts may fall due in a second."""

_HOUR_LENGTH: Final = len("2026-01-31T12")
_DIGITS: Final = digits + ascii_lowercase
BASE: Final = len(_DIGITS)
"""The base in which items keep numbers as text."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def lots_text(lots: Lots) -> str:
    """Return lots as one text, such as `mb8owhs0:2s mbjnjgg0:a`: instant in milliseconds and credits, in base 36.

    In digits and JSON, eight lots would take another 200 bytes, and an account's item has 1 KB.
    """
    return " ".join(f"{in_base(milliseconds(lot.expires_at))}:{in_base(lot.credits)}" for lot in lots)


def lots_from(text: str | None) -> Lots:
    """Return the lots that `lots_text` wrote, none of None."""
    parts = (part.partition(":") for part in (text or "").split())
    return tuple(
        Lot(expires_at=instant(_EPOCH + int(at, BASE) * _MILLISECOND), credits=int(left, BASE)) for at, _, left in parts
    )


def due_attributes(account: "Account") -> dict[str, Any]:
    """Return the two attributes by which the index lists an account, none where nothing will fall due."""
    if account.due_at is None:
        return {}
    return {"due_at": {"S": account.due_at}, "due_shard": {"S": due_partition(account.merchant_id, account.due_at)}}


def due_partition(merchant_id: MerchantId, due_at: Instant) -> str:
    """Return the partition of the index that lists the merchant's account: the hour of its instant, and a shard."""
    return f"{hour_of(due_at)}#{crc32(merchant_id.encode()) % DUE_SHARDS}"


def hour_of(time: Instant) -> str:
    """Return the hour of an instant, as partitions of the index are named."""
    return time[:_HOUR_LENGTH]


def in_base(number: int) -> str:
    """Return a whole number of at least 0 in `BASE`, which `int` reads."""
    assert number >= 0, "credits and instants after 1970 are not below 0"
    text = ""
    while number or not text:
        number, digit = divmod(number, BASE)
        text = _DIGITS[digit] + text
    return text

"""Cursors of lists: where the next page begins, signed, so that nobody can make or change one.

A cursor is a position (8 bytes of sequence, or 16 of merchant) and 16 bytes of HMAC-SHA-256 as URL-safe
characters, one spelling for each. The signature also covers the list, its merchant and filters, which the cursor does
not hold: used with others it is refused like a forged one.

`key` may be several keys, one a line: the first one signs, and each of them verifies, so that a key can be changed
while people page ("Keys" in the runbook gives the order).
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from uuid import UUID

from chalicelib.contracts.api.problems import Problem, Refusal
from chalicelib.domain.ids import MerchantId

_SEQUENCE_BYTES = 8
_MERCHANT_BYTES = 16
_SIGNATURE_BYTES = 16
_VERSION = "credits-cursor-1"
_FORM = re.compile(r"[A-Za-z0-9_-]{32,43}")


def sign(position: int, *, scope: Sequence[str], key: str) -> str:
    """Return the cursor of a page that begins at sequence `position`, for the list that `scope` describes."""
    return _signed(position.to_bytes(_SEQUENCE_BYTES, "big"), scope, key)


def position(cursor: str, *, scope: Sequence[str], key: str) -> int:
    """Return the sequence at which the page of `cursor` begins.

    Raises:
        Problem: `CURSOR_INVALID`, for a cursor that this key did not sign for this list.
    """
    return int.from_bytes(_place(cursor, _SEQUENCE_BYTES, scope, key), "big")


def sign_merchant(after: MerchantId, *, scope: Sequence[str], key: str) -> str:
    """Return the cursor of a page of merchants that begins after `after`, for the list that `scope` describes."""
    return _signed(UUID(after).bytes, scope, key)


def merchant(cursor: str, *, scope: Sequence[str], key: str) -> MerchantId:
    """Return the merchant after which the page of `cursor` begins; raises `Problem` as `position` does."""
    return MerchantId(str(UUID(bytes=_place(cursor, _MERCHANT_BYTES, scope, key))))


def _signed(place: bytes, scope: Sequence[str], key: str) -> str:
    # The lengths distinguish two lists whose texts concatenate to the same.
    context = "".join(f"{len(part)}:{part}" for part in (_VERSION, *scope))
    signature = hmac.digest(key.splitlines()[0].encode(), context.encode() + place, "sha256")[:_SIGNATURE_BYTES]
    return urlsafe_b64encode(place + signature).decode().rstrip("=")


def _place(cursor: str, size: int, scope: Sequence[str], key: str) -> bytes:
    if _FORM.fullmatch(cursor) and len(cursor) % 4 != 1:
        place = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[:size]
        if any(hmac.compare_digest(cursor, _signed(place, scope, one)) for one in key.splitlines()):
            return place
    raise Problem(
        Refusal.CURSOR_INVALID,
        "The cursor does not belong to this list: use next_cursor with the same filters.",
        details={"field": "cursor"},
    )

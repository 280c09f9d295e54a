"""Cursors of a history: where the next page begins, signed, so that nobody can make or bend one.

A cursor is 8 bytes of position and 16 bytes of HMAC-SHA-256 as 32 URL-safe characters, one spelling for
each. The signature covers the merchant and the filters too, which the cursor does not hold: used with others
it is refused as a forged one is.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from chalicelib.contracts.problems import Problem, Refusal

KEY_LENGTH_MIN = 32
"""Characters of the signing key: shorter ones can be guessed."""

_POSITION_BYTES = 8
_SIGNATURE_BYTES = 16
_VERSION = "credits-cursor-1"
_FORM = re.compile(r"[A-Za-z0-9_-]{32}")


def sign(position: int, *, scope: Sequence[str], key: str) -> str:
    """Return the cursor of a page that begins at sequence `position`, for the list that `scope` describes."""
    place = position.to_bytes(_POSITION_BYTES, "big")
    # The lengths keep two lists apart whose texts run into each other.
    context = "".join(f"{len(part)}:{part}" for part in (_VERSION, *scope))
    signature = hmac.digest(key.encode(), context.encode() + place, "sha256")[:_SIGNATURE_BYTES]
    return urlsafe_b64encode(place + signature).decode()


def position(cursor: str, *, scope: Sequence[str], key: str) -> int:
    """Return the sequence at which the page of `cursor` begins.

    Raises:
        Problem: `CURSOR_INVALID`, for a cursor that this key did not sign for this list.
    """
    if _FORM.fullmatch(cursor):
        place = int.from_bytes(urlsafe_b64decode(cursor)[:_POSITION_BYTES], "big")
        if hmac.compare_digest(cursor, sign(place, scope=scope, key=key)):
            return place
    raise Problem(
        Refusal.CURSOR_INVALID,
        "The cursor was not given for this list: take it from next_cursor, with the same merchant and filters.",
        details={"field": "cursor"},
    )

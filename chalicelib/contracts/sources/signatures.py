"""The signatures of Shopify and Stripe over the raw body of a webhook (contract, section 15, point 1).

Every secret is always compared, in constant time: two are in use while one is replaced. A header that appears twice is
refused, even if one of the two is correct.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from chalicelib.domain.errors import Code, Rejected

SHOPIFY_HEADER: Final = "X-Shopify-Hmac-Sha256"
STRIPE_HEADER: Final = "Stripe-Signature"
TOLERANCE: Final = timedelta(minutes=5)
"""How far Stripe's time of signing may be from now, before or after it."""

_HEADER_LENGTH_MAX = 2048
_SIGNATURES_MAX = 16
_SCHEME = re.compile(r"[a-z0-9]{1,8}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_HEX = re.compile(r"[0-9a-f]{64}")


def check_shopify(body: bytes, headers: Mapping[str, Any], secrets: Iterable[str]) -> None:
    """Return if one of `secrets` signed the raw body; `headers` may have any case.

    Raises:
        Rejected: none did, or the header is missing, repeated or malformed.
    """
    try:
        signature = base64.b64decode(_header(headers, SHOPIFY_HEADER), validate=True)
    except (binascii.Error, ValueError):
        _refuse(SHOPIFY_HEADER, "is not Base64")
    _check([signature], body, secrets, SHOPIFY_HEADER)


def check_stripe(body: bytes, headers: Mapping[str, Any], secrets: Iterable[str], *, now: datetime) -> None:
    """Return if one of `secrets` signed the raw body within five minutes of `now`.

    The header holds one time and one signature or several: `t=1793491200,v1=…,v1=…`; other schemes are ignored.

    Raises:
        Rejected: none did, the signature is stale, or the header is missing, repeated or malformed.
    """
    parts = [part.strip().partition("=") for part in _header(headers, STRIPE_HEADER).split(",")]
    if any(not sign or _SCHEME.fullmatch(scheme) is None for scheme, sign, _ in parts):
        _refuse(STRIPE_HEADER, "is malformed")
    times = [value for scheme, _, value in parts if scheme == "t"]
    named = [value for scheme, _, value in parts if scheme == "v1"]
    if len(times) != 1 or _SECONDS.fullmatch(times[0]) is None:
        _refuse(STRIPE_HEADER, "must have exactly one time")
    if not 1 <= len(named) <= _SIGNATURES_MAX or any(_HEX.fullmatch(one) is None for one in named):
        _refuse(STRIPE_HEADER, "has no signature of version 1")
    if abs(int(times[0]) - now.timestamp()) > TOLERANCE.total_seconds():
        _refuse(STRIPE_HEADER, "was signed too long ago, or by a clock that is ahead")
    _check([bytes.fromhex(one) for one in named], times[0].encode() + b"." + body, secrets, STRIPE_HEADER)


def shopify_signature(body: bytes, secret: str) -> str:
    """Return the header's value with which Shopify signs a body."""
    return base64.b64encode(_digest(body, secret)).decode()


def stripe_signature(body: bytes, secret: str, *, at: datetime) -> str:
    """Return the header's value with which Stripe signs a body at a time."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(f'{seconds}.'.encode() + body, secret).hex()}"


def _digest(signed: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), signed, sha256).digest()


def _check(signatures: list[bytes], signed: bytes, secrets: Iterable[str], header: str) -> None:
    # An empty secret is one that was not set, and anybody can sign with it.
    expected = [_digest(signed, secret) for secret in secrets if secret]
    pairs = [hmac.compare_digest(one, signature) for one in expected for signature in signatures]
    if not any(pairs):
        _refuse(header, "does not match this body: another secret signed it, or the body was changed on the way")


def _header(headers: Mapping[str, Any], name: str) -> str:
    found = [value for key, value in headers.items() if key.lower() == name.lower()]
    if len(found) != 1 or not isinstance(found[0], str) or not 0 < len(found[0]) <= _HEADER_LENGTH_MAX:
        _refuse(name, "must be given exactly once")
    return str(found[0])


def _refuse(header: str, why: str) -> None:
    raise Rejected(Code.SIGNATURE_INVALID, f"{header} {why}", field=header)

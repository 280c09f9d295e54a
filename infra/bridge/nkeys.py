"""NKeys, as NATS writes a user's Ed25519 keys: base32 with a prefix and a checksum (docs.nats.io, "NKeys").

A few lines instead of the package `nkeys`, which has no wheel: the image is built from wheels only.
"""

import base64
import binascii
from typing import Final

from nacl.signing import SigningKey

_SEED: Final = 18 << 3
_USER: Final = 20 << 3
_SEED_BYTES: Final = 32
_PREFIX_BYTES: Final = 2
_CHECKSUM_BYTES: Final = 2


class NkeyError(ValueError):
    """A text is not a user's seed; the message does not contain it."""


def signing_key(seed: str) -> SigningKey:
    """Return the key of a user's seed (`SU…`).

    Raises:
        NkeyError: it is not a user's seed, or it has a typing error.
    """
    text = seed.strip()
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        raw = b""
    kept, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    # Five bits mark a seed, the next five the kind of its owner.
    prefix = bytes([_SEED | _USER >> 5, (_USER & 31) << 3])
    if len(kept) != _PREFIX_BYTES + _SEED_BYTES or kept[:_PREFIX_BYTES] != prefix or _checksum(kept) != checksum:
        raise NkeyError("it is not the seed of a NATS user (SU…)") from None
    return SigningKey(kept[_PREFIX_BYTES:])


def public_key(key: SigningKey) -> str:
    """Return the public key (`U…`) by which a server knows the user."""
    raw = bytes([_USER]) + bytes(key.verify_key)
    return base64.b32encode(raw + _checksum(raw)).decode().rstrip("=")


def _checksum(raw: bytes) -> bytes:
    return binascii.crc_hqx(raw, 0).to_bytes(_CHECKSUM_BYTES, "little")

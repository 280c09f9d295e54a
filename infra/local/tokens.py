"""A key pair, made at a start where none was kept, and tokens signed with it: the local stack's identity provider.

Most commands use only the constants here. The libraries that sign take a tenth of a second to import, so they are
imported where they are used.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ALGORITHM = "ES256"
AUDIENCE = "credit-service"
ISSUER = "https://local.credits.invalid"
VALID_SECONDS = 7 * 24 * 3600
ADMIN_SCOPE = "credits:admin credits:read"
OPS_SCOPE = "credits:ops"
OWNER_SCOPE = "credits:read"
PRIVATE_MODE = 0o600
PRIVATE_KEY_FILE = "jwt-private-key.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key on disk and what verifiers need. `public_keys` is a JSON Web Key Set."""

    private_key_path: Path
    key_id: str
    public_keys: Mapping[str, list[Mapping[str, str]]]

    def token(self, *, subject: str, scope: str, merchant_id: str | None = None) -> str:
        """Return a bearer token, valid for a week, for a `subject` and a `scope`."""
        import jwt  # noqa: PLC0415 - see above

        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "scope": scope,
            "iat": now,
            "exp": now + VALID_SECONDS,
        }
        if merchant_id is not None:
            claims["merchant_id"] = merchant_id
        key = self.private_key_path.read_bytes()
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": self.key_id})


def new_signer(directory: Path) -> Signer:
    """Make a key pair; the private key is in `directory`, readable by its owner only, and replaces the old one."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - the same

    private_key = ec.generate_private_key(ec.SECP256R1())
    path = directory / PRIVATE_KEY_FILE
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_privately(path, pem)
    return signer_with(path)


def write_privately(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, that its owner alone may read."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE), "wb") as file:
        file.write(content)
    unfinished.replace(path)


def signer_with(path: Path) -> Signer:
    """Return the signer whose private key is in the file `path`."""
    import jwt  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - the same
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - the same

    private_key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds no key of an elliptic curve")
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private_key.public_key()))
    key_id = _thumbprint(public)
    key = {**public, "kid": key_id, "alg": ALGORITHM, "use": "sig"}
    return Signer(private_key_path=path, key_id=key_id, public_keys={"keys": [key]})


def _thumbprint(public: Mapping[str, str]) -> str:
    """Return the key's thumbprint (RFC 7638) as its name."""
    canonical = json.dumps({name: public[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

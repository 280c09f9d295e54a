"""Tokens signed with the real key, and others that only look like it."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


@dataclass(frozen=True, slots=True, kw_only=True)
class Forger:
    """Signs tokens with the real key, and makes others that look like it."""

    private_key_path: Path
    issuer: str
    audience: str
    key_id: str

    def claims(self, **other: Any) -> dict[str, Any]:
        """Return valid claims of an admin; a claim given as None is left out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "hostile",
            "scope": "credits:admin credits:read",
            "iat": now,
            "exp": now + 3600,
            **other,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def signed(self, *, key: Any = None, algorithm: str = "ES256", header: Any = None, **claims: Any) -> str:
        """Return a token with these claims, signed with the real key unless another is given."""
        headers = {"kid": self.key_id, **(header or {})}
        return jwt.encode(self.claims(**claims), key or self.private, algorithm=algorithm, headers=headers)

    @property
    def private(self) -> bytes:
        """The private key, in PEM."""
        return self.private_key_path.read_bytes()

    @property
    def public(self) -> bytes:
        """The public key, in PEM: what everybody may know."""
        key = serialization.load_pem_private_key(self.private, None).public_key()
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def raw(self, header: Any, claims: Any, signature: bytes = b"") -> str:
        """Return a token of these parts, whatever they are."""
        return ".".join(_part(part) for part in (header, claims, signature))

    def with_public_key_as_secret(self) -> str:
        """Return a token whose HMAC was made with the public key: algorithm confusion."""
        start = f"{_part({'alg': 'HS256', 'kid': self.key_id})}.{_part(self.claims())}"
        return f"{start}.{_part(hmac.digest(self.public, start.encode(), hashlib.sha256))}"


def valid_tokens(forger: Forger, *, shop: str, other: str) -> dict[str, str | None]:
    """Return the headers of the callers that rows name; None for one without a token."""
    return {
        "none": None,
        "admin": f"Bearer {forger.signed()}",
        "ops": f"Bearer {forger.signed(scope='credits:ops')}",
        "owner": f"Bearer {forger.signed(scope='credits:read', merchant_id=shop)}",
        "other": f"Bearer {forger.signed(scope='credits:read', merchant_id=other)}",
        "nobody": f"Bearer {forger.signed(scope='credits:read')}",
        "no scope": f"Bearer {forger.signed(scope=None, merchant_id=shop)}",
        "scopes run together": f"Bearer {forger.signed(scope='credits:readcredits:admin', merchant_id=shop)}",
        "nameless admin": f"Bearer {forger.signed(sub=None)}",
        "admin of 65 characters": f"Bearer {forger.signed(sub='s' * 65)}",
        "admin in Greek": f"Bearer {forger.signed(sub='διαχειριστής')}",
    }


def forged_tokens(forger: Forger) -> dict[str, str]:
    """Return the headers that must be refused, by their fault."""
    good, now = forger.signed(), int(time.time())
    head, claims, signature = good.split(".")
    stranger = ec.generate_private_key(ec.SECP256R1())
    numbers = jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    es256 = {"alg": "ES256", "kid": forger.key_id, "typ": "JWT"}
    tokens = {
        "empty": "",
        "one part": "x",
        "three empty parts": "..",
        "four parts": f"{good}.x",
        "five parts, as if encrypted": "a.b.c.d.e",
        "no signature": f"{head}.{claims}.",
        "signature left out": f"{head}.{claims}",
        "signature cut": f"{head}.{claims}.{signature[:-4]}",
        "signature of zeros": forger.raw(es256, forger.claims(), bytes(64)),
        "signature flipped": f"{head}.{claims}.{bent(signature)}",
        "claims of another token": f"{head}.{_part(forger.claims(sub='root'))}.{signature}",
        "header of another token": f"{_part({**es256, 'x': 1})}.{claims}.{signature}",
        "alg none": forger.raw({**es256, "alg": "none"}, forger.claims()),
        "alg None": forger.raw({**es256, "alg": "None"}, forger.claims()),
        "alg nOnE with the real signature": f"{_part({**es256, 'alg': 'nOnE'})}.{claims}.{signature}",
        "alg left out": forger.raw({"kid": forger.key_id}, forger.claims()),
        "alg a number": forger.raw({**es256, "alg": 5}, forger.claims()),
        "public key as secret": forger.with_public_key_as_secret(),
        "HS256 with a guessed secret": forger.signed(key="secret" * 8, algorithm="HS256"),
        "RS256 with a key of its own": forger.signed(key=rsa_key, algorithm="RS256"),
        "a stranger's key under our key id": forger.signed(key=stranger),
        "a stranger's key brought along": forger.signed(key=stranger, header={"jwk": numbers}),
        "a stranger's key to be fetched": forger.signed(key=stranger, header={"jku": "http://127.0.0.1:9/keys"}),
        "a stranger's certificate": forger.signed(key=stranger, header={"x5u": "http://127.0.0.1:9/x"}),
        "a key id that is a path": forger.signed(key=stranger, header={"kid": "../../../../dev/null"}),
        "a key id that is SQL": forger.signed(key=stranger, header={"kid": "' OR 1=1 --"}),
        "an extension that must be understood": forger.signed(header={"crit": ["x"], "x": 1}),
        "expired": forger.signed(exp=now - 60),
        "expired long ago": forger.signed(exp=1),
        "without an expiry": forger.signed(exp=None),
        "expiry a text": forger.signed(exp="never"),
        "expiry out of range": forger.signed(exp=-(10**30)),
        "not valid yet": forger.signed(nbf=now + 3600),
        "issued in the future": forger.signed(iat=now + 3600),
        "another issuer": forger.signed(iss="https://evil.example"),
        "an issuer that begins like ours": forger.signed(iss=f"{forger.issuer}.evil.example"),
        "without an issuer": forger.signed(iss=None),
        "another audience": forger.signed(aud="another-service"),
        "without an audience": forger.signed(aud=None),
        "scope a list of lists": forger.signed(scope=[["credits:admin"]]),
        "scope an object": forger.signed(scope={"credits:admin": True}),
        "merchant no UUID": forger.signed(merchant_id="*"),
        "merchant a number": forger.signed(merchant_id=5),
        "claims no object": forger.raw(es256, [], bytes(64)),
        "claims no JSON": forger.raw(es256, b"\xff\xfe", bytes(64)),
        "header no JSON": forger.raw(b"{", forger.claims(), bytes(64)),
        "header 5,000 deep": forger.raw(b"[" * 5000, forger.claims(), bytes(64)),
        "9 KB": forger.signed(padding="x" * 7000),
    }
    headers = {name: f"Bearer {token}" for name, token in tokens.items()}
    return headers | {
        "another scheme": f"Basic {good}",
        "no scheme": good,
        "scheme twice": f"Bearer Bearer {good}",
        "two tokens": f"Bearer {good}, Bearer {good}",
        "a token and a space in it": f"Bearer {head}. {claims}.{signature}",
        "a token in quotes": f'Bearer "{good}"',
    }


def bent(text: str) -> str:
    """Return `text` with its first character changed."""
    return ("A" if text[0] != "A" else "B") + text[1:]


def _part(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

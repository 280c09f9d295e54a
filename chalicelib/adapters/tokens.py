"""Bearer tokens: the caller and scopes, once signature, issuer, audience and times are verified.

The algorithm comes from the settings and never from the token. Keys come from the identity provider's key
set, or from one parameter: a PEM public key for RS256 and ES256, a secret for HS256.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from jwt.exceptions import PyJWKClientConnectionError

from chalicelib.domain.ids import MerchantId, merchant_id
from chalicelib.environment import SettingError

TOKEN_LENGTH_MAX = 8192
LEEWAY_SECONDS = 10
"""The most that two clocks may differ."""

_PEM_MARK = "-----BEGIN "
_PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)", re.ASCII | re.IGNORECASE)


class TokenRefusedError(Exception):
    """The bearer token is missing or invalid; the message gives the reason and holds nothing of the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """The caller: a merchant's own token names the merchant, others leave `merchant_id` None.

    `expires_at` is in Unix seconds, the leeway included.
    """

    subject: str
    merchant_id: MerchantId | None
    scope: str
    expires_at: int


class Keys(Protocol):
    """A source of the keys that may verify a token."""

    def keys(self, token: str) -> Sequence[Any]:
        """Return the keys for `token`, as PyJWT takes them, at least one; raises `PyJWTError` where there is none."""
        ...


class Text(Protocol):
    """A secret text, such as `parameters.Parameter`."""

    def text(self) -> str:
        """Return the current text."""
        ...


@dataclass(frozen=True, slots=True)
class ParameterKeys:
    """The keys of a parameter: PEM public keys, or for HS256 secrets of 32 bytes (RFC 7518, section 3.2), one a line.

    Usually there is one. While the issuer changes its key there are two, so that nobody is refused.
    """

    parameter: Text
    algorithm: str

    def keys(self, token: str) -> Sequence[Any]:  # noqa: ARG002 - a key set needs the token
        """Return the current keys, at least one.

        Raises:
            SettingError: one of them does not fit the algorithm. It would silently refuse its tokens.
        """
        return [self._prepared(text) for text in self._texts()]

    def _texts(self) -> Sequence[str]:
        text = self.parameter.text()
        if _PEM_MARK in text:
            return _PEM.findall(text) or [text]
        return [line.strip() for line in text.splitlines() if line.strip()] or [text]

    def _prepared(self, text: str) -> Any:
        taking = jwt.get_algorithm_by_name(self.algorithm)
        try:
            key = taking.prepare_key(text)
        except (jwt.InvalidKeyError, ValueError, TypeError):
            raise SettingError(f"JWT_KEY_PARAMETER names no key for {self.algorithm}") from None
        if complaint := taking.check_key_length(key):
            raise SettingError(f"JWT_KEY_PARAMETER names a key that {self.algorithm} does not take: {complaint}")
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNames:
    """The names of an issuer's claims; by default those of RFC 9068."""

    scope: str = "scope"
    merchant: str = "merchant_id"
    audience: str = "aud"


class TokenVerifier:
    """Verifies tokens of one issuer for one audience, signed with one algorithm."""

    def __init__(
        self, keys: Keys, *, algorithm: str, issuer: str, audience: str, names: ClaimNames = ClaimNames()
    ) -> None:
        self._keys = keys
        self._algorithm = algorithm
        self._issuer = issuer
        self._audience = audience
        self._names = names
        self._jwt = jwt.PyJWT({"enforce_minimum_key_length": True})

    def bearer(self, authorization: str) -> Bearer:
        """Return the caller, by the `Authorization` header.

        Raises:
            TokenRefusedError: the bearer token is missing or invalid. PyJWKClientConnectionError, ParameterError,
            SettingError: no key is available to verify it.
        """
        match = _BEARER.fullmatch(authorization.strip())
        if match is None or len(authorization) > TOKEN_LENGTH_MAX:
            raise TokenRefusedError("the bearer token does not have three parts")
        try:
            return _bearer(self._claims(match[1]), self._names)
        except PyJWKClientConnectionError:
            raise
        # An unverified token may hold anything: numbers out of range, JSON of any depth.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenRefusedError(type(error).__name__) from error

    def _claims(self, token: str) -> dict[str, Any]:
        if jwt.get_unverified_header(token).get("alg") != self._algorithm:
            # Checked before the key set: an unknown key of another algorithm need not read it again.
            raise jwt.InvalidAlgorithmError(self._algorithm)
        *others, last = self._keys.keys(token)
        for key in others:
            with suppress(jwt.InvalidSignatureError):
                return self._decoded(token, key)
        return self._decoded(token, last)

    def _decoded(self, token: str, key: Any) -> dict[str, Any]:
        standard = self._names.audience == "aud"
        claims = self._jwt.decode(
            token,
            key,
            algorithms=[self._algorithm],
            issuer=self._issuer,
            audience=self._audience if standard else None,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", self._names.audience], "verify_aud": standard},
        )
        if not standard and claims[self._names.audience] != self._audience:
            raise jwt.InvalidAudienceError(self._names.audience)
        return claims


def _bearer(claims: dict[str, Any], names: ClaimNames) -> Bearer:
    merchant = claims.get(names.merchant)
    if not isinstance(merchant, str | None):
        raise TypeError("a merchant's id is a text")
    return Bearer(
        subject=claims.get("sub") or "",
        merchant_id=None if merchant is None else merchant_id(merchant),
        scope=" ".join(_scopes(claims.get(names.scope, ""))),
        expires_at=int(claims["exp"]) + LEEWAY_SECONDS,
    )


def _scopes(claim: Any) -> Iterator[str]:
    """Yield the scopes of a claim, a text with spaces between them or a list, each without its resource server.

    Cognito writes `server/credits:read`, where the server's own name may hold slashes too.
    """
    scopes = claim.split() if isinstance(claim, str) else claim
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise TypeError("scopes are a text or a list of texts")
    for scope in scopes:
        name = scope.rpartition("/")[2]
        # An entry of a list is one scope: an entry with a space must not become two of them.
        if name and not any(map(str.isspace, scope)):
            yield name

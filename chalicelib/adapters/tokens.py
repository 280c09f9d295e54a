"""Bearer tokens: who asks and what for, once signature, issuer, audience and times are right.

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
from chalicelib.settings import SettingError

TOKEN_LENGTH_MAX = 8192
LEEWAY_SECONDS = 10
"""How far two clocks may be apart."""

_PEM_MARK = "-----BEGIN "
_PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
_BEARER = re.compile(r"bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)", re.ASCII | re.IGNORECASE)


class TokenRefusedError(Exception):
    """The token is none, or not valid; the message says why and holds nothing of the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Who asks: a merchant's own token names it, others leave `merchant_id` None.

    `expires_at` is in Unix seconds, the leeway included.
    """

    subject: str
    merchant_id: MerchantId | None
    scope: str
    expires_at: int


class Keys(Protocol):
    """Where the keys come from that may verify a token."""

    def keys(self, token: str) -> Sequence[Any]:
        """Return the keys for `token`, as PyJWT takes them, at least one; raises `PyJWTError` where there is none."""
        ...


class Text(Protocol):
    """A secret text, such as `parameters.Parameter`."""

    def text(self) -> str:
        """Return it as it stands now."""
        ...


@dataclass(frozen=True, slots=True)
class ParameterKeys:
    """The keys of a parameter: PEM public keys, or for HS256 secrets of 32 bytes (RFC 7518, section 3.2), a line each.

    Usually it is one. Two of them verify while the issuer goes over from one to the other, so nobody is refused.
    """

    parameter: Text
    algorithm: str

    def keys(self, token: str) -> Sequence[Any]:  # noqa: ARG002 - a key set needs the token
        """Return the keys as they stand now, at least one.

        Raises:
            SettingError: one of them is none that the algorithm takes. It would refuse its tokens silently.
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
    """Where an issuer puts what we need to know; by default where RFC 9068 does."""

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
        """Return who asks, by the `Authorization` header.

        Raises:
            TokenRefusedError: there is no token in it, or it is not valid.
            PyJWKClientConnectionError, ParameterError, SettingError: no key could be had to tell.
        """
        match = _BEARER.fullmatch(authorization.strip())
        if match is None or len(authorization) > TOKEN_LENGTH_MAX:
            raise TokenRefusedError("no bearer token of three parts")
        try:
            return _bearer(self._claims(match[1]), self._names)
        except PyJWKClientConnectionError:
            raise
        # What is not signed yet may hold anything: numbers out of range, JSON of any depth.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenRefusedError(type(error).__name__) from error

    def _claims(self, token: str) -> dict[str, Any]:
        if jwt.get_unverified_header(token).get("alg") != self._algorithm:
            # Before the key set is asked: an unknown key of another algorithm need not read it again.
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
        # An entry of a list is one scope: what has a space in it must not become two of them.
        if name and not any(map(str.isspace, scope)):
            yield name

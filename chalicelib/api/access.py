"""Who may call a route, declared where the route is registered; a route that declares nothing is closed.

Contract, section 6 ("who" in the table of routes) and "Who may read".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Self

from chalicelib.contracts.api.problems import Problem, Refusal, forbidden, not_found, unauthorized

READ_SCOPE = "credits:read"
ADMIN_SCOPE = "credits:admin"
OPS_SCOPE = "credits:ops"
NAME_LENGTH_MAX = 64
"""Characters of a token's subject that can be recorded as the admin of an adjustment."""

_NAME = re.compile(rf"[ -~]{{1,{NAME_LENGTH_MAX}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller, from the token that the authorizer accepted."""

    subject: str = ""
    merchant_id: str | None = None
    scopes: frozenset[str] = frozenset()

    @classmethod
    def from_context(cls, context: Mapping[str, Any] | None, *, now: datetime) -> Self:
        """Return the caller of a request that came through the authorizer.

        Raises:
            Problem: `UNAUTHORIZED`, when the request passed no authorizer, or the token has expired since: the gateway
            caches the authorizer's answer.
        """
        if context is None:
            raise unauthorized("A valid bearer token is required.")
        if int(context.get("expires_at") or now.timestamp() + 1) <= now.timestamp():
            raise unauthorized("The token has expired.")
        return cls(
            subject=context.get("subject") or "",
            merchant_id=context.get("merchant_id"),
            scopes=frozenset((context.get("scope") or "").split(" ")),
        )

    def name(self) -> str:
        """Return the token's subject, which is recorded; raises `FORBIDDEN` if it cannot be recorded."""
        if _NAME.fullmatch(self.subject) is None:
            raise Problem(
                Refusal.FORBIDDEN,
                f"The token's subject must name the caller, in 1 to {NAME_LENGTH_MAX} printable ASCII characters.",
                details={"claim": "sub"},
            )
        return self.subject

    def require_merchant(self, merchant: str, resource: str) -> None:
        """Raise `NOT_FOUND`, as for a missing `resource`, if this caller may not read the merchant's data."""
        if ADMIN_SCOPE not in self.scopes and not (READ_SCOPE in self.scopes and self.merchant_id == merchant):
            raise not_found(resource)


NO_CALLER = Caller()
"""The caller of a route that anyone may call."""


class Access(Enum):
    """Who may call a route: a token needs one of `scopes`; without `scopes` any valid token will do.

    A `SIGNER` has no token: the route itself checks the signature of what is sent.
    """

    NOBODY = ("nobody", ())
    ANYONE = ("anyone", ())
    SIGNER = ("signer", ())
    TOKEN = ("token", ())
    OWNER = ("owner", (READ_SCOPE, ADMIN_SCOPE))
    ADMIN = ("admin", (ADMIN_SCOPE,))
    OPS = ("ops", (OPS_SCOPE,))

    def __init__(self, word: str, scopes: tuple[str, ...]) -> None:
        self.word = word
        self.scopes = scopes

    @property
    def by_token(self) -> bool:
        """Whether the gateway's authorizer checks a bearer token before the route is called."""
        return self not in (Access.ANYONE, Access.SIGNER)

    def admit(self, context: Mapping[str, Any] | None, *, now: datetime) -> Caller:
        """Return the caller of a route that takes a token, if allowed; `context` holds the token's claims.

        Raises:
            Problem: `UNAUTHORIZED` or `FORBIDDEN`.
        """
        caller = Caller.from_context(context, now=now)
        if self is Access.NOBODY:
            raise Problem(Refusal.FORBIDDEN, "Nobody may call this route.")
        if self.scopes and not caller.scopes.intersection(self.scopes):
            raise forbidden(self.scopes[0])
        return caller

"""The API Gateway authorizer: takes a bearer token, returns a policy and the caller.

For a refused token it returns a policy that denies, which the gateway turns into 401 (template.yaml, ACCESS_DENIED). It
does not raise "Unauthorized": that counts as a failure of the function, is never cached, and stops the local emulator's
worker. Routes check scopes: the gateway denies invalid tokens only.

Neither boto3 nor pydantic nor PyJWT is imported with this module: the API's function imports it for its name.
"""

import time
from typing import TYPE_CHECKING, Any

from chalice.app import AuthRequest, AuthResponse, Blueprint

from chalicelib.telemetry import logger

if TYPE_CHECKING:
    from chalicelib.adapters.tokens import Bearer

CACHE_SECONDS = 60
"""How long the gateway keeps a policy for a token; the routes check the expiry themselves."""

blueprint = Blueprint(__name__)


@blueprint.authorizer(name="authorize", ttl_seconds=CACHE_SECONDS)
def authorize(request: AuthRequest) -> AuthResponse | dict[str, Any]:
    """Return a policy for all routes, with the token's claims as its context, or one that denies them all.

    Raises:
        Exception: no key was available to verify the token, or a setting is bad; the gateway answers 500.
    """
    context = context_of(request.token)
    if context is None:
        return _denial()
    return AuthResponse(routes=["*"], principal_id=context["subject"] or "unnamed", context=context)


def context_of(token: str) -> dict[str, str] | None:
    """Return the claims of a bearer token under the names that routes use, None if the token is refused.

    Raises:
        Exception: no key was available to verify the token, or a setting is bad.
    """
    from chalicelib.adapters.tokens import TokenRefusedError
    from chalicelib.wiring.for_api import token_verifier

    started = time.perf_counter()
    verifier = token_verifier()
    if verifier is None:
        logger.warning("token refused", reason="JWT_ALGORITHM, JWT_ISSUER and JWT_AUDIENCE are not set")
        return None
    try:
        bearer = verifier.bearer(token)
    except TokenRefusedError as error:
        logger.info("token refused", reason=str(error), ms=_since(started))
        return None
    logger.info("token accepted", merchant_id=bearer.merchant_id, scope=bearer.scope, ms=_since(started))
    return _context(bearer)


def _context(bearer: "Bearer") -> dict[str, str]:
    context = {"subject": bearer.subject, "scope": bearer.scope, "expires_at": str(bearer.expires_at)}
    return context if bearer.merchant_id is None else {**context, "merchant_id": bearer.merchant_id}


def _denial() -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}
    return {"principalId": "nobody", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)

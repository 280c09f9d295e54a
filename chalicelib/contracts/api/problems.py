"""Refusals over HTTP: problem bodies (RFC 9457) with the platform's member `error` (contract, section 6).

Standard library only, because the plugin-status route answers them too; the pydantic twin for the API's
document is `problem.Problem`, and a test compares the two. An answer's texts come from the table below or from the
request: never a trace, a table's name or another merchant's data.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from chalicelib.domain.errors import Code, CreditsError

MEDIA_TYPE = "application/problem+json"
INSTANCE_LENGTH_MAX = 256
"""Characters of a request's path that its problem repeats."""


class Refusal(StrEnum):
    """Why a request was refused before it reached the ledger, spelled as in `error.code`."""

    BAD_REQUEST = "BAD_REQUEST"
    CURSOR_INVALID = "CURSOR_INVALID"
    PAGE_TOO_FAR = "PAGE_TOO_FAR"
    RANGE_TOO_LONG = "RANGE_TOO_LONG"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_REDRIVABLE = "NOT_REDRIVABLE"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


STATUS: Mapping[Refusal | Code, HTTPStatus] = {
    Refusal.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Refusal.CURSOR_INVALID: HTTPStatus.BAD_REQUEST,
    Refusal.PAGE_TOO_FAR: HTTPStatus.BAD_REQUEST,
    Refusal.RANGE_TOO_LONG: HTTPStatus.BAD_REQUEST,
    Refusal.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Refusal.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Refusal.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Refusal.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Refusal.NOT_REDRIVABLE: HTTPStatus.CONFLICT,
    Refusal.PAYLOAD_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Refusal.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.NOT_JSON: HTTPStatus.BAD_REQUEST,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.DUPLICATE_FIELD: HTTPStatus.BAD_REQUEST,
    Code.FIELD_MISSING: HTTPStatus.BAD_REQUEST,
    Code.FIELD_INVALID: HTTPStatus.BAD_REQUEST,
    Code.ENVELOPE_AMBIGUOUS: HTTPStatus.BAD_REQUEST,
    Code.TYPE_CONTRADICTS_SUBJECT: HTTPStatus.BAD_REQUEST,
    Code.UNKNOWN_EVENT_TYPE: HTTPStatus.BAD_REQUEST,
    Code.CREDITS_INVALID: HTTPStatus.BAD_REQUEST,
    Code.EXPIRY_PAST: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.PERIOD_MISSING: HTTPStatus.BAD_REQUEST,
    Code.PERIOD_REPEATED: HTTPStatus.CONFLICT,
    Code.CURRENCY_MISMATCH: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.NAMES_TWO_FACTS: HTTPStatus.CONFLICT,
    Code.ORDER_IMPORTED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.ORDER_AMBIGUOUS: HTTPStatus.BAD_REQUEST,
    Code.REFUND_AMBIGUOUS: HTTPStatus.BAD_REQUEST,
    Code.TOTAL_MISSING: HTTPStatus.BAD_REQUEST,
    Code.SIGNATURE_INVALID: HTTPStatus.UNAUTHORIZED,
    Code.TOPIC_CONTRADICTS_BODY: HTTPStatus.BAD_REQUEST,
    Code.CREDITS_UNKNOWN: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.LINES_MISSING: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.REFUND_FAILED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.KEY_REUSED: HTTPStatus.CONFLICT,
    Code.INSUFFICIENT_CREDITS: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.CONFIRMATION_NEEDED: HTTPStatus.CONFLICT,
    Code.NOT_FROZEN: HTTPStatus.CONFLICT,
    Code.UNTIL_PAST: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.LINK_TAKEN: HTTPStatus.CONFLICT,
    Code.MERCHANT_UNLINKED: HTTPStatus.NOT_FOUND,
    Code.ACCOUNT_MISSING: HTTPStatus.NOT_FOUND,
    Code.ORDER_MISSING: HTTPStatus.NOT_FOUND,
    Code.PAYMENT_MISSING: HTTPStatus.NOT_FOUND,
    Code.DISPUTE_MISSING: HTTPStatus.NOT_FOUND,
    Code.ACCOUNT_BEHIND: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.CONTENDED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The one table from errors to HTTP statuses; a test proves it complete."""

_TITLES = {
    # Python 3.11 still has RFC 7231's phrases; the gateway's own problems use RFC 9110's (template.yaml).
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


class Problem(Exception):  # noqa: N818 - it is an answer, and the word of RFC 9457
    """A request is refused: `code` says why, `detail` in words, `details` with the field or value at fault.

    `headers` are sent with the answer (`WWW-Authenticate`, `Retry-After`, `Allow`).
    """

    def __init__(
        self,
        code: Refusal | Code,
        detail: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that the table gives."""
        return STATUS[self.code]

    def body(self, *, instance: str, meta: Mapping[str, str]) -> dict[str, Any]:
        """Return the problem's body for the request to `instance`, with the `meta` of its answer."""
        return {
            "type": "about:blank",
            "title": _TITLES.get(self.status, self.status.phrase),
            "status": self.status.value,
            "detail": self.detail,
            "instance": instance[:INSTANCE_LENGTH_MAX],
            "error": {"code": self.code.upper(), "message": self.detail, "details": self.details},
            "meta": dict(meta),
        }


def bad_request(field: str, detail: str) -> Problem:
    """Return the refusal of a request whose `field` (a parameter, header or member) is invalid."""
    return Problem(Refusal.BAD_REQUEST, detail, details={"field": field})


def not_found(resource: str) -> Problem:
    """Return the refusal for data that does not exist or belongs to another merchant, the same for both."""
    return Problem(Refusal.NOT_FOUND, f"There is no such {resource}.")


def unauthorized(reason: str) -> Problem:
    """Return the refusal of a request without a valid token."""
    return Problem(Refusal.UNAUTHORIZED, reason, headers={"WWW-Authenticate": "Bearer"})


def forbidden(scope: str) -> Problem:
    """Return the refusal of a valid token that lacks `scope`."""
    return Problem(
        Refusal.FORBIDDEN,
        f"The token lacks the scope {scope}.",
        details={"scope": scope},
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )


def internal_error() -> Problem:
    """Return the problem for an internal error, without details."""
    return Problem(Refusal.INTERNAL_ERROR, "The service failed. Report the request id.")


def from_error(error: CreditsError) -> Problem:
    """Return the problem for an error of the domain or the store; 503 asks to retry after a second.

    The texts of internal errors and of an unavailable store are not returned: they may name internals.
    """
    if error.code is Code.INTERNAL:
        return internal_error()
    if STATUS[error.code] is HTTPStatus.SERVICE_UNAVAILABLE:
        return Problem(error.code, "The ledger cannot answer now. Try again in a second.", headers={"Retry-After": "1"})
    return Problem(error.code, error.message, details={"field": error.field} if error.field else None)

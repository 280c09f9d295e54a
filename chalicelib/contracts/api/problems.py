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


_BY_STATUS: Mapping[HTTPStatus, tuple[Refusal | Code, ...]] = {
    HTTPStatus.BAD_REQUEST: (
        *(Refusal.BAD_REQUEST, Refusal.CURSOR_INVALID, Refusal.PAGE_TOO_FAR, Refusal.RANGE_TOO_LONG, Code.NOT_JSON),
        *(Code.DUPLICATE_FIELD, Code.FIELD_MISSING, Code.FIELD_INVALID, Code.ENVELOPE_AMBIGUOUS),
        *(Code.TYPE_CONTRADICTS_SUBJECT, Code.UNKNOWN_EVENT_TYPE, Code.CREDITS_INVALID, Code.PERIOD_MISSING),
        *(Code.ORDER_AMBIGUOUS, Code.REFUND_AMBIGUOUS, Code.TOTAL_MISSING, Code.TOPIC_CONTRADICTS_BODY),
    ),
    HTTPStatus.UNAUTHORIZED: (Refusal.UNAUTHORIZED, Code.SIGNATURE_INVALID),
    HTTPStatus.FORBIDDEN: (Refusal.FORBIDDEN,),
    HTTPStatus.NOT_FOUND: (
        *(Refusal.NOT_FOUND, Code.MERCHANT_UNLINKED, Code.ACCOUNT_MISSING),
        *(Code.ORDER_MISSING, Code.PAYMENT_MISSING, Code.DISPUTE_MISSING),
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (Refusal.METHOD_NOT_ALLOWED,),
    HTTPStatus.CONFLICT: (
        *(Refusal.NOT_REDRIVABLE, Code.PERIOD_REPEATED, Code.NAMES_TWO_FACTS, Code.KEY_REUSED),
        *(Code.CONFIRMATION_NEEDED, Code.NOT_FROZEN, Code.LINK_TAKEN),
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (Refusal.PAYLOAD_TOO_LARGE, Code.TOO_LARGE),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (Refusal.UNSUPPORTED_MEDIA_TYPE,),
    HTTPStatus.INTERNAL_SERVER_ERROR: (Refusal.INTERNAL_ERROR, Code.INTERNAL),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        *(Code.EXPIRY_PAST, Code.CURRENCY_MISMATCH, Code.ORDER_IMPORTED, Code.CREDITS_UNKNOWN, Code.LINES_MISSING),
        *(Code.REFUND_FAILED, Code.INSUFFICIENT_CREDITS, Code.UNTIL_PAST),
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (Code.ACCOUNT_BEHIND, Code.CONTENDED, Code.UNAVAILABLE),
}
STATUS: Mapping[Refusal | Code, HTTPStatus] = {code: status for status, codes in _BY_STATUS.items() for code in codes}
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

"""A refusal as a model: the source of the API's document; `problems` makes the same as plain dicts."""

from typing import Any

from chalicelib.contracts.api.model import Model


class ErrorMember(Model):
    """The platform's member of a problem."""

    code: str
    message: str
    details: dict[str, Any]


class ProblemMeta(Model):
    """Which request is refused; what the gateway refuses has its time in Unix milliseconds."""

    request_id: str
    correlation_id: str
    timestamp: str | None = None


class Problem(Model):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error: ErrorMember
    meta: ProblemMeta

"""Faults under botocore: a client's requests, and the fate of each on its way.

No network is involved. Requests without a fault are answered by moto if it is active.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.models import botocore_stubber

Answer = Callable[[Mapping[str, Any]], tuple[int, Mapping[str, Any]]]
"""From the body of a request, the status and body of its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The fate of one request: an error or an answer, before or after it took effect."""

    error: Exception | None = None
    answer: Answer | None = None
    took_effect: bool = False


def lost(error: Exception, *, took_effect: bool) -> Fault:
    """Return a request whose answer never comes."""
    return Fault(error=error, took_effect=took_effect)


def refused(status: HTTPStatus, code: str, *, took_effect: bool = False, **members: Any) -> Fault:
    """Return a request that is answered with an error of DynamoDB."""
    content = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **members}
    return Fault(answer=lambda _body: (status, content), took_effect=took_effect)


def cancelled(*reasons: Mapping[str, Any] | str) -> Fault:
    """Return a transaction that was cancelled for these reasons, one for each item."""
    listed = [{"Code": reason} if isinstance(reason, str) else reason for reason in reasons]
    return refused(HTTPStatus.BAD_REQUEST, "TransactionCanceledException", CancellationReasons=listed)


def answered(content: Mapping[str, Any] | Answer) -> Fault:
    """Return a request that is answered by `content`, or by its result for the request's body."""
    if callable(content):
        return Fault(answer=content)
    return Fault(answer=lambda _body: (HTTPStatus.OK, content))


class Wire:
    """Between a client and its service. `faults` are taken one a request, None lets one pass; `sent` counts all.

    With `disturbed`, only requests of that operation take one.
    """

    def __init__(self, client: Any) -> None:
        self.faults: deque[Fault | None] = deque()
        self.disturbed: str | None = None
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._fault: Fault | None = None
        self._moto_answers = False
        # botocore asks every handler, in this order, and takes the first answer: moto's stands in between.
        client.meta.events.register_first("before-send", self._before)
        client.meta.events.register_last("before-send", self._after)

    def bodies(self, operation: str) -> Sequence[dict[str, Any]]:
        """Return the bodies of the requests of one operation."""
        return [body for name, body in self.sent if name == operation]

    def _before(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        assert isinstance(request.body, bytes)
        body = json.loads(request.body)
        target = request.headers["X-Amz-Target"]
        assert isinstance(target, bytes)
        operation = target.decode().rsplit(".", 1)[-1]
        self.sent.append((operation, body))
        disturbed = self.faults and self.disturbed in (None, operation)
        self._fault = fault = self.faults.popleft() if disturbed else None
        if fault is None:
            return None
        if not fault.took_effect:
            if fault.error is not None:
                raise fault.error
            self._moto_answers, botocore_stubber.enabled = botocore_stubber.enabled, False
        return _response(request.url, *fault.answer(body)) if fault.answer else None

    def _after(self, **_: Any) -> None:
        fault, self._fault = self._fault, None
        if fault is None:
            return
        if not fault.took_effect:
            botocore_stubber.enabled = self._moto_answers
        elif fault.error is not None:
            raise fault.error


def _response(url: str, status: int, content: Mapping[str, Any]) -> AWSResponse:
    headers = HTTPHeaders()
    headers["Content-Type"] = "application/x-amz-json-1.0"
    return AWSResponse(url, status, headers, _Raw(json.dumps(content).encode()))


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        while chunk := self.read():
            yield chunk

"""A request and its caller, read from the API Gateway event and checked before anything is done."""

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import unquote
from uuid import uuid4

from chalicelib.api.access import NO_CALLER, Caller
from chalicelib.contracts.api.pages import LIMIT_DEFAULT, LIMIT_MAX, PageRequest
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request
from chalicelib.contracts.decoding import read_object
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant, merchant_id

HTTP_API_FORMAT = "1.0"
"""The `version` of an event that came over the HTTP API; an event of the REST API has none."""
PARAMETER_LENGTH_MAX = 512
BODY_BYTES_MAX = 64 * 1024
IDEMPOTENCY_KEY_LENGTH_MAX = 64
"""Characters of an `Idempotency-Key`: it becomes the adjustment's id (contract, section 3)."""

CORRELATION_ID_LENGTH_MAX = 255
"""Characters of an id by which a step is followed through services, as events in have them (contract, section 11)."""

_TRACE = re.compile(rf"[ -~]{{1,{CORRELATION_ID_LENGTH_MAX}}}")
_PRINTABLE = re.compile(rf"[ -~]{{1,{IDEMPOTENCY_KEY_LENGTH_MAX}}}")
# A gateway may have put it in place of bytes that were not UTF-8; a sender that means this character escapes it.
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_WHOLE_DIGITS_MAX = 10
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)
_NONE: frozenset[str] = frozenset()
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `path` is as the client sees it, without parameters; `route` names it in the log.

    `caller` has passed the access that the route declares. `headers` have names in lower case and one value each,
    `sent_headers` names as they were sent, with a list of values where one came more than once. `by_http_api`: no
    authorizer runs before the function, and `authorizer` is None.
    """

    route: str
    path: str
    request_id: str
    correlation_id: str
    now: datetime
    headers: Mapping[str, str]
    repeated_headers: frozenset[str]
    sent_headers: Mapping[str, str | list[str]]
    parameters: Mapping[str, Sequence[str]]
    authorizer: Mapping[str, Any] | None
    body: str
    body_in_base64: bool
    by_http_api: bool = False
    caller: Caller = NO_CALLER

    @classmethod
    def from_event(cls, event: Mapping[str, Any], *, now: datetime) -> Self:
        """Return the request of an API Gateway proxy event."""
        context = event["requestContext"]
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        # An HTTP API without an authorizer sends an `authorizer` all the same, with claims of null: no caller.
        by_http_api = event.get("version") == HTTP_API_FORMAT
        request_id = _trace(headers.get("x-request-id")) or context.get("requestId") or str(uuid4())
        return cls(
            route=context["resourcePath"],
            path=_public_path(event),
            request_id=request_id,
            correlation_id=_trace(headers.get("x-correlation-id")) or request_id,
            now=now,
            headers=headers,
            repeated_headers=_repeated(event.get("multiValueHeaders") or {}),
            sent_headers=_sent(event),
            parameters=event.get("multiValueQueryStringParameters") or {},
            authorizer=None if by_http_api else context.get("authorizer"),
            body=event.get("body") or "",
            body_in_base64=bool(event.get("isBase64Encoded")),
            by_http_api=by_http_api,
        )

    @property
    def link_path(self) -> str:
        """The path as links hold it: API Gateway ignores a slash at its end."""
        return self.path.rstrip("/")

    def meta(self) -> dict[str, str]:
        """Return the answer's `meta`."""
        timestamp = instant(self.now)
        return {"request_id": self.request_id, "correlation_id": self.correlation_id, "timestamp": timestamp}

    def require_small_body(self, most: int) -> None:
        """Raise `PAYLOAD_TOO_LARGE` for more than `most` bytes (contract, section 6)."""
        # A text has at least as many bytes as characters, so most bodies that are too large need not be encoded.
        if len(self.body) > 2 * most or len(self.body_bytes()) > most:
            raise Problem(Refusal.PAYLOAD_TOO_LARGE, f"A body may have at most {most} bytes.")

    def json_object(self) -> dict[str, Any]:
        """Return the body's JSON object; raises `Problem` (415, 400) for any other body.

        A body without a content type is treated as JSON, as the gateway does.
        """
        media_type, _, parameter = self.headers.get("content-type", "application/json").partition(";")
        charset = parameter.strip().lower().removeprefix("charset=").strip('"')
        if media_type.strip().lower() != "application/json" or charset not in ("", "utf-8"):
            raise Problem(Refusal.UNSUPPORTED_MEDIA_TYPE, "Send JSON in UTF-8, as application/json.")
        try:
            return read_object(self._body_text())
        except Rejected as error:
            raise Problem(error.code, error.message, details={"field": error.field or "body"}) from None

    def idempotency_key(self) -> str:
        """Return the header `Idempotency-Key`; raises `BAD_REQUEST` where it is missing or malformed."""
        key = self.headers.get("idempotency-key", "").strip()
        if not key or "idempotency-key" in self.repeated_headers:
            raise bad_request("Idempotency-Key", "The header Idempotency-Key is required, once.")
        if _PRINTABLE.fullmatch(key) is None:
            raise bad_request(
                "Idempotency-Key",
                f"An Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters.",
            )
        return key

    def holds(self, entity_tag: str) -> bool:
        """Return whether `If-None-Match` matches this tag (RFC 9110, weak comparison)."""
        held = {tag.strip().removeprefix("W/") for tag in self.headers.get("if-none-match", "").split(",")}
        return "*" in held or entity_tag.removeprefix("W/") in held

    def preferred(self, *media_types: str) -> str:
        """Return which of these media types `Accept` prefers (RFC 9110), the first where it states none."""
        weights = dict.fromkeys(media_types, 0.0)
        for offered in self.headers.get("accept", "").lower().split(","):
            wanted, *parameters = (part.strip() for part in offered.split(";"))
            quality = next((part.removeprefix("q=") for part in parameters if part.startswith("q=")), "1")
            for media_type in media_types:
                if wanted == media_type and _QUALITY.fullmatch(quality):
                    weights[media_type] = float(quality)
        return max(media_types, key=lambda media_type: weights[media_type])

    def _body_text(self) -> str:
        text = self.body_bytes().decode(errors="replace")
        if _REPLACED in text:
            raise Problem(Code.NOT_JSON, "the body is not UTF-8", details={"field": "body"})
        return text

    def body_bytes(self) -> bytes:
        """Return the body as it was sent."""
        # A lone surrogate cannot come from the wire; if the gateway makes one, decoding refuses it.
        return b64decode(self.body) if self.body_in_base64 else self.body.encode(errors="surrogatepass")

    def text(self, name: str) -> str | None:
        """Return a parameter's text, None where it is missing or empty; one given twice is a bad request."""
        values = self.parameters.get(name) or [""]
        if len(values) > 1:
            raise bad_request(name, f"The parameter {name} is given more than once.")
        if len(values[0]) > PARAMETER_LENGTH_MAX:
            raise bad_request(name, f"The parameter {name} is longer than {PARAMETER_LENGTH_MAX} characters.")
        return values[0] or None

    def word(self, name: str) -> str | None:
        """Return the text of a parameter that must not be empty, None if it is not given."""
        text = self.text(name)
        if text is None and name in self.parameters:
            raise bad_request(name, f"The parameter {name} is empty.")
        return text

    def whole(self, name: str, *, default: int, most: int, least: int = 1) -> int:
        """Return a parameter that is a whole number from `least` to `most`."""
        text = self.word(name)
        if text is None:
            return default
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= _WHOLE_DIGITS_MAX else -1
        if not least <= number <= most:
            raise bad_request(name, f"The parameter {name} is a whole number from {least} to {most}.")
        return number

    def page_by_cursor(self) -> PageRequest:
        """Return the requested page of a list without numbered pages; raises `BAD_REQUEST` for a page number."""
        if self.text("page") is not None:
            raise bad_request("page", "This list has no numbered pages: follow next_cursor.")
        return PageRequest(limit=self.whole("limit", default=LIMIT_DEFAULT, most=LIMIT_MAX), cursor=self.text("cursor"))

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return a parameter that is one of these words, in upper or lower case."""
        text = self.word(name)
        if text is not None and text.upper() not in allowed:
            raise bad_request(name, f"The parameter {name} is one of {', '.join(allowed)}.")
        return text and text.upper()

    def moment(self, name: str, *, last: bool) -> Instant | None:
        """Return a parameter that is a day or a time in ISO 8601, UTC where it names no zone.

        A day means its first millisecond, or its `last`; so does a time that is finer than milliseconds.
        """
        # RFC 3339 allows lower-case letters too, Python only capitals.
        text = (self.text(name) or "").upper()
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            if len(text) <= len("2026-01-31") and last:
                moment += timedelta(days=1) - _MILLISECOND
            return instant(moment if last else moment + _MILLISECOND - _MICROSECOND)
        except (ValueError, OverflowError):
            raise bad_request(name, f"The parameter {name} is a day or a time in ISO 8601.") from None

    def dates(self) -> tuple[Instant | None, Instant | None]:
        """Return the parameters `start_date` and `end_date`, both included."""
        start, end = self.moment("start_date", last=False), self.moment("end_date", last=True)
        if start is not None and end is not None and start > end:
            raise bad_request("start_date", "start_date is after end_date.")
        return start, end


def required_key(key: str | None) -> str:
    """Return the key that signs cursors; raises `CURSOR_INVALID` if there is none."""
    if key is None:
        raise Problem(Refusal.CURSOR_INVALID, "Cursors are not available here.", details={"field": "cursor"})
    return key


def merchant_of(text: str) -> MerchantId:
    """Return the merchant id of a path or parameter in its normal form; raises `BAD_REQUEST`."""
    try:
        return merchant_id(unquote(text))
    except ValueError:
        raise bad_request("merchant_id", "A merchant id is a UUID.") from None


def transaction_of(text: str) -> TransactionId:
    """Return the transaction id of a path in its normal form; raises `BAD_REQUEST`."""
    try:
        return TransactionId(merchant_id(unquote(text)))
    except ValueError:
        raise bad_request("transaction_id", "A transaction id is a UUID.") from None


def _repeated(headers: Mapping[str, Sequence[str]]) -> frozenset[str]:
    # The gateway lists each spelling of a header's name separately; in HTTP they are one name.
    if len({name.lower() for name in headers}) == sum(map(len, headers.values())):
        return _NONE
    given = Counter(name.lower() for name, values in headers.items() for _ in values)
    return frozenset(name for name, times in given.items() if times > 1)


def _sent(event: Mapping[str, Any]) -> dict[str, str | list[str]]:
    by_name = event.get("multiValueHeaders") or {name: [value] for name, value in (event.get("headers") or {}).items()}
    return {name: values[0] if len(values) == 1 else list(values) for name, values in by_name.items()}


def _trace(text: str | None) -> str | None:
    """Return the caller's id, None if it is invalid: it is dropped, not cut, since half an id may join two traces."""
    stripped = (text or "").strip()
    return stripped if _TRACE.fullmatch(stripped) else None


def _public_path(event: Mapping[str, Any]) -> str:
    # At AWS's addresses clients' paths include the stage or base path; the emulator's proxy has removed it, and the
    # emulator names no domain.
    context = event["requestContext"]
    path = context.get("path") if context.get("domainName") else event.get("path")
    return str(path or context["resourcePath"])

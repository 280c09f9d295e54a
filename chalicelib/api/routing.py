"""What every route shares: request in, answer or problem out, one log line.

Every error of a route becomes a problem body without internals. Every answer has CORS headers, a correlation id and a
request id. No pydantic here: a route returns its body as text.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from chalice.app import Blueprint, Request, Response

from chalicelib.api.access import Access
from chalicelib.api.requests import BODY_BYTES_MAX, Call, merchant_of
from chalicelib.contracts.api.pages import PagePosition, Parameters, link_header
from chalicelib.contracts.api.problems import MEDIA_TYPE, Problem, Refusal, from_error, internal_error
from chalicelib.domain.errors import Code, CreditsError
from chalicelib.environment import SettingError
from chalicelib.handlers.authorize import authorize, context_of
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.wiring import for_figures

if TYPE_CHECKING:
    from chalicelib.contracts.api.model import Model

PREFLIGHT_SECONDS = 7200
"""How long a browser need not ask again what it may send."""

_ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Correlation-ID, X-Request-ID"
_EXPOSED_HEADERS = "Content-Disposition, ETag, Link, Retry-After, X-Correlation-ID, X-Next-Cursor, X-Request-Id"
_OPEN_TO_ALL = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED_HEADERS}

_encode = json.JSONEncoder(separators=(",", ":")).encode

Identifiers = ParamSpec("Identifiers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a route answers: the body as JSON text. `merchant_id` is for the log line."""

    body: str
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    merchant_id: str | None = None


View = Callable[Concatenate[Call, Identifiers], Reply]
_Answer = tuple[int, dict[str, str], str]
"""Status, headers and body."""


def json_text(data: Any, meta: Mapping[str, str]) -> str:
    """Return the body of a plain answer about one thing."""
    return _encode({"data": data, "meta": meta})


def about(call: Call, data: "Model", merchant_id: str | None = None) -> Reply:
    """Return the answer about one thing; `merchant_id` is for the log line."""
    from chalicelib.contracts.api.answers import answer_text

    return Reply(body=answer_text(data, call.meta()), merchant_id=merchant_id)


def listing(call: Call, rows: "Sequence[Model]", place: PagePosition, parameters: Parameters) -> Reply:
    """Return the answer with one page of a list; `parameters` are those of its links, besides the page's own."""
    from chalicelib.contracts.api.answers import listing_text

    links = place.links(call.link_path, parameters)
    body = listing_text(rows, call.meta(), place.pagination(), links)
    return Reply(body=body, headers={"Link": link_header(links)})


def without_slash(call: Call) -> Reply | None:
    """Return the redirect for a page that was requested with a slash after its name, None if it was not.

    API Gateway takes `/docs/` for `/docs`, but the page's relative addresses hold for the latter only.
    """
    if not call.path.endswith("/"):
        return None
    name = call.route.rpartition("/")[2]
    return Reply(body="", status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": f"../{name}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A route as it was registered: `view` names the function, the first path is its name, the others are aliases."""

    view: str
    method: str
    paths: tuple[str, ...]
    access: Access
    summary: str


class Routes:
    """Registers the routes of a blueprint. A route that declares no access is closed; `declared` lists all of them.

    `resource` is what does not exist according to the answer about another merchant.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.declared: list[Declared] = []
        self._blueprint = blueprint
        self._methods: dict[str, list[str]] = {}
        self._views: dict[tuple[str, str], Callable[[Mapping[str, Any], Mapping[str, str]], _Answer]] = {}
        self._open_paths: set[str] = set()

    def get(
        self,
        *paths: str,
        access: Access = Access.NOBODY,
        summary: str = "",
        resource: str = "merchant",
        open_to_all_origins: bool = False,
    ) -> Callable[[View[Identifiers]], View[Identifiers]]:
        """Answer GET, and HEAD without the body, at each of the paths with the view."""
        if open_to_all_origins:
            self._open_paths.update(paths)
        return self._route("GET", paths, access=access, summary=summary, resource=resource)

    def post(
        self,
        *paths: str,
        access: Access = Access.NOBODY,
        summary: str = "",
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> Callable[[View[Identifiers]], View[Identifiers]]:
        """Answer POST at each of the paths with the view."""
        return self._route("POST", paths, access=access, summary=summary, body_bytes_max=body_bytes_max)

    def put(
        self, *paths: str, access: Access = Access.NOBODY, summary: str = ""
    ) -> Callable[[View[Identifiers]], View[Identifiers]]:
        """Answer PUT at each of the paths with the view."""
        return self._route("PUT", paths, access=access, summary=summary)

    def delete(
        self, *paths: str, access: Access = Access.NOBODY, summary: str = ""
    ) -> Callable[[View[Identifiers]], View[Identifiers]]:
        """Answer DELETE at each of the paths with the view."""
        return self._route("DELETE", paths, access=access, summary=summary)

    def _route(
        self,
        method: str,
        paths: tuple[str, ...],
        *,
        access: Access,
        summary: str,
        resource: str = "merchant",
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> Callable[[View[Identifiers]], View[Identifiers]]:
        by_token = access.by_token
        of_merchant = access is Access.OWNER and any("{merchant_id}" in path for path in paths)

        def register(view: View[Identifiers]) -> View[Identifiers]:
            asked: Callable[..., Reply] = view

            def responding(event: Mapping[str, Any], named: Mapping[str, str]) -> _Answer:
                def admitted(call: Call) -> Reply:
                    call.require_small_body(body_bytes_max)
                    if by_token:
                        call = replace(call, caller=access.admit(_context(call), now=call.now))
                    if of_merchant:
                        call.caller.require_merchant(merchant_of(named["merchant_id"]), resource)
                    return asked(call, **named)

                return self._answer(admitted, event)

            @wraps(view)
            def answered(**named: str) -> Response:
                return _response(responding(self._blueprint.current_request.to_original_event(), named))

            for path in paths:
                if path not in self._methods:
                    self._register(path, "OPTIONS", self._preflight, authorizer=None)
                for each in ("GET", "HEAD") if method == "GET" else (method,):
                    self._methods.setdefault(path, []).append(each)
                    self._views[path, each] = responding
                    self._register(path, each, answered, authorizer=authorize if by_token else None)
            self.declared.append(
                Declared(view=view.__name__, method=method.lower(), paths=paths, access=access, summary=summary)
            )
            return view

        return register

    def _register(self, path: str, method: str, view: Callable[..., Response], *, authorizer: Any) -> None:
        # Chalice would refuse other content types in words of its own, and its preflight knows one origin only.
        route = self._blueprint.route(
            path, methods=[method], content_types=["*/*"], cors=False, authorizer=authorizer, name=view.__name__
        )
        route(view)

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a GET or HEAD without a body as API Gateway takes it, None for any other request.

        Chalice would give the same answer, but itself takes longer than a status does.
        """
        context = event["requestContext"]
        view = self._views.get((context["resourcePath"], context["httpMethod"]))
        if view is None or context["httpMethod"] not in ("GET", "HEAD") or event.get("body"):
            return None
        if any(name.lower() == "content-type" for name in event.get("headers") or {}):
            return None
        status, headers, body = view(event, event.get("pathParameters") or {})
        return {"headers": headers, "multiValueHeaders": {}, "statusCode": status, "body": body}

    def _preflight(self, **_identifiers: str) -> Response:
        """Answer a preflight with what a browser may send here."""

        def allowed(call: Call) -> Reply:
            headers = {
                "Access-Control-Allow-Methods": ", ".join([*self._methods[call.route], "OPTIONS"]),
                "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            }
            return Reply(body="", status=HTTPStatus.NO_CONTENT, headers=headers)

        return _response(self._answer(allowed, self._blueprint.current_request.to_original_event()))

    def _answer(self, view: Callable[[Call], Reply], event: Mapping[str, Any]) -> _Answer:
        started = time.perf_counter()
        call = Call.from_event(event, now=datetime.now(UTC))
        reply = _reply(view, call)
        method = event["requestContext"]["httpMethod"]
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Correlation-ID": call.correlation_id,
            "X-Request-Id": call.request_id,
            **(_OPEN_TO_ALL if call.route in self._open_paths else _cors(call)),
            **reply.headers,
        }
        logger.info(
            "answered",
            method=method,
            route=call.route,
            status=reply.status.value,
            merchant_id=reply.merchant_id,
            ms=round((time.perf_counter() - started) * 1000, 1),
            request_id=call.request_id,
            correlation_id=call.correlation_id,
        )
        for_figures.counter_writer().write(awaited=True)
        return reply.status.value, headers, "" if method == "HEAD" else reply.body


def _response(answer: _Answer) -> Response:
    status, headers, body = answer
    return Response(body=body, status_code=status, headers=dict(headers))


def _context(call: Call) -> Mapping[str, Any] | None:
    """Return the claims of the caller's token, from the gateway's authorizer or read here; None if there are none."""
    if not call.by_http_api:
        return call.authorizer
    try:
        return context_of(call.headers.get("authorization", ""))
    except Exception as error:
        # The gateway answers 500 when its authorizer fails: a token is not refused because no key was available.
        logger.exception("token not verified", request_id=call.request_id)
        raise Problem(Code.UNAVAILABLE, "Try again in a second.", headers={"Retry-After": "1"}) from error


def refusal_of_the_framework(request: Request, response: Response) -> Response:
    """Return `response`, as a problem where Chalice refused the request before any route saw it."""
    if not (isinstance(response.body, dict) and "Code" in response.body):
        return response
    call = Call.from_event(request.to_original_event(), now=datetime.now(UTC))
    logger.warning("refused by the framework", status=response.status_code, request_id=call.request_id)
    problem = internal_error()
    if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        problem = Problem(Refusal.METHOD_NOT_ALLOWED, "This route does not take this method.")
    reply = _refused(problem, call)
    headers = {**response.headers, **reply.headers, "X-Correlation-ID": call.correlation_id}
    return Response(body=reply.body, status_code=reply.status.value, headers=headers)


def _reply(view: Callable[[Call], Reply], call: Call) -> Reply:
    try:
        return view(call)
    except Problem as problem:
        return _refused(problem, call)
    except CreditsError as error:
        logger.warning("refused by the ledger", code=error.code, reason=error.message, request_id=call.request_id)
        return _refused(from_error(error), call)
    except Exception:  # noqa: BLE001 - the outermost place: it is reported, and the caller gets an answer
        logger.exception("internal error", request_id=call.request_id, route=call.route)
        return _refused(internal_error(), call)


def _refused(problem: Problem, call: Call) -> Reply:
    body = problem.body(instance=call.path, meta=call.meta())
    headers = {"Content-Type": MEDIA_TYPE, **problem.headers}
    return Reply(body=json.dumps(body, separators=(",", ":")), status=problem.status, headers=headers)


def _cors(call: Call) -> dict[str, str]:
    try:
        allowed = settings().cors_origins
    except SettingError:
        # The route has failed on the same setting, and its problem says so in the log.
        allowed = ()
    origin = call.headers.get("origin")
    if origin is None or origin not in allowed:
        return {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Access-Control-Expose-Headers": _EXPOSED_HEADERS}

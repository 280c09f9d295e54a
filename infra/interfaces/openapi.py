"""The API's document: OpenAPI 3.1, put together from the routes' table, the models and the glossary."""

import re
from collections.abc import Mapping
from typing import Any

from openapi_pydantic import OpenAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chalicelib.contracts.api.problem import Problem
from chalicelib.contracts.api.problems import MEDIA_TYPE
from infra.interfaces import samples
from infra.interfaces.explaining import explained
from infra.interfaces.operations import CORRELATION_ID, HEADERS, REQUEST_ID, TEXT, WHO, Body, Route, Success, Tag
from infra.interfaces.routes import ROUTES
from infra.interfaces.story import MERCHANT

SCHEMAS = "#/components/schemas/"
GATEWAY_ERRORS = (429, 503)
"""What the gateway may answer to any request, whatever the route: too many, or a function that does not answer."""

_TRACING = tuple({"$ref": f"#/components/parameters/{name}"} for name in ("X-Correlation-ID", "X-Request-ID"))
_COMMON_HEADERS = ("X-Correlation-ID", "X-Request-Id")
_ERROR_HEADERS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_INTRODUCTION = """\
A shop has credits: paid orders use them up, refunds give them back, trials, payments and renewals add them, admins
correct them. The shop's plugin is **enabled while the balance is above zero**.

**Tokens.** A JWT as `Authorization: Bearer …`, with the claim `merchant_id` for a shop's own data and the scopes
`credits:read`, `credits:admin` and `credits:ops`. What a token may not see answers 404, as if it did not exist.

**Answers** are `{"data", "meta"}`, lists also have `pagination` and `links` (and a `Link` header). **Refusals** are
`application/problem+json` (RFC 9457) with the platform's member `error`. Credits are whole numbers; times are UTC in
ISO 8601 with milliseconds.

**Everywhere**: `X-Correlation-ID` and `X-Request-ID` are accepted and returned. A query parameter without a value
counts as absent; one given twice is refused. A body has up to 64 KiB (a file of adjustments 512 KiB, a webhook 4.5
million bytes). `HEAD` answers as `GET` does, without the body; `OPTIONS` answers a browser's preflight. For any
route the gateway may answer 429, or 503 for a moment, with `Retry-After`."""


def openapi() -> dict[str, Any]:
    """Return the document; it has been read back as OpenAPI 3.1 without a complaint."""
    refused = sorted({status for route in ROUTES for status in route.errors} | set(GATEWAY_ERRORS))
    document: dict[str, Any] = {
        "openapi": "3.1.1",
        "info": {"title": "Merchant credits", "version": "1", "description": _INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag.title, "description": tag.description} for tag in Tag],
        "paths": _paths(),
        "components": {
            "schemas": explained(schemas()),
            "headers": {name: dict(header) for name, header in HEADERS.items()},
            "parameters": {"X-Correlation-ID": CORRELATION_ID, "X-Request-ID": REQUEST_ID},
            "responses": {str(status): _refusal(status) for status in refused},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": (
                        "RS256 or ES256, verified by JWKS, or HS256 where configured; `iss`, `aud` and `exp` are "
                        "required. Scopes: `credits:read` (the data of the claim `merchant_id`), `credits:admin` "
                        "(all merchants), `credits:ops` (the operators' routes). The scopes are a text or a list, "
                        "with or without the name of a resource server before them (`server/credits:read`). An "
                        "installation may take them from `scp` or `scopes`, the merchant from another claim, and "
                        "`client_id` in place of `aud`."
                    ),
                }
            },
        },
    }
    OpenAPI.model_validate(document)
    return document


def schemas() -> dict[str, Any]:
    """Return the schemas of all models that routes take and answer, by name."""
    models: set[type[BaseModel]] = {Problem}
    for route in ROUTES:
        models |= {said.model for said in route.answers.values() if said.model is not None}
    asked = [route.body.model for route in ROUTES if route.body is not None]
    _, made = models_json_schema(
        [
            *((model, "serialization") for model in sorted(models, key=lambda model: model.__name__)),
            *((model, "validation") for model in asked),
        ],
        ref_template=SCHEMAS + "{model}",
    )
    found = {_short(name): _renamed(schema) for name, schema in made["$defs"].items()}
    for body in (route.body for route in ROUTES if route.body is not None and route.body.members):
        part = _part(found.pop(_name(body.model)), body.members, body.optional)
        known = found.setdefault(body.name or _name(body.model), part)
        assert known is part, f"{body.name} is the name of another schema"
    return found


def _part(schema: Mapping[str, Any], members: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of a model of which a caller gives all of `members`, and any of `optional`."""
    properties = {}
    for member in members:
        form = schema["properties"][member]
        # Where the model has a default for it, null would be taken for a missing one.
        said = [branch for branch in form.get("anyOf", []) if branch != {"type": "null"} or "default" not in form]
        properties[member] = {"anyOf": said} if len(said) > 1 else said[0] if said else form
    for member in optional:
        form = schema["properties"][member]
        said = form.get("anyOf", [_bare(form)])
        nothing = form.get("default", 0) is None and {"type": "null"} not in said
        properties[member] = {"anyOf": [*said, {"type": "null"}]} if nothing else form
    return {"type": "object", "description": schema["description"], "properties": properties, "required": list(members)}


def _bare(form: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in form.items() if name not in ("title", "default")}


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in ROUTES:
        for path in route.declared.paths:
            paths.setdefault(path, {})[route.declared.method] = _operation(route, path)
    return paths


def _operation(route: Route, path: str) -> dict[str, Any]:
    alias = path != route.declared.paths[0]
    sentences = [
        route.description,
        f"The same as `{route.declared.paths[0]}`." if alias else "",
        WHO[route.declared.access],
    ]
    operation: dict[str, Any] = {
        "operationId": f"{route.view}_{_place(path)}" if alias else route.view,
        "tags": [route.tag.title],
        "summary": route.declared.summary + (" (alias)" if alias else ""),
        "description": "\n\n".join(sentence for sentence in sentences if sentence),
        "parameters": [*route.parameters, *_TRACING],
    }
    if route.body is not None:
        operation["requestBody"] = _request_body(route.body)
    errors = sorted({*route.errors, *GATEWAY_ERRORS})
    operation["responses"] = {
        **{str(status): _success(said) for status, said in sorted(route.answers.items())},
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in errors},
    }
    access = route.declared.access
    scopes = [[scope] for scope in access.scopes] or [[]]
    operation["security"] = [{"bearer": needed} for needed in scopes] if access.by_token else []
    return operation


def _place(path: str) -> str:
    words = re.findall(r"[a-z0-9]+", re.sub(r"\{.*?\}", "", path.removeprefix("/api/v1")).lower())
    return "_".join(["at", *words])


def _request_body(body: Body) -> dict[str, Any]:
    content = {"schema": {"$ref": SCHEMAS + (body.name or _name(body.model))}, "examples": _examples(body.examples)}
    return {"required": True, "content": {"application/json": content}}


def _success(said: Success) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": said.description, "headers": _headers((*said.headers, *_COMMON_HEADERS))}
    schema = said.schema if said.model is None else {"$ref": SCHEMAS + _short(_name(said.model))}
    if schema is not None:
        content: dict[str, Any] = {"schema": schema}
        if said.examples:
            content["examples"] = _examples(said.examples)
        answer["content"] = {said.media_type: content, **{text: {"schema": TEXT} for text in said.texts}}
    return answer


def _refusal(status: int) -> dict[str, Any]:
    codes = ", ".join(f"`{code}`" for code in samples.codes(status))
    path = ROUTES[1].declared.paths[0].replace("{merchant_id}", MERCHANT)
    return {
        "description": f"{samples.title(status)}. `error.code`: {codes}.",
        "headers": _headers((*_ERROR_HEADERS.get(status, ()), *_COMMON_HEADERS)),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": SCHEMAS + "Problem"},
                "examples": _examples({"refused": samples.problem(status, path)}),
            }
        },
    }


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _examples(examples: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace(" ", "-"): {"summary": name.capitalize(), "value": value} for name, value in examples.items()}


def _name(model: type[BaseModel]) -> str:
    return re.sub(r"[^A-Za-z0-9.\-_]", "_", model.__name__)


def _short(name: str) -> str:
    """Return the name of a generic model's schema as people would say it."""
    return re.sub(r"^(?:Letter)?(Answer|Listing)_(\w+)_$", r"\2\1", name)


def _renamed(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: SCHEMAS + _short(value.removeprefix(SCHEMAS)) if name == "$ref" else _renamed(value)
            for name, value in schema.items()
        }
    return [_renamed(each) for each in schema] if isinstance(schema, list) else schema

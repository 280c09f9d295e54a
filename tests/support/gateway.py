"""API Gateway, as far as the application depends on it: routes, the authorizer, and refusals before both."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from chalice.app import Chalice

from chalicelib.handlers.authorize import authorize

BODY_BYTES_MAX = 10 * 1024 * 1024
METHOD = "arn:aws:execute-api:eu-west-1:123456789012:abc/dev/GET/"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer as a client sees it."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """Answers HTTP requests with the application, in process."""

    app: Chalice

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> HttpAnswer:
        """Answer one request, as the template's gateway would."""
        path, _, query = target.partition("?")
        route_path = path.removesuffix("/")  # API Gateway's matching; the application gets the original path.
        if len(body or b"") > BODY_BYTES_MAX:
            return _refusal(413)
        template = self._template(route_path)
        entry = self.app.routes[template].get(method) if template is not None else None
        if template is None or entry is None:
            return _refusal(404)
        context: Mapping[str, Any] | None = None
        if entry.authorizer is not None:
            token = {name.lower(): value for name, value in headers.items()}.get("authorization")
            context = _context(token) if token else None
            if context is None:
                return _refusal(401)
        answer = self.app(_event(method, path, query, headers, body, template=template, context=context), None)
        return HttpAnswer(status=answer["statusCode"], headers=answer["headers"], text=answer["body"] or "")

    def _template(self, path: str) -> str | None:
        """Return the route of a path: at each step a fixed part wins over an identifier, without backtracking."""
        template = ""
        for part in path.split("/")[1:]:
            steps = {
                one.split("/")[template.count("/") + 1]
                for one in self.app.routes
                if f"{one}/".startswith(f"{template}/") and one != template
            }
            step = part if part in steps else next((one for one in steps if one.startswith("{") and part), None)
            if step is None:
                return None
            template = f"{template}/{step}"
        return template if template in self.app.routes else None


def _context(token: str) -> Mapping[str, Any] | None:
    answer = authorize({"type": "TOKEN", "authorizationToken": token, "methodArn": METHOD}, None)
    allowed = answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    context: Mapping[str, Any] = answer.get("context", {})
    return context if allowed else None


def _event(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    template: str,
    context: Mapping[str, Any] | None,
) -> dict[str, Any]:
    parameters = parse_qs(query, keep_blank_values=True, errors="replace")
    pairs = zip(template.split("/"), path.removesuffix("/").split("/"), strict=True)
    return {
        "resource": template,
        "path": path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {name.strip("{}"): value for name, value in pairs if name.startswith("{")} or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": str(uuid4()),
            "resourcePath": template,
            "httpMethod": method,
            "path": path,
            "stage": "test",
            **({"authorizer": dict(context)} if context is not None else {}),
        },
        **_body(body),
    }


def _body(body: bytes | None) -> dict[str, Any]:
    try:
        return {"body": None if body is None else body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": b64encode(body or b"").decode(), "isBase64Encoded": True}


def _refusal(status: int) -> HttpAnswer:
    """Return the template's gateway responses, in short: tests/infra checks their texts."""
    problem = dict.fromkeys(("type", "title", "detail", "instance"), "")
    body = {**problem, "status": status, "error": {"code": "", "message": "", "details": {}}, "meta": {}}
    return HttpAnswer(status=status, headers={"Content-Type": "application/problem+json"}, text=json.dumps(body))

"""The console in a browser on the API in this process: no stack, no port, and the tables of a test.

The page's requests are answered in the thread of the test, each as the gateway would pass it on.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import jwt
from chalice.app import Chalice
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route

from app import app

ORIGIN = "https://console.example"
"""A secure address, so that the page may compute hashes; no request leaves the browser."""


def admin_token(subject: str = "admin-7") -> str:
    """Return a token with an admin's claims, whose signature nobody checks here."""
    return token(sub=subject, scope="credits:admin")


def token(**claims: str) -> str:
    """Return a token with these claims, whose signature nobody checks here."""
    return jwt.encode(dict(claims), "a secret of no meaning, 32 bytes", "HS256")


@dataclass
class PageApi:
    """Answers the requests of a page with the application. `asked` are their methods and paths."""

    app: Chalice
    asked: list[str] = field(default_factory=list)

    def serve(self, page: Page) -> None:
        """Answer everything that the page asks for from now on."""
        page.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        answer = self._called(route.request)
        headers = {**answer.get("headers", {}), **{n: v[-1] for n, v in answer.get("multiValueHeaders", {}).items()}}
        route.fulfill(status=answer["statusCode"], headers=headers, body=answer["body"])

    def _called(self, request: Request) -> Mapping[str, Any]:
        address = urlsplit(request.url)
        template, named = self._route(address.path)
        self.asked.append(f"{request.method} {address.path}")
        parameters = parse_qs(address.query)
        event = {
            "resource": template,
            "path": address.path,
            "httpMethod": request.method,
            "headers": dict(request.headers),
            "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
            "multiValueQueryStringParameters": parameters or None,
            "pathParameters": named or None,
            "stageVariables": None,
            "requestContext": {
                "requestId": str(uuid4()),
                "resourcePath": template,
                "httpMethod": request.method,
                "path": address.path,
                "stage": "test",
                "authorizer": _claims(request.headers.get("authorization", "")),
            },
            "body": request.post_data,
            "isBase64Encoded": False,
        }
        answered: Mapping[str, Any] = self.app(event, None)
        return answered

    def _route(self, path: str) -> tuple[str, dict[str, str]]:
        for template in sorted(self.app.routes, key=lambda each: each.count("{")):
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
            if found := re.fullmatch(pattern, path):
                return template, found.groupdict()
        return path, {}


def _claims(authorization: str) -> dict[str, str]:
    token = authorization.removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False}) if token else {}
    read = {name: json.dumps(text) if not isinstance(text, str) else text for name, text in claims.items()}
    return {"scope": read.get("scope", ""), "subject": read.get("sub", ""), "merchant_id": read.get("merchant_id", "")}


@contextmanager
def signed_in_tabs(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Yield what opens a view of the console in a new context of the browser, and close all of them at the end.

    It takes the view, a token (an admin's by default), a script that runs before the page's own, and options of the
    context. An error in a page fails the test.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def opened(view: str = "", bearer: str | None = None, *, script: str = "", **options: Any) -> Page:
        context = browser.new_context(locale="en-GB", **options)
        contexts.append(context)
        context.add_init_script(f"sessionStorage.setItem('credits.token', '{bearer or admin_token()}')\n{script}")
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        PageApi(app).serve(page)
        page.goto(f"{ORIGIN}/console#/{view}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []

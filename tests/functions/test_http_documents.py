"""The document over HTTP: complete beside what is registered, and a page that loads nothing else."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin

import pytest

from app import app
from infra.interfaces.__main__ import DOCUMENTS
from infra.interfaces.routes import ROUTES
from tests.support.api import Api, Aws

OPENAPI = json.loads(next(iter(DOCUMENTS)).read_text())


def raw(
    path: str, *, route: str | None = None, headers: dict[str, str] | None = None, stage: str = ""
) -> dict[str, Any]:
    """Return the gateway's answer; with a `stage` as at an address of AWS."""
    event = {
        "resource": route or path,
        "path": path,
        "httpMethod": "GET",
        "headers": headers or {},
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "r",
            "resourcePath": route or path,
            "httpMethod": "GET",
            "path": f"/{stage}{path}" if stage else path,
            **({"domainName": "api.example"} if stage else {}),
        },
        "body": None,
        "isBase64Encoded": False,
    }
    answered: dict[str, Any] = app(event, None)
    return answered


def test_the_document_has_every_route_that_is_registered_and_no_other() -> None:
    registered = {
        (path, method.lower())
        for path, methods in app.routes.items()
        for method in methods
        if method not in ("OPTIONS", "HEAD")
    }
    assert {path for path, methods in app.routes.items() if "HEAD" in methods} == {
        path for path, method in registered if method == "get"
    }
    documented = {(path, method) for path, item in OPENAPI["paths"].items() for method in item}

    assert documented == registered


def test_the_document_says_of_each_route_who_answers_and_whether_a_token_is_needed() -> None:
    documented = {(path, route.declared.method.upper()): route for route in ROUTES for path in route.declared.paths}

    for (path, method), route in documented.items():
        entry = app.routes[path][method]
        assert entry.view_name == route.view
        assert bool(entry.authorizer) == route.declared.access.by_token, path
        assert bool(OPENAPI["paths"][path][route.declared.method]["security"]) == bool(entry.authorizer)


def test_the_document_names_each_identifier_of_each_path() -> None:
    for path, item in OPENAPI["paths"].items():
        for operation in item.values():
            named = {each["name"] for each in operation["parameters"] if each.get("in") == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), path


@pytest.mark.parametrize("path", ["/openapi.json", "/api/v1/openapi.json"])
def test_the_document_is_answered_at_both_addresses_to_anybody_without_a_read(aws: Aws, path: str) -> None:
    answered = raw(path)

    assert answered["statusCode"] == 200
    assert answered["headers"]["Content-Type"] == "application/json"
    assert answered["headers"]["Access-Control-Allow-Origin"] == "*"
    assert json.loads(answered["body"]) == OPENAPI
    assert aws.calls == []


def test_behind_a_stage_the_document_names_the_stage_as_its_server(aws: Aws) -> None:
    for path in ("/openapi.json", "/api/v1/openapi.json"):
        assert json.loads(raw(path, stage="prod")["body"])["servers"] == [{"url": "/prod"}]


def test_a_slash_at_the_end_does_not_become_a_part_of_the_server(aws: Aws) -> None:
    answered = raw("/openapi.json/", route="/openapi.json", stage="prod")

    assert json.loads(answered["body"])["servers"] == [{"url": "/prod"}]


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_who_holds_the_document_already_is_told_so(aws: Aws, path: str) -> None:
    tag = raw(path)["headers"]["ETag"]

    assert raw(path, headers={"If-None-Match": tag})["statusCode"] == 304
    assert raw(path, headers={"If-None-Match": f'"x", {tag}'})["body"] == ""
    assert raw(path, headers={"If-None-Match": '"x"'})["statusCode"] == 200


@pytest.mark.parametrize("path", ["/docs", "/api/v1/docs"])
def test_the_page_may_run_its_own_script_and_style_and_nothing_else(aws: Aws, path: str) -> None:
    answered = raw(path)

    policy = answered["headers"]["Content-Security-Policy"]
    assert answered["headers"]["Content-Type"].startswith("text/html")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for element in ("script", "style"):
        [inside] = re.findall(f"<{element}>(.*?)</{element}>", answered["body"], re.DOTALL)
        digest = b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("route", ["/docs", "/api/v1/docs", "/console"])
@pytest.mark.parametrize("stage", ["", "prod"])
def test_a_page_asked_for_with_a_slash_behind_it_is_where_its_relative_addresses_hold(
    aws: Aws, route: str, stage: str
) -> None:
    answered = raw(f"{route}/", route=route, stage=stage)

    assert (answered["statusCode"], answered["body"]) == (308, "")
    assert urljoin(f"https://api.example/{stage}{route}/", answered["headers"]["Location"]).endswith(f"{stage}{route}")


def test_the_page_names_no_other_host_and_reads_nothing_as_html(aws: Aws) -> None:
    page = raw("/docs")["body"]

    assert "//" not in re.sub(r"/\*.*?\*/", "", page, flags=re.DOTALL)
    assert not re.search(r"innerHTML|outerHTML|document\.write|eval\(|style=|\son\w+=", page)


def test_the_api_answers_documents_through_the_same_door(api: Api) -> None:
    answered = api.get("/openapi.json", headers={"X-Correlation-ID": "order 17"})

    assert answered.headers["X-Correlation-ID"] == "order 17"
    assert answered.headers["X-Content-Type-Options"] == "nosniff"

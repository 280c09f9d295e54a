"""Who may call a route is declared where the route is registered; what declares nothing is closed."""

import json
from typing import Any

import pytest
from chalice.app import Blueprint, Chalice

from app import app
from chalicelib.api import (
    admin,
    bulk,
    console,
    dead_letters,
    documents,
    links,
    merchants,
    operations,
    people,
    webhooks,
    widget,
)
from chalicelib.api.access import Access
from chalicelib.api.requests import Call
from chalicelib.api.routing import Declared, Reply, Routes
from tests.support.api import ADMIN, NOBODY, OPS, OWNER
from tests.support.builders import SHOP
from tests.support.events import Context

MODULES = (admin, console, dead_letters, documents, links, bulk, merchants, operations, people, webhooks, widget)
DECLARED = [declared for module in MODULES for declared in module.routes.declared]
NONE = {"scope": "", "subject": "anyone"}
TOKENS: dict[str | None, dict[str, Any] | None] = {None: None, "none": NONE, "owner": OWNER, "admin": ADMIN, "ops": OPS}


def called(application: Chalice, path: str, token: dict[str, Any] | None, **identifiers: str) -> tuple[int, str]:
    event = {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": identifiers or None,
        "stageVariables": None,
        "requestContext": {"httpMethod": "GET", "resourcePath": path, "requestId": "r", "authorizer": token},
        "body": None,
        "isBase64Encoded": False,
    }
    answered = application(event, Context())
    return answered["statusCode"], answered["body"]


def application(**declared: Any) -> Chalice:
    """Return an application with one route that answers who called it."""
    blueprint = Blueprint("made_up")
    routes = Routes(blueprint)

    @routes.get("/made-up", **declared)
    def made_up(call: Call) -> Reply:
        return Reply(body=json.dumps(call.caller.subject))

    @routes.get("/made-up/{merchant_id}", **declared)
    def of_merchant(call: Call, merchant_id: str) -> Reply:
        return Reply(body=json.dumps([call.caller.subject, merchant_id]))

    made = Chalice(app_name="made-up")
    made.register_blueprint(blueprint)
    return made


@pytest.mark.parametrize("token", TOKENS.values(), ids=map(str, TOKENS))
def test_a_route_registered_without_a_word_refuses_everybody(token: dict[str, Any] | None) -> None:
    status, body = called(application(), "/made-up", token)

    assert status == (401 if token is None else 403)
    assert json.loads(body)["error"]["code"] in ("UNAUTHORIZED", "FORBIDDEN")


@pytest.mark.parametrize(
    ("access", "passing"),
    [
        (Access.ANYONE, {None, "none", "owner", "admin", "ops"}),
        (Access.TOKEN, {"none", "owner", "admin", "ops"}),
        (Access.OWNER, {"owner", "admin"}),
        (Access.ADMIN, {"admin"}),
        (Access.OPS, {"ops"}),
    ],
)
def test_a_route_is_called_by_those_whom_it_declares_and_by_nobody_else(
    access: Access, passing: set[str | None]
) -> None:
    made = application(access=access)

    assert {name for name, token in TOKENS.items() if called(made, "/made-up", token)[0] == 200} == passing


def test_a_foreign_merchants_route_answers_as_if_the_merchant_did_not_exist() -> None:
    made = application(access=Access.OWNER)

    assert called(made, "/made-up/{merchant_id}", OWNER, merchant_id=SHOP)[0] == 200
    assert called(made, "/made-up/{merchant_id}", OWNER, merchant_id=NOBODY)[0] == 404
    assert called(made, "/made-up/{merchant_id}", ADMIN, merchant_id=NOBODY)[0] == 200
    assert called(made, "/made-up/{merchant_id}", OWNER, merchant_id="x")[0] == 400


@pytest.mark.parametrize("declared", DECLARED, ids=lambda declared: declared.view)
def test_every_route_declares_who_may_call_it_and_says_what_it_is(declared: Declared) -> None:
    assert declared.access is not Access.NOBODY
    assert declared.summary


def test_every_route_of_the_application_is_declared() -> None:
    registered = {(path, method.lower()) for path, by_method in app.routes.items() for method in by_method}
    expected = {(path, declared.method) for declared in DECLARED for path in declared.paths}

    assert registered - {(path, "options") for path in app.routes} == expected | {
        (path, "head") for path, method in expected if method == "get"
    }

"""The API's function as it is deployed answers what the application does, header by header."""

from typing import Any

import pytest
import time_machine

from app import app
from chalicelib.api.door import serve
from tests.support.api import ADMIN, NOON, OTHER, OWNER, Aws, Ledger, throttled
from tests.support.builders import SHOP, account_of
from tests.support.events import Context

STATUS = "/api/v1/credits/plugin-status/{merchant_id}"
ACCOUNT = "/api/v1/credits/accounts/{merchant_id}"
BATCH = "/api/v1/credits/plugin-status/batch"


def event(route: str, *, method: str = "GET", merchant: str = SHOP, **more: Any) -> dict[str, Any]:
    headers = {"Accept": "application/json", "X-Request-ID": "r-1", **more.pop("headers", {})}
    path = {"merchant_id": merchant} if "{" in route else None
    return {
        "resource": route,
        "path": route.format(merchant_id=merchant),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": None,
        "queryStringParameters": None,
        "pathParameters": path,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": "8d3bf1f6",
            "resourcePath": route,
            "httpMethod": method,
            "path": route,
            "authorizer": more.pop("token", None),
        },
        **more,
    }


EVENTS = {
    "a status": event(STATUS),
    "its alias": event("/api/v1/plugin-status/{merchant_id}"),
    "HEAD": event(STATUS, method="HEAD"),
    "a copy that is current": event(STATUS, headers={"If-None-Match": 'W/"enabled-sufficient_credits"'}),
    "HEAD of a copy that is current": event(
        STATUS, method="HEAD", headers={"If-None-Match": 'W/"enabled-sufficient_credits"'}
    ),
    "its days": event(STATUS, multiValueQueryStringParameters={"days_left": ["1"]}),
    "over the HTTP API": event(STATUS, version="1.0", token={"claims": None, "scopes": None}),
    "an account over the HTTP API": event(ACCOUNT, version="1.0", token=OWNER),
    "a browser": event(STATUS, headers={"Origin": "https://shop.example"}),
    "nobody": event(STATUS, merchant=OTHER),
    "no merchant id": event(STATUS, merchant="x%0A"),
    "a content type": event(STATUS, headers={"Content-Type": "text/plain"}),
    "an empty content type": event(STATUS, headers={"content-type": ""}),
    "a header twice": event(STATUS, multiValueHeaders={"If-None-Match": ["a", "b"], "accept": ["c"]}),
    "a method that it does not take": event(STATUS, method="DELETE"),
    "preflight": event(STATUS, method="OPTIONS", headers={"Origin": "https://shop.example"}),
    "a body": event(STATUS, body="{}"),
    "an account": event(ACCOUNT, token=OWNER),
    "an admin's": event(ACCOUNT, token=ADMIN, headers={"Origin": "https://admin.example"}),
    "no token": event(ACCOUNT),
    "another's account": event(ACCOUNT, token=OWNER, merchant=OTHER),
    "a batch": event(BATCH, method="POST", token=OWNER, body=f'{{"merchant_ids": ["{SHOP}"]}}'),
    "a route of all": event("/widget-1.js"),
}


@pytest.fixture
def shop(ledger: Ledger) -> None:
    from chalicelib.adapters.dynamodb.items import account_item  # noqa: PLC0415
    from tests.support.api import CREDITS_TABLE  # noqa: PLC0415

    ledger.client.put_item(TableName=CREDITS_TABLE, Item=account_item(account_of(balance=5)))


@pytest.mark.parametrize("name", EVENTS)
def test_the_door_answers_what_the_application_answers(shop: None, name: str) -> None:
    with time_machine.travel(NOON, tick=False):
        first, second = app(EVENTS[name], Context()), serve(EVENTS[name], Context())

    assert second == first
    assert list(second["headers"]) == list(first["headers"])


def test_a_table_that_cannot_be_read_is_answered_the_same(shop: None, aws: Aws) -> None:
    aws.fault = throttled()
    with time_machine.travel(NOON, tick=False):
        assert serve(EVENTS["nobody"], Context()) == app(EVENTS["nobody"], Context())


def test_a_status_does_not_pass_chalice(shop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.api.door.application", None)

    assert serve(EVENTS["a status"], Context())["statusCode"] == 200

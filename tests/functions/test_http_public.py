"""The HTTP API: the same function, asked with the event that AWS documents for payload format 1.0, answers the same."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jwt
import pytest
import time_machine
from chalice.app import Chalice

from app import app
from chalicelib.settings import settings
from chalicelib.wiring import for_api
from tests.support.api import NOBODY, NOON, OWNER, Api, Ledger
from tests.support.builders import SHOP, trial
from tests.support.events import Context

STATUS = "/api/v1/plugin-status/{merchant_id}"
OLD_STATUS = "/api/v1/credits/plugin-status/{merchant_id}"
BATCH = "/api/v1/credits/plugin-status/batch"
WIDGET = "/widget-1.js"
SECRET = "s" * 32
SETTINGS = {"JWT_ALGORITHM": "HS256", "JWT_ISSUER": "https://identity.example", "JWT_AUDIENCE": "credit-service"}
TRACE = {"X-Request-Id": "one", "X-Correlation-Id": "two"}


def by_rest(method: str, route: str, headers: Mapping[str, str], body: str | None, token: Any, **named: str) -> Any:
    """Return the event of the REST API, whose authorizer found out `token`."""
    path = route.format(**named)
    return {
        "resource": route,
        "path": path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": named or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "r",
            "resourcePath": route,
            "httpMethod": method,
            "path": path,
            "stage": "dev",
            **({"authorizer": token} if token else {}),
        },
        "body": body,
        "isBase64Encoded": False,
    }


def by_http_api(method: str, route: str, headers: Mapping[str, str], body: str | None, **named: str) -> Any:
    """Return the event of the HTTP API: names of headers in lower case, and claims of nobody."""
    event = by_rest(method, route, {name.lower(): value for name, value in headers.items()}, body, None, **named)
    context = event["requestContext"] | {
        "authorizer": {"claims": None, "scopes": None},
        "apiId": "abc",
        "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
        "resourceId": None,
        "stage": "$default",
    }
    return {"version": "1.0", **event, "requestContext": context}


def answered(application: Chalice, event: Any) -> Any:
    answer = application(event, Context())
    return answer["statusCode"], answer["headers"], answer["multiValueHeaders"], answer["body"]


CASES: tuple[tuple[str, str, dict[str, str], dict[str, str]], ...] = (
    ("GET", STATUS, {"merchant_id": SHOP}, {}),
    ("HEAD", STATUS, {"merchant_id": SHOP}, {}),
    ("OPTIONS", STATUS, {"merchant_id": SHOP}, {"Origin": "https://shop.example"}),
    ("GET", STATUS, {"merchant_id": NOBODY}, {"Origin": "https://shop.example"}),
    ("GET", STATUS, {"merchant_id": "no id"}, {}),
    ("GET", OLD_STATUS, {"merchant_id": SHOP}, {}),
    ("GET", WIDGET, {}, {"Origin": "https://shop.example"}),
    ("HEAD", WIDGET, {}, {}),
    ("PUT", STATUS, {"merchant_id": SHOP}, {}),
    ("OPTIONS", BATCH, {}, {"Origin": "https://shop.example"}),
)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("method", "route", "named", "headers"), CASES)
def test_an_answer_is_the_same_byte_for_byte(
    ledger: Ledger, method: str, route: str, named: dict[str, str], headers: dict[str, str]
) -> None:
    ledger.post(trial())
    sent = {**headers, **TRACE}
    with time_machine.travel(NOON, tick=False):
        first = answered(app, by_rest(method, route, sent, None, None, **named))

        assert answered(app, by_http_api(method, route, sent, None, **named)) == first


@pytest.mark.usefixtures("api")
def test_who_holds_the_current_status_is_told_so(ledger: Ledger) -> None:
    ledger.post(trial())
    _, headers, _, _ = answered(app, by_http_api("GET", STATUS, {}, None, merchant_id=SHOP))

    status, again, _, body = answered(
        app, by_http_api("GET", STATUS, {"If-None-Match": headers["ETag"]}, None, merchant_id=SHOP)
    )

    assert (status, again["ETag"], body) == (304, headers["ETag"], "")


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have tokens verified with a secret that a parameter holds."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JWT_KEY_PARAMETER", "/credits/jwt")
    for built_once in (settings, for_api.token_verifier):
        built_once.cache_clear()
    monkeypatch.setattr(for_api, "_parameter", lambda _name: Kept())
    yield
    for built_once in (settings, for_api.token_verifier):
        built_once.cache_clear()


class Kept:
    def text(self) -> str:
        return SECRET


def bearer(*, secret: str = SECRET, expires: int = 600) -> str:
    now = int(time.time())
    claims = {"iss": SETTINGS["JWT_ISSUER"], "aud": SETTINGS["JWT_AUDIENCE"], "iat": now, "exp": now + expires}
    return f"Bearer {jwt.encode({**claims, 'sub': 'shop', 'scope': 'credits:read'}, secret, 'HS256')}"


def statuses(headers: dict[str, str]) -> Any:
    body = json.dumps({"merchant_ids": [SHOP]})
    return answered(app, by_http_api("POST", BATCH, {"Content-Type": "application/json", **TRACE, **headers}, body))


@pytest.mark.usefixtures("api", "tokens")
def test_the_batch_is_for_the_holder_of_a_valid_token_as_over_the_rest_api(ledger: Ledger) -> None:
    ledger.post(trial())
    sent = {"Content-Type": "application/json", **TRACE}
    with time_machine.travel(NOON, tick=False):
        by_authorizer = answered(app, by_rest("POST", BATCH, sent, json.dumps({"merchant_ids": [SHOP]}), OWNER))

        assert statuses({"Authorization": bearer()}) == by_authorizer
        assert by_authorizer[0] == 200


@pytest.mark.usefixtures("api", "tokens")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": bearer(secret="x" * 32)},
        {"Authorization": bearer(expires=-600)},
    ],
    ids=["none", "nonsense", "forged", "expired"],
)
def test_nobody_gets_a_batch_by_the_claims_of_nobody_that_the_gateway_sends(headers: dict[str, str]) -> None:
    status, sent, _, body = statuses(headers)

    assert (status, sent["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(body)["error"]["code"] == "UNAUTHORIZED"


@pytest.mark.usefixtures("api")
def test_without_settings_of_tokens_nobody_gets_a_batch() -> None:
    assert statuses({"Authorization": bearer()})[0] == 401


@pytest.mark.usefixtures("api")
def test_a_key_that_cannot_be_read_makes_nobody_a_forger(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_token: str) -> None:
        raise OSError("no key")

    monkeypatch.setattr("chalicelib.api.routing.context_of", unreadable)
    status, sent, _, body = statuses({"Authorization": bearer()})

    assert (status, sent["Retry-After"]) == (503, "1")
    assert json.loads(body)["error"]["code"] == "UNAVAILABLE"


def test_the_rest_api_still_goes_by_its_authorizer_alone(api: Api) -> None:
    refused = api.post("/credits/plugin-status/batch", {"merchant_ids": [SHOP]}, headers={"Authorization": bearer()})

    assert refused.status == 401

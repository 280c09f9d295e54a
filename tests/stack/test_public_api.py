"""The HTTP API in the emulator answers what the REST API answers (contract, "Public routes")."""

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.marketplace import happened, merchant
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

CHANGING = {"date", "server", "content-length", "connection", "apigw-requestid"}
"""What a gateway or a connection says of itself."""
REMAINING = re.compile(r"max-age=[01],")
"""How long a status is still current, of the one second of this stack: that depends on when it was read."""
TRACE = {"X-Request-Id": "one", "X-Correlation-Id": "two"}
Answered = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def shop(flows: Stack) -> str:
    opened = merchant("is read over both APIs")
    flows.tell(happened("evt.account.created", opened, credits_to_use=30))
    until("the plugin to go on", lambda: flows.get(f"/plugin-status/{opened}").data["status"] == "enabled")
    return opened


@pytest.fixture(scope="module")
def public_api(flows: Stack) -> str:
    return flows.description.public_api_url


def answered(address: str, method: str, path: str, body: str | None = None, **headers: str) -> Answered:
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request(method, f"{parts.path}{path}", body=body, headers={**TRACE, **headers})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in CHANGING}
        named = {name: value for name, value in named.items() if not name.startswith("x-amz")}
        if "cache-control" in named:
            named["cache-control"] = REMAINING.sub("max-age=REMAINING,", named["cache-control"])
        return answer.status, named, answer.read()


def same(first: Answered, second: Answered) -> Iterator[tuple[Any, Any]]:
    yield first[0], second[0]
    yield first[1], second[1]
    yield _without_time(first[2]), _without_time(second[2])


def _without_time(body: bytes) -> Any:
    """Return a body without the time of its call."""
    try:
        found = json.loads(body)
    except ValueError:
        return body
    found["meta"].pop("timestamp")
    return found


def test_a_status_a_copy_that_is_current_and_a_refusal_are_the_same_over_both_apis(
    flows: Stack, shop: str, public_api: str
) -> None:
    rest = flows.description.api_url
    path = f"/api/v1/plugin-status/{shop}"
    status, headers, _ = answered(public_api, "GET", path)
    assert (status, bool(headers["etag"])) == (200, True)
    for method, asked, sent in (
        ("GET", path, {}),
        ("HEAD", path, {}),
        ("GET", path, {"If-None-Match": headers["etag"]}),
        ("GET", f"/api/v1/credits/plugin-status/{shop}", {"Origin": "https://shop.example"}),
        ("GET", "/api/v1/plugin-status/no-id", {}),
        ("GET", "/widget-1.js", {}),
    ):
        for one, other in same(answered(rest, method, asked, **sent), answered(public_api, method, asked, **sent)):
            assert one == other, (method, asked, sent)


def test_a_batch_takes_a_valid_token_and_no_other_over_both_apis(flows: Stack, shop: str, public_api: str) -> None:
    rest, path = flows.description.api_url, "/api/v1/credits/plugin-status/batch"
    body, token = json.dumps({"merchant_ids": [shop]}), f"Bearer {flows.owner(shop)}"
    sent = {"Content-Type": "application/json", "Authorization": token}

    for one, other in same(
        answered(rest, "POST", path, body, **sent), answered(public_api, "POST", path, body, **sent)
    ):
        assert one == other
    for refused in ({}, {"Authorization": f"{token}x"}):
        status, headers, text = answered(
            public_api, "POST", path, body, **{"Content-Type": "application/json", **refused}
        )
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert json.loads(text)["error"]["code"] == "UNAUTHORIZED"


def test_what_this_api_does_not_have_is_not_found(flows: Stack, shop: str, public_api: str) -> None:
    assert answered(public_api, "GET", f"/api/v1/credits/accounts/{shop}")[0] == 404
    assert flows.get(f"/credits/accounts/{shop}", token=flows.owner(shop)).status == 200

"""What a body may be: small, JSON, each field once; refused before anything is read."""

import json
from typing import Any

import pytest

from tests.support.api import ADMIN, Api, Aws
from tests.support.builders import SHOP

BATCH = "/credits/plugin-status/batch"
LIMIT = 64 * 1024


def batch_of(length: int) -> str:
    """Return a valid batch request of so many bytes."""
    text = json.dumps({"merchant_ids": [SHOP], "padding": ""})
    return text.replace('"padding": ""', f'"padding": "{"x" * (length - len(text))}"')


@pytest.mark.parametrize(("length", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (3 * LIMIT, 413), (7_000_000, 413)])
def test_a_body_has_64_kib_at_the_most(api: Api, length: int, status: int) -> None:
    body = batch_of(length)

    answered = api.post(BATCH, body, token=ADMIN)

    assert len(body) == length
    assert answered.status == status


def test_bytes_count_not_characters(api: Api, aws: Aws) -> None:
    aws.calls.clear()

    answered = api.post(BATCH, batch_of(LIMIT).replace("xx", "é"), token=ADMIN)
    larger = api.post(BATCH, batch_of(LIMIT).replace("x", "é"), token=ADMIN)

    assert (answered.status, larger.status) == (200, 413)
    assert larger.body["error"]["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ("", "NOT_JSON", "body"),
        ("{", "NOT_JSON", "body"),
        ("null", "NOT_JSON", "body"),
        ("[]", "NOT_JSON", "body"),
        ('"text"', "NOT_JSON", "body"),
        ("{} {}", "NOT_JSON", "body"),
        ('{"a": "\N{REPLACEMENT CHARACTER}"}', "NOT_JSON", "body"),
        ("\ufeff{}", "NOT_JSON", "body"),
        ('{"merchant_ids": NaN}', "NOT_JSON", "body"),
        ('{"merchant_ids": -Infinity}', "NOT_JSON", "body"),
        ('{"n": ' + "9" * 5000 + "}", "NOT_JSON", "body"),
        ('{"merchant_ids": ' + "[" * 10_000 + "]" * 10_000 + "}", "NOT_JSON", "body"),
        ('{"a": ' * 9_000 + "1" + "}" * 9_000, "NOT_JSON", "body"),
        ('{"merchant_ids": [], "merchant_ids": []}', "DUPLICATE_FIELD", "merchant_ids"),
        ('{"merchant_ids": [{"x": 1, "x": 2}]}', "DUPLICATE_FIELD", "x"),
        ('{"\\ud800": 1, "\\ud800": 2}', "DUPLICATE_FIELD", "\ud800"),
    ],
)
def test_a_body_that_is_no_json_object_is_400_with_its_field(
    api: Api, aws: Aws, body: str, code: str, field: str
) -> None:
    aws.calls.clear()

    answered = api.post(BATCH, body, token=ADMIN)

    assert (answered.status, answered.body["error"]["code"]) == (400, code)
    assert answered.body["error"]["details"] == {"field": field}
    assert aws.calls == []


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        (None, 200),
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ('application/json;charset="utf-8"', 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
def test_a_body_is_json_in_utf_8(api: Api, media_type: str | None, status: int) -> None:
    headers = {} if media_type is None else {"content-type": media_type}

    answered = api.post(BATCH, {"merchant_ids": [SHOP]}, token=ADMIN, headers=headers)

    assert answered.status == status
    if status == 415:
        assert answered.body["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.parametrize(("raw", "status"), [(b'{"merchant_ids": ["%s"]}' % SHOP.encode(), 200), (b"\xff\xfe", 400)])
def test_a_body_that_the_gateway_hands_on_in_base64_is_read_too(api: Api, raw: bytes, status: int) -> None:
    answered = api.post(BATCH, raw, token=ADMIN)

    assert answered.status == status


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (None, "merchant_ids"),
        ([], "merchant_ids"),
        ([SHOP] * 101, "merchant_ids"),
        (SHOP, "merchant_ids"),
        ({SHOP: 1}, "merchant_ids"),
        ([SHOP, 5], "merchant_ids.1"),
        ([SHOP, SHOP, "x"], "merchant_ids.2"),
        ([None], "merchant_ids.0"),
        ([[SHOP]], "merchant_ids.0"),
        ([f"{SHOP}\n"], "merchant_ids.0"),
    ],
)
def test_a_batch_of_no_form_is_400_before_any_read(api: Api, aws: Aws, asked: Any, field: str) -> None:
    aws.calls.clear()

    answered = api.post(BATCH, {"merchant_ids": asked}, token=ADMIN)

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": field})
    assert aws.calls == []

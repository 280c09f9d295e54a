"""The authorizer, called with raw events of the gateway."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import jwt
import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from chalicelib.adapters import parameters
from chalicelib.environment import SettingError
from chalicelib.handlers.authorize import authorize
from chalicelib.settings import settings
from chalicelib.wiring import for_api
from tests.support.api import REGION
from tests.support.builders import SHOP

METHOD = "arn:aws:execute-api:eu-west-1:123456789012:abc/dev/GET/api/v1/credits/accounts/x"
SECRET = "s" * 32
KEY_NAME = "/credits/jwt-secret"
SETTINGS = {
    "JWT_ALGORITHM": "HS256",
    "JWT_ISSUER": "https://identity.example",
    "JWT_AUDIENCE": "credit-service",
    "JWT_KEY_PARAMETER": KEY_NAME,
}


@pytest.fixture(autouse=True)
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in (*SETTINGS, "JWT_JWKS_URL", "CURSOR_KEY_PARAMETER"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        forget()
        yield
    forget()


def forget() -> None:
    for built_once in (settings, for_api.token_verifier, for_api._parameter):
        built_once.cache_clear()


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    boto3.client("ssm").put_parameter(Name=KEY_NAME, Value=SECRET, Type="SecureString")


def token(key: str = SECRET, **other: Any) -> str:
    now = int(time.time())
    claims = {"iss": "https://identity.example", "aud": "credit-service", "sub": "shop", "exp": now + 60}
    return "Bearer " + jwt.encode({**claims, **other}, key, algorithm="HS256")


def asked(authorization: str) -> Mapping[str, Any]:
    event = {"type": "TOKEN", "authorizationToken": authorization, "methodArn": METHOD}
    answer: Mapping[str, Any] = authorize(event, None)
    return answer


def effect(answer: Mapping[str, Any]) -> str:
    statement = answer["policyDocument"]["Statement"][0]
    return str(statement["Effect"])


@pytest.mark.usefixtures("configured")
def test_a_valid_token_opens_all_routes_and_says_who_asks_in_texts() -> None:
    answer = asked(token(merchant_id=SHOP.upper(), scope="credits:read"))

    assert effect(answer) == "Allow"
    # The gateway keeps the policy for the token, so it must hold for the other routes as well.
    assert answer["policyDocument"]["Statement"][0]["Resource"] == [
        "arn:aws:execute-api:eu-west-1:123456789012:abc/dev/*/*"
    ]
    expires_at = answer["context"].pop("expires_at")
    assert answer["context"] == {"merchant_id": SHOP, "scope": "credits:read", "subject": "shop"}
    assert int(expires_at) > time.time()


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer x.y.z", token("o" * 32), token(exp=1), token(aud="another")],
    # Tokens differ from second to second, and workers have to agree on the names of tests.
    ids=["none", "no token", "another key", "expired", "another audience"],
)
def test_any_other_token_is_denied_everywhere_by_a_policy(authorization: str) -> None:
    answer = asked(authorization)

    assert effect(answer) == "Deny"
    assert answer["policyDocument"]["Statement"][0]["Resource"] == "*"
    assert "context" not in answer


def test_without_settings_every_token_is_denied() -> None:
    assert effect(asked(token())) == "Deny"


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"JWT_ISSUER": ""}, "JWT_ISSUER"),
        ({"JWT_AUDIENCE": ""}, "JWT_AUDIENCE"),
        ({"JWT_ALGORITHM": ""}, "JWT_ALGORITHM"),
        ({"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM"),
        ({"JWT_ALGORITHM": "", "JWT_ISSUER": "", "JWT_AUDIENCE": ""}, "JWT_ALGORITHM"),
        ({"JWT_KEY_PARAMETER": ""}, "JWT_KEY_PARAMETER"),
        ({"JWT_JWKS_URL": "https://identity.example/keys"}, "JWT_JWKS_URL"),
        ({"JWT_JWKS_URL": "https://identity.example/keys", "JWT_KEY_PARAMETER": ""}, "HS256"),
    ],
)
def test_settings_that_make_no_sense_are_named_and_let_nobody_in(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], named: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingError, match=named):
        asked(token())


@pytest.mark.usefixtures("configured")
def test_a_secret_serves_where_there_is_no_parameter_of_its_name() -> None:
    boto3.client("ssm").delete_parameter(Name=KEY_NAME)
    boto3.client("secretsmanager").create_secret(Name=KEY_NAME, SecretString=SECRET)

    assert effect(asked(token())) == "Allow"


@pytest.mark.usefixtures("configured")
def test_a_key_that_cannot_be_read_lets_nobody_in() -> None:
    boto3.client("ssm").delete_parameter(Name=KEY_NAME)

    with pytest.raises(parameters.ParameterError):
        asked(token())


@pytest.mark.usefixtures("configured")
def test_a_known_key_goes_on_while_its_store_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(token())
    tried = []

    def unreachable(_client: BaseClient, operation: str, _request: Mapping[str, Any]) -> Any:
        tried.append(operation)
        raise EndpointConnectionError(endpoint_url="https://ssm")

    monkeypatch.setattr(BaseClient, "_make_api_call", unreachable)
    for_api._parameter(KEY_NAME)._ask_at = 0

    assert effect(asked(token())) == "Allow"
    assert effect(asked(token("o" * 32))) == "Deny"
    assert tried == ["GetParameter"]


@pytest.mark.parametrize(("length", "usable"), [(31, False), (32, True)])
def test_a_cursor_key_is_long_enough_or_named(monkeypatch: pytest.MonkeyPatch, length: int, usable: bool) -> None:
    monkeypatch.setenv("CURSOR_KEY_PARAMETER", "/credits/cursor-key")
    boto3.client("ssm").put_parameter(Name="/credits/cursor-key", Value="k" * length, Type="SecureString")

    if usable:
        assert for_api.cursor_key() == "k" * length
        return
    with pytest.raises(SettingError, match="CURSOR_KEY_PARAMETER"):
        for_api.cursor_key()


def test_two_cursor_keys_are_both_long_enough_or_named() -> None:
    boto3.client("ssm").put_parameter(Name=KEY_NAME, Value=f"{'n' * 32}\n{'k' * 32}\n", Type="SecureString")
    parameter = for_api._parameter(KEY_NAME)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CURSOR_KEY_PARAMETER", KEY_NAME)
        assert for_api.cursor_key() == f"{'n' * 32}\n{'k' * 32}"
        parameter._value = f"{'n' * 32}\n{'k' * 31}"
        with pytest.raises(SettingError, match="31 characters"):
            for_api.cursor_key()


@pytest.mark.usefixtures("configured")
def test_a_changed_key_is_taken_within_five_minutes_while_the_old_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = "f" * 32
    assert effect(asked(token())) == "Allow"
    assert effect(asked(token(fresh))) == "Deny"
    boto3.client("ssm").put_parameter(Name=KEY_NAME, Value=f"{SECRET}\n{fresh}", Type="SecureString", Overwrite=True)

    elapsed = time.monotonic() + parameters.KEEP_SECONDS
    monkeypatch.setattr(parameters, "time", SimpleNamespace(monotonic=lambda: elapsed))

    assert effect(asked(token(fresh))) == "Allow"
    assert effect(asked(token())) == "Allow"


def test_without_a_cursor_key_there_is_none() -> None:
    assert for_api.cursor_key() is None


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("chalicelib.handlers.authorize", {"boto3", "botocore.client", "pydantic", "pynamodb", "jwt"}),
        ("chalicelib.api.merchants", {"boto3", "botocore.client", "pydantic", "pynamodb", "jwt"}),
    ],
)
def test_a_module_starts_without_what_its_first_call_may_not_need(module: str, absent: set[str]) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert absent.isdisjoint(json.loads(said.stdout.splitlines()[-1]))

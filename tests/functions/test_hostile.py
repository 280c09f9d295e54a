"""The table of hostile requests, in process: the whole application behind a gateway of our own, real tokens."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from app import app
from chalicelib.settings import settings
from chalicelib.wiring import for_api
from infra.local.tokens import AUDIENCE, ISSUER, new_signer
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, OTHER, TRANSACTIONS_TABLE, Aws, Functions, Ledger
from tests.support.builders import SHOP, adjustment, trial
from tests.support.forger import Forger, valid_tokens
from tests.support.gateway import Gateway, HttpAnswer
from tests.support.hostile import Row, Scene, faults, forged_rows, rows

KEY_NAME = "/credits/jwt-key"
CURSOR_KEY_NAME = "/credits/cursor-key"
CHANGING = {"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}


@pytest.fixture
def forger(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forger:
    signer = new_signer(tmp_path)
    forger = Forger(private_key_path=signer.private_key_path, issuer=ISSUER, audience=AUDIENCE, key_id=signer.key_id)
    named = {"JWT_ALGORITHM": "ES256", "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWT_KEY_PARAMETER": KEY_NAME}
    named |= {"LINKS_TABLE": LINKS_TABLE, "CURSOR_KEY_PARAMETER": CURSOR_KEY_NAME}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name=KEY_NAME, Value=forger.public.decode(), Type="SecureString")
    ssm.put_parameter(Name=CURSOR_KEY_NAME, Value="k" * 32, Type="SecureString")
    return forger


@pytest.fixture
def scene(ledger: Ledger, functions: Functions, forger: Forger) -> Scene:
    for shop in (SHOP, OTHER):
        ledger.post(trial(of=shop), adjustment(of=shop))
    unsigned = Scene(shop=SHOP, other=OTHER, foreign_transaction=trial(of=OTHER).transaction_id, cursor="x")
    token = valid_tokens(forger, shop=SHOP, other=OTHER)["owner"]
    listed = Gateway(app).request(
        "GET", f"/api/v1/credits/transactions?merchant_id={SHOP}&limit=1", {"Authorization": str(token)}, None
    )
    cursor = json.loads(listed.text)["pagination"]["next_cursor"]
    return Scene(shop=SHOP, other=OTHER, foreign_transaction=unsigned.foreign_transaction, cursor=cursor)


def sent(row: Row, scene: Scene, authorization: str | None) -> HttpAnswer:
    headers = {name: scene.filled(value) for name, value in row.headers.items()}
    if authorization is not None:
        headers["Authorization"] = authorization
    return Gateway(app).request(row.method, scene.filled(row.path), headers, scene.body(row))


def faults_of(row: Row, answer: HttpAnswer) -> Iterator[str]:
    media_type = answer.headers.get("Content-Type", "")
    leaks = (CREDITS_TABLE, TRANSACTIONS_TABLE)
    return faults(row, answer.status, media_type, answer.text, expected=row.statuses[:1], secrets=leaks)


def test_the_table_is_long_and_every_row_has_a_name_of_its_own(forger: Forger) -> None:
    names = [row.name for row in rows()] + [row.name for row, _ in forged_rows(forger)]

    assert len(names) >= 300
    assert len(set(names)) == len(names)


def test_every_hostile_request_gets_its_4xx_and_moves_nothing(
    scene: Scene, forger: Forger, aws: Aws, functions: Functions
) -> None:
    tokens = valid_tokens(forger, shop=SHOP, other=OTHER)
    requests = [(row, tokens[row.caller]) for row in rows()] + list(forged_rows(forger))
    aws.calls.clear()

    found = [fault for row, token in requests for fault in faults_of(row, sent(row, scene, token))]

    assert not found, "\n".join(found)
    # Only what the ledger alone can decline may get as far as its functions, and there it stays.
    assert len(functions.invoked) == 3
    assert not CHANGING & set(aws.operations())


def test_the_scene_lets_a_rightful_request_through(scene: Scene, forger: Forger) -> None:
    tokens = valid_tokens(forger, shop=SHOP, other=OTHER)
    [declined] = [row for row in rows() if row.name == "below zero"]
    body = (declined.body or b"").replace(b"1000000000", b"5")
    rightful = Row(
        name="rightful", method="POST", path=declined.path, headers=declined.headers, body=body, statuses=(201,)
    )

    answer = sent(rightful, scene, tokens["admin"])

    assert answer.status == 201, answer.text
    assert for_api.history().account(SHOP) is not None
    assert json.loads(answer.text)["data"]["balance_after"] == 100

"""The `credits` command: it finds the stack, says what it found, and ends with a status that tells."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from typer.testing import Result

from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.usecases.counting import count
from infra.commands import cli, install
from infra.commands.target import Target
from infra.local.description import FILE_NAME, Description, Jwt
from infra.local.tokens import AUDIENCE, ISSUER, new_signer
from infra.packaging.region import REGION
from tests.support.builders import SHOP, account_of, merchant
from tests.support.calls import FakeCall
from tests.support.command_line import CliRunner
from tests.support.figures_tables import FiguresTable, table_in_process

CREDITS_TABLE = "credits-test"
NOBODY_LISTENS = "http://127.0.0.1:1"


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
    return tmp_path


def describe(directory: Path, *, figures_table: str = "figures") -> str:
    """Leave a stack.json in the folder, and return the public key of its tokens."""
    signer = new_signer(directory)
    texts = dict.fromkeys(
        [
            name
            for name in inspect.signature(Description).parameters
            if name not in ("functions", "jwt", "webhook_secrets", "pids")
        ],
        NOBODY_LISTENS,
    )
    signed = Jwt(
        algorithm="ES256",
        private_key_path=str(signer.private_key_path),
        issuer=ISSUER,
        audience=AUDIENCE,
        key_id=signer.key_id,
    )
    names = {**texts, "aws_region": REGION, "credits_table": CREDITS_TABLE, "figures_table": figures_table}
    description = Description(**names, functions={}, jwt=signed, webhook_secrets={}, pids={})
    (directory / FILE_NAME).write_text(json.dumps(asdict(description)))
    return json.dumps(signer.public_keys["keys"][0])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.command_line(), list(arguments))


@pytest.fixture
def table(local: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FiguresTable]:
    with table_in_process() as found:
        found.client.create_table(
            TableName=CREDITS_TABLE,
            AttributeDefinitions=[{"AttributeName": "merchant_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "merchant_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        describe(local, figures_table=found.name)
        monkeypatch.setattr(Target, "client", lambda _target, _service: found.client)
        yield found


def write(table: FiguresTable, balance: int, *, name: str) -> Any:
    account = replace(account_of(balance, of=merchant(name)), version=balance + 1)
    table.client.put_item(TableName=CREDITS_TABLE, Item=account_item(account))
    return account


def test_a_recount_that_agrees_says_so(table: FiguresTable) -> None:
    accounts = [write(table, balance, name=f"shop {balance}") for balance in (0, 5, 50)]
    count(table.store, accounts, time=FakeCall().time)

    said = run("recount")

    assert said.exit_code == 0
    assert "They agree." in said.stdout


def test_a_recount_that_differs_names_the_figure_and_ends_with_one(table: FiguresTable) -> None:
    count(table.store, [write(table, 7, name="shop")], time=FakeCall().time)
    write(table, 9, name="shop")

    said = run("recount", "--wait", "0", "--json")

    assert said.exit_code == 1
    found = json.loads(said.stdout)
    assert (found["equal"], found["balance"]) == (False, {"counted": 9, "figures": 7})
    assert "They differ." in run("recount", "--wait", "0").stdout


def test_a_recount_names_an_account_that_cannot_be_read_and_counts_the_others(table: FiguresTable) -> None:
    count(table.store, [write(table, 7, name="other")], time=FakeCall().time)
    table.client.put_item(TableName=CREDITS_TABLE, Item={"merchant_id": {"S": SHOP}, "balance": {"S": "x"}})

    told = run("recount", "--json")

    assert (told.exit_code, json.loads(told.stdout)["unreadable"]) == (1, [SHOP])
    assert json.loads(told.stdout)["equal"]
    assert f"{SHOP}: its account cannot be read" in run("recount").stdout


def test_a_recount_waits_for_figures_that_are_still_coming(
    table: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = write(table, 7, name="shop")
    time = FakeCall().time
    monkeypatch.setattr("infra.commands.figures.time.sleep", lambda _: count(table.store, [account], time=time))

    assert run("recount").exit_code == 0


def test_a_token_opens_what_was_asked_for(local: Path) -> None:
    key = jwt.PyJWK.from_json(describe(local))

    said = run("token", "--merchant", SHOP.upper(), "--scope", "credits:read credits:ops")

    claims = jwt.decode(said.stdout.strip(), key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert (claims["merchant_id"], claims["scope"]) == (SHOP, "credits:read credits:ops")


def test_without_a_stack_it_says_how_to_start_one(local: Path) -> None:
    for command in ("recount", "token"):
        said = run(command)
        assert said.exit_code == 2
        assert "make run" in said.stderr


def test_the_command_runs_from_any_folder(tmp_path: Path) -> None:
    command = install.install(tmp_path / "credits", python=sys.executable)
    environment = {**os.environ, "LOCAL_DIR": str(tmp_path)}

    ran = subprocess.run([command, "token"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert (ran.returncode, "make run" in ran.stderr) == (2, True)

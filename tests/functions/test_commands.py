"""The `credits` command where it has nobody to ask: what a person mistypes or lacks is said in a sentence."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from infra.commands import checks
from infra.commands.diagnoses import State
from infra.commands.events import event_type_named
from infra.local.tokens import ADMIN_SCOPE
from tests.functions.test_cli import describe
from tests.support.builders import SHOP
from tests.support.command_line import said

NOBODY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-west-1"}


@pytest.fixture(autouse=True)
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a stack be described that does not run."""
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
    describe(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["emit", "order_payd", "order_id=1"], 2, "Did you mean evt.shopify.webhook.order_paid?"),
        (["emit", "xyz", "order_id=1"], 2, "There are: evt.merchant.created, "),
        (["emit", "created"], 2, "evt.merchant.created or evt.account.created"),
        (["emit"], 2, "Name an event type, or a --file of events."),
        (["emit", "order_paid", "--file", __file__], 2, "Name an event type, or a --file of events."),
        (["emit", "order_paid", "order_id"], 2, "'order_id' is not a field: write name=value"),
        (["emit", "order_paid", "--payload", "[1]"], 2, "--payload: the body is not a JSON object"),
        (["emit", "order_paid", f"merchant_id={SHOP}"], 1, "payload.order_id is missing"),
        (["emit", "payment_succeeded", f"merchant_id={SHOP}", "payment_id=1", "credits=2.5"], 1, "credits are a whole"),
        (["balance", "!"], 2, "No merchant has the id or the name '!'. `credits merchants` lists them."),
        (["adjust", "--undo"], 2, "`credits undo TRANSACTION` takes one adjustment back"),
        (["adjust", SHOP, "--add", "1"], 2, "Give --reason 'why', for whoever reads"),
        (["export", "x.csv"], 2, "credits export FILE --merchant MERCHANT"),
        (["history", SHOP, "--month", "11"], 2, "'11' is not a month, such as 2026-11."),
        (["history", SHOP, "--month", "2026-11", "--since", "2026-11-02"], 2, "Give either --month, or --since and"),
        (["adjust", SHOP, "--reason", "x"], 2, "Give either --add CREDITS or --remove CREDITS."),
        (["adjust", SHOP, "--reason", "x", "--add", "1", "--remove", "1"], 2, "Give either --add"),
        (["adjust", SHOP, "--add", "0", "--reason", "x"], 2, "the minimum is 1"),
        (["statsu", SHOP], 2, "Did you mean 'status'?"),
    ],
)
def test_what_is_mistyped_is_said_in_a_sentence(arguments: Sequence[str], status: int, sentence: str) -> None:
    told = said(*arguments)

    assert (told.status, told.out) == (status, "")
    assert sentence in " ".join(told.err.replace("│", " ").split())


def test_without_a_stack_every_command_says_how_to_come_by_one(tmp_path: Path) -> None:
    nowhere = {"LOCAL_DIR": str(tmp_path / "nowhere")}
    for command in (["balance", SHOP], ["why", SHOP], ["emit", "order_paid", "order_id=1"]):
        told = said(*command, environment=nowhere)
        assert (told.status, "make run" in told.err, "--stage" in told.err) == (2, True, True)


def test_a_profile_that_is_not_there_is_said() -> None:
    told = said("balance", SHOP, "--stage", "prod", "--profile", "no-such-profile")

    assert (told.status, "no-such-profile" in told.err) == (2, True)


def test_a_stage_without_a_region_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    told = said("balance", SHOP, "--stage", "prod")

    assert (told.status, "set AWS_REGION" in told.err) == (2, True)


def test_a_stack_that_has_ended_is_said_and_how_it_is_started() -> None:
    told = said("status", SHOP)

    assert (told.status, told.out) == (2, "")
    assert "does not answer" in told.err


def test_the_doctor_of_no_stack_names_the_command_that_starts_one(tmp_path: Path) -> None:
    told = said("doctor", environment={"LOCAL_DIR": str(tmp_path / "nowhere")})

    assert told.status == 1
    assert "make run" in told.out


def test_the_doctor_names_a_next_command_for_everything_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: object) -> None:
        raise ConnectionRefusedError("nobody listens")

    for check in ("_tables", "_functions", "_sources", "_bus", "_inbox", "_dead_letters", "_bridge", "_api"):
        monkeypatch.setattr(checks, check, unreachable)

    told = said("doctor", "--json")

    failed = [one for one in told.json["findings"] if one["state"] == State.FAILED]
    assert told.status == 1
    assert {one["component"] for one in failed} >= {"tables", "functions", "sources", "bus", "inbox", "bridge", "API"}
    assert all(one["next"] for one in failed)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"NATS_URL": "wss://user:pass-canary@nats-1"}, "NATS_URL: address 1 of 1 is not of the form"),
        ({"NATS_URL": "tls://nats-1", "NATS_USER": "pass-canary"}, "NATS_USER and NATS_PASSWORD belong together"),
        ({"NATS_URL": "tls://user:pass-canary@127.0.0.1:1"}, "NATS at tls://127.0.0.1:1 does not answer"),
    ],
)
def test_how_nats_is_reached_is_checked_without_a_secret_on_the_screen(
    environment: dict[str, str], sentence: str
) -> None:
    told = said("emit", "merchant.created", f"merchant_id={uuid4()}", "--via", "nats", environment=environment)

    assert told.status == 2
    assert sentence in " ".join(told.err.split())
    assert "canary" not in told.err + told.out


def test_a_token_of_an_admin_says_so_for_programs_too() -> None:
    told = said("token", "--admin", "--subject", "support", "--json").json

    assert (told["scope"], told["subject"]) == (ADMIN_SCOPE, "support")


def test_the_help_of_every_command_says_what_it_does() -> None:
    commands = said("--help")

    assert commands.status == 0
    for command in ("emit", "status", "balance", "history", "adjust", "why", "threshold", "recount", "doctor", "token"):
        assert command in commands.out
        assert said(command, "--help").status == 0


def test_an_event_that_the_service_would_park_is_sent_when_that_is_wanted(tmp_path: Path) -> None:
    # Nobody listens there: that it goes as far as the bus shows that it was let through.
    told = said(
        "emit",
        "payment_succeeded",
        f"merchant_id={uuid4()}",
        "credits=-5",
        "--unchecked",
        "--via",
        "nats",
        "--nats",
        "nats://127.0.0.1:1",
    )

    assert (told.status, "NATS at nats://127.0.0.1:1 does not answer" in told.err) == (2, True)


@pytest.mark.slow
def test_the_version_is_said_and_a_shell_completes_commands_and_types_of_transactions() -> None:
    assert said("--version").out.startswith("credits ")
    for words, place, completed in (("credits his", 1, "history"), ("credits history --type PAY", 3, "PAYMENT")):
        environment = {"_CREDITS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        command = [sys.executable, "-c", "from infra.commands.cli import main; main()"]
        told = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        assert completed in told.stdout.split()


def test_an_unchecked_event_is_sent_on_the_subject_of_its_type_by_its_short_name_too() -> None:
    assert event_type_named("payment_succeeded", known=False) == "evt.billing.payment_succeeded"
    assert event_type_named("evt.nobody.knows", known=False) == "evt.nobody.knows"


def test_a_file_that_is_not_there_is_said_before_anything_else_is_shown(tmp_path: Path) -> None:
    told = said("emit", "--file", tmp_path / "missing")

    assert (told.status, told.out) == (2, "")
    # A long path is broken anywhere.
    assert "missing'doesnotexist." in "".join(told.err.replace("│", " ").split())


def test_a_file_that_is_no_text_is_said_in_plain_words(tmp_path: Path) -> None:
    for name, content, why in (
        ("a.jsonl", b"\xff\xfe", "not text in UTF-8"),
        ("a.jsonl.gz", b"{}", "not a complete gzip"),
    ):
        (tmp_path / name).write_bytes(content)
        told = said("emit", "--file", tmp_path / name, "--via", "bus")
        assert (told.status, why in " ".join(told.err.split())) == (2, True)


def test_the_commands_that_the_doctor_names_find_the_stack_that_was_looked_at(tmp_path: Path) -> None:
    told = said("doctor", environment={"LOCAL_DIR": str(tmp_path / "nowhere")})

    assert f"→ LOCAL_DIR={tmp_path}/nowhere make run" in told.out

"""A command that lost its answer names the command to repeat, and that one counts once."""

import json
import shlex
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from typer.testing import Result

from tests.functions.test_cli_operations import Desk, desk
from tests.functions.test_dead_letters import POISON
from tests.support.builders import SHOP
from tests.support.events import charged, opened, paid
from tests.support.system import lost_answer, refusal

__all__ = ["desk"]

LOST = ReadTimeoutError(endpoint_url="https://lambda")
ADD = ("adjust", SHOP, "--add", "50", "--reason", "it's goodwill; really", "--admin", "me", "--yes")
AGAIN = "Repeated like this it counts once: credits "


def named(said: Result) -> list[str]:
    """Return the words of the command that is named to be repeated, as a shell reads them."""
    if said.stderr.startswith("{"):
        return shlex.split(json.loads(said.stderr)["error"]["details"]["repeat"])[1:]
    [line] = [line for line in said.stderr.splitlines() if AGAIN in line]
    return shlex.split(line.partition(AGAIN)[2])


@pytest.mark.parametrize("lost", [LOST, KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("more", [(), ("--json",), ("--id", "ticket-1")], ids=str)
def test_an_adjustment_whose_answer_was_lost_is_repeated_under_its_id(
    desk: Desk, lost: BaseException, more: tuple[str, ...]
) -> None:
    desk.system.ingest(opened())
    desk.functions.lost = lost

    first = desk.run(*ADD, *more)
    transaction = desk.system.history()[-1]
    again = desk.run(*named(first))

    assert (first.exit_code > 1, again.exit_code, desk.system.balance()) == (True, 0, 150)
    assert transaction.reference_id in first.stderr
    assert named(first)[: len(ADD)] == list(ADD)


def test_the_id_that_a_command_makes_up_is_named_before_it_asks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.system.ingest(opened())
    seen: list[tuple[str, int]] = []
    monkeypatch.setattr("infra.commands.changes.aside", lambda sentence: seen.append((sentence, desk.system.balance())))

    assert desk.run(*ADD).exit_code == 0

    key = desk.system.history()[-1].reference_id
    assert seen == [(f"Adjustment id: {key}", 100)]
    assert desk.run(*ADD, "--id", "ticket-1").exit_code == 0
    assert len(seen) == 1


def test_a_function_that_lost_the_answer_of_its_table_is_no_refusal(desk: Desk) -> None:
    desk.system.ingest(opened())
    desk.system.fail("TransactWriteItems", *[refusal("TransactWriteItems", "InternalServerError", 500)] * 20)

    said = desk.run(*ADD)

    assert said.exit_code == 2
    assert "Refused" not in said.stderr
    desk.system.faults.clear()
    assert desk.run(*named(said)).exit_code == 0
    assert desk.system.balance() == 150


def test_what_the_ledger_refused_names_nothing_to_repeat(desk: Desk) -> None:
    desk.system.ingest(opened())

    said = desk.run("adjust", SHOP, "--remove", "500", "--reason", "x", "--yes")

    assert (said.exit_code, AGAIN in said.stderr) == (1, False)


def test_a_repeated_command_names_the_stage_and_profile_of_the_environment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.system.ingest(opened())
    monkeypatch.setenv("CREDITS_STAGE", "prod")
    monkeypatch.setenv("AWS_PROFILE", "shop of ours")
    desk.functions.lost = LOST

    first = desk.run("threshold", SHOP, "30")

    assert named(first) == ["threshold", SHOP, "30", "--stage", "prod", "--profile", "shop of ours"]
    assert desk.run(*named(first)).exit_code == 0
    assert desk.system.account().threshold == 30
    desk.functions.lost = LOST
    given = ("threshold", SHOP, "31", "--stage", "dev", "--profile", "mine")
    assert named(desk.run(*given)) == list(given)


def test_an_event_that_nobody_confirmed_is_sent_again_and_counts_once(desk: Desk) -> None:
    event = ("emit", "payment_succeeded", f"merchant_id={SHOP}", "payment_id=p 1", "credits=5", "--via", "bus")
    desk.system.ingest(opened())
    desk.system.fail("PutEvents", lost_answer)

    first = desk.run(*event)
    assert named(first) == list(event)
    assert desk.run(*named(first)).exit_code == 0

    for heard in desk.system.heard():
        desk.system.ingest(json.dumps(heard))
    assert desk.system.balance() == 105


def test_a_file_of_which_the_bus_refused_a_part_is_sent_again(desk: Desk, tmp_path: Any) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join([*(paid(number) for number in range(12)), POISON]))
    desk.system.fail("PutEvents", None, refusal("PutEvents", "InternalFailure", 500))

    first = desk.run("emit", "--file", str(file), "--via", "bus")

    assert (first.exit_code, named(first)) == (2, ["emit", "--file", str(file), "--via", "bus"])
    again = desk.run(*named(first))
    assert "12 events sent" in again.stdout
    assert AGAIN not in again.stderr, "what is poison is not unconfirmed"


def test_a_password_is_not_named(desk: Desk) -> None:
    desk.system.fail("PutEvents", lost_answer)

    said = desk.run("emit", "merchant.created", f"merchant_id={SHOP}", "--via", "bus", "--nats", "nats://me:secret@h:1")

    assert (named(said)[-1], "secret" in said.stderr) == ("nats://me:***@h:1", False)


@pytest.mark.parametrize("operation", ["SendMessage", "DeleteMessage"])
def test_a_letter_whose_answer_was_lost_is_put_back_again(desk: Desk, operation: str) -> None:
    desk.system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    desk.system.ingest(charged("p1", 5))
    [letter] = desk.told("dead-letters", "list")["items"]
    desk.system.ingest(opened())
    desk.system.fail(operation, lost_answer)

    first = desk.run("dead-letters", "redrive", letter["id"], "--json")
    assert first.exit_code == 1
    desk.run("dead-letters", "redrive", letter["id"])
    for message in desk.system.in_inbox():
        desk.system.ingest(message)

    assert (desk.system.balance(), desk.told("dead-letters", "list")["total"]) == (105, 0)


def test_an_account_whose_rebuilding_lost_its_answer_is_rebuilt_once(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1))
    desk.change_account(SHOP, balance={"N": "5"})
    desk.system.fail("TransactWriteItems", lost_answer)
    desk.system.fail("UpdateItem", lost_answer)

    first = desk.run("rebuild", SHOP, "--yes")
    assert named(first) == ["rebuild", SHOP, "--yes"]
    assert desk.run(*named(first)).exit_code == 0
    assert (desk.system.balance(), desk.told("verify")["findings"]) == (99, [])


def test_a_republication_that_was_broken_off_is_named(desk: Desk) -> None:
    desk.system.ingest(opened())
    desk.system.fail("Scan", *[refusal("Scan", "ThrottlingException", 400)] * 9)

    said = desk.run("republish", "--since", "2020-01-01")

    assert (said.exit_code, named(said)) == (2, ["republish", "--since", "2020-01-01"])

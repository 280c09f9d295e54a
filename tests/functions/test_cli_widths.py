"""What the command line prints is readable at 80 columns and at 120, and whole, a line each, in a pipe."""

import csv
import io
import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from rich.cells import cell_len
from rich.text import Text

from chalicelib.wiring import for_posting
from infra.commands import cli, history, letters, status
from infra.commands.target import Target
from tests.functions.test_cli_operations import Desk, desk
from tests.functions.test_dead_letters import POISON
from tests.support.builders import SHOP
from tests.support.command_line import CliRunner
from tests.support.events import adjusted, charged, opened, paid

__all__ = ["desk"]

LONG = "an-order-whose-name-is-longer-than-any-terminal-has-room-for"


@pytest.fixture
def shop(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give the desk a shop with a few transactions and two letters."""
    target: Target = vars(letters)["find"]()
    for module in (history, status):
        monkeypatch.setattr(module, "find", lambda *_: target)
    desk.system.ingest(opened(), *(paid(number) for number in (1, 2)), paid(LONG), charged("p1", 50), POISON)
    desk.system.ingest(adjusted("DECREASE", 70, "T-1"), charged("p2", -5))
    return desk


def at(width: int, *arguments: str) -> list[str]:
    """Return the lines that a command prints in a terminal of this width."""
    environment = {
        "TTY_COMPATIBLE": "1",
        "TTY_INTERACTIVE": "0",
        "TERM": "xterm",
        "NO_COLOR": "1",
        "COLUMNS": str(width),
    }
    told = CliRunner().invoke(cli.command_line(), list(arguments), env=environment, catch_exceptions=False)
    assert told.exit_code in (0, 1), told.output
    return Text.from_ansi(told.stdout).plain.splitlines()


LISTS = (
    ("history", SHOP),
    ("history", SHOP, "--local"),
    ("history", SHOP, "--type", "payment"),
    ("why", SHOP),
    ("dead-letters", "list"),
    ("dead-letters", "list", "--group"),
    ("republish", SHOP, "--dry-run"),
    ("verify", SHOP),
    ("balance", SHOP),
)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_a_list_fits_a_terminal(shop: Desk, arguments: Sequence[str], width: int) -> None:
    lines = at(width, *arguments)

    assert lines
    assert [line for line in lines if cell_len(line) > width] == []
    assert all(line == line.rstrip() for line in lines)


def test_a_narrow_terminal_shows_each_transaction_whole_on_two_lines(shop: Desk) -> None:
    heading, *lines = at(80, "history", SHOP)

    assert heading.split()[:2] == ["#", "time"]
    assert len(lines) == 2 * 6
    items = shop.told("history", SHOP)["items"]
    assert [line.strip() for line in lines[1::2]] == [item["id"] for item in items]
    assert "an-order-whose-" in " ".join(lines)


def test_a_wide_terminal_shows_each_transaction_on_one_line(shop: Desk) -> None:
    lines = at(120, "history", SHOP)

    assert len(lines) == 1 + 6
    assert all(len(line.split()[-1]) == 36 for line in lines[1:])


def test_a_pipe_gets_a_line_for_each_transaction_and_nothing_is_cut(shop: Desk) -> None:
    lines = shop.run("history", SHOP).stdout.splitlines()

    assert len(lines) == 1 + 6
    assert any(LONG in line for line in lines)


def test_a_sentence_is_wrapped_at_its_words_and_a_command_in_it_is_not(shop: Desk) -> None:
    words = " ".join(at(80, "why", SHOP)).split()

    assert words == " ".join(shop.run("why", SHOP).stdout.splitlines()).split()


def test_a_history_is_asked_by_type_and_by_time_and_page(shop: Desk) -> None:
    def sequences(*arguments: str) -> list[int]:
        return [item["sequence"] for item in shop.told("history", SHOP, *arguments)["items"]]

    assert sequences("--type", "order_paid") == [4, 3, 2]
    assert sequences("--type", "ORDER_PAID", "--type", "TRIAL", "--limit", "2") == [4, 3]
    assert sequences("--since", "2000-01-01") == [6, 5, 4, 3, 2, 1]
    assert sequences("--since", "2999-01-01") == sequences("--until", "2000-01-01") == []
    times = [item["created_at"] for item in shop.told("history", SHOP)["items"]]
    assert sequences("--until", f"{times[0][:19]}Z")[-1:] in ([1], [])
    page = shop.told("history", SHOP, "--limit", "4")
    assert (page["total"], page["next"]) == (6, 3)
    assert sequences("--before", str(page["next"])) == [2, 1]
    assert shop.told("history", SHOP, "--type", "payment")["next"] is None


def test_every_page_of_a_history_counts_all_that_was_asked_for(shop: Desk) -> None:
    shop.system.monkeypatch.setattr(for_posting, "now", lambda: "2999-01-01T00:00:00.000Z")
    shop.system.ingest(paid("much later"))
    until = ("--until", "2999-01-01")

    first, second = (shop.told("history", SHOP, *until, "--limit", "4", *more) for more in ((), ("--before", "3")))
    assert (first["total"], second["total"], second["next"]) == (6, 6, None)

    def footer(*more: str) -> str:
        return shop.run("history", SHOP, "--limit", "1", *more).stdout.splitlines()[-1]

    assert footer() == "1 of 7; go on with --before 7"
    assert footer(*until, "--before", "6") == "1 of 6; go on with --before 5"
    assert footer("--type", "trial", "--type", "payment", "--type", "order").startswith("1 of those asked for; go on ")


def test_a_history_becomes_a_file_for_a_spreadsheet_that_calculates_nothing(shop: Desk) -> None:
    shop.system.ingest(charged("=HYPERLINK(1)", 5), charged("'quoted", 5))

    told = shop.run("history", SHOP, "--csv")

    rows = list(csv.DictReader(io.StringIO(told.stdout)))
    assert [row["sequence"] for row in rows] == [str(number) for number in range(8, 0, -1)]
    assert {row["reference_id"] for row in rows[:2]} == {"'=HYPERLINK(1)", "''quoted"}
    assert rows[-1]["amount"] == "100"


def test_a_month_ends_before_the_next_begins(shop: Desk) -> None:
    last, *_, first = shop.told("history", SHOP)["items"]

    until = shop.told("history", SHOP, "--until", last["created_at"])["items"]

    assert last["created_at"] not in {item["created_at"] for item in until}
    assert shop.told("history", SHOP, "--since", first["created_at"])["total"] == 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("history", SHOP, "--type", "sale"), "'sale' is not a type of transaction: "),
        (("history", SHOP, "--since", "soon"), "'soon' is not a time, such as 2026-11-28"),
        (("history", SHOP, "--limit", "many"), "a whole number is needed"),
        (("dead-letters", "list", "--queue", "mine"), "'mine' is not one of"),
    ],
)
def test_what_is_mistyped_is_said_in_our_words_and_as_a_problem_for_programs(
    shop: Desk, arguments: Sequence[str], sentence: str
) -> None:
    told = shop.run(*arguments)
    problem = shop.run(*arguments, "--json")

    assert sentence in " ".join(told.stderr.replace("│", " ").split())
    assert (told.exit_code, problem.exit_code, problem.stdout) == (2, 2, "")
    assert json.loads(problem.stderr)["detail"].partition(": ")[2].startswith(sentence)
    assert "nput should" not in told.stderr + problem.stderr


def commands() -> list[tuple[str, ...]]:
    """Return every command by its words."""
    own: list[tuple[str, ...]] = [(str(one.name),) for one in cli.command_line().registered_commands]
    of_letters = [
        ("dead-letters", one.name or one.callback.__name__)
        for one in letters.application.registered_commands
        if one.callback is not None
    ]
    return own + of_letters


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_fills_its_lines_and_cuts_no_word(command: tuple[str, ...]) -> None:
    lines = [line.rstrip() for line in at(80, *command, "--help")]
    description = lines[: next(place for place, line in enumerate(lines) if "╭" in line)]

    assert [line for line in lines if "…" in line and " … " not in line] == []
    for line, following in pairwise(description):
        if line and following:
            assert len(line) + len(following.split()[0]) >= 79, line

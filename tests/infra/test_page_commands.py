"""The commands that pages name exist: targets of make, commands and subcommands of `credits`."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from infra.commands.cli import command_line
from infra.packaging.dependencies import ROOT
from infra.recovery.__main__ import application as recovery

PLANNED = ROOT / "infra/docs/contract.md"
"""The contract also names commands that are not built yet."""
PAGES = [
    ROOT / "README.md",
    ROOT / ".github/CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "infra").rglob("*.md") if page != PLANNED),
]


def commands(words: list[str]) -> bool:
    """Return whether the first words name a command, as far as they could be names of commands."""
    command: Any = get_command(command_line())
    for word in words:
        if not hasattr(command, "commands") or not re.fullmatch(r"[a-z][a-z-]*", word):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_commands_that_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = re.findall(r"`credits ([^`]+)`|^credits (.+)$", text, re.MULTILINE)

    assert set(re.findall(r"`(?:\w+=\S+ )*make ([a-z][a-z-]*)", text)) - targets == set()
    assert [one or other for one, other in typed if not commands((one or other).split())] == []


def recoveries(text: str) -> list[list[str]]:
    """Return the words of each `python -m infra.recovery …` of the scripts, with the shell's variables filled."""
    scripts = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    scripts = scripts.replace("\\\n", " ")
    scripts = re.sub(r"\$\(echo [^()]*\)", "name", scripts.replace("$AT", "2026-11-25T10:00:00+0000"))
    positional = "".join(re.findall(r"^set -- (.*)$", scripts, re.MULTILINE))
    typed = re.findall(r"python -m infra.recovery ([^)\n]+)", scripts.replace('"$@"', positional))
    return [shlex.split(line) for line in typed]


def test_the_script_of_a_restore_gives_each_command_the_options_that_it_needs() -> None:
    command: Any = get_command(recovery)
    typed = recoveries((ROOT / "infra/recovery/README.md").read_text())

    assert {name for name, *_ in typed} >= {"stop-writers", "agree", "adopt", "move"}
    for name, *options in typed:
        command.commands[name].make_context(name, options)
    with pytest.raises(Exception, match="Missing parameter: transactions_table"):
        command.commands["agree"].make_context("agree", ["--credits-table", "name"])


def test_a_command_that_does_not_exist_is_found() -> None:
    assert commands(["dead-letters", "redrive", "ID"])
    assert not commands(["dead-letters", "bury"])
    assert not commands(["dig", "MERCHANT"])

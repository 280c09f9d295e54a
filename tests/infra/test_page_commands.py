"""The commands that pages name exist: targets of make, commands and subcommands of `credits`."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from infra.commands.cli import application
from infra.packaging.build import ROOT

PLANNED = ROOT / "infra/docs/contract.md"
"""The contract also names commands that are not built yet."""
PAGES = [
    ROOT / "README.md",
    ROOT / ".github/CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "infra").rglob("*.md") if page != PLANNED),
]


def commands(words: list[str]) -> bool:
    """Return whether the first words name a command, as far as they could be names of commands."""
    command: Any = get_command(application)
    for word in words:
        if not hasattr(command, "commands") or not re.fullmatch(r"[a-z][a-z-]*", word):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_commands_that_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = re.findall(r"`credits ([^`]+)`|^credits (.+)$", text, re.MULTILINE)

    assert set(re.findall(r"`(?:\w+=\S+ )*make ([a-z][a-z-]*)", text)) - targets == set()
    assert [one or other for one, other in typed if not commands((one or other).split())] == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert commands(["dead-letters", "redrive", "ID"])
    assert not commands(["dead-letters", "bury"])
    assert not commands(["dig", "MERCHANT"])

"""The output of commands, their exit statuses, and their messages about files (contract, section 9).

What is printed was partly written by whoever sends events. A terminal obeys some characters, moves its cursor or turns
the direction of a line: all that is printed here as text passes `visible`, JSON escapes the same characters as JSON.
"""

import gzip
import json
import re
import unicodedata
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from chalicelib.contracts.api.problems import Problem, Refusal
from chalicelib.domain.errors import Code

FOUND = 1
"""Exit status: something was found that should not be, or what was asked for was refused."""
UNABLE = 2
"""Exit status: the command could not work."""

WIDTH_WITHOUT_TERMINAL = 110
MINIMUM_ROOM = 20
"""Columns below which nothing is wrapped: the terminal does it."""
FOR_PROGRAMS: ContextVar[bool] = ContextVar("for_programs", default=False)
"""Whether the command that runs was asked for JSON: how it fails is JSON then, too."""

DETAILS: ContextVar[Mapping[str, str]] = ContextVar("details", default=MappingProxyType({}))
"""What the problem of a command that fails has in its details, by name."""

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: controls, marks of direction and of no width, halves of characters, other ends of a line."""
_COMMAND = re.compile(r"`[^`]*`")
_GLUE = "\ue000"
"""Holds the words of a command together while a sentence is wrapped: a character of private use, never printed."""


def visible(text: str, *, kept: str = "") -> str:
    """Return `text` with an escape, as Python writes it, for each character that a terminal would obey.

    Those in `kept` are left.
    """
    return "".join(sign if _is_harmless(sign) or sign in kept else _escape(sign) for sign in text)


class _Screen(Console):
    """A console that prints every text visibly; its lines end where the program ends them."""

    def print(self, *objects: Any, **options: Any) -> None:
        shown = (visible(one, kept="\n\t") if isinstance(one, str) else one for one in objects)
        super().print(*shown, **options)


def screen() -> Console:
    """Return the console of standard output; in a pipe its lines have a fixed width and no colour."""
    console = _Screen(highlight=False, emoji=False)
    return console if console.is_terminal else _Screen(highlight=False, emoji=False, width=WIDTH_WITHOUT_TERMINAL)


def say(sentence: str, *, style: str | None = None) -> None:
    """Print a sentence to standard output: wrapped at its words in a terminal, as one line in a pipe."""
    _print_wrapped(screen(), Text(), sentence, style)


def say_beside(lead: Text, sentence: str, *, style: str | None = None) -> None:
    """Print `lead` and a sentence that a terminal wraps beside it; in a pipe both are one line."""
    _print_wrapped(screen(), lead, sentence, style)


def _print_wrapped(console: Console, lead: Text, sentence: str, style: str | None) -> None:
    text = Text(visible(sentence), style=style or "")
    room = console.width - lead.cell_len
    if not console.is_terminal or room < MINIMUM_ROOM:
        console.print(lead + text, soft_wrap=True)
        return
    # A command is to be copied whole.
    text.plain = _COMMAND.sub(lambda found: _glued(found[0], room), text.plain)
    for number, line in enumerate(text.wrap(console, room)):
        line.plain = line.plain.replace(_GLUE, " ").rstrip()
        console.print((lead if number == 0 else Text(" " * lead.cell_len)) + line, soft_wrap=True)


def _glued(command: str, room: int) -> str:
    return command.replace(" ", _GLUE) if len(command) < room else command


def print_text(text: str) -> None:
    """Print a text of several lines to standard output as it is, but for what a terminal would obey."""
    typer.echo(visible(text, kept="\n\t"))


def print_json(content: Any) -> None:
    """Print `content` as indented JSON."""
    typer.echo(_as_json(content))


def print_list(items: list[Any], *, total: int | None, following: str | int | None = None) -> None:
    """Print a page of a list as JSON, in the one form of every list.

    `total` is how many there are in all, None where that is not known without reading them; `following` is what the
    command's option for the next page takes, None on the last page.
    """
    print_json({"items": items, "total": total, "next": following})


def aside(sentence: str) -> None:
    """Print a sentence to standard error, as one line, beside what the command prints for programs."""
    _Screen(stderr=True, emoji=False).print(visible(sentence), highlight=False, markup=False, soft_wrap=True)


def detail(name: str, value: str) -> None:
    """Let the problem of this command have a detail, should the command fail."""
    DETAILS.set({**DETAILS.get(), name: value})


def refused(sentence: str, code: Refusal | Code = Refusal.BAD_REQUEST) -> typer.Exit:
    """Say on standard error what was found or refused; return the exit to raise.

    A command that was asked for JSON says it as a problem (RFC 9457), with the API's `code` where it has one.
    """
    return _ending(sentence, "yellow", FOUND, code)


def unable(sentence: str, code: Refusal | Code = Refusal.BAD_REQUEST) -> typer.Exit:
    """Say on standard error why the command cannot work and what to do, as `refused` does; return the exit to raise."""
    return _ending(sentence, "red", UNABLE, code)


def _ending(sentence: str, style: str, status: int, code: Refusal | Code) -> typer.Exit:
    if FOR_PROGRAMS.get():
        problem = Problem(code, sentence, details=DETAILS.get()).body(instance=f"urn:uuid:{uuid4()}", meta={})
        typer.echo(_as_json(problem), err=True)
    else:
        _print_wrapped(_Screen(stderr=True, emoji=False, highlight=False), Text(), sentence, style)
    return typer.Exit(status)


def _as_json(content: Any) -> str:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return "".join(sign if _is_harmless(sign) or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)


def _is_harmless(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) not in _OBEYED


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def counted(number: int, noun: str = "credit") -> str:
    """Return a number of credits, or of what `noun` names, in words: "1 credit", "1,200 merchants"."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def why_not(error: Exception) -> str:
    """Return in words why a file cannot be read or written."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    if isinstance(error, (gzip.BadGzipFile, EOFError)):
        return "it is not a complete gzip file"
    return (getattr(error, "strerror", None) or "the system does not allow it").lower()


def unread(path: Path, error: Exception) -> typer.Exit:
    """Say that a file cannot be read, and why; return the exit to raise."""
    return unable(f"{path} cannot be read: {why_not(error)}.")


def check_writable(path: Path) -> None:
    """End the command where a file cannot be there: its folder is missing, or it is a folder itself."""
    if path.is_dir():
        raise unable(f"{path} is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise unable(f"There is no folder {path.parent}.")


def progress_bar(*columns: ProgressColumn, visible: bool, transient: bool = False) -> Progress:
    """Return a progress bar on stderr: these columns, or each task's name, how many of how many, and the time left."""
    usual = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*(columns or usual), console=Console(stderr=True), disable=not visible, transient=transient)

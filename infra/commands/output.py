"""What a person or a program reads of a command, and how the command ends (spec, section 9)."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

FOUND = 1
"""Exit status: something was found that should not be, or what was asked for was refused."""
UNABLE = 2
"""Exit status: the command could not work."""

WIDTH_WITHOUT_TERMINAL = 110
TABLE_WIDTH_WITHOUT_TERMINAL = 200


def screen(width_without_terminal: int = WIDTH_WITHOUT_TERMINAL) -> Console:
    """Return the console of standard output; in a pipe its lines have a fixed width and no colour."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=width_without_terminal)


def say(sentence: str, *, style: str | None = None) -> None:
    """Print a sentence to standard output, unbroken."""
    screen().print(sentence, style=style, markup=False, soft_wrap=True)


def print_json(content: Any) -> None:
    """Print `content` as indented JSON."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def print_table(rows: Iterable[Sequence[str]], *, headings: Sequence[str], right: Sequence[str] = ()) -> None:
    """Print rows below their headings; columns named in `right` are figures.

    Where a terminal is too narrow the last column is folded, and the others stay whole.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        last = heading == headings[-1]
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=not last,
            overflow="fold" if last else "ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    screen(TABLE_WIDTH_WITHOUT_TERMINAL).print(table)


def refused(sentence: str) -> typer.Exit:
    """Say on standard error what was found or refused; return the exit to raise."""
    return _ending(sentence, "yellow", FOUND)


def unable(sentence: str) -> typer.Exit:
    """Say on standard error why the command cannot work and what to do; return the exit to raise."""
    return _ending(sentence, "red", UNABLE)


def _ending(sentence: str, style: str, status: int) -> typer.Exit:
    Console(stderr=True).print(sentence, style=style, highlight=False, markup=False, soft_wrap=True)
    return typer.Exit(status)

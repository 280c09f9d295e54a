"""What a person or a program reads of a command, and how the command ends (contract, section 9).

What is printed was partly written by whoever sends events. A terminal obeys some characters, moves its cursor or turns
the direction of a line: all that is printed here as text passes `visible`, JSON escapes the same characters as JSON.
"""

import json
import unicodedata
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


_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: controls, marks of direction and of no width, halves of characters, other ends of a line."""


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


def screen(width_without_terminal: int = WIDTH_WITHOUT_TERMINAL) -> Console:
    """Return the console of standard output; in a pipe its lines have a fixed width and no colour."""
    console = _Screen(highlight=False, emoji=False)
    return console if console.is_terminal else _Screen(highlight=False, emoji=False, width=width_without_terminal)


def say(sentence: str, *, style: str | None = None) -> None:
    """Print a sentence to standard output, as one line."""
    screen().print(visible(sentence), style=style, markup=False, soft_wrap=True)


def print_text(text: str) -> None:
    """Print a text of several lines to standard output as it is, but for what a terminal would obey."""
    typer.echo(visible(text, kept="\n\t"))


def print_json(content: Any) -> None:
    """Print `content` as indented JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    typer.echo("".join(sign if _is_harmless(sign) or sign == "\n" else json.dumps(sign)[1:-1] for sign in text))


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
        table.add_row(*map(visible, row))
    screen(TABLE_WIDTH_WITHOUT_TERMINAL).print(table)


def aside(sentence: str) -> None:
    """Print a sentence to standard error, as one line, beside what the command prints for programs."""
    _Screen(stderr=True, emoji=False).print(visible(sentence), highlight=False, markup=False, soft_wrap=True)


def refused(sentence: str) -> typer.Exit:
    """Say on standard error what was found or refused; return the exit to raise."""
    return _ending(sentence, "yellow", FOUND)


def unable(sentence: str) -> typer.Exit:
    """Say on standard error why the command cannot work and what to do; return the exit to raise."""
    return _ending(sentence, "red", UNABLE)


def _ending(sentence: str, style: str, status: int) -> typer.Exit:
    _Screen(stderr=True, emoji=False).print(
        visible(sentence), style=style, highlight=False, markup=False, soft_wrap=True
    )
    return typer.Exit(status)


def _is_harmless(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) not in _OBEYED


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode()

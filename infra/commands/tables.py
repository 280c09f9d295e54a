"""Rows below headings, as a person reads them in a terminal of any width, and as a program reads them in a pipe."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from infra.commands.output import screen, visible

GAP = 2
SHORTEST = 16
"""Columns that a shortened text keeps."""


def print_table(
    rows: Sequence[Sequence[str]], *, headings: Sequence[str], right: Sequence[str] = (), shortened: str | None = None
) -> None:
    """Print rows below their headings; columns named in `right` are figures.

    In a pipe each row is one whole line. A terminal may be too narrow for that: then the texts of the column
    `shortened` are cut. If the rows are still too wide, the last column moves, whole, to a line below each row.
    """
    console = screen()
    shown = [list(map(visible, row)) for row in (headings, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    below = False
    if console.is_terminal and _total(widths) > console.width:
        spare = widths[headings.index(shortened)] - SHORTEST if shortened else 0
        below = _total(widths) - max(0, spare) > console.width
        if shortened:
            over = _total(widths[:-1] if below else widths) - console.width
            widths[headings.index(shortened)] -= max(0, min(spare, over))
    for number, row in enumerate(shown):
        cells = [
            _cell(text, width, right=heading in right)
            for text, width, heading in zip(row, widths, headings, strict=True)
        ]
        console.print(_line(cells[:-1] if below else cells), style="bold" if number == 0 else None, soft_wrap=True)
        if below and number:
            console.print(Text(" " * (widths[0] + GAP) + row[-1], style="dim"), soft_wrap=True)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _cell(text: str, width: int, *, right: bool) -> Text:
    cell = Text(text)
    cell.truncate(width, overflow="ellipsis")
    cell.align("right" if right else "left", width)
    return cell


def _line(cells: Sequence[Text]) -> Text:
    line = Text(" " * GAP).join(cells)
    line.rstrip()
    return line

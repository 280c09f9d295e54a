"""A measured figure, the table and the JSON that report figures, and the places of tables in the documents."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs/measurements.md"
"""The page that holds the tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of a table in a page: between two marks, which name it and the module that makes it."""

    name: str
    module: str
    page: Path = PAGE

    def filled(self, text: str) -> str:
        """Return the table with its marks."""
        return f"{self._start}\n{text}\n{self._end}"

    def put(self, text: str) -> None:
        """Put a table into the page, which holds each mark once."""
        before, _, rest = self.page.read_text().partition(self._start)
        _, _, after = rest.partition(self._end)
        self.page.write_text(f"{before}{self.filled(text)}{after}")

    def show(self, text: str) -> None:
        """Print a table; with `--write` on the command line, put it into the page."""
        print(text)
        if "--write" in sys.argv:
            self.put(text)

    @property
    def _start(self) -> str:
        return f"<!-- {self.name}: python -m {self.module} --write -->"

    @property
    def _end(self) -> str:
        return f"<!-- /{self.name} -->"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure with its goal: at most `goal`, where there is one."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is reached, or there is none."""
        return self.goal is None or self.value <= self.goal


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of these cells."""
    head, *lines = (f"| {' | '.join(cells)} |" for cells in (heads, *rows))
    return "\n".join([head, "|---" * len(heads) + "|", *lines])


def table(figures: Sequence[Measurement]) -> str:
    """Return the figures as a Markdown table, goals beside them."""
    return "\n".join(["| figure | measured | goal |", "|---|---|---|", *map(row, figures)])


def row(figure: Measurement) -> str:
    """Return the figure's row of the table."""
    goal = "" if figure.goal is None else f"≤ {number(figure.goal)}"
    missed = "" if figure.met else " **missed**"
    return f"| {figure.name} | {number(figure.value)} {figure.unit}".rstrip() + f"{missed} | {goal} |"


def document(figures: Sequence[Measurement]) -> list[dict[str, object]]:
    """Return the figures for JSON."""
    return [{**asdict(figure), "met": figure.met} for figure in figures]


def number(value: float) -> str:
    """Return a number for a table, with significant digits only."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.3f}".rstrip("0") if abs(value) < 10 else f"{value:,.1f}"  # noqa: PLR2004 - digits

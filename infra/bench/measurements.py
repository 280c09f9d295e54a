"""A measured figure, and the table and the JSON that report figures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs/measurements.md"
"""The page that holds the tables."""


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


def put_between(page: str, start: str, end: str, text: str) -> str:
    """Return a page with the text between its two marks, each of which it holds once."""
    before, _, rest = page.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{text}\n{end}{after}"


def number(value: float) -> str:
    """Return a number for a table, with significant digits only."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.3f}".rstrip("0") if abs(value) < 10 else f"{value:,.1f}"  # noqa: PLR2004 - digits

"""The output on the terminal while the stack starts and once it serves."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from infra.local.ports import Port

WIDTH_WITHOUT_TERMINAL = 110


class Screen:
    """Writes to standard output; in a terminal with colours and a spinner, elsewhere as plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _console()

    def title(self, text: str) -> None:
        """Print the title."""
        self._console.print(f"[bold]{text}[/bold]")

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Show `doing` while the context is open, then a line with the time that it took."""
        started = time.monotonic()
        with self._console.status(doing):
            yield
        elapsed = time.monotonic() - started
        self._console.print(f"  [green]✓[/green] {doing} [dim]{elapsed:.1f} s[/dim]", highlight=False)

    def note(self, text: str) -> None:
        """Print a note that needs no action."""
        self._console.print(f"  [yellow]•[/yellow] {text}", highlight=False)

    def moved_ports(self, ports: Mapping[str, Port]) -> None:
        """Print which ports were taken and which ones are used instead."""
        for port in ports.values():
            if port.number != port.asked:
                self.note(f"Port {port.asked} is taken; {port.setting} is {port.number} instead.")

    def failure(self, text: str) -> None:
        """Print why the stack ends."""
        self._console.print("[bold red]✗[/bold red] ", end="")
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def places(self, places: Mapping[str, str]) -> None:
        """Print where each part runs, unwrapped, since some of it is to be copied."""
        width = max(map(len, places), default=0)
        self._console.print()
        for name, where in places.items():
            line = Text(f"  {name:<{width}}  ", style="bold") + Text(where, style="not bold")
            self._console.print(line, soft_wrap=True)

    def sentences(self, sentences: Sequence[str]) -> None:
        """Print the sentences below an empty line."""
        self._console.print()
        for sentence in sentences:
            self._console.print(f"  {sentence}", markup=False, highlight=False, soft_wrap=True)

    def lines_to_try(self, lines: Mapping[str, str]) -> None:
        """Print commands, each with its purpose, unwrapped so that they can be copied."""
        self._console.print()
        for purpose, line in lines.items():
            self._console.print(f"  # {purpose}", style="dim", markup=False, highlight=False)
            self._console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
        self._console.print()

    def plain(self, text: str) -> None:
        """Print `text` as it is, at the beginning of a line and at once."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)

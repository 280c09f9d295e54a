"""What a function's memory costs and saves: `python -m infra.bench.memory`; `--write` puts the table into its page.

Lambda gives a function a share of a core by its memory. Here a control group gives a fresh process the same share, so
the packaged code runs as slowly as it would there. It needs the right to make such groups (root, on Linux), and a
quiet machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.bench.counted import STATUS, TEN
from infra.bench.functions import Orders, http_event, merchant
from infra.bench.imports import Taken, aws, first_answers, taken, unpacked
from infra.bench.measurements import Place
from infra.bench.prices import MILLION, call

CORE_MEGABYTES: Final = 1769
"""With this much memory a function gets one full core (lambda/latest/dg/configuration-memory.html)."""
SIZES: Final = (128, 256, 512, 1024, CORE_MEGABYTES)
AWAY_SECONDS: Final = 0.005
"""What a request to DynamoDB takes besides, about."""
CALLS: Final = 200
RUNS: Final = 3
PERIOD_MICROSECONDS: Final = 20_000
"""In each, the process has its share of a core."""
GROUPS: Final = Path("/sys/fs/cgroup")
PLACE: Final = Place(name="memory", module="infra.bench.memory")
_ENTERED: Final = ("sh", "-c", 'echo $$ > "$0" && exec "$@"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A function at a size: its first answer and each later one in seconds, and the most memory that it had."""

    function: str
    size: int
    first: float
    warm: float
    megabytes: float

    @property
    def dollars(self) -> float:
        """What a million warm calls cost."""
        return call(self.size / 1024, self.warm) * MILLION


def measured() -> list[Row]:
    """Return each function at each size: the best of some runs, in which all take turns."""
    best: dict[tuple[str, int], Taken] = {}
    with aws(AWAY_SECONDS) as address, unpacked() as code:
        for _ in range(RUNS):
            for size in SIZES:
                with share(size) as before:
                    for name, (function, events) in _calls().items():
                        one = taken(code, first_answers()[function], address, more=events, before=before)
                        best[name, size] = one.better(best.get((name, size), one))
    return [
        Row(function=name, size=size, first=one.wall, warm=one.warm, megabytes=one.megabytes)
        for (name, size), one in sorted(best.items())
    ]


@contextmanager
def share(megabytes: int) -> Iterator[Sequence[str]]:
    """Yield the words before a command that then has the share of a core which Lambda gives for this memory."""
    second = (GROUPS / "cgroup.controllers").exists()
    folder = (GROUPS if second else GROUPS / "cpu") / "credits-bench"
    quota = round(PERIOD_MICROSECONDS * megabytes / CORE_MEGABYTES)
    try:
        folder.mkdir()
        if second:
            (folder / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
    except OSError as error:
        raise SystemExit(f"No share of a core can be given here: {error}") from None
    try:
        yield (*_ENTERED, str(folder / "cgroup.procs"))
    finally:
        folder.rmdir()


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        f"| {row.function} | {row.size:,} MB | {row.first * 1000:,.0f} ms | {row.warm * 1000:,.1f} ms "
        f"| {row.megabytes:,.0f} MB | {row.dollars:,.2f} |"
        for row in rows
    ]
    heads = "| function | memory | first answer | each later one | used | dollars a million |"
    return "\n".join([heads, "|---|---|---|---|---|---|", *lines])


def _calls() -> Mapping[str, tuple[str, Sequence[Mapping[str, Any]]]]:
    """Return, by what a row is called, the function of the first answer and the events of the later ones."""
    orders, shop = Orders(), merchant(1)
    asked = [http_event(STATUS, path={"merchant_id": merchant(number)}) for number in range(2, CALLS + 2)]
    return {
        "ingest, an order a call": ("ingest", [orders.batch(shop) for _ in range(CALLS)]),
        "ingest, ten orders a call": ("ingest", [orders.batch(*[shop] * TEN) for _ in range(CALLS // TEN)]),
        "status, read from the table": ("status", asked),
        "status, from memory": ("status", [http_event(STATUS, path={"merchant_id": shop})] * CALLS),
    }


if __name__ == "__main__":
    PLACE.show(table(measured()))

"""`make bench`: measures, and reports one table and one JSON with the goals beside the figures.

    python -m infra.bench [--parts counted package imports cpu busy limits long] [--json FILE] [--write]

`counted` and `package` are the same on every machine, and gates of the tests; `busy` starts an emulator; `long`
fills a ledger of 100,000 accounts and 1,000,000 transactions, which takes minutes and some gigabytes. `--write` puts
the table into the page of measurements.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from infra.bench.measurements import Measurement, Place, document, table
from infra.packaging.dependencies import BUILD

PLACE = Place(name="measured", module="infra.bench")
PARTS: Mapping[str, str] = {
    "counted": "counted.all_counted",
    "package": "imports.package_measurements",
    "imports": "imports.first_answer_measurements",
    "cpu": "cpu.cpu_measurements",
    "busy": "busy.busy_measurements",
    "limits": "limits.limit_measurements",
    "long": "long.long_measurements",
}
"""The function that measures each part, in a module that imports what it measures."""
USUAL = [part for part in PARTS if part != "long"]


def measured(part: str) -> list[Measurement]:
    """Return the figures of a part."""
    module, _, function = PARTS[part].partition(".")
    figures: list[Measurement] = getattr(import_module(f"infra.bench.{module}"), function)()
    return figures


def main() -> None:
    """Measure the requested parts; fail where a machine-independent goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=USUAL)
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json")
    parser.add_argument("--write", action="store_true", help="put the table into infra/docs/measurements.md")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    figures = [figure for part in chosen.parts for figure in measured(part)]
    PLACE.show(table(figures))
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(document(figures), indent=1, ensure_ascii=False))
    missed = [figure.name for figure in figures if not figure.met]
    print(f"\n{len(figures)} figures, {len(missed)} goals missed{': ' if missed else ''}{', '.join(missed)}")
    if missed and set(chosen.parts) <= {"counted", "package", "long"}:
        sys.exit(1)


if __name__ == "__main__":
    main()

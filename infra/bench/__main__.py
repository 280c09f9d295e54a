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
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from infra.bench.measurements import PAGE, Measurement, document, put_between, table
from infra.packaging.build import package
from infra.packaging.dependencies import BUILD

ZIP_MEGABYTES_MAX = 14.5
START, END = "<!-- measured: python -m infra.bench --write -->", "<!-- /measured -->"


def counted() -> list[Measurement]:
    """Return the counted figures of a small ledger."""
    from infra.bench.counted import all_counted  # noqa: PLC0415 - a part imports what it measures

    return all_counted()


def packaged() -> list[Measurement]:
    """Return the size of the zip, and whether each module in it is compiled."""
    code = package("dev") / "deployment.zip"
    with ZipFile(code) as archive:
        names = set(archive.namelist())
    sources = [Path(name) for name in names if name.endswith(".py")]
    bare = [name for name in sources if str(name.parent / "__pycache__" / f"{name.stem}.cpython-311.pyc") not in names]
    return [
        Measurement("zip", code.stat().st_size / 1e6, "MB", ZIP_MEGABYTES_MAX),
        Measurement("sources in it without their .pyc", len(bare), "files", 0),
    ]


def imports() -> list[Measurement]:
    """Return what each function's first answer in a new container takes."""
    from infra.bench.imports import first_answer_measurements  # noqa: PLC0415 - the same

    with TemporaryDirectory() as folder:
        with ZipFile(package("dev") / "deployment.zip") as archive:
            archive.extractall(folder)
        return first_answer_measurements(Path(folder))


def cpu() -> list[Measurement]:
    """Return the CPU of orders and statuses."""
    from infra.bench.cpu import cpu_measurements  # noqa: PLC0415 - the same

    return cpu_measurements()


def busy() -> list[Measurement]:
    """Return the rates of one busy merchant on the emulator."""
    from infra.bench.busy import busy_measurements  # noqa: PLC0415 - the same

    return busy_measurements()


def limits() -> list[Measurement]:
    """Return the rates of one busy merchant against DynamoDB's limits."""
    from infra.bench.limits import limit_measurements  # noqa: PLC0415 - the same

    return limit_measurements()


def long() -> list[Measurement]:
    """Return the costs on a ledger of a million transactions, beside one of a hundred accounts."""
    from infra.bench.long import long_measurements  # noqa: PLC0415 - the same

    return long_measurements()


PARTS: Mapping[str, Callable[[], list[Measurement]]] = {
    "counted": counted,
    "package": packaged,
    "imports": imports,
    "cpu": cpu,
    "busy": busy,
    "limits": limits,
    "long": long,
}
USUAL = [part for part in PARTS if part != "long"]


def main() -> None:
    """Measure the requested parts; fail where a machine-independent goal is missed."""
    parser = argparse.ArgumentParser(description="Measure the service.")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=USUAL)
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json")
    parser.add_argument("--write", action="store_true", help="put the table into infra/docs/measurements.md")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    figures = [figure for part in chosen.parts for figure in PARTS[part]()]
    print(table(figures))
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(document(figures), indent=1, ensure_ascii=False))
    if chosen.write:
        PAGE.write_text(put_between(PAGE.read_text(), START, END, table(figures)))
    missed = [figure.name for figure in figures if not figure.met]
    print(f"\n{len(figures)} figures, {len(missed)} goals missed{': ' if missed else ''}{', '.join(missed)}")
    if missed and set(chosen.parts) <= {"counted", "package", "long"}:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""`python -m tests.mutants`: each deliberate bug in a copy of the tree, and whether simulator or tests catch it.

Prints a table, and ends with 1 where one was missed or no longer fits the code. Words after the command choose
mutants by a part of their name.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("chalicelib", "tests", "infra", ".chalice")
FILES = ("app.py", "pyproject.toml")
SIMULATOR = ("-m", "tests.simulator", "--stop", "--seeds", "0-149", "--sweep", "4")
"""What has to catch them: as many seeds as take a minute, and a part of the sweep."""
TESTS = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist")
FAILED = 1
"""The status of pytest where a test failed; others say that it could not run them."""
SECONDS_MAX = 600
AT_ONCE = os.cpu_count() or 1
TOLD = "with violations"
CAUGHT, MISSED, BROKEN = "caught", "MISSED", "BROKEN"


@dataclass(frozen=True)
class Result:
    """What became of a mutant, and by what it was caught."""

    mutant: Mutant
    verdict: str
    told: str
    seconds: float


class MutantDoesNotFitError(Exception):
    """The text that a mutant changes does not stand in its file exactly once: it has to be written anew."""


def main(chosen: Sequence[str]) -> int:
    """Try the mutants, and return 1 where one was missed."""
    mutants = [mutant for mutant in MUTANTS if not chosen or any(part in mutant.name for part in chosen)]
    width = max(len(mutant.name) for mutant in mutants)
    with ThreadPoolExecutor(AT_ONCE) as workers:
        results = []
        for result in workers.map(tried, mutants):
            results.append(result)
            print(
                f"{result.verdict:<7} {result.mutant.name:<{width}} {result.seconds:4.0f} s  {result.told}", flush=True
            )
    caught = sum(result.verdict == CAUGHT for result in results)
    print(f"{caught} of {len(results)} deliberate bugs caught")
    return 0 if caught == len(results) else 1


def tried(mutant: Mutant) -> Result:
    """Return what the simulator, or the tests that a mutant names, make of it."""
    started = time.monotonic()
    with _copy() as tree:
        try:
            apply(mutant, tree)
        except MutantDoesNotFitError as error:
            return Result(mutant, BROKEN, str(error), 0.0)
        try:
            first = ["--scenario", mutant.scenario] if mutant.scenario else []
            done = subprocess.run(
                [sys.executable, *((*TESTS, mutant.tests) if mutant.tests else (*SIMULATOR, *first))],
                cwd=tree,
                capture_output=True,
                text=True,
                timeout=SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Result(mutant, BROKEN, f"no verdict within {SECONDS_MAX} seconds", SECONDS_MAX)
    seconds = time.monotonic() - started
    if mutant.tests:
        verdict = {FAILED: CAUGHT, 0: MISSED}.get(done.returncode, BROKEN)
        return Result(mutant, verdict, (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1][:90], seconds)
    if TOLD not in done.stdout:
        return Result(mutant, BROKEN, (done.stderr.strip().splitlines() or ["it says nothing"])[-1], seconds)
    if done.returncode == 0:
        return Result(mutant, MISSED, done.stdout.strip().splitlines()[-1], seconds)
    return Result(mutant, CAUGHT, _first_of(done.stdout), seconds)


def apply(mutant: Mutant, tree: Path) -> None:
    """Put the bug into a tree; raises `MutantDoesNotFitError` where its text does not stand there exactly once."""
    for change in mutant.changes:
        path = tree / change.path
        text = path.read_text()
        if text.count(change.old) != 1:
            raise MutantDoesNotFitError(f"{change.path} holds {text.count(change.old)} times {change.old!r}")
        path.write_text(text.replace(change.old, change.new))


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        for name in COPIED:
            # What is compiled already comes along: a copy keeps the times by which Python knows it.
            shutil.copytree(ROOT / name, Path(folder) / name, ignore=shutil.ignore_patterns("node_modules"))
        for name in FILES:
            shutil.copy(ROOT / name, Path(folder) / name)
        yield Path(folder)


def _first_of(output: str) -> str:
    lines = output.strip().splitlines()
    run = lines[0].partition(":")[0].removeprefix("python -m tests.simulator ")
    what = next((line.strip(" -") for line in lines[1:] if line.strip()), "")
    return f"{run}: {what[:90]}"


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    options.add_argument("part", nargs="*", help="try only the mutants with this in their name")
    raise SystemExit(main(options.parse_args().part))

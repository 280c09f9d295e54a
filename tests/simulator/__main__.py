"""`python -m tests.simulator`: seeds and the sweep; each failing one is printed as the command that runs it again."""

import argparse
import sys
import time
from collections.abc import Iterator

from tests.simulator import runs, sweep
from tests.simulator.faults import Fault
from tests.simulator.runs import Verdict


def main(arguments: list[str]) -> int:
    """Run the requested seeds and cases, and return 1 if any had violations."""
    asked = _options().parse_args(arguments)
    started, done, requests, transactions, failed = time.process_time(), 0, 0, 0, 0
    for verdict in _verdicts(asked):
        done, requests, transactions = done + 1, requests + verdict.requests, transactions + verdict.transactions
        if verdict.violations:
            failed += 1
            print(verdict, flush=True)
            if asked.stop:
                break
    seconds = time.process_time() - started
    print(
        f"{done} runs, {requests} requests, {transactions} transactions, {failed} with violations, "
        f"{seconds:.0f} s of CPU"
    )
    return 1 if failed else 0


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    options.add_argument("--seed", type=int, help="one seed")
    options.add_argument("--seeds", default="0-99", metavar="FIRST-LAST", help="a range of seeds (0-99)")
    options.add_argument("--sweep", type=int, metavar="EVERY", help="one case of the sweep of so many; 1: all")
    options.add_argument("--case", nargs=4, metavar=("SCENARIO", "FAULT", "AT", "TIMES"), help="one case of the sweep")
    options.add_argument("--scenario", help="all cases of one scenario of the sweep, before the seeds")
    options.add_argument("--stop", action="store_true", help="stop at the first violation")
    return options


def _verdicts(asked: argparse.Namespace) -> Iterator[Verdict]:
    if asked.case:
        scenario, kind, at, times = asked.case
        yield sweep.run(sweep.Case(scenario, Fault[kind], int(at), int(times)))
        return
    if asked.seed is not None:
        yield from runs.seeds([asked.seed])
        return
    if asked.scenario:
        yield sweep.calm(asked.scenario)
        yield from sweep.verdicts(list(sweep.cases(asked.scenario)))
    first, _, last = asked.seeds.partition("-")
    yield from runs.seeds(range(int(first), int(last or first) + 1))
    if asked.sweep:
        yield from sweep.verdicts(sweep.thinned(asked.sweep))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

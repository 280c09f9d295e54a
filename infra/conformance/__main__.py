"""Walks a stack through its whole life, and reports: `make conformance STAGE=dev` (EMULATOR=1: in the emulator).

For the first account that is lent. Everything goes into a stack beside the stage's (`credits-dev-conformance`), which
is deleted at the end, tables and all. Each step says what AWS shows that the emulator does not, so that a report of the
emulator is not taken for more than it is. A step that fails is reported, and the next ones go on where they can.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.conformance.walk import EMULATED, Result, Run, walk
from infra.deploying.aws_session import aws_session, clients
from infra.local.engines import FAKE_AWS_ENVIRONMENT, ministack
from infra.packaging.dependencies import BUILD
from infra.packaging.region import REGION

ALARM_METRICS: Final = 60
ALARM_MONTH: Final = 0.10
MINUTES_A_MONTH: Final = 43_800
REQUESTS_DOLLARS: Final = 0.01
"""Dollars in us-east-1: alarms by metric and time, and a few hundred requests of everything else."""


def report(results: list[Result], where: str) -> str:
    """Return the results as a page of Markdown, with what the walk has cost at most."""
    minutes = sum(one.seconds for one in results) / 60
    dollars = ALARM_METRICS * ALARM_MONTH * minutes / MINUTES_A_MONTH + REQUESTS_DOLLARS
    rows = [f"| {'✓' if one.passed else '✗'} {one.step.name} | {one.seen} | {one.step.only_aws} |" for one in results]
    cost = f"Run against {where}. On AWS, as long a walk costs {dollars:.2f} dollars at most; its tag `stage` tells."
    return "\n".join([cost, "", "| step | seen | what AWS alone shows |", "|---|---|---|", *rows, ""])


@contextmanager
def _place(stage: str) -> Iterator[tuple[Run, str]]:
    """Give a run in the account of the caller, or with `EMULATOR=1` in an emulator of its own."""
    if os.environ.get("EMULATOR") != "1":
        session = aws_session()
        yield Run(stage=stage, parameters="", client=clients(session)), f"AWS, {session.region_name}"
        return
    with tempfile.TemporaryDirectory() as folder, ministack(Path(folder)) as url:
        os.environ.update({**FAKE_AWS_ENVIRONMENT, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": url})
        yield Run(stage=stage, parameters=EMULATED, client=clients(aws_session())), "the emulator"


def main() -> None:
    """Walk, and leave the report in build/conformance-STAGE.md; end with 1 where a step failed."""
    parser = argparse.ArgumentParser(prog="python -m infra.conformance", description=__doc__)
    parser.add_argument("stage", help="a stage of .chalice/config.json, such as dev")
    stage = parser.parse_args().stage
    with _place(stage) as (run, where):
        results = []
        for result in walk(run):
            results.append(result)
            print(f"{'✓' if result.passed else '✗'} {result.step.name} ({result.seconds:.0f} s): {result.seen}")
    path = BUILD / f"conformance-{stage}.md"
    path.write_text(report(results, where))
    print(f"{path.relative_to(BUILD.parent)}")
    sys.exit(0 if all(one.passed for one in results) else 1)


if __name__ == "__main__":
    main()

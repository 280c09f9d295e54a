"""`make conformance` in the emulator: every step passes, and the guide's report is of these steps."""

import os
import subprocess

import pytest

from infra.conformance.__main__ import report
from infra.conformance.walk import STEPS, Result, Step
from infra.deploying.emulator import ROOT
from tests.support.engines import PROGRAMS

DOCUMENT = ROOT / "infra/docs/conformance.md"


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.xdist_group("deployment")
def test_a_stack_is_walked_through_its_whole_life_in_the_emulator() -> None:
    walked = subprocess.run(
        [PROGRAMS / "python", "-m", "infra.conformance", "dev"],
        cwd=ROOT,
        env={**os.environ, "EMULATOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert [line.split(" (")[0] for line in walked.stdout.splitlines()[:-1]] == [f"✓ {step.name}" for step in STEPS]


def test_the_guides_report_has_every_step_and_what_aws_alone_shows() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith(("| ✓", "| ✗"))]

    assert [row.split(" | ")[0] for row in rows] == [f"| ✓ {step.name}" for step in STEPS]
    assert [row.split(" | ")[2].removesuffix(" |") for row in rows] == [step.only_aws for step in STEPS]


def test_a_step_that_failed_is_reported_as_such() -> None:
    step = Step(name="create", only_aws="rights", run=str)
    failed = Result(step=step, passed=False, seen="no", seconds=60)

    page = report([failed], "AWS")

    assert "| ✗ create | no | rights |" in page
    assert "Run against AWS. On AWS, as long a walk costs 0.01 dollars" in page

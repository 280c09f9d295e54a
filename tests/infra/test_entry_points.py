"""Every `python -m …` that a person types answers `--help` with its usage, and does nothing else."""

import subprocess
import sys

import pytest

from infra.packaging.dependencies import ROOT

TYPED = (
    "infra.bench",
    "infra.bridge",
    "infra.bridge.replay",
    "infra.conformance",
    "infra.deploying.aws",
    "infra.deploying.preflight",
    "infra.interfaces",
    "infra.local",
    "infra.packaging.build",
    "infra.packaging.bundle",
    "infra.packaging.dependencies",
    "infra.packaging.pins",
    "infra.recovery",
    "tests.mutants",
    "tests.simulator",
)


@pytest.mark.slow
@pytest.mark.parametrize("module", TYPED)
def test_a_program_answers_help_with_its_usage(module: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"usage: python -m {module} " in ran.stdout.lower()

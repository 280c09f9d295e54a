"""The measuring command runs as infra/docs/measurements.md says, and reports what it measured."""

import os
import re
import subprocess
import sys

import pytest

from tests.support.running_stack import Stack
from tests.support.stack_process import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]


def test_the_time_from_event_to_balance_and_from_write_to_event_is_measured(flows: Stack) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "infra.bench.latency", "--samples", "50"],
        cwd=ROOT,
        env={**os.environ, "LOCAL_DIR": str(flows.directory)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    figures = re.findall(r"^(.+?) +p50 +(\d+) ms +p95 +(\d+) ms", ran.stdout, re.MULTILINE)
    assert [what for what, *_ in figures] == [
        "published on NATS → balance over HTTP",
        "posted as a webhook → answered",
        "posted as a webhook → balance over HTTP",
        "written → threshold event on NATS",
    ]
    assert all(0 < int(half) <= int(most) < 30_000 for _, half, most in figures)

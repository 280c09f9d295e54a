"""The measuring commands run as infra/docs/measurements.md says, and report what they measured."""

import os
import re
import subprocess
import sys

import pytest

from infra.bench import busy
from tests.support.running_stack import Stack
from tests.support.stack_process import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]


def test_the_time_from_event_to_balance_and_from_write_to_event_is_measured_beside_other_orders(flows: Stack) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "infra.bench.latency", "--samples", "50", "--rates", "0", "2"],
        cwd=ROOT,
        env={**os.environ, "LOCAL_DIR": str(flows.directory)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    rows = re.findall(r"^\| (.+?) \| (none|2) \| (.+) ms \| (.+) ms \| (.+) ms \|$", ran.stdout, re.MULTILINE)
    ways = [
        "published on NATS → balance",
        "put on the bus → balance",
        "posted as a webhook → balance",
        "posted as a webhook → answered",
        "written → threshold event on NATS",
        "the emulator: an item put and read",
        "the emulator: a message through a queue",
    ]
    assert [row[:2] for row in rows] == [(what, rate) for rate in ("none", "2") for what in ways], ran.stdout
    shown = [[int(text.replace(",", "")) for text in row[2:]] for row in rows]
    assert all(0 < half <= most <= nearly_all < 30_000 for half, most, nearly_all in shown), ran.stdout


def test_a_busy_merchant_is_measured_on_the_tables_of_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy, "ORDERS", 40)
    monkeypatch.setattr(busy, "WORKERS", (1, 2))
    monkeypatch.setattr(busy, "FOLDS", {10: 1.0})

    figures = {figure.name.removeprefix("busy merchant, folds of 10"): figure for figure in busy.busy_measurements()}

    assert figures[", workers: 1: orders a second"].value > 0
    assert figures[", workers: 1: conflicts an order"].value == 0
    assert figures[", workers: 2: conflicts an order"].met

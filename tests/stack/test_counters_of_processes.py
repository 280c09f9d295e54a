"""Counters of two processes, each a container of the API: their sums are the same whoever is asked."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra.deploying.emulator import ROOT
from tests.support.engines import FAKE_AWS_ENVIRONMENT, ministack
from tests.support.figures_tables import FiguresTable, table_at
from tests.support.stores import declared_with_stream

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("figures on ministack")]

CHECKS = 'credits_plugin_status_checks_total{status="disabled"}'
CONTAINER = """
import sys
from app import app
from chalicelib.wiring import for_figures

def asked(path, route, token=None):
    context = {"requestId": "r", "resourcePath": route, "httpMethod": "GET", "path": path, "stage": "test"}
    if token:
        context["authorizer"] = token
    return app({"resource": route, "path": path, "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "stageVariables": None,
        "pathParameters": {"merchant_id": path.rsplit("/", 1)[-1]}, "requestContext": context,
        "body": None, "isBase64Encoded": False}, None)

ROUTE = "/api/v1/credits/plugin-status/{merchant_id}"
for line in sys.stdin:
    word, _, number = line.strip().partition(" ")
    if word == "check":
        for _ in range(int(number)):
            asked("/api/v1/credits/plugin-status/00000000-0000-4000-8000-000000000000", ROUTE)
        for_figures.counter_writer.cache_clear()
        for_figures.counter_writer().write()
    text = asked("/metrics", "/metrics", {"scope": "credits:ops", "subject": "ops"})["body"]
    counted = [said.split()[-1] for said in text.splitlines() if said.startswith(CHECKS)]
    print("SUM", counted[0] if counted else "0.0", flush=True)
"""


class Container:
    """A process that answers as a container of the API does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        program = f"CHECKS = {CHECKS!r}\n{CONTAINER}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def told(self, line: str) -> float:
        """Return the sum that /metrics says after doing as told."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        for said in self.process.stdout:
            if said.startswith("SUM"):
                return float(said.split()[1])
        raise AssertionError("the container ended")

    def end(self) -> None:
        self.process.communicate(timeout=120)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[tuple[FiguresTable, str]]:
    with ministack(tmp_path) as url, table_at(url) as found:
        yield found, url


def test_two_processes_say_the_same_sum_of_what_both_counted(table: tuple[FiguresTable, str]) -> None:
    found, url = table
    found.client.create_table(TableName="credits", **declared_with_stream("CreditsTable"))
    environment = {
        **os.environ,
        **FAKE_AWS_ENVIRONMENT,
        "AWS_ENDPOINT_URL": url,
        "CREDITS_TABLE": "credits",
        "FIGURES_TABLE": found.name,
        "POWERTOOLS_METRICS_NAMESPACE": "credits",
    }
    one, other = Container(environment), Container(environment)
    try:
        one.told("check 30")
        other.told("check 50")
        one.told("check 7")

        assert one.told("say") == other.told("say") == 87
    finally:
        one.end()
        other.end()

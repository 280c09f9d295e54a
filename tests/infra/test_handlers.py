"""Each function's code, from the unzipped package alone: no virtual environment, no working folder, no environment."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import redis_server

IMPORTING = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
module, function = sys.argv[2].rsplit(".", 1)
handler = getattr(importlib.import_module(module), function)
print(json.dumps({"callable": callable(handler), "modules": sorted(sys.modules), "path": sys.path}))
"""
SHARING = """
import sys
from datetime import UTC, datetime
sys.path.insert(0, sys.argv[1])
from chalicelib.adapters.redis import connection, statuses as module
from chalicelib.domain.plugin_status import KnownStatus
module.READ_SECONDS = module.WRITE_SECONDS = 5
line, now = connection.RedisConnection(sys.argv[2]), datetime.now(UTC)
statuses = module.RedisStatuses(line, prefix="credits", stale_seconds=300)
statuses.write({"shop": KnownStatus(version=7, enabled=True, as_of=now)}, now=now)
print(statuses.read(["shop"])["shop"].version)
line.close()
"""
FUNCTIONS = [
    "chalicelib.api.door.serve",
    "chalicelib.handlers.adjust_credits.adjust_credits",
    "chalicelib.handlers.set_threshold.set_threshold",
    "chalicelib.handlers.smoke_test.smoke_test",
    "chalicelib.handlers.authorize.authorize",
    "chalicelib.handlers.roll_up.roll_up",
    "chalicelib.handlers.ingest_events.ingest_events",
    "chalicelib.handlers.report_marks.report_marks",
    "chalicelib.handlers.post_due.post_due",
    "chalicelib.handlers.match_orders.match_orders",
    "chalicelib.handlers.reconcile.reconcile",
    "chalicelib.handlers.stream_records.publish_threshold_events",
    "chalicelib.handlers.stream_records.publish_transaction_events",
]


def imported(code: Path, handler: str) -> dict[str, Any]:
    """Return what a fresh Python says that knows its standard library and the folder `code`, nothing else."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORTING, str(code), handler],
        env={},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    said: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return said


def test_the_handlers_here_are_those_of_the_template(template: dict[str, Any]) -> None:
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Serverless::Function"]

    assert sorted(one["Properties"]["Handler"] for one in functions) == sorted(FUNCTIONS)


@pytest.mark.parametrize("handler", FUNCTIONS)
def test_a_handler_can_be_imported_from_the_zip_alone(code: Path, handler: str) -> None:
    said = imported(code, handler)

    assert said["callable"]
    assert not [folder for folder in said["path"] if "site-packages" in folder]


@pytest.mark.parametrize("handler", FUNCTIONS)
def test_a_handler_starts_without_the_application(code: Path, handler: str) -> None:
    assert "app" not in imported(code, handler)["modules"]


def test_the_shared_statuses_work_from_the_zip_alone(code: Path, tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        ran = subprocess.run(
            [sys.executable, "-I", "-S", "-c", SHARING, str(code), url],
            env={},
            capture_output=True,
            check=False,
            text=True,
        )

    assert ran.stdout.strip() == "7", ran.stderr

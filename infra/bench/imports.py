"""What a new container pays before its first answer: CPU of imports and clients, in fresh processes from the zip alone.

Each function does its first call up to the first request of AWS; the yardstick is boto3 as it is installed, with
one client.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from infra.bench.functions import ENVIRONMENT
from infra.bench.measurements import Measurement

RUNS = 9

_CLOCKED = """
import sys, time
sys.path.insert(0, sys.argv[1])
started = time.process_time()
exec(sys.argv[2])
print(time.process_time() - started)
"""
YARDSTICK = "import boto3; boto3.client('dynamodb')"
FIRST_CALLS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "status route": ("import app; from chalicelib.wiring import for_api; for_api.plugin_statuses()", 1.3),
        "ingest": (
            (
                "import chalicelib.handlers.batch, chalicelib.handlers.ingest_events; "
                "from chalicelib.wiring import for_posting; for_posting.posting()"
            ),
            1.6,
        ),
        "threshold publisher": (
            (
                "import chalicelib.handlers.publish_threshold_events; "
                "from chalicelib.wiring import for_posting; for_posting.bus()"
            ),
            1.3,
        ),
        "authorizer": (
            "import chalicelib.handlers.authorize, chalicelib.wiring.for_api, chalicelib.adapters.tokens",
            0.5,
        ),
    }
)


def import_measurements(code: Path) -> list[Measurement]:
    """Return the CPU of each function's start on the unzipped package in `code`, relative to boto3's.

    All take turns, so that other load affects all of them; the best of nine counts.
    """
    installed = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    best = dict.fromkeys([YARDSTICK, *FIRST_CALLS], float("inf"))
    for _ in range(RUNS):
        best[YARDSTICK] = min(best[YARDSTICK], _seconds(installed, YARDSTICK))
        for name, (statement, _goal) in FIRST_CALLS.items():
            best[name] = min(best[name], _seconds(code, statement))
    yardstick = best[YARDSTICK]
    return [
        Measurement("import CPU of boto3 with one client", yardstick * 1000, "ms"),
        *(
            Measurement(f"import CPU, {name}", best[name] / yardstick, "× boto3", goal)
            for name, (_statement, goal) in FIRST_CALLS.items()
        ),
    ]


def _seconds(path: Path, statement: str) -> float:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _CLOCKED, str(path), statement],
        env={**ENVIRONMENT, "PATH": os.environ.get("PATH", "")},
        capture_output=True,
        check=True,
        text=True,
    )
    return float(ran.stdout.splitlines()[-1])

"""What a new container's first answer takes: whole calls with raw events, in fresh processes, from the zip alone.

A process imports the function's handler and answers one event; AWS and the identity provider are a server on this
machine that answers at once. The yardstick is boto3 as it is installed, with one client and no call.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import MappingProxyType
from typing import Any, ClassVar
from zipfile import ZipFile

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.bench.functions import ENVIRONMENT, Orders, account, http_event, item_of, merchant, stream_event
from infra.bench.measurements import Measurement
from infra.packaging.build import package

RUNS = 9
ZIP_MEGABYTES_MAX = 14.5
ISSUER, AUDIENCE = "https://issuer.example/", "credits"

_CLOCKED = """
import importlib, io, json, sys, time
sys.path.insert(0, sys.argv[1])
event, *more = json.loads(sys.stdin.read())
class Context:
    aws_request_id = "8d3bf1f6-0000-4000-8000-000000000000"
    get_remaining_time_in_millis = staticmethod(lambda: 30_000)
written, sys.stdout = sys.stdout, io.StringIO()
started, started_cpu = time.perf_counter(), time.process_time()
if event is None:
    import boto3
    boto3.client("dynamodb")
    answer = None
else:
    module, _, function = sys.argv[2].rpartition(".")
    answer = getattr(importlib.import_module(module), function)(event, Context())
cpu, wall, modules = time.process_time() - started_cpu, time.perf_counter() - started, sorted(sys.modules)
started = time.perf_counter()
for another in more:
    getattr(importlib.import_module(module), function)(another, Context())
warm = (time.perf_counter() - started) / max(1, len(more))
try:
    kilobytes = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
except OSError:
    kilobytes = 0
print(json.dumps([cpu, wall, answer, modules, warm, kilobytes]), file=written)
"""


@dataclass(frozen=True, slots=True)
class First:
    """A function's first answer: its handler, the event, a text in the answer, and the goal for CPU and time.

    The goal is a multiple of what boto3's start takes.
    """

    handler: str
    event: Mapping[str, Any]
    answers: str
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process took for its first answer, in seconds, and the modules that it had loaded then.

    `warm` is the time of each later answer, `megabytes` the most memory that the process had.
    """

    cpu: float
    wall: float
    modules: tuple[str, ...] = ()
    warm: float = 0.0
    megabytes: float = 0.0

    def better(self, other: "Taken") -> "Taken":
        """Return the best times of both, and the most memory."""
        return Taken(
            cpu=min(self.cpu, other.cpu),
            wall=min(self.wall, other.wall),
            warm=min(self.warm, other.warm),
            megabytes=max(self.megabytes, other.megabytes),
        )


def package_measurements() -> list[Measurement]:
    """Return the size of the zip, and whether each module in it is compiled."""
    code = package("dev") / "deployment.zip"
    with ZipFile(code) as archive:
        names = set(archive.namelist())
    sources = [Path(name) for name in names if name.endswith(".py")]
    bare = [name for name in sources if str(name.parent / "__pycache__" / f"{name.stem}.cpython-311.pyc") not in names]
    return [
        Measurement("zip", code.stat().st_size / 1e6, "MB", ZIP_MEGABYTES_MAX),
        Measurement("sources in it without their .pyc", len(bare), "files", 0),
    ]


@contextmanager
def unpacked() -> Iterator[Path]:
    """Yield a folder with the unzipped package, which is there while the block runs."""
    with TemporaryDirectory() as folder:
        with ZipFile(package("dev") / "deployment.zip") as archive:
            archive.extractall(folder)
        yield Path(folder)


def first_answers() -> Mapping[str, First]:
    """Return the measured answers by name."""
    shop = merchant(1)
    status = "/api/v1/credits/plugin-status/{merchant_id}"
    account_route = "/api/v1/credits/accounts/{merchant_id}"
    opened = item_of(account(shop, balance=1000)[0])
    token = {"type": "TOKEN", "methodArn": "arn:aws:execute-api:eu-central-1:1:a/prod/GET/x"}
    return MappingProxyType(
        {
            "status": First(
                "chalicelib.api.door.serve", http_event(status, path={"merchant_id": shop}), "enabled", 0.9
            ),
            "authorizer": First(
                "chalicelib.handlers.authorize.authorize",
                {**token, "authorizationToken": f"Bearer {_Aws.token}"},
                "Allow",
                0.9,
            ),
            "ingest": First("chalicelib.handlers.ingest_events.ingest_events", Orders().batch(shop), "[]", 1.2),
            "account, from the API": First(
                "chalicelib.api.door.serve", http_event(account_route, path={"merchant_id": shop}), "1000"
            ),
            "widget, with the whole API": First("chalicelib.api.door.serve", http_event("/widget-1.js"), "javascript"),
            "threshold publisher": First(
                "chalicelib.handlers.stream_records.publish_threshold_events",
                stream_event([opened]),
                "[]",
                1.1,
            ),
        }
    )


def first_answer_measurements() -> list[Measurement]:
    """Return CPU and time of each function's first answer on the unzipped package, relative to boto3's start.

    All take turns, so that other load affects all of them; the best of nine counts.
    """
    installed = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    firsts = first_answers()
    best: dict[str, Taken] = {}
    with aws() as address, unpacked() as code:
        for _ in range(RUNS):
            turns = [("boto3", installed, None), *((name, code, first) for name, first in firsts.items())]
            for name, folder, first in turns:
                one = taken(folder, first, address)
                best[name] = one.better(best.get(name, one))
    yardstick = best["boto3"]
    figures = [
        Measurement("boto3 with one client, from a fresh process: CPU", yardstick.cpu * 1000, "ms"),
        Measurement("boto3 with one client, from a fresh process: time", yardstick.wall * 1000, "ms"),
    ]
    for name, first in firsts.items():
        figures += [
            Measurement(f"first answer, {name}: CPU", best[name].cpu / yardstick.cpu, "× boto3", first.goal),
            Measurement(f"first answer, {name}: time", best[name].wall / yardstick.wall, "× boto3", first.goal),
        ]
    return figures


def taken(
    code: Path, first: First | None, address: str, *, more: Sequence[Mapping[str, Any]] = (), before: Sequence[str] = ()
) -> Taken:
    """Return what a fresh process takes for a first answer and for `more`, or for boto3 with one client.

    The first answer is checked. The words `before` start the process.
    """
    handler, event = (first.handler, first.event) if first else ("", None)
    ran = subprocess.run(
        [*before, sys.executable, "-I", "-S", "-c", _CLOCKED, str(code), handler],
        env={**_environment(address), "PATH": os.environ.get("PATH", "")},
        input=json.dumps([event, *more]),
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    cpu, wall, answer, modules, warm, kilobytes = json.loads(ran.stdout.splitlines()[-1])
    assert first is None or first.answers in json.dumps(answer), answer
    return Taken(cpu, wall, tuple(modules), warm, kilobytes / 1024)


@contextmanager
def aws(away_seconds: float = 0.0) -> Iterator[str]:
    """Serve AWS's answers and the key set on this machine, so far away, while the block runs; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Away", (_Aws,), {"away_seconds": away_seconds}))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _environment(address: str) -> dict[str, str]:
    return {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": address,
        "AWS_LAMBDA_FUNCTION_NAME": "credits",
        "FIGURES_TABLE": "figures",
        "JWT_ALGORITHM": "RS256",
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_JWKS_URL": f"{address}/keys",
    }


class _Aws(BaseHTTPRequestHandler):
    """Answers reads with one account, writes with an empty answer, and `/keys` with the key set of `token`."""

    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece: the other end would wait 40 ms before it asks for the second.
    wbufsize = -1
    disable_nagle_algorithm = True
    away_seconds: ClassVar = 0.0
    _key: ClassVar = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token: ClassVar = jwt.encode(
        {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "bench",
            "scope": "credits:read",
            "exp": datetime.now(UTC) + timedelta(hours=4),
        },
        _key,
        algorithm="RS256",
        headers={"kid": "1"},
    )

    def do_GET(self) -> None:
        """Answer with the key set."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        self._answer({"keys": [{**key, "kid": "1", "use": "sig", "alg": "RS256"}]})

    def do_POST(self) -> None:
        """Answer a request of AWS's."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.away_seconds)
        opened = item_of(account(merchant(1), balance=1000)[0])
        answers: Mapping[str, Any] = {
            "GetItem": {"Item": opened},
            "BatchGetItem": {"Responses": {"credits": [opened]}, "UnprocessedKeys": {}},
        }
        self._answer(answers.get(self.headers["X-Amz-Target"].rpartition(".")[2], {}))

    def _answer(self, answer: Mapping[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write nothing."""

"""A proxy to the emulator on which a test causes faults: it can refuse, cut, slow down and count requests.

`AWS_ENDPOINT_URL` points to it; requests without a fault pass.
"""

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from tests.support.engines import LOOPBACK

TARGET = "X-Amz-Target"
FORWARD_SECONDS = 30.0


class Fault(StrEnum):
    """The fate of one request."""

    NONE = "none"
    REFUSED = "refused as a whole, without effect"
    THROTTLED = "throttled, without effect"
    IN_PART = "every second entry refused, the others taken"
    CUT_BEFORE = "connection cut before the effect"
    CUT_AFTER = "connection cut after the effect"
    FAILED_AFTER = "answered 500 after the effect"


@dataclass
class Road:
    """The proxy's address and its faults; `fault` decides the fate of an operation's request."""

    upstream: str
    fault: Callable[[str], Fault] = lambda _: Fault.NONE
    slow_seconds: float = 0.0
    url: str = ""
    passed: Counter[str] = field(default_factory=Counter)
    """Requests by operation."""
    broken: Counter[Fault] = field(default_factory=Counter)
    """Faults that happened."""
    lock: Lock = field(default_factory=Lock)


@contextmanager
def faulty_road(upstream: str) -> Iterator[Road]:
    """Yield a proxy to the emulator at `upstream`; it is closed with the context."""
    road = Road(upstream)
    server = ThreadingHTTPServer((LOOPBACK, 0), type("Handler", (_Handler,), {"road": road}))
    server.daemon_threads = True
    road.url = f"http://{LOOPBACK}:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield road
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    road: Road

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Log nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get(TARGET, "").rpartition(".")[2]
        with self.road.lock:
            fault = self.road.fault(operation)
            if fault is Fault.IN_PART and not operation.endswith("Batch"):
                fault = Fault.REFUSED
            self.road.passed[operation] += 1
            self.road.broken[fault] += 1
        time.sleep(self.road.slow_seconds)
        match fault:
            case Fault.CUT_BEFORE:
                self._cut()
            case Fault.REFUSED:
                self._refuse(503, "ServiceUnavailable")
            case Fault.THROTTLED:
                self._refuse(400, "ThrottlingException")
            case Fault.IN_PART:
                self._take_in_part(body)
            case Fault.NONE | Fault.CUT_AFTER | Fault.FAILED_AFTER:
                status, answer = self._forward(body)
                if fault is Fault.CUT_AFTER:
                    self._cut()
                elif fault is Fault.FAILED_AFTER:
                    self._refuse(500, "InternalError")
                else:
                    self._answer(status, answer)

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.road.upstream).netloc, timeout=FORWARD_SECONDS)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
        try:
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _take_in_part(self, body: bytes) -> None:
        request = json.loads(body)
        refused = [entry["Id"] for entry in request["Entries"][::2]]
        taken = request["Entries"][1::2]
        answer: dict[str, Any] = {"Successful": []}
        if taken:
            _, said = self._forward(json.dumps({**request, "Entries": taken}).encode())
            answer = json.loads(said)
        failed = [{"Id": each, "Code": "InternalError", "SenderFault": False, "Message": "later"} for each in refused]
        self._answer(200, json.dumps({**answer, "Failed": [*answer.get("Failed", []), *failed]}).encode())

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, json.dumps({"__type": code, "message": "as the test wants it"}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

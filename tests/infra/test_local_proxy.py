"""The API at a plain address: what passes, unchanged, and what the proxy says itself."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

from chalicelib.contracts.api.problem import Problem
from infra.local.engines import launch
from infra.local.proxy import BODY_BYTES
from tests.support.engines import LOOPBACK, clean_environment, free_port, stop

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "/_aws/execute-api/abc/dev"
KEYS = {"keys": [{"kid": "one"}]}


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; the status is the last part of the path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        seen = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
        content = json.dumps(seen | {"connection": self.client_address[1]}).encode()
        last = self.path.partition("?")[0].rpartition("/")[2]
        status = int(last) if last.isdigit() else 200
        bodiless = self.command == "HEAD" or status in {204, 304}
        self.send_response(status)
        self.send_header("ETag", '"v1"')
        self.send_header("Link", "</a>; rel=next")
        self.send_header("Link", "</b>; rel=last")
        self.send_header("WWW-Authenticate", "Bearer")
        if self.path.endswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (content[:10], content[10:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        if not bodiless or self.command == "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if bodiless else content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer((LOOPBACK, 0), Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def start_proxy(directory: Path, upstream_port: int) -> tuple[int, subprocess.Popen[bytes]]:
    keys = directory / "jwks.json"
    keys.write_text(json.dumps(KEYS))
    with socket.create_server((LOOPBACK, 0)) as listening:
        number, port = listening.fileno(), listening.getsockname()[1]
        address = f"http://{LOOPBACK}:{upstream_port}{PREFIX}"
        process = launch(
            [
                sys.executable,
                "-m",
                "infra.local.proxy",
                "--socket",
                str(number),
                "--upstream",
                address,
                "--keys",
                str(keys),
            ],
            log=directory / "proxy.log",
            environment=clean_environment({}),
            directory=ROOT,
            passed=[number],
        )
    return port, process


@pytest.fixture(scope="module")
def proxy(upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port, process = start_proxy(tmp_path_factory.mktemp("proxy"), upstream)
    yield port
    stop(process)


@pytest.fixture
def client(proxy: int) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection(LOOPBACK, proxy, timeout=60)) as connection:
        yield connection


def ask(
    client: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> tuple[http.client.HTTPResponse, bytes]:
    client.request(method, path, body, headers)
    answer = client.getresponse()
    return answer, answer.read()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_passes_below_the_stages_path(client: http.client.HTTPConnection, method: str) -> None:
    _, body = ask(client, method, "/api/v1/credits?page=2&a=%2F")
    seen = json.loads(body)
    assert (seen["method"], seen["path"]) == (method, f"{PREFIX}/api/v1/credits?page=2&a=%2F")


@pytest.mark.parametrize("status", [200, 201, 204, 304, 401, 404, 409, 422, 500, 503])
def test_every_status_passes(client: http.client.HTTPConnection, status: int) -> None:
    answer, body = ask(client, "GET", f"/status/{status}")
    assert answer.status == status
    assert bool(body) == (status not in {204, 304})


def test_headers_pass_in_both_directions_repeated_ones_too(client: http.client.HTTPConnection) -> None:
    answer, body = ask(
        client, "GET", "/", headers={"If-None-Match": '"v1"', "Authorization": "Bearer t", "Host": "shop.test"}
    )
    seen = {name.lower(): value for name, value in json.loads(body)["headers"].items()}
    assert (seen["if-none-match"], seen["authorization"], seen["host"]) == ('"v1"', "Bearer t", "shop.test")
    assert answer.headers["ETag"] == '"v1"'
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers.get_all("Link") == ["</a>; rel=next", "</b>; rel=last"]


def test_headers_of_one_connection_do_not_pass(client: http.client.HTTPConnection) -> None:
    _, body = ask(client, "GET", "/", headers={"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers"})
    seen = {name.lower() for name in json.loads(body)["headers"]}
    assert seen.isdisjoint({"x-hop", "te"})


def test_a_body_passes_whole(client: http.client.HTTPConnection) -> None:
    sent = b"x" * 300_000
    _, body = ask(client, "POST", "/", sent)
    assert json.loads(body)["body"].encode() == sent


def test_a_body_in_chunks_arrives_with_its_length(client: http.client.HTTPConnection) -> None:
    client.request("POST", "/", iter([b"one ", b"two"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    seen = json.loads(client.getresponse().read())
    assert (seen["body"], seen["headers"]["content-length"]) == ("one two", "7")


def test_an_answer_in_chunks_passes(client: http.client.HTTPConnection) -> None:
    _, body = ask(client, "GET", "/chunked")
    assert json.loads(body)["path"] == f"{PREFIX}/chunked"


def test_the_head_of_an_answer_passes_alone(client: http.client.HTTPConnection) -> None:
    answer, body = ask(client, "HEAD", "/")
    assert (answer.status, body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


def test_a_connection_is_kept_on_both_sides_and_nothing_is_held_back(client: http.client.HTTPConnection) -> None:
    used, seconds = set(), []
    for _ in range(20):
        started = time.monotonic()
        used.add(json.loads(ask(client, "POST", "/", b"body")[1])["connection"])
        seconds.append(time.monotonic() - started)
    assert len(used) == 1
    # Nagle's algorithm and delayed acknowledgements together would cost every request 40 ms; a busy machine, some.
    assert min(seconds) < 0.04


def test_the_public_key_is_served(client: http.client.HTTPConnection) -> None:
    answer, body = ask(client, "GET", "/.well-known/jwks.json")
    assert (answer.status, json.loads(body)) == (200, KEYS)


def test_a_body_beyond_what_the_gateway_takes_is_answered_413(client: http.client.HTTPConnection) -> None:
    answer, body = ask(client, "POST", "/", b"x" * (2 * BODY_BYTES))
    problem = Problem.model_validate_json(body)
    assert (answer.status, problem.error.code) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Correlation-ID"] == problem.meta.correlation_id
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert ask(client, "GET", "/")[0].status == 200


def test_a_client_that_waits_before_it_sends_its_body_is_asked_for_it(client: http.client.HTTPConnection) -> None:
    client.request("POST", "/", headers={"Content-Length": "4", "Expect": "100-continue"})
    client.sock.sendall(b"body")
    assert json.loads(client.getresponse().read())["body"] == "body"


def test_what_is_not_http_is_answered_400(proxy: int) -> None:
    with socket.create_connection((LOOPBACK, proxy), timeout=60) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_without_the_emulator_the_answer_is_503_as_the_gateways_would_be(tmp_path: Path) -> None:
    port, process = start_proxy(tmp_path, free_port())
    try:
        with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=60)) as connection:
            answer, body = ask(connection, "GET", "/")
            assert (answer.status, Problem.model_validate_json(body).status) == (503, 503)
            assert answer.headers["Retry-After"] == "1"
            assert ask(connection, "GET", "/.well-known/jwks.json")[0].status == 200
    finally:
        stop(process)

"""The API at a plain address: forwards every request to the emulator below the stage's path.

It serves three things itself that are not part of the API: the public key, the page to start from, and the demo shop.

Requests and answers pass unchanged except for the headers of a single connection. Each client connection has its own
connection to the emulator, both kept alive; asyncio sends at once (no Nagle delay). h11 parses HTTP.

    python -m infra.local.proxy --socket 5 --upstream http://127.0.0.1:4566/prefix --keys jwks.json --pages FOLDER
"""

import argparse
import asyncio
import json
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import h11

from chalicelib.contracts.api.problems import MEDIA_TYPE, Problem, Refusal
from chalicelib.domain.errors import Code
from chalicelib.domain.ids import instant

KEYS_PATH = b"/.well-known/jwks.json"
PAGE_FILES: Mapping[bytes, str] = {b"/": "start.html", b"/demo-shop": "demo-shop.html"}
"""The pages by path, as files of one folder."""
BODY_BYTES = 10 * 1024 * 1024
"""What API Gateway takes in one request; a longer body is answered 413."""
DISCARDED_BYTES = 100 * 1024 * 1024
"""How much of a longer body is still read: many clients read no answer before they have sent the body."""

CHUNK_BYTES = 64 * 1024
# Below the 75 seconds after which the emulator closes, so that a connection that is reused is open.
IDLE_SECONDS = 60.0
ANSWER_SECONDS = 60.0

Headers = list[tuple[bytes, bytes]]
Pages = Mapping[bytes, tuple[Headers, bytes]]
"""What the proxy serves itself: headers and content by path."""

_OF_ONE_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where the API is served: host, port and the path that comes before the request's own."""

    host: str
    port: int
    prefix: bytes

    @classmethod
    def from_url(cls, url: str) -> "Upstream":
        """Return the parts of `url`, which names host and port."""
        parts = urlsplit(url)
        return cls(host=parts.hostname or "", port=parts.port or 80, prefix=parts.path.rstrip("/").encode())


class BadGatewayError(Exception):
    """The emulator could not be reached, or closed the connection before its answer began."""


class BodyTooLargeError(Exception):
    """The request's body is longer than API Gateway takes."""


class Peer:
    """One side of a connection: bytes in and out on a socket, HTTP events in and out for the caller."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: type[h11.CLIENT | h11.SERVER]
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.http = h11.Connection(role)

    async def receive(self, timeout_seconds: float) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event; raises TimeoutError when the other side is silent for too long."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            data = await asyncio.wait_for(self.reader.read(CHUNK_BYTES), timeout_seconds)
            self.http.receive_data(data)
        return event

    async def send(self, *events: h11.Event) -> None:
        """Write `events` at once; returns when the socket has room for more."""
        data = b"".join(self.http.send(event) or b"" for event in events)
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        """Close the socket; nothing more is sent."""
        self.writer.close()


class Forwarder:
    """Serves one client's connection until one side closes it."""

    def __init__(self, client: Peer, upstream: Upstream, pages: Pages) -> None:
        self._client = client
        self._upstream = upstream
        self._pages = pages
        self._server: Peer | None = None
        self._method = b""

    async def serve(self) -> None:
        """Answer request after request; returns when the connection has ended."""
        try:
            while await self._serve_one():
                self._client.http.start_next_cycle()
        except h11.RemoteProtocolError:
            await self._refuse_nonsense()
        except (TimeoutError, ConnectionError):
            return
        finally:
            self._disconnect()
            self._client.close()

    async def _serve_one(self) -> bool:
        """Answer the next request; return whether the connection can take another one."""
        event = await self._client.receive(IDLE_SECONDS)
        if not isinstance(event, h11.Request):
            return False
        self._method = event.method
        try:
            body = await self._body()
            await self._answer(event, body)
        except BodyTooLargeError:
            await self._refuse(Problem(Refusal.PAYLOAD_TOO_LARGE, "The body is longer than 10 MiB."))
        except BadGatewayError:
            headers = {"retry-after": "1"}
            await self._refuse(Problem(Code.UNAVAILABLE, "The local AWS emulator did not answer.", headers=headers))
        return self._client.http.our_state is h11.DONE and self._client.http.their_state is h11.DONE

    async def _body(self) -> bytes:
        if self._client.http.they_are_waiting_for_100_continue:
            await self._client.send(h11.InformationalResponse(status_code=100, headers=[]))
        body, length = bytearray(), 0
        while isinstance(event := await self._client.receive(IDLE_SECONDS), h11.Data) and length <= DISCARDED_BYTES:
            length += len(event.data)
            if length <= BODY_BYTES:
                body += event.data
        if length > BODY_BYTES:
            raise BodyTooLargeError
        return bytes(body)

    async def _answer(self, request: h11.Request, body: bytes) -> None:
        page = self._pages.get(request.target.partition(b"?")[0])
        if page is not None:
            await self._reply(200, *page)
            return
        server = await self._connected()
        try:
            await server.send(self._rewritten(request, body), h11.Data(data=body), h11.EndOfMessage())
            response = await server.receive(ANSWER_SECONDS)
            while isinstance(response, h11.InformationalResponse):
                response = await server.receive(ANSWER_SECONDS)
        except (TimeoutError, ConnectionError, h11.RemoteProtocolError) as error:
            self._disconnect()
            raise BadGatewayError from error
        if not isinstance(response, h11.Response):
            self._disconnect()
            raise BadGatewayError
        await self._relay(server, response)

    def _rewritten(self, request: h11.Request, body: bytes) -> h11.Request:
        """Return `request` as sent to the emulator: below the stage's path, with the body's length."""
        headers = [pair for pair in _passed_on(request.headers) if pair[0] != b"content-length"]
        if body or any(name in {b"content-length", b"transfer-encoding"} for name, _ in request.headers):
            headers.append((b"content-length", str(len(body)).encode()))
        target = self._upstream.prefix + request.target if request.target.startswith(b"/") else request.target
        return h11.Request(method=request.method, target=target, headers=headers)

    async def _relay(self, server: Peer, response: h11.Response) -> None:
        """Forward the answer as it arrives."""
        head = h11.Response(
            status_code=response.status_code, headers=_passed_on(response.headers), reason=response.reason
        )
        pending: list[h11.Event] = [head]
        while isinstance(event := await server.receive(ANSWER_SECONDS), h11.Data):
            await self._client.send(*pending, h11.Data(data=event.data))
            pending = []
        await self._client.send(*pending, h11.EndOfMessage())
        if server.http.our_state is h11.DONE and server.http.their_state is h11.DONE:
            server.http.start_next_cycle()
        else:
            self._disconnect()

    async def _connected(self) -> Peer:
        """Return the connection to the emulator: the last request's if it is still open."""
        if self._server is not None and not self._server.reader.at_eof():
            return self._server
        self._disconnect()
        try:
            reader, writer = await asyncio.open_connection(self._upstream.host, self._upstream.port)
        except OSError as error:
            raise BadGatewayError from error
        self._server = Peer(reader, writer, h11.CLIENT)
        return self._server

    def _disconnect(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None

    async def _refuse_nonsense(self) -> None:
        """Answer 400 to a client that does not speak HTTP, where an answer is still possible."""
        if self._client.http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._refuse(Problem(Refusal.BAD_REQUEST, "This is not an HTTP request."))

    async def _refuse(self, problem: Problem) -> None:
        """Answer like the gateway, which knows neither the caller's correlation id nor the path."""
        request_id = str(uuid4())
        meta = {"request_id": request_id, "correlation_id": request_id, "timestamp": instant(datetime.now(UTC))}
        headers = {
            "content-type": MEDIA_TYPE,
            "cache-control": "no-store",
            "x-correlation-id": request_id,
            "access-control-allow-origin": "*",
            **problem.headers,
        }
        body = json.dumps(problem.body(instance=f"urn:uuid:{request_id}", meta=meta)).encode()
        await self._reply(problem.status, [(name.encode(), value.encode()) for name, value in headers.items()], body)

    async def _reply(self, status: int, headers: Headers, body: bytes) -> None:
        sized = [*headers, (b"content-length", str(len(body)).encode())]
        response = h11.Response(status_code=status, headers=sized, reason=HTTPStatus(status).phrase.encode())
        content = [] if self._method == b"HEAD" else [h11.Data(data=body)]
        await self._client.send(response, *content, h11.EndOfMessage())


def _passed_on(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Return `headers` without those that belong to one connection, or that its `Connection` header names."""
    named = {token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")}
    return [(name, value) for name, value in headers if name not in _OF_ONE_CONNECTION | named]


def own_pages(keys: Path, folder: Path | None) -> Pages:
    """Return what the proxy serves itself: the keys of this file, and the pages that the folder has."""
    pages: dict[bytes, tuple[Headers, bytes]] = {
        KEYS_PATH: (
            [(b"content-type", b"application/json"), (b"cache-control", b"public, max-age=60")],
            keys.read_bytes(),
        )
    }
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
    if folder is not None:
        pages |= {path: (headers, (folder / name).read_bytes()) for path, name in PAGE_FILES.items()}
    return pages


async def serve(listening: socket.socket, upstream: Upstream, pages: Pages) -> None:
    """Serve on `listening` until SIGTERM or SIGINT."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Forwarder(Peer(reader, writer, h11.SERVER), upstream, pages).serve()

    await asyncio.start_server(connected, sock=listening)
    await ending.wait()


def main() -> None:
    """Run the proxy with the command line's options; returns when it was asked to end."""
    parser = argparse.ArgumentParser(description="Serves the local API at a plain address.")
    parser.add_argument("--socket", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--upstream", required=True, help="address of the API in the emulator")
    parser.add_argument("--keys", type=Path, required=True, help="file with the JSON Web Key Set")
    parser.add_argument("--pages", type=Path, help="folder with the pages that are not part of the API")
    arguments = parser.parse_args()
    listening = socket.socket(fileno=arguments.socket)
    pages = own_pages(arguments.keys, arguments.pages)
    asyncio.run(serve(listening, Upstream.from_url(arguments.upstream), pages))


if __name__ == "__main__":
    main()

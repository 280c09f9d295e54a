"""`GET /health` and `GET /metrics`, on loopback by default, answered by the bridge's own event loop.

An answer therefore also shows that the loop is alive.
"""

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from infra.bridge.settings import SettingsError
from infra.bridge.telemetry import OUTCOMES, Direction, Telemetry

REQUEST_SECONDS: Final = 5.0
REQUEST_BYTES: Final = 8 * 1024

_JSON: Final = "application/json"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


async def serve_health(telemetry: Telemetry, host: str, port: int) -> asyncio.Server:
    """Return a server that answers on `port` of `host`; a taken port raises `SettingsError`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_SECONDS)
            writer.write(_response(request, telemetry))
            await asyncio.wait_for(writer.drain(), REQUEST_SECONDS)
        writer.close()

    try:
        return await asyncio.start_server(answer, host, port, limit=REQUEST_BYTES)
    except OSError as error:
        raise SettingsError(
            f"BRIDGE_HEALTH_PORT is {port}, which cannot be listened on: {error.strerror or error}."
        ) from error


def health(telemetry: Telemetry) -> dict[str, object]:
    """Return the state of each part with its age in seconds, of each stream, and the counters of both directions."""
    now, today = time.monotonic(), datetime.now(UTC)
    return {
        "status": "ok" if telemetry.healthy else "degraded",
        "parts": {
            part.value: {"ok": state.ok, "detail": state.detail, "for_seconds": round(now - state.since, 3)}
            for part, state in telemetry.parts.items()
        },
        "streams": {
            name: {
                "ok": state.ok,
                "detail": state.detail,
                "waiting": state.waiting,
                "oldest_seconds": round(state.age_seconds(today), 3),
                "dropped": state.dropped,
                "remade": state.remade,
            }
            for name, state in telemetry.look.streams.items()
        },
        "unowned": telemetry.look.unowned,
        "warnings": telemetry.look.warnings,
        "messages": {
            direction.value: {
                "in_flight": telemetry.in_flight(direction),
                **{outcome.value: telemetry.counted(direction, outcome) for outcome in OUTCOMES[direction]},
            }
            for direction in Direction
        },
    }


def _response(request: bytes, telemetry: Telemetry) -> bytes:
    method, _, rest = request.decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if path not in {"/health", "/metrics"}:
        return _http(HTTPStatus.NOT_FOUND, _JSON, b'{"error": "only /health and /metrics are served"}')
    if method != "GET":
        return _http(HTTPStatus.METHOD_NOT_ALLOWED, _JSON, b'{"error": "only GET is served"}')
    if path == "/metrics":
        return _http(HTTPStatus.OK, _PROMETHEUS, telemetry.exposition())
    status = HTTPStatus.OK if telemetry.healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return _http(status, _JSON, json.dumps(health(telemetry)).encode())


def _http(status: HTTPStatus, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

"""The health endpoint and the metrics, over a real socket."""

import asyncio
import json
import logging

import pytest

from infra.bridge.health import serve_health
from infra.bridge.reports import BatchReport
from infra.bridge.settings import LOOPBACK, SettingsError
from infra.bridge.telemetry import Direction, Outcome, Part, Telemetry
from tests.support.engines import free_port


def ask(telemetry: Telemetry, request: bytes) -> tuple[int, bytes]:
    """Return status and body of the answer to `request`."""

    async def exchange() -> bytes:
        port = free_port()
        async with await serve_health(telemetry, LOOPBACK, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
            return answer

    head, _, body = asyncio.run(exchange()).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def working() -> Telemetry:
    telemetry = Telemetry()
    for part in Part:
        telemetry.report(part, ok=True, detail="fine")
    return telemetry


def test_health_is_503_until_nats_and_its_streams_are_there_and_200_after() -> None:
    status, body = ask(Telemetry(), b"GET /health HTTP/1.1\r\n\r\n")
    assert (status, json.loads(body)["parts"]["nats"]["ok"]) == (503, False)
    assert ask(working(), b"GET /health HTTP/1.1\r\n\r\n")[0] == 200


@pytest.mark.parametrize("part", list(Part))
def test_health_is_503_when_any_part_fails_and_says_why(part: Part) -> None:
    telemetry = working()
    telemetry.report(part, ok=False, detail="it rains")
    status, body = ask(telemetry, b"GET /health HTTP/1.1\r\n\r\n")
    assert (status, json.loads(body)["parts"][part.value]["detail"]) == (503, "it rains")


def test_counters_stand_in_health_and_in_metrics() -> None:
    telemetry = working()
    telemetry.took_up(Direction.INBOUND, 5)
    telemetry.settled(Direction.INBOUND, 3, {Outcome.FORWARDED: 2, Outcome.PARKED: 1}, seconds=0.1)
    inbound = json.loads(ask(telemetry, b"GET /health HTTP/1.1\r\n\r\n")[1])["messages"]["inbound"]
    assert inbound == {"in_flight": 2, "forwarded": 2, "parked": 1, "retried": 0, "own": 0}
    _, text = ask(telemetry, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert b'credits_bridge_messages_total{direction="inbound",outcome="forwarded"} 2.0' in text
    assert b'credits_bridge_up{part="nats"} 1.0' in text


@pytest.mark.parametrize(
    ("request_line", "status"), [(b"GET / HTTP/1.1", 404), (b"POST /health HTTP/1.1", 405), (b"nonsense", 404)]
)
def test_anything_else_is_refused(request_line: bytes, status: int) -> None:
    assert ask(working(), request_line + b"\r\n\r\n")[0] == status


def test_a_taken_port_is_named() -> None:
    async def twice() -> None:
        port = free_port()
        async with await serve_health(Telemetry(), LOOPBACK, port):
            await serve_health(Telemetry(), LOOPBACK, port)

    with pytest.raises(SettingsError, match=r"^BRIDGE_HEALTH_PORT is "):
        asyncio.run(twice())


def test_a_report_reads_as_a_sentence_with_its_most_frequent_reasons() -> None:
    report = BatchReport()
    report.count(Outcome.FORWARDED)
    assert (str(report), report.level) == ("1 forwarded", logging.INFO)
    for number in range(5):
        report.count(Outcome.RETRIED, f"reason {number}")
    report.count(Outcome.RETRIED, "reason 4")
    assert report.level == logging.WARNING
    assert str(report) == "1 forwarded, 6 to be tried again (reason 4; reason 0; reason 1; and 2 more reasons)"

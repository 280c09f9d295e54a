"""Lanes: what bounds the work under way, and what a surprise does to them."""

import asyncio
import logging
from collections import Counter
from pathlib import Path

import pytest

from infra.bridge.connection import Link
from infra.bridge.lanes import LaneContext, OutboundLane, repeat
from infra.bridge.outbound import Publisher
from infra.bridge.queues import QueueUnavailableError, Received
from infra.bridge.reports import BatchReport
from infra.bridge.telemetry import Direction, Outcome, Part, Telemetry
from tests.support.bridge_fakes import FakePublish, FakeQueue, settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.bridge.settings.Settings.retry_delay", lambda *_, **__: 0.1)


class QueueWithoutEnd(FakeQueue):
    """An outbox that fails once and then always has another message."""

    def __init__(self) -> None:
        super().__init__()
        self.receives = 0
        self.recovered = asyncio.Event()

    async def receive(self) -> tuple[Received, ...]:
        self.receives += 1
        if self.receives == 1:
            raise QueueUnavailableError("Timeout", "no answer")
        if self.receives == 3:
            self.recovered.set()
        return (Received(identity=str(self.receives), receipt=str(self.receives), body="no json", receives=1),)


def lane_context() -> LaneContext:
    telemetry, known = Telemetry(), settings(BRIDGE_RETRY_SECONDS_MAX="1")
    return LaneContext(link=Link(known, telemetry), settings=known, telemetry=telemetry, over=asyncio.Event())


def test_a_step_that_fails_in_an_unforeseen_way_is_reported_and_the_lane_goes_on(
    caplog: pytest.LogCaptureFixture, short_pauses: None
) -> None:
    steps, written = 0, "jane.roe@example.com"

    async def run() -> None:
        around = lane_context()
        around.link.ready.set()

        async def step() -> bool:
            nonlocal steps
            steps += 1
            if steps == 1:
                raise ZeroDivisionError(written)
            around.over.set()
            return True

        await repeat(around, step, lambda: True)

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert steps == 2
    assert "ZeroDivisionError" in caplog.text
    assert "jane.roe" not in caplog.text


def test_nothing_is_received_while_nats_is_not_ready() -> None:
    async def run() -> int:
        around, queue = lane_context(), QueueWithoutEnd()
        lane = OutboundLane(around, queue, Publisher(queue, FakePublish(), around.settings))
        running = asyncio.create_task(lane.run())
        await asyncio.sleep(0.05)
        before = queue.receives
        around.over.set()
        await running
        return before + queue.receives

    assert asyncio.run(run()) == 0


def test_an_outage_of_the_queue_shows_in_the_health_and_passes(short_pauses: None) -> None:
    async def run() -> list[bool]:
        around, queue = lane_context(), QueueWithoutEnd()
        around.link.way_out.set()
        lane = OutboundLane(around, queue, Publisher(queue, FakePublish(), around.settings))
        running = asyncio.create_task(lane.run())
        await asyncio.sleep(0.05)
        states = [around.telemetry.parts[Part.OUTBOX].ok]
        await queue.recovered.wait()
        states.append(around.telemetry.parts[Part.OUTBOX].ok)
        around.over.set()
        await running
        return states

    assert asyncio.run(run()) == [False, True]


def test_work_is_counted_as_under_way_only_while_it_is_also_when_it_fails() -> None:
    async def run() -> tuple[int, int, int]:
        around = lane_context()
        during = -1

        async def work() -> BatchReport:
            nonlocal during
            during = around.telemetry.in_flight(Direction.INBOUND)
            return BatchReport(outcomes=Counter({Outcome.FORWARDED: 4}))

        async def broken() -> BatchReport:
            raise ZeroDivisionError

        await around.measured(Direction.INBOUND, 4, work())
        with pytest.raises(ZeroDivisionError):
            await around.measured(Direction.INBOUND, 4, broken())
        telemetry = around.telemetry
        return (
            during,
            telemetry.in_flight(Direction.INBOUND),
            telemetry.counted(Direction.INBOUND, Outcome.FORWARDED),
        )

    assert asyncio.run(run()) == (4, 0, 4)

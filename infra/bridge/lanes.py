"""Lanes: each repeats take, move, settle with one batch at a time, so their number bounds the messages under way."""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from infra.bridge.connection import Link
from infra.bridge.inbound import Forwarder
from infra.bridge.outbound import Publisher
from infra.bridge.queues import Queue, QueueError, Received
from infra.bridge.reports import BatchReport
from infra.bridge.settings import Settings
from infra.bridge.streams import CONSUMER
from infra.bridge.telemetry import Direction, Part, Telemetry

log = logging.getLogger(__name__)

FETCH_SECONDS: Final = 1.0
"""How long a lane waits for a first message; an idle lane notices the end within this time."""

EMPTY_SECONDS: Final = 0.1
"""The pause after an empty fetch, which JetStream returns when a request lapses early."""

PAUSE_SECONDS_MAX: Final = 10
"""The longest pause of a lane, so that it soon notices when the other side is back."""

WORKED: Final = "worked when last used"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneContext:
    """State that all lanes share; `over` is set when no new work may start."""

    link: Link
    settings: Settings
    telemetry: Telemetry
    over: asyncio.Event

    async def may_work(self, gate: asyncio.Event | None = None) -> bool:
        """Wait until NATS is ready (or `gate` is set, if given) and return True; return False when `over` is set."""
        gate = gate or self.link.ready
        if not (gate.is_set() or self.over.is_set()):
            await first_of(gate, self.over)
        return not self.over.is_set()

    async def pause(self, failures: int) -> None:
        """Wait longer with each failure in a row, or until `over` is set."""
        with suppress(TimeoutError):
            seconds = self.settings.retry_delay(failures, most=PAUSE_SECONDS_MAX)
            await asyncio.wait_for(self.over.wait(), seconds)

    async def measured(self, direction: Direction, messages: int, work: Awaitable[BatchReport]) -> BatchReport:
        """Do `work` on so many messages, counted as under way meanwhile, and return its report."""
        started = time.perf_counter()
        report = BatchReport()
        self.telemetry.took_up(direction, messages)
        try:
            report = await work
        finally:
            seconds = time.perf_counter() - started
            self.telemetry.settled(direction, messages, report.outcomes, seconds=seconds)
        return report


async def first_of(*events: asyncio.Event) -> None:
    """Return when one of `events` is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def repeat(
    context: LaneContext,
    step: Callable[[], Awaitable[bool]],
    wanted: Callable[[], bool],
    *,
    gate: asyncio.Event | None = None,
) -> None:
    """Repeat `step` until `over` is set or it is no longer `wanted`, with pauses while it reports failure.

    An unexpected failure of a step is logged and followed by a pause; its unsettled messages are redelivered, and a
    message that meets a bug does not stop the bridge.
    """
    failures = 0
    while await context.may_work(gate) and wanted():
        try:
            went_well = await step()
        except Exception as error:  # noqa: BLE001 - it is reported
            # The traceback without the exception's text, which may quote a message.
            frames = "".join(traceback.format_tb(error.__traceback__))
            name = type(error).__qualname__
            log.log(logging.ERROR, "bridge: a batch failed unexpectedly and will be redelivered: %s\n%s", name, frames)
            went_well = False
        failures = 0 if went_well else failures + 1
        if failures:
            await context.pause(failures)


class InboundLane:
    """Carries messages of one stream into the inbox."""

    def __init__(self, context: LaneContext, stream: str, forwarder: Forwarder) -> None:
        """Take messages from `stream` through its durable consumer and pass them to `forwarder`."""
        self._context = context
        self._stream = stream
        self._forwarder = forwarder
        self._subscription: JetStreamContext.PullSubscription | None = None

    async def run(self) -> None:
        """Work until `over` is set or the stream is no longer ours; on return every message taken is settled."""
        await repeat(self._context, self._step, lambda: self._stream in self._context.link.streams)
        await self._give_back()

    async def _step(self) -> bool:
        """Fetch and forward one batch; return whether NATS and the queue could both be reached."""
        link = self._context.link
        try:
            if self._subscription is None:
                self._subscription = await link.jetstream.pull_subscribe_bind(CONSUMER, self._stream)
            deliveries = await self._subscription.fetch(self._context.settings.batch, timeout=FETCH_SECONDS)
        except TimeoutError:
            return True
        except nats.errors.Error as error:
            log.warning("%s → inbox: cannot fetch: %s", self._stream, error)
            link.doubt()
            return False
        if not deliveries:
            await asyncio.sleep(EMPTY_SECONDS)
            return True
        return await self._forward(deliveries)

    async def _forward(self, deliveries: list[Msg]) -> bool:
        work = self._forwarder.forward(deliveries)
        try:
            report = await self._context.measured(Direction.INBOUND, len(deliveries), work)
        except nats.errors.Error as error:
            # Acknowledgements could not even be buffered: JetStream redelivers the batch.
            log.warning("%s → inbox: %d unsettled, to be redelivered: %s", self._stream, len(deliveries), error)
            self._context.link.doubt()
            return False
        log.log(report.level, "%s → inbox: %s", self._stream, report)
        ok = report.unavailable is None
        self._context.telemetry.report(Part.INBOX, ok=ok, detail=report.unavailable or WORKED)
        return ok

    async def _give_back(self) -> None:
        """Ask JetStream to redeliver messages that reached this process and were not processed."""
        if self._subscription is None:
            return
        with suppress(nats.errors.Error, TimeoutError):
            waiting = self._subscription.pending_msgs
            if waiting:
                for delivery in await self._subscription.fetch(waiting, timeout=EMPTY_SECONDS):
                    await delivery.nak()
            await self._subscription.unsubscribe()


class OutboundLane:
    """Carries events of the outbox onto NATS.

    Nothing is received while NATS or the stream of events is unavailable: each receive would count towards the
    dead-letter queue.
    """

    def __init__(self, context: LaneContext, queue: Queue, publisher: Publisher) -> None:
        """Take from `queue` and hand to `publisher`."""
        self._context = context
        self._queue = queue
        self._publisher = publisher

    async def run(self) -> None:
        """Work until `over` is set; on return every message taken is settled."""
        await repeat(self._context, self._step, lambda: True, gate=self._context.link.way_out)

    async def _step(self) -> bool:
        """Receive and publish one batch; return whether the queue and NATS could both be reached."""
        telemetry = self._context.telemetry
        try:
            messages = await self._queue.receive()
            reached = await self._publish(messages) if messages else True
        except QueueError as error:
            if telemetry.report(Part.OUTBOX, ok=False, detail=str(error)):
                log.warning("outbox → nats: the queue is unavailable: %s", error)
            return False
        if telemetry.report(Part.OUTBOX, ok=True, detail=WORKED):
            log.info("outbox → nats: the queue is back")
        if not reached:
            self._context.link.doubt()
        return reached

    async def _publish(self, messages: tuple[Received, ...]) -> bool:
        work = self._publisher.publish(messages)
        report = await self._context.measured(Direction.OUTBOUND, len(messages), work)
        log.log(report.level, "outbox → nats: %s", report)
        return report.unavailable is None


async def lanes_for_streams(context: LaneContext, tasks: asyncio.TaskGroup, forwarder: Callable[[], Forwarder]) -> None:
    """Start the inbound lanes of every new stream, until `over` is set; those of a lost stream end."""
    served: frozenset[str] = frozenset()
    while await context.may_work():
        present = frozenset(context.link.streams)
        for stream in present - served:
            for _ in range(context.settings.lanes):
                tasks.create_task(InboundLane(context, stream, forwarder()).run())
        served = present
        with suppress(TimeoutError):
            await asyncio.wait_for(context.over.wait(), FETCH_SECONDS)

"""`python -m infra.bridge`: run the bridge until SIGTERM or SIGINT, then drain it.

Exit status: 0 after a clean drain, 1 when work was still under way after `BRIDGE_DRAIN_SECONDS`
(it is redelivered), 2 for a setting that is missing or wrong.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from infra.bridge.connection import Link
from infra.bridge.health import serve_health
from infra.bridge.heartbeat import Heart, keep_beating
from infra.bridge.inbound import Forwarder
from infra.bridge.lanes import LaneContext, OutboundLane, first_of, lanes_for_streams
from infra.bridge.outbound import Publisher
from infra.bridge.queues import SqsQueue
from infra.bridge.settings import Settings, SettingsError
from infra.bridge.telemetry import Telemetry

log = logging.getLogger("infra.bridge")

DRAINED = 0
UNFINISHED = 1
BAD_SETTINGS = 2

HEARTBEATS = 1
"""One thread for the heartbeat alone."""
STREAMS_SERVED = 4
"""Streams whose lanes have a thread each; two are usual, and lanes of further ones wait for a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The queues that the bridge works with; without `letters`, parked messages are in NATS alone."""

    inbox: SqsQueue
    outbox: SqsQueue
    letters: SqsQueue | None


def main() -> int:
    """Run the bridge on the environment's settings and return the exit status."""
    try:
        settings = Settings.from_environment(os.environ)
        _log_to_standard_error(settings.log_level)
        return asyncio.run(run(settings, Telemetry()))
    except SettingsError as error:
        sys.stderr.write(f"bridge: {error}\n")
        return BAD_SETTINGS


async def run(settings: Settings, telemetry: Telemetry) -> int:
    """Carry messages both ways until a signal ends the process; return the exit status."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = await serve_health(telemetry, settings.health_host, settings.health_port)
    log.info("bridge: started; health at http://%s:%d/health", settings.health_host, settings.health_port)
    work = asyncio.create_task(_work(settings, telemetry, stopping))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
    if stopping.is_set():
        log.info("bridge: draining for at most %d s", settings.drain_seconds)
        await asyncio.wait((work,), timeout=settings.drain_seconds)
    server.close()
    if not work.done():
        log.warning("bridge: ended with work under way, which will be redelivered")
        return UNFINISHED
    await work
    log.info("bridge: drained")
    return DRAINED


async def _work(settings: Settings, telemetry: Telemetry, stopping: asyncio.Event) -> None:
    """Serve one connection to NATS after another: the client closes one for good when the server asks it to."""
    # Every lane has at most one request to SQS under way, so none waits for a thread.
    threads = settings.lanes * STREAMS_SERVED + settings.outbox_lanes
    executor = ThreadPoolExecutor(threads + HEARTBEATS, thread_name_prefix="sqs")
    inbox, outbox = (
        SqsQueue(url, executor=executor, connections=connections, poll_seconds=poll_seconds)
        for url, connections, poll_seconds in (
            (settings.inbox_queue_url, threads, 0),
            (settings.outbox_queue_url, settings.outbox_lanes, settings.poll_seconds),
        )
    )
    letters: SqsQueue | None = None
    if settings.dead_letter_queue_url is not None:
        letters = SqsQueue(settings.dead_letter_queue_url, executor=executor, connections=threads, poll_seconds=0)
    beating: asyncio.Task[None] | None = None
    if settings.figures_table is not None:
        heart = Heart(settings.figures_table, telemetry)
        await asyncio.get_running_loop().run_in_executor(executor, heart.recall)
        beating = asyncio.create_task(keep_beating(heart, executor, stopping))
    try:
        while not stopping.is_set():
            await _serve(settings, telemetry, stopping, Queues(inbox=inbox, outbox=outbox, letters=letters))
    finally:
        if beating is not None:
            beating.cancel()
        executor.shutdown(wait=False, cancel_futures=True)


async def _serve(settings: Settings, telemetry: Telemetry, stopping: asyncio.Event, queues: Queues) -> None:
    """Carry messages over one connection until it is closed for good or the process is to end."""
    link = Link(settings, telemetry)
    if not await _connected(link, stopping):
        return
    over = asyncio.Event()
    context = LaneContext(link=link, settings=settings, telemetry=telemetry, over=over)

    def forwarder() -> Forwarder:
        return Forwarder(
            queues.inbox, link.publish, settings, largest_payload=link.largest_payload, letters=queues.letters
        )

    try:
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(link.keep())
            tasks.create_task(lanes_for_streams(context, tasks, forwarder))
            for _ in range(settings.outbox_lanes):
                publisher = Publisher(queues.outbox, link.publish, settings)
                tasks.create_task(OutboundLane(context, queues.outbox, publisher).run())
            await first_of(stopping, link.closed)
            over.set()
            keeper.cancel()
    finally:
        await link.close()


async def _connected(link: Link, stopping: asyncio.Event) -> bool:
    """Connect and return True, or False when the process is to end before NATS is there."""
    connect = asyncio.create_task(link.connect())
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait((connect, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if connect.done():
        await connect
        return True
    connect.cancel()
    return False


def _log_to_standard_error(level: str) -> None:
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    # The libraries log at every attempt what the bridge logs once.
    for name in ("botocore", "urllib3", "nats", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m infra.bridge", description=__doc__).parse_args()
    status = main()
    logging.shutdown()
    if status == UNFINISHED:
        # A request to SQS that hangs in its thread would keep the interpreter alive after the time to drain.
        os._exit(status)
    sys.exit(status)

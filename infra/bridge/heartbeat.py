"""The bridge's heartbeat: an item of the figures table with the time and the bridge's state at its last beat.

`/metrics` reports its age (`credits_bridge_heartbeat_age_seconds`). Several bridges share it: the last writer wins.
It also holds the last known state of each stream, so that a new bridge knows where the previous one stopped: a consumer
that was deleted meanwhile is made again to start there.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.bridge.states import StreamState
from infra.bridge.telemetry import Telemetry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

log = logging.getLogger("infra.bridge")

BEAT_SECONDS: Final = 10
REQUEST_SECONDS: Final = 3
KEY: Final = "heartbeat#bridge"
"""The item's key, as `chalicelib.adapters.dynamodb.fleet` reads it."""


class Heart:
    """Writes the heartbeat. A failed write stops nothing: its growing age shows the failure."""

    def __init__(self, table: str, telemetry: Telemetry, *, client: "DynamoDBClient | None" = None) -> None:
        """Beat into `table`, with the environment's credentials unless there is a `client`."""
        self._table = table
        self._telemetry = telemetry
        self._client = client or boto3.client(
            "dynamodb",
            config=Config(
                connect_timeout=REQUEST_SECONDS, read_timeout=REQUEST_SECONDS, retries={"total_max_attempts": 1}
            ),
        )
        self._failing = False

    def beat(self, now: datetime) -> bool:
        """Write that the bridge is alive and whether all its parts work; return whether the write succeeded."""
        status = "ok" if self._telemetry.healthy else "degraded"
        seen = self._telemetry.look
        look = {
            "streams": [state.kept() for state in (self._telemetry.streams or {}).values()],
            "unowned": seen.unowned,
            "warnings": seen.warnings,
        }
        item = {"id": KEY, "at": now.isoformat(timespec="milliseconds"), "status": status, "look": json.dumps(look)}
        try:
            self._client.put_item(TableName=self._table, Item={name: {"S": text} for name, text in item.items()})
        except (ClientError, BotoCoreError) as error:
            if not self._failing:
                log.warning("bridge: the heartbeat is not written: %s", error)
            self._failing = True
            return False
        if self._failing:
            log.info("bridge: the heartbeat is written again")
        self._failing = False
        return True

    def recall(self) -> None:
        """Load the streams' states from the last heartbeat; without a readable one, none is known."""
        try:
            item = self._client.get_item(TableName=self._table, Key={"id": {"S": KEY}}, ConsistentRead=True).get("Item")
            look = json.loads(item["look"]["S"]) if item and "look" in item else {"streams": []}
            states = [StreamState.recalled(kept) for kept in look["streams"]]
        except (ClientError, BotoCoreError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("bridge: the last heartbeat cannot be read: %s", error)
            return
        if states:
            self._telemetry.streams = {state.name: state for state in states}


async def keep_beating(
    heart: Heart,
    executor: Executor,
    stopping: asyncio.Event,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause_seconds: float = BEAT_SECONDS,
) -> None:
    """Beat at once and every `pause_seconds` until `stopping` is set."""
    while not stopping.is_set():
        await asyncio.get_running_loop().run_in_executor(executor, heart.beat, clock())
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause_seconds)

"""The components that the service depends on, each checked once, in parallel, within a few seconds.

The checks need only rights that the API has anyway: they read a missing key, ping Redis and read the heartbeat.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.desk import WAITING
from chalicelib.adapters.dynamodb.fleet import HEARTBEAT, BridgeView
from chalicelib.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.adapters.redis.statuses import RedisStatuses

HEARTBEAT_SECONDS_MAX = 60
"""How old the bridge's last heartbeat may be; it beats every ten seconds."""
ABSENT = "health"
"""A key that no table holds: no merchant, transaction or link has an id of this form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentState:
    """A component's state: `healthy` is None where it is unknown. `seconds` is the duration of the check."""

    healthy: bool | None
    seconds: float
    detail: str | None = None


Check = Callable[[], tuple[bool | None, str | None]]
"""Checks one component, and returns whether it works and a detail."""


class Components:
    """Checks the tables, the bridge's heartbeat, and the shared cache where there is one."""

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        credits_table: str,
        transactions_table: str,
        figures_table: str,
        links_table: str,
        desk_table: str,
        shared: "RedisStatuses | None" = None,
    ) -> None:
        self._client = client
        self._figures_table = figures_table
        self._shared = shared
        self._checks: dict[str, Check] = {
            "credits": lambda: self._table(credits_table, merchant_id=ABSENT),
            "transactions": lambda: self._table(transactions_table, transaction_id=ABSENT),
            "figures": lambda: self._table(figures_table, id=ABSENT),
            "links": lambda: self._table(links_table, name=ABSENT),
            # A topic that the API's role may read; it may not read them all.
            "desk": lambda: self._table(desk_table, topic=WAITING, place=ABSENT),
            "bridge": self._bridge,
        }
        if shared is not None:
            self._checks["shared_cache"] = self._cache

    def states(self) -> Mapping[str, ComponentState]:
        """Return each component's state, checked now."""
        with ThreadPoolExecutor(len(self._checks)) as pool:
            checks = {name: pool.submit(_state, name, check) for name, check in self._checks.items()}
            return {name: work.result() for name, work in checks.items()}

    def _table(self, table: str, **key: str) -> tuple[bool, None]:
        self._client.get_item(TableName=table, Key={name: {"S": text} for name, text in key.items()})
        return True, None

    def _bridge(self) -> tuple[bool | None, str | None]:
        item = self._client.get_item(TableName=self._figures_table, Key={"id": {"S": HEARTBEAT}}).get("Item")
        if item is None:
            return None, "No heartbeat was ever seen."
        seconds = round((datetime.now(UTC) - datetime.fromisoformat(item["at"]["S"])).total_seconds())
        if seconds > HEARTBEAT_SECONDS_MAX:
            return False, f"The last heartbeat is {seconds} s old."
        if item["status"]["S"] != "ok":
            failing = ", ".join(stream.name for stream in BridgeView.of(item).streams if not stream.ok)
            return False, f"The bridge cannot read {failing}." if failing else "A part of the bridge does not work."
        return True, None

    def _cache(self) -> tuple[bool, str | None]:
        healthy = self._shared is not None and self._shared.alive()
        return healthy, None if healthy else "It does not answer in time; statuses come from memory and the table."


def _state(name: str, check: Check) -> ComponentState:
    started = time.perf_counter()
    try:
        healthy, detail = check()
    except (ClientError, BotoCoreError) as error:
        # The exact error may name a table or an address, so only the log has it.
        logger.warning("a component fails", component=name, exc_info=error)
        healthy, detail = False, "It does not answer."
    return ComponentState(healthy=healthy, seconds=time.perf_counter() - started, detail=detail)

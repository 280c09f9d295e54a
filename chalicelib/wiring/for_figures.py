"""Builds what keeps and reads the figures, once a container and on first use; and lays the counters down.

Apart from `for_posting` and `for_api`, because every function has counters and few have figures.
"""

import time
from functools import cache
from typing import TYPE_CHECKING

from chalicelib import telemetry
from chalicelib.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.adapters.components import Components
    from chalicelib.adapters.dynamodb.bookmarks import Bookmarks
    from chalicelib.adapters.dynamodb.container_counters import ContainerCounters
    from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
    from chalicelib.adapters.dynamodb.fleet import FleetReader
    from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
    from chalicelib.adapters.dynamodb.recent_events import RecentEvents

LAY_DOWN_SECONDS = 10.0
"""How often a container overwrites its counters at the most."""
COUNTERS_SECONDS = 0.25
"""How long that may take: a call waits for it, and the next one makes good for what did not work."""
PRESSING_TRIES = 2
"""How often what must not wait for the next call is tried."""


@cache
def figures() -> "DynamoDBFigures":
    """Return the fleet's figures, for the function that counts."""
    from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
    from chalicelib.wiring.for_posting import dynamodb

    return DynamoDBFigures(dynamodb(), table=settings().required("FIGURES_TABLE"))


@cache
def fleet() -> "FleetReader":
    """Return the reader of everything that /metrics says."""
    from chalicelib.adapters.dynamodb.fleet import FleetReader

    return FleetReader(
        _client(connect_seconds=1.0, read_seconds=2.0, tries=2),
        figures_table=settings().required("FIGURES_TABLE"),
        credits_table=settings().required("CREDITS_TABLE"),
    )


@cache
def components() -> "Components":
    """Return the components that the service rests on, to be asked how they do."""
    from chalicelib.adapters.components import Components
    from chalicelib.wiring.for_api import shared_statuses

    return Components(
        _client(connect_seconds=1.0, read_seconds=2.0, tries=1),
        credits_table=settings().required("CREDITS_TABLE"),
        transactions_table=settings().required("TRANSACTIONS_TABLE"),
        figures_table=settings().required("FIGURES_TABLE"),
        shared=shared_statuses(),
    )


@cache
def ledger_reader() -> "DynamoDBLedgerReader":
    """Return the reader of the whole ledger, for the function that checks it."""
    from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader

    return DynamoDBLedgerReader(
        # A request that hangs still ends inside what the sweep leaves of its call.
        _client(connect_seconds=1.0, read_seconds=4.0, tries=2),
        credits_table=settings().required("CREDITS_TABLE"),
        transactions_table=settings().required("TRANSACTIONS_TABLE"),
    )


@cache
def bookmarks() -> "Bookmarks":
    """Return where the function that checks the ledger keeps how far it has come."""
    from chalicelib.adapters.dynamodb.bookmarks import Bookmarks
    from chalicelib.wiring.for_posting import dynamodb

    return Bookmarks(dynamodb(), table=settings().required("FIGURES_TABLE"))


@cache
def recent_events() -> "RecentEvents":
    """Return the latest threshold events of the fleet."""
    from chalicelib.adapters.dynamodb.recent_events import RecentEvents

    client = _client(connect_seconds=0.5, read_seconds=1.0, tries=1)
    return RecentEvents(client, table=settings().required("FIGURES_TABLE"))


@cache
def container_counters() -> "ContainerCounters":
    """Return where this container lays its counters down."""
    from chalicelib.adapters.dynamodb.container_counters import ContainerCounters

    client = _client(connect_seconds=COUNTERS_SECONDS, read_seconds=COUNTERS_SECONDS, tries=1)
    return ContainerCounters(client, table=settings().required("FIGURES_TABLE"))


class _LaidDown:
    """When this container's counters were laid down last, in seconds of the monotonic clock."""

    at = float("-inf")


def lay_counters_down(*, now: float | None = None) -> None:
    """Let the figures table have this container's counters, unless it had them less than ten seconds ago.

    Called at the end of every call. What is pressing goes at once, with a second try. Nothing that goes wrong here
    fails the call: it is logged, and made good for.
    """
    moment = time.monotonic() if now is None else now
    counters = telemetry.counters
    if not counters.pressing and moment - _LaidDown.at < LAY_DOWN_SECONDS:
        return
    _LaidDown.at = moment
    for _ in range(PRESSING_TRIES if counters.pressing else 1):
        try:
            telemetry.say_counted()
            if settings().figures_table and (values := counters.values()):
                container_counters().lay_down(values)
        except Exception:  # noqa: BLE001 - a counter must never cost an answer; it is reported
            telemetry.logger.warning("counters not laid down", exc_info=True)
        else:
            counters.pressing = False
            return


def _client(*, connect_seconds: float, read_seconds: float, tries: int) -> "DynamoDBClient":
    from chalicelib.adapters import sdk
    from chalicelib.wiring.for_api import client_config

    config = client_config(connect_seconds=connect_seconds, read_seconds=read_seconds, tries=tries)
    client: DynamoDBClient = sdk.client("dynamodb", config)
    return client

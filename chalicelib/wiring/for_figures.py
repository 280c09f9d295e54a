"""Builds what the figures table and the readers of the whole ledger need, once a container and on first use.

Apart from `for_posting` and `for_api`, because every function has counters and few have figures.
"""

from functools import cache
from typing import TYPE_CHECKING

from chalicelib import telemetry
from chalicelib.settings import settings
from chalicelib.telemetry import CounterWriter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.adapters.dynamodb.bookmarks import Bookmarks, DueMarks
    from chalicelib.adapters.dynamodb.container_counters import ContainerCounters
    from chalicelib.adapters.dynamodb.discarded import DiscardedLetters
    from chalicelib.adapters.dynamodb.due_list import DynamoDBDueList, Pending
    from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
    from chalicelib.adapters.dynamodb.fleet import FleetReader
    from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
    from chalicelib.adapters.dynamodb.month_ends import FleetDays, MonthEnds
    from chalicelib.adapters.dynamodb.recent_events import RecentEvents

COUNTERS_SECONDS = 0.25
"""How long writing counters may take: a call waits for it, and the next one writes what failed."""


@cache
def figures() -> "DynamoDBFigures":
    """Return the fleet's figures, for the function that counts."""
    from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
    from chalicelib.wiring.for_posting import dynamodb

    return DynamoDBFigures(dynamodb(), table=settings().tables.figures)


@cache
def fleet() -> "FleetReader":
    """Return the reader of everything in /metrics."""
    from chalicelib.adapters.dynamodb.fleet import FleetReader

    tables = settings().tables
    return FleetReader(_client(), figures_table=tables.figures, credits_table=tables.credits)


@cache
def pending() -> "Pending":
    """Return what is due and not posted yet, for readers."""
    from chalicelib.adapters.dynamodb.due_list import Pending

    return Pending(_client(), credits_table=settings().tables.credits)


@cache
def ledger_reader() -> "DynamoDBLedgerReader":
    """Return the reader of the whole ledger, for the function that checks it."""
    from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader

    return DynamoDBLedgerReader(
        # A request that hangs must end within the time that the sweep reserves.
        _client(read_seconds=4.0),
        credits_table=settings().tables.credits,
        transactions_table=settings().tables.transactions,
    )


@cache
def bookmarks() -> "Bookmarks":
    """Return the bookmark of the function that checks the ledger."""
    from chalicelib.adapters.dynamodb.bookmarks import Bookmarks
    from chalicelib.wiring.for_posting import dynamodb

    return Bookmarks(dynamodb(), table=settings().tables.figures)


@cache
def due_list() -> "DynamoDBDueList":
    """Return which accounts fall due when, for the function that posts it."""
    from chalicelib.adapters.dynamodb.due_list import DynamoDBDueList

    return DynamoDBDueList(_client(read_seconds=4.0), credits_table=settings().tables.credits)


@cache
def due_marks() -> "DueMarks":
    """Return how far what is due has been posted."""
    from chalicelib.adapters.dynamodb.bookmarks import DueMarks
    from chalicelib.wiring.for_posting import dynamodb

    return DueMarks(dynamodb(), table=settings().tables.figures)


@cache
def recent_events() -> "RecentEvents":
    """Return the latest threshold events of the fleet."""
    from chalicelib.adapters.dynamodb.recent_events import RecentEvents

    client = _client(connect_seconds=0.5, read_seconds=1.0, tries=1)
    return RecentEvents(client, table=settings().tables.figures)


@cache
def month_ends() -> "MonthEnds | None":
    """Return the figures of accounts at the ends of their months, None where no table is set."""
    table = settings().tables.figures_if_set
    if not table:
        return None
    from chalicelib.adapters.dynamodb.month_ends import MonthEnds

    return MonthEnds(_client(), table=table)


@cache
def discarded_letters() -> "DiscardedLetters":
    """Return where letters that were discarded are kept."""
    from chalicelib.adapters.dynamodb.discarded import DiscardedLetters

    return DiscardedLetters(_client(), table=settings().tables.figures)


@cache
def container_counters() -> "ContainerCounters | None":
    """Return where this container saves its counters, None where no table is set."""
    table = settings().tables.figures_if_set
    if not table:
        return None
    from chalicelib.adapters.dynamodb.container_counters import ContainerCounters

    client = _client(connect_seconds=COUNTERS_SECONDS, read_seconds=COUNTERS_SECONDS, tries=1)
    return ContainerCounters(client, table=table)


@cache
def fleet_days() -> "FleetDays | None":
    """Return the fleet's figures at the ends of its days, None where no table is set."""
    table = settings().tables.figures_if_set
    if not table:
        return None
    from chalicelib.adapters.dynamodb.month_ends import FleetDays

    return FleetDays(_client(), table=table)


@cache
def counter_writer() -> CounterWriter:
    """Return what writes this container's counters at the end of a call."""
    return CounterWriter(telemetry.counters, container_counters)


def _client(*, connect_seconds: float = 1.0, read_seconds: float = 2.0, tries: int = 2) -> "DynamoDBClient":
    from chalicelib.adapters import sdk

    config = sdk.client_config(connect_seconds=connect_seconds, read_seconds=read_seconds, tries=tries)
    client: DynamoDBClient = sdk.client("dynamodb", config)
    return client

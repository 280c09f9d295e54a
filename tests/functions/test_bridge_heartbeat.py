"""The bridge's heartbeat: written at once and again, with how well it goes, and never in anybody's way."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.dynamodb.fleet import HEARTBEAT, BridgeView, FleetReader, StreamMark
from infra.bridge.heartbeat import KEY, Heart, keep_beating
from infra.bridge.states import StreamState
from infra.bridge.telemetry import Part, Telemetry
from tests.support.bridge_fakes import settings
from tests.support.figures_tables import FiguresTable, table_in_process
from tests.support.heartbeats import beat

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def table() -> Iterator[FiguresTable]:
    with table_in_process() as found:
        yield found


def heart(table: FiguresTable, telemetry: Telemetry | None = None, *, name: str | None = None) -> Heart:
    return Heart(name or table.name, telemetry or Telemetry(), client=table.client)


def test_a_beat_is_found_by_the_metrics(table: FiguresTable) -> None:
    assert heart(table).beat(NOON)

    reader = FleetReader(table.client, figures_table=table.name, credits_table="credits")
    assert reader.marks().heartbeat == NOON
    assert KEY == HEARTBEAT


def test_a_beat_says_how_well_the_parts_do(table: FiguresTable) -> None:
    telemetry = Telemetry()
    heart(table, telemetry).beat(NOON)
    assert table.item(KEY)["status"] == {"S": "degraded"}
    for part in Part:
        telemetry.report(part, ok=True, detail="fine")

    heart(table, telemetry).beat(NOON + timedelta(seconds=10))

    assert table.item(KEY)["status"] == {"S": "ok"}


SHOPIFY = StreamState(
    name="SHOPIFY",
    detail="its consumer is paused until 2030-01-01T00:00:00Z",
    created="2025-01-01T00:00:00Z",
    waiting=3,
    unread=2,
    oldest_at=NOON - timedelta(minutes=7),
    first=5,
    last=9,
    floor=6,
    dropped=4,
    dropped_at=NOON - timedelta(minutes=2),
    remade=1,
    existed=True,
)


def test_a_beat_says_what_was_seen_of_each_stream(table: FiguresTable) -> None:
    beat(table, NOON, SHOPIFY, unowned=("evt.order.updated",), warnings=("a warning",))

    seen = FleetReader(table.client, figures_table=table.name, credits_table="credits").marks().bridge

    assert (seen.unowned, seen.warnings) == (("evt.order.updated",), ("a warning",))
    assert seen.streams == (
        StreamMark(
            name="SHOPIFY",
            ok=False,
            detail=SHOPIFY.detail,
            waiting=3,
            oldest_at=SHOPIFY.oldest_at,
            dropped=4,
            dropped_at=SHOPIFY.dropped_at,
        ),
    )
    assert table.item(KEY)["status"] == {"S": "degraded"}


def test_a_bridge_that_starts_knows_where_the_last_one_was(table: FiguresTable) -> None:
    beat(table, NOON, SHOPIFY)
    telemetry = Telemetry()

    heart(table, telemetry).recall()

    assert telemetry.streams == {"SHOPIFY": replace(SHOPIFY, detail="not seen since the bridge started")}
    heart(table, telemetry).beat(NOON + timedelta(seconds=1))
    again = Telemetry()
    heart(table, again).recall()
    assert again.streams == telemetry.streams, "what is not looked at yet is not forgotten"


@pytest.mark.parametrize("look", [None, "no JSON", '{"streams": [{"is": "new"}]}', "[]", '{"streams": [5]}'])
def test_a_heartbeat_of_another_version_is_no_obstacle(table: FiguresTable, look: str | None) -> None:
    telemetry = Telemetry()
    if look is not None:
        table.put(KEY, at=NOON.isoformat(), status="ok", look=look)

    heart(table, telemetry).recall()
    heart(table, telemetry, name="no-such-table").recall()

    assert telemetry.streams is None
    assert FleetReader(table.client, figures_table=table.name, credits_table="credits").marks().bridge == BridgeView()


def test_a_heartbeat_that_cannot_be_written_is_said_once_and_when_it_can_again(
    table: FiguresTable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    failing = heart(table, name="no-such-table")

    assert [failing.beat(NOON), failing.beat(NOON)] == [False, False]
    failing._table = table.name
    assert failing.beat(NOON)

    said = [record.getMessage() for record in caplog.records if "heartbeat" in record.getMessage()]
    assert [line.split(":")[1] for line in said] == [
        " the heartbeat is not written",
        " the heartbeat is written again",
    ]


def test_it_beats_until_the_bridge_is_told_to_end(table: FiguresTable) -> None:
    beats: list[datetime] = []

    async def beating() -> None:
        stopping = asyncio.Event()

        def clock() -> datetime:
            beats.append(NOON + timedelta(seconds=len(beats)))
            if len(beats) == 3:
                stopping.set()
            return beats[-1]

        with ThreadPoolExecutor(1) as executor:
            await keep_beating(heart(table), executor, stopping, clock=clock, pause_seconds=0.01)

    asyncio.run(asyncio.wait_for(beating(), 60))

    assert len(beats) == 3
    assert table.item(KEY)["at"]["S"] == beats[-1].isoformat(timespec="milliseconds")


def test_a_bridge_without_the_table_has_no_heartbeat() -> None:
    assert settings().figures_table is None
    assert settings(FIGURES_TABLE=" figures ").figures_table == "figures"

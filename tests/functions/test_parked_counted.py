"""A message parked is counted before the call answers, whatever becomes of its container (contract, section 19)."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

import app
from chalicelib import telemetry
from chalicelib.adapters.dynamodb.container_counters import ContainerCounters
from chalicelib.wiring import for_figures
from tests.support.api import CREDITS_TABLE
from tests.support.events import Context, asking, batch, charged, opened, paid
from tests.support.figures_tables import FiguresTable, created
from tests.support.system import System

FIGURES_TABLE = "figures-test"
PARKED = "credits_messages_parked_total|code="


def another_container() -> None:
    """Start another container; the one before it is frozen for ever."""
    for built in (for_figures.container_counters, for_figures.figures):
        built.cache_clear()
    for_figures.counter_writer.cache_clear()
    telemetry.counters._values.clear()
    telemetry.counters.urgent = False


@pytest.fixture
def figures(system: System) -> Iterator[FiguresTable]:
    another_container()
    system.configure(FIGURES_TABLE=FIGURES_TABLE)
    yield created(system.dynamodb, FIGURES_TABLE)
    another_container()


def sums(figures: FiguresTable) -> dict[str, float]:
    """Return what /metrics adds up: the counters that the containers have laid down."""
    return ContainerCounters(figures.client, table=figures.name).sums()


def test_all_of_a_burst_is_counted_although_its_containers_are_never_called_again(
    system: System, figures: FiguresTable
) -> None:
    for call in range(6):
        if call % 2:
            another_container()
        system.ingest(*(asking("evt.of.nobody", number=number + call) for number in range(10)))

    assert sums(figures)[f"{PARKED}unknown_event_type"] == 60


def test_a_conflict_is_parked_and_so_counted_at_once(system: System, figures: FiguresTable) -> None:
    assert system.ingest(opened(), charged("p1", 5)) == []

    assert system.ingest(charged("p1", 6)) == []

    assert sums(figures)["credits_conflicts_total"] == sums(figures)[f"{PARKED}key_reused"] == 1


def test_what_a_stream_function_parks_is_counted_at_once(system: System, figures: FiguresTable) -> None:
    system.ingest(opened(), paid(1))
    unreadable = system.stream(CREDITS_TABLE)[:1]
    del unreadable[0]["dynamodb"]["NewImage"]["balance"]

    for _ in range(2):
        assert app.roll_up(batch(unreadable), Context()) == {"batchItemFailures": []}

    assert sums(figures)[f"{PARKED}record_unreadable"] == 2


def test_a_table_that_fails_is_asked_again_and_else_by_the_next_call(system: System, figures: FiguresTable) -> None:
    system.ingest(opened())
    counters = cast("Any", for_figures.container_counters())
    saved, asked = counters.save, []

    def save(values: Any) -> None:
        asked.append(values)
        if len(asked) <= 2:
            raise ConnectionError
        saved(values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counters, "save", save)
        system.ingest("{")
        assert len(asked) == telemetry.URGENT_TRIES
        system.ingest(paid(1))

    assert sums(figures)[f"{PARKED}not_json"] == 1


def test_a_batch_without_poison_lays_nothing_down_before_its_ten_seconds(system: System, figures: FiguresTable) -> None:
    system.ingest(opened())
    before = sums(figures)

    system.ingest(paid(1), paid(1), charged())

    assert sums(figures) == before
    assert telemetry.counters.values() != before

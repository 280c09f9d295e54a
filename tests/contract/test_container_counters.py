"""Counters of containers: they add up, whoever dies, sleeps, or does not hear what became of a write."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.adapters.dynamodb.container_counters import SILENT_SECONDS, SLOTS_PER_READ, ContainerCounters
from tests.support.engines import ministack
from tests.support.figures_tables import FiguresTable, table_at, table_in_process

MOTO, MINISTACK = "moto", "ministack"
ON_MINISTACK = pytest.param(
    MINISTACK, marks=[pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("figures on ministack")]
)
LOST = ReadTimeoutError(endpoint_url="https://dynamodb")
CHECKS = "checks|status=enabled"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_750_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Line:
    """Between a container and the table: answers that get lost, before or after the effect."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.exceptions = client.exceptions
        self.writes = 0
        self.lost_before = False
        self.lost_after = False

    def __getattr__(self, operation: str) -> Any:
        def called(**request: Any) -> Any:
            if operation != "put_item":
                return getattr(self._client, operation)(**request)
            self.writes += 1
            if self.lost_before:
                raise LOST
            answer = getattr(self._client, operation)(**request)
            if self.lost_after:
                raise LOST
            return answer

        return called


@pytest.fixture(scope="module")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("counters")) as url:
        yield url


@pytest.fixture(params=[MOTO, ON_MINISTACK])
def table(request: pytest.FixtureRequest) -> Iterator[FiguresTable]:
    if request.param == MOTO:
        with table_in_process() as found:
            yield found
        return
    with table_at(request.getfixturevalue("ministack_url")) as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


def container(table: FiguresTable, clock: Clock, line: Line | None = None) -> ContainerCounters:
    return ContainerCounters(line or table.client, table=table.name, clock=clock)  # type: ignore[arg-type]


def slots(table: FiguresTable) -> int:
    return table.client.scan(TableName=table.name, Select="COUNT")["Count"]


def test_nobodys_counters_are_nothing(table: FiguresTable, clock: Clock) -> None:
    assert container(table, clock).sums() == {}


def test_counters_of_several_containers_add_up_and_each_overwrites_its_own(table: FiguresTable, clock: Clock) -> None:
    one, other = container(table, clock), container(table, clock)
    one.save({CHECKS: 3})
    other.save({CHECKS: 4, "seconds_sum": 0.5})
    one.save({CHECKS: 10})

    assert one.sums() == other.sums() == {CHECKS: 14, "seconds_sum": 0.5}
    assert slots(table) == 2


def test_counters_that_say_nothing_new_are_not_written(table: FiguresTable, clock: Clock) -> None:
    line = Line(table.client)
    one = container(table, clock, line)
    one.save({CHECKS: 3})
    written = line.writes

    one.save({CHECKS: 3})

    assert line.writes == written


def test_a_dead_containers_slot_is_taken_over_with_its_sums(table: FiguresTable, clock: Clock) -> None:
    for generation in range(1, 4):
        # All slots but this one are somebody else's, alive.
        container(table, clock).save({CHECKS: 5})
        fill(table, clock)
        assert container(table, clock).sums()[CHECKS] == 5 * generation
        clock.seconds += SILENT_SECONDS + 1
        keep_alive(table, clock)


def fill(table: FiguresTable, clock: Clock) -> None:
    """Give every slot of the first reading that is free to somebody who lives."""
    taken = {int(item["id"]["S"].split("#")[1]) for item in table.client.scan(TableName=table.name)["Items"]}
    for number in set(range(SLOTS_PER_READ)) - taken:
        put_slot(table, number, clock)


def keep_alive(table: FiguresTable, clock: Clock) -> None:
    for item in table.client.scan(TableName=table.name)["Items"]:
        if item["owner"]["S"] == "somebody":
            put_slot(table, int(item["id"]["S"].split("#")[1]), clock)


def put_slot(table: FiguresTable, number: int, clock: Clock) -> None:
    item: dict[str, Any] = {
        "id": {"S": f"container#{number}"},
        "owner": {"S": "somebody"},
        "writes": {"N": "1"},
        "at": {"N": str(clock.seconds)},
        "base": {"S": "{}"},
        "own": {"S": "{}"},
    }
    table.client.put_item(TableName=table.name, Item=item)


def test_where_all_slots_are_taken_the_next_ones_are_used_and_read(table: FiguresTable, clock: Clock) -> None:
    fill(table, clock)

    container(table, clock).save({CHECKS: 2})

    assert container(table, clock).sums() == {CHECKS: 2}
    assert slots(table) == SLOTS_PER_READ + 1


def test_a_container_that_only_slept_goes_on_elsewhere_with_the_rest(table: FiguresTable, clock: Clock) -> None:
    sleeper = container(table, clock)
    sleeper.save({CHECKS: 5})
    fill(table, clock)
    clock.seconds += SILENT_SECONDS + 1
    keep_alive(table, clock)
    container(table, clock).save({CHECKS: 100})

    sleeper.save({CHECKS: 6})
    sleeper.save({CHECKS: 8})

    assert sleeper.sums() == {CHECKS: 108}


def test_a_write_whose_answer_was_lost_before_the_takeover_was_folded_once(table: FiguresTable, clock: Clock) -> None:
    line = Line(table.client)
    sleeper = container(table, clock, line)
    sleeper.save({CHECKS: 5})
    line.lost_after = True
    with pytest.raises(ReadTimeoutError):
        sleeper.save({CHECKS: 7})
    fill(table, clock)
    clock.seconds += SILENT_SECONDS + 1
    keep_alive(table, clock)
    taker = container(table, clock)
    taker.save({CHECKS: 100})
    taker.save({CHECKS: 101})
    line.lost_after = False

    sleeper.save({CHECKS: 9})

    assert sleeper.sums() == {CHECKS: 110}


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_claim_whose_answer_was_lost_leaves_the_sums_right(
    table: FiguresTable, clock: Clock, *, took_effect: bool
) -> None:
    dead = container(table, clock)
    dead.save({CHECKS: 5})
    fill(table, clock)
    clock.seconds += SILENT_SECONDS + 1
    keep_alive(table, clock)
    line = Line(table.client)
    line.lost_after, line.lost_before = took_effect, not took_effect
    claimer = container(table, clock, line)
    with pytest.raises(ReadTimeoutError):
        claimer.save({CHECKS: 10})
    line.lost_after = line.lost_before = False

    claimer.save({CHECKS: 11})

    assert claimer.sums() == {CHECKS: 16}


def test_two_containers_after_the_same_silent_slot_fold_it_once(table: FiguresTable, clock: Clock) -> None:
    dead = container(table, clock)
    dead.save({CHECKS: 5})
    fill(table, clock)
    clock.seconds += SILENT_SECONDS + 1
    keep_alive(table, clock)
    one, other = container(table, clock), container(table, clock)
    found = one._free_slot()
    other.save({CHECKS: 1})
    one._free_slot = lambda found=[found]: found.pop() if found else ContainerCounters._free_slot(one)  # type: ignore[method-assign,misc]

    one.save({CHECKS: 2})

    assert one.sums() == {CHECKS: 8}


def test_a_write_that_was_lost_is_made_good_by_the_next(table: FiguresTable, clock: Clock) -> None:
    line = Line(table.client)
    one = container(table, clock, line)
    one.save({CHECKS: 1})
    line.lost_before = True
    with pytest.raises(ReadTimeoutError):
        one.save({CHECKS: 2})
    line.lost_before = False

    one.save({CHECKS: 2})

    assert one.sums() == {CHECKS: 2}

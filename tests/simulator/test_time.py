"""Months in the simulator: what is not swept is caught up, and sweep and writers end alike (contract, section 16)."""

from random import Random

import pytest

from tests.oracles.lots import expiry_key
from tests.simulator.asks import plain
from tests.simulator.aws import CREDITS, TRANSACTIONS
from tests.simulator.judge import judge
from tests.simulator.letters import Letter, Order, Refund, opening, paid, payment, refunded
from tests.simulator.stories import DAY_SECONDS, Posted, Story, merchant, story
from tests.simulator.sweeping import FUNCTION, MINUTE_SECONDS
from tests.simulator.times import Read, at, lapsing
from tests.simulator.world import World

IDLE, BUSY, LATER = merchant("idle"), merchant("busy"), merchant("later")
SETTINGS = {"TRIAL_CREDITS": "25", "ORDER_CREDIT_FIXED_AMOUNT": "2"}
OUTAGE_DAYS, LONG_OUTAGE_DAYS = (2, 9), 45
LAPSES = 10 * MINUTE_SECONDS
SEEDS = range(12)


def told(letters: list[tuple[float, Letter]]) -> Story:
    """Return a story of these letters, each after so many seconds."""
    random = Random("time")
    found = Story([(0.0, SETTINGS)], seconds=0.0, later=max(after for after, _ in letters))
    found.posted += [Posted(after, letter, letter.body(random)) for after, letter in letters]
    return found


def lapses_of(world: World, shop: str) -> dict[str, str]:
    """Return the functions that brought a shop's lapses, by their keys."""
    return {
        change.new["idempotency_key"]["S"]: world.calls[write.by].function
        for write in world.aws.tables.log
        for change in write.changes
        if change.table == TRANSACTIONS
        and change.new is not None
        and change.old is None
        and change.new["merchant_id"]["S"] == shop
        and change.new["transaction_type"]["S"] == "EXPIRY"
    }


def test_a_week_without_the_sweep_is_caught_up_and_writers_bring_what_is_theirs_meanwhile() -> None:
    first, last = (days * DAY_SECONDS for days in OUTAGE_DAYS)
    letters = [(0.0, opening(shop, 25, named=True)) for shop in (IDLE, BUSY, LATER)]
    ends = {day: day * DAY_SECONDS for day in (3, 5, 8)}
    for shop in (IDLE, BUSY):
        letters += [(1.0, lapsing(payment(shop, f"p{day}", day), expires_at=after)) for day, after in ends.items()]
    letters += [(1.0, lapsing(payment(LATER, "p", 5), expires_at=last + DAY_SECONDS))]
    letters += [(after + 3600, paid(BUSY, [Order(day)])) for day, after in ends.items()]
    found = told(letters)
    found.without_sweep = [(first, last)]
    found.reads = [Read(after + 1, shop) for after in ends.values() for shop in (IDLE, BUSY)]

    world = World(found, 1).play(judge)

    assert world.violations == []
    keys = {expiry_key(at(after)) for after in ends.values()}
    assert lapses_of(world, BUSY) == dict.fromkeys(keys, "ingest_events")
    assert lapses_of(world, IDLE) == dict.fromkeys(keys, FUNCTION)
    assert not [
        call for call in world.schedule.calls if first < call.started - world.calls["ingest_events 0"].started < last
    ]


def test_what_fell_due_in_an_outage_of_many_weeks_is_caught_up() -> None:
    letters = [(0.0, opening(shop, 25, named=True)) for shop in (IDLE, BUSY)]
    letters += [(1.0, lapsing(payment(IDLE, "p", 5), expires_at=2 * DAY_SECONDS))]
    letters += [(LONG_OUTAGE_DAYS * DAY_SECONDS, paid(BUSY, [Order(1)]))]
    found = told(letters)
    found.without_sweep = [(0.0, (LONG_OUTAGE_DAYS - 1) * DAY_SECONDS)]

    world = World(found, 1).play(judge)

    assert world.violations == []
    assert lapses_of(world, IDLE) == {expiry_key(at(2 * DAY_SECONDS)): FUNCTION}


@pytest.mark.parametrize("swept", [True, False], ids=["beside the sweep", "without a sweep"])
def test_sweep_and_writers_race_to_the_same_end(swept: bool) -> None:
    letters = [(0.0, opening(BUSY, 25, named=True)), (1.0, lapsing(payment(BUSY, "p", 9), expires_at=LAPSES - 10))]
    letters += [(20.0, paid(BUSY, [Order(0)]))]
    letters += [(LAPSES + 2 + number / 2, paid(BUSY, [Order(number)])) for number in range(1, 8)]
    letters += [(LAPSES + 2.2, refunded(BUSY, [Refund(0)]))]
    found = told(letters)
    if not swept:
        found.without_sweep = [(0.0, DAY_SECONDS)]

    worlds = [World(found, seed).play(judge) for seed in SEEDS]

    assert [violation for world in worlds for violation in world.violations] == []
    ends = [plain(world.aws.tables.tables[CREDITS].items[(BUSY,)]) for world in worlds]
    assert {(end["balance"], end["sequence"]) for end in ends} == {(25 + 2 - 7 * 2, 12)}
    brought = {function for world in worlds for function in lapses_of(world, BUSY).values()}
    assert brought == ({FUNCTION, "ingest_events"} if swept else {"ingest_events"})


def test_the_seeds_have_months_in_them_lapses_of_every_kind_and_readers() -> None:
    found = [story(seed) for seed in range(60)]

    months = [one for one in found if one.later]
    assert len(months) > len(found) / 4
    assert any(one.without_sweep for one in months)
    assert sum(len(one.reads) for one in months) > 60

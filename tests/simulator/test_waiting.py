"""What waits for accounts that never come holds nobody else up; infra/docs/testing.md, "Simulator"."""

from random import Random

from tests.simulator.asks import order_key, record_id
from tests.simulator.letters import Letter, Order, opening, paid
from tests.simulator.queues import IN_FLIGHT_MAX
from tests.simulator.running import START
from tests.simulator.stories import Posted, Story, merchant
from tests.simulator.world import DEAD_LETTERS, INBOX, World

SCALE = 1_000
"""One message here is a thousand on AWS: 120 in flight at most, and 200 that wait."""
WAITING_ORDERS = 200
SECONDS_BETWEEN = 2.0
LATE_SECONDS_MAX = 30.0
"""Polls that take one message at a time, now and then; held up behind those in flight, it was five minutes."""
OPEN, NEVER_OPENED = merchant("open"), merchant("never opened")
SETTINGS = {
    "TRIAL_CREDITS": "500",
    "GROUND_RETRY_SECONDS_MIN": "1",
    "GROUND_RETRY_SECONDS_MAX": "900",
    "GROUND_RETRY_SECONDS_TOTAL": "1800",
}


def flooded() -> Story:
    """Return a story in which a shop without an account sends many orders, and another one works on."""
    random = Random("waiting")
    told = Story([(0.0, SETTINGS)], seconds=WAITING_ORDERS * SECONDS_BETWEEN)
    letters: list[tuple[float, Letter]] = [(0.0, opening(OPEN, 500, named=True))]
    for number in range(WAITING_ORDERS):
        letters.append((1 + number * SECONDS_BETWEEN, paid(NEVER_OPENED, [Order(number)])))
        letters.append((1 + number * SECONDS_BETWEEN, paid(OPEN, [Order(number)])))
    told.posted += [Posted(after, letter, letter.body(random)) for after, letter in letters]
    return told


def test_orders_without_an_account_hold_nobody_else_up() -> None:
    world = World(flooded(), 1)
    world.aws.queues.in_flight_max = IN_FLIGHT_MAX // SCALE
    world.play(lambda _: None)

    assert world.violations == []
    posted = {
        str(change.new["transaction_id"]["S"]): write.at - START
        for write in world.aws.tables.log
        for change in write.changes
        if change.table == "transactions" and change.new is not None
    }
    late = [
        posted[record_id(OPEN, order_key(number))] - (1 + number * SECONDS_BETWEEN) for number in range(WAITING_ORDERS)
    ]
    assert max(late) < LATE_SECONDS_MAX
    assert world.aws.queues.most_in_flight[INBOX] < IN_FLIGHT_MAX // SCALE / 2
    # In the waiting queue only what a call has at the moment is in flight: none of it stays there when the call ends.
    assert len(world.waiting.deleted) > WAITING_ORDERS
    assert world.waiting.back == []
    parked = world.aws.queues.queues[DEAD_LETTERS].values()
    assert {letter.attributes["code"]["StringValue"] for letter in parked} == {"account_missing"}
    assert len({letter.body for letter in parked}) == WAITING_ORDERS

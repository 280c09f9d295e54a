"""The simulated traffic behind the windows of the template, and how many calls an order takes: both without a clock."""

import json
import random
import subprocess
import sys

import pytest

from infra.bench import months, prices, traffic
from infra.bench.traffic import Queue, Simulation, arrivals, figures_dollars, ordinary, shares

CALLS_MAX = {1: 2_380, 10: 620, 99: 440, 0: 162}
"""Up to three per cent above what was counted on 2026-11-30, the SDK's calls among them; 0: for a cached status."""
COUNTING = f"import json; from infra.bench.cpu import called; print(json.dumps([called(n) for n in {[*CALLS_MAX]}]))"


def run(queue: Queue, *, rate: float = 50, seconds: float = 60, busy: float = 0) -> traffic.Outcome:
    rng = random.Random(5)  # noqa: S311 - the same every time
    rest = arrivals(rate, seconds, rng, of=shares())
    more = [(moment, traffic.BUSY) for moment, _ in arrivals(busy, seconds, rng, of=(1.0,))] if busy else []
    return Simulation(queue, sorted([*rest, *more]), rng).run()


def test_an_order_and_a_status_take_no_more_calls_than_they_did() -> None:
    # In a process of its own: what other tests hooked into the SDK would be counted too.
    counted = subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, check=True, text=True)

    calls = dict(zip(CALLS_MAX, json.loads(counted.stdout), strict=True))
    assert {together: count for together, count in calls.items() if count > CALLS_MAX[together]} == {}


def test_every_order_that_arrives_is_written_once_and_none_before_it_arrived() -> None:
    ran = run(Queue(window_seconds=1.0), busy=500)

    delays = [*ran.delays[True], *ran.delays[False]]
    assert len(delays) == ran.orders > 30_000
    assert min(delays) > 0


def test_a_batch_is_written_at_the_counted_units() -> None:
    alone = run(Queue(window_seconds=0.0), rate=1)
    folded = run(Queue(window_seconds=1.0, batch_max=99), rate=0.1, busy=900)

    assert alone.units / alone.orders == pytest.approx(5, abs=0.01)
    assert folded.units / folded.orders == pytest.approx(3 + 2 / 99, abs=0.01)


def test_nobody_waits_longer_than_the_window_and_a_call_where_pollers_are_free() -> None:
    ran = run(Queue(window_seconds=2.0), rate=5)

    assert ran.longest_queue == 0
    assert 1.0 < ran.delay(0.5) < ran.delay(0.99) < 2.1


def test_the_windows_reckoned_with_are_those_of_the_template() -> None:
    assert months.window_seconds() == prices.COUNTED_SECONDS


def test_orders_as_they_come_cost_at_most_five_dollars_and_twenty_cents() -> None:
    counting = figures_dollars(10, prices.COUNTED_SECONDS)

    assert counting <= 0.60
    assert sum(ordinary(10, prices.WINDOW_SECONDS).dollars().values()) + counting <= 5.20


def test_a_shop_beyond_its_partition_delays_nobody_else_where_the_queue_is_fair() -> None:
    fair, line = (run(Queue(window_seconds=1.0, fair=fair), rate=50, seconds=60, busy=3_000) for fair in (True, False))

    assert fair.delay(0.99) < 1.1
    assert line.delay(0.99) > 60
    # Its own orders wait until the partition has taken them, a thousand a second.
    assert fair.drained_at == pytest.approx(180, rel=0.05)
    assert fair.longest_queue > 100_000

"""The simulator's short form, and the long one that `make test-all` runs; infra/docs/testing.md, "Simulator"."""

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.simulator import product, running, sweep
from tests.simulator.faults import Fault
from tests.simulator.letters import POISON
from tests.simulator.mappings import declared
from tests.simulator.product import timeout_seconds
from tests.simulator.runs import Verdict, seeds, verdict_on, world_of
from tests.simulator.stories import story

SHORT_SEEDS = range(64)
ENDS = {"key_reused", "insufficient_credits", "account_missing", "order_missing", "not_json", "credits_invalid"}
SEEDS = 1_000
SEEDS_PER_TEST = 100
LONG_SWEEP = int(os.environ.get("SWEEP_EVERY", "4"))
"""The long form has one of so many cases of each scenario, and all of `post_due` but for its many queries.

All of these too would be 5,855 cases more, alike but for the hour and shard that they ask for, and twelve minutes of
CPU (measured beside other work). `make sweep` has all cases, an hour of CPU.
"""
ROOT = Path(__file__).resolve().parents[2]


def failing(verdicts: Iterable[Verdict]) -> str:
    """Return the failures, each with the command that reproduces it; nothing if there are none."""
    return "\n".join(str(verdict) for verdict in verdicts if verdict.violations)


def test_nothing_is_lost_and_nothing_done_twice_in_the_first_seeds() -> None:
    found = list(seeds(SHORT_SEEDS))

    assert failing(found) == ""
    # The seeds prove something only if they have every kind of fault, and every kind of end.
    assert {kind for verdict in found for kind in verdict.faults} == {kind.name for kind in Fault}
    assert {code for verdict in found for code in verdict.codes} >= ENDS
    assert sum(verdict.transactions for verdict in found) > 500
    assert sum(bool(story(seed).shares) for seed in SHORT_SEEDS) > len(SHORT_SEEDS) / 3


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_nothing_is_lost_and_nothing_done_twice_in_a_thousand_seeds(first: int) -> None:
    # The test above has the first ones.
    others = range(max(first, len(SHORT_SEEDS)), first + SEEDS_PER_TEST)

    assert failing(seeds(others)) == ""


@pytest.mark.slow
@pytest.mark.parametrize("scenario", sweep.SCENARIOS)
def test_nothing_is_lost_and_nothing_done_twice_whatever_fails_at_whichever_request(scenario: str) -> None:
    assert failing(sweep.verdicts(sweep.thinned_in(scenario, LONG_SWEEP))) == ""


@pytest.mark.slow
def test_a_seed_is_the_same_run_again_in_any_process() -> None:
    # Another process hashes texts differently, which reveals a dependence on the order of a set.
    program = (
        "from tests.simulator.runs import world_of, verdict_on; world = world_of(7); verdict_on(world, '');"
        "print(world.clock.now, world.requests, sorted(world.calls), world.aws.heard)"
    )

    def told(hash_seed: str) -> str:
        command = [sys.executable, "-c", program]
        environment = {"PYTHONHASHSEED": hash_seed, "PATH": ""}
        return subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True).stdout

    with ThreadPoolExecutor(2) as both:
        one, other = both.map(told, ["1", "2"])

    assert one == other
    assert "ingest_events" in one


def test_a_call_that_never_ends_and_asks_for_nothing_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(running, "TURN_SECONDS", 0.05)
    monkeypatch.setattr(product, "handler", lambda _: spin)

    verdict = verdict_on(world_of(0), "endless")

    assert "neither ended nor made a request" in str(verdict)


def test_there_are_at_least_twenty_five_kinds_of_poison() -> None:
    assert len(POISON) >= 25


def test_the_queue_and_the_functions_are_those_of_the_template() -> None:
    assert declared()["InboxQueue"]["Properties"]["VisibilityTimeout"] > timeout_seconds("ingest_events")

"""A seed's run, from its number to its verdict."""

import gc
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Self

from tests.simulator.faults import Weather
from tests.simulator.judge import judge
from tests.simulator.running import START, Endless
from tests.simulator.stories import story
from tests.simulator.world import DEAD_LETTERS, World

STORM_SECONDS = 60.0
"""How long faults may continue after the last event has arrived."""
RATE_OF_MONTHS = 0.05
"""The most faults of a story of months, in which `post_due` makes thirty requests a call."""
RATE_OF_A_CATCH_UP = 0.01
"""The same where it catches up with a week: a call that is killed must come to the next mark, a hundred requests on."""
CLEANED_AFTER = 25
"""Runs between two garbage collections. Collecting all the time would take a fifth of the time."""


@dataclass(frozen=True)
class Verdict:
    """The result of a run: its violations, its size, its faults, and why messages were parked."""

    name: str
    violations: tuple[str, ...]
    requests: int
    calls: int
    transactions: int
    faults: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()

    def __str__(self) -> str:
        lines = "\n".join(f"  - {sentence[:1500]}" for sentence in self.violations[:5])
        return f"{self.name}: {len(self.violations)} violations\n{lines}"


def world_of(seed: int) -> World:
    """Return the world of a seed, before anything has happened in it."""
    told = story(seed)
    until = START + told.ends + STORM_SECONDS
    rate_max = RATE_OF_A_CATCH_UP if told.without_sweep else RATE_OF_MONTHS if told.later else 1.0
    return World(told, seed, Weather(Random(f"weather {seed}"), start=START, until=until, rate_max=rate_max))


def verdict_on(world: World, name: str) -> Verdict:
    """Play a world to its end, and return the verdict on it."""
    try:
        world.play(judge)
    except (Exception, Endless):  # noqa: BLE001 - a run that cannot be judged is no good run
        world.violated(f"the run could not be judged: {traceback.format_exc()}")
    letters = world.aws.queues.queues[DEAD_LETTERS].values()
    return Verdict(
        name=name,
        violations=tuple(world.violations),
        requests=len(world.requests),
        calls=len(world.calls),
        transactions=len(world.aws.tables.tables["transactions"].items),
        faults=frozenset(kind.name for kind in world.weather.seen),
        codes=frozenset(letter.attributes["code"]["StringValue"] for letter in letters),
    )


def seeds(numbers: Iterable[int]) -> Iterator[Verdict]:
    """Yield the verdict on each seed."""
    with tidy() as tidied:
        for number in numbers:
            yield verdict_on(world_of(number), reproduced_by(f"--seed {number}"))
            tidied()


def reproduced_by(options: str) -> str:
    """Return the command that runs it again."""
    return f"python -m tests.simulator {options}"


class tidy:  # noqa: N801 - a context, used like a function
    """Collects the garbage of runs at intervals, and not all the time.

    What outlives a collection stays frozen: to walk through thousands of collected tests takes seconds.
    """

    def __enter__(self) -> Self:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._count = 0
        return self

    def __call__(self) -> None:
        self._count += 1
        if self._count % CLEANED_AFTER == 0:
            gc.collect()
            gc.freeze()

    def __exit__(self, *_: object) -> None:
        gc.enable()

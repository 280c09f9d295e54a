"""Simulated time, and the calls of functions in it: one runs at a time, and the seed decides which.

Every call is a greenlet: it yields at each request to AWS and at each wait, and only then does another run. So calls
interleave at every request, as in the cloud, and yet each run is reproducible. (Threads that wait for each other did
the same, and took a third of the time.)
"""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import heappop, heappush
from random import Random
from typing import Any, Self

import time_machine
from botocore.config import Config
from greenlet import getcurrent, greenlet

from tests.simulator.clients import Client
from tests.simulator.releases import THIS, run_as

START = 1_748_779_200.0
"""2025-06-01T12:00:00Z, when every run begins."""
REST_SECONDS = 0.001
"""The least time between two turns of a call, so that time always advances."""

TURN_SECONDS = 60.0
"""The most real time for a call's turn, which takes milliseconds: a longer one asks for nothing and never ends."""

Action = Callable[[], None]


class Killed(BaseException):
    """The process that ran the call has ended and lost its memory."""


class Endless(BaseException):
    """A call neither ends nor makes a request, so no other gets its turn; no `except Exception` of it may go on."""


class Clock:
    """The time of a run, in seconds since 1970; the whole process sees it."""

    def __init__(self) -> None:
        self.now = START
        self._machine = time_machine.travel(START, tick=False)
        self._traveller: Any = None

    def __enter__(self) -> Self:
        self._traveller = self._machine.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._machine.stop()

    def read(self) -> float:
        """Return the time."""
        return self.now

    def advance_to(self, moment: float) -> None:
        """Advance to `moment`, unless it is later already."""
        if moment > self.now:
            self.now = moment
            self._traveller.move_to(moment)

    def seen_by(self, skew: float) -> None:
        """Make the process's clock wrong by so many seconds, as containers' clocks are."""
        self._traveller.move_to(self.now + skew)


class Agenda:
    """Scheduled actions; the seed decides the order of those at the same time."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._due: list[tuple[float, float, int, Action]] = []
        self._count = 0

    def at(self, moment: float, action: Action) -> None:
        """Let something happen at `moment`."""
        self._count += 1
        heappush(self._due, (moment, self._random.random(), self._count, action))

    def after(self, seconds: float, action: Action) -> None:
        """Let something happen in so many seconds."""
        self.at(self._clock.now + seconds, action)

    def next(self) -> bool:
        """Let the next thing happen, and return whether there was one."""
        if not self._due:
            return False
        moment, _, _, action = heappop(self._due)
        self._clock.advance_to(moment)
        action()
        return True


# Building a client takes ten milliseconds: new containers reuse the clients of ended ones.
_spare_clients: dict[tuple[str, str], list[Client]] = {}


@lru_cache
def _options_of(config: Config | None) -> str:
    options = vars(config) if config else {}
    return repr(sorted((name, repr(value)) for name, value in options.items() if name[0] != "_"))


class Container:
    """A process's state between calls: the objects that `wiring` built, and its clients."""

    def __init__(self, environment: Mapping[str, str], *, skew: float = 0.0, release: int = THIS) -> None:
        self.environment = environment
        self.release = release
        self.skew = skew
        self.made: dict[object, object] = {}
        self._clients: list[tuple[tuple[str, str], Client]] = []

    def client(self, service: str, config: Config | None) -> Any:
        """Return a client of a service that is indistinguishable from a new one."""
        key = (service, _options_of(config))
        spare = _spare_clients.setdefault(key, [])
        client = spare.pop() if spare else Client(service, config)
        self._clients.append((key, client))
        return client.renew()

    def leave(self) -> None:
        """Release the clients: the process has ended."""
        for key, client in self._clients:
            _spare_clients[key].append(client)
        self._clients.clear()


@dataclass(eq=False)
class Call:
    """One call of a function; its time is up at `deadline`."""

    name: str
    function: str
    handler: Callable[[Any, Any], Any]
    event: Any
    container: Container
    deadline: float
    started: float
    ended: float = 0.0
    requests: int = 0
    disturbed: bool = False
    killed: bool = False
    answer: Any = None
    error: BaseException | None = None
    finished: bool = False
    on_end: Callable[["Call"], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class Context:
    """The context that Lambda passes to a function."""

    aws_request_id: str
    left: Callable[[], float]

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left of the call."""
        return max(0, round(self.left() * 1000))


class Runs:
    """The calls that are under way. Used on the main thread, where an endless turn can be interrupted."""

    def __init__(self, clock: Clock, agenda: Agenda) -> None:
        self.current: Call | None = None
        self.under_way: list[Call] = []
        self._clock = clock
        self._agenda = agenda
        self._between = getcurrent()
        self._greenlets: dict[Call, greenlet] = {}

    def start(self, call: Call, ended: Callable[[Call], None]) -> None:
        """Begin a call, and call `ended` when it is over, in whatever way."""
        call.on_end = ended
        self.under_way.append(call)
        self._greenlets[call] = greenlet(lambda: self._body(call), self._between)
        self._agenda.after(REST_SECONDS, lambda: self._turn(call))

    def pause(self, seconds: float) -> None:
        """Let the current call wait while others run."""
        call = self.current
        assert call is not None, "only a call can wait"
        self._agenda.after(max(seconds, REST_SECONDS), lambda: self._turn(call))
        self._between.switch()
        self._end_if_over(call)

    def abandon(self) -> None:
        """End all calls at once."""
        for call in list(self.under_way):
            call.killed, call.on_end = True, lambda _: None
            while not call.finished:
                self._turn(call)

    def _turn(self, call: Call) -> None:
        if call.finished:
            return
        self.current = call
        run_as(call.container.release)
        if call.container.skew:
            self._clock.seen_by(call.container.skew)
        signal.setitimer(signal.ITIMER_REAL, TURN_SECONDS)
        try:
            self._greenlets[call].switch()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.current = None
        if call.container.skew:
            self._clock.seen_by(0.0)
        if call.finished:
            self.under_way.remove(call)
            del self._greenlets[call]
            call.ended = self._clock.now
            call.on_end(call)

    def _end_if_over(self, call: Call) -> None:
        if call.killed or self._clock.now >= call.deadline:
            call.killed = True
            raise Killed

    def _body(self, call: Call) -> None:
        context = Context(call.name, lambda: call.deadline - self._clock.now)
        try:
            self._end_if_over(call)
            call.answer = call.handler(call.event, context)
        except Killed:
            call.killed = True
        except Endless:
            raise
        except BaseException as error:  # noqa: BLE001 - the run judges whatever a function raises
            call.error = error
        finally:
            call.finished = True


def _interrupt(*_: object) -> None:
    raise Endless(f"a call neither ended nor made a request in {TURN_SECONDS:g} seconds")


signal.signal(signal.SIGALRM, _interrupt)

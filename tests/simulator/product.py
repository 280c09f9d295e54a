"""The product under simulation: its real functions, with the run's time, clients and containers under them.

Only what reaches outside the process is replaced: time, waits, threads and HTTP.
"""

import importlib
import json
import pkgutil
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import botocore.endpoint

import app
import chalicelib
from chalicelib import settings, telemetry
from chalicelib.adapters import sdk
from chalicelib.handlers import roll_up
from chalicelib.telemetry import Counters
from tests.simulator import readers
from tests.simulator.running import Clock, Container, Runs

for _found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
    # Import everything now: a later import would keep objects of a single run.
    importlib.import_module(_found.name)

ROOT = Path(__file__).resolve().parents[2]
TALKATIVE = 10
"""Each of so many seeds writes all of its log lines."""
_COUNTERS = telemetry.counters


def handler(function: str) -> Callable[[Any, Any], Any]:
    """Return a function as Lambda calls it; the API's way to a status is called like one."""
    if function == readers.FUNCTION:
        return readers.plugin_status
    found: Callable[[Any, Any], Any] = getattr(app, function)
    return found


@cache
def timeout_seconds(function: str) -> float:
    """Return the function's deployed timeout."""
    if function == readers.FUNCTION:
        return readers.TIMEOUT_SECONDS
    declared = json.loads((ROOT / ".chalice/config.json").read_text())["lambda_functions"]
    return float(declared[function]["lambda_timeout"])


@contextmanager
def under(clock: Clock, runs: Runs, random_seed: int, home: Container) -> Iterator[StringIO]:
    """Let the product run in the run's time and containers, and yield what it prints and logs.

    `home` is the container of code outside any call: the judge.
    """
    patches = _Patches()
    output = StringIO()
    container = _current(runs, home)
    simulated = _Time(clock, runs)
    counted = _CountersOf(container)
    for module, name, value in _replaced():
        if value is time:
            patches.put(module, name, simulated)
        elif value is ThreadPoolExecutor:
            patches.put(module, name, _Inline)
        elif value is _COUNTERS:
            patches.put(module, name, counted)
        else:
            patches.put(module, name, _in_container(value, container))
    for defaults, name in _waits():
        patches.put_item(defaults, name, simulated.sleep)
    patches.put(sdk, "client", lambda service, config: container().client(service, config))
    patches.put(botocore.endpoint, "time", simulated)
    patches.put(telemetry.logger, "stream", output)
    # A line costs as much as a request: only some of the seeds are read for what must not be logged.
    patches.put(telemetry.logger, "level", "INFO" if random_seed % TALKATIVE == 0 else "ERROR")
    _as_new(patches)
    random.seed(random_seed)
    try:
        with redirect_stdout(output):
            yield output
    finally:
        patches.undo()


class _Patches:
    def __init__(self) -> None:
        self._undone: list[Callable[[], None]] = []

    def put(self, owner: Any, name: str, value: Any) -> None:
        before = getattr(owner, name)
        self._undone.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)

    def put_item(self, owner: dict[str, Any], name: str, value: Any) -> None:
        before = owner[name]
        self._undone.append(lambda: owner.__setitem__(name, before))
        owner[name] = value

    def undo(self) -> None:
        for step in reversed(self._undone):
            step()


class _Time:
    """The module `time`, as far as the product uses it."""

    def __init__(self, clock: Clock, runs: Runs) -> None:
        self._clock = clock
        self._runs = runs
        self.time = self.monotonic = self.perf_counter = clock.read

    def sleep(self, seconds: float) -> None:
        if self._runs.current is None:
            self._clock.advance_to(self._clock.now + seconds)
        else:
            self._runs.pause(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _CountersOf:
    """The counters of the running container, for code that holds the one object."""

    def __init__(self, container: Callable[[], Container]) -> None:
        object.__setattr__(self, "_container", container)

    def _here(self) -> Counters:
        found = self._container().made.setdefault(Counters, Counters())
        assert isinstance(found, Counters)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._here(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._here(), name, value)


class _Inline:
    """A thread pool without threads: submitted work runs at once, and an end of the process ends it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, work: Callable[..., Any], *args: Any, **named: Any) -> "_Done":
        return _Done(work(*args, **named))

    def map(self, work: Callable[..., Any], *several: Any) -> list[Any]:
        return [work(*args) for args in zip(*several, strict=False)]

    def shutdown(self, *_: Any, **__: Any) -> None:
        pass


class _Done:
    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self, timeout: float | None = None) -> Any:
        del timeout
        return self._value


def _current(runs: Runs, home: Container) -> Callable[[], Container]:
    return lambda: runs.current.container if runs.current is not None else home


def _built_once(value: Any) -> bool:
    """Whether it is one of the functions that build something once a container."""
    module = getattr(value, "__module__", None) or ""
    return module.startswith(("chalicelib.wiring.", "chalicelib.settings")) and hasattr(value, "cache_clear")


def _in_container(once: Any, container: Callable[[], Container]) -> Callable[[], Any]:
    build = once.__wrapped__

    def built() -> Any:
        here = container()
        if once not in here.made:
            here.made[once] = settings.Settings.read(here.environment) if build.__name__ == "settings" else build()
        return here.made[once]

    return built


@cache
def _replaced() -> list[tuple[Any, str, Any]]:
    """Return where the product holds objects of a run; searched once, since that takes as long as a short run."""
    return [
        (module, name, value)
        for module in _modules()
        for name, value in vars(module).items()
        if value is time or value is ThreadPoolExecutor or value is _COUNTERS or _built_once(value)
    ]


@cache
def _waits() -> list[tuple[dict[str, Any], str]]:
    """Return the default arguments of the product's classes that really wait, with their names."""
    kinds = [kind for module in _modules() for kind in vars(module).values() if isinstance(kind, type)]
    constructors = {id(made): made for kind in kinds if (made := vars(kind).get("__init__")) is not None}
    found = [getattr(made, "__kwdefaults__", None) or {} for made in constructors.values()]
    return [(defaults, name) for defaults in found for name, value in defaults.items() if value is time.sleep]


def _modules() -> list[Any]:
    return [found for name, found in sys.modules.items() if name.partition(".")[0] == "chalicelib"]


def _as_new(patches: _Patches) -> None:
    """Let what counts beside the containers start anew."""
    # Not every ten seconds, which are as many requests as all others together.
    patches.put(telemetry, "WRITE_EVERY_SECONDS", 120.0)
    patches.put(roll_up._FleetReport, "at", float("-inf"))
    patches.put(roll_up._FleetDay, "begun", "")


def environment(**own: str) -> Mapping[str, str]:
    """Return the environment of a function, as the template would set it."""
    return {
        "CREDITS_TABLE": "credits",
        "TRANSACTIONS_TABLE": "transactions",
        "FIGURES_TABLE": "figures",
        "EVENT_BUS": "credits",
        "INBOX_QUEUE_URL": "http://aws.invalid/inbox",
        "WAITING_QUEUE_URL": "http://aws.invalid/waiting",
        "DEAD_LETTER_QUEUE_URL": "http://aws.invalid/dead-letters",
        "STREAM_DEAD_LETTER_QUEUE_URL": "http://aws.invalid/stream-dead-letters",
        **own,
    }

"""How long something takes, of which what else the machine and the test run do is no part."""

import gc
import time
from collections.abc import Callable

TRIES = 3


def cpu_seconds(action: Callable[[], object]) -> float:
    """Return the CPU time of an action: the least of three, without the search for garbage of a whole test run."""
    return least(lambda: _without_collector(action))


def least(seconds: Callable[[], float]) -> float:
    """Return the least of three measurements: what disturbs one only adds to it."""
    return min(seconds() for _ in range(TRIES))


def _without_collector(action: Callable[[], object]) -> float:
    running = gc.isenabled()
    gc.disable()
    try:
        started = time.thread_time()
        action()
        return time.thread_time() - started
    finally:
        if running:
            gc.enable()

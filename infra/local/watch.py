"""The running programs: every wait of the supervisor also notices a program that died and a signal to end.

A signal only sets a flag, which the waits check. So no exception comes between a program's start
and its entry in the list, and nothing that was started is forgotten.
"""

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from infra.local.engines import POLL_SECONDS, Engine, stop

SETUP_SECONDS = 180.0
STOP_SECONDS = 12.0
"""How long ending all programs may take; those that still run are then killed. What KEEP=on keeps is saved before."""
LAYER_SECONDS = 6.0
"""How long one layer may take; the bridge needs it to finish its messages."""
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Result = TypeVar("Result")


class AskedToEndError(Exception):
    """Raised by a wait when somebody pressed Ctrl-C or sent a signal to end."""


class StackFailedError(Exception):
    """Raised by a wait when a program died or did not become ready in time; the text is for a person."""


class Watch:
    """The programs of one stack, in layers: those of a higher layer use those below, and end first."""

    def __init__(self) -> None:
        self._layers: dict[int, list[Engine]] = {}
        self._asked_to_end = False

    def listen_for_signals(self) -> None:
        """From now on, Ctrl-C and signals to end make the next check of a wait raise `AskedToEndError`."""
        for number in END_SIGNALS:
            signal.signal(number, lambda *_: self.ask_to_end())

    def ask_to_end(self) -> None:
        """Make the wait that is under way, or else the next one, raise `AskedToEndError`."""
        self._asked_to_end = True

    @property
    def asked_to_end(self) -> bool:
        """Return whether somebody asked the stack to end."""
        return self._asked_to_end

    def add(self, engine: Engine, *, layer: int) -> Engine:
        """Watch `engine` from now on, and return it."""
        self._layers.setdefault(layer, []).append(engine)
        return engine

    def pids(self) -> dict[str, int]:
        """Return the process id of each program that is to keep running, by its name in one word."""
        engines = (engine for layer in self._layers.values() for engine in layer)
        return {
            engine.name.removeprefix("the ").replace(" ", "_").lower(): engine.process.pid
            for engine in engines
            if not engine.finishes
        }

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Return once `condition()` is true; `what` names it in error messages.

        Raises:
            AskedToEndError: The stack was asked to end.
            StackFailedError: A program died, or three minutes have passed.
        """
        deadline = time.monotonic() + SETUP_SECONDS
        while not condition():
            self.look()
            if time.monotonic() > deadline:
                raise StackFailedError(f"Waited {SETUP_SECONDS:.0f} s for {what}, in vain.")
            time.sleep(POLL_SECONDS)

    def wait_for(self, work: "Future[Result]", what: str) -> Result:
        """Return what `work` returns, or raise what it raises; otherwise like `wait`."""
        self.wait(work.done, what)
        return work.result()

    def keep_watch(self) -> None:
        """Never return: raise `AskedToEndError` or `StackFailedError` when there is a reason to."""
        while True:
            self.look()
            time.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Raise `AskedToEndError` or `StackFailedError` if there is a reason to; return otherwise."""
        if self._asked_to_end:
            raise AskedToEndError
        for layer in self._layers.values():
            for engine in layer:
                if engine.has_died():
                    raise StackFailedError(_obituary(engine))

    def named(self, name: str) -> Engine:
        """Return the program of that name."""
        return next(engine for engines in self._layers.values() for engine in engines if engine.name == name)

    def stop_all(self) -> None:
        """End every program, the users of others first; afterwards none is left."""
        self.stop_above(min(self._layers, default=0) - 1)

    def stop_above(self, lowest: int) -> None:
        """End the programs of the layers above `lowest`, the users of others first; afterwards none of them is left."""
        deadline = time.monotonic() + STOP_SECONDS
        for layer in sorted((layer for layer in self._layers if layer > lowest), reverse=True):
            seconds = min(LAYER_SECONDS, max(0.0, deadline - time.monotonic()))
            stop(*(engine.process for engine in self._layers.pop(layer)), seconds=seconds)


def in_background(work: Callable[[], Result]) -> "Future[Result]":
    """Run `work` in a thread that does not keep the process alive, and return its future."""
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - reading the result raises it
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return outcome


def _obituary(engine: Engine) -> str:
    status = engine.process.returncode
    how = f"was ended by signal {-status}" if status < 0 else f"ended with exit code {status}"
    said = engine.last_words()
    evidence = f"The end of its log ({engine.log}):\n{said}" if said else f"Its log is empty ({engine.log})."
    return f"{engine.name[0].upper()}{engine.name[1:]} {how} unexpectedly. {evidence}"

"""What a stack started with KEEP=on holds, from one start to the next.

The folder `kept` has the emulator's state, the streams of NATS and the key that signs the tokens. It is replaced as a
whole when a stack that was complete is asked to end, and copied at a start, so that a stack that is killed leaves it
as it was: what belongs together was always kept together.
"""

import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local.engines import LOOPBACK, POLL_SECONDS, SAVED, STATE, Engine
from infra.local.tokens import PRIVATE_KEY_FILE

KEPT: Final = "kept"
SAVE_SECONDS: Final = 60.0
"""How long the emulator may take to finish what it began and to save its state."""
_EMULATOR: Final = "emulator"
_NATS: Final = "nats"
_PORT: Final = "aws-port"
_RUNS: Final = "runs"
_UNFINISHED: Final = ".unfinished"


@dataclass(slots=True, kw_only=True)
class Keeping:
    """The kept folder of the stack in `directory`; one that is not `on` restores nothing and keeps nothing.

    `runs` is the number of starts whose data came back at this one: 0 where nothing was kept.
    """

    directory: Path
    on: bool
    aws_port: int
    runs: int = 0
    emulator: Engine | None = None
    """The running emulator, once the stack is complete."""
    _saved: bool = False

    @property
    def folder(self) -> Path:
        """Return where everything is kept."""
        return self.directory / KEPT

    def restore(self) -> None:
        """Copy what was kept to where the programs of this start look for it.

        The addresses of queues have the emulator's port, so those that were kept get the new one.
        """
        if not self.on:
            return
        if not self.folder.exists() and self._before.exists():
            # The last end was broken off between two names.
            self._before.rename(self.folder)
        if not self.folder.exists():
            return
        self.runs = int((self.folder / _RUNS).read_text())
        state = self.directory / STATE
        shutil.copytree(self.folder / _EMULATOR, state)
        shutil.copytree(self.folder / _NATS, self.directory / _NATS)
        shutil.copy(self.folder / PRIVATE_KEY_FILE, self.directory)
        was, now = (f"{LOOPBACK}:{port}" for port in ((self.folder / _PORT).read_text(), self.aws_port))
        for path in state.glob("*.json") if was != now else ():
            path.write_text(path.read_text().replace(was, now))

    def save(self) -> None:
        """Let the emulator of a complete stack finish what it began and save; nothing may reach it from now on."""
        if not self.on or self.emulator is None or self.emulator.has_died():
            return
        saved = self.directory / STATE / SAVED
        os.kill(self.emulator.process.pid, signal.SIGUSR1)
        deadline = time.monotonic() + SAVE_SECONDS
        while not saved.exists() and not self.emulator.has_died() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        self._saved = saved.exists()

    def keep(self) -> bool:
        """Replace the kept folder by what was saved, once every program has ended; return whether it was."""
        if not self._saved:
            return False
        unfinished = self.folder.with_suffix(_UNFINISHED)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        (self.directory / STATE / SAVED).unlink()
        (self.directory / STATE).rename(unfinished / _EMULATOR)
        (self.directory / _NATS).rename(unfinished / _NATS)
        shutil.copy(self.directory / PRIVATE_KEY_FILE, unfinished)
        (unfinished / _PORT).write_text(str(self.aws_port))
        (unfinished / _RUNS).write_text(str(self.runs + 1))
        shutil.rmtree(self._before, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(self._before)
        unfinished.rename(self.folder)
        shutil.rmtree(self._before, ignore_errors=True)
        return True

    @property
    def _before(self) -> Path:
        return self.folder.with_suffix(".before")

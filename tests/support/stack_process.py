"""`python -m infra.local` as a test's own process, on free ports and in its own folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.ports import DEFAULT_PORTS
from tests.support.engines import free_port, stop

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 300.0
END_SECONDS = 120.0
"""How long the end may take on a busy machine; a quiet one takes two or three seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A started `python -m infra.local`: its process, its folder and where its output goes."""

    process: subprocess.Popen[bytes]
    directory: Path
    output: Path

    def said(self) -> str:
        return self.output.read_text()

    def description(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.directory / "stack.json").read_text())
        return content

    def wait_for_line(self, beginning: str) -> None:
        wait(lambda: f"\n{beginning}" in self.said() or self.process.poll() is not None, READY_SECONDS)
        assert f"\n{beginning}" in self.said(), self.said()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)


@contextmanager
def started(directory: Path, settings: Mapping[str, str]) -> Iterator[Run]:
    directory.mkdir(parents=True, exist_ok=True)
    ports = {setting: str(free_port()) for setting in DEFAULT_PORTS}
    environment = {**os.environ, "TRAFFIC": "off", **ports, "LOCAL_DIR": str(directory / "local"), **settings}
    output = directory / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Run(process=process, directory=directory / "local", output=output)
    finally:
        # The supervisor ends the programs that it started; its own process group holds nothing else.
        try:
            process.terminate()
            process.wait(END_SECONDS)
        finally:
            stop(process)


def wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)

"""Programs that the stack and its tests start: NATS, Redis and the AWS emulator, each on a loopback port.

Every program is its own process group in its own session, so that Ctrl-C in a terminal reaches the
process that started it and no other. It is ended by its process id.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from infra.packaging.region import REGION

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
PROGRAMS = Path(sys.executable).parent
START_SECONDS = 120.0
"""How long a program may take until it serves, on a busy machine; one that ends is noticed at once."""
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
PROBE_SECONDS = 1.0
LOG_BYTES = 8192
LOG_LINES = 10
LEASH = ("setpriv", "--pdeathsig", "TERM")
STATE = Path("ministack", "state")
"""Where the emulator saves its state, below a stack's folder."""
EMULATOR = "the AWS emulator"
SAVED = "saved"
"""The file in the state's folder that is there once everything is saved."""

FAKE_AWS_ENVIRONMENT: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The settings with which an AWS client reaches the emulator and never a real account."""


class EngineDidNotStartError(RuntimeError):
    """Raised when a program ended or stayed silent instead of becoming ready; carries the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A running program. `name` is for people; `ready()` reports whether it serves.

    A program that `finishes` is ready when it has exited with success; any other program that exits has died.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ready: Callable[[], bool]
    finishes: bool = False

    def has_died(self) -> bool:
        """Return whether the program ended although nobody asked it to."""
        status = self.process.poll()
        return status is not None and not (self.finishes and status == 0)

    def last_words(self) -> str:
        """Return the last lines of the program's output so far."""
        said = self.log.read_bytes()[-LOG_BYTES:].decode(errors="replace").splitlines()
        return "\n".join(said[-LOG_LINES:]).strip()


def free_port() -> int:
    """Return a TCP port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return a minimal environment plus `extra`: no setting, profile or key of the caller leaks in."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "JAVA_HOME") if name in os.environ}
    path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **extra}


def launch(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    directory: Path | None = None,
    passed: Sequence[int] = (),
    on_screen: bool = False,
    leashed: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `command` in a new session and return at once; its output is appended to the file `log`.

    `passed` are file descriptors that the program inherits under the same numbers. The standard
    output of a program `on_screen` is the caller's; only its errors go into the file. One that is
    `leashed` gets SIGTERM when the thread that started it is gone, also by SIGKILL (on Linux).
    """
    leash = LEASH if leashed and shutil.which(LEASH[0]) else ()
    with log.open("ab") as output:
        return subprocess.Popen(
            [*leash, *command],
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=None if on_screen else output,
            stderr=output,
            start_new_session=True,
            pass_fds=tuple(passed),
        )


def launch_nats(directory: Path, port: int, *, configuration: Path | None = None, leashed: bool = False) -> Engine:
    """Start a NATS server with JetStream that keeps its state below `directory`, with a file's settings if given."""
    state = directory / "nats"
    state.mkdir(parents=True, exist_ok=True)
    command = [str(PROGRAMS / "nats-server"), "-a", LOOPBACK, "-p", str(port), "-js", "-sd", str(state)]
    if configuration is not None:
        command += ["-c", str(configuration)]
    log = directory / "nats.log"
    process = launch(command, log=log, environment=clean_environment({}), leashed=leashed)
    return Engine(name="NATS", process=process, log=log, ready=lambda: _says(port, b"INFO"))


def launch_redis(directory: Path, port: int, *, password: str = "", leashed: bool = False) -> Engine:
    """Start an empty Redis server that keeps nothing on disk; it requires the `password` if one is given."""
    command = [str(PROGRAMS / "redis-server"), "--bind", LOOPBACK, "--port", str(port)]
    command += ["--save", "", "--appendonly", "no"]
    if password:
        command += ["--requirepass", password]
    log = directory / "redis.log"
    process = launch(command, log=log, environment=clean_environment({}), directory=directory, leashed=leashed)
    return Engine(
        name="Redis", process=process, log=log, ready=lambda: _says(port, b"+PONG", b"-NOAU", asked=b"PING\r\n")
    )


def launch_ministack(directory: Path, port: int, *, leashed: bool = False, keeps: bool = False) -> Engine:
    """Start an AWS emulator; all its files stay below `directory`.

    It is empty at first, but one that `keeps` has what an earlier one saved below `STATE` (see emulator.py).
    """
    scratch = directory / "ministack"
    for folder in (scratch / "tmp", directory / STATE):
        folder.mkdir(parents=True, exist_ok=True)
    environment = clean_environment(
        {
            **FAKE_AWS_ENVIRONMENT,
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(scratch / "tmp"),
            "STATE_DIR": str(directory / STATE),
            "PERSIST_STATE": str(int(keeps)),
        }
    )
    log = directory / "ministack.log"
    command = [sys.executable, "-m", "infra.local.emulator"]
    process = launch(command, log=log, environment=environment, directory=ROOT, leashed=leashed)
    address = f"http://{LOOPBACK}:{port}/_ministack/health"
    return Engine(name=EMULATOR, process=process, log=log, ready=lambda: answers(address))


@contextmanager
def running(engine: Engine) -> Iterator[Engine]:
    """Run `engine` until the context is left; it is entered once the program serves."""
    try:
        wait_until_ready(engine)
        yield engine
    finally:
        stop(engine.process)


@contextmanager
def ministack(directory: Path) -> Iterator[str]:
    """Yield the endpoint of an AWS emulator that starts empty; all its files stay below `directory`."""
    port = free_port()
    with running(launch_ministack(directory, port)):
        yield f"http://{LOOPBACK}:{port}"


def stop(*processes: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """End `processes` and all that they started, side by side; afterwards their ports and files are free.

    Each gets SIGTERM, and SIGKILL when it ignores that for so many `seconds`; one that is gone already is no error.
    """
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, STOP_SECONDS)):
        for process in processes:
            _signal_group(process, number)
        deadline = time.monotonic() + patience
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    # Whatever a program leaves in its process group is ended too, even if the program itself ended first.
    for process in processes:
        _signal_group(process, signal.SIGKILL)


def answers(url: str) -> bool:
    """Return whether an HTTP server answers 200 at `url`, an address on the loopback interface."""
    try:
        return status_of(url, PROBE_SECONDS) == HTTPStatus.OK
    except OSError:
        return False


def status_of(request: str | urllib.request.Request, timeout_seconds: float) -> int:
    """Return the status with which a server on the loopback interface answers, a good or a bad one.

    Raises:
        OSError: there is no answer.
    """
    try:
        with DIRECT.open(request, timeout=timeout_seconds) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Opens addresses of the loopback interface, which are never behind a proxy."""


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def wait_until_ready(engine: Engine) -> None:
    """Return when `engine` serves; raises `EngineDidNotStartError` when it ends first or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not engine.ready():
        if engine.process.poll() is not None or time.monotonic() > deadline:
            raise EngineDidNotStartError(
                f"{engine.name} did not become ready; its log ends with:\n{engine.last_words()}"
            )
        time.sleep(POLL_SECONDS)


def _says(port: int, *beginnings: bytes, asked: bytes = b"") -> bool:
    """Return whether what the server on `port` sends, asked or unasked, begins with one of these, all of one length.

    NATS sends INFO; Redis answers PING, even if only to require a password.
    """
    try:
        with socket.create_connection((LOOPBACK, port), timeout=PROBE_SECONDS) as connection:
            connection.sendall(asked)
            return connection.recv(len(beginnings[0])) in beginnings
    except OSError:
        return False

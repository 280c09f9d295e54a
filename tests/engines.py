"""Real engines for the tests of the stack: a NATS server and the AWS emulator, each on a free loopback port.

Every engine is its own process in its own folder, is ready when its context is entered, and is
ended by its process id when the context is left. Nothing is shared between two tests unless a
fixture shares it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"
REGION = "eu-west-1"
PROGRAMS = Path(sys.executable).parent
START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05

FAKE_AWS_ENVIRONMENT: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What an AWS client needs to talk to the emulator, and nothing that could reach a real account."""


class EngineDidNotStartError(RuntimeError):
    """Raised when an engine ended or stayed silent instead of becoming ready; carries the end of its log."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return a minimal environment plus `extra`: no setting, profile or key of the caller leaks in."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "JAVA_HOME") if name in os.environ}
    path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **extra}


@contextmanager
def engine(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    ready: Callable[[], bool],
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` until the context is left; it is entered once `ready()` is true.

    What the process says goes into the file `log`. The process gets SIGTERM at the end, and SIGKILL
    when it ignores that for `STOP_SECONDS`; a process that is gone already is no error.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, ready, log)
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End `process` and every process it started; afterwards its ports and files are free."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait(STOP_SECONDS)


@contextmanager
def nats_server(directory: Path, port: int | None = None) -> Iterator[str]:
    """Yield the address of a NATS server with JetStream that keeps its state in `directory`.

    Entered again with the same folder and port it is the same server, restarted.
    """
    chosen = port or free_port()
    state = directory / "nats"
    state.mkdir(parents=True, exist_ok=True)
    command = [str(PROGRAMS / "nats-server"), "-a", LOOPBACK, "-p", str(chosen), "-js", "-sd", str(state)]
    with engine(
        command,
        log=directory / "nats.log",
        environment=clean_environment({}),
        ready=lambda: _greets(chosen),
    ):
        yield f"nats://{LOOPBACK}:{chosen}"


@contextmanager
def ministack(directory: Path, port: int | None = None) -> Iterator[str]:
    """Yield the endpoint of an AWS emulator that starts empty; all its files stay below `directory`."""
    chosen = port or free_port()
    scratch = directory / "ministack"
    for folder in (scratch / "tmp", scratch / "state"):
        folder.mkdir(parents=True, exist_ok=True)
    environment = clean_environment(
        {
            **FAKE_AWS_ENVIRONMENT,
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(chosen),
            "MINISTACK_HOST": LOOPBACK,
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": str(scratch / "tmp"),
            "STATE_DIR": str(scratch / "state"),
        }
    )
    endpoint = f"http://{LOOPBACK}:{chosen}"
    with engine(
        [str(PROGRAMS / "ministack")],
        log=directory / "ministack.log",
        environment=environment,
        ready=lambda: answers(f"{endpoint}/_ministack/health"),
    ):
        yield endpoint


def _wait_until_ready(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_bytes()[-2000:].decode(errors="replace")
            message = f"{process.args!r} did not become ready; its log ends with:\n{said}"
            raise EngineDidNotStartError(message)
        time.sleep(POLL_SECONDS)


def _greets(port: int) -> bool:
    """Return whether a NATS server says INFO on `port`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            return connection.recv(4) == b"INFO"
    except OSError:
        return False


def answers(url: str) -> bool:
    """Return whether an HTTP server answers 200 at `url`."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - a loopback address of our own
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False

"""Which ports this stack gets: the requested ones, or the next free ones."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from infra.local.engines import LOOPBACK
from infra.local.settings import switched

ATTEMPTS = 200
LARGEST_PORT = 65_535
DEFAULT_PORTS: Mapping[str, int] = {
    "API_PORT": 8015,
    "AWS_PORT": 4566,
    "NATS_PORT": 4222,
    "BRIDGE_HEALTH_PORT": 8016,
}
REDIS_PORT = "REDIS_PORT"
DEFAULT_REDIS_PORT = 6379
"""Where Redis listens in a stack started with REDIS=on."""


class PortError(ValueError):
    """A port setting is not a port, or no port near it is free; the text names the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A chosen port. `asked` differs from `number` when the requested port was taken."""

    setting: str
    asked: int
    number: int


def choose_ports(environment: Mapping[str, str], held: ExitStack) -> dict[str, Port]:
    """Return a free port for each setting of `DEFAULT_PORTS`, and for Redis where REDIS=on, by the setting's name.

    No other stack of this user is given the same ports until `held` is closed, also when two stacks
    choose at the same moment, long before either of them listens.

    Raises:
        LocalSettingError: REDIS is neither on nor off.
        PortError: A setting is not a number from 1 to 65535, or 200 ports from there are all taken.
    """
    wanted = dict(DEFAULT_PORTS)
    if switched(environment, "REDIS", default=False):
        wanted[REDIS_PORT] = DEFAULT_REDIS_PORT
    asked = {setting: _asked(environment, setting, default) for setting, default in wanted.items()}
    return {setting: _choose(setting, number, held) for setting, number in asked.items()}


def _asked(environment: Mapping[str, str], setting: str, default: int) -> int:
    text = environment.get(setting, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST_PORT):
        raise PortError(f"{setting} is {text!r}; it must be a whole number from 1 to {LARGEST_PORT}.")
    return int(text)


def _choose(setting: str, asked: int, held: ExitStack) -> Port:
    for number in range(asked, min(asked + ATTEMPTS, LARGEST_PORT + 1)):
        claim = _claim(number)
        if claim is None:
            continue
        if _is_free(number):
            held.callback(claim.close)
            return Port(setting=setting, asked=asked, number=number)
        claim.close()
    raise PortError(f"{setting}: {asked} and the {ATTEMPTS} ports above it are all taken.")


def _claim(number: int) -> TextIO | None:
    """Return a lock on `number` among this user's stacks, or None when another stack has it."""
    path = Path(tempfile.gettempdir()) / f"credits-{os.getuid()}-port-{number}.lock"
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _is_free(number: int) -> bool:
    """Return whether `number` is free on every interface that would answer on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, number))
        except OSError:
            return False
        return True

"""Real engines for the tests of the stack: NATS, Redis and the AWS emulator, each on a free loopback port.

They are the very ones that `make run` starts. Every engine is its own process in its own folder, is
ready when its context is entered, and is ended by its process id when the context is left. Nothing
is shared between two tests unless a fixture shares it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.engines import (
    FAKE_AWS_ENVIRONMENT,
    LOOPBACK,
    PROGRAMS,
    EngineDidNotStartError,
    answers,
    clean_environment,
    free_port,
    launch_nats,
    launch_redis,
    ministack,
    running,
    stop,
)
from infra.packaging.region import REGION

__all__ = [
    "FAKE_AWS_ENVIRONMENT",
    "LOOPBACK",
    "PROGRAMS",
    "REGION",
    "EngineDidNotStartError",
    "answers",
    "clean_environment",
    "free_port",
    "ministack",
    "nats_server",
    "redis_server",
    "stop",
]


@contextmanager
def nats_server(directory: Path, port: int | None = None, *, configuration: Path | None = None) -> Iterator[str]:
    """Yield the address of a NATS server with JetStream that keeps its state in `directory`.

    With the same folder and port, entering it again restarts the same server.
    """
    chosen = port or free_port()
    with running(launch_nats(directory, chosen, configuration=configuration)):
        yield f"nats://{LOOPBACK}:{chosen}"


@contextmanager
def redis_server(directory: Path, port: int | None = None, *, password: str = "") -> Iterator[str]:
    """Yield the address of an empty Redis server, without the password that it may require.

    With the same port, entering it again starts another server in the same place.
    """
    chosen = port or free_port()
    with running(launch_redis(directory, chosen, password=password)):
        yield f"redis://{LOOPBACK}:{chosen}"

"""Real engines for the tests of the stack: NATS, Redis and the AWS emulator, each on a free loopback port.

They are the very ones that `make run` starts. Every engine is its own process in its own folder, is
ready when its context is entered, and is ended by its process id when the context is left. Nothing
is shared between two tests unless a fixture shares it.
"""

from infra.local.engines import (
    FAKE_AWS_ENVIRONMENT,
    LOOPBACK,
    PROGRAMS,
    EngineDidNotStartError,
    answers,
    clean_environment,
    free_port,
    ministack,
    nats_server,
    redis_server,
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

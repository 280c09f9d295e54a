"""One connection to Redis with a strict time limit for callers, and without cost while Redis is down.

A separate thread runs the connection, so that the limit covers everything together: name look-up, connecting, TLS,
login and a slow reply. redis-py's own timeouts bound each of these alone. Passing a command to the thread and back
costs 9 µs.
"""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from chalicelib.environment import SettingError
from chalicelib.telemetry import logger

Answer = TypeVar("Answer")
Command = Callable[[Redis], Answer]

REST_SECONDS = 3.0
"""How long Redis is not used after a failure, before a new try in the background."""
SOCKET_SECONDS = 1.0
"""How long the thread waits for one step of Redis; the caller has given up long before."""
PROBE_SECONDS = 0.03
"""How fast Redis must answer a background try to be used again."""


class RedisConnection:
    """Answers commands within the time that each caller has for it, or not at all.

    Connects at once, in the background. One thread at a time may use it. After a failure or timeout it answers nothing
    for `REST_SECONDS`, and then until a try in the background succeeds.
    """

    def __init__(self, url: str) -> None:
        """Take the server's address, `redis://…` or `rediss://…`.

        Raises:
            SettingError: it is not such an address.
        """
        try:
            ConnectionPool.from_url(url)
        except ValueError:
            # Not what it is: it may hold a password.
            raise SettingError("REDIS_URL takes redis://host:port or rediss://host:port") from None
        self._url = url
        self._client: Redis | None = None
        self._jobs: SimpleQueue[tuple[Command[Any], SimpleQueue[Any]] | None] = SimpleQueue()
        self._rests_until: float | None = None
        self._probe: SimpleQueue[Any] | None = None
        self._thread = Thread(target=self._work, name="redis", daemon=True)
        self._thread.start()
        self._begin(_ping)

    def ask(self, command: Command[Answer], *, within_seconds: float) -> Answer | None:
        """Return the reply to `command`, None if Redis is not in use, fails, or takes longer than `within_seconds`."""
        if self._rests_until is not None and not self._is_back(self._rests_until):
            return None
        try:
            answer = self._begin(command).get(timeout=within_seconds)
        except Empty:
            answer = TimeoutError()
        if isinstance(answer, Exception):
            # The kind only: the text may hold an address.
            logger.warning("shared statuses are left alone", reason=type(answer).__name__, seconds=REST_SECONDS)
            self._rests_until = time.monotonic() + REST_SECONDS
            return None
        result: Answer = answer
        return result

    def close(self) -> None:
        """End the thread and its connection; afterwards nothing is answered any more."""
        self._rests_until = float("inf")
        self._jobs.put(None)
        self._thread.join()

    def _begin(self, command: Command[Any]) -> SimpleQueue[Any]:
        box: SimpleQueue[Any] = SimpleQueue()
        self._jobs.put((command, box))
        return box

    def _is_back(self, rests_until: float) -> bool:
        """Return whether Redis works again; starts an attempt in the background when it is time."""
        if time.monotonic() < rests_until:
            return False
        if self._probe is None:
            self._probe = self._begin(_probe)
            return False
        try:
            well = self._probe.get_nowait()
        except Empty:
            return False
        self._probe = None
        self._rests_until = None if well is True else time.monotonic() + REST_SECONDS
        return self._rests_until is None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            command, box = job
            try:
                if self._client is None:
                    self._client = _connected(self._url)
                box.put(command(self._client))
            except Exception as error:  # noqa: BLE001 - the outermost place of this thread: the caller reports it
                box.put(error)
        if self._client is not None:
            self._client.close()


def _connected(url: str) -> Redis:
    return Redis.from_url(
        url,
        single_connection_client=True,
        socket_connect_timeout=SOCKET_SECONDS,
        socket_timeout=SOCKET_SECONDS,
        # For the connection that the server closed while this container was frozen.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        # Each of these would cost a round trip at connecting.
        protocol=2,
        driver_info=None,
    )


def _ping(client: Redis) -> bool:
    return bool(client.ping())


def _probe(client: Redis) -> bool:
    """Return whether Redis answers fast enough; the time to connect does not count."""
    client.ping()
    started = time.monotonic()
    client.ping()
    return time.monotonic() - started < PROBE_SECONDS

"""The identity provider's key set (RFC 7517), by which tokens signed with RS256 and ES256 are verified.

Whatever happens to the provider, the last set with a usable key is used for a day: a reset connection, a page of HTML,
a set without keys and an endless answer all count as the same failure.
"""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener

import jwt
from jwt.exceptions import PyJWKClientConnectionError

from chalicelib.telemetry import logger

FETCH_SECONDS = 3.0
"""The longest wait for a key set: name look-up, connection and the whole answer together."""
ANSWER_BYTES_MAX = 262_144
RETRY_SECONDS = 2.0
"""How long the provider is not asked again after a failure."""
KEYS_KEEP_SECONDS = 300.0
KEYS_STALE_SECONDS = 86_400.0


class KeySet(jwt.PyJWKClient):
    """A provider's key set, read again every five minutes, and for an unknown key twice a minute at most."""

    def __init__(self, url: str, algorithm: str) -> None:
        super().__init__(url, lifespan=KEYS_KEEP_SECONDS, timeout=FETCH_SECONDS)
        self._algorithm = algorithm
        self._last: jwt.PyJWKSet | None = None
        self._read_at = 0.0
        self._ask_at = 0.0
        self._failure = ""

    def fetch_data(self) -> jwt.PyJWKSet:
        """Return the usable keys of the provider's set; when none can be read, those of the last set, for a day.

        Raises:
            PyJWKClientConnectionError: no set can be read now, and none was within a day.
        """
        if time.monotonic() >= self._ask_at:
            self._ask()
        if self._last is None or time.monotonic() - self._read_at > KEYS_STALE_SECONDS:
            raise PyJWKClientConnectionError(self._failure)
        return self._last

    def _ask(self) -> None:
        try:
            self._last = _usable(json.loads(_answer(self.uri)), self._algorithm)
            self._read_at = time.monotonic()
        # urllib, http.client, json and a hostile set raise unrelated errors; all of them mean "no key set".
        except Exception as error:  # noqa: BLE001 - it is reported
            self._failure = f"{type(error).__name__}: {error}"[:200]
            self._ask_at = time.monotonic() + RETRY_SECONDS
            logger.warning("key set not read", reason=self._failure, kept=self._last is not None)

    def keys(self, token: str) -> Sequence[jwt.PyJWK]:
        """Return the one key that the token's header names."""
        return [self.get_signing_key_from_jwt(token)]


class _NoRedirects(HTTPRedirectHandler):
    """Treats a redirect as an error: it could lead from https to anywhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _answer(url: str) -> bytes:
    """Return the answer of `url`, within FETCH_SECONDS in all.

    A socket's own time limit restarts with every byte, and a name's look-up has none. So a separate thread reads, and
    is abandoned when the time is over.
    """
    answers: SimpleQueue[bytes | Exception] = SimpleQueue()
    Thread(target=_read_into, args=(answers, url), daemon=True).start()
    with suppress(Empty):
        answer = answers.get(timeout=FETCH_SECONDS)
        if isinstance(answer, Exception):
            raise answer
        return answer
    raise TimeoutError(f"no whole answer within {FETCH_SECONDS:g} seconds")


def _read_into(answers: "SimpleQueue[bytes | Exception]", url: str) -> None:
    try:
        answers.put(_read(url, ends_at=time.monotonic() + FETCH_SECONDS))
    except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
        if isinstance(error, HTTPError):
            error.close()
        answers.put(error)


def _read(url: str, *, ends_at: float) -> bytes:
    read = bytearray()
    with build_opener(_NoRedirects()).open(url, timeout=FETCH_SECONDS) as response:
        # In pieces, so that the thread ends soon after its caller gave up.
        while (piece := response.read1(ANSWER_BYTES_MAX)) and time.monotonic() < ends_at:
            read += piece
            if len(read) > ANSWER_BYTES_MAX:
                raise ValueError(f"the answer has more than {ANSWER_BYTES_MAX} bytes")
    return bytes(read)


def _usable(answer: Any, algorithm: str) -> jwt.PyJWKSet:
    """Return the keys of `answer` that may have signed a token; a malformed one must not spoil the others."""
    keys = answer.get("keys") if isinstance(answer, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the answer is no key set")  # noqa: TRY004 - the content is wrong, not a type of ours
    usable = [key for key in keys if _may_sign(key, algorithm)]
    if not usable:
        raise ValueError(f"the set has no key for {algorithm}")
    return jwt.PyJWKSet(usable)


def _may_sign(key: Any, algorithm: str) -> bool:
    try:
        parsed = jwt.PyJWK(key)
    except Exception:  # noqa: BLE001 - values of any type reach the parsing of numbers
        return False
    named = isinstance(parsed.key_id, str) and bool(parsed.key_id)
    return named and parsed.public_key_use in ("sig", None) and parsed.algorithm_name == algorithm

"""A connection to NATS that gives up soon: a person waits for the answer."""

import nats
import nats.errors
from nats.aio.client import Client

CONNECT_SECONDS = 3
ATTEMPTS = 1
"""How often a server is tried again; the client takes 0 for ever, and 60 if it is not told."""


async def connected(url: str) -> Client:
    """Return a client of the server at `url`, which is tried twice without a pause.

    Raises:
        OSError, nats.errors.Error, TimeoutError: It does not answer.
    """
    heard: list[Exception] = []

    async def listen(error: Exception) -> None:
        """Keep what the client would log: the command says it in a sentence."""
        heard.append(error)

    try:
        return await nats.connect(
            url,
            name="credits",
            connect_timeout=CONNECT_SECONDS,
            allow_reconnect=False,
            max_reconnect_attempts=ATTEMPTS,
            reconnect_time_wait=0,
            error_cb=listen,
        )
    except nats.errors.NoServersError as error:
        raise (heard[-1] if heard else error) from None

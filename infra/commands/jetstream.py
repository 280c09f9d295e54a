"""A connection to NATS that gives up soon: a person waits for the answer."""

import os

import nats.errors
from nats.aio.client import Client

from infra.bridge.access import NATS_URL, Access
from infra.bridge.nats_client import NatsClient
from infra.commands.target import Target

CONNECT_SECONDS = 3
ATTEMPTS = 1
"""How often a server is tried again; the client takes 0 for ever, and 60 by default."""


def access_to(target: Target, nats_url: str | None) -> Access | None:
    """Return how the target's NATS is reached, None where nobody says where it is.

    The settings of the environment (`NATS_USER` and so on) are for the address that it or the command line names.

    Raises:
        AccessError: one of them is missing or wrong.
    """
    if nats_url:
        return Access.from_environment({**os.environ, NATS_URL: nats_url})
    return Access.from_environment({NATS_URL: target.local.nats_url}) if target.local else None


async def connected(access: Access) -> Client:
    """Return a client of the servers of `access`, each of which is tried twice without a pause.

    Raises:
        OSError, nats.errors.Error, TimeoutError: It does not answer.
    """
    heard: list[Exception] = []

    async def listen(error: Exception) -> None:
        """Keep what the client would log: the command says it in a sentence."""
        heard.append(error)

    client = NatsClient(access)
    try:
        await client.connect(
            servers=list(access.servers),
            name="credits",
            connect_timeout=CONNECT_SECONDS,
            allow_reconnect=False,
            max_reconnect_attempts=ATTEMPTS,
            reconnect_time_wait=0,
            error_cb=listen,
            **access.login(),
        )
    except nats.errors.NoServersError as error:
        raise (heard[-1] if heard else error) from None
    return client

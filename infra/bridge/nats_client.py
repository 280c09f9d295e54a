"""A client of NATS that keeps to `tls://`: the connection is encrypted and the server verified, or there is none.

nats-py 2.16.0 encrypts where the server asks for it and else sends the password in plain text, whatever the address
says; the server's first words (INFO) come before the encryption, so whoever sits on the line can change them.
"""

import ssl
from typing import Any

from nats.aio.client import Client

from infra.bridge.access import Access, AccessError
from infra.bridge.nkeys import public_key, signing_key


class NoTlsError(AccessError):
    """The address asks for TLS and the server does not offer it; nothing was sent to it."""


class NatsClient(Client):
    """nats-py's client of the servers of an `Access`, to be connected with its `servers` and `login()`."""

    def __init__(self, access: Access) -> None:
        """Be ready to connect."""
        super().__init__()
        self._access = access
        if access.seed is not None:
            self._public_nkey = public_key(signing_key(access.user_seed() or ""))

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """What verifies the server, made anew at each connection, so that renewed certificates are used."""
        return self._access.context()

    async def _process_connect_init(self) -> None:
        """Open the conversation with a server; where that fails, nothing is left of the connection.

        nats-py would wait for the end of a stream that a failed handshake has taken from it, for ever.
        """
        try:
            await super()._process_connect_init()
        except BaseException:
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
                self._transport = None
            raise

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Take what a server says of itself; its first words, still in plain text, can only ask for more safety.

        Raises:
            NoTlsError: it offers no TLS where the address asks for it.
        """
        if initial_connection and self._access.tls:
            if not (info.get("tls_required") or info.get("tls_available")):
                message = "the server does not offer TLS, which the settings ask for; nothing was sent to it"
                raise NoTlsError(message)
            info["tls_required"] = True
            # A server named here would be trusted under a name that somebody on the line chose.
            info.pop("connect_urls", None)
        await super()._process_info(info, initial_connection)

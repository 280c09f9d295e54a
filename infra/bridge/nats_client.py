"""A client of NATS that enforces `tls://`: it connects only with encryption, to a verified server.

nats-py 2.16.0 encrypts if the server requires it, and otherwise sends the password in plain text, whatever the
address's scheme; the server's INFO precedes the encryption, so a man in the middle can change it.
"""

import ssl
from typing import Any

from nats.aio.client import Client

from infra.bridge.access import Access, AccessError
from infra.bridge.nkeys import public_key, signing_key


class NoTlsError(AccessError):
    """The address requires TLS and the server does not offer it; nothing was sent to it."""


class NatsClient(Client):
    """nats-py's client for an `Access`; connect it with its `servers` and `login()`."""

    def __init__(self, access: Access) -> None:
        """Be ready to connect."""
        super().__init__()
        self._access = access
        if access.seed is not None:
            self._public_nkey = public_key(signing_key(access.user_seed() or ""))

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The TLS context that verifies the server, made anew at each connection to use renewed certificates."""
        return self._access.context()

    async def _process_connect_init(self) -> None:
        """Open the connection to a server; a failure leaves nothing of it open.

        nats-py would wait for ever for the end of a stream that a failed handshake has closed.
        """
        try:
            await super()._process_connect_init()
        except BaseException:
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
                self._transport = None
            raise

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Process a server's INFO; the first one, still in plain text, can only add security.

        Raises:
            NoTlsError: it offers no TLS although the address requires it.
        """
        if initial_connection and self._access.tls:
            if not (info.get("tls_required") or info.get("tls_available")):
                raise NoTlsError("the server does not offer TLS, which the settings ask for; nothing was sent to it")
            info["tls_required"] = True
            # A server named here would be trusted under a name that a man in the middle may have chosen.
            info.pop("connect_urls", None)
        await super()._process_info(info, initial_connection)

"""How NATS is reached: where, over TLS or not, and as whom; from the environment (contract, sections 19 and 20).

The bridge and the command line read the same settings. A secret is a text (`NATS_PASSWORD`) or a file
(`NATS_PASSWORD_FILE`); a file is read anew at each connection, so that a new one needs no restart.
"""

import base64
import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypedDict
from urllib.parse import SplitResult, unquote, urlsplit

import nats.errors

from infra.bridge.nkeys import NkeyError, signing_key

NATS_URL: Final = "NATS_URL"

_SCHEMES: Final = ("nats", "tls")
_BLOCK: Final = r"-+BEGIN {}-+\s+(\S+)\s+-+END {}-+"
_USER_JWT: Final = re.compile(_BLOCK.format("NATS USER JWT", "NATS USER JWT"))
_USER_SEED: Final = re.compile(_BLOCK.format("USER NKEY SEED", "USER NKEY SEED"))


class AccessError(nats.errors.Error):
    """A setting of the connection is missing or wrong; its text is a sentence that names it and holds no secret."""


class Login(TypedDict, total=False):
    """As whom to connect, as arguments of `nats.aio.client.Client.connect`."""

    user: str
    password: Callable[[], str]
    token: str
    user_jwt_cb: Callable[[], bytearray | bytes]
    signature_cb: Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret in a setting: its text, or the file that holds it."""

    name: str
    text: str | None = field(default=None, repr=False)
    path: Path | None = None

    def read(self) -> str:
        """Return the secret, without the line break at the end of a file.

        Raises:
            AccessError: the file cannot be read.
        """
        if self.path is None:
            return self.text or ""
        try:
            return self.path.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise self.wrong(f"cannot be read: {reason}") from None

    def wrong(self, why: str) -> AccessError:
        """Return the error that names the setting and its fault."""
        return AccessError(f"{self.name} {why}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The addresses without any secret in them, and how to connect to each of them.

    With `tls` every connection is encrypted, to a server whose certificate matches its name. One address of `tls://`, a
    private CA or a client certificate turns it on for every address.
    """

    servers: tuple[str, ...]
    tls: bool
    user: str | None = field(default=None, repr=False)
    password: Secret | None = None
    token: str | None = field(default=None, repr=False)
    credentials: Secret | None = None
    seed: Secret | None = None
    authorities: Secret | None = None
    certificate: Secret | None = None
    key: Secret | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Access":
        """Return how NATS is reached, by the settings in `environment`.

        Raises:
            AccessError: a setting or a file it names is missing, malformed or contradicts another one.
        """
        addresses = _addresses(environment.get(NATS_URL, ""))
        url_user, url_password = _user_of(addresses)
        user = environment.get("NATS_USER", "").strip() or None
        password = _secret(environment, "NATS_PASSWORD")
        if url_password is not None:
            password = password or Secret(name=NATS_URL, text=url_password)
        access = cls(
            servers=tuple(f"{address.scheme}://{address.netloc.rpartition('@')[2]}" for address in addresses),
            tls=any(address.scheme == "tls" for address in addresses)
            or any(_secret(environment, name) for name in ("NATS_CA", "NATS_CLIENT_CERTIFICATE")),
            user=user or (url_user if url_password is not None else None),
            password=password,
            token=url_user if url_password is None else None,
            credentials=_secret(environment, "NATS_CREDENTIALS"),
            seed=_secret(environment, "NATS_NKEY_SEED"),
            authorities=_secret(environment, "NATS_CA"),
            certificate=_secret(environment, "NATS_CLIENT_CERTIFICATE"),
            key=_secret(environment, "NATS_CLIENT_KEY"),
        )
        _one_login(
            {
                "a user in NATS_URL": url_user is not None,
                "NATS_USER": user is not None,
                "NATS_CREDENTIALS": access.credentials is not None,
                "NATS_NKEY_SEED": access.seed is not None,
            }
        )
        _together("NATS_USER", access.user, "NATS_PASSWORD", access.password)
        _together("NATS_CLIENT_CERTIFICATE", access.certificate, "NATS_CLIENT_KEY", access.key)
        access.check()
        return access

    @property
    def hosts(self) -> str:
        """The addresses without secrets, for log lines."""
        return ", ".join(self.servers)

    def check(self) -> None:
        """Read everything that a connection will need.

        Raises:
            AccessError: a file cannot be read, or its content is invalid.
        """
        if self.tls:
            # Without TLS no file is named, and to load the public authorities takes a while.
            self.context()
        self.user_seed()
        if self.credentials is not None:
            self._user_jwt()
        if self.password is not None:
            self.password.read()

    def login(self) -> Login:
        """Return the user to connect as; files are read at each connection."""
        if self.credentials is not None:
            return Login(user_jwt_cb=lambda: self._user_jwt().encode(), signature_cb=self._sign)
        if self.seed is not None:
            return Login(signature_cb=self._sign)
        if self.user is not None and self.password is not None:
            return Login(user=self.user, password=self.password.read)
        return Login(token=self.token) if self.token is not None else Login()

    def user_seed(self) -> str | None:
        """Return the seed of the user's NKey, None where there is none.

        Raises:
            AccessError: the file cannot be read, or holds none.
        """
        source = self.credentials or self.seed
        if source is None:
            return None
        text = source.read()
        found = _USER_SEED.search(text) if source is self.credentials else None
        if source is self.credentials and found is None:
            raise source.wrong("holds no seed of a user: it must be a credentials file as `nsc` writes it")
        seed = found.group(1) if found else text
        try:
            signing_key(seed)
        except NkeyError as error:
            raise source.wrong(f"is wrong: {error}") from None
        return seed

    def context(self) -> ssl.SSLContext:
        """Return the TLS context that verifies the server's name, and its certificate by the public or a private CA.

        Raises:
            AccessError: a certificate or key cannot be read or is invalid.
        """
        authorities = self.authorities.read() if self.authorities else None
        try:
            context = ssl.create_default_context(cadata=authorities)
        except (ssl.SSLError, ValueError):
            authorities = ""
        if self.authorities is not None and not authorities:
            # An empty file does not mean "the public ones": whoever names a CA trusts no other.
            raise self.authorities.wrong("holds no certificates in PEM")
        if self.certificate is not None and self.key is not None:
            try:
                _present(context, self.certificate, self.key)
            except (ssl.SSLError, ValueError):
                raise self.certificate.wrong(
                    "and NATS_CLIENT_KEY are no certificate and its unencrypted key in PEM"
                ) from None
        return context

    def _user_jwt(self) -> str:
        assert self.credentials is not None, "asked for with credentials only"
        found = _USER_JWT.search(self.credentials.read())
        if found is None:
            raise self.credentials.wrong("holds no JWT of a user: it must be a credentials file as `nsc` writes it")
        return found.group(1)

    def _sign(self, nonce: str) -> bytes:
        return base64.b64encode(signing_key(self.user_seed() or "").sign(nonce.encode()).signature)


def _one_login(given: Mapping[str, bool]) -> None:
    named = [way for way, there in given.items() if there]
    if len(named) > 1:
        raise AccessError(f"{' and '.join(named)} are two ways to log in to NATS: set one of them.")


def _together(name: str, value: object, other: str, other_value: object) -> None:
    if (value is None) != (other_value is None):
        raise AccessError(f"{name} and {other} belong together: one of them is not set.")


def _addresses(value: str) -> list[SplitResult]:
    texts = [part.strip() for part in value.split(",") if part.strip()]
    if not texts:
        raise AccessError(f"{NATS_URL} is not set: the address of NATS is needed, such as nats://127.0.0.1:4222.")
    addresses = []
    for number, text in enumerate(texts, start=1):
        # The address may hold a password, so the message gives its position and not its text. A password with an
        # unescaped / ? or # would end the host's name early, and part of it would be parsed as the port.
        try:
            address = urlsplit(text)
            right = address.scheme in _SCHEMES and bool(address.hostname) and address.port != 0
        except ValueError:
            right = False
        if not right or address.path not in {"", "/"} or address.query or address.fragment:
            raise AccessError(
                f"{NATS_URL}: address {number} of {len(texts)} is not of the form nats://host:port or tls://host:port; "
                "a user or password in it has to be percent-encoded."
            )
        addresses.append(address)
    return addresses


def _user_of(addresses: list[SplitResult]) -> tuple[str | None, str | None]:
    """Return the one user and password in the addresses; a user without a password is a token."""
    found = {
        (unquote(address.username), None if address.password is None else unquote(address.password))
        for address in addresses
        if address.username
    }
    if len(found) > 1:
        raise AccessError(
            f"{NATS_URL}: the addresses name different users; the servers of one cluster know the same ones."
        )
    return found.pop() if found else (None, None)


def _secret(environment: Mapping[str, str], name: str) -> Secret | None:
    text, path = environment.get(name, ""), environment.get(f"{name}_FILE", "").strip()
    if text and path:
        raise AccessError(f"{name} and {name}_FILE are both set: set one of them.")
    if path:
        return Secret(name=f"{name}_FILE", path=Path(path))
    return Secret(name=name, text=text) if text else None


def _present(context: ssl.SSLContext, certificate: Secret, key: Secret) -> None:
    """Have `context` present a certificate with its key; a key that came as a text touches no disk."""
    # An encrypted key must fail, and not ask for its password at a terminal.
    if certificate.path is not None and key.path is not None:
        certificate.read()
        key.read()
        context.load_cert_chain(certificate.path, key.path, password="")
        return
    # OpenSSL reads files only; this one is in memory, which only Linux has.
    descriptor = os.memfd_create("nats-client", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{certificate.read()}\n{key.read()}\n")
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")

"""Faulty Redis servers: silent, slow, or sending in small pieces; and one with TLS. Each on a loopback port."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.engines import LOOPBACK

Wrap = Callable[[socket.socket], socket.socket]
CHUNK_BYTES = 65536


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the address of a server that accepts every connection and never answers."""
    with socket.create_server((LOOPBACK, 0), backlog=128) as listening:
        yield f"redis://{LOOPBACK}:{listening.getsockname()[1]}"


@contextmanager
def proxy(
    upstream: str,
    *,
    delay_seconds: Callable[[], float] = lambda: 0.0,
    piece_bytes: int = CHUNK_BYTES,
    wrap: Wrap | None = None,
) -> Iterator[int]:
    """Yield the port of a proxy that waits before each piece of an answer, and ends its connections when left."""
    address = (LOOPBACK, urlsplit(upstream).port or 0)
    with ExitStack() as opened, socket.create_server((LOOPBACK, 0)) as listening:
        threads: list[threading.Thread] = []

        def start(work: Callable[[], None]) -> None:
            threads.append(threading.Thread(target=work, daemon=True))
            threads[-1].start()

        def serve(accepted: socket.socket) -> None:
            with suppress(OSError):
                client = wrap(accepted) if wrap else accepted
                server = socket.create_connection(address)
                opened.callback(_end, client)
                opened.callback(_end, server)
                start(lambda: _pass(client, server, lambda: 0.0, CHUNK_BYTES))
                _pass(server, client, delay_seconds, piece_bytes)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted, _ = listening.accept()
                    opened.callback(_end, accepted)
                    start(lambda: serve(accepted))  # noqa: B023 - started before the next is accepted

        start(accept)
        try:
            yield listening.getsockname()[1]
        finally:
            _end(listening)
            opened.close()
            for thread in threads:
                thread.join(timeout=2)


def _pass(source: socket.socket, target: socket.socket, delay_seconds: Callable[[], float], piece_bytes: int) -> None:
    with suppress(OSError):
        while received := source.recv(CHUNK_BYTES):
            for start in range(0, len(received), piece_bytes):
                time.sleep(delay_seconds())
                target.sendall(received[start : start + piece_bytes])
    _end(source)
    _end(target)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def tls_server(upstream: str, directory: Path) -> Iterator[str]:
    """Yield the `rediss://` address of a server with its own certificate, which the address names as trusted."""
    certificate = _certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with proxy(upstream, wrap=lambda accepted: context.wrap_socket(accepted, server_side=True)) as port:
        yield f"rediss://{LOOPBACK}:{port}?ssl_ca_certs={certificate}"


def _certificate(directory: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOOPBACK)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "redis.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path

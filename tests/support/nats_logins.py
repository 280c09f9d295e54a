"""NATS servers with authentication and TLS: their configuration, their users, and a fake one that only listens."""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from infra.bridge.nkeys import public_key, signing_key
from tests.support.certificates import Pair

INFO: Mapping[str, Any] = {
    "server_id": "x",
    "version": "2.15.1",
    "proto": 1,
    "headers": True,
    "max_payload": 1048576,
    "auth_required": True,
    "nonce": "nonce",
}


def configured(folder: Path, *, users: Sequence[Mapping[str, Any]] = (), tls: Pair | None = None, **more: Any) -> Path:
    """Return a server's configuration with these users, and TLS with a certificate."""
    content: dict[str, Any] = {}
    if users:
        content["authorization"] = {"users": list(users)}
    if tls is not None:
        content["tls"] = {"cert_file": str(tls.certificate), "key_file": str(tls.key), **more.pop("tls_more", {})}
    path = folder / "nats.conf"
    # What is JSON is a configuration of nats-server too.
    path.write_text(json.dumps({**content, **more}))
    return path


def seed_of(number: int) -> tuple[str, str]:
    """Return the seed and the public key of a user."""
    seed = _text([18 << 3 | (20 << 3) >> 5, 0], bytes([number]) * 32)
    return seed, public_key(signing_key(seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An operator's server: the settings that it needs, and the credentials file of a user of its."""

    settings: Mapping[str, Any]
    credentials: str


def operator() -> Operator:
    """Return an operator with an account and a user, whose JWTs are made as `nsc` makes them."""
    keys = {name: SigningKey(bytes([number]) * 32) for number, name in enumerate(("operator", "account", "system"), 1)}
    prefixes = {"operator": 14, "account": 0, "system": 0}
    public = {name: _text([prefixes[name] << 3], bytes(key.verify_key)) for name, key in keys.items()}
    accounts = {
        public[name]: _jwt(
            keys["operator"], public["operator"], public[name], {"type": "account", "limits": _UNLIMITED}
        )
        for name in ("account", "system")
    }
    of_operator = {"type": "operator", "system_account": public["system"]}
    seed, user = seed_of(9)
    login = _jwt(keys["account"], public["account"], user, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    return Operator(
        settings={
            "operator": _jwt(keys["operator"], public["operator"], public["operator"], of_operator),
            "system_account": public["system"],
            "resolver": "MEMORY",
            "resolver_preload": accounts,
        },
        credentials=(
            f"-----BEGIN NATS USER JWT-----\n{login}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        ),
    )


@dataclass(slots=True)
class Listener:
    """A fake NATS server: sends INFO, and keeps every byte that it receives."""

    port: int = 0
    connections: int = 0
    heard: bytearray = field(default_factory=bytearray)
    twice: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def listener(port: int = 0, **info: Any) -> AsyncIterator[Listener]:
    """Yield a listener on loopback that adds `info` to a server's usual INFO."""
    found = Listener()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        writers.append(writer)
        if found.connections > 1:
            found.twice.set()
        writer.write(b"INFO " + json.dumps({**INFO, **info}).encode() + b"\r\n")
        while said := await reader.read(4096):
            found.heard += said
            writer.write(b"PONG\r\n")

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in writers:
            writer.close()


_UNLIMITED: Mapping[str, object] = {
    "wildcards": True,
    **dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1),
}


def _text(prefix: Sequence[int], raw: bytes) -> str:
    kept = bytes(prefix) + raw
    checksum = binascii.crc_hqx(kept, 0).to_bytes(2, "little")
    return base64.b32encode(kept + checksum).decode().rstrip("=")


def _jwt(key: SigningKey, issuer: str, subject: str, claims: Mapping[str, Any]) -> str:
    content = {"jti": "x", "iat": int(time.time()), "iss": issuer, "sub": subject, "nats": {**claims, "version": 2}}
    parts = [_part({"typ": "JWT", "alg": "ed25519-nkey"}), _part(content)]
    signature = key.sign(".".join(parts).encode()).signature
    return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])


def _part(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

"""NATS over TLS and by every login, against a real server, for the bridge and for the command line alike."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import nats.errors
import pytest

from infra.bridge.access import Access
from infra.bridge.connection import Link
from infra.bridge.nats_client import NatsClient
from infra.bridge.telemetry import Part, Telemetry
from infra.commands.jetstream import connected
from tests.functions.test_cli import describe
from tests.support.bridge_fakes import settings
from tests.support.certificates import Authority
from tests.support.command_line import said
from tests.support.engines import free_port, nats_server
from tests.support.nats_logins import Listener, configured, listener, operator, seed_of

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    # nats-py leaves the sockets of failed attempts to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SECONDS = 60.0
"""How long a connection may take on a busy machine; no wait is longer than needed."""
REFUSALS = 3
"""So often the bridge tries before a test believes that it is refused, at each address and again."""
CANARY = "pass-canary"
BRIDGE = {"user": "bridge", "password": "p@ss/word:#"}
LOGIN = {"NATS_USER": "bridge", "NATS_PASSWORD": "p@ss/word:#"}
Reach = Callable[[Mapping[str, str]], Coroutine[Any, Any, None]]


class WatchedLink(Link):
    """The bridge's connection, with an event for a refusal that stays one; no answer in time is no refusal."""

    def __init__(self, telemetry: Telemetry, environment: Mapping[str, str]) -> None:
        super().__init__(settings(**environment), telemetry)
        self.refused = asyncio.Event()
        self._refusals = 0

    async def _on_error(self, error: Exception) -> None:
        await super()._on_error(error)
        self._refusals += not isinstance(error, TimeoutError)
        if self._refusals == REFUSALS:
            self.refused.set()


async def by_bridge(environment: Mapping[str, str]) -> None:
    """Return once the bridge is connected; raise what it says of NATS once it was refused again and again."""
    telemetry = Telemetry()
    link = WatchedLink(telemetry, environment)
    connecting, refused = asyncio.create_task(link.connect()), asyncio.create_task(link.refused.wait())
    try:
        await asyncio.wait({connecting, refused}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            raise ConnectionError(telemetry.parts[Part.NATS].detail)
        await connecting
    finally:
        for task in (connecting, refused):
            task.cancel()
        await asyncio.wait({connecting, refused})
        await link.close()


async def by_command_line(environment: Mapping[str, str]) -> None:
    """Return once the command line's client was connected."""
    client = await connected(Access.from_environment(environment))
    await client.close()


async def ready_again(telemetry: Telemetry) -> None:
    while not telemetry.parts[Part.NATS].ok:  # noqa: ASYNC110 - the bridge has no event for it
        await asyncio.sleep(0.05)


@pytest.fixture(params=[by_bridge, by_command_line])
def reach(request: pytest.FixtureRequest) -> Reach:
    found: Reach = request.param
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def over_tls(url: str) -> str:
    return url.replace("nats://", "tls://")


def test_a_password_goes_over_tls_to_a_server_of_a_private_ca(
    tmp_path: Path, authority: Authority, reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = configured(tmp_path, users=[BRIDGE], tls=authority.signs("server"))
    with nats_server(tmp_path, configuration=file) as url:
        ca = {"NATS_CA_FILE": str(authority.file)}
        asyncio.run(reach({"NATS_URL": over_tls(url), **LOGIN, **ca}))
        asyncio.run(reach({"NATS_URL": url, **LOGIN, "NATS_CA": authority.file.read_text()}))
        named = over_tls(url).replace("//", "//bridge:p%40ss%2Fword%3A%23@")
        asyncio.run(reach({"NATS_URL": named, **ca}))
        with pytest.raises((nats.errors.Error, OSError)) as raised:
            asyncio.run(reach({"NATS_URL": over_tls(url), **LOGIN, "NATS_PASSWORD": CANARY, **ca}))
    shown = f"{raised.value!r} {caplog.text}"
    assert not any(secret in shown for secret in (CANARY, LOGIN["NATS_PASSWORD"], "p%40ss"))


def test_a_server_that_is_not_verified_is_not_connected_to(tmp_path: Path, authority: Authority, reach: Reach) -> None:
    other = Authority(tmp_path, "other")
    file = configured(tmp_path, users=[BRIDGE], tls=authority.signs("server", address="127.0.0.2"))
    with nats_server(tmp_path, configuration=file) as url:
        for ca, why in (
            ({"NATS_CA_FILE": str(authority.file)}, "mismatch"),
            ({"NATS_CA_FILE": str(other.file)}, "verify"),
            ({}, "verify"),
        ):
            with pytest.raises((nats.errors.Error, OSError), match=why):
                asyncio.run(reach({"NATS_URL": over_tls(url), **LOGIN, **ca}))


def test_a_client_certificate_is_presented_as_text_or_as_files(
    tmp_path: Path, authority: Authority, reach: Reach
) -> None:
    mutual = {"verify": True, "ca_file": str(authority.file)}
    file = configured(tmp_path, tls=authority.signs("server"), tls_more=mutual)
    mine, foreign = authority.signs("client"), Authority(tmp_path, "foreign").signs("stranger")
    with nats_server(tmp_path, configuration=file) as url:
        there = {"NATS_URL": over_tls(url), "NATS_CA_FILE": str(authority.file)}
        files = {"NATS_CLIENT_CERTIFICATE_FILE": str(mine.certificate), "NATS_CLIENT_KEY_FILE": str(mine.key)}
        asyncio.run(reach({**there, **files}))
        texts = {"NATS_CLIENT_CERTIFICATE": mine.certificate.read_text(), "NATS_CLIENT_KEY": mine.key.read_text()}
        asyncio.run(reach({**there, **texts}))
        strangers = {"NATS_CLIENT_CERTIFICATE_FILE": str(foreign.certificate), "NATS_CLIENT_KEY_FILE": str(foreign.key)}
        for nobody in ({}, strangers):
            with pytest.raises((nats.errors.Error, OSError)):
                asyncio.run(reach({**there, **nobody}))


def test_an_nkey_logs_in_and_another_one_does_not(tmp_path: Path, reach: Reach) -> None:
    seed, public = seed_of(1)
    file = tmp_path / "seed"
    file.write_text(seed + "\n")
    with nats_server(tmp_path, configuration=configured(tmp_path, users=[{"nkey": public}])) as url:
        asyncio.run(reach({"NATS_URL": url, "NATS_NKEY_SEED": seed}))
        asyncio.run(reach({"NATS_URL": url, "NATS_NKEY_SEED_FILE": str(file)}))
        with pytest.raises((nats.errors.Error, OSError)):
            asyncio.run(reach({"NATS_URL": url, "NATS_NKEY_SEED": seed_of(2)[0]}))


def test_a_credentials_file_logs_in(tmp_path: Path, reach: Reach) -> None:
    known = operator()
    file = tmp_path / "bridge.creds"
    file.write_text(known.credentials)
    with nats_server(tmp_path, configuration=configured(tmp_path, **known.settings)) as url:
        asyncio.run(reach({"NATS_URL": url, "NATS_CREDENTIALS_FILE": str(file)}))
        asyncio.run(reach({"NATS_URL": url, "NATS_CREDENTIALS": known.credentials}))
        with pytest.raises((nats.errors.Error, OSError)):
            asyncio.run(reach({"NATS_URL": url}))


@pytest.mark.parametrize("info", [{}, {"tls_required": False}, {"tls_available": False}])
def test_a_server_without_tls_gets_no_byte(
    reach: Reach, info: Mapping[str, bool], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def run() -> tuple[Listener, str]:
        async with listener(**info) as found:
            with pytest.raises((nats.errors.Error, OSError)) as raised:
                await reach({"NATS_URL": f"tls://bridge:{CANARY}@127.0.0.1:{found.port}"})
            return found, str(raised.value)

    found, why = asyncio.run(run())
    assert found.connections >= 1
    assert not found.heard
    assert "does not offer TLS" in why
    assert CANARY not in why + caplog.text


@pytest.mark.parametrize("urls", ["tls://127.0.0.1:{port},nats://127.0.0.1:{port}", "nats://127.0.0.1:{port}"])
def test_one_setting_of_tls_is_enough_for_every_address(urls: str, reach: Reach, authority: Authority) -> None:
    async def run() -> Listener:
        async with listener() as found:
            ca = {"NATS_CA_FILE": str(authority.file)} if "tls" not in urls else {}
            with pytest.raises((nats.errors.Error, OSError)):
                await reach({"NATS_URL": urls.format(port=found.port), **LOGIN, **ca})
            return found

    assert not asyncio.run(run()).heard


def test_a_server_that_offers_tls_without_asking_for_it_is_spoken_to_over_tls(
    tmp_path: Path, authority: Authority
) -> None:
    file = configured(tmp_path, users=[BRIDGE], tls=authority.signs("server"), allow_non_tls=True)

    async def run(url: str) -> tuple[bool, bool]:
        client = NatsClient(
            access := Access.from_environment({"NATS_URL": url, **LOGIN, "NATS_CA_FILE": str(authority.file)})
        )
        await client.connect(servers=list(access.servers), **access.login())
        encrypted = client._transport._io_writer.get_extra_info("ssl_object") is not None  # type: ignore[union-attr]
        await client.close()
        return encrypted, True

    with nats_server(tmp_path, configuration=file) as url:
        assert asyncio.run(run(url)) == (True, True)


def test_a_server_that_comes_back_without_tls_gets_no_byte_either(tmp_path: Path, authority: Authority) -> None:
    port = free_port()
    file = configured(tmp_path, users=[BRIDGE], tls=authority.signs("server"))
    known = settings(NATS_URL=f"tls://127.0.0.1:{port}", **LOGIN, NATS_CA_FILE=str(authority.file))

    async def run() -> tuple[Listener, str, bool]:
        telemetry = Telemetry()
        link = Link(known, telemetry)
        with nats_server(tmp_path, port, configuration=file):
            await asyncio.wait_for(link.connect(), SECONDS)
        async with listener(port) as impostor:
            await impostor.twice.wait()
        detail = telemetry.parts[Part.NATS].detail
        with nats_server(tmp_path, port, configuration=file):
            await asyncio.wait_for(ready_again(telemetry), SECONDS)
        back = telemetry.parts[Part.NATS].ok
        await link.close()
        return impostor, detail, back

    impostor, detail, back = asyncio.run(asyncio.wait_for(run(), 4 * SECONDS))
    assert not impostor.heard
    assert "does not offer TLS" in detail
    assert back


def test_a_bridge_that_met_a_bad_certificate_connects_once_it_is_a_good_one(
    tmp_path: Path, authority: Authority
) -> None:
    port = free_port()
    known = settings(NATS_URL=f"tls://127.0.0.1:{port}", NATS_CA_FILE=str(authority.file))
    bad = configured(tmp_path, tls=authority.signs("bad", address="127.0.0.2"))

    async def run() -> bool:
        telemetry = Telemetry()
        link = Link(known, telemetry)
        with nats_server(tmp_path, port, configuration=bad):
            connecting = asyncio.create_task(link.connect())
            while "mismatch" not in telemetry.parts[Part.NATS].detail:  # noqa: ASYNC110 - the bridge has no event for it
                await asyncio.sleep(0.05)
        with nats_server(tmp_path, port, configuration=configured(tmp_path, tls=authority.signs("good"))):
            await asyncio.wait_for(connecting, SECONDS)
            connected_at_last = telemetry.parts[Part.NATS].ok
            await link.close()
        return connected_at_last

    assert asyncio.run(asyncio.wait_for(run(), 4 * SECONDS))


def test_servers_named_before_the_line_is_encrypted_are_not_believed(authority: Authority) -> None:
    """Whoever sits on the line could name one whose certificate is good for its own name."""

    async def run() -> list[str]:
        async with listener(tls_required=True, connect_urls=["evil.example:4222"]) as found:
            ca = {"NATS_CA_FILE": str(authority.file)}
            access = Access.from_environment({"NATS_URL": f"tls://127.0.0.1:{found.port}", **LOGIN, **ca})
            client = NatsClient(access)
            with pytest.raises((nats.errors.Error, OSError)):
                await client.connect(servers=list(access.servers), allow_reconnect=False, **access.login())
            assert not any(secret.encode() in found.heard for secret in LOGIN.values())
            return [server.geturl() for server in client.discovered_servers]

    assert asyncio.run(run()) == []


def test_emit_sends_a_server_without_tls_nothing_and_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
    describe(tmp_path)

    async def run(*command: str) -> tuple[Listener, str]:
        async with listener() as found:
            url = f"tls://bridge:{CANARY}@127.0.0.1:{found.port}"
            environment = {"NATS_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
            told = await asyncio.to_thread(said, *command, environment=environment)
            return found, told.out + told.err

    emit = ("emit", "merchant.created", "merchant_id=4f1c6f0e-7c7b-4b5e-8a53-90b1d3f2a601", "--via", "nats")
    found, told = asyncio.run(run(*emit))
    assert found.connections > 0
    assert not found.heard
    assert "does not offer TLS" in " ".join(told.split())
    assert CANARY not in told

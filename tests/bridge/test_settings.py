"""The bridge's settings: defaults, and sentences that name what is wrong."""

from datetime import UTC, datetime

import pytest

from infra.bridge.settings import Settings, SettingsError
from tests.support.bridge_fakes import ENVIRONMENT, settings


def test_three_addresses_are_enough() -> None:
    known = settings()
    assert known.nats.servers == ("nats://127.0.0.1:4222",)
    assert (known.batch, known.message_bytes, known.log_level) == (10, 262_144, "INFO")


def test_several_nats_servers_are_separated_by_commas() -> None:
    known = settings(NATS_URL="nats://a:4222, tls://b:4222")
    assert known.nats.servers == ("nats://a:4222", "tls://b:4222")


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_missing_address_is_named(name: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}
    with pytest.raises(SettingsError, match=f"^{name} is not set: .*\\.$"):
        Settings.from_environment(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NATS_URL", "127.0.0.1:4222"),
        ("NATS_URL", "nats://"),
        ("NATS_URL", "nats://[::1"),
        ("INBOX_QUEUE_URL", "inbox"),
        ("OUTBOX_QUEUE_URL", "ftp://queue"),
        ("BRIDGE_LANES", "0"),
        ("BRIDGE_LANES", "-1"),
        ("BRIDGE_OUTBOX_LANES", "65"),
        ("BRIDGE_BATCH", "11"),
        ("BRIDGE_BATCH", "٣"),
        ("BRIDGE_IN_FLIGHT", "79"),
        ("BRIDGE_MESSAGE_BYTES", "262145"),
        ("BRIDGE_MESSAGE_BYTES", "1048577"),
        ("BRIDGE_REQUEST_BYTES", "1e6"),
        ("BRIDGE_ACK_WAIT_SECONDS", "ten"),
        ("BRIDGE_RETRY_SECONDS_MIN", "61"),
        ("BRIDGE_RETRY_SECONDS_MAX", "0"),
        ("BRIDGE_POLL_SECONDS", "21"),
        ("BRIDGE_DRAIN_SECONDS", "0"),
        ("BRIDGE_HEALTH_PORT", "65536"),
        ("BRIDGE_HEALTH_HOST", "localhost:80"),
        ("BRIDGE_STREAM_REPLICAS", "6"),
        ("BRIDGE_UPSTREAM", "take"),
        ("BRIDGE_START", "yesterday"),
        ("DEAD_LETTER_QUEUE_URL", "dead"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_is_named_in_a_sentence(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}[ :].*\\.$"):
        settings(**{name: value})


def test_streams_of_others_are_waited_for_and_read_from_their_beginning_unless_told_otherwise() -> None:
    assert (settings().create_upstream, settings().start) == (False, "all")
    assert settings(BRIDGE_UPSTREAM="Create").create_upstream
    assert settings(BRIDGE_START="NEW").start == "new"


@pytest.mark.parametrize("text", ["2026-11-25T00:00:00Z", "2026-11-25", "2026-11-25T02:00:00+02:00"])
def test_a_start_is_an_instant_in_utc(text: str) -> None:
    assert settings(BRIDGE_START=text).start == datetime(2026, 11, 25, tzinfo=UTC)


def test_the_password_in_an_address_is_not_said() -> None:
    with pytest.raises(SettingsError) as caught:
        settings(NATS_URL="natz://user:pass-canary@host:4222")
    assert "canary" not in str(caught.value)

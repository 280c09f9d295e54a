"""The bridge's settings: from the environment, one frozen value or a sentence that names the error."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import urlsplit

from infra.bridge.access import Access, AccessError

SQS_BATCH_ENTRIES: Final = 10
"""Entries that one SQS request holds at most."""

SQS_MESSAGE_BYTES: Final = 1024 * 1024
"""What SQS takes in one message and in one request today."""

CAREFUL_MESSAGE_BYTES: Final = 256 * 1024
"""The default limit: what every region, emulator and event source accepted before SQS raised its own."""

SQS_POLL_SECONDS: Final = 20
"""The longest wait that SQS offers to a receiver."""

DEFAULT_HEALTH_PORT: Final = 8016
LOOPBACK: Final = "127.0.0.1"

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LARGEST_PORT = 65_535
_LARGEST_EXPONENT = 30


class SettingsError(ValueError):
    """A setting is missing or wrong; its text is a sentence that names the setting. The process cannot start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The bridge's settings; durations are in seconds, sizes in bytes."""

    nats: Access
    inbox_queue_url: str
    outbox_queue_url: str
    dead_letter_queue_url: str | None
    figures_table: str | None
    create_upstream: bool
    start: Literal["all", "new"] | datetime
    lanes: int
    outbox_lanes: int
    batch: int
    in_flight: int
    message_bytes: int
    request_bytes: int
    ack_wait_seconds: int
    retry_seconds_min: int
    retry_seconds_max: int
    poll_seconds: int
    drain_seconds: int
    stream_replicas: int
    health_host: str
    health_port: int
    log_level: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings in `environment`.

        Raises `SettingsError` for the first name that is missing, malformed, out of range or contradicts another one.
        """
        read = _Environment(environment)
        settings = cls(
            nats=read.nats_access(),
            inbox_queue_url=read.queue_url("INBOX_QUEUE_URL"),
            outbox_queue_url=read.queue_url("OUTBOX_QUEUE_URL"),
            dead_letter_queue_url=(
                read.queue_url("DEAD_LETTER_QUEUE_URL")
                if environment.get("DEAD_LETTER_QUEUE_URL", "").strip()
                else None
            ),
            figures_table=environment.get("FIGURES_TABLE", "").strip() or None,
            create_upstream=read.choice("BRIDGE_UPSTREAM", ("wait", "create"), default="wait") == "create",
            start=read.start("BRIDGE_START"),
            lanes=read.number("BRIDGE_LANES", default=8, lowest=1, highest=64),
            outbox_lanes=read.number("BRIDGE_OUTBOX_LANES", default=2, lowest=1, highest=64),
            batch=read.number("BRIDGE_BATCH", default=SQS_BATCH_ENTRIES, lowest=1, highest=SQS_BATCH_ENTRIES),
            in_flight=read.number("BRIDGE_IN_FLIGHT", default=1000, lowest=1, highest=100_000),
            message_bytes=read.number(
                "BRIDGE_MESSAGE_BYTES", default=CAREFUL_MESSAGE_BYTES, lowest=1024, highest=SQS_MESSAGE_BYTES
            ),
            request_bytes=read.number(
                "BRIDGE_REQUEST_BYTES", default=CAREFUL_MESSAGE_BYTES, lowest=1024, highest=SQS_MESSAGE_BYTES
            ),
            ack_wait_seconds=read.number("BRIDGE_ACK_WAIT_SECONDS", default=60, lowest=1, highest=3600),
            retry_seconds_min=read.number("BRIDGE_RETRY_SECONDS_MIN", default=1, lowest=1, highest=3600),
            retry_seconds_max=read.number("BRIDGE_RETRY_SECONDS_MAX", default=60, lowest=1, highest=3600),
            poll_seconds=read.number("BRIDGE_POLL_SECONDS", default=5, lowest=1, highest=SQS_POLL_SECONDS),
            drain_seconds=read.number("BRIDGE_DRAIN_SECONDS", default=20, lowest=1, highest=600),
            stream_replicas=read.number("BRIDGE_STREAM_REPLICAS", default=1, lowest=1, highest=5),
            health_host=read.address("BRIDGE_HEALTH_HOST", default=LOOPBACK),
            health_port=read.number("BRIDGE_HEALTH_PORT", default=DEFAULT_HEALTH_PORT, lowest=1, highest=_LARGEST_PORT),
            log_level=read.choice("LOG_LEVEL", _LOG_LEVELS, default="INFO"),
        )
        _check_together(settings)
        return settings

    def retry_delay(self, attempt: int, *, most: int | None = None) -> int:
        """Return the seconds to wait after failure number `attempt` (from 1): doubled each time, within the bounds."""
        doublings = min(max(attempt, 1) - 1, _LARGEST_EXPONENT)
        return min(self.retry_seconds_max, most or self.retry_seconds_max, self.retry_seconds_min << doublings)


def _check_together(settings: Settings) -> None:
    if settings.in_flight < settings.lanes * settings.batch:
        raise SettingsError(
            f"BRIDGE_IN_FLIGHT is {settings.in_flight}, but BRIDGE_LANES * BRIDGE_BATCH are "
            f"{settings.lanes * settings.batch} messages that may be under way at once; it must be at least that."
        )
    if settings.message_bytes > settings.request_bytes:
        raise SettingsError(
            f"BRIDGE_MESSAGE_BYTES is {settings.message_bytes} and BRIDGE_REQUEST_BYTES {settings.request_bytes}: "
            "a message would not fit into a request."
        )
    if settings.retry_seconds_min > settings.retry_seconds_max:
        raise SettingsError(
            f"BRIDGE_RETRY_SECONDS_MIN is {settings.retry_seconds_min}, which is above "
            f"BRIDGE_RETRY_SECONDS_MAX, {settings.retry_seconds_max}."
        )


@dataclass(frozen=True, slots=True)
class _Environment:
    environment: Mapping[str, str]

    def nats_access(self) -> Access:
        try:
            return Access.from_environment(self.environment)
        except AccessError as error:
            raise SettingsError(str(error)) from None

    def queue_url(self, name: str) -> str:
        value = self.environment.get(name, "").strip()
        if not value:
            raise SettingsError(f"{name} is not set: the bridge needs the address of an SQS queue.")
        try:
            parts = urlsplit(value)
            right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right:
            raise SettingsError(f"{name} is {value!r}, which is not the address of a queue (https://…).")
        return value

    def number(self, name: str, *, default: int, lowest: int, highest: int) -> int:
        value = self.environment.get(name, "").strip() or str(default)
        if not (value.isascii() and value.isdigit() and lowest <= int(value) <= highest):
            raise SettingsError(f"{name} is {value!r}; it must be a whole number from {lowest} to {highest}.")
        return int(value)

    def address(self, name: str, *, default: str) -> str:
        value = self.environment.get(name, "").strip() or default
        try:
            return str(ip_address(value))
        except ValueError:
            raise SettingsError(
                f"{name} is {value!r}; it must be an IP address to listen on, such as 127.0.0.1 or 0.0.0.0."
            ) from None

    def choice(self, name: str, choices: tuple[str, ...], *, default: str) -> str:
        """Return one of `choices`, which are all upper-case or all lower-case."""
        value = self.environment.get(name, "").strip() or default
        value = value.upper() if default.isupper() else value.lower()
        if value not in choices:
            raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(choices)}.")
        return value

    def start(self, name: str) -> Literal["all", "new"] | datetime:
        value = self.environment.get(name, "").strip() or "all"
        if value.lower() == "all":
            return "all"
        if value.lower() == "new":
            return "new"
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            raise SettingsError(
                f"{name} is {value!r}; it must be all, new or an instant such as 2026-11-25T00:00:00Z."
            ) from None
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)

"""The settings, read from the environment on first use (contract, section 10).

A missing or bad one fails with a sentence that names it, never at import and never silently.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Self, TypeVar

from chalicelib.domain.orders import CREDITS_MAX, Basis, Direction, Policy

Choice = TypeVar("Choice", bound=StrEnum)

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_DAY_SECONDS = 86_400
_DAYS_MAX = 3650
_DIGITS_MAX = 20
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
_CLAIM = re.compile(r"[!-~]{1,128}", re.ASCII)
# Only on the machine itself may keys be had without TLS: anybody on the way could put in their own.
_SECURE = re.compile(r"(https://|http://(127\.0\.0\.1|localhost|\[::1\])(?=[:/]))[!-?A-~]+", re.ASCII)
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?", re.ASCII)


class Switch(StrEnum):
    """What turns something on or off."""

    ON = "on"
    OFF = "off"


class ScopeClaim(StrEnum):
    """The claim in which an issuer grants scopes: RFC 8693's, Microsoft's and Okta's, and a plural of some."""

    SCOPE = "scope"
    SCP = "scp"
    SCOPES = "scopes"


class AudienceClaim(StrEnum):
    """The claim that says for whom a token is: the standard's, or that of Cognito's access tokens."""

    AUD = "aud"
    CLIENT_ID = "client_id"


class TestOrders(StrEnum):
    """Whether orders that a shop marks as tests are charged."""

    IGNORE = "ignore"
    COUNT = "count"


class NamelessPeriod(StrEnum):
    """What becomes of a renewal that names no period: it is parked, or it counts for the calendar month of its time."""

    PARK = "park"
    CALENDAR_MONTH = "calendar_month"


class SettingError(Exception):
    """A setting is missing or bad; the message names it and says what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a container. Times in seconds, credits whole; empty texts mean not set."""

    trial_credits: int
    default_threshold: int
    policy: Policy
    count_test_orders: bool
    month_as_period: bool
    renewal_repeat_days: int
    ground_retry_seconds_min: int
    ground_retry_seconds_max: int
    ground_retry_seconds_total: int
    plugin_status_cache_ttl: int
    plugin_status_stale_seconds: int
    redis_url: str
    redis_url_parameter: str
    credits_table: str
    transactions_table: str
    figures_table: str
    event_bus: str
    inbox_queue_url: str
    waiting_queue_url: str
    dead_letter_queue_url: str
    stream_dead_letter_queue_url: str
    outbox_queue_url: str
    outbox_dead_letter_queue_url: str
    adjust_function: str
    threshold_function: str
    threshold_events_function: str
    transaction_events_function: str
    roll_up_function: str
    jwt_algorithm: str
    jwt_issuer: str
    jwt_audience: str
    jwt_scope_claim: str
    jwt_merchant_claim: str
    jwt_audience_claim: str
    jwt_jwks_url: str
    jwt_key_parameter: str
    cursor_key_parameter: str
    cors_origins: tuple[str, ...]
    metrics_per_merchant: bool
    stage: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings that `environment` holds.

        Raises:
            SettingError: a setting is not what it should be.
        """
        read = _Reader(environment)
        read.log_level()
        trial_credits = read.whole("TRIAL_CREDITS", 100)
        low_percent = read.whole("LOW_BALANCE_THRESHOLD_PERCENT", 20, most=100)
        return cls(
            trial_credits=trial_credits,
            default_threshold=trial_credits * low_percent // 100,
            policy=Policy(
                direction=read.choice("ORDER_CREDIT_DIRECTION", Direction.DECREASE),
                basis=read.choice("ORDER_CREDIT_BASIS", Basis.ORDER),
                fixed_amount=read.whole("ORDER_CREDIT_FIXED_AMOUNT", 1),
                percentage=read.percent("ORDER_CREDIT_PERCENTAGE"),
                minimum=read.whole("ORDER_CREDIT_MINIMUM", 0),
            ),
            count_test_orders=read.choice("TEST_ORDERS", TestOrders.IGNORE) is TestOrders.COUNT,
            month_as_period=read.choice("RENEWAL_WITHOUT_PERIOD", NamelessPeriod.PARK) is NamelessPeriod.CALENDAR_MONTH,
            renewal_repeat_days=read.whole("RENEWAL_REPEAT_DAYS", 20, most=_DAYS_MAX),
            ground_retry_seconds_min=read.whole("GROUND_RETRY_SECONDS_MIN", 1, most=_DAY_SECONDS),
            # SQS hides a message for twelve hours at the most.
            ground_retry_seconds_max=read.whole("GROUND_RETRY_SECONDS_MAX", 900, most=_DAY_SECONDS // 2),
            ground_retry_seconds_total=read.whole("GROUND_RETRY_SECONDS_TOTAL", 3600),
            plugin_status_cache_ttl=read.whole("PLUGIN_STATUS_CACHE_TTL", 15, most=_DAY_SECONDS),
            plugin_status_stale_seconds=read.whole("PLUGIN_STATUS_STALE_SECONDS", 300, most=_DAY_SECONDS),
            redis_url=read.text("REDIS_URL"),
            redis_url_parameter=read.text("REDIS_URL_PARAMETER"),
            credits_table=read.text("CREDITS_TABLE"),
            transactions_table=read.text("TRANSACTIONS_TABLE"),
            figures_table=read.text("FIGURES_TABLE"),
            event_bus=read.text("EVENT_BUS"),
            inbox_queue_url=read.text("INBOX_QUEUE_URL"),
            waiting_queue_url=read.text("WAITING_QUEUE_URL"),
            dead_letter_queue_url=read.text("DEAD_LETTER_QUEUE_URL"),
            stream_dead_letter_queue_url=read.text("STREAM_DEAD_LETTER_QUEUE_URL"),
            outbox_queue_url=read.text("OUTBOX_QUEUE_URL"),
            outbox_dead_letter_queue_url=read.text("OUTBOX_DEAD_LETTER_QUEUE_URL"),
            adjust_function=read.text("ADJUST_FUNCTION"),
            threshold_function=read.text("THRESHOLD_FUNCTION"),
            threshold_events_function=read.text("THRESHOLD_EVENTS_FUNCTION"),
            transaction_events_function=read.text("TRANSACTION_EVENTS_FUNCTION"),
            roll_up_function=read.text("ROLL_UP_FUNCTION"),
            jwt_algorithm=read.text("JWT_ALGORITHM"),
            jwt_issuer=read.text("JWT_ISSUER"),
            jwt_audience=read.text("JWT_AUDIENCE"),
            jwt_scope_claim=read.choice("JWT_SCOPE_CLAIM", ScopeClaim.SCOPE),
            jwt_merchant_claim=read.claim("JWT_MERCHANT_CLAIM", "merchant_id"),
            jwt_audience_claim=read.choice("JWT_AUDIENCE_CLAIM", AudienceClaim.AUD),
            jwt_jwks_url=read.secure_address("JWT_JWKS_URL"),
            jwt_key_parameter=read.text("JWT_KEY_PARAMETER"),
            cursor_key_parameter=read.text("CURSOR_KEY_PARAMETER"),
            cors_origins=read.origins("CORS_ORIGINS"),
            metrics_per_merchant=read.choice("METRICS_PER_MERCHANT", Switch.OFF) is Switch.ON,
            stage=read.text("STAGE") or "dev",
        )

    def required(self, name: str) -> str:
        """Return the text setting with this environment name, which the calling function cannot do without.

        Raises:
            SettingError: it is not set.
        """
        value = getattr(self, name.lower())
        if not value:
            raise SettingError(f"{name} is not set: this function cannot work without it")
        return str(value)


@cache
def settings() -> Settings:
    """Return the settings of this container, read once.

    Raises:
        SettingError: a setting is not what it should be.
    """
    return Settings.read(os.environ)


class _Reader:
    """Reads one environment, and says by name what is wrong with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def whole(self, name: str, default: int, *, most: int = CREDITS_MAX) -> int:
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX) or int(text) > most:
            raise SettingError(f"{name} is {text!r}: it takes a whole number from 0 to {most}")
        return int(text)

    def percent(self, name: str) -> Decimal:
        text = self.text(name) or "0"
        if _PERCENT.fullmatch(text) is None or Decimal(text) > 100:  # noqa: PLR2004 - percent
            raise SettingError(f"{name} is {text!r}: it takes a percentage from 0 to 100")
        return Decimal(text)

    def log_level(self) -> None:
        text = self.text("LOG_LEVEL")
        if text and text.upper() not in LOG_LEVELS:
            raise SettingError(f"LOG_LEVEL is {text!r}: it takes {', '.join(LOG_LEVELS)}")

    def claim(self, name: str, default: str) -> str:
        text = self.text(name)
        if text and _CLAIM.fullmatch(text) is None:
            raise SettingError(f"{name} is {text!r}: it takes a claim's name, 1 to 128 characters without spaces")
        return text or default

    def secure_address(self, name: str) -> str:
        text = self.text(name)
        if text and _SECURE.fullmatch(text) is None:
            raise SettingError(f"{name} is {text!r}: it takes an address that begins with https://")
        return text

    def origins(self, name: str) -> tuple[str, ...]:
        origins = tuple(origin.strip() for origin in self.text(name).split(",") if origin.strip())
        for origin in origins:
            # Compared with what browsers send, letter by letter: any other spelling would never match.
            if _ORIGIN.fullmatch(origin) is None:
                raise SettingError(
                    f"{name} holds {origin!r}: it takes origins such as https://shop.example, in lower case and "
                    "without a path, with commas between them"
                )
        return origins

    def choice(self, name: str, default: Choice) -> Choice:
        text = self.text(name)
        if not text:
            return default
        try:
            return type(default)(text)
        except ValueError:
            raise SettingError(f"{name} is {text!r}: it takes {' or '.join(type(default))}") from None

"""The settings, read from the environment on first use (contract, section 10).

A missing or bad one fails with a sentence that names it, never at import and never silently.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Self

from chalicelib.domain.orders import CREDITS_MAX, Basis, Direction, Policy

SCOPE_CLAIMS = ("scope", "scp", "scopes")
"""The claims in which issuers grant scopes: RFC 8693's, Microsoft's and Okta's, and a plural of some."""
AUDIENCE_CLAIMS = ("aud", "client_id")
"""The claims that say for whom a token is: the standard's, and that of Cognito's access tokens."""
JWT_ALGORITHMS = ("RS256", "ES256", "HS256")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_DAY_SECONDS = 86_400
_DAYS_MAX = 3650
_DIGITS_MAX = 20
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
_CLAIM = re.compile(r"[!-~]{1,128}", re.ASCII)
# Only on the machine itself may keys be had without TLS: anybody on the way could put in their own.
_SECURE = re.compile(r"(https://|http://(127\.0\.0\.1|localhost|\[::1\])(?=[:/]))[!-?A-~]+", re.ASCII)
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?", re.ASCII)


class SettingError(Exception):
    """A setting is missing or bad; the message names it and says what it takes."""


class Text:
    """A text of a group, by its environment name; empty where it is not set."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, group: "Group", owner: type["Group"]) -> str:
        """Return the group's text."""
        return group.texts[self.name]


class Required(Text):
    """A text of a group that whoever reads it cannot do without.

    Raises:
        SettingError: on reading, it is not set.
    """

    def __get__(self, group: "Group", owner: type["Group"]) -> str:
        """Return the group's text, which is not empty."""
        return _present(self.name, super().__get__(group, owner))


@dataclass(frozen=True)
class Group:
    """Texts that belong together, under their environment names."""

    texts: Mapping[str, str]

    @classmethod
    def read(cls, reader: "_Reader") -> Self:
        """Return the group's texts, those that are not set empty."""
        declared = (text for text in vars(cls).values() if isinstance(text, Text))
        return cls({text.name: reader.text(text.name) for text in declared})


class Tables(Group):
    """The names of the tables."""

    credits = Required("CREDITS_TABLE")
    transactions = Required("TRANSACTIONS_TABLE")
    figures = Required("FIGURES_TABLE")
    figures_if_set = Text("FIGURES_TABLE")


class Queues(Group):
    """The addresses of the queues."""

    inbox = Required("INBOX_QUEUE_URL")
    waiting = Required("WAITING_QUEUE_URL")
    dead_letters = Required("DEAD_LETTER_QUEUE_URL")
    stream_dead_letters = Required("STREAM_DEAD_LETTER_QUEUE_URL")
    outbox = Required("OUTBOX_QUEUE_URL")
    outbox_dead_letters = Required("OUTBOX_DEAD_LETTER_QUEUE_URL")


class Functions(Group):
    """The functions that others invoke."""

    adjust = Required("ADJUST_FUNCTION")
    threshold = Required("THRESHOLD_FUNCTION")
    threshold_events = Required("THRESHOLD_EVENTS_FUNCTION")
    transaction_events = Required("TRANSACTION_EVENTS_FUNCTION")
    roll_up = Required("ROLL_UP_FUNCTION")


class Versions(Group):
    """The new versions that the smoke test tries, by their ARNs."""

    api = Required("API_VERSION")
    adjust = Required("ADJUST_VERSION")
    ingest = Required("INGEST_VERSION")


class Bus(Group):
    """The event bus."""

    name = Required("EVENT_BUS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """What bearer tokens are verified with."""

    algorithm: str
    issuer: str
    audience: str
    jwks_url: str
    key_parameter: str
    scope_claim: str
    merchant_claim: str
    audience_claim: str

    @classmethod
    def read(cls, reader: "_Reader") -> Self:
        """Return these settings as they are set, whether they go together or not: see `checked`."""
        return cls(
            algorithm=reader.text("JWT_ALGORITHM"),
            issuer=reader.text("JWT_ISSUER"),
            audience=reader.text("JWT_AUDIENCE"),
            jwks_url=reader.secure_address("JWT_JWKS_URL"),
            key_parameter=reader.text("JWT_KEY_PARAMETER"),
            scope_claim=reader.choice("JWT_SCOPE_CLAIM", SCOPE_CLAIMS),
            merchant_claim=reader.claim("JWT_MERCHANT_CLAIM", "merchant_id"),
            audience_claim=reader.choice("JWT_AUDIENCE_CLAIM", AUDIENCE_CLAIMS),
        )

    def checked(self) -> Self | None:
        """Return these settings, None where none of them is set: every token is refused then.

        Raises:
            SettingError: only a part of them is set, or they contradict each other.
        """
        if not any((self.algorithm, self.issuer, self.audience, self.jwks_url, self.key_parameter)):
            return None
        if _present("JWT_ALGORITHM", self.algorithm) not in JWT_ALGORITHMS:
            raise SettingError(f"JWT_ALGORITHM is {self.algorithm!r}: it takes {', '.join(JWT_ALGORITHMS)}")
        if bool(self.jwks_url) == bool(self.key_parameter):
            raise SettingError("JWT_JWKS_URL and JWT_KEY_PARAMETER: exactly one of them must be set")
        if self.jwks_url and self.algorithm == "HS256":
            raise SettingError(
                "JWT_JWKS_URL holds public keys, JWT_ALGORITHM HS256 takes a secret: set JWT_KEY_PARAMETER"
            )
        _present("JWT_ISSUER", self.issuer)
        _present("JWT_AUDIENCE", self.audience)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a container. Times in seconds, credits whole; empty texts mean not set.

    A group's text that is not set raises `SettingError` on reading, with its name.
    """

    trial_credits: int
    default_threshold: int
    policy: Policy
    count_test_orders: bool
    month_as_period: bool
    renewal_repeat_days: int
    debt_owed: bool
    ground_retry_seconds_min: int
    ground_retry_seconds_max: int
    ground_retry_seconds_total: int
    plugin_status_cache_ttl: int
    plugin_status_stale_seconds: int
    redis_url: str
    redis_url_parameter: str
    tables: Tables
    queues: Queues
    functions: Functions
    versions: Versions
    bus: Bus
    jwt: Jwt
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
                direction=Direction(read.choice("ORDER_CREDIT_DIRECTION", tuple(Direction), Direction.DECREASE)),
                basis=Basis(read.choice("ORDER_CREDIT_BASIS", tuple(Basis), Basis.ORDER)),
                fixed_amount=read.whole("ORDER_CREDIT_FIXED_AMOUNT", 1),
                percentage=read.percent("ORDER_CREDIT_PERCENTAGE"),
                minimum=read.whole("ORDER_CREDIT_MINIMUM", 0),
            ),
            count_test_orders=read.choice("TEST_ORDERS", ("ignore", "count")) == "count",
            month_as_period=read.choice("RENEWAL_WITHOUT_PERIOD", ("park", "calendar_month")) == "calendar_month",
            renewal_repeat_days=read.whole("RENEWAL_REPEAT_DAYS", 20, most=_DAYS_MAX),
            debt_owed=read.choice("REVERSAL_DEBT", ("owed", "forgiven")) == "owed",
            ground_retry_seconds_min=read.whole("GROUND_RETRY_SECONDS_MIN", 1, most=_DAY_SECONDS),
            # SQS hides a message for twelve hours at the most.
            ground_retry_seconds_max=read.whole("GROUND_RETRY_SECONDS_MAX", 900, most=_DAY_SECONDS // 2),
            ground_retry_seconds_total=read.whole("GROUND_RETRY_SECONDS_TOTAL", 3600),
            plugin_status_cache_ttl=read.whole("PLUGIN_STATUS_CACHE_TTL", 15, most=_DAY_SECONDS),
            plugin_status_stale_seconds=read.whole("PLUGIN_STATUS_STALE_SECONDS", 300, most=_DAY_SECONDS),
            redis_url=read.text("REDIS_URL"),
            redis_url_parameter=read.text("REDIS_URL_PARAMETER"),
            tables=Tables.read(read),
            queues=Queues.read(read),
            functions=Functions.read(read),
            versions=Versions.read(read),
            bus=Bus.read(read),
            jwt=Jwt.read(read),
            cursor_key_parameter=read.text("CURSOR_KEY_PARAMETER"),
            cors_origins=read.origins("CORS_ORIGINS"),
            metrics_per_merchant=read.choice("METRICS_PER_MERCHANT", ("off", "on")) == "on",
            stage=read.text("STAGE") or "dev",
        )


@cache
def settings() -> Settings:
    """Return the settings of this container, read once.

    Raises:
        SettingError: a setting is not what it should be.
    """
    return Settings.read(os.environ)


def _present(name: str, text: str) -> str:
    if not text:
        raise SettingError(f"{name} is not set: this function cannot work without it")
    return text


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

    def choice(self, name: str, choices: Sequence[str], default: str = "") -> str:
        text = self.text(name) or default or choices[0]
        if text not in choices:
            raise SettingError(f"{name} is {text!r}: it takes {' or '.join(choices)}")
        return text

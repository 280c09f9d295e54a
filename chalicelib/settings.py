"""The settings, read from the environment on first use (contract, section 10).

A missing or bad one fails with a sentence that names it, never at import and never silently.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

from chalicelib.domain.orders import Basis, Direction, Policy
from chalicelib.domain.terms import HOURS_MAX, GraceTerms, TimeTerms
from chalicelib.environment import DAYS_MAX, Group, Reader, Required, SettingError, Shops, Text, present

SCOPE_CLAIMS = ("scope", "scp", "scopes")
"""The claims in which issuers grant scopes: RFC 8693's, Microsoft's and Okta's, and a plural of some."""
AUDIENCE_CLAIMS = ("aud", "client_id")
"""The claims that say for whom a token is: the standard's, and that of Cognito's access tokens."""
JWT_ALGORITHMS = ("RS256", "ES256", "HS256")

_DAY_SECONDS = 86_400


class Webhooks(Group):
    """How webhooks of Shopify and Stripe are verified: the parameters or secrets with their secrets, one a line."""

    shopify_secret_parameter = Text("SHOPIFY_SECRET_PARAMETER")
    stripe_secret_parameter = Text("STRIPE_SECRET_PARAMETER")


class Tables(Group):
    """The names of the tables."""

    credits = Required("CREDITS_TABLE")
    transactions = Required("TRANSACTIONS_TABLE")
    figures = Required("FIGURES_TABLE")
    figures_if_set = Text("FIGURES_TABLE")
    links = Required("LINKS_TABLE")
    desk = Required("DESK_TABLE")
    desk_if_set = Text("DESK_TABLE")


class Queues(Group):
    """The addresses of the queues."""

    inbox = Required("INBOX_QUEUE_URL")
    waiting = Required("WAITING_QUEUE_URL")
    dead_letters = Required("DEAD_LETTER_QUEUE_URL")
    stream_dead_letters = Required("STREAM_DEAD_LETTER_QUEUE_URL")
    outbox = Required("OUTBOX_QUEUE_URL")
    outbox_dead_letters = Required("OUTBOX_DEAD_LETTER_QUEUE_URL")


class Functions(Group):
    """The functions that other functions invoke."""

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


class Feed(Group):
    """Where shops' own lists of orders are, for the nightly comparison; without a bucket there is none."""

    bucket = Text("ORDERS_BUCKET")
    prefix = Text("ORDERS_PREFIX")


class Bus(Group):
    """The event bus."""

    name = Required("EVENT_BUS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """How bearer tokens are verified."""

    algorithm: str
    issuer: str
    audience: str
    jwks_url: str
    key_parameter: str
    scope_claim: str
    merchant_claim: str
    audience_claim: str

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Return these settings, without checking whether they are consistent: see `checked`."""
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
        """Return these settings; None if none of them is set: then every token is refused.

        Raises:
            SettingError: only a part of them is set, or they contradict each other.
        """
        if not any((self.algorithm, self.issuer, self.audience, self.jwks_url, self.key_parameter)):
            return None
        if present("JWT_ALGORITHM", self.algorithm) not in JWT_ALGORITHMS:
            raise SettingError(f"JWT_ALGORITHM is {self.algorithm!r}: it takes {', '.join(JWT_ALGORITHMS)}")
        if bool(self.jwks_url) == bool(self.key_parameter):
            raise SettingError("JWT_JWKS_URL and JWT_KEY_PARAMETER: exactly one of them must be set")
        if self.jwks_url and self.algorithm == "HS256":
            raise SettingError(
                "JWT_JWKS_URL holds public keys, JWT_ALGORITHM HS256 takes a secret: set JWT_KEY_PARAMETER"
            )
        present("JWT_ISSUER", self.issuer)
        present("JWT_AUDIENCE", self.audience)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsing:
    """When credits lapse, and what else time changes of accounts (contract, section 16).

    Trials lapse after `trial_days`; renewals after `renewal_days`, or `renewal_with_period` at its end. 0: never.
    """

    trial_days: int
    renewal_days: int
    renewal_with_period: bool
    terms: TimeTerms

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Return these settings."""
        renewal = reader.text("SUBSCRIPTION_EXPIRES")
        word = renewal in ("", "never", "period")
        return cls(
            trial_days=reader.days("TRIAL_EXPIRES_DAYS", 0),
            renewal_days=0 if word else reader.days("SUBSCRIPTION_EXPIRES", 0, least=1),
            renewal_with_period=renewal == "period",
            terms=TimeTerms(
                refund_grace_days=reader.days("REFUND_GRACE_DAYS", 7, least=1),
                notice_days=reader.days_ahead("EXPIRY_NOTICE_DAYS", (7, 1)),
                levels=reader.levels("ALERT_LEVELS"),
                grace=GraceTerms(
                    hours=reader.whole("GRACE_HOURS", 0, most=HOURS_MAX), credits=reader.whole("GRACE_CREDITS", 0)
                ),
            ),
        )


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
    discarded_days: int
    debt_owed: bool
    lapsing: Lapsing
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
    feed: Feed
    jwt: Jwt
    webhooks: Webhooks
    confirm_above: int | None
    unlinked_opens: bool
    credits_by_price: Mapping[str, int]
    cursor_key_parameter: str
    cors_origins: tuple[str, ...]
    widget_days_left: Shops
    metrics_per_merchant: bool
    stage: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings that `environment` holds.

        Raises:
            SettingError: a setting is not what it should be.
        """
        read = Reader(environment)
        read.log_level()
        trial_credits = read.whole("TRIAL_CREDITS", 100)
        return cls(
            trial_credits=trial_credits,
            default_threshold=trial_credits * read.whole("LOW_BALANCE_THRESHOLD_PERCENT", 20, most=100) // 100,
            policy=Policy(
                direction=Direction(read.choice("ORDER_CREDIT_DIRECTION", tuple(Direction), Direction.DECREASE)),
                basis=Basis(read.choice("ORDER_CREDIT_BASIS", tuple(Basis), Basis.ORDER)),
                fixed_amount=read.whole("ORDER_CREDIT_FIXED_AMOUNT", 1),
                percentage=read.percent("ORDER_CREDIT_PERCENTAGE"),
                minimum=read.whole("ORDER_CREDIT_MINIMUM", 0),
            ),
            count_test_orders=read.choice("TEST_ORDERS", ("ignore", "count")) == "count",
            month_as_period=read.choice("RENEWAL_WITHOUT_PERIOD", ("park", "calendar_month")) == "calendar_month",
            renewal_repeat_days=read.whole("RENEWAL_REPEAT_DAYS", 20, most=DAYS_MAX),
            discarded_days=read.whole("DISCARDED_DAYS", 400, most=DAYS_MAX),
            debt_owed=read.choice("REVERSAL_DEBT", ("owed", "forgiven")) == "owed",
            lapsing=Lapsing.read(read),
            ground_retry_seconds_min=read.whole("GROUND_RETRY_SECONDS_MIN", 1, most=_DAY_SECONDS),
            # SQS hides a message for twelve hours at most.
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
            feed=Feed.read(read),
            jwt=Jwt.read(read),
            webhooks=Webhooks.read(read),
            confirm_above=read.whole("ADJUSTMENT_CONFIRM_ABOVE", 0) if read.text("ADJUSTMENT_CONFIRM_ABOVE") else None,
            unlinked_opens=read.choice("UNLINKED", ("wait", "open")) == "open",
            credits_by_price=read.credits_by_name("CREDITS_BY_PRICE"),
            cursor_key_parameter=read.text("CURSOR_KEY_PARAMETER"),
            cors_origins=read.origins("CORS_ORIGINS"),
            widget_days_left=read.shops("WIDGET_DAYS_LEFT"),
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

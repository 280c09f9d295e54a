"""The settings of section 10 of the contract: their defaults, and a bad or missing one is named."""

import logging
import runpy
from decimal import Decimal
from typing import Any

import pytest

from chalicelib import settings as module
from chalicelib import telemetry
from chalicelib.domain.orders import Basis, Direction, Policy
from chalicelib.settings import SettingError, Settings


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    assert Settings.read({}) == Settings(
        trial_credits=100,
        default_threshold=20,
        policy=Policy(
            direction=Direction.DECREASE, basis=Basis.ORDER, fixed_amount=1, percentage=Decimal(0), minimum=0
        ),
        count_test_orders=False,
        month_as_period=False,
        renewal_repeat_days=20,
        ground_retry_seconds_min=1,
        ground_retry_seconds_max=900,
        ground_retry_seconds_total=3600,
        plugin_status_cache_ttl=15,
        plugin_status_stale_seconds=300,
        credits_table="",
        transactions_table="",
        event_bus="",
        inbox_queue_url="",
        waiting_queue_url="",
        dead_letter_queue_url="",
        stream_dead_letter_queue_url="",
        jwt_algorithm="",
        jwt_issuer="",
        jwt_audience="",
        jwt_scope_claim="scope",
        jwt_merchant_claim="merchant_id",
        jwt_audience_claim="aud",
        jwt_jwks_url="",
        jwt_key_parameter="",
        cursor_key_parameter="",
        cors_origins=(),
        stage="dev",
        redis_url="",
        redis_url_parameter="",
        figures_table="",
        adjust_function="",
        threshold_function="",
        outbox_queue_url="",
        outbox_dead_letter_queue_url="",
        threshold_events_function="",
        transaction_events_function="",
        roll_up_function="",
        metrics_per_merchant=False,
    )


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("TRIAL_CREDITS", "0", "trial_credits", 0),
        ("TRIAL_CREDITS", " 250 ", "trial_credits", 250),
        ("TRIAL_CREDITS", "1000000000", "trial_credits", 1_000_000_000),
        ("TRIAL_CREDITS", "", "trial_credits", 100),
        ("GROUND_RETRY_SECONDS_MIN", "0", "ground_retry_seconds_min", 0),
        ("GROUND_RETRY_SECONDS_MAX", "43200", "ground_retry_seconds_max", 43_200),
        ("GROUND_RETRY_SECONDS_TOTAL", "2", "ground_retry_seconds_total", 2),
        ("PLUGIN_STATUS_CACHE_TTL", "1", "plugin_status_cache_ttl", 1),
        ("PLUGIN_STATUS_STALE_SECONDS", "0", "plugin_status_stale_seconds", 0),
        ("CREDITS_TABLE", "a-table", "credits_table", "a-table"),
        ("TRANSACTIONS_TABLE", "a-table", "transactions_table", "a-table"),
        ("EVENT_BUS", "a-bus", "event_bus", "a-bus"),
        ("INBOX_QUEUE_URL", "https://q", "inbox_queue_url", "https://q"),
        ("WAITING_QUEUE_URL", "https://q", "waiting_queue_url", "https://q"),
        ("DEAD_LETTER_QUEUE_URL", "https://q", "dead_letter_queue_url", "https://q"),
        ("STREAM_DEAD_LETTER_QUEUE_URL", "https://q", "stream_dead_letter_queue_url", "https://q"),
        ("JWT_ALGORITHM", "RS256", "jwt_algorithm", "RS256"),
        ("JWT_ISSUER", "https://issuer", "jwt_issuer", "https://issuer"),
        ("JWT_AUDIENCE", "credits", "jwt_audience", "credits"),
        ("JWT_SCOPE_CLAIM", "scp", "jwt_scope_claim", "scp"),
        ("JWT_MERCHANT_CLAIM", "custom:merchant_id", "jwt_merchant_claim", "custom:merchant_id"),
        ("JWT_AUDIENCE_CLAIM", "client_id", "jwt_audience_claim", "client_id"),
        ("JWT_JWKS_URL", "https://keys", "jwt_jwks_url", "https://keys"),
        ("JWT_JWKS_URL", "http://127.0.0.1:8015/keys", "jwt_jwks_url", "http://127.0.0.1:8015/keys"),
        ("JWT_KEY_PARAMETER", "/key", "jwt_key_parameter", "/key"),
        ("CURSOR_KEY_PARAMETER", "/key", "cursor_key_parameter", "/key"),
        ("CORS_ORIGINS", "https://a, https://b,", "cors_origins", ("https://a", "https://b")),
        ("CORS_ORIGINS", "http://127.0.0.1:3000", "cors_origins", ("http://127.0.0.1:3000",)),
        ("STAGE", "prod", "stage", "prod"),
    ],
)
def test_a_setting_is_read_by_its_name(name: str, text: str, attribute: str, value: Any) -> None:
    assert getattr(Settings.read({name: text}), attribute) == value


def test_the_order_policy_is_read_from_its_five_settings() -> None:
    environment = {
        "ORDER_CREDIT_DIRECTION": "INCREASE",
        "ORDER_CREDIT_BASIS": "total",
        "ORDER_CREDIT_FIXED_AMOUNT": "10",
        "ORDER_CREDIT_PERCENTAGE": "2.5",
        "ORDER_CREDIT_MINIMUM": "3",
    }

    assert Settings.read(environment).policy == Policy(
        direction=Direction.INCREASE, basis=Basis.TOTAL, fixed_amount=10, percentage=Decimal("2.5"), minimum=3
    )


@pytest.mark.parametrize("basis", ["order", "item", "total"])
def test_orders_are_charged_by_order_item_or_total(basis: str) -> None:
    assert Settings.read({"ORDER_CREDIT_BASIS": basis}).policy.basis == basis


@pytest.mark.parametrize(
    ("trial", "percent", "threshold"),
    [("100", "20", 20), ("99", "20", 19), ("1", "99", 0), ("50", "100", 50), ("7", "0", 0)],
)
def test_the_default_threshold_is_the_percentage_of_a_trial_in_whole_credits(
    trial: str, percent: str, threshold: int
) -> None:
    environment = {"TRIAL_CREDITS": trial, "LOW_BALANCE_THRESHOLD_PERCENT": percent}

    assert Settings.read(environment).default_threshold == threshold


WHOLE = [
    "TRIAL_CREDITS",
    "LOW_BALANCE_THRESHOLD_PERCENT",
    "ORDER_CREDIT_FIXED_AMOUNT",
    "ORDER_CREDIT_MINIMUM",
    "PLUGIN_STATUS_CACHE_TTL",
    "PLUGIN_STATUS_STALE_SECONDS",
    "GROUND_RETRY_SECONDS_MIN",
    "GROUND_RETRY_SECONDS_MAX",
    "GROUND_RETRY_SECONDS_TOTAL",
]


@pytest.mark.parametrize("name", WHOLE)
def test_a_setting_that_is_no_whole_number_is_named(name: str) -> None:
    for text in ("-1", "1.5", "1e3", "many", "٥", "1_0", "+1", "1000000001", "9" * 5000):
        with pytest.raises(SettingError, match=name):
            Settings.read({name: text})


@pytest.mark.parametrize("text", ["-1", "100.01", "NaN", "Infinity", "a tenth", "10%", "٥", "1_0"])
def test_a_bad_percentage_is_named(text: str) -> None:
    with pytest.raises(SettingError, match="ORDER_CREDIT_PERCENTAGE"):
        Settings.read({"ORDER_CREDIT_PERCENTAGE": text})


@pytest.mark.parametrize(
    ("name", "text", "choices"),
    [
        ("ORDER_CREDIT_DIRECTION", "decrease", "INCREASE or DECREASE"),
        ("ORDER_CREDIT_DIRECTION", "SIDEWAYS", "INCREASE or DECREASE"),
        ("ORDER_CREDIT_BASIS", "Order", "order or item or total"),
        ("ORDER_CREDIT_BASIS", "weight", "order or item or total"),
    ],
)
def test_a_bad_choice_is_named_with_what_it_takes(name: str, text: str, choices: str) -> None:
    with pytest.raises(SettingError, match=f"{name} .*{choices}"):
        Settings.read({name: text})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LOW_BALANCE_THRESHOLD_PERCENT", "101"),
        ("GROUND_RETRY_SECONDS_MAX", "43201"),
        ("GROUND_RETRY_SECONDS_MIN", "86401"),
    ],
)
def test_a_setting_beyond_its_range_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingError, match=name):
        Settings.read({name: text})


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "shop.example",
        "https://shop.example/",
        "https://shop.example/admin",
        "https://Shop.example",
        "https://*.example",
        "https://a https://b",
        "https://a, b",
    ],
)
def test_an_origin_that_no_browser_would_send_is_named(text: str) -> None:
    with pytest.raises(SettingError, match="CORS_ORIGINS"):
        Settings.read({"CORS_ORIGINS": text})


@pytest.mark.parametrize(
    "text",
    [
        "identity.example/keys",
        "file:///etc/passwd",
        "ftp://identity.example/keys",
        "http://identity.example/keys",
        "http://127.0.0.1.example/keys",
        "http://127.0.0.1:1@identity.example/keys",
        "http://localhost@identity.example/keys",
        "https://name:password@identity.example/keys",
        "https://",
        "https://identity.example/ke ys",
    ],
)
def test_an_address_of_keys_that_is_none_or_not_secure_is_named(text: str) -> None:
    with pytest.raises(SettingError, match="JWT_JWKS_URL"):
        Settings.read({"JWT_JWKS_URL": text})


@pytest.mark.parametrize("text", ["LOUD", "1", "INFO,DEBUG"])
def test_a_bad_log_level_is_named_on_first_use_and_not_at_import(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(SettingError, match="LOG_LEVEL"):
        Settings.read({"LOG_LEVEL": text})
    for name, value in {"LOG_LEVEL": text, "POWERTOOLS_LOG_LEVEL": text, "SERVICE_NAME": "imported again"}.items():
        monkeypatch.setenv(name, value)

    assert runpy.run_path(telemetry.__file__)["logger"].log_level == logging.INFO


@pytest.mark.parametrize("text", ["DEBUG", "INFO", "warning", " ERROR ", ""])
def test_a_log_level_is_one_of_pythons(text: str) -> None:
    assert Settings.read({"LOG_LEVEL": text}) == Settings.read({})


@pytest.mark.parametrize(
    "name",
    [
        "CREDITS_TABLE",
        "TRANSACTIONS_TABLE",
        "EVENT_BUS",
        "INBOX_QUEUE_URL",
        "WAITING_QUEUE_URL",
        "DEAD_LETTER_QUEUE_URL",
        "STREAM_DEAD_LETTER_QUEUE_URL",
        "JWT_ISSUER",
        "CURSOR_KEY_PARAMETER",
    ],
)
def test_a_setting_that_a_function_cannot_do_without_is_named_where_it_is_missing(name: str) -> None:
    assert Settings.read({name: " given "}).required(name) == "given"
    for environment in ({}, {name: ""}, {name: "  "}):
        with pytest.raises(SettingError, match=f"^{name} is not set"):
            Settings.read(environment).required(name)


def test_the_settings_of_a_container_are_read_once_and_on_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    module.settings.cache_clear()
    monkeypatch.setenv("TRIAL_CREDITS", "7")
    try:
        first = module.settings()
        monkeypatch.setenv("TRIAL_CREDITS", "8")

        assert first.trial_credits == 7
        assert module.settings() is first
    finally:
        module.settings.cache_clear()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("JWT_SCOPE_CLAIM", "roles"),
        ("JWT_AUDIENCE_CLAIM", "azp"),
        ("JWT_MERCHANT_CLAIM", "merchant id"),
        ("JWT_MERCHANT_CLAIM", "m" * 129),
    ],
)
def test_a_claim_that_cannot_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingError, match=name):
        Settings.read({name: text})

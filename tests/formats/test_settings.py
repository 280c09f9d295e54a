"""The settings of section 10 of the contract: their defaults, and a bad or missing one is named."""

import runpy
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pytest

from chalicelib import settings as module
from chalicelib import telemetry
from chalicelib.adapters.parameters import cursor_keys
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.orders import Basis, Direction, Policy
from chalicelib.domain.terms import GraceTerms, TimeTerms
from chalicelib.environment import SettingError, Shops
from chalicelib.settings import Bus, Feed, Functions, Jwt, Lapsing, Queues, Settings, Tables, Versions, Webhooks
from tests.support.builders import SHOP, merchant

OTHER = merchant("other")


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
        discarded_days=400,
        debt_owed=True,
        lapsing=Lapsing(
            trial_days=0,
            renewal_days=0,
            renewal_with_period=False,
            terms=TimeTerms(notice_days=(7, 1), refund_grace_days=7, levels=(), grace=GraceTerms()),
        ),
        ground_retry_seconds_min=1,
        ground_retry_seconds_max=900,
        ground_retry_seconds_total=3600,
        plugin_status_cache_ttl=15,
        plugin_status_stale_seconds=300,
        tables=Tables(
            dict.fromkeys(("CREDITS_TABLE", "TRANSACTIONS_TABLE", "FIGURES_TABLE", "LINKS_TABLE", "DESK_TABLE"), "")
        ),
        queues=Queues(
            {
                "INBOX_QUEUE_URL": "",
                "WAITING_QUEUE_URL": "",
                "DEAD_LETTER_QUEUE_URL": "",
                "STREAM_DEAD_LETTER_QUEUE_URL": "",
                "OUTBOX_QUEUE_URL": "",
                "OUTBOX_DEAD_LETTER_QUEUE_URL": "",
            }
        ),
        functions=Functions(
            {
                "ADJUST_FUNCTION": "",
                "THRESHOLD_FUNCTION": "",
                "THRESHOLD_EVENTS_FUNCTION": "",
                "TRANSACTION_EVENTS_FUNCTION": "",
                "ROLL_UP_FUNCTION": "",
            }
        ),
        versions=Versions(dict.fromkeys(("API_VERSION", "ADJUST_VERSION", "INGEST_VERSION"), "")),
        webhooks=Webhooks({"SHOPIFY_SECRET_PARAMETER": "", "STRIPE_SECRET_PARAMETER": ""}),
        confirm_above=None,
        unlinked_opens=False,
        credits_by_price={},
        bus=Bus({"EVENT_BUS": ""}),
        feed=Feed(dict.fromkeys(("ORDERS_BUCKET", "ORDERS_PREFIX"), "")),
        jwt=Jwt(
            algorithm="",
            issuer="",
            audience="",
            jwks_url="",
            key_parameter="",
            scope_claim="scope",
            merchant_claim="merchant_id",
            audience_claim="aud",
        ),
        cursor_key_parameter="",
        cors_origins=(),
        widget_days_left=Shops(),
        stage="dev",
        redis_url="",
        redis_url_parameter="",
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
        ("CREDITS_TABLE", "a-table", "tables.credits", "a-table"),
        ("TRANSACTIONS_TABLE", "a-table", "tables.transactions", "a-table"),
        ("LINKS_TABLE", "a-table", "tables.links", "a-table"),
        ("SHOPIFY_SECRET_PARAMETER", "/key", "webhooks.shopify_secret_parameter", "/key"),
        ("STRIPE_SECRET_PARAMETER", "/key", "webhooks.stripe_secret_parameter", "/key"),
        ("UNLINKED", "open", "unlinked_opens", True),
        ("CREDITS_BY_PRICE", '{"price_1": 500, "price_2": 0}', "credits_by_price", {"price_1": 500, "price_2": 0}),
        ("EVENT_BUS", "a-bus", "bus.name", "a-bus"),
        ("INBOX_QUEUE_URL", "https://q", "queues.inbox", "https://q"),
        ("WAITING_QUEUE_URL", "https://q", "queues.waiting", "https://q"),
        ("DEAD_LETTER_QUEUE_URL", "https://q", "queues.dead_letters", "https://q"),
        ("STREAM_DEAD_LETTER_QUEUE_URL", "https://q", "queues.stream_dead_letters", "https://q"),
        ("JWT_ALGORITHM", "RS256", "jwt.algorithm", "RS256"),
        ("JWT_ISSUER", "https://issuer", "jwt.issuer", "https://issuer"),
        ("JWT_AUDIENCE", "credits", "jwt.audience", "credits"),
        ("JWT_SCOPE_CLAIM", "scp", "jwt.scope_claim", "scp"),
        ("JWT_MERCHANT_CLAIM", "custom:merchant_id", "jwt.merchant_claim", "custom:merchant_id"),
        ("JWT_AUDIENCE_CLAIM", "client_id", "jwt.audience_claim", "client_id"),
        ("JWT_JWKS_URL", "https://keys", "jwt.jwks_url", "https://keys"),
        ("JWT_JWKS_URL", "http://127.0.0.1:8015/keys", "jwt.jwks_url", "http://127.0.0.1:8015/keys"),
        ("JWT_KEY_PARAMETER", "/key", "jwt.key_parameter", "/key"),
        ("CURSOR_KEY_PARAMETER", "/key", "cursor_key_parameter", "/key"),
        ("CORS_ORIGINS", "https://a, https://b,", "cors_origins", ("https://a", "https://b")),
        ("CORS_ORIGINS", "http://127.0.0.1:3000", "cors_origins", ("http://127.0.0.1:3000",)),
        ("STAGE", "prod", "stage", "prod"),
    ],
)
def test_a_setting_is_read_by_its_name(name: str, text: str, attribute: str, value: Any) -> None:
    assert attrgetter(attribute)(Settings.read({name: text})) == value


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


@pytest.mark.parametrize(("text", "level"), [("WARNING", "WARNING"), ("DEBUG", "DEBUG"), ("", "INFO")])
def test_the_log_level_wins_over_lambdas_own(monkeypatch: pytest.MonkeyPatch, text: str, level: str) -> None:
    for name, value in {"LOG_LEVEL": text, "POWERTOOLS_LOG_LEVEL": text, "SERVICE_NAME": f"again {text}"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", "DEBUG")

    assert runpy.run_path(telemetry.__file__)["logger"].level == level


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
    ("text", "shows"), [("", []), ("off", []), ("on", [SHOP, OTHER]), (f" {SHOP.upper()}, {merchant('third')}", [SHOP])]
)
def test_the_widget_shows_days_of_the_shops_that_are_named(text: str, shows: list[MerchantId]) -> None:
    allowed = Settings.read({"WIDGET_DAYS_LEFT": text}).widget_days_left

    assert [shop for shop in (SHOP, OTHER) if shop in allowed] == shows


@pytest.mark.parametrize("text", ["yes", f"{SHOP},", f"{SHOP} {OTHER}", f"on,{SHOP}"])
def test_shops_that_are_none_are_named(text: str) -> None:
    with pytest.raises(SettingError, match="WIDGET_DAYS_LEFT"):
        Settings.read({"WIDGET_DAYS_LEFT": text})


def test_levels_are_read_as_people_write_them() -> None:
    found = Settings.read({"ALERT_LEVELS": "week=7 days, half=50%,few=20 , one=1 day"}).lapsing.terms

    assert [str(level) for level in found.levels or ()] == ["week:7d", "half:50%", "few:20c", "one:1d"]
    assert Settings.read({"ALERT_LEVELS": "none"}).lapsing.terms.levels == ()


@pytest.mark.parametrize(
    "text", ["week", "week=7 weeks", "=7", "a=1,a=2", "half=101%", "day=0 days", "a=1,,b=2", "A=1"]
)
def test_levels_that_are_none_are_named(text: str) -> None:
    with pytest.raises(SettingError, match="ALERT_LEVELS"):
        Settings.read({"ALERT_LEVELS": text})


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

    assert runpy.run_path(telemetry.__file__)["logger"].level == "INFO"


@pytest.mark.parametrize("text", ["DEBUG", "INFO", "warning", " ERROR ", ""])
def test_a_log_level_is_one_of_pythons(text: str) -> None:
    assert Settings.read({"LOG_LEVEL": text}) == Settings.read({})


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("CREDITS_TABLE", "tables.credits"),
        ("TRANSACTIONS_TABLE", "tables.transactions"),
        ("FIGURES_TABLE", "tables.figures"),
        ("INBOX_QUEUE_URL", "queues.inbox"),
        ("WAITING_QUEUE_URL", "queues.waiting"),
        ("DEAD_LETTER_QUEUE_URL", "queues.dead_letters"),
        ("STREAM_DEAD_LETTER_QUEUE_URL", "queues.stream_dead_letters"),
        ("OUTBOX_QUEUE_URL", "queues.outbox"),
        ("OUTBOX_DEAD_LETTER_QUEUE_URL", "queues.outbox_dead_letters"),
        ("ADJUST_FUNCTION", "functions.adjust"),
        ("THRESHOLD_FUNCTION", "functions.threshold"),
        ("THRESHOLD_EVENTS_FUNCTION", "functions.threshold_events"),
        ("TRANSACTION_EVENTS_FUNCTION", "functions.transaction_events"),
        ("ROLL_UP_FUNCTION", "functions.roll_up"),
        ("API_VERSION", "versions.api"),
        ("ADJUST_VERSION", "versions.adjust"),
        ("INGEST_VERSION", "versions.ingest"),
        ("EVENT_BUS", "bus.name"),
    ],
)
def test_a_setting_that_a_function_cannot_do_without_is_named_where_it_is_missing(name: str, attribute: str) -> None:
    read = attrgetter(attribute)
    assert read(Settings.read({name: " given "})) == "given"
    for environment in ({}, {name: ""}, {name: "  "}):
        without = Settings.read(environment)
        with pytest.raises(SettingError, match=f"^{name} is not set"):
            read(without)


JWT = {
    "JWT_ALGORITHM": "RS256",
    "JWT_ISSUER": "https://issuer",
    "JWT_AUDIENCE": "credits",
    "JWT_JWKS_URL": "https://issuer/keys",
}


def test_the_settings_of_tokens_are_all_there_or_none_of_them() -> None:
    assert Settings.read({"JWT_SCOPE_CLAIM": "scp"}).jwt.checked() is None
    chosen = Settings.read(JWT).jwt
    assert chosen.checked() is chosen


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"JWT_ALGORITHM": ""}, "^JWT_ALGORITHM is not set"),
        ({"JWT_ISSUER": ""}, "^JWT_ISSUER is not set"),
        ({"JWT_AUDIENCE": ""}, "^JWT_AUDIENCE is not set"),
        ({"JWT_ALGORITHM": "none"}, "^JWT_ALGORITHM is 'none': it takes RS256, ES256, HS256"),
        ({"JWT_JWKS_URL": ""}, "exactly one"),
        ({"JWT_KEY_PARAMETER": "/key"}, "exactly one"),
        ({"JWT_ALGORITHM": "HS256"}, "HS256 takes a secret"),
    ],
)
def test_settings_of_tokens_that_are_incomplete_or_contradict_each_other_are_named(
    changed: dict[str, str], problem: str
) -> None:
    chosen = Settings.read({**JWT, **changed}).jwt

    with pytest.raises(SettingError, match=problem):
        chosen.checked()


def test_keys_of_cursors_are_a_line_each_and_long_enough() -> None:
    assert cursor_keys(f" {'a' * 32} {'b' * 33}\n") == f"{'a' * 32}\n{'b' * 33}"
    for text, length in (("", 0), (f"{'a' * 32} {'b' * 31}", 31)):
        with pytest.raises(
            SettingError, match=f"CURSOR_KEY_PARAMETER names a key of {length} characters: it takes at least 32"
        ):
            cursor_keys(text)


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

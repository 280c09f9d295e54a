"""A fresh container on empty tables for each test of the API or of a function."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.client import BaseClient
from moto import mock_aws

import tests.support.quick_aws  # noqa: F401 - moto and botocore, quicker
from app import app
from chalicelib import telemetry
from chalicelib.adapters.functions import LedgerFunctions
from chalicelib.settings import settings
from chalicelib.wiring import for_api, for_desk, for_figures, for_posting
from tests.support.api import (
    CREDITS_TABLE,
    REGION,
    TRANSACTIONS_TABLE,
    Api,
    Aws,
    Functions,
    Ledger,
    create_tables,
)
from tests.support.figures_tables import DESK_TABLE, FIGURES_TABLE, FiguresTable, created
from tests.support.system import System, let_no_poll_wait, system_on


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "CREDITS_TABLE": CREDITS_TABLE,
        "TRANSACTIONS_TABLE": TRANSACTIONS_TABLE,
        "CURSOR_KEY_PARAMETER": "/credits/cursor-key",
        "CORS_ORIGINS": "https://admin.example, https://shop.example",
        "POWERTOOLS_METRICS_NAMESPACE": "credits",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    seen = Aws()
    real_call: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    def watched(client: BaseClient, operation: str, request: Mapping[str, Any]) -> Any:
        seen.calls.append((operation, request))
        if seen.fault is not None:
            raise seen.fault
        return real_call(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", watched)
    with mock_aws():
        forget_the_container()
        yield seen
    forget_the_container()


def forget_the_container() -> None:
    for module in (for_posting, for_api):
        for built_once in vars(module).values():
            if hasattr(built_once, "cache_clear"):
                built_once.cache_clear()
    settings.cache_clear()


@pytest.fixture
def ledger(aws: Aws) -> Ledger:
    return Ledger(create_tables())


@pytest.fixture
def api(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    return Api(app)


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Functions:
    stand_in = Functions()
    invoking = LedgerFunctions(stand_in, adjust="adjust-test", set_threshold="threshold-test")  # type: ignore[arg-type]
    monkeypatch.setattr(for_api, "ledger_functions", lambda: invoking)
    return stand_in


@pytest.fixture
def desk(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Everything that the routes ask, with the API's own clients."""
    urls = {
        setting: system.sqs.create_queue(QueueName=name)["QueueUrl"]
        for setting, name in {"OUTBOX_QUEUE_URL": "outbox", "OUTBOX_DEAD_LETTER_QUEUE_URL": "outbox-dead"}.items()
    }
    functions = ("THRESHOLD_EVENTS_FUNCTION", "TRANSACTION_EVENTS_FUNCTION", "ROLL_UP_FUNCTION")
    system.configure(
        **urls,
        **dict.fromkeys(functions, "none"),
        FIGURES_TABLE=FIGURES_TABLE,
        DESK_TABLE=DESK_TABLE,
        TRIAL_CREDITS="22",
        LOW_BALANCE_THRESHOLD_PERCENT="91",
    )
    let_no_poll_wait(monkeypatch)
    created(system.dynamodb, DESK_TABLE, logical_id="DeskTable")
    forget_the_figures()
    yield system
    forget_the_figures()


def forget_the_figures() -> None:
    for built_once in (
        for_figures.figures,
        for_figures.fleet,
        for_figures.recent_events,
        for_figures.month_ends,
        for_figures.fleet_days,
        for_desk.desk_reader,
    ):
        built_once.cache_clear()
    for_figures.container_counters.cache_clear()
    telemetry.counters._values.clear()
    for_figures.counter_writer.cache_clear()


@pytest.fixture
def table(desk: System) -> FiguresTable:
    return created(desk.dynamodb, FIGURES_TABLE)


@pytest.fixture
def system(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    with system_on(monkeypatch) as built:
        yield built

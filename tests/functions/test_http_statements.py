"""Statements of months and the balance at a time, over HTTP, with the requests that they cost."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import boto3
import pytest

from chalicelib.adapters.dynamodb import history as history_module
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.adapters.dynamodb.month_ends import MonthEnds
from chalicelib.contracts.api.statements import Statement, page
from chalicelib.domain.ids import instant
from chalicelib.domain.statements import Month, day_over, month_after
from chalicelib.handlers.roll_up import roll_up
from chalicelib.settings import settings
from chalicelib.usecases import looking_back
from chalicelib.wiring import for_figures, for_posting
from tests.support.api import ADMIN, NOBODY, NOON, OPS, OTHER, OWNER, REGION, Answered, Api, Aws, Ledger
from tests.support.builders import SHOP, order, trial
from tests.support.ends_of_months import MONTHS, lived
from tests.support.fakes import FakeLedger, settle
from tests.support.figures_tables import FiguresTable, created
from tests.support.stream_events import Context, event, record

BALANCE = "/credits/accounts/{merchant_id}/balance"
STATEMENT = "/credits/accounts/{merchant_id}/statements/{month}"
FIGURES_TABLE = "figures-test"


def balance_at(api: Api, at: str, token: Mapping[str, str] = OWNER, shop: str = SHOP) -> Answered:
    return api.get(f"/credits/accounts/{shop}/balance", route=BALANCE, token=token, parameters={"at": at})


def statement(api: Api, month: str, token: Mapping[str, str] = OWNER, shop: str = SHOP, accept: str = "") -> Answered:
    path = f"/credits/accounts/{shop}/statements/{month}"
    return api.get(path, route=STATEMENT, token=token, headers={"Accept": accept} if accept else None)


@pytest.fixture
def figures(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FiguresTable]:
    monkeypatch.setenv("FIGURES_TABLE", FIGURES_TABLE)
    settings.cache_clear()
    for_figures.month_ends.cache_clear()
    monkeypatch.setattr(for_figures, "container_counters", lambda: None)
    yield created(boto3.client("dynamodb", region_name=REGION), FIGURES_TABLE)
    for_figures.month_ends.cache_clear()


@pytest.fixture
def shop(ledger: Ledger) -> FakeLedger:
    written, _ = lived(11, writes=100)
    ledger.copy(written)
    return written


@pytest.fixture
def ends(figures: FiguresTable, shop: FakeLedger) -> MonthEnds:
    kept = MonthEnds(figures.client, table=figures.name)
    for commit in shop.commits:
        if commit.before is not None and (over := day_over(commit.before, commit.after)) is not None:
            kept.note(over)
    return kept


@pytest.mark.usefixtures("ends")
def test_the_balance_at_any_time_takes_three_requests_at_the_most(api: Api, aws: Aws, shop: FakeLedger) -> None:
    transactions = shop.history(SHOP)
    for before, after in [*pairwise(transactions)][::9]:
        if before.created_at == after.created_at:
            continue
        aws.calls.clear()

        answered = balance_at(api, before.created_at)

        assert (answered.status, answered.body["data"]) == (
            200,
            {"merchant_id": SHOP, "balance": before.balance_after, "runway": None, "as_of": before.created_at},
        )
        assert aws.operations() == ["GetItem", "BatchGetItem", "Query"]


@pytest.mark.usefixtures("ends")
def test_a_statement_takes_two_requests_and_closes_where_the_next_opens(api: Api, aws: Aws, shop: FakeLedger) -> None:
    last = None
    for month in MONTHS:
        aws.calls.clear()

        data = statement(api, month).body["data"]

        assert aws.operations() in (["GetItem"], ["GetItem", "BatchGetItem"])
        of_month = [transaction for transaction in shop.history(SHOP) if transaction.created_at.startswith(month)]
        assert data["transaction_count"] == len(of_month)
        assert data["closing"]["balance"] - data["opening"]["balance"] == sum(one.amount for one in of_month)
        assert data["credits_in"] - data["credits_out"] == sum(one.amount for one in of_month)
        assert last in (None, data["opening"])
        last = data["closing"]


@pytest.mark.slow
@pytest.mark.usefixtures("ends", "shop")
def test_the_statement_of_every_month_is_the_sum_of_its_export(api: Api) -> None:
    whole = 0
    for month in MONTHS:
        said, rows = statement(api, month).body["data"], exported(api, month)

        whole += len(rows)
        amounts = [int(row["amount"]) for row in rows]
        assert said["closing"]["balance"] - said["opening"]["balance"] == sum(amounts)
        assert said["transaction_count"] == len(rows)
        assert (said["credits_in"], said["credits_out"]) == (
            sum(amount for amount in amounts if amount > 0),
            -sum(amount for amount in amounts if amount < 0),
        )
        by_type = {
            name: (of_type["increases"] + of_type["decreases"], of_type["credits_in"] - of_type["credits_out"])
            for name, of_type in said["by_type"].items()
        }
        assert by_type == {
            name: (len(moved), sum(moved))
            for name in {row["transaction_type"] for row in rows}
            for moved in [[int(row["amount"]) for row in rows if row["transaction_type"] == name]]
        }
    assert whole > 150


def exported(api: Api, month: str) -> list[dict[str, str]]:
    """Return the rows of a month's CSV, page after page."""
    after = month_after(Month(month))
    dates = {"start_date": f"{month}-01T00:00:00.000Z", "end_date": f"{after}-01T00:00:00.000Z"}
    found: list[dict[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        answered = api.get(
            f"/credits/transactions/merchant/{SHOP}",
            route="/credits/transactions/merchant/{merchant_id}",
            token=OWNER,
            parameters={"limit": "100", **dates, **cursor},
            headers={"Accept": "text/csv"},
        )
        found += csv.DictReader(answered.text.splitlines())
        if "X-Next-Cursor" not in answered.headers:
            return [row for row in found if row["created_at"].startswith(month)]
        cursor = {"cursor": answered.headers["X-Next-Cursor"]}


@pytest.mark.slow
def test_statements_are_the_same_where_no_end_is_kept(
    api: Api, shop: FakeLedger, figures: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "WINDOW_MAX", 10)
    derived = [statement(api, month).body["data"] for month in MONTHS]
    some = shop.history(SHOP)[5::25]
    balances = [balance_at(api, transaction.created_at).body["data"] for transaction in some]

    kept = MonthEnds(figures.client, table=figures.name)
    for commit in shop.commits:
        if commit.before is not None and (over := day_over(commit.before, commit.after)) is not None:
            kept.note(over)

    assert derived == [statement(api, month).body["data"] for month in MONTHS]
    assert balances == [balance_at(api, transaction.created_at).body["data"] for transaction in some]


@pytest.mark.parametrize("orders_before", [28, 30])
def test_what_lapsed_in_a_long_history_stays_gone_once_it_is_recorded(
    api: Api, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, orders_before: int
) -> None:
    monkeypatch.setattr(history_module, "WINDOW_MAX", 4)
    written, day = FakeLedger(), NOON.date().isoformat()
    orders = [order(f"{number}") for number in range(orders_before)]
    lots = [replace(trial(40), expires_at=instant(NOON + timedelta(minutes=1)), expiry_stated=True)]
    settle(written, [*lots, *orders], now=instant(NOON))
    settle(written, [order(f"late {number}") for number in range(30)], now=instant(NOON + timedelta(seconds=90)))
    ledger.copy(written)

    balances = [balance_at(api, f"{day}T12:0{time}Z").body["data"]["balance"] for time in ("0:59.999", "1:00", "1:29")]

    assert balances == [40 - orders_before, 0, 0]


@pytest.mark.slow
def test_ends_of_another_history_mislead_no_balance(api: Api, shop: FakeLedger, figures: FiguresTable) -> None:
    kept = MonthEnds(figures.client, table=figures.name)
    for seed in (12, 13):
        other, _ = lived(seed, writes=100, longest_hours=60)
        for commit in other.commits:
            if commit.before is not None and (over := day_over(commit.before, commit.after)) is not None:
                kept.note(replace(over, months=()))
    transactions = shop.history(SHOP)

    for before, after in [*pairwise(transactions)][::7]:
        if before.created_at < after.created_at:
            assert balance_at(api, before.created_at).body["data"]["balance"] == before.balance_after


def test_before_the_first_transaction_the_balance_is_0_and_the_future_is_refused(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(5))

    assert balance_at(api, "2020-01-01").body["data"] == {
        "merchant_id": SHOP,
        "balance": 0,
        "runway": None,
        "as_of": "2020-01-01T23:59:59.999Z",
    }
    tomorrow = instant(datetime.now(UTC) + timedelta(days=1))
    today = balance_at(api, instant(datetime.now(UTC))[:10]).body["data"]
    assert (today["balance"], today["as_of"] < instant(datetime.now(UTC) + timedelta(seconds=60))) == (5, True)
    assert [balance_at(api, at).status for at in (tomorrow, "yesterday")] == [400, 400]
    assert [balance_at(api, "2020-01-01", shop=each, token=ADMIN).status for each in (NOBODY, OTHER)] == [404, 404]
    assert balance_at(api, "2020-01-01", token=OPS).status == 403
    assert balance_at(api, "2020-01-01", shop=OTHER).status == 404


def test_the_running_month_is_open_and_the_months_before_an_account_are_empty(api: Api, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    ledger.post(trial(5), at=now)
    month = instant(now)[:7]

    running, earlier = (statement(api, each).body["data"] for each in (month, "2020-02"))

    assert (running["open"], running["opening"]["balance"], running["closing"]["balance"]) == (True, 0, 5)
    assert (earlier["open"], earlier["closing"], earlier["first_sequence"]) == (
        False,
        {"balance": 0, "sequence": 0, "hash": "0" * 64},
        None,
    )


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "0000-01", "2026", "9999-12", "2026-01-01", "٢٠٢٦-01"])
def test_what_is_no_month_of_the_past_is_refused(api: Api, ledger: Ledger, month: str) -> None:
    ledger.post(trial(5))

    answered = statement(api, month)

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": "month"})


def test_statements_are_the_merchants_own(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(5))

    assert [statement(api, "2026-01", token=token).status for token in (OWNER, ADMIN, OPS)] == [200, 200, 403]
    assert statement(api, "2026-01", shop=OTHER).status == 404
    assert statement(api, "2026-01", shop=NOBODY, token=ADMIN).status == 404


def test_a_month_that_is_too_long_to_be_added_up_is_refused(
    api: Api, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_back, "ADDED_UP_MAX", 2)
    ledger.post(trial(5), order("1"), order("2"))
    ledger.post(order("3"), at=NOON + timedelta(days=40))

    answered = statement(api, "2025-06")

    assert (answered.status, answered.body["error"]["code"]) == (400, "RANGE_TOO_LONG")


def test_roll_up_keeps_the_ends_that_the_stream_shows(
    figures: FiguresTable, shop: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/none")
    for built in (for_figures.figures, for_posting.dynamodb):
        built.cache_clear()
    records = []
    for commit in shop.commits:
        of_write = record(commit.after)
        if commit.before is not None:
            of_write["dynamodb"]["OldImage"] = account_item(commit.before)
        records.append(of_write)

    assert roll_up(event(records), Context()) == {"batchItemFailures": []}

    ends = MonthEnds(figures.client, table=figures.name)
    kept = ends.kept(SHOP, MONTHS)
    assert len([month for month in kept.values() if month.closing is not None]) > 20
    for built in (for_figures.figures, for_posting.dynamodb):
        built.cache_clear()


def test_whoever_prefers_html_gets_a_page_that_prints(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(5000), order("1"))

    answered = statement(api, "2025-06", accept="text/html,application/xhtml+xml;q=0.9,application/json;q=0.5")

    assert answered.headers["Content-Type"] == "text/html; charset=utf-8"
    for words in ("Statement of credits, 2025-06", "4,999", "Order paid", "@page", "transactions 1 to 2"):
        assert words in answered.text
    assert "<script" not in answered.text
    assert statement(api, "2025-06", accept="text/html;q=0.1, application/json").body["data"]["month"] == "2025-06"


def test_a_page_escapes_what_it_shows(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(5))
    data = Statement.model_validate({**statement(api, "2025-06").body["data"], "merchant_id": "<b>"})

    assert "<b>" not in page(data, made_at="<i>")

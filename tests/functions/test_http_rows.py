"""A page of a history as rows: CSV and JSON Lines, by `Accept`."""

import csv
import json
from datetime import timedelta

import pytest

from chalicelib.contracts.api import tables
from chalicelib.domain.ids import instant
from tests.support.api import ADMIN, NOON, OTHER, OWNER, Answered, Api, Ledger
from tests.support.builders import SHOP, order, trial
from tests.support.fakes import FakeLedger, settle

ROUTE = "/credits/transactions/merchant/{merchant_id}"


def page(api: Api, accept: str, shop: str = SHOP, /, **parameters: str) -> Answered:
    return api.get(
        f"/credits/transactions/merchant/{shop}",
        route=ROUTE,
        token=OWNER if shop == SHOP else ADMIN,
        parameters=parameters,
        headers={"Accept": accept},
    )


@pytest.fixture
def shop(ledger: Ledger) -> FakeLedger:
    written = FakeLedger()
    for minute, movement in enumerate([trial(9), *(order(str(number)) for number in range(6))]):
        settle(written, [movement], now=instant(NOON + timedelta(minutes=minute)))
    ledger.copy(written)
    return written


@pytest.mark.usefixtures("shop")
def test_a_page_as_json_lines_and_as_csv_holds_the_rows_of_the_page_in_json(api: Api) -> None:
    whole = page(api, "application/json", limit="4").body["data"]

    lines, as_csv = page(api, "application/x-ndjson", limit="4"), page(api, "text/csv", limit="4")

    assert [json.loads(line) for line in lines.text.splitlines()] == whole
    assert lines.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    found = list(csv.DictReader(as_csv.text.splitlines()))
    assert [row["id"] for row in found] == [row["id"] for row in whole]
    assert tuple(found[0]) == tables.COLUMNS
    assert as_csv.headers["Content-Disposition"] == f'attachment; filename="transactions-{SHOP}.csv"'


@pytest.mark.usefixtures("shop")
def test_the_cursor_of_a_page_of_rows_leads_to_the_next_one(api: Api) -> None:
    first = page(api, "text/csv", limit="4")
    second = page(api, "text/csv", limit="4", cursor=first.headers["X-Next-Cursor"])

    sequences = [row["sequence"] for one in (first, second) for row in csv.DictReader(one.text.splitlines())]
    assert sequences == ["7", "6", "5", "4", "3", "2", "1"]
    assert "X-Next-Cursor" not in second.headers
    assert 'rel="next"' in first.headers["Link"]


@pytest.mark.usefixtures("ledger")
def test_without_an_account_there_is_the_heading_alone(api: Api) -> None:
    assert page(api, "text/csv", OTHER).text == tables.heading()
    assert page(api, "application/x-ndjson", OTHER).text == ""


@pytest.mark.parametrize(
    "accept", ["*/*", "text/html", "application/json, text/csv", "text/csv;q=0", "text/csv;q=nan", ""]
)
@pytest.mark.usefixtures("shop")
def test_whoever_does_not_prefer_rows_gets_json(api: Api, accept: str) -> None:
    assert page(api, accept, limit="1").body["data"][0]["sequence"] == 7


@pytest.mark.usefixtures("shop")
def test_a_refusal_stays_a_problem(api: Api) -> None:
    assert page(api, "text/csv", limit="0").body["error"]["code"] == "BAD_REQUEST"

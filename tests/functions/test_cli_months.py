"""`credits refill-months`: after a restore, which loses the ends of days and months, statements cost what they did."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from chalicelib.adapters.dynamodb.month_ends import MonthEnds
from chalicelib.domain.days_over import days_over
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.statements import day_over
from chalicelib.domain.walk import Walk
from chalicelib.wiring import for_figures
from infra.commands import months
from infra.commands.target import Target
from tests.support.api import CREDITS_TABLE, OWNER, REGION, TRANSACTIONS_TABLE, Api, Aws, Ledger
from tests.support.builders import SHOP, adjustment, payment, reversal, trial
from tests.support.command_line import Said, said, target_of
from tests.support.ends_of_months import MONTHS, FakeMonthEnds, lived
from tests.support.fakes import FakeLedger, settle
from tests.support.figures_tables import FIGURES_TABLE, FiguresTable, created

OTHER = MerchantId("0b3c8e1a-5f1d-4a7e-9d53-1d2f5a6b7c8d")


@pytest.fixture
def shop(ledger: Ledger) -> FakeLedger:
    written, _ = lived(11, writes=60)
    first, end = (written.history(SHOP)[place].created_at for place in (0, -1))
    settle(written, [trial(7, of=OTHER), payment("p1", 5, of=OTHER)], now=first)
    # It owes 5 at the end of a month.
    for movement in (adjustment("a1", -12, of=OTHER), reversal("p1", credits_back=5, of=OTHER)):
        settle(written, [movement], now=first)
    settle(written, [payment("p2", 3, of=OTHER)], now=end)
    ledger.copy(written)
    return written


@pytest.fixture
def restored(aws: Aws, shop: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> Iterator[FiguresTable]:
    """The figures' table after a restore: there, and empty."""
    client = boto3.client("dynamodb", region_name=REGION)
    monkeypatch.setenv("FIGURES_TABLE", FIGURES_TABLE)
    monkeypatch.setattr(for_figures, "container_counters", lambda: None)
    for_figures.month_ends.cache_clear()
    target = target_of(credits_table=CREDITS_TABLE, transactions_table=TRANSACTIONS_TABLE, figures_table=FIGURES_TABLE)
    monkeypatch.setattr(Target, "client", lambda *_: client)
    monkeypatch.setattr(months, "find", lambda *_: target)
    yield created(client, FIGURES_TABLE)
    for_figures.month_ends.cache_clear()


def refilled(*merchants: str, status: int = 0) -> Any:
    told: Said = said("refill-months", *merchants, "--json")
    assert told.status == status, told.out + told.err
    return told.json


def items(table: FiguresTable) -> dict[str, Any]:
    found = table.client.scan(TableName=table.name)["Items"]
    return {item["id"]["S"]: item for item in found}


def test_what_is_refilled_is_what_the_stream_had_kept(restored: FiguresTable, shop: FakeLedger) -> None:
    kept, table = FakeMonthEnds(), restored
    live = created(table.client, "figures-live")
    for commit in shop.commits:
        kept.note_all([commit])
    for commit in shop.commits:
        if commit.before is not None and (over := day_over(commit.before, commit.after)) is not None:
            MonthEnds(live.client, table=live.name).note(over)

    first = refilled()

    assert items(table) == items(live)
    assert MonthEnds(table.client, table=table.name).kept(SHOP, MONTHS) == kept.of(SHOP)
    assert (first["accounts"], first["broken"]) == (2, [])
    assert (refilled(), items(table)) == (first, items(live)), "repeated, it changes nothing"


def test_ends_derived_from_transactions_equal_those_seen_at_the_writes(shop: FakeLedger) -> None:
    for merchant in (SHOP, OTHER):
        commits = [one for one in shop.commits if one.before is not None and one.after.merchant_id == merchant]
        shown = [over for one in commits if one.before and (over := day_over(one.before, one.after)) is not None]

        assert list(days_over(Walk(merchant), shop.history(merchant))) == shown


@pytest.mark.slow
def test_statements_after_a_restore_are_the_same_and_cost_two_requests_once_refilled(
    restored: FiguresTable, aws: Aws, api: Api
) -> None:
    def statement(month: str) -> Any:
        route = "/credits/accounts/{merchant_id}/statements/{month}"
        return api.get(f"/credits/accounts/{SHOP}/statements/{month}", route=route, token=OWNER).body["data"]

    derived = [statement(month) for month in MONTHS]
    refilled(SHOP)
    told = []
    for month in MONTHS:
        aws.calls.clear()
        told.append(statement(month))
        assert len(aws.operations()) <= 2

    assert told == derived
    assert not any(OTHER in key for key in items(restored))


def test_behind_a_transaction_that_was_changed_nothing_is_proven(restored: FiguresTable, shop: FakeLedger) -> None:
    tenth = shop.history(SHOP)[20]
    restored.client.update_item(
        TableName=TRANSACTIONS_TABLE,
        Key={"transaction_id": {"S": tenth.transaction_id}},
        UpdateExpression="SET amount = amount + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )

    told = refilled(SHOP, status=1)

    assert told["broken"] == [SHOP]
    kept = MonthEnds(restored.client, table=restored.name).kept(SHOP, MONTHS)
    assert max(day for month in kept.values() for day in month.days.values()) <= tenth.sequence


def test_a_merchant_is_named_by_its_id(restored: FiguresTable) -> None:
    assert said("refill-months", "x").status == 2


@pytest.mark.usefixtures("restored")
def test_a_merchant_that_was_never_recorded_is_refused() -> None:
    told = said("refill-months", "00000000-0000-5000-8000-000000000000")

    assert (told.status, "has no account" in told.err) == (1, True)

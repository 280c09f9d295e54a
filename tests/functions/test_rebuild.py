"""`credits rebuild` after a restore that tore the tables: to the end of the transactions, and the last word."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import app
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.domain.fold import ITEMS_MAX
from chalicelib.domain.ledger import Account, TallyChange
from chalicelib.domain.orders import Tally
from chalicelib.wiring import for_figures
from infra.recovery.rebuilding import Rebuild, written
from tests.functions.test_cli_operations import Desk, desk, history
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import NOON, SHOP, order, trial
from tests.support.events import Context, adjusted, batch, charged, opened, paid, refunded
from tests.support.fakes import FakeLedger, settle
from tests.support.stream_events import event

__all__ = ["desk"]


def put_back(desk: Desk, account: Account) -> None:
    desk.system.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(account))


def delete_account(desk: Desk) -> None:
    desk.system.dynamodb.delete_item(TableName=CREDITS_TABLE, Key={"merchant_id": {"S": SHOP}})


def delete_record(desk: Desk, sequence: int) -> None:
    key = {"transaction_id": {"S": desk.system.history()[sequence - 1].transaction_id}}
    desk.system.dynamodb.delete_item(TableName=TRANSACTIONS_TABLE, Key=key)


@pytest.mark.parametrize("behind", [1, 2, 4])
def test_an_account_that_lags_by_any_number_of_transactions_is_rebuilt(desk: Desk, behind: int) -> None:
    messages = [opened(), charged("p1", 50), paid(1), refunded(1), adjusted("DECREASE", 140)]
    states = [desk.system.ingest(message) == [] and desk.system.account() for message in messages]
    whole, lagging = states[-1], states[-1 - behind]
    assert isinstance(whole, Account)
    assert isinstance(lagging, Account)
    put_back(desk, lagging)

    assert desk.run("verify", SHOP).exit_code == 1
    shown = desk.told("rebuild", SHOP, status=1)
    assert {finding["kind"] for finding in shown["findings"]} == {"account_sequence"}
    assert shown["differences"]["sequence"] == {"account": str(5 - behind), "ledger": "5"}
    said = desk.run("rebuild", SHOP, "--yes")
    assert (said.exit_code, "nothing to rebuild" in said.stdout) == (0, False)
    after = desk.system.account()
    assert after == replace(whole, version=after.version, updated_at=after.updated_at)
    assert desk.told("verify", SHOP)["findings"] == []


def test_what_is_replayed_before_and_after_the_rebuild_is_counted_once(desk: Desk) -> None:
    desk.system.ingest(opened())
    lagging = desk.system.account()
    desk.system.ingest(charged("p1", 50))
    put_back(desk, lagging)
    desk.system.configure()

    assert len(desk.system.ingest(charged("p1", 50), paid("after"))) == 2, "nothing is acknowledged"
    errors = [line for line in desk.system.lines() if line["level"] == "ERROR"]
    assert any(f"credits rebuild {SHOP}" in line["message"] for line in errors)
    assert desk.run("rebuild", SHOP, "--yes").exit_code == 0
    assert desk.system.ingest(charged("p1", 50), paid("after")) == []

    assert (desk.system.balance(), desk.told("verify", SHOP)["findings"]) == (149, [])


def test_an_account_that_carries_wrong_crossings_is_not_reported_as_right(desk: Desk) -> None:
    desk.system.ingest(opened(), adjusted("DECREASE", 95))
    desk.system.dynamodb.update_item(
        TableName=CREDITS_TABLE, Key={"merchant_id": {"S": SHOP}}, UpdateExpression="REMOVE crossings"
    )

    shown = desk.run("rebuild", SHOP)
    assert (shown.exit_code, "nothing to rebuild" in shown.stdout) == (1, False)
    assert desk.run("rebuild", SHOP, "--yes").exit_code == 0
    assert desk.told("verify", SHOP)["findings"] == []


def wrong_tally(desk: Desk) -> None:
    key = {"transaction_id": {"S": desk.system.history()[1].transaction_id}}
    desk.system.dynamodb.update_item(
        TableName=TRANSACTIONS_TABLE,
        Key=key,
        UpdateExpression="SET refunded_credits = :none, refunded_total = :total",
        ExpressionAttributeValues={":none": {"N": "0"}, ":total": {"S": "7"}},
    )


def no_tally(desk: Desk) -> None:
    names = ("count", "credits", "money", "full", "at")
    desk.system.dynamodb.update_item(
        TableName=TRANSACTIONS_TABLE,
        Key={"transaction_id": {"S": desk.system.history()[1].transaction_id}},
        UpdateExpression="REMOVE " + ",".join(f"refunded_{name}" for name in names),
    )


@pytest.mark.parametrize("tear", [wrong_tally, no_tally])
def test_a_tally_that_the_refunds_do_not_prove_is_rebuilt(desk: Desk, tear: Callable[[Desk], None]) -> None:
    desk.system.ingest(opened(), paid(1), refunded(1))
    before = desk.system.history()
    tear(desk)

    shown = desk.told("rebuild", SHOP, status=1)
    assert list(shown["differences"]) == [f"refunded of {before[1].transaction_id}"]
    assert desk.told("rebuild", SHOP, "--yes")["left"] == []
    assert desk.system.history() == before


def test_more_tallies_than_a_write_holds_are_all_written() -> None:
    ledger, of_order = FakeLedger(), Tally(count=1)
    settle(ledger, [trial(500), *(order(str(number)) for number in range(ITEMS_MAX + 50))], now=NOON)
    account = ledger.accounts[SHOP]
    wrong = Rebuild(
        merchant_id=SHOP,
        before=account,
        after=replace(account, version=account.version + 1),
        tallies=tuple(
            TallyChange(transaction_id=one.transaction_id, before=one.tally, after=of_order, time=NOON)
            for one in ledger.history(SHOP)[1:]
        ),
        findings=(),
    )

    assert written(ledger, wrong)
    assert [one.tally for one in ledger.history(SHOP)[1:]] == [of_order] * (ITEMS_MAX + 50)


def test_a_refund_that_was_lost_is_given_back_by_the_replay(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1))
    lagging = desk.system.account()
    desk.system.ingest(refunded(1))
    # The refund and its account were not restored; what it changed on the order's transaction was.
    put_back(desk, lagging)
    delete_record(desk, 3)
    desk.system.configure()

    assert desk.told("verify", SHOP, status=1)["findings"][0]["kind"] == "tally_wrong"
    assert desk.run("rebuild", SHOP, "--yes").exit_code == 0
    assert desk.system.ingest(refunded(1)) == []

    assert (desk.system.balance(), desk.told("verify", SHOP)["findings"]) == (100, [])


def rolled_up(desk: Desk) -> Any:
    for built_once in (
        for_figures.figures,
        for_figures.fleet,
        for_figures.recent_events,
        for_figures.container_counters,
    ):
        built_once.cache_clear()
    return app.roll_up(event(desk.system.stream(CREDITS_TABLE)), Context())


def test_the_figures_count_a_rebuilt_account(desk: Desk) -> None:
    desk.system.configure(FIGURES_TABLE="figures-test")
    history(desk)
    rolled_up(desk)
    before = desk.figures.store.fleet()
    delete_account(desk)
    assert desk.run("rebuild", SHOP, "--yes").exit_code == 0
    desk.system.configure(FIGURES_TABLE="figures-test")

    assert desk.system.ingest(charged("p2", 1000)) == []
    assert rolled_up(desk) == {"batchItemFailures": []}
    assert desk.figures.store.fleet().balance == before.balance + 1000


def test_no_event_id_of_a_threshold_comes_again_after_a_rebuild(desk: Desk) -> None:
    desk.system.ingest(opened())
    app.set_threshold({"merchant_id": SHOP, "low_balance_threshold": 500, "admin_id": "a"}, Context())
    [first] = [found for found in desk.streamed() if "low" in found[0]]
    delete_account(desk)
    assert desk.run("rebuild", SHOP, "--yes").exit_code == 0
    desk.system.configure()

    app.set_threshold({"merchant_id": SHOP, "low_balance_threshold": 400, "admin_id": "a"}, Context())
    app.publish_threshold_events(batch(desk.system.stream(CREDITS_TABLE)[-1:]), Context())

    [second] = desk.heard()
    assert second[0] == first[0]
    assert second[1] != first[1]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"level": {"S": "zero#1"}}, "account_level"),
        ({"updated_at": {"S": "2099-01-01T00:00:00.000Z"}}, "account_time"),
        ({"created_at": {"S": "2020-01-01T00:00:00.000Z"}}, "account_time"),
        ({"low_balance_threshold": {"N": "7"}}, "account_threshold"),
    ],
)
def test_what_no_counter_shows_is_found_and_rebuilt(desk: Desk, changed: dict[str, Any], kind: str) -> None:
    desk.system.ingest(opened(), adjusted("DECREASE", 95))
    desk.change_account(SHOP, **changed)

    assert [finding["kind"] for finding in desk.told("verify", SHOP, status=1)["findings"]] == [kind]
    assert desk.told("rebuild", SHOP, "--yes")["left"] == []
    assert desk.told("verify", SHOP)["findings"] == []
    assert desk.system.account().updated_at < "2099"


def test_verify_finds_transactions_whose_account_is_gone(desk: Desk) -> None:
    desk.system.ingest(opened(), paid(1))
    delete_account(desk)

    told = desk.told("verify", status=1)
    assert [(finding["kind"], finding["sequence"]) for finding in told["findings"]] == [("account_missing", 2)]
    assert told["accounts"] == 1

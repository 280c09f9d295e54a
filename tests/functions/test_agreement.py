"""Tables that a restore tore, either of them and by any number of transactions, agree after the guide's steps."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.domain.ledger import Account
from chalicelib.domain.transactions import Transaction
from infra.recovery.agreement import Ledger, Torn, agree
from tests.functions.test_cli_operations import Desk, desk
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.events import adjusted, charged, opened, paid, refunded

__all__ = ["desk"]

TABLES = Ledger(credits=CREDITS_TABLE, transactions=TRANSACTIONS_TABLE)
OTHER = merchant("other")
MESSAGES = [opened(), charged("p1", 50), paid(1), refunded(1), paid(2), adjusted("DECREASE", 100)]
SIX = range(1, 7)


def agreed(desk: Desk, *, at: datetime | None = None) -> list[Torn]:
    return list(agree(desk.system.dynamodb, TABLES, at=at or datetime.now(UTC), at_once=1))


def states(desk: Desk) -> list[Account]:
    """Let the shop have six transactions, and return its account after each; another shop is there besides."""
    desk.system.ingest(opened(OTHER))
    found = []
    for message in MESSAGES:
        assert desk.system.ingest(message) == []
        found.append(desk.system.account())
    return found


def tear(desk: Desk, account: Account | None, transactions: Sequence[int]) -> list[Transaction]:
    """Leave this account and these transactions, and return all transactions as they were."""
    history = desk.system.history()
    key = {"merchant_id": {"S": SHOP}}
    if account is None:
        desk.system.dynamodb.delete_item(TableName=CREDITS_TABLE, Key=key)
    else:
        desk.system.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(account))
    for transaction in history:
        if transaction.sequence not in transactions:
            desk.system.dynamodb.delete_item(
                TableName=TRANSACTIONS_TABLE, Key={"transaction_id": {"S": transaction.transaction_id}}
            )
    return history


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accounted", "transactions"),
    [
        (0, SIX),
        (1, SIX),
        (5, SIX),
        (6, range(1, 6)),
        (6, range(1, 2)),
        (6, []),
        (3, [1, 2, 3, 6]),
        (6, [1, 3, 4, 6]),
        (0, [2, 4]),
        (3, range(1, 4)),
    ],
)
def test_whatever_is_torn_agrees_after_the_steps_and_the_replay(
    desk: Desk, accounted: int, transactions: Sequence[int]
) -> None:
    known = states(desk)
    history = tear(desk, known[accounted - 1] if accounted else None, transactions)

    wanted = [torn.merchant_id for torn in agreed(desk) if torn.kept]
    # What no count of transactions shows: a refund that is gone, and its order's transaction tells of it.
    found = json.loads(desk.run("verify", "--json").stdout)["findings"]
    assert {finding["kind"] for finding in found if finding["merchant_id"] not in wanted} <= {"tally_wrong"}
    for merchant_id in {*wanted, *(finding["merchant_id"] for finding in found)}:
        assert desk.run("rebuild", merchant_id, "--yes").exit_code == 0
    assert desk.told("verify")["findings"] == []
    desk.system.configure()

    assert [desk.system.ingest(message) for message in MESSAGES] == [[]] * len(MESSAGES)
    assert desk.told("verify")["findings"] == []
    assert {transaction.idempotency_key for transaction in desk.system.history()} == {
        one.idempotency_key for one in history
    }
    assert desk.system.balance() == known[-1].balance == 49
    assert desk.system.balance(OTHER) == 100


@pytest.mark.parametrize("accounted", [0, 3, 5])
def test_an_inflow_without_the_debt_that_it_paid_is_torn_and_comes_again(desk: Desk, accounted: int) -> None:
    settings = {"GRACE_CREDITS": "10", "TRIAL_CREDITS": "1"}
    desk.system.configure(**settings)
    messages = [opened(), paid(1), paid(2), charged("p1", 5)]
    known: dict[int, Account | None] = {0: None}
    for message in messages:
        assert desk.system.ingest(message) == []
        known[desk.system.account().sequence] = desk.system.account()
    tear(desk, known[accounted], range(1, 5))

    [torn] = agreed(desk)

    assert (torn.kept, torn.removed) == (3, 1)
    assert desk.run("rebuild", SHOP, "--yes").exit_code == 0
    assert desk.told("verify")["findings"] == []
    desk.system.configure(**settings)
    assert [desk.system.ingest(message) for message in messages] == [[]] * len(messages)
    assert (desk.system.account().balance, desk.system.account().debt) == (4, 0)
    assert desk.told("verify")["findings"] == []


def test_tables_that_agree_are_left_alone(desk: Desk) -> None:
    states(desk)
    before = desk.system.everything()

    assert agreed(desk) == []
    assert desk.system.everything() == before


def test_what_was_missing_long_before_the_restore_is_left_for_verify(desk: Desk) -> None:
    known = states(desk)
    tear(desk, known[-1], [1, 2, 4, 5, 6])
    before = desk.system.everything()

    assert agreed(desk, at=datetime.now(UTC) + timedelta(hours=1)) == []
    assert desk.system.everything() == before


def test_the_threshold_of_an_account_that_is_taken_back_is_named(desk: Desk) -> None:
    known = states(desk)
    tear(desk, replace(known[-1], low_balance_threshold=7, threshold=7), range(1, 6))

    assert agreed(desk) == [
        Torn(merchant_id=SHOP, kept=5, removed=0, taken_back=True, low_balance_threshold=7),
    ]


def test_a_guard_whose_transaction_did_not_come_back_is_removed_and_the_fact_is_recorded_again(desk: Desk) -> None:
    desk.system.ingest(opened())
    before = desk.system.account()
    desk.system.ingest(charged("cs", 50, aliases=["in"]))
    tear(desk, before, [1])
    desk.system.configure()
    desk.system.ingest(charged("in", 50))
    assert desk.system.balance() == 100

    assert agreed(desk) == []

    desk.system.configure()
    desk.system.ingest(charged("in", 50), charged("cs", 50, aliases=["in"]))
    assert desk.system.balance() == 150

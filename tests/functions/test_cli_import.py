"""`credits import`: what the old service had, opened once, and its old events counted no second time."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from chalicelib.adapters.dynamodb.ledger_reader import DynamoDBLedgerReader
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Kind
from chalicelib.usecases.checking import check
from infra.commands import changes, importing
from infra.commands.old_tables import OldAccount, current_key
from infra.commands.openings import Openings
from tests.functions.test_cli_operations import Desk, desk
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import NOON, SHOP, merchant, trial
from tests.support.events import asking, charged, opened, paid, refunded
from tests.support.fakes import FakeLedger, settle

__all__ = ["desk"]

OTHER = merchant("other")
ACCOUNTS = ("merchant_id,id,balance,created_at", f"{SHOP},c1,40,2024-01-01 00:00:00+00", f"{OTHER.upper()},c2,0,")
TRANSACTIONS = (
    "id,merchant_id,operation_type,credits_used,balance_before,balance_after,idempotency_key,reference_id,extra_metadata",
    f't1,{SHOP},INCREASE,50,0,50,TRIAL_MERCHANT,{SHOP},"{{""a"": ""1,\n2""}}"',
    f"t2,{SHOP},DECREASE,9,50,41,SHOPIFY_ORDER_1,1,",
    f"t3,{SHOP},DECREASE,1,41,40,SHOPIFY_ORDER_gid://shopify/Order/2,2,",
    f"t4,{SHOP},INCREASE,10,40,50,SUBSCRIPTION_RENEWAL_sub_1_2024-01-01T00:00:00Z,sub_1,",
    f"t5,{SHOP},DECREASE,10,50,40,,x,",
    f"t6,{OTHER},INCREASE,10,0,10,BILLING_PAYMENT_in_1,in_1,",
    f"t7,{OTHER},INCREASE,10,0,10,BILLING_PAYMENT_in_1,in_1,",
)


@pytest.fixture(autouse=True)
def import_command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "find", vars(changes)["find"])
    monkeypatch.setattr(importing, "default_threshold", lambda _: 20)


def files(folder: Path, accounts: Sequence[str] = ACCOUNTS, transactions: Sequence[str] = TRANSACTIONS) -> list[str]:
    paths = folder / "accounts.csv", folder / "transactions.csv"
    for path, lines in zip(paths, (accounts, transactions), strict=True):
        path.write_text("\n".join(lines) + "\n")
    return [str(path) for path in paths]


def test_merchants_are_opened_with_their_old_balance_and_old_events_count_no_second_time(
    desk: Desk, tmp_path: Path
) -> None:
    told = desk.told("import", *files(tmp_path), "--yes")

    assert {name: told[name] for name in ("accounts", "credits", "opened", "without_key", "repeated_keys")} == {
        "accounts": 2,
        "credits": 40,
        "opened": 2,
        "without_key": 1,
        "repeated_keys": 1,
    }
    assert told["differing_balances"] == 1
    desk.system.ingest(
        opened(),
        opened(OTHER),
        paid(1),
        paid("gid://shopify/Order/2"),
        paid(2, total="99"),
        asking(
            "evt.subscription.renewed", {"subscription_id": "sub_1", "period_start": 1704067200, "credits_used": 10}
        ),
        charged("in_1", 10, merchant_id=OTHER),
    )
    assert [(one.kind, one.amount) for one in desk.system.history()] == [(Kind.OPENING, 40)]
    assert desk.system.balance(OTHER) == 0
    assert desk.system.parked() == []

    desk.system.ingest(paid(3), charged("in_1", 10))
    assert desk.system.balance() == 49
    assert not check(_reader(desk), SHOP, pause=lambda _: None, now=lambda: NOON).findings[1:]


def _reader(desk: Desk) -> DynamoDBLedgerReader:
    return DynamoDBLedgerReader(
        desk.system.dynamodb, credits_table=CREDITS_TABLE, transactions_table=TRANSACTIONS_TABLE
    )


def test_an_opening_is_told_as_an_account_that_was_created(desk: Desk, tmp_path: Path) -> None:
    desk.told("import", *files(tmp_path), "--yes")

    assert [event_type for event_type, _ in desk.streamed()] == ["evt.credits.account.created"] * 2


def test_the_refund_of_an_old_order_is_parked_with_what_to_do(desk: Desk, tmp_path: Path) -> None:
    desk.told("import", *files(tmp_path), "--yes")

    desk.system.ingest(refunded(1), paid(9), refunded(9))

    [letter] = desk.system.parked()
    assert letter.attributes["code"] == "order_imported"
    assert desk.system.balance() == 40


def test_the_refund_of_an_old_payment_is_parked_with_what_to_do(desk: Desk, tmp_path: Path) -> None:
    desk.told("import", *files(tmp_path), "--yes")
    disputed = {"merchant_id": OTHER, "payment_id": "in_1", "dispute_id": "dp_1"}
    desk.system.ingest(asking("evt.billing.payment_disputed", disputed))

    [letter] = desk.system.parked()
    assert (letter.attributes["code"], letter.attributes["field"]) == ("order_imported", "payment_id")


def test_the_same_import_again_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    arguments = ["import", *files(tmp_path), "--yes"]
    desk.told(*arguments)
    before = desk.system.everything()

    told = desk.told(*arguments)

    assert (told["opened"], told["guards"], told["opened_before"]) == (0, 0, 2)
    assert desk.system.everything() == before


def test_a_dry_run_writes_nothing(desk: Desk, tmp_path: Path) -> None:
    said = desk.run("import", *files(tmp_path), "--dry-run")

    assert said.exit_code == 0
    assert "Would open 2 accounts. Nothing was changed." in said.stdout
    assert desk.system.items(TRANSACTIONS_TABLE) == []


@pytest.mark.parametrize(
    ("accounts", "transactions", "where"),
    [
        ([*ACCOUNTS, "nobody,c3,1,"], TRANSACTIONS, ("accounts.csv", 4, "merchant_id")),
        ([*ACCOUNTS, f"{merchant('x')},c3,-1,"], TRANSACTIONS, ("accounts.csv", 4, "balance")),
        ([*ACCOUNTS, f"{merchant('x')},c3,1.5,"], TRANSACTIONS, ("accounts.csv", 4, "balance")),
        ([*ACCOUNTS, f"{merchant('x')},c3,,"], TRANSACTIONS, ("accounts.csv", 4, "balance")),
        ([*ACCOUNTS, f"{SHOP},c3,1,"], TRANSACTIONS, ("accounts.csv", 4, "merchant_id")),
        ([*ACCOUNTS, f"{merchant('x')},c3"], TRANSACTIONS, ("accounts.csv", 4, "created_at")),
        (["merchant_id,credits", f"{SHOP},4"], TRANSACTIONS[:1], ("accounts.csv", 1, "balance")),
        (ACCOUNTS, [*TRANSACTIONS, f"t8,{merchant('x')},,,,,K,,"], ("transactions.csv", 10, "merchant_id")),
        (ACCOUNTS, [*TRANSACTIONS, f"t8,{SHOP},,,,,smörgås,,"], ("transactions.csv", 10, "idempotency_key")),
        (ACCOUNTS, [*TRANSACTIONS, f't8,{SHOP},,,,,K,,"open'], ("transactions.csv", 10, "extra_metadata")),
    ],
)
def test_nothing_is_written_while_a_row_is_bad(
    desk: Desk, tmp_path: Path, accounts: list[str], transactions: list[str], where: tuple[str, int, str]
) -> None:
    told = desk.told("import", *files(tmp_path, accounts, transactions), "--yes", status=1)

    assert [(one["file"], one["line"], one["column"]) for one in told["refused"]][:1] == [where]
    assert desk.system.items(TRANSACTIONS_TABLE) == []


def test_a_row_in_another_encoding_is_named_by_its_own_line(desk: Desk, tmp_path: Path) -> None:
    paths = files(tmp_path, [*ACCOUNTS, *(f"{merchant(f'm{number}')},c,1," for number in range(20))])
    accounts = Path(paths[0])
    accounts.write_bytes(accounts.read_bytes() + f"{merchant('last')},smörgås,1,\n".encode("latin-1"))

    told = desk.told("import", *paths, "--yes", status=1)

    [found] = [one for one in told["refused"] if one["file"] == "accounts.csv"]
    assert (found["line"], found["column"]) == (24, "byte 40")
    assert "UTF-8" in found["why"]


def test_a_merchant_that_an_event_has_opened_is_in_the_way(desk: Desk, tmp_path: Path) -> None:
    desk.system.ingest(opened())

    told = desk.told("import", *files(tmp_path), "--yes", status=1)

    assert told["in_the_way"] == [f"{SHOP}: it has an account already, opened by an event: nothing is added to it"]
    assert len(desk.system.items(TRANSACTIONS_TABLE)) == 1


@pytest.mark.parametrize(
    ("key", "reference", "here"),
    [
        ("SHOPIFY_ORDER_1", "1", "SHOPIFY_ORDER_1"),
        ("SHOPIFY_REFUND_gid://shopify/Refund/7?x=1", "7", "SHOPIFY_REFUND_7"),
        ("SUBSCRIPTION_RENEWAL_a_b_in_2", "a_b", "SUBSCRIPTION_RENEWAL_a%5Fb_in%5F2"),
        ("SUBSCRIPTION_RENEWAL_a_2024-01-01", "a", "SUBSCRIPTION_RENEWAL_a_1704067200000"),
        ("SUBSCRIPTION_RENEWAL_a_b", "", "SUBSCRIPTION_RENEWAL_a_b"),
        ("whatever", "1", "whatever"),
    ],
)
def test_an_old_key_is_also_known_as_the_key_that_its_fact_has_here(key: str, reference: str, here: str) -> None:
    assert current_key(key, reference) == here


MANY = [f"SHOPIFY_ORDER_{number}" for number in range(250)]


def openings(ledger: FakeLedger) -> Openings:
    return Openings(ledger, default_threshold=20, now=lambda: NOON, sleep=lambda _: None)


def test_more_keys_than_a_write_holds_are_all_known_before_the_account_is_there() -> None:
    ledger = FakeLedger()

    told = openings(ledger).open(OldAccount(merchant_id=SHOP, balance=7), MANY)

    assert (told.new, told.added, told.in_the_way) == (True, 250, ())
    assert [bool(commit.transactions) for commit in ledger.commits] == [False, False, True]
    assert len(ledger.guards) == 250
    assert len(set(ledger.guards.values()) | set(ledger.transactions)) == 1
    account = ledger.accounts[SHOP]
    assert (account.balance, account.sequence, account.version) == (7, 1, 1)


@pytest.mark.parametrize("lost", [True, False], ids=["the answer lost", "not written"])
@pytest.mark.parametrize("broken", range(3))
def test_an_import_that_breaks_off_anywhere_goes_on(broken: int, lost: bool) -> None:
    ledger = FakeLedger()
    faults = [None] * broken + [RetryLater(Code.UNAVAILABLE, "gone")]
    (ledger.after_effect if lost else ledger.before_effect).extend(faults)

    told = openings(ledger).open(OldAccount(merchant_id=SHOP, balance=7), MANY)
    again = openings(ledger).open(OldAccount(merchant_id=SHOP, balance=7), [*MANY, "one more"])

    assert told.in_the_way == again.in_the_way == ()
    assert (again.new, again.added) == (False, 1)
    assert (len(ledger.guards), len(ledger.transactions)) == (251, 1)
    assert ledger.accounts[SHOP].version == 1


def test_an_import_that_was_killed_between_two_writes_is_finished_by_the_next() -> None:
    ledger = FakeLedger()
    ledger.before_effect.extend([None, RuntimeError("killed")])
    with pytest.raises(RuntimeError, match="killed"):
        openings(ledger).open(OldAccount(merchant_id=SHOP, balance=7), MANY)

    told = openings(ledger).open(OldAccount(merchant_id=SHOP, balance=7), MANY)

    assert told.new
    assert (len(ledger.guards), len(ledger.transactions)) == (250, 1)


def test_another_balance_in_the_file_is_in_the_way() -> None:
    ledger = FakeLedger()
    openings(ledger).open(OldAccount(merchant_id=SHOP, balance=7), [])

    told = openings(ledger).open(OldAccount(merchant_id=SHOP, balance=8), ["new"])

    assert told.in_the_way == ("an import opened it with 7 credits, this file says 8",)
    assert not ledger.guards


def test_an_event_that_opens_the_account_meanwhile_is_named() -> None:
    ledger = FakeLedger()

    def first(_: Commit) -> None:
        settle(ledger, [trial()], now=NOON)

    ledger.before_effect.append(first)

    told = openings(ledger).open(OldAccount(merchant_id=MerchantId(SHOP), balance=8), ["new"])

    assert told.in_the_way == ("it has an account already, opened by an event: nothing is added to it",)
    assert ledger.accounts[SHOP].balance == 100


def test_the_json_names_everything(desk: Desk, tmp_path: Path) -> None:
    said = desk.run("import", *files(tmp_path, [ACCOUNTS[0], "x,c,1,"], TRANSACTIONS[:1]), "--json")

    assert json.loads(said.stdout)["refused"] == [
        {"file": "accounts.csv", "line": 2, "column": "merchant_id", "why": "a merchant id is a UUID"}
    ]

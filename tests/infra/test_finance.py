"""The ledger as a table of Athena: its columns are those of real items, and every query of the page answers."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from chalicelib.adapters.dynamodb.items import transaction_item
from chalicelib.adapters.dynamodb.models import TransactionRow
from chalicelib.domain.ids import instant
from chalicelib.domain.transactions import GENESIS_HASH
from infra.packaging.dependencies import ROOT
from infra.packaging.yaml_text import yaml_parse
from tests.support.api import NOON
from tests.support.builders import SHOP, merchant, order, trial
from tests.support.ends_of_months import lived
from tests.support.fakes import FakeLedger, settle

TEMPLATE = ROOT / "infra/finance/ledger.yaml"
PAGE = ROOT / "infra/docs/finance-queries.md"
FORMS = {"S": "struct<s:string>", "N": "struct<n:string>", "BOOL": "struct<bool:boolean>"}
METADATA = "struct<m:map<string,struct<s:string,n:string>>>"


def columns() -> dict[str, str]:
    table = yaml_parse(TEMPLATE.read_text())["Resources"]["Transactions"]["Properties"]["TableInput"]
    [item] = table["StorageDescriptor"]["Columns"]
    parts = item["Type"]["Fn::Join"][1][1]["Fn::Join"][1]
    return dict(part.split(":", 1) for part in parts)


@pytest.fixture(scope="module")
def ledger() -> FakeLedger:
    written, _ = lived(5)
    settle(written, [trial(2, of=merchant("other"))], now=instant(NOON))
    settle(written, [order(str(number), of=merchant("other")) for number in range(4)], now=instant(NOON))
    return written


def test_every_attribute_of_a_real_item_is_a_column_of_its_type(ledger: FakeLedger) -> None:
    known, seen = columns(), set[str]()
    for transaction in ledger.transactions.values():
        for name, value in transaction_item(transaction).items():
            [form] = value
            seen.add(name)
            assert known[name] == (METADATA if form == "M" else FORMS[form]), name
            if form == "M":
                assert all(set(member) <= {"S", "N"} for member in value["M"].values())

    assert len(seen) > 20, "the items hold nearly everything"


def test_every_column_is_an_attribute_that_an_item_may_have() -> None:
    assert set(columns()) == set(TransactionRow.get_attributes())


def test_an_export_is_found_by_its_id_alone() -> None:
    table: dict[str, Any] = yaml_parse(TEMPLATE.read_text())["Resources"]["Transactions"]["Properties"]["TableInput"]

    assert [key["Name"] for key in table["PartitionKeys"]] == ["export"]
    assert table["Parameters"]["storage.location.template"]["Fn::Sub"].endswith("/AWSDynamoDB/${!export}/data/")


def queries() -> list[tuple[str, str]]:
    sections = re.findall(r"^## ([0-9]+)\. .*?```sql\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [(number, query) for number, query in sections]


@pytest.fixture(scope="module")
def athena(ledger: FakeLedger) -> Iterator[sqlite3.Connection]:
    """The view of the page in SQLite: the queries keep to what both understand."""
    [view] = re.findall(r"CREATE OR REPLACE VIEW ledger AS\nSELECT (.*?)FROM", PAGE.read_text(), re.DOTALL)
    names = re.findall(r" AS ([a-z_]+)(?:,|\n|$)", view)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"CREATE TABLE ledger ({', '.join(names)})")
        for transaction in ledger.transactions.values():
            item = transaction_item(transaction)
            flat: dict[str, Any] = {name: _plain(value) for name, value in item.items()}
            flat |= {name: _plain(value) for name, value in item["extra_metadata"]["M"].items()}
            flat.setdefault("shortfall", 0)
            database.execute(
                f"INSERT INTO ledger VALUES ({', '.join('?' * len(names))})",  # noqa: S608 - placeholders only
                [flat.get(name) for name in names],
            )
        yield database


def _plain(value: dict[str, Any]) -> Any:
    [(form, content)] = value.items()
    return int(content) if form == "N" else content if form == "S" else None


def test_there_are_ten_queries_and_the_view_takes_only_columns_that_there_are() -> None:
    [view] = re.findall(r"CREATE OR REPLACE VIEW ledger AS\n(.*?)```", PAGE.read_text(), re.DOTALL)

    assert [number for number, _ in queries()] == [str(number) for number in range(1, 11)]
    assert set(re.findall(r"item\.([a-z_]+)", view)) <= set(columns())


@pytest.mark.parametrize(("number", "query"), queries())
def test_every_query_answers(athena: sqlite3.Connection, number: str, query: str) -> None:
    in_the_time_of_the_ledger = query.replace("2026-06-01", "2025-07-01").replace("2026-05-01", "2025-06-01")
    found = athena.execute(in_the_time_of_the_ledger).fetchall()

    assert bool(found) == (number not in ("4", "5"))


def test_the_sums_of_the_queries_are_those_of_the_accounts(athena: sqlite3.Connection, ledger: FakeLedger) -> None:
    by_number = dict(queries())
    moved = sum(row[4] for row in athena.execute(by_number["1"]))
    [(merchants, left)] = athena.execute(by_number["2"])

    balances = [account.balance for account in ledger.accounts.values()]
    assert (merchants, left) == (2, sum(balances))
    assert moved == left


def test_a_torn_chain_is_found_by_the_two_that_look_for_it(athena: sqlite3.Connection) -> None:
    athena.execute("DELETE FROM ledger WHERE merchant_id = ? AND sequence = 7", (SHOP,))
    by_number = dict(queries())

    assert next(row[1] for row in athena.execute(by_number["5"])) == 8
    assert GENESIS_HASH in by_number["5"]
    athena.rollback()

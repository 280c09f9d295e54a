"""`credits merchants`: found by name, domain, id and state, and readable at any width."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len

from chalicelib.adapters.dynamodb.desk import Desk as DeskTable
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.domain.ids import instant
from chalicelib.domain.runway import Use
from infra.commands import letters, linking, merchants, status
from tests.functions.test_cli_operations import Desk, desk
from tests.functions.test_cli_widths import at
from tests.support.api import CREDITS_TABLE
from tests.support.builders import SHOP, account_of, merchant
from tests.support.events import adjusted, opened
from tests.support.figures_tables import DESK_TABLE
from tests.support.plugin_states import LISTS, STATES, names_of

__all__ = ["desk"]

OTHER, NAMELESS = merchant("other"), merchant("nameless")


@pytest.fixture
def street(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give the desk a shop with credits, one without, and one that nobody has named."""
    target: Any = vars(letters)["find"]()
    for module in (merchants, linking, status):
        monkeypatch.setattr(module, "find", lambda *_: target)
    desk.system.ingest(opened(), opened(OTHER), opened(NAMELESS))
    desk.system.ingest(adjusted("DECREASE", 100, "T-1", merchant_id=OTHER))
    desk.system.ingest(adjusted("DECREASE", 95, "T-2", merchant_id=NAMELESS))
    for shop in (SHOP, OTHER, NAMELESS):
        DeskTable(desk.system.dynamodb, table=DESK_TABLE).enlist(shop)
    for name, shop, label in (
        ("shopify:last-penny.myshopify.com", SHOP, "Last Penny Books"),
        ("stripe:cus_1", OTHER, "Alma & Sons Tea, Coffee, Cakes and a name that no terminal has room for"),
    ):
        assert desk.run("link", name, shop, "--label", label).exit_code == 0
    return desk


def found(desk: Desk, *arguments: str) -> list[tuple[str, str | None]]:
    items = desk.told("merchants", *arguments)["items"]
    return [(item["merchant_id"], item["shown"]) for item in items]


def test_a_merchant_is_found_by_how_its_name_a_word_of_it_its_domain_or_its_id_begins(street: Desk) -> None:
    mine = [(SHOP, "Last Penny Books")]
    for search in ("last penny", "PENNY B", "Books", "LAST-PENNY.my", SHOP, SHOP.upper(), SHOP[:8]):
        assert found(street, search) == mine, search
    assert [merchant_id for merchant_id, _ in found(street, "cus_1")] == [OTHER]
    assert found(street, NAMELESS) == found(street, NAMELESS[:9]) == [(NAMELESS, None)]
    assert street.run("merchants", "!").exit_code == 2
    assert found(street, "ooks") == []
    assert {merchant_id for merchant_id, _ in found(street)} == {SHOP, OTHER}
    assert street.run("merchants", "nobody").stdout == "No such merchant.\n"


def test_merchants_are_listed_by_the_state_of_their_plugins(street: Desk) -> None:
    assert [merchant_id for merchant_id, _ in found(street, "--status", "off")] == [OTHER]
    assert found(street, "--status", "low") == [(NAMELESS, None)]
    assert street.run("merchants", "x", "--status", "off").exit_code == 2


@pytest.mark.parametrize("status", ["off", "low"])
def test_a_list_has_whose_plugin_is_off_or_balance_low_as_of_now(street: Desk, status: str) -> None:
    for shop in (SHOP, OTHER, NAMELESS):
        street.system.dynamodb.delete_item(TableName=CREDITS_TABLE, Key={"merchant_id": {"S": shop}})
    for account in STATES.values():
        street.system.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(account))

    told = street.told("merchants", "--status", status)["items"]

    assert sorted(names_of(item["merchant_id"] for item in told)) == sorted(LISTS[status])
    shown = [line.split()[1] for line in street.run("merchants", "--status", status).stdout.splitlines()[1:]]
    expected = {"off": {"off"}, "low": {"low", "off"}}[status]
    assert (len(shown), set(shown)) == (len(LISTS[status]), expected)


def test_less_than_a_day_and_a_grace_are_told_as_such(street: Desk) -> None:
    now = datetime.now(UTC)
    use = Use(weighted=190_000, since=int(now.timestamp() // 60) - 30 * 1440, orders=10)
    account = replace(account_of(5, of=NAMELESS), use=use, last_transaction_at=instant(now), version=9)
    street.system.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(account))
    street.system.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(STATES["in a grace"]))

    assert street.run("merchants", NAMELESS).stdout.splitlines()[1].split() == ["-", "low", "5", "<1", NAMELESS]
    assert "the credits last less than a day, until" in street.run("balance", NAMELESS).stdout
    assert street.run("merchants", merchant("in a grace")).stdout.splitlines()[1].split()[1] == "grace"


def test_merchants_that_run_out_within_days_are_listed_once_their_orders_tell(street: Desk) -> None:
    now = datetime.now(UTC)
    # 2 credits a day for a month, 5 left: nobody else has orders.
    month_ago, weighted = int(now.timestamp() // 60) - 30 * 1440, 19_000
    use = Use(weighted=weighted, since=month_ago, orders=10)
    account = replace(account_of(5, of=NAMELESS), use=use, last_transaction_at=instant(now), version=9)
    street.system.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(account))

    assert found(street, "--days", "7") == [(NAMELESS, None)]
    assert found(street, "--days", "1") == []
    assert "No low balance is expected to be used up within 1 day." in street.run("merchants", "--days", "1").stdout
    assert street.run("merchants", "x", "--days", "7").exit_code == 2
    heading, row = street.run("merchants", "--days", "7").stdout.splitlines()
    assert heading.split() == ["name", "plugin", "left", "days", "merchant"]
    assert row.split() == ["-", "low", "5", "2", NAMELESS]


def test_a_list_says_when_there_are_more(street: Desk) -> None:
    told = street.told("merchants", "--limit", "1")

    assert (len(told["items"]), told["total"], told["next"]) == (1, None, None)
    assert "The first 1; --limit shows more." in street.run("merchants", "--limit", "1").stdout


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_fits_a_terminal_with_every_id_whole(street: Desk, width: int) -> None:
    lines = at(width, "merchants")

    assert [line for line in lines if cell_len(line) > width] == []
    assert len(lines) == 3
    assert all(shop in " ".join(lines) for shop in (SHOP, OTHER))

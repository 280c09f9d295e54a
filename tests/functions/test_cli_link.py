"""`credits link`: a shop or customer is linked, shown, listed and removed."""

from typing import Any

import pytest

from chalicelib.adapters.dynamodb.desk import Desk
from chalicelib.usecases.overriding import ClosureReport, set_closed
from chalicelib.wiring import for_posting
from infra.commands import linking
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, TRANSACTIONS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.command_line import said
from tests.support.events import Context, opened
from tests.support.figures_tables import DESK_TABLE, created
from tests.support.system import System, _client

DOMAIN = "shopify:teegeist.myshopify.com"


@pytest.fixture
def linkable(system: System, monkeypatch: pytest.MonkeyPatch) -> System:
    class Found:
        api_url = "http://127.0.0.1:8015"
        links_table = LINKS_TABLE
        credits_table = CREDITS_TABLE
        transactions_table = TRANSACTIONS_TABLE
        desk_table = DESK_TABLE
        inbox_queue_url = system.urls["INBOX_QUEUE_URL"]

        def client(self, service: Any) -> Any:
            return _client(service, of="functions")

    created(system.dynamodb, DESK_TABLE, logical_id="DeskTable")
    monkeypatch.setattr(linking, "find", lambda *_: Found())
    return system


def test_a_shop_is_linked_shown_listed_and_removed(linkable: System) -> None:
    assert said("link", DOMAIN).status == 1
    linked = said("link", DOMAIN.upper(), SHOP, "--label", "Teegeist")
    assert (linked.status, DOMAIN in linked.out, "Teegeist" in linked.out) == (0, True, True)
    assert said("link", "stripe:cus_1", SHOP).status == 0

    assert said("link", DOMAIN, "--json").json["merchant_id"] == SHOP
    assert [one["name"] for one in said("link", "--json").json["items"]] == [DOMAIN, "stripe:cus_1"]
    assert [one["name"] for one in said("link", "--of", SHOP, "--json").json["items"]] == [DOMAIN, "stripe:cus_1"]
    assert said("link", DOMAIN, "--remove").status == 0
    assert said("link", DOMAIN).status == 1


def test_links_are_among_what_admins_did(linkable: System) -> None:
    said("link", DOMAIN, SHOP, "--admin", "ada")
    said("link", DOMAIN, "--remove", "--admin", "ben")
    said("link", DOMAIN)

    noted = Desk(linkable.dynamodb, table=DESK_TABLE).actions(SHOP, before=None, wanted=10)
    assert [(one.did, one.admin_id, one.details) for one in noted] == [
        ("unlinked", "ben", {"name": DOMAIN}),
        ("linked", "ada", {"name": DOMAIN}),
    ]


def test_a_taken_name_is_refused_with_the_way_out(linkable: System) -> None:
    said("link", DOMAIN, SHOP)
    other = said("link", DOMAIN, merchant("another"))

    assert other.status == 1
    assert f"credits link {DOMAIN} --remove" in " ".join(other.err.split())


@pytest.mark.parametrize(
    "arguments", [("teegeist",), (DOMAIN, "x"), (DOMAIN, SHOP, "--label", ""), ("--remove",), ("--of", "x")]
)
def test_what_is_no_link_cannot_be_done(linkable: System, arguments: tuple[str, ...]) -> None:
    assert said("link", *arguments).status == 2


def test_a_shop_that_is_linked_again_is_open_again(linkable: System) -> None:
    linkable.ingest(opened())
    gone = ClosureReport(merchant_id=SHOP, closed=True, at=None)
    set_closed(for_posting.ledger(), gone, time=for_posting.call_time(Context()))
    assert linkable.account().closed
    said("link", DOMAIN, SHOP)

    assert linkable.ingest(*linkable.in_inbox()) == []
    account = linkable.account()
    assert (account.closed, account.balance) == (False, 100)

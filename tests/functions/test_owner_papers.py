"""An owner gets the statements and exports of the own shop, over HTTP and in the console, and of no other one."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

import app
from chalicelib.domain.ids import MerchantId
from chalicelib.wiring import for_api
from tests.support.api import OTHER, OWNER, Answered, Api
from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.builders import SHOP
from tests.support.events import charged, opened, paid
from tests.support.figures_tables import FiguresTable
from tests.support.page_api import signed_in_tabs, token
from tests.support.system import System

expect.set_options(timeout=WAIT_MS)
ADMINS = ("Overview", "Merchants", "Many at once", "Actions", "Dead letters")


@pytest.fixture
def api(desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Two shops, each with a history."""
    del table
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    for shop in (SHOP, OTHER):
        desk.ingest(opened(shop), paid("1", "2", "3", merchant_id=shop), charged("p", 7, merchant_id=shop))
    return Api(app.app)


def month(system: System, shop: MerchantId = SHOP) -> str:
    return system.account(shop).updated_at[:7]


def answered(api: Api, kind: str, shop: str, of_month: str) -> Answered:
    """Return what an owner of `SHOP` gets who asks for a paper of a shop."""
    statements = "/credits/accounts/{merchant_id}/statements/{month}"
    by_query = {"merchant_id": shop, "limit": "2"}
    match kind.split():
        case ["statement", accept]:
            path = f"/credits/accounts/{shop}/statements/{of_month}"
            return api.get(path, route=statements, token=OWNER, headers={"Accept": accept})
        case ["export", accept]:
            return api.get("/credits/transactions", token=OWNER, parameters=by_query, headers={"Accept": accept})
        case ["alias", accept]:
            route = "/credits/transactions/merchant/{merchant_id}"
            return api.get(
                f"/credits/transactions/merchant/{shop}", route=route, token=OWNER, headers={"Accept": accept}
            )
        case _:
            route = "/credits/accounts/{merchant_id}/balance"
            return api.get(
                f"/credits/accounts/{shop}/balance", route=route, token=OWNER, parameters={"at": f"{of_month}-01"}
            )


PAPERS = [
    "statement application/json",
    "statement text/html",
    "export text/csv",
    "export application/x-ndjson",
    "export application/json",
    "alias text/csv",
    "balance",
]


@pytest.mark.parametrize("kind", PAPERS)
def test_an_owner_has_the_papers_of_the_own_shop_and_of_no_other(api: Api, desk: System, kind: str) -> None:
    own, other = (answered(api, kind, shop, month(desk)) for shop in (SHOP, OTHER))

    assert own.status == 200
    assert (other.status, other.body["error"]["code"]) == (404, "NOT_FOUND")
    assert OTHER not in own.text


def test_a_cursor_of_the_own_shop_leads_to_no_other(api: Api) -> None:
    first = api.get(
        "/credits/transactions",
        token=OWNER,
        parameters={"merchant_id": SHOP, "limit": "2"},
        headers={"Accept": "text/csv"},
    )
    cursor = first.headers["X-Next-Cursor"]

    def page(shop: str) -> Answered:
        asked = {"merchant_id": shop, "limit": "2", "cursor": cursor}
        return api.get("/credits/transactions", token=OWNER, parameters=asked, headers={"Accept": "text/csv"})

    assert (page(SHOP).status, page(OTHER).status) == (200, 404)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser, api: Api) -> Iterator[Callable[..., Page]]:
    del api
    own = token(sub="shop", scope="credits:read", merchant_id=SHOP)
    with signed_in_tabs(browser) as opened:
        yield lambda view="", width=1280: opened(view, own, viewport={"width": width, "height": 800})


def unfolded(page: Page) -> Any:
    section = page.get_by_role("region", name="Statement and export")
    expect(section.get_by_label("Month (UTC)")).to_be_visible()
    return section


@pytest.mark.slow
@needs_chromium
def test_an_owner_sees_the_own_shop_alone_and_nothing_to_change(tab: Callable[..., Page]) -> None:
    page = tab()

    expect(page.get_by_role("heading", name="The plugin is on")).to_be_visible()
    for name in ("What led to it, and what was published", "Ledger", "Burn-down", "Statement and export"):
        expect(page.get_by_role("region", name=name).first).to_be_visible()
    for name in ADMINS:
        assert page.get_by_role("link", name=name, exact=True).count() == 0, name
    for name in ("Adjust credits", "Low-balance threshold", "Who did what"):
        assert page.get_by_role("region", name=name).count() == 0, name
    assert page.get_by_role("button", name="Find").count() == 0


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("view", ["merchants", "many", "actions", "dead-letters", "off", "low"])
def test_an_address_of_admins_shows_an_owner_the_own_shop(tab: Callable[..., Page], view: str) -> None:
    page = tab(view)

    expect(page.get_by_role("heading", name=f"Merchant {SHOP}")).to_be_visible()


@pytest.mark.slow
@needs_chromium
def test_another_shop_s_address_shows_an_owner_nothing_of_it(tab: Callable[..., Page]) -> None:
    page = tab(f"merchant/{OTHER}")

    expect(page.get_by_text("This merchant has no account.")).to_be_visible()


@pytest.mark.slow
@needs_chromium
def test_an_owner_reads_the_statement_and_downloads_it_and_the_export(
    tab: Callable[..., Page], desk: System, tmp_path: Path
) -> None:
    section = unfolded(page := tab())
    table = section.locator("[data-test=statement]")
    expect(table).to_contain_text("Balance now")
    rows = [" ".join(text.split()) for text in table.locator("tbody tr").all_inner_texts()]
    assert rows == ["Opening balance 0", "Trial 1 +22", "Order 3 −3", "Payment 1 +7", "Balance now 5 26"]

    with page.expect_download() as printed:
        section.get_by_role("button", name="Download to print").click()
    assert printed.value.suggested_filename == f"statement-{SHOP}-{month(desk)}.html"
    printed.value.save_as(tmp_path / "s.html")
    assert "<html" in (tmp_path / "s.html").read_text()
    with page.expect_download() as exported:
        section.get_by_role("button", name="CSV").click()
    exported.value.save_as(tmp_path / "e.csv")
    found = list(csv.DictReader(io.StringIO((tmp_path / "e.csv").read_text())))
    assert [row["sequence"] for row in found] == ["5", "4", "3", "2", "1"]
    section.get_by_label("All").check()
    with page.expect_download() as lines:
        section.get_by_role("button", name="JSON Lines").click()
    lines.value.save_as(tmp_path / "e.jsonl")
    assert sum(json.loads(line)["amount"] for line in (tmp_path / "e.jsonl").read_text().splitlines()) == 26


@pytest.mark.slow
@needs_chromium
def test_an_export_of_many_pages_has_one_heading_and_every_row(
    tab: Callable[..., Page], desk: System, tmp_path: Path
) -> None:
    desk.ingest(paid(*range(10, 100)), paid(*range(100, 190)))
    section = unfolded(page := tab())

    with page.expect_download() as exported:
        section.get_by_role("button", name="CSV").click()
    exported.value.save_as(tmp_path / "e.csv")

    rows = list(csv.DictReader(io.StringIO((tmp_path / "e.csv").read_text())))
    assert [int(row["sequence"]) for row in rows] == [*range(185, 0, -1)]


@pytest.mark.slow
@needs_chromium
def test_a_phone_shows_an_owner_s_papers_and_axe_finds_nothing(tab: Callable[..., Page]) -> None:
    page = tab(width=360)
    expect(page.get_by_role("heading", name="The plugin is on")).to_be_visible()
    page.get_by_text("Statement and export").click()
    expect(page.locator("[data-test=statement]")).to_be_visible()
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")

    assert [one["id"] for one in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0

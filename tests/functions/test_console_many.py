"""Many adjustments at once in a real Chromium: preview, progress, undo, confirmation, keyboard and phone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, Route, expect

from chalicelib.wiring import for_api
from tests.support.api import OTHER, Functions
from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.builders import SHOP
from tests.support.events import asking, paid
from tests.support.figures_tables import FiguresTable
from tests.support.page_api import admin_token, signed_in_tabs
from tests.support.system import System

pytestmark = [pytest.mark.slow, needs_chromium]
expect.set_options(timeout=WAIT_MS)

HEADING = "merchant_id,credits,reason\n"
ROWS = f"{HEADING}{SHOP},10,goodwill\n{OTHER},-30,a mistake\n{SHOP},-15,returned\n"
Tab = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(
    browser: Browser,
    desk: System,
    table: FiguresTable,
    functions: Functions,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Tab]:
    """Open tabs at the page, each of an admin, on a ledger with two shops."""
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    desk.ingest(
        asking("evt.account.created", {"merchant_id": SHOP, "credits_to_use": 5}),
        asking("evt.account.created", {"merchant_id": OTHER, "credits_to_use": 100}),
    )
    with signed_in_tabs(browser) as opened:

        def at_the_page(admin: str = "ada", width: int = 1280) -> Page:
            page = opened("many", admin_token(admin), viewport={"width": width, "height": 800})
            expect(page.get_by_role("heading", name="Many adjustments at once")).to_be_focused()
            return page

        yield at_the_page


def effects(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.locator("[data-test=row] td:last-child").all_inner_texts()]


def applied(page: Page, name: str = "Apply 3 rows") -> None:
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("heading", name="Result")).to_be_visible()


def summary(page: Page) -> str:
    return page.locator("[data-test=summary]").inner_text()


def test_a_file_is_chosen_previewed_and_applied_once(tab: Tab, desk: System, tmp_path: Path) -> None:
    page, path = tab(), tmp_path / "rows.csv"
    path.write_text(ROWS)
    before = desk.everything()

    page.get_by_label("Choose a CSV").set_input_files(path)
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.locator("[data-test=row]")).to_have_count(3)

    assert effects(page) == ["5 → 15", "100 → 70", "15 → 0, the plugin goes off"]
    assert "3 rows, 55 credits moved in all, 3 to apply, 1 plugin to go off" in summary(page)
    assert desk.everything() == before
    applied(page)
    assert effects(page) == ["5 → 15 applied", "100 → 70 applied", "15 → 0, the plugin goes off applied"]
    assert (desk.balance(), desk.balance(OTHER)) == (0, 70)

    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.locator("[data-test=summary]")).to_contain_text("3 done before")
    assert page.get_by_role("button", name="Apply").count() == 0
    page.get_by_role("button", name="Undo this batch").click()
    expect(page.locator("[data-test=summary]")).to_contain_text("Taking back")
    applied(page, "Take back 3 rows")
    assert (desk.balance(), desk.balance(OTHER)) == (5, 100)


def test_nothing_is_applied_while_a_row_is_bad_unless_the_others_are_chosen(tab: Tab, desk: System) -> None:
    page = tab()
    page.get_by_label("or paste it").fill(f"{ROWS}{SHOP},1E+3,excel\n{OTHER},-900,too much\n")
    page.get_by_role("button", name="Preview", exact=True).click()

    expect(page.locator("[data-test=bad]")).to_contain_text("Line 5, credits: credits are a whole number")
    assert effects(page)[0] == "70 left, 900 cannot be removed refused", "a trouble stands first"
    expect(page.get_by_role("button", name="Apply 3 rows")).to_be_disabled()
    page.get_by_label("Apply the other rows anyway").check()
    applied(page)

    assert (desk.balance(), desk.balance(OTHER)) == (0, 70)


def test_what_was_spent_meanwhile_is_said_of_its_row(tab: Tab, desk: System) -> None:
    page, rows = tab(), f"{HEADING}{SHOP},10,goodwill\n{OTHER},5,goodwill\n"
    page.get_by_label("or paste it").fill(rows)
    page.get_by_role("button", name="Preview", exact=True).click()
    applied(page, "Apply 2 rows")
    desk.ingest(paid(*range(8)))

    page.get_by_role("button", name="Undo this batch").click()

    expect(page.locator("[data-test=row]").first).to_contain_text(
        "7 left, 10 cannot be removed: it was spent meanwhile"
    )
    page.get_by_label("Apply the other rows anyway").check()
    applied(page, "Take back 1 row")
    assert (desk.balance(), desk.balance(OTHER)) == (7, 100)


@pytest.mark.parametrize("torn", [0, 1, 2])
def test_a_run_torn_at_a_row_goes_on_in_a_page_opened_again_and_each_row_counts_once(
    tab: Tab, desk: System, torn: int
) -> None:
    page = tab()
    page.get_by_label("or paste it").fill(ROWS)
    page.get_by_role("button", name="Preview", exact=True).click()
    calls: list[str] = []

    def broken(route: Route) -> None:
        calls.append(route.request.url)
        if len(calls) == torn + 1:
            route.abort()
        else:
            route.fallback()

    page.route("**/credits/admin/adjustments", broken)
    page.get_by_role("button", name="Apply 3 rows").click()
    expect(page.get_by_role("alert")).to_contain_text(f"It stopped after {torn} of 3 rows.")
    assert len(desk.history()) + len(desk.history(OTHER)) == 2 + torn

    page.unroute("**/credits/admin/adjustments")
    page.reload()
    expect(page.get_by_text("A run of this file was interrupted.")).to_be_visible()
    page.get_by_role("button", name="Preview", exact=True).click()
    applied(page, f"Apply {3 - torn} row")

    assert (desk.balance(), desk.balance(OTHER)) == (0, 70)
    assert len(desk.history()) + len(desk.history(OTHER)) == 5
    page.reload()
    expect(page.get_by_text("Nothing waits.")).to_be_visible()
    assert page.get_by_label("or paste it").input_value() == ""


def test_above_the_limit_another_admin_confirms_or_withdraws(tab: Tab, desk: System) -> None:
    desk.configure(ADJUSTMENT_CONFIRM_ABOVE="54")
    ada = tab("ada")
    ada.get_by_label("or paste it").fill(ROWS)
    ada.get_by_role("button", name="Preview", exact=True).click()
    expect(ada.get_by_text("wait until another admin confirms them")).to_be_visible()
    applied(ada)
    assert effects(ada)[0] == "5 → 15 waits for another admin"
    expect(ada.locator("[data-test=waiter]")).to_contain_text("Another admin than you has to confirm it.")
    assert ada.get_by_role("button", name="Confirm").count() == 0
    assert desk.balance() == 5

    grace = tab("grace")
    expect(grace.locator("[data-test=waiter]")).to_contain_text("3 rows of batch-")
    grace.get_by_role("button", name="Confirm").click()
    expect(grace.get_by_text("Nothing waits.")).to_be_visible()

    assert (desk.balance(), desk.balance(OTHER)) == (0, 70)
    assert desk.history()[-1].metadata["reason"] == "returned (confirmed by grace)"
    ada.get_by_label("or paste it").fill(f"{HEADING}{OTHER},60,more\n")
    ada.get_by_role("button", name="Preview", exact=True).click()
    applied(ada, "Apply 1 row")
    ada.get_by_role("button", name="Withdraw").click()
    expect(ada.get_by_text("Nothing waits.")).to_be_visible()
    assert desk.balance(OTHER) == 70


def test_a_file_that_is_none_is_refused_with_its_line(tab: Tab) -> None:
    page = tab()
    page.get_by_label("or paste it").fill("a,b\n1,2\n")
    page.get_by_role("button", name="Preview", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("line 1: the header needs the column 'merchant_id'")


def test_a_phone_shows_it_without_scrolling_sideways_and_axe_finds_nothing(tab: Tab, desk: System) -> None:
    desk.configure(ADJUSTMENT_CONFIRM_ABOVE="54")
    page = tab(width=360)
    page.get_by_label("or paste it").fill(f"{ROWS}{SHOP},1E+3,{'x' * 400}\n{OTHER},-900,too much\n")
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.locator("[data-test=row]")).to_have_count(4)
    page.get_by_label("Apply the other rows anyway").check()
    assert (wider(page), violations(page)) == (0, [])
    applied(page)
    expect(page.locator("[data-test=waiter]")).to_be_visible()

    assert (wider(page), violations(page)) == (0, [])


def test_all_of_it_can_be_done_by_keyboard_alone(tab: Tab, desk: System) -> None:
    page = tab()
    keyboard = page.keyboard

    def go_to(name: str) -> None:
        for _ in range(40):
            keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.labels?.[0]?.innerText ?? document.activeElement.innerText")
            if focused.startswith(name):
                return
        raise AssertionError(f"{name} is not reached")

    go_to("or paste it")
    keyboard.insert_text(ROWS)
    go_to("Preview")
    keyboard.press("Enter")
    expect(page.locator("[data-test=row]")).to_have_count(3)
    go_to("Apply 3 rows")
    keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Result")).to_be_visible()

    assert (desk.balance(), desk.balance(OTHER)) == (0, 70)


def wider(page: Page) -> int:
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def violations(page: Page) -> list[str]:
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]

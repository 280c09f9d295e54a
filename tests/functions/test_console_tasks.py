"""What a stranger does at the console without reading anything: each task in a few steps, counted and timed.

A step is a click, a field filled in, or a key. The table of infra/docs/api.md has the tasks with their steps.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import app
from chalicelib.domain.ids import instant
from chalicelib.domain.links import Link
from chalicelib.wiring import for_api
from tests.functions.test_console_pages import rolled_up
from tests.support.api import Functions
from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.builders import SHOP
from tests.support.events import Context, asking, paid
from tests.support.figures_tables import FiguresTable
from tests.support.page_api import ORIGIN, PageApi, admin_token
from tests.support.system import System

pytestmark = [pytest.mark.slow, needs_chromium]
expect.set_options(timeout=WAIT_MS)
NAME = "Last Penny Books"
SECONDS_MOST = 60.0
"""How long a person may take for a task. A step of a person takes `STEP_SECONDS`, the page's own time is measured."""
STEP_SECONDS = 4.0
GUIDE = Path(__file__).resolve().parents[2] / "infra/docs/api.md"


@dataclass(slots=True)
class Stranger:
    """Somebody who reads what the page shows, and does one thing after another. `steps` are those so far."""

    page: Page
    steps: int = 0

    def clicks(self, name: str, role: str = "button") -> None:
        self.steps += 1
        self.page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]

    def fills(self, label: str, text: str) -> None:
        self.steps += 1
        self.page.get_by_role("textbox", name=label).first.fill(text)

    def presses(self, key: str) -> None:
        self.steps += 1
        self.page.keyboard.press(key)

    def sees(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.locator("#main")).to_contain_text(text)


def finds_the_shop(stranger: Stranger) -> None:
    stranger.fills("Merchant or transaction", NAME)
    stranger.presses("Enter")
    expect(stranger.page.get_by_role("heading", level=1)).to_contain_text(NAME)


def says_why_it_is_off(stranger: Stranger) -> None:
    finds_the_shop(stranger)
    stranger.sees("The plugin is off")
    stranger.sees(re.compile(r"Why\? .*credit"))


def gives_it_20_credits(stranger: Stranger) -> None:
    finds_the_shop(stranger)
    stranger.fills("Credits", "20")
    stranger.fills("Reason", "goodwill")
    stranger.clicks("Add 20 credits")
    stranger.sees("Applied.")
    stranger.sees("balance 0 → 20")


def undoes_that(stranger: Stranger) -> None:
    gives_it_20_credits(stranger)
    stranger.steps = 0
    stranger.clicks("Undo it")
    stranger.sees("Balance 20 → 0. The plugin goes off.")
    stranger.clicks("Remove 20 credits")
    stranger.sees("balance 20 → 0")


def exports_its_month(stranger: Stranger) -> None:
    finds_the_shop(stranger)
    with stranger.page.expect_download() as found:
        stranger.clicks("CSV")
    rows = Path(found.value.path()).read_text().splitlines()
    assert len(rows) == 1 + 4, "the heading and all transactions"
    assert found.value.suggested_filename.endswith(f"{datetime.now(UTC):%Y-%m}.csv")


def retries_the_letter_of_order_1042(stranger: Stranger) -> None:
    stranger.clicks("Dead letters", "link")
    stranger.fills("An order's number", "1042")
    expect(stranger.page.locator('[data-test="letter"]')).to_have_count(1)
    stranger.clicks("Retry")
    stranger.sees("Retried.")


def sets_an_alert_at_10(stranger: Stranger) -> None:
    finds_the_shop(stranger)
    stranger.fills("Custom threshold", "10")
    stranger.clicks("Set")
    stranger.sees("A custom threshold: low at 10.")


def sees_who_changed_the_threshold(stranger: Stranger) -> None:
    finds_the_shop(stranger)
    stranger.sees("ada set the threshold to 7")


def lists_shops_that_run_out_this_week(stranger: Stranger) -> None:
    stranger.clicks("Merchants", "link")
    stranger.clicks("Out within a week", "link")
    expect(stranger.page.get_by_role("heading", level=1)).to_contain_text("run out within a week")


def connects_a_shopify_shop(stranger: Stranger) -> None:
    finds_the_shop(stranger)
    stranger.fills("Domain", "penny-two.myshopify.com")
    stranger.clicks("Link")
    stranger.sees("Linked.")
    stranger.sees("shopify:penny-two.myshopify.com")


def freezes_it_and_ends_that(stranger: Stranger) -> None:
    finds_the_shop(stranger)
    stranger.fills("Reason for it", "chargebacks")
    stranger.clicks("Freeze the account")
    expect(stranger.page.locator("[data-test=frozen]")).to_contain_text(
        "by admin-7, until it is unfrozen: chargebacks."
    )
    stranger.sees("Why? admin-7 froze the account: chargebacks.")
    stranger.clicks("Unfreeze")
    stranger.sees("Unfrozen.")
    expect(stranger.page.locator("[data-test=frozen]")).to_have_count(0)
    stranger.sees("admin-7 unfroze the account")


TASKS: dict[str, tuple[Callable[[Stranger], None], int]] = {
    "find the shop by its name": (finds_the_shop, 2),
    "see why its plugin is off": (says_why_it_is_off, 2),
    "give it 20 credits": (gives_it_20_credits, 5),
    "undo that": (undoes_that, 2),
    "export its month": (exports_its_month, 3),
    "find and retry the dead letter of order 1042": (retries_the_letter_of_order_1042, 3),
    "set an alert at 10": (sets_an_alert_at_10, 4),
    "see who changed the threshold": (sees_who_changed_the_threshold, 2),
    "list the shops that run out within a week": (lists_shops_that_run_out_this_week, 2),
    "connect a Shopify shop": (connects_a_shopify_shop, 4),
    "freeze it, and end that": (freezes_it_and_ends_that, 5),
}
"""Each task, with the steps that it takes."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def stranger(
    browser: Browser, desk: System, table: FiguresTable, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stranger]:
    """Somebody signed in, in front of a shop that is off, and of two dead letters, one of them of order 1042."""
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    desk.ingest(asking("evt.account.created", {"credits_to_use": 3}), *(paid(number) for number in range(1, 4)))
    for_api.links().put(
        Link(name="shopify:last-penny.myshopify.com", merchant_id=SHOP, label=NAME, since=instant(datetime.now(UTC)))
    )
    app.set_threshold({"merchant_id": SHOP, "low_balance_threshold": 7, "admin_id": "ada"}, Context())
    for order in ("1041", "1042"):
        desk.ingest(asking("evt.shopify.webhook.order_paid", {"merchant_id": "no UUID", "order_id": order}))
    rolled_up(desk)
    context = browser.new_context(locale="en-GB", accept_downloads=True)
    context.add_init_script(f"sessionStorage.setItem('credits.token', '{admin_token()}')")
    page = context.new_page()
    PageApi(app.app).serve(page)
    page.goto(f"{ORIGIN}/console")
    expect(page.get_by_role("heading", name="Overview")).to_be_focused()
    yield Stranger(page)
    context.close()


@pytest.mark.parametrize("task", TASKS)
def test_a_stranger_does_it_in_a_few_steps_and_under_a_minute(
    stranger: Stranger, task: str, record_property: Callable[[str, object], None]
) -> None:
    does, steps = TASKS[task]
    started = time.monotonic()

    does(stranger)

    taken = time.monotonic() - started
    record_property("seconds", round(taken, 1))
    assert stranger.steps == steps
    assert STEP_SECONDS * steps + taken < SECONDS_MOST


def test_the_guide_has_the_table_of_these_tasks() -> None:
    written = re.findall(r"^\| ([^|]+) \| (\d+) \|$", GUIDE.read_text(), re.MULTILINE)

    assert [(task, int(steps)) for task, steps in written] == [(task, steps) for task, (_, steps) in TASKS.items()]

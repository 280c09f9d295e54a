"""The console in a real Chromium, on the API in this process: where the focus goes, and what lines and words show."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page, Route, expect

import app
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.api import dead_letters
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.domain.links import Link
from chalicelib.wiring import for_api, for_posting
from tests.support.api import CREDITS_TABLE
from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.builders import SHOP, account_of, merchant
from tests.support.events import Context, adjusted, charged, opened, paid
from tests.support.figures_tables import FiguresTable
from tests.support.page_api import ORIGIN, PageApi, admin_token
from tests.support.stream_events import event
from tests.support.system import System

pytestmark = [pytest.mark.slow, needs_chromium]
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A tab at the console, signed in, on a ledger with one shop."""
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    desk.ingest(opened(), paid(1), paid(2))
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin")
    context.add_init_script(f"sessionStorage.setItem('credits.token', '{admin_token()}')")
    page = context.new_page()
    PageApi(app.app).serve(page)
    page.goto(f"{ORIGIN}/console")
    expect(page.get_by_role("heading", name="Overview")).to_be_focused()
    yield page
    context.close()


def test_who_comes_to_sign_in_is_at_the_field_unless_a_session_ends_while_they_type(page: Page) -> None:
    field, sought = page.get_by_label("Access token"), page.get_by_label("Merchant or transaction")
    page.get_by_role("button", name="Sign out").click()
    expect(field).to_be_focused()

    page.keyboard.insert_text(admin_token())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_focused()

    sought.focus()
    page.keyboard.type("4f1c")
    page.route("**/api/v1/**", lambda route: route.fulfill(status=401, body="{}"))
    expect(page.get_by_role("heading", name="Credits console")).to_be_focused()
    expect(field).to_have_value("")


def test_a_freeze_is_among_the_latest_events_as_a_plugin_that_went_off(page: Page, desk: System) -> None:
    frozen = {"merchant_id": SHOP, "admin_id": "ada", "adjustment_id": "f1", "freeze": True, "reason": "chargebacks"}
    app.adjust_credits(frozen, Context())
    rolled_up(desk)
    page.reload()

    expect(page.get_by_role("region", name="Latest threshold events")).to_contain_text("Plugin off")
    expect(page.get_by_role("region", name="Latest threshold events")).not_to_contain_text("Plugin on")


def test_what_is_added_is_shown_less_the_debt_that_it_pays(page: Page, desk: System) -> None:
    account = replace(account_of(0), debt=30)
    desk.dynamodb.put_item(TableName=CREDITS_TABLE, Item=account_item(account))
    page.goto(f"{ORIGIN}/console#/merchant/{SHOP}")

    page.get_by_label("Credits", exact=True).fill("20")
    expect(page.locator("[data-test=effect]")).to_have_text(
        "Balance 0 → 0. 20 credits of it pay debt. The plugin stays off."
    )
    page.get_by_label("Credits", exact=True).fill("31")
    expect(page.locator("[data-test=effect]")).to_contain_text("Balance 0 → 1. 30 credits of it pay debt.")
    expect(page.locator("[data-test=effect]")).to_contain_text("The plugin goes on.")


def held(page: Page, path: str) -> list[Route]:
    """Hold back the page's requests for `path`, and return them as they come."""
    routes: list[Route] = []
    page.route(path, lambda route: routes.append(route))  # noqa: PLW0108 - Playwright marks what it calls
    return routes


def release(page: Page, path: str, routes: list[Route]) -> None:
    page.unroute(path)
    for route in routes:
        route.fallback()


def test_the_heading_of_a_view_takes_the_focus_once_it_is_there(page: Page) -> None:
    page.get_by_role("link", name="Dead letters", exact=True).first.click()

    expect(page.get_by_role("heading", name="Dead letters")).to_be_focused()


def test_who_types_while_a_view_opens_loses_no_letter(page: Page) -> None:
    field = page.get_by_label("Merchant or transaction")

    # The address changes, and the view of it opens a moment later: somebody types already.
    field.focus()
    page.evaluate("location.hash = '#/dead-letters'")
    page.keyboard.type("4f1c")
    expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    page.keyboard.type("6f0e")

    expect(field).to_be_focused()
    expect(field).to_have_value("4f1c6f0e")


def test_what_was_searched_takes_the_focus_and_a_second_answer_does_not_take_it_again(page: Page) -> None:
    path = "**/credits/transactions/*"
    desk = page.get_by_label("Merchant or transaction")
    desk.fill(SHOP)
    desk.press("Enter")
    heading = page.get_by_role("heading", name="Merchant")
    expect(heading).to_be_focused()

    requests = held(page, path)
    page.get_by_role("region", name="Ledger").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Transaction", exact=True)).to_be_focused()
    desk.focus()
    release(page, path, requests)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order")

    expect(desk).to_be_focused()


def test_who_types_on_while_the_search_looks_keeps_what_is_typed(page: Page) -> None:
    path = "**/credits/transactions?*"
    requests = held(page, path)
    page.get_by_label("Merchant or transaction").fill(SHOP)
    page.get_by_label("Merchant or transaction").press("Enter")
    order = page.get_by_role("textbox", name="Order")
    order.focus()
    page.keyboard.type("10")
    release(page, path, requests)
    expect(page.get_by_role("heading", name="Merchant")).to_be_visible()
    page.keyboard.type("42")

    expect(order).to_have_value("1042")


def test_merchants_are_listed_and_found_by_an_address_that_can_be_shared(page: Page, desk: System) -> None:
    rolled_up(desk)
    linked(SHOP, "Last Penny Books")

    page.goto(f"{ORIGIN}/console#/merchants/{SHOP[:6]}")
    expect(page.get_by_role("region", name="Merchants").get_by_role("row")).to_have_count(2)
    page.get_by_label("Name, domain or id").fill("00000000")
    page.get_by_role("button", name="Filter").click()

    expect(page.get_by_text("No merchant matches.")).to_be_visible()
    assert page.url.endswith("#/merchants/00000000")
    page.get_by_label("Name, domain or id").fill("PENNY B")
    page.get_by_role("button", name="Filter").click()

    expect(page.get_by_role("link", name="Last Penny Books")).to_be_visible()
    assert page.url.endswith("#/merchants/PENNY%20B")


def test_a_merchants_page_shows_its_days_and_who_did_what(page: Page, desk: System) -> None:
    request = {"merchant_id": SHOP, "low_balance_threshold": 7, "admin_id": "ada"}
    app.set_threshold(request, Context())

    page.goto(f"{ORIGIN}/console#/merchant/{SHOP}")

    expect(page.get_by_role("region", name="Days")).to_contain_text("2 orders used 2 credits")
    expect(page.get_by_role("region", name="Who did what")).to_contain_text("ada set the threshold to 7")


def test_a_grace_with_two_limits_ends_by_whichever_comes_first(page: Page) -> None:
    for terms in ({"hours": 48, "credits": 10}, {"hours": 1, "credits": 0}):
        app.set_threshold({"merchant_id": SHOP, "grace": terms, "admin_id": "ada"}, Context())

    page.goto(f"{ORIGIN}/console#/merchant/{SHOP}")

    did = page.locator('[data-test="actions"]').get_by_role("listitem")
    expect(did.filter(has_text="ada set a grace of 48 hours or 10 credits, whichever comes first")).to_have_count(1)
    expect(did.filter(has_text="ada set a grace of 1 hour")).not_to_contain_text("whichever")


def test_chosen_letters_are_discarded_with_a_reason_and_filtered_by_code(page: Page, desk: System) -> None:
    desk.ingest(charged("p1", 0), charged("p2", 0), "{not json")
    page.goto(f"{ORIGIN}/console#/dead-letters")
    expect(page.locator('[data-test="letter"]')).to_have_count(3)

    page.get_by_role("link", name="credits invalid (2)").click()
    expect(page.locator('[data-test="letter"]')).to_have_count(2)
    page.get_by_role("button", name="Choose all 2").click()
    page.get_by_label("Reason to discard them").fill("a test of theirs")
    page.get_by_role("button", name="Discard the chosen").click()
    expect(page.get_by_text("Discarded.")).to_have_count(2)

    page.goto(f"{ORIGIN}/console#/actions")
    expect(page.locator('[data-test="actions"]').get_by_role("listitem")).to_have_count(2)
    expect(page.locator('[data-test="actions"]')).to_contain_text("admin-7 discarded a dead letter (credits invalid)")


def test_dead_letters_are_filtered_by_merchant_and_code_at_an_address_that_can_be_shared(
    page: Page, desk: System
) -> None:
    other = merchant("other")
    desk.ingest(charged("p1", 0), charged("p2", 0, merchant_id=other), adjusted("SIDEWAYS", 1, merchant_id=other))
    linked(other, "Last Penny Books")
    letters = page.locator('[data-test="letter"]')
    page.goto(f"{ORIGIN}/console#/dead-letters")
    expect(letters).to_have_count(3)

    page.get_by_role("link", name="Last Penny Books (2)").click()
    expect(letters).to_have_count(2)
    expect(letters.get_by_role("link", name="Last Penny Books")).to_have_count(2)
    page.get_by_role("link", name="credits invalid (1)").click()
    expect(letters).to_have_count(1)
    assert page.url.endswith(f"#/dead-letters/credits_invalid/{other}")
    expect(page.get_by_role("navigation", name="by merchant").get_by_role("link", name=SHOP[:8])).to_be_visible()

    page.goto(f"{ORIGIN}/console#/dead-letters/-/{other}")
    expect(letters).to_have_count(2)
    page.get_by_role("navigation", name="by merchant").get_by_role("link", name="All").click()
    expect(letters).to_have_count(3)
    assert page.url.endswith("#/dead-letters")


def test_letters_beyond_the_first_hundred_are_counted_and_reached(page: Page, desk: System) -> None:
    for number in range(130):
        desk.sqs.send_message(
            QueueUrl=desk.urls["DEAD_LETTER_QUEUE_URL"],
            MessageBody=charged(f"order {1000 + number}", 0, merchant_id=merchant(str(number % 12))),
        )
    letters = page.locator('[data-test="letter"]')
    page.goto(f"{ORIGIN}/console#/dead-letters")

    expect(letters).to_have_count(100)
    expect(page.get_by_text("The 100 newest of about 130 are here.")).to_be_visible()
    expect(page.get_by_role("navigation", name="by merchant")).to_contain_text("and 2 more")
    page.get_by_role("button", name="More").click()
    expect(letters).to_have_count(130)
    expect(page.get_by_text("All 130 are here.")).to_be_visible()
    expect(page.get_by_role("button", name="More")).to_have_count(0)
    page.get_by_label("An order's number").fill("order 1000")
    expect(letters).to_have_count(1)
    expect(page.get_by_text("All 130 are here, 1 with this text.")).to_be_visible()


def test_who_finds_none_in_a_look_that_ended_early_is_not_told_that_nothing_is_parked(
    page: Page, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(charged("p1", 0))
    monkeypatch.setattr(dead_letters, "LOOK_SECONDS", -1.0)
    page.goto(f"{ORIGIN}/console#/dead-letters/credits_invalid")

    expect(page.get_by_text("Not all could be looked at")).to_be_visible()
    expect(page.get_by_text("Nothing is parked")).to_have_count(0)


def test_a_transaction_names_the_shop_that_it_is_of(page: Page, desk: System) -> None:
    linked(SHOP, "Last Penny Books")
    page.goto(f"{ORIGIN}/console#/transaction/{desk.history()[-1].transaction_id}")

    expect(page.get_by_role("link", name="To Last Penny Books")).to_be_visible()
    expect(page.locator(".facts div").first).to_contain_text(f"Last Penny Books {SHOP}")


DRAWN = """
  window.lines = []
  window.labels = []
  const called = (type, name, then) => {
    const before = type.prototype[name]
    type.prototype[name] = function (...given) { then(this, given); return before.apply(this, given) }
  }
  for (const name of ['moveTo', 'lineTo']) called(Path2D, name, (path, [x, y]) => (path.points ??= []).push([x, y]))
  called(CanvasRenderingContext2D, 'stroke', (on, [path]) => {
    if (path?.points) lines.push({ dash: on.getLineDash()[0] ?? 0, points: path.points })
  })
  called(CanvasRenderingContext2D, 'fillText', (on, [text, x, y]) => {
    const half = on.measureText(text).width / 2
    labels.push({ text, centred: on.textAlign === 'center', left: x - half, right: x + half, most: on.canvas.width })
  })
"""
"""Keeps what a page draws: lines by their points, and texts by where they begin and end."""


def test_the_chart_draws_steps_where_balance_and_threshold_change_and_cuts_no_label(
    page: Page, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In Berlin it is five past midnight: the label of the day is at the very end of the axis.
    shop, now = merchant("other"), datetime(2026, 3, 10, 23, 5, tzinfo=UTC)

    def days_ago(days: int) -> None:
        monkeypatch.setattr(for_posting, "now", lambda: instant(now - timedelta(days=days)))

    def threshold(value: int) -> None:
        app.set_threshold({"merchant_id": shop, "low_balance_threshold": value, "admin_id": "ada"}, Context())

    days_ago(5)
    desk.ingest(opened(shop))
    for days in (4, 3):
        days_ago(days)
        desk.ingest(charged(f"p{days}", 5, merchant_id=shop))
    threshold(15)
    days_ago(2)
    desk.ingest(charged("p2", 5, merchant_id=shop))
    days_ago(1)
    threshold(5)
    page.context.add_init_script(DRAWN)
    page.clock.set_fixed_time(now)
    page.goto("about:blank")
    page.goto(f"{ORIGIN}/console#/merchant/{shop}")
    expect(page.locator("section.chart canvas")).to_be_visible()
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")

    balance, low = (
        page.evaluate("wanted => lines.filter(({ dash }) => dash === wanted).at(-1).points", dash) for dash in (0, 6)
    )

    for line in (balance, low):
        assert all(one[0] == other[0] or one[1] == other[1] for one, other in pairwise(line)), line
    assert len({y for _, y in balance}) == 4
    assert len({y for _, y in low}) == 3
    centred = page.evaluate("labels.filter(({ centred }) => centred)")
    assert len(centred) >= 3
    assert all(label["left"] >= 0 and label["right"] <= label["most"] for label in centred)


def linked(merchant_id: MerchantId, label: str) -> None:
    link = Link(
        name="shopify:last-penny.example", merchant_id=merchant_id, label=label, since=instant(datetime.now(UTC))
    )
    assert for_api.links().put(link) == merchant_id


def rolled_up(desk: System) -> None:
    assert app.roll_up(event(desk.stream(CREDITS_TABLE)), Context()) == {"batchItemFailures": []}

"""The guide's lines for a Shopify theme and for React, in a real Chromium with the widget and the API of this process.

React's hooks are played by those of Preact, which ships with the console; a theme's page is a file beside the tests.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

import app
from chalicelib.domain.ids import instant
from chalicelib.settings import settings
from chalicelib.wiring import for_api, for_posting
from infra.packaging.dependencies import ROOT
from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.builders import SHOP, merchant
from tests.support.events import adjusted, opened, paid
from tests.support.figures_tables import FiguresTable
from tests.support.page_api import PageApi
from tests.support.system import System

pytestmark = [pytest.mark.slow, needs_chromium]
expect.set_options(timeout=WAIT_MS)

STORE, API = "https://shop.example", "https://credits.example"
THEME = ROOT / "tests/support/shopify_theme.html"
PATIENT = f"""const usual = setTimeout
window.setTimeout = (act, ms, ...more) => usual(act, ms === 1000 ? {WAIT_MS} : ms, ...more)"""
"""The guide's lines leave the widget its one second for an answer, which a busy machine may exceed."""
PREACT = ROOT / "infra/packaging/console/preact.js"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, desk: System, table: FiguresTable) -> Iterator[Page]:
    """A tab before its first page, the API behind it, and a shop with credits."""
    for_api.plugin_statuses.cache_clear()
    desk.ingest(opened())
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(PATIENT)
    page = context.new_page()
    PageApi(app.app).serve(page)
    yield page
    context.close()


def lines_of(language: str) -> list[str]:
    """Return the guide's blocks in a language, with the addresses of this test."""
    text = (ROOT / "infra/docs/theme.md").read_text()
    text = text.replace("https://YOUR-API", API).replace("YOUR-MERCHANT-ID", SHOP)
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shown(page: Page, head: str, block: str, *, more: dict[str, str] | None = None) -> None:
    """Open the product's page of a theme with these lines in it; `more` are scripts of the shop by their paths."""
    pages = {"/products/lamp": THEME.read_text().replace("{{ head }}", head).replace("{{ block }}", block)}

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        kind = "text/javascript" if path.endswith(".js") else "text/html"
        route.fulfill(body={**pages, **(more or {})}[path], content_type=f"{kind}; charset=utf-8")

    page.route(f"{STORE}/**", answer)
    page.goto(f"{STORE}/products/lamp")


def switched_off(page: Page, desk: System) -> None:
    """Use up the shop's credits, and let the page ask once the API no longer answers from its memory."""
    desk.ingest(adjusted("DECREASE", 22, "T-1"))
    for_api.plugin_statuses.cache_clear()
    page.evaluate("document.dispatchEvent(new Event('credits:ask'))")


def rendered(liquid: str) -> str:
    """Return what Shopify makes of the snippet: its comment away, and the metafield's value."""
    without = re.sub(r"{% comment %}.*?{% endcomment %}", "", liquid)
    html = without.replace("{{ shop.metafields.credits.merchant_id.value }}", SHOP)
    assert "{{" not in html
    assert "{%" not in html
    return html


def test_the_liquid_snippet_shows_the_plugin_while_there_are_credits_and_nothing_jumps(
    page: Page, desk: System
) -> None:
    snippet, render, block = lines_of("liquid")
    assert render.strip() == "{% render 'credits-plugin' %}"
    shown(page, rendered(snippet), block)
    expect(page.get_by_text("your plugin")).to_be_visible()
    assert page.evaluate("window.shifted") == 0

    switched_off(page, desk)

    expect(page.get_by_text("your plugin")).to_be_hidden()
    expect(page.get_by_role("button", name="Add to cart")).to_be_visible()
    assert page.evaluate("window.shifted") == 0


def test_the_days_left_are_on_the_page_where_both_the_page_and_the_setting_ask_for_it(
    page: Page, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting = merchant("lasting")
    now = datetime.now(UTC)
    for hours in range(96, 0, -8):
        monkeypatch.setattr(for_posting, "now", lambda hours=hours: instant(now - timedelta(hours=hours)))
        desk.ingest(opened(lasting) if hours == 96 else paid(hours, merchant_id=lasting))
    line = next(block for block in lines_of("html") if "widget-2.js" in block).replace(SHOP, lasting)
    days = "document.documentElement.dataset.creditsDaysLeft"
    status = "document.documentElement.dataset.credits"

    def days_shown(head: str, setting: str) -> str | None:
        monkeypatch.setenv("WIDGET_DAYS_LEFT", setting)
        settings.cache_clear()
        for_api.plugin_statuses.cache_clear()
        page.evaluate("try { sessionStorage.clear() } catch {}")
        shown(page, head, "")
        page.wait_for_function(f"{status} === 'enabled'")
        found: str | None = page.evaluate(f"{days} ?? null")
        return found

    assert days_shown(line, "off") is None
    assert days_shown(line.replace(" data-days-left", ""), lasting) is None
    assert days_shown(line, lasting) == "3"


def test_the_snippet_without_a_metafield_leaves_the_plugin_hidden(page: Page) -> None:
    snippet, _, block = lines_of("liquid")
    shown(page, rendered(snippet).replace(SHOP, ""), block)
    page.wait_for_function("document.documentElement.dataset.credits === 'disabled'")

    expect(page.get_by_text("your plugin")).to_be_hidden()


def test_the_react_hook_follows_the_widget_and_loads_it_once(page: Page, desk: System) -> None:
    hook, component = lines_of("jsx")
    assert "usePluginIsOn('https://credits.example'" in component
    drawn = component.replace(
        "<div style={{ visibility: on ? 'visible' : 'hidden' }}>",
        "html`<div style=${{ visibility: on ? 'visible' : 'hidden' }}>",
    )
    drawn = drawn.replace("</div>", "</div>`")
    script = hook.replace("'react'", "'/preact.js'").replace("import {", "import { html, render,") + drawn
    script += "render(html`<${Plugin} /><${Plugin} />`, document.getElementById('plugin'))"
    module = '<script type="module" src="/plugin.js"></script>'
    more = {"/preact.js": PREACT.read_text(), "/plugin.js": script}
    shown(page, module, '<div id="plugin"></div>', more=more)
    plugins = page.get_by_text("your plugin")
    expect(plugins).to_have_count(2)
    expect(plugins.first).to_be_visible()
    expect(plugins.last).to_be_visible()
    assert page.locator("script[data-merchant]").count() == 1

    switched_off(page, desk)

    expect(plugins.first).to_be_hidden()
    expect(plugins.last).to_be_hidden()

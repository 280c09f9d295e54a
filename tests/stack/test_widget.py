"""The widget in a real browser, on a shop's page of another origin, against the running stack."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.engines import LOOPBACK
from tests.support.marketplace import happened
from tests.support.running_stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("people"), needs_chromium]

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A shop</title>
<link rel="icon" href="data:,">
<style>
[data-plugin] {{ visibility: hidden }}
[data-credits="enabled"] [data-plugin] {{ visibility: visible }}
</style>
<script>
  window.heard = []
  window.shifted = 0
  document.addEventListener('credits:status', event => window.heard.push(event.detail))
  new PerformanceObserver(list => list.getEntries().forEach(entry => {{ window.shifted += entry.value }}))
    .observe({{ type: 'layout-shift', buffered: true }})
</script>
<script async src="{api}/{widget}.js" data-merchant="{merchant}" {attributes}></script></head>
<body><h1>A lamp</h1><p data-plugin style="height: 90px">Gift wrap</p><p id="below">Add to cart</p></body></html>"""

ASKING = {"widget-1": "", "widget-2": "data-days-left"}
"""The widgets, each with the attribute that its page needs."""


@dataclass
class Shop:
    """A shop's site on an origin of its own: what its page says, and what the browser asked of whom."""

    widget: str
    context: BrowserContext
    api_url: str
    site: ThreadingHTTPServer
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, merchant: str, attributes: str = "", *, timeout_ms: int = WAIT_MS, page: Page | None = None) -> Page:
        """Return the shop's page, once it has heard of its status, for which the widget waits so long."""
        attributes = f'data-timeout="{timeout_ms}" {ASKING[self.widget]} {attributes}'
        content = PAGE.format(api=self.api_url, widget=self.widget, merchant=merchant, attributes=attributes)
        self.site.content = content.encode()  # type: ignore[attr-defined]
        page = page or self.context.new_page()
        page.goto(f"http://{LOOPBACK}:{self.site.server_port}/")
        page.wait_for_function("window.heard.length > 0")
        return page

    def asked(self) -> int:
        """Return how often the status was asked for so far."""
        return sum("/plugin-status/" in url for url in self.requests)


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content: bytes = self.server.content  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(params=ASKING)
def shop(browser: Browser, flows: Stack, request: pytest.FixtureRequest) -> Iterator[Shop]:
    with ThreadingHTTPServer((LOOPBACK, 0), _Site) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        context = browser.new_context()
        context.set_default_timeout(WAIT_MS)
        found = Shop(request.param, context, flows.description.api_url, site)
        context.on("request", lambda sent: found.requests.append(sent.url))
        context.on("weberror", lambda error: found.errors.append(str(error.error)))
        yield found
        context.close()
        site.shutdown()
        thread.join()
    own = (f"{found.api_url}/", f"http://{LOOPBACK}:{site.server_port}/")
    assert [url for url in found.requests if not url.startswith(own)] == []
    assert found.errors == []


def opened(stack: Stack, credits_given: int) -> str:
    merchant = str(uuid4())
    stack.tell(happened("evt.account.created", merchant, credits_to_use=credits_given))
    return merchant


def spend(stack: Stack, merchant: str, order_id: int) -> None:
    stack.tell(happened("evt.shopify.webhook.order_paid", merchant, order_id=order_id))


def shown(page: Page) -> bool:
    return page.locator("[data-plugin]").is_visible()


def heard(page: Page) -> list[tuple[str, str]]:
    return [(one["status"], one["source"]) for one in page.evaluate("window.heard")]


def answering(status: int, body: Any) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/json"}
        route.fulfill(status=status, headers=headers, body=json.dumps(body))

    return answer


def silent(_: Route) -> None:
    """Never answer."""


STATUS = "**/plugin-status/*"
DOWN = answering(503, {"status": 503, "error": {"code": "UNAVAILABLE"}})


def test_the_plugin_is_shown_while_there_are_credits_and_nothing_jumps(shop: Shop, flows: Stack) -> None:
    merchant = opened(flows, 2)

    page = shop.open(merchant)

    assert shown(page)
    # `daysLeft` is undefined where it is unknown.
    assert page.evaluate("JSON.parse(JSON.stringify(window.heard))") == [
        {"merchant": merchant, "status": "enabled", "reason": "sufficient_credits", "source": "network"}
    ]
    assert page.evaluate("window.shifted") == 0
    assert shop.context.cookies() == []


def test_a_shop_without_credits_has_its_plugin_hidden_and_nothing_jumps(shop: Shop, flows: Stack) -> None:
    merchant = opened(flows, 1)
    spend(flows, merchant, 1)

    page = shop.open(merchant)

    assert not shown(page)
    assert heard(page) == [("disabled", "network")]
    assert page.evaluate("window.shifted") == 0


def test_a_reload_within_the_session_asks_nobody(shop: Shop, flows: Stack) -> None:
    page = shop.open(opened(flows, 2))
    before = shop.asked()

    page.reload()
    page.wait_for_function("window.heard.length > 0")

    assert (before, shop.asked()) == (1, 1)
    assert heard(page) == [("enabled", "session")]
    assert shown(page)


def test_an_answer_that_is_no_longer_fresh_is_shown_while_a_new_one_is_asked(shop: Shop, flows: Stack) -> None:
    merchant = opened(flows, 2)
    page = shop.open(merchant)

    page = shop.open(merchant, 'data-fresh="0"', page=page)
    page.wait_for_function("window.heard.length > 1")

    assert heard(page) == [("enabled", "session"), ("enabled", "network")]


@pytest.mark.parametrize(("attributes", "visible"), [("", False), ('data-on-failure="open"', True)])
def test_a_silent_api_is_waited_for_as_long_as_the_page_says_and_then_it_decides(
    shop: Shop, attributes: str, visible: bool
) -> None:
    shop.context.route(STATUS, silent)

    page = shop.open(str(uuid4()), attributes, timeout_ms=150)

    assert shown(page) is visible
    assert heard(page) == [("enabled" if visible else "disabled", "failure")]
    assert page.evaluate("window.shifted") == 0


def test_within_the_grace_time_an_outage_changes_nothing_and_after_it_the_page_decides(
    shop: Shop, flows: Stack
) -> None:
    merchant = opened(flows, 2)
    page = shop.open(merchant)
    shop.context.route(STATUS, DOWN)

    shop.open(merchant, 'data-fresh="0"', page=page)
    page.wait_for_function("window.heard.length > 1")
    within = (shown(page), heard(page))
    # What was kept is now ten minutes old.
    page.evaluate("""() => {
      const [key] = Object.keys(sessionStorage)
      sessionStorage[key] = JSON.stringify({...JSON.parse(sessionStorage[key]), at: Date.now() - 600000})
    }""")
    shop.open(merchant, page=page)

    assert within == (True, [("enabled", "session"), ("enabled", "grace")])
    assert (shown(page), heard(page)) == (False, [("disabled", "failure")])


def test_an_answer_that_knows_nothing_counts_as_an_outage(shop: Shop, flows: Stack) -> None:
    merchant = opened(flows, 2)
    page = shop.open(merchant)
    unknown = {"data": {"status": "disabled", "reason": "unavailable", "as_of": "", "stale": False}}
    shop.context.route(STATUS, answering(200, unknown))

    shop.open(merchant, 'data-fresh="0"', page=page)
    page.wait_for_function("window.heard.length > 1")

    assert heard(page)[-1] == ("enabled", "grace")


def test_a_page_that_may_keep_nothing_asks_each_time(shop: Shop, flows: Stack) -> None:
    merchant = opened(flows, 2)
    shop.context.add_init_script("Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('no') } })")

    page = shop.open(merchant)
    page.reload()
    page.wait_for_function("window.heard.length > 0")

    # Where the answer has run out, the browser's own cache asks once more behind the page's back.
    assert shop.asked() >= 2
    assert shown(page)


@pytest.mark.parametrize("shop", ["widget-1"], indirect=True)
def test_the_demo_shop_goes_off_and_on_while_it_is_looked_at(shop: Shop, flows: Stack) -> None:
    merchant = opened(flows, 1)
    page = shop.context.new_page()
    page.goto(f"{flows.description.api_url}/demo-shop?merchant={merchant}")
    page.locator("html[data-credits=enabled]").wait_for()
    assert shown(page)
    cart = page.get_by_role("button", name="Add to cart")
    place = cart.bounding_box()

    spend(flows, merchant, 1)
    page.locator("html[data-credits=disabled]").wait_for()
    assert (shown(page), cart.bounding_box()) == (False, place)
    flows.tell(happened("evt.billing.payment_succeeded", merchant, payment_id="p1", credits=5))
    page.locator("html[data-credits=enabled]").wait_for()

    assert (shown(page), cart.bounding_box()) == (True, place)

"""Numbers of thirteen digits on narrow phones: none is cut, broken or covered, and what scrolls shows that it does."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.wiring import for_api
from tests.functions.test_console_many import violations, wider
from tests.functions.test_console_pages import linked, rolled_up
from tests.support.api import CREDITS_TABLE
from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.builders import SHOP, account_of, merchant
from tests.support.events import charged, paid
from tests.support.figures_tables import FiguresTable
from tests.support.page_api import signed_in_tabs
from tests.support.system import System

pytestmark = [pytest.mark.slow, needs_chromium]
expect.set_options(timeout=WAIT_MS)

MUCH = 9_876_543_210_987
LOW, OFF = merchant("low"), merchant("off")

FAULTS = """
() => {
  const found = []
  const walker = document.createTreeWalker(document.querySelector('#app'), NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    for (const [number] of walker.currentNode.data.matchAll(/\\d[\\d,]{8,}\\d/g)) {
      const range = document.createRange()
      const start = walker.currentNode.data.indexOf(number)
      range.setStart(walker.currentNode, start)
      range.setEnd(walker.currentNode, start + number.length)
      const rects = [...range.getClientRects()].filter(({ width }) => width)
      if (!rects.length) continue
      const parent = walker.currentNode.parentElement
      if (parent.closest('code, pre, .sr, textarea')) continue
      const where = `${number} in ${parent.closest('section, [role=region], main').innerText.slice(0, 20)}`
      if (rects.length > 1) found.push(`broken: ${where}`)
      const box = parent.closest('td, th, dd, p, li')?.getBoundingClientRect()
      if (box && rects[0].right > box.right + 1) found.push(`covers its neighbour: ${where}`)
      const card = parent.closest('.card, .status')
      const most = card && card.getBoundingClientRect().right - parseFloat(getComputedStyle(card).paddingRight) + 1
      if (!parent.closest('.scroll') && card && rects[0].right > most) found.push(`leaves its card: ${where}`)
    }
  }
  for (const scroll of document.querySelectorAll('.scroll')) {
    if (scroll.scrollWidth <= scroll.clientWidth) continue
    const { overflowX, backgroundImage } = getComputedStyle(scroll)
    const shown = overflowX === 'auto' && backgroundImage.includes('gradient') && scroll.tabIndex === 0
    if (!shown) found.push(`does not show that it scrolls: ${scroll.innerText.slice(0, 20)}`)
  }
  return found
}
"""
"""What is wrong with the numbers of ten digits and more that a page shows."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def phone(
    browser: Browser, desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Page]]:
    """Return what opens a view on a phone of this width, where merchants have thirteen digits of credits."""
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    for shop, balance, threshold in ((SHOP, MUCH, 20), (LOW, MUCH, 2 * MUCH), (OFF, 0, 20)):
        desk.dynamodb.put_item(
            TableName=CREDITS_TABLE, Item=account_item(account_of(balance, of=shop, threshold=threshold))
        )
    for number in range(3):
        desk.ingest(paid(number), charged(f"p{number}", 1_000_000_000, expires_in_days=30 + number))
    rolled_up(desk)
    linked(SHOP, "Last Penny Books and Stationery of Little Haven")
    with signed_in_tabs(browser) as opened:
        yield lambda view, width: opened(view, viewport={"width": width, "height": 740})


@pytest.mark.parametrize("width", [380, 320])
@pytest.mark.parametrize("view", ["", "merchants", "low", "off"])
def test_lists_cut_no_number(phone: Callable[..., Page], view: str, width: int) -> None:
    page = phone(view, width)
    expect(page.locator("main table tbody tr, main .figures").first).to_be_visible()

    assert (page.evaluate(FAULTS), wider(page), violations(page)) == ([], 0, [])


@pytest.mark.parametrize("width", [380, 320])
def test_a_merchants_page_and_a_transaction_cut_no_number(phone: Callable[..., Page], width: int, desk: System) -> None:
    page = phone(f"merchant/{SHOP}", width)
    expect(page.locator("section.chart canvas")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    expect(page.locator("[data-test=statement]")).to_be_visible()
    expect(page.locator("section.ledger tbody tr").first).to_be_visible()
    page.get_by_label("Credits", exact=True).fill("1000000000")

    assert (page.evaluate(FAULTS), wider(page), violations(page)) == ([], 0, [])

    page = phone(f"transaction/{desk.history()[-1].transaction_id}", width)
    expect(page.locator("[data-test=check] strong")).to_be_visible()
    assert (page.evaluate(FAULTS), wider(page)) == ([], 0)

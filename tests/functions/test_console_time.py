"""What time does to a shop, as the console shows it: lapses to come, levels and days left, in a real Chromium."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from chalicelib.domain.ids import instant
from chalicelib.domain.transactions import Transaction
from chalicelib.wiring import for_api, for_posting
from tests.functions.test_console_many import violations, wider
from tests.oracles.lots import Merge, replayed
from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.builders import SHOP
from tests.support.events import charged, opened, paid, refunded
from tests.support.figures_tables import FiguresTable
from tests.support.page_api import signed_in_tabs
from tests.support.system import System

pytestmark = [pytest.mark.slow, needs_chromium]
expect.set_options(timeout=WAIT_MS)

FILLED = """
  window.filled = []
  const fill = CanvasRenderingContext2D.prototype.fillRect
  CanvasRenderingContext2D.prototype.fillRect = function (x, y, width, height) {
    filled.push({ colour: this.fillStyle, x, y, width, height })
    return fill.call(this, x, y, width, height)
  }
  window.named = []
  const write = CanvasRenderingContext2D.prototype.fillText
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    if (this.textAlign === 'left') named.push({ text, x, y })
    return write.call(this, ...arguments)
  }
"""
"""Keeps what a page fills: rectangles, and the texts that begin at a place."""
WARN = (133, 83, 0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def shop_page(
    browser: Browser, desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Page]]:
    """Return what opens the page of a shop that has sold for ten days, twice a day, in a tab of this width."""
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    desk.configure(ALERT_LEVELS="week=7 days, half=50%, few=20")
    now = datetime.now(UTC)

    def at(ago: timedelta, *bodies: str) -> None:
        monkeypatch.setattr(for_posting, "now", lambda: instant(now - ago))
        desk.ingest(*bodies)

    lots = ((40, 12), (30, 15), (20, 400))
    at(timedelta(days=10), opened())
    for credits_paid, days in lots:
        at(timedelta(days=10), charged(f"p{days}", credits_paid, expires_in_days=days))
    for number in range(1, 20):
        at(timedelta(days=10) - number * timedelta(hours=12), paid(number))
    with signed_in_tabs(browser) as opened_at:

        def open_page(width: int = 1280) -> Page:
            page = opened_at(
                f"merchant/{SHOP}",
                script=FILLED,
                timezone_id="Europe/Berlin",
                viewport={"width": width, "height": 900},
                color_scheme="light",
            )
            expect(page.locator("section.chart canvas")).to_be_visible()
            page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            return page

        yield open_page


def is_band(filled: Mapping[str, Any]) -> bool:
    return str(filled["colour"]).startswith("rgba({}, {}, {}".format(*WARN))


def rows(page: Page, name: str) -> list[list[str]]:
    table = page.locator(f"[data-test={name}] tbody tr")
    return [row.locator("td").all_inner_texts() for row in table.all()]


def test_lapses_and_levels_are_in_tables_under_the_chart(shop_page: Callable[..., Page]) -> None:
    page = shop_page()

    lapses, levels = rows(page, "lapses"), rows(page, "level-lines")

    assert [row[1:] for row in lapses] == [["21", "72"], ["30", "42"], ["20", "22"]]
    # Less than two and five whole days, by the time that the page took to open.
    assert ["in 1 day" in lapses[0][0], "in 4 days" in lapses[1][0]] == [True, True]
    assert [(row[0], row[1], row[3]) for row in levels] == [
        ("week", "7 days", "above"),
        ("half", "50 percent", "above"),
        ("few", "20 credits", "above"),
    ]
    assert [row[2] for row in levels][1:] == ["56", "20"]
    assert 13 <= int(levels[0][2]) <= 15


def test_days_left_and_the_day_of_the_last_credit_stand_beside_the_balance(shop_page: Callable[..., Page]) -> None:
    page = shop_page()
    days = int(page.locator("[data-test=days-left]").inner_text())

    empty = datetime.fromisoformat(str(page.locator("[data-test=empty-on] time").get_attribute("datetime")))

    assert 43 <= days <= 49
    assert abs(empty.replace(tzinfo=UTC) - datetime.now(UTC) - timedelta(days=days)) < timedelta(days=2)
    expect(page.locator("[data-test=outlook]")).to_contain_text("by its use of the last weeks")
    expect(page.locator("[data-test=outlook]")).to_contain_text(f"(in {days} days)")


def test_the_chart_has_a_band_for_each_lot_a_mark_for_each_near_lapse_and_named_lines(
    shop_page: Callable[..., Page],
) -> None:
    page = shop_page()
    filled: list[dict[str, Any]] = page.evaluate("filled")

    bands = [one for one in filled if is_band(one)][-3:]
    marks = [one for one in filled if one["colour"] == "#{:02x}{:02x}{:02x}".format(*WARN)]

    heights, widths = ([band[side] for band in bands] for side in ("height", "width"))
    assert heights[0] / heights[2] == pytest.approx(21 / 20, rel=0.02)
    assert heights[1] / heights[2] == pytest.approx(30 / 20, rel=0.02)
    assert widths[1] / widths[0] == pytest.approx(5 / 2, rel=0.05)
    # The last one lapses in a year: its band goes on to the end, without a mark.
    assert widths[2] >= widths[1]
    assert bands[0]["y"] < bands[1]["y"] < bands[2]["y"]
    assert len({mark["x"] for mark in marks[-2:]}) == 2
    named = {one["text"]: one["y"] for one in page.evaluate("named")}
    assert named.keys() == {"week", "half", "few"}
    assert named["half"] < named["few"] < named["week"]


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize(
    "levels",
    [
        "first=100, second=101, third=102, fourth=103, fifth-of-the-levels=104",
        "first=1, second=1%, third=2, fourth=2%, fifth-of-the-levels=3",
        "first=50, second=50%, third=51, fourth=52, fifth-of-the-levels=53",
    ],
)
def test_the_names_of_levels_cover_neither_the_line_nor_one_another(
    shop_page: Callable[..., Page], desk: System, levels: str, width: int
) -> None:
    desk.configure(ALERT_LEVELS=levels)
    # Fleet-wide levels reach an account with its next write.
    desk.ingest(paid(20))
    page = shop_page(width)

    named = sorted(page.evaluate("named")[-5:], key=lambda one: one["y"])

    plot = page.locator(".u-over").bounding_box()
    canvas = page.locator("section.chart canvas").bounding_box()
    assert plot is not None
    assert canvas is not None
    places = [one["y"] for one in named]
    assert len({one["text"] for one in named}) == 5
    assert len({one["text"] for one in named}) == 5
    assert min(below - above for above, below in pairwise(places)) >= 12
    assert places[0] >= 0
    assert places[-1] <= plot["height"] + 20
    assert min(one["x"] for one in named) > plot["x"] + plot["width"] - canvas["x"]
    assert wider(page) == 0


def lots_after_each(history: Sequence[Transaction]) -> list[list[int]]:
    """Return the credits of the lots after each transaction, the first to lapse first; none where there are none."""
    found = []
    moves = [
        (
            one.amount > 0,
            [(part.expires_at, part.credits) for part in one.drawn],
            merged_of(one),
        )
        for one in history
    ]
    for place, (one, following) in enumerate(zip(history, [*history[1:], None], strict=True), 1):
        left = replayed(moves[:place])
        assert not isinstance(left, str), left
        # Nothing is seen of what stood for no time.
        if left and (following is None or following.created_at > one.created_at):
            found.append([left[expires_at] for expires_at in sorted(left)])
    return found


def merged_of(transaction: Transaction) -> list[Merge]:
    merges = str(transaction.metadata.get("merged", ""))
    parts = (text.split(" ") for text in filter(None, merges.split(", ")))
    return [Merge(source, into, int(moved)) for source, into, moved in parts]


def test_the_lots_of_the_past_are_bands_as_they_were_after_each_transaction(
    shop_page: Callable[..., Page], desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nine lots: the last but one joins the last. What is refunded goes back to its own.
    for place, body in enumerate(
        (*(charged(f"q{days}", days, expires_in_days=days) for days in (50, 51, 52, 53, 54, 500)), refunded(1))
    ):
        at = instant(datetime.now(UTC) - timedelta(hours=11 - 1.5 * place))
        monkeypatch.setattr(for_posting, "now", lambda at=at: at)
        desk.ingest(body)
    page = shop_page()

    filled = {(one["x"], one["y"], one["width"]): one["height"] for one in page.evaluate("filled") if is_band(one)}

    expected = lots_after_each(desk.history())
    assert any(map(merged_of, desk.history()))
    groups: dict[float, list[float]] = {}
    for (x, _, width), height in sorted(filled.items()):
        if width:
            groups.setdefault(x, []).append(height)
    *past, to_come = groups.values()
    unit = sum(to_come) / sum(expected[-1])
    assert [[round(height / unit) for height in heights] for heights in past] == expected
    expect(page.locator("section.chart")).to_contain_text("credits that lapse, as they were")


def test_a_phone_shows_it_without_scrolling_sideways_and_axe_finds_nothing(shop_page: Callable[..., Page]) -> None:
    page = shop_page(360)

    assert (wider(page), violations(page)) == (0, [])

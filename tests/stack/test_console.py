"""The console in a real Chromium, on the running stack: what support does with it, and what it must never do."""

import json
import logging
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import WAIT_MS, chromium, needs_chromium
from tests.support.console import Console, tab, token_for
from tests.support.marketplace import Event, happened, merchant
from tests.support.running_stack import Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("people"), needs_chromium]

ORDERS = 34
"""Of the shop that is off: 30 found a credit each, 4 did not."""
OFF = merchant("console: off")
ON = merchant("console: on")


def order(shop: str, order_id: str) -> Event:
    return happened("evt.shopify.webhook.order_paid", shop, order_id=order_id, total="24.90")


def opened(shop: str, credits_given: int) -> Event:
    return happened("evt.account.created", shop, credits_to_use=credits_given)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def shops(flows: Stack) -> Stack:
    """The stack with a shop whose plugin is off, and one whose plugin is on."""
    orders = [{"order_id": f"o{number}"} for number in range(1, ORDERS + 1)]
    flows.tell(
        opened(OFF, 30),
        happened("evt.shopify.webhook.order_paid", OFF, order_items=orders),
        opened(ON, 40),
        order(ON, "7/8 & 9"),
        happened("evt.billing.payment_succeeded", ON, payment_id="pay_1", credits=20),
    )
    return flows


@pytest.fixture
def console(browser: Browser, shops: Stack) -> Iterator[Console]:
    with tab(browser, shops) as console:
        yield console


def test_who_is_not_signed_in_sees_no_more_than_where_to_sign_in(console: Console) -> None:
    console.open()
    paint = console.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    # Reported, not judged: a machine may be busy with something else.
    logging.getLogger(__name__).warning("first contentful paint after %.0f ms", paint)

    console.sign_in("nonsense")

    expect(console.page.get_by_text("This is not a token")).to_be_visible()
    console.sign_in()
    expect(console.page.get_by_role("heading", name="Overview")).to_be_focused()
    assert console.page.evaluate("JSON.stringify([{...localStorage}, document.cookie])") == '[{},""]'


def test_why_is_my_plugin_off_is_answered_at_the_first_look(console: Console) -> None:
    console.signed_in()

    console.find(OFF.upper().replace("-", ""))

    expect(console.page.get_by_role("heading", name="The plugin is off")).to_be_visible()
    why = console.said("why")
    expect(why).to_contain_text("used 1 credit.")
    expect(why).to_contain_text("Since then 4 orders found too few credits: 4 credits were missing.")
    expect(why).to_contain_text("The next credit switches it on again")
    story = console.page.get_by_role("region", name="What led to it, and what was published")
    expect(story).to_contain_text("evt.credits.low_balance_reached")
    expect(story).to_contain_text("evt.credits.plugin_status_changed")
    expect(story).to_contain_text("Derived from the ledger's crossings")
    expect(console.page.locator("section.chart canvas")).to_be_visible()
    assert console.violations() == []


def test_the_balance_burns_down_to_a_date(console: Console) -> None:
    console.signed_in(f"merchant/{ON}")

    expect(console.said("balance")).to_have_text("59")
    expect(console.said("outlook")).to_contain_text("it is empty about")
    expect(console.page.locator("section.chart canvas")).to_be_visible()


def test_a_merchant_a_transaction_and_an_order_are_found_and_what_is_unknown_is_said(console: Console) -> None:
    console.signed_in()

    console.find(ON, order="7/8 & 9")
    expect(console.page.get_by_role("heading", name="Order 7/8 & 9")).to_be_focused()
    expect(console.said("check")).to_contain_text("This transaction is unchanged and in its place.")
    assert console.violations() == []

    transaction = console.page.url.rpartition("/")[2]
    console.page.get_by_role("link", name="Overview", exact=True).click()
    console.find(transaction)
    expect(console.page.get_by_role("heading", name="Order 7/8 & 9")).to_be_visible()

    console.find(ON, order="never sold")
    expect(console.page.get_by_text("This merchant has no such order")).to_be_visible()
    console.find(merchant("console: nobody"))
    expect(console.page.get_by_text("No merchant and no transaction has this id")).to_be_visible()
    console.find("shop no. 5")
    expect(console.page.get_by_text("No merchant matches.")).to_be_visible()


@pytest.mark.parametrize("view", ["%", "%E0%A4%A", "merchant/%", "transaction/%25%"])
def test_an_address_that_nobody_made_is_no_page_and_the_next_one_is_seen(console: Console, view: str) -> None:
    console.signed_in(view)
    expect(console.page.get_by_role("heading", level=1)).to_have_text("There is no such page")

    console.page.get_by_role("link", name="To the overview").click()

    expect(console.page.get_by_role("heading", level=1)).not_to_have_text("There is no such page")
    assert console.complaints == []


def test_the_ledger_goes_on_to_its_end_and_is_filtered_and_its_chain_holds(console: Console) -> None:
    console.signed_in(f"merchant/{OFF}")
    ledger = console.page.get_by_role("region", name="Ledger")
    rows = ledger.locator("tbody tr")
    expect(rows.first).to_contain_text("±0")

    rows.last.scroll_into_view_if_needed()
    expect(rows).to_have_count(ORDERS + 1)
    expect(rows.last).to_contain_text("Trial")

    ledger.get_by_label("Type").select_option(label="Trials")
    expect(rows).to_have_count(1)
    ledger.get_by_label("Direction").select_option(label="out")
    expect(ledger.get_by_text("No transaction matches.")).to_be_visible()
    ledger.get_by_role("button", name="Clear filters").click()
    ledger.get_by_label("To").fill("2020-01-01")
    expect(ledger.get_by_text("No transaction matches.")).to_be_visible()

    ledger.get_by_role("button", name="Check the whole chain").click()
    expect(console.said("chain")).to_contain_text(f"{ORDERS + 1} transactions: every hash and every balance is right.")


def test_a_record_that_was_changed_on_its_way_does_not_hold(console: Console) -> None:
    def change(route: Route) -> None:
        answer = route.fetch(timeout=WAIT_MS)
        body = answer.json()
        for row in body["data"]:
            if row["sequence"] == 3:
                row["requested"] = 2
        route.fulfill(response=answer, json=body)

    console.page.route("**/api/v1/credits/transactions?*", change)
    console.signed_in(f"merchant/{OFF}")

    console.page.get_by_role("button", name="Check the whole chain").click()

    expect(console.said("chain")).to_contain_text("The chain is broken at 3.")


def test_an_adjustment_is_previewed_applied_and_however_often_it_is_sent_applied_once(
    console: Console, shops: Stack
) -> None:
    shop = merchant("console: adjusted")
    shops.tell(opened(shop, 5))
    console.signed_in(f"merchant/{shop}")
    form = console.page.get_by_role("region", name="Adjust credits")

    form.get_by_label("Remove").check()
    form.get_by_label("Credits", exact=True).fill("6")
    expect(console.said("effect")).to_contain_text("6 credits cannot be taken from it")
    expect(form.get_by_role("button", name="Remove 6 credits")).to_be_disabled()
    form.get_by_label("Credits", exact=True).fill("5")
    expect(console.said("effect")).to_contain_text("Balance 5 → 0. The plugin goes off.")
    expect(form.get_by_role("button", name="Remove 5 credits")).to_be_disabled()
    form.get_by_label("Reason").fill("trial misuse")

    console.page.route("**/admin/adjustments", lose_the_answer)
    form.get_by_role("button", name="Remove 5 credits").click()
    expect(form.get_by_role("alert")).to_contain_text("It may have been applied.")
    console.page.unroute("**/admin/adjustments")
    form.get_by_role("button", name="Send again").click()

    expect(form.get_by_text("Already applied.")).to_be_visible()
    expect(console.page.get_by_role("heading", name="The plugin is off")).to_be_visible()
    assert [row["amount"] for row in shops.ledger(shop)] == [5, -5]
    assert shops.ledger(shop)[-1]["extra_metadata"] == {"reason": "trial misuse", "admin_id": "local-admin"}

    form.get_by_role("button", name="Another adjustment").click()
    form.get_by_label("Add").check()
    form.get_by_label("Credits", exact=True).fill("3")
    form.get_by_label("Reason").fill("goodwill")
    form.get_by_role("button", name="Add 3 credits").click()
    expect(form.get_by_text("Applied.", exact=True)).to_be_visible()
    expect(console.page.get_by_role("heading", name="The plugin is on")).to_be_visible()


def test_an_adjustment_whose_answer_was_lost_outlives_the_page_that_sent_it(console: Console, shops: Stack) -> None:
    shop = merchant("console: reloaded")
    shops.tell(opened(shop, 9))
    console.signed_in(f"merchant/{shop}")
    form = console.page.get_by_role("region", name="Adjust credits")
    form.get_by_label("Remove").check()
    form.get_by_label("Credits", exact=True).fill("7")
    form.get_by_label("Reason").fill("trial misuse")
    console.page.route("**/admin/adjustments", lose_the_answer)
    form.get_by_role("button", name="Remove 7 credits").click()
    expect(form.get_by_role("alert")).to_contain_text("It may have been applied.")
    console.page.unroute("**/admin/adjustments")

    console.page.reload()
    expect(console.said("balance")).to_have_text("2")
    expect(form.get_by_role("alert")).to_contain_text("but no answer came")
    form.get_by_role("button", name="Send again").click()

    expect(form.get_by_text("Already applied.")).to_be_visible()
    assert [row["amount"] for row in shops.ledger(shop)] == [9, -7]
    console.page.reload()
    expect(form.get_by_label("Credits", exact=True)).to_have_value("")


def lose_the_answer(route: Route) -> None:
    """Let the request take effect, and its answer be lost."""
    route.fetch(timeout=WAIT_MS)
    route.abort()


def test_a_threshold_of_its_own_is_set_and_taken_back(console: Console, shops: Stack) -> None:
    shop = merchant("console: threshold")
    shops.tell(opened(shop, 50))
    console.signed_in(f"merchant/{shop}")
    form = console.page.get_by_role("region", name="Low-balance threshold")

    form.get_by_label("Custom threshold").fill("60")
    form.get_by_role("button", name="Set").click()
    expect(form.get_by_text("A custom threshold: low at 60.")).to_be_visible()
    expect(console.page.get_by_text("The low-balance threshold changed from 20 to 60.")).to_be_visible()

    form.get_by_role("button", name="Back to the default").click()
    expect(form.get_by_text("The default applies: low at 20.")).to_be_visible()


def test_a_dead_letter_says_its_reason_and_is_put_back(console: Console, shops: Stack) -> None:
    shop = merchant("console: letter")
    shops.tell(opened(shop, 10))
    body = json.dumps(order(shop, "late"))
    reason = "the account did not come within 3600 seconds"
    park(shops, body, code="account_missing", reason=reason)
    console.signed_in("dead-letters")
    letter = console.page.get_by_role("listitem").filter(has_text=reason)
    expect(letter).to_contain_text("evt.shopify.webhook.order_paid")
    letter.get_by_text("The message").click()
    expect(letter.locator("pre")).to_contain_text('"order_id": "late"')
    assert console.violations() == []

    letter.get_by_role("button", name="Retry").click()

    expect(letter.get_by_text("It is processed again now")).to_be_visible()
    until("the order of the letter", lambda: len(shops.ledger(shop)) == 2)


def test_a_letter_turns_no_line_and_a_long_one_is_shown_whole(console: Console, shops: Stack) -> None:
    hostile, long, twice = "not JSON \u202e\u009b2J\u200b", "start " + "漢" * 20_000 + " end", '{"a": 1, "a": 2}'
    reasons = [f"console reason {number} of {uuid4()}" for number in range(3)]
    for reason, body in zip(reasons, (hostile, long, twice), strict=True):
        park(shops, body, code="not_json", reason=f"{reason} \u202e")
    console.signed_in("dead-letters")
    letters = [console.page.get_by_role("listitem").filter(has_text=reason) for reason in reasons]
    for letter in letters:
        letter.get_by_text("The message").click()

    expect(letters[0].locator("pre")).to_have_text("not JSON \\u{202e}\\u{9b}2J\\u{200b}")
    expect(letters[0]).to_contain_text(f"{reasons[0]} \\u{{202e}}")
    expect(letters[2].locator("pre")).to_have_text(twice)
    expect(letters[1].locator("pre")).not_to_contain_text("end")
    letters[1].get_by_role("button", name="Show the whole message").click()
    expect(letters[1].locator("pre")).to_contain_text(" end")
    assert console.violations() == []


def park(stack: Stack, body: str, **attributes: str) -> None:
    """Put a message among the dead letters."""
    stack._sqs.send_message(
        QueueUrl=stack.description.dead_letter_queue_url,
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )


def test_the_fleet_and_what_happens_now_are_seen(console: Console, shops: Stack) -> None:
    shop = merchant("console: off a moment ago")
    shops.tell(opened(shop, 1))
    shops.adjust(
        merchant_id=shop,
        operation_type="DECREASE",
        credits=1,
        reason="to be seen",
        admin_id="admin-7",
        adjustment_id=str(uuid4()),
    )
    console.signed_in()

    live = console.page.get_by_role("region", name="At this moment")
    expect(live).to_contain_text("Orders a minute")
    # Rates need a second reading.
    expect(console.said("orders")).to_have_text("0", use_inner_text=True)
    for name in ("Duplicates", "Conflicts", "Inbox", "Oldest message", "Dead letters", "Bridge"):
        expect(live.get_by_text(name, exact=True)).to_be_visible()
    expect(console.page.get_by_role("region", name="Latest threshold events")).to_contain_text("Plugin off")
    assert console.violations() == []

    console.page.get_by_role("link", name="Plugins off: list them").click()
    # The events of the page before name the shop more than once, and stay for a moment.
    off = console.page.get_by_role("region", name="Merchants whose plugin is off")
    expect(off.get_by_role("link", name=OFF[:8])).to_be_visible()


def test_an_expired_token_leads_back_to_the_sign_in_and_then_to_the_same_place(console: Console, shops: Stack) -> None:
    console.page.clock.install()
    console.open(f"merchant/{ON}")
    console.sign_in(token_for(shops, seconds=600))
    expect(console.said("balance")).to_have_text("59")
    console.page.clock.fast_forward(600_000)

    expect(console.page.get_by_role("alert")).to_contain_text("Your session has ended: the token has expired.")
    console.sign_in(forged(shops.description.admin_token))
    expect(console.page.get_by_role("alert")).to_contain_text("the token is not accepted any more")
    console.sign_in()

    expect(console.said("balance")).to_have_text("59")


def forged(token: str) -> str:
    """Return the token with a signature that is none."""
    content, _, signature = token.rpartition(".")
    return f"{content}.{signature[::-1]}"


def test_an_api_that_is_down_is_said_and_tried_again(console: Console) -> None:
    console.page.route("**/api/v1/**", lambda route: route.abort())
    console.signed_in(f"merchant/{ON}")
    trouble = console.page.get_by_role("alert")
    expect(trouble).to_contain_text("The API does not answer.")
    assert console.violations() == []

    console.page.unroute("**/api/v1/**")
    trouble.get_by_role("button", name="Try again").first.click()

    expect(console.said("balance")).to_have_text("59")
    expect(console.page.get_by_role("alert")).to_have_count(0)


def test_a_busy_service_says_when_to_try_again(console: Console) -> None:
    console.page.route(
        "**/api/v1/credits/accounts/*",
        lambda route: route.fulfill(status=503, headers={"Retry-After": "7"}, json={"error": {"code": "UNAVAILABLE"}}),
    )
    console.signed_in(f"merchant/{ON}")

    expect(console.page.get_by_role("alert").first).to_contain_text("Try again in 7 seconds.")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_phone_shows_every_view_without_scrolling_sideways_in_light_and_dark(
    browser: Browser, shops: Stack, scheme: str
) -> None:
    with tab(browser, shops, viewport={"width": 320, "height": 640}, color_scheme=scheme) as console:
        console.open()
        assert (console.wider_than_the_screen(), console.violations()) == (0, [])
        console.sign_in()
        expect(console.said("orders")).to_be_visible()
        assert (console.wider_than_the_screen(), console.violations()) == (0, [])
        dark = console.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 24)"
        assert dark == (scheme == "dark")

        console.find(OFF)
        expect(console.page.locator("section.chart canvas")).to_be_visible()
        expect(console.page.get_by_role("region", name="Ledger").locator("tbody tr").first).to_be_visible()
        assert (console.wider_than_the_screen(), console.violations()) == (0, [])
        console.said("why").get_by_role("link").click()
        expect(console.said("check")).to_contain_text("unchanged")
        assert (console.wider_than_the_screen(), console.violations()) == (0, [])


def test_everything_can_be_done_by_keyboard_alone(console: Console, shops: Stack) -> None:
    shop = merchant("console: keyboard")
    shops.tell(opened(shop, 1))
    console.open()
    keyboard = console.page.keyboard

    def go_to(name: str) -> None:
        for _ in range(60):
            keyboard.press("Tab")
            if console.focused().startswith(name):
                return
        raise AssertionError(f"{name} is not reached, the last was {console.focused()}")

    go_to("Access token")
    keyboard.insert_text(shops.description.admin_token)
    keyboard.press("Enter")
    expect(console.page.get_by_role("heading", name="Overview")).to_be_focused()
    console.page.reload()
    expect(console.page.get_by_role("heading", name="Overview")).to_be_focused()
    keyboard.press("Shift+Tab")
    assert console.focused() == "Find"
    console.page.get_by_label("Merchant or transaction").focus()
    keyboard.insert_text(shop)
    keyboard.press("Enter")
    expect(console.page.get_by_role("heading", name=f"Merchant {shop}")).to_be_focused()
    expect(console.page.get_by_role("region", name="Adjust credits")).to_be_visible()

    go_to("Add")
    keyboard.press("ArrowRight")
    go_to("Credits")
    keyboard.insert_text("1")
    go_to("Reason")
    keyboard.insert_text("by keyboard")
    keyboard.press("Enter")

    expect(console.page.get_by_text("Applied.", exact=True)).to_be_visible()
    expect(console.page.get_by_role("heading", name="The plugin is off")).to_be_visible()
    assert [row["amount"] for row in shops.ledger(shop)] == [1, -1]


def test_a_shop_s_own_token_shows_its_account_and_nothing_to_change(console: Console, shops: Stack) -> None:
    console.open()
    console.sign_in(shops.owner(OFF))

    expect(console.page.get_by_role("heading", name="The plugin is off")).to_be_visible()
    expect(console.page.get_by_role("region", name="Ledger").locator("tbody tr").first).to_be_visible()
    assert console.page.get_by_role("button", name="Find").count() == 0
    assert console.page.get_by_role("region", name="Adjust credits").count() == 0

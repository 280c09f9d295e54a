"""What cannot be applied, through the whole system: nothing of it counts, its neighbours do, and the reason is kept."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.marketplace import Event, happened, merchant
from tests.support.poison import ORDER_PAID
from tests.support.running_stack import Letter, Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]

CHANNELS: dict[str, Callable[[Stack, Event], None]] = {"nats": Stack.publish, "bus": Stack.put}


def said_in(letter: Letter, origin: str) -> Any:
    """Return the event of a parked message: it is the body itself, or the detail of what the bus made of it."""
    body = json.loads(letter.body)
    if origin == "nats":
        assert letter.body == json.dumps(body), "the very text that was published"
        return body
    assert body["detail-type"] == body["detail"]["event_type"]
    return body["detail"]


def orders(stack: Stack, shop: str) -> list[str]:
    return [row["reference_id"] for row in stack.ledger(shop) if row["transaction_type"] == "ORDER_PAID"]


def parked(stack: Stack, event: Event) -> Letter:
    identity = event["event_id"]
    (letter,) = until("a parked message", lambda: stack.letters(naming=identity))
    return letter


@pytest.mark.parametrize("origin", CHANNELS)
def test_of_five_orders_of_which_one_is_bad_none_counts_and_the_reason_is_kept(flows: Stack, origin: str) -> None:
    shop, send = merchant(f"five orders over {origin}"), CHANNELS[origin]
    entries: list[dict[str, object]] = [{"order_id": number, "total": "9.90"} for number in range(1, 6)]
    entries[3]["order_id"] = ""
    bad = happened(ORDER_PAID, shop, order_items=entries)
    flows.tell(happened("evt.merchant.created", shop))

    send(flows, happened(ORDER_PAID, shop, order_id="before"))
    send(flows, bad)
    send(flows, happened(ORDER_PAID, shop, order_id="after"))

    letter = parked(flows, bad)
    flows.settle()
    assert sorted(orders(flows, shop)) == ["after", "before"]
    assert said_in(letter, origin) == bad
    assert letter.attributes == {
        "first_seen": letter.attributes["first_seen"],
        "code": "field_invalid",
        "field": "payload.order_items.3.order_id",
        "reason": "payload.order_items.3.order_id: an id is a text of 1 to 64 printable ASCII characters, "
        "or an integer",
        "origin": origin,
        **({"subject": ORDER_PAID} if origin == "nats" else {}),
    }
    assert len(flows.letters(naming=bad["event_id"])) == 1


def test_what_is_no_event_at_all_is_parked_as_it_came(flows: Stack) -> None:
    flows.nats.publish([(ORDER_PAID, b'{"event_type": "never closed')])
    (letter,) = until("a parked message", lambda: flows.letters(naming="never closed"))
    assert letter.body == '{"event_type": "never closed'
    assert (letter.attributes["code"], letter.attributes["origin"]) == ("not_json", "nats")


@pytest.mark.parametrize("origin", CHANNELS)
def test_a_payment_known_with_other_credits_is_parked_as_a_conflict(flows: Stack, origin: str) -> None:
    shop, send = merchant(f"conflict over {origin}"), CHANNELS[origin]
    other = happened("evt.billing.payment_succeeded", shop, payment_id="p1", credits=7)
    flows.tell(
        happened("evt.account.created", shop, credits_to_use=5),
        happened("evt.billing.payment_succeeded", shop, payment_id="p1", credits=8),
    )

    send(flows, other)

    letter = parked(flows, other)
    assert (letter.attributes["code"], said_in(letter, origin)) == ("key_reused", other)
    assert flows.read(f"/credits/accounts/{shop}/balance")["balance"] == 13


def test_an_order_before_its_account_counts_once_the_account_is_there(flows: Stack) -> None:
    shop = merchant("sells before it opens")
    early = happened(ORDER_PAID, shop, order_id=1)
    flows.publish(early)
    until("a first try", lambda: flows.inbox().tried == 1)
    assert flows.get(f"/credits/accounts/{shop}", flows.description.admin_token).status == 404

    flows.tell(happened("evt.account.created", shop, credits_to_use=3), early)

    assert [row["transaction_type"] for row in flows.ledger(shop)] == ["TRIAL", "ORDER_PAID"]
    flows.settle()
    assert flows.letters(naming=early["event_id"]) == []


def test_a_refund_whose_order_never_comes_is_parked_when_patience_ends(by_item: Stack) -> None:
    shop = merchant("refunds what it never sold")
    lost = happened("evt.shopify.webhook.order_refunded", shop, order_id=404, refund_id="r1")
    by_item.tell(happened("evt.merchant.created", shop))

    by_item.publish(lost)

    letter = parked(by_item, lost)
    assert said_in(letter, "nats") == lost
    assert (letter.attributes["code"], letter.attributes["origin"]) == ("order_missing", "nats")
    assert letter.attributes["reason"].endswith("and did not come within 2 seconds")
    assert by_item.read(f"/credits/accounts/{shop}/balance")["balance"] == 100

"""`KEEP=on make run`: what a stack held when it was asked to end is there at the next start, on other ports too."""

from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from infra.local.ports import DEFAULT_PORTS
from tests.support.engines import free_port
from tests.support.marketplace import happened
from tests.support.running_stack import Stack, running_stack, until
from tests.support.stack_process import END_SECONDS, started

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("kept stack")]

ORDERS = 16
SETTINGS = {"KEEP": "on", "GROUND_RETRY_SECONDS_TOTAL": "3"}


def order(shop: str, number: int) -> dict[str, object]:
    return happened("evt.shopify.webhook.order_paid", shop, order_id=str(number), total="24.90")


def balance(stack: Stack, shop: str) -> int:
    left: int = stack.read(f"/credits/accounts/{shop}/balance")["balance"]
    return left


def heard_times(stack: Stack, shop: str) -> Counter[str]:
    return Counter(heard.event["event_id"] for heard in stack.told_about(shop))


def test_a_stack_that_was_ended_in_the_middle_of_its_work_goes_on_where_it_was(tmp_path: Path) -> None:
    shop, parked = str(uuid4()), str(uuid4())
    settings = {**SETTINGS, **{setting: str(free_port()) for setting in DEFAULT_PORTS}}
    with running_stack(tmp_path, settings) as stack:
        stack.tell(happened("evt.account.created", shop, credits_to_use=12), order(shop, 1))
        stack.publish(happened("evt.billing.payment_succeeded", parked, payment_id="p", credits="many"))
        stack.settle()
        assert balance(stack, shop) == 11
        chain = stack.ledger(shop)
        token = stack.owner(shop)
        heard = heard_times(stack, shop)
        letters = len(stack.read("/credits/admin/dead-letters"))
        assert letters == 1
        # Ended at once: some of these are on NATS, in the inbox, or recorded and not yet published.
        stack.publish(*(order(shop, number) for number in range(2, ORDERS)))

    with running_stack(tmp_path, settings) as stack:
        stack.publish(order(shop, 1))
        stack.settle()
        rows = stack.ledger(shop)
        assert rows[: len(chain)] == chain
        assert balance(stack, shop) == 0
        assert Counter(row["reference_id"] for row in rows[1:]) == Counter(map(str, range(1, ORDERS)))
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
        assert len(stack.read("/credits/admin/dead-letters")) == letters
        assert stack.get(f"/credits/accounts/{shop}/balance", token).status == 200, "the key is kept too"
        after = heard_times(stack, shop)
        assert set(after.values()) == {1}
        assert heard.keys() < after.keys()
        subjects = Counter(message.subject for message in stack.told_about(shop))
        assert subjects["evt.credits.plugin_status_changed"] == 1
        assert subjects["evt.credits.balance_exhausted"] == 1


def test_a_stack_that_dies_leaves_what_was_kept_before_for_one_on_other_ports(tmp_path: Path) -> None:
    shop = str(uuid4())
    with running_stack(tmp_path, SETTINGS) as stack:
        stack.tell(happened("evt.account.created", shop, credits_to_use=5))
    with started(tmp_path, SETTINGS) as run:
        run.wait_for_line("READY ")
        run.process.kill()
        run.process.wait(END_SECONDS)
    with running_stack(tmp_path, SETTINGS) as stack:
        until("the balance", lambda: balance(stack, shop) == 5)

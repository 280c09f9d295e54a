"""A whole marketplace through the whole system: every balance, transaction and event out is accounted for.

EVENTS_FILE may name a gzipped file of platform envelopes, one a line, which then goes the same two ways.
"""

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from tests.oracles.announcements import Announcement, implied
from tests.oracles.published_chain import broken_links_in_answers
from tests.oracles.recount import CREDITS_PER_ORDER, Event, distinct, in_any_order, in_sequence
from tests.support.jetstream import Heard
from tests.support.marketplace import happened, marketplace
from tests.support.running_stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("flows")]

SEED = 7
IN_ORDER, FREELY = 120, 300
GENERATED, FILE = "generated", "EVENTS_FILE"
THRESHOLD_EVENTS = {
    "evt.credits.low_balance_reached",
    "evt.credits.balance_restored",
    "evt.credits.balance_exhausted",
    "evt.credits.plugin_status_changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a marketplace's events: all the API says, and all that was heard on NATS."""

    source: str
    events: Sequence[Event]
    accounts: Mapping[str, Mapping[str, Any]]
    ledgers: Mapping[str, Sequence[Mapping[str, Any]]]
    told: Sequence[Heard]

    def balances(self) -> dict[str, int]:
        return {merchant: account["balance"] for merchant, account in self.accounts.items()}

    def shortfalls(self) -> dict[tuple[str, str], int]:
        return {
            (merchant, row["reference_id"]): row["shortfall"]
            for merchant, ledger in self.ledgers.items()
            for row in ledger
            if row["transaction_type"] == "ORDER_PAID"
        }


def events_of(source: str, *, number: int, name: str) -> list[Event]:
    """Return the events of a story or of the file, which happen to other merchants under another name."""
    if source == GENERATED:
        return list(marketplace(SEED, events=number, name=name))
    if FILE not in os.environ:
        pytest.skip(f"no events of a file were replayed: {FILE} names none")
    with gzip.open(Path(os.environ[FILE]), "rt") as lines:
        events: list[Event] = [json.loads(line) for line in lines]
    return [{**event, "payload": {**event["payload"], "merchant_id": _renamed(event, name)}} for event in events]


def _renamed(event: Event, name: str) -> str:
    return str(uuid5(UUID(event["payload"]["merchant_id"]), name))


def outcome(stack: Stack, source: str, events: Sequence[Event]) -> Outcome:
    merchants = sorted({event["payload"]["merchant_id"] for event in events})
    stack.settle()
    return Outcome(
        source=source,
        events=events,
        accounts={merchant: stack.read(f"/credits/accounts/{merchant}") for merchant in merchants},
        ledgers={merchant: stack.ledger(merchant) for merchant in merchants},
        told=stack.told_about(*merchants),
    )


def stored(stack: Stack, events: Sequence[Event]) -> dict[str, Mapping[str, Any]]:
    return {
        merchant: stack.account_item(merchant) for merchant in {event["payload"]["merchant_id"] for event in events}
    }


@pytest.mark.parametrize("source", [GENERATED, FILE])
def test_heard_one_after_another_the_events_give_the_balances_of_an_independent_recount(
    flows: Stack, source: str
) -> None:
    events = events_of(source, number=IN_ORDER, name="in order")
    flows.tell(*events)

    came_of_it = outcome(flows, source, events)

    expected = in_sequence(events)
    assert came_of_it.balances() == {merchant: books.balance for merchant, books in expected.items()}
    shortfalls = {merchant: account["total_shortfall"] for merchant, account in came_of_it.accounts.items()}
    assert shortfalls == {merchant: books.shortfall for merchant, books in expected.items()}
    assert_sound(came_of_it)
    assert_told(came_of_it)
    # What happens in a file is the file's business; the story passes every threshold.
    assert source == FILE or {heard.subject for heard in came_of_it.told} >= THRESHOLD_EVENTS


@pytest.fixture(scope="module", params=[GENERATED, *([FILE] if FILE in os.environ else [])])
def shuffled(flows: Stack, request: pytest.FixtureRequest) -> Outcome:
    """Every message twice, in no order at all, half of them over NATS and half over the bus."""
    events = events_of(request.param, number=FREELY, name="freely")
    deliveries = [*events, *events]
    random.Random(SEED).shuffle(deliveries)  # noqa: S311 - a story, not a secret
    flows.deliver_freely(deliveries[::2], deliveries[1::2])
    return outcome(flows, request.param, events)


def test_in_no_order_and_delivered_twice_the_balance_is_the_recount_and_the_shortfall(shuffled: Outcome) -> None:
    assert shuffled.balances() == in_any_order(shuffled.events, shuffled.shortfalls())


def test_every_fact_is_recorded_once_without_gaps_in_a_chain_that_holds(shuffled: Outcome) -> None:
    assert_sound(shuffled)


def test_an_order_falls_short_of_exactly_what_the_account_did_not_have(shuffled: Outcome) -> None:
    orders = [row for rows in shuffled.ledgers.values() for row in rows if row["transaction_type"] == "ORDER_PAID"]
    # The file's shops never run out in their own order; in another they may, or not.
    assert shuffled.source == FILE or any(row["shortfall"] for row in orders)
    assert [row["shortfall"] for row in orders] == [max(0, CREDITS_PER_ORDER - row["balance_before"]) for row in orders]
    for merchant, account in shuffled.accounts.items():
        assert account["total_shortfall"] == sum(row["shortfall"] for row in shuffled.ledgers[merchant])


def test_nats_carries_every_event_that_the_ledger_implies_each_once_and_no_other(shuffled: Outcome) -> None:
    assert_told(shuffled)


def test_everything_on_nats_has_the_id_of_its_event_and_the_headers_of_cloudevents(shuffled: Outcome) -> None:
    for heard in shuffled.told:
        event = heard.event
        assert heard.headers == {
            "Nats-Msg-Id": event["event_id"],
            "ce-specversion": "1.0",
            "ce-id": event["event_id"],
            "ce-type": heard.subject,
            "ce-source": "credits",
            "ce-time": event["timestamp"],
            "ce-subject": event["payload"]["merchant_id"],
        }
        assert (event["event_type"], event["idempotency_key"]) == (heard.subject, event["event_id"])
    assert len({heard.event["event_id"] for heard in shuffled.told}) == len(shuffled.told)


def test_the_whole_story_again_changes_nothing_and_is_not_told_again(flows: Stack, shuffled: Outcome) -> None:
    before = stored(flows, shuffled.events)
    flows.publish(*shuffled.events)
    again = outcome(flows, shuffled.source, shuffled.events)
    assert stored(flows, shuffled.events) == before
    assert (again.accounts, again.ledgers, again.told) == (shuffled.accounts, shuffled.ledgers, shuffled.told)


def test_levels_and_a_grace_are_told_once_each_way_with_their_cause(flows: Stack) -> None:
    shop = str(uuid4())
    flows.tell(happened("evt.account.created", shop, credits_to_use=4))
    levels = [{"name": "few", "at": 2, "unit": "credits"}, {"name": "half", "at": 50, "unit": "percent"}]
    for own in ({"levels": levels}, {"grace": {"hours": 0, "credits": 3}}):
        flows.invoke("set_threshold", merchant_id=shop, admin_id="ada", **own)
    orders = [happened("evt.shopify.webhook.order_paid", shop, order_id=number) for number in range(1, 10)]
    payments = [
        happened("evt.billing.payment_succeeded", shop, payment_id=number, credits=paid)
        for number, paid in ((1, 1), (2, 40))
    ]

    # Two orders owe a credit each, one payment pays one of the two, and the other payment ends the grace.
    flows.tell(*orders[:6], *payments, *orders[6:])

    ledger = flows.ledger(shop)
    flows.settle()
    told = Counter(Announcement.heard(heard.event) for heard in flows.told_about(shop))
    assert told == implied(ledger, levels="few=2, half=50%", grace=(0, 3))
    types = Counter(one.event_type.removeprefix("evt.credits.") for one in told)
    assert (types["level_crossed"], types["grace_started"], types["grace_ended"]) == (6, 1, 1)


def assert_sound(came_of_it: Outcome) -> None:
    """Every fact stands in its merchant's ledger once, and ledger and account say the same."""
    recorded = [row["id"] for ledger in came_of_it.ledgers.values() for row in ledger]
    assert sorted(recorded) == sorted(distinct(came_of_it.events))
    for merchant, ledger in came_of_it.ledgers.items():
        account = came_of_it.accounts[merchant]
        assert broken_links_in_answers(ledger) == [], merchant
        assert [row["sequence"] for row in ledger] == list(range(1, len(ledger) + 1))
        assert all(row["balance_after"] == row["balance_before"] + row["amount"] >= 0 for row in ledger)
        newest = ledger[-1]
        assert (account["balance"], account["last_transaction_id"]) == (newest["balance_after"], newest["id"])


def assert_told(came_of_it: Outcome) -> None:
    """NATS carries each event that the ledgers imply, once, and nothing else."""
    expected = sum((implied(ledger) for ledger in came_of_it.ledgers.values()), Counter[Announcement]())
    assert Counter(Announcement.heard(heard.event) for heard in came_of_it.told) == expected

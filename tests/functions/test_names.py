"""One fact under many names, through the function that takes events in, and what histories and streams make of it."""

from typing import Any

import pytest

import app
from chalicelib.domain.ids import transaction_id
from tests.support.api import ADMIN, CREDITS_TABLE, TRANSACTIONS_TABLE, Api, Aws, Ledger
from tests.support.builders import SHOP, known_as, order, payment, trial
from tests.support.events import Context, adjusted, asking, batch, charged, opened, paid, refunded
from tests.support.system import System

RENEWED = "evt.subscription.renewed"


def renewed(key: str | None = None, **payload: Any) -> str:
    named = {"idempotency_key": key} if key else {}
    return asking(RENEWED, {"subscription_id": "sub_1", "credits_used": 10, **payload}, **named)


ONE_RENEWAL = [
    renewed(renewal_id="in_2", period_start="2026-11-01T00:00:00Z"),
    renewed(period_start="2026-11-01T00:00:00Z"),
    renewed("in_2"),
]
ONE_PURCHASE = [charged("cs_test_1", aliases=["in_1"]), charged("in_1")]


@pytest.mark.parametrize(
    ("messages", "balance"),
    [
        (ONE_RENEWAL, 110),
        ([ONE_RENEWAL[0], ONE_RENEWAL[2], ONE_RENEWAL[1]], 110),
        ([ONE_RENEWAL[1], ONE_RENEWAL[0], ONE_RENEWAL[2]], 110),
        (ONE_PURCHASE, 150),
        (ONE_PURCHASE[::-1], 150),
        ([paid("gid://shopify/Order/1", aliases=[1001]), paid(1001), paid(1)], 99),
        ([paid(1, aliases=["gid://shopify/Order/1001"]), refunded(1001), refunded(1)], 100),
        ([adjusted("DECREASE", 60, "a", aliases=["b"]), adjusted("DECREASE", 60, "b")], 40),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after another"])
def test_one_fact_named_in_many_ways_counts_once(
    system: System, messages: list[str], balance: int, together: bool
) -> None:
    system.ingest(opened())
    for step in [messages] if together else [[message] for message in messages]:
        system.configure()
        assert system.ingest(*step) == []

    assert system.balance() == balance
    assert len(system.history()) == 2 + (1 if balance == 100 else 0)
    assert system.parked() == []


def test_an_event_that_names_two_facts_is_parked_with_both_transactions(system: System) -> None:
    system.ingest(opened(), charged("a"), charged("b"))

    system.ingest(charged("c", aliases=["a", "b"]))

    [letter] = system.parked()
    assert letter.attributes["code"] == "names_two_facts"
    assert all(transaction_id(SHOP, f"BILLING_PAYMENT_{name}") in letter.attributes["reason"] for name in "ab")
    assert system.balance() == 200


@pytest.mark.parametrize("aliases", [None, [], [None, ""], ["p1", "p1"]])
def test_aliases_that_name_nothing_else_change_nothing(system: System, aliases: object) -> None:
    system.ingest(opened(), charged("p1", aliases=aliases))

    assert system.balance() == 150
    assert len(system.items(TRANSACTIONS_TABLE)) == 2


@pytest.mark.parametrize("aliases", [["a", "b", "c", "d", "e"], "in_1", [{}], ["x" * 65], [1.5]])
def test_aliases_that_are_no_ids_are_poison(system: System, aliases: object) -> None:
    system.ingest(opened(), charged("p1", aliases=aliases))

    [letter] = system.parked()
    assert (letter.attributes["code"], system.balance()) == ("field_invalid", 100)


def test_aliases_beside_several_orders_are_poison(system: System) -> None:
    system.ingest(opened(), paid(1, 2, aliases=[3]))

    [letter] = system.parked()
    assert letter.attributes["code"] == "order_ambiguous"


def test_each_order_of_several_may_have_aliases_of_its_own(system: System) -> None:
    orders = [{"order_id": 1, "aliases": [11]}, {"order_id": 2, "aliases": [12]}]
    system.ingest(opened(), asking("evt.shopify.webhook.order_paid", {"order_items": orders}))

    system.ingest(paid(11), paid(12))

    assert system.balance() == 98


def test_streams_know_no_guards(system: System) -> None:
    system.ingest(opened(), charged("p1", aliases=["p2", "p3"]), charged("p4"))
    system.ingest(charged("p4", aliases=["p5"]))
    transactions = system.stream(TRANSACTIONS_TABLE)
    assert len(transactions) == 6

    assert app.publish_transaction_events(batch(transactions), Context())["batchItemFailures"] == []

    said = [event["detail-type"] for event in system.heard()]
    assert sorted(said) == ["evt.credits.account.created", "evt.credits.recharged", "evt.credits.recharged"]
    assert system.parked("STREAM_DEAD_LETTER_QUEUE_URL") == []
    # A guard that a duplicate brings leaves the account alone.
    assert len(system.stream(CREDITS_TABLE)) == 1


def test_a_guard_is_no_transaction_to_who_reads_the_api(api: Api, ledger: Ledger, aws: Aws) -> None:
    ledger.post(trial(), known_as(order("1"), order("1001")), payment())
    route = "/credits/transactions/{transaction_id}"
    ids = {name: transaction_id(SHOP, f"SHOPIFY_ORDER_{name}") for name in ("1", "1001")}

    read = {name: api.get(route.format(transaction_id=one), route=route, token=ADMIN) for name, one in ids.items()}
    listed = api.get("/credits/transactions", token=ADMIN, parameters={"merchant_id": SHOP})
    found = [
        api.get("/credits/transactions", token=ADMIN, parameters={"merchant_id": SHOP, "order_id": name}).body["data"]
        for name in ids
    ]

    assert {name: answered.status for name, answered in read.items()} == {"1": 200, "1001": 404}
    assert [row["sequence"] for row in listed.body["data"]] == [3, 2, 1]
    assert found[0] == found[1] == [read["1"].body["data"]]

"""Events in, as the queue hands them over: applied once, parked with a reason, or back for another try."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid5

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.contracts.inbound import payloads
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Outcome
from chalicelib.environment import SettingError
from chalicelib.telemetry import flush_counted
from chalicelib.wiring import for_posting
from tests.support.api import CREDITS_TABLE, TRANSACTIONS_TABLE, Ledger
from tests.support.builders import NOON, SHOP, merchant, payment, trial
from tests.support.events import (
    adjusted,
    asking,
    charged,
    message_id_of,
    opened,
    paid,
    refunded,
    sqs_record,
)
from tests.support.fakes import FakeLedger, settle
from tests.support.system import Parked, System, lost_answer, refusal, seen

OTHER = merchant("other shop")
POISON = '{"event_type": "evt.billing.payment_succeeded", "payload": {"credits": "5"}, "twice": 1, "twice": 2}'


def codes(parked: list[Parked]) -> list[str]:
    return [message.attributes["code"] for message in parked]


def test_a_batch_of_messages_is_one_write_with_a_transaction_for_each_movement(system: System) -> None:
    assert system.ingest(opened(), paid(1, total="9.90"), charged("p1", 50), adjusted("DECREASE", 9)) == []

    assert [(one.idempotency_key, one.amount, one.balance_after) for one in system.history()] == [
        ("TRIAL_MERCHANT", 100, 100),
        ("SHOPIFY_ORDER_1", -1, 99),
        ("BILLING_PAYMENT_p1", 50, 149),
        ("MANUAL_ADJUSTMENT_a1", -9, 140),
    ]
    assert [transaction.transaction_id for transaction in system.history()] == [
        str(uuid5(UUID(SHOP), key)) for key in system.recorded()
    ]
    account = system.account()
    assert (account.balance, account.sequence, account.version) == (140, 4, 1)
    assert system.requests == ["BatchGetItem", "TransactWriteItems"]
    assert system.parked() == []


def test_a_redelivery_under_another_event_id_changes_nothing(system: System) -> None:
    def batch(delivery: str) -> list[str]:
        return [
            asking("evt.merchant.created", event_id=f"a{delivery}"),
            asking(
                "evt.shopify.webhook.order_paid", {"order_id": 1}, event_id=f"b{delivery}", idempotency_key=delivery
            ),
            asking("evt.shopify.webhook.order_refunded", {"order_id": 1}, timestamp=f"202{delivery}-01-01T00:00:00Z"),
            asking("evt.billing.payment_succeeded", {"payment_id": "p1", "credits": 50}, correlation_id=delivery),
        ]

    assert system.ingest(*batch("1")) == []
    before = system.everything()

    assert system.ingest(*batch("2")) == []
    system.configure()
    assert system.ingest(*batch("3"), *batch("4")) == []
    assert system.everything() == before
    assert system.parked() == []


def test_the_same_fact_twice_in_a_batch_counts_once(system: System) -> None:
    assert system.ingest(opened(), opened(), paid(5), paid("5"), paid(5, 6)) == []

    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_5", "SHOPIFY_ORDER_6"]
    assert system.balance() == 98


@pytest.mark.parametrize(
    ("first", "second"),
    [(opened(), asking("evt.account.created", {"credits_to_use": 7})), (paid(1), opened())],
    ids=["two trials", "an order before its account"],
)
def test_what_opens_an_account_opens_it_once_and_first(system: System, first: str, second: str) -> None:
    assert system.ingest(first, second) == []

    assert system.recorded()[0] == "TRIAL_MERCHANT"
    assert system.history()[0].amount == 100
    assert system.recorded().count("TRIAL_MERCHANT") == 1


def test_only_what_has_to_wait_comes_back(system: System) -> None:
    early = asking("evt.billing.payment_succeeded", {"merchant_id": OTHER, "payment_id": 1, "credits": 5})

    assert system.ingest(opened(), POISON, paid(1), early) == [message_id_of(early)]
    assert system.balance() == 99
    assert codes(system.parked()) == ["duplicate_field"]


def test_poison_is_parked_unchanged_with_its_reason_field_origin_and_time(system: System) -> None:
    body = json.dumps(
        {
            "detail-type": "evt.billing.payment_succeeded",
            "detail": {"merchant_id": SHOP, "payment_id": 1, "credits": 0},
        },
        indent=3,
    )
    first_ms = 1_748_779_200_123

    assert system.ingest(sqs_record(body, first_received_ms=first_ms)) == []
    assert system.parked() == [
        Parked(
            body=body,
            attributes={
                "code": "credits_invalid",
                "reason": "payload.credits: credits are a whole number from 1 to 1000000000",
                "field": "payload.credits",
                "origin": "bus",
                "first_seen": "2025-06-01T12:00:00.123Z",
            },
        )
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("no json", "not_json"),
        ('{"\\ud800": 1, "\\ud800": 2}', "duplicate_field"),
        ('{"' + "line\\n" * 20 + '": 1, "' + "line\\n" * 20 + '": 2}', "duplicate_field"),
        (asking("evt.unheard.of"), "unknown_event_type"),
        (adjusted("INCREASE", 5, reason="\ud800"), "field_invalid"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, "not_json"),
        (paid(*range(101)), "too_large"),
        (paid(1, 2, total=5).replace("order_items", "order_id"), "field_invalid"),
    ],
    ids=range(8),
)
def test_no_poison_keeps_its_neighbours_from_being_applied(system: System, body: str, code: str) -> None:
    assert system.ingest(opened(), body, paid(1)) == []

    assert system.balance() == 99
    [parked] = system.parked()
    assert (parked.body, parked.attributes["code"]) == (body, code)
    assert [line["code"] for line in system.lines() if line["message"] == "parked"] == [code]


def test_an_unforeseen_fault_in_one_message_holds_back_that_message_only(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(payloads.AccountCreated, "movements", broken)
    odd = asking("evt.account.created", {"merchant_id": OTHER, "credits_to_use": 5})

    assert system.ingest(opened(), odd, paid(1)) == [message_id_of(odd)]
    assert system.balance() == 99
    assert system.parked() == []


def test_of_five_orders_with_one_bad_nothing_is_applied_but_the_neighbours_are(system: System) -> None:
    five = json.loads(paid(1, 2, 3, 4, 5))
    five["payload"]["order_items"][3]["order_id"] = "4" * 65
    bad = json.dumps(five)

    assert system.ingest(opened(), paid(6), bad, paid(7)) == []
    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_6", "SHOPIFY_ORDER_7"]
    [parked] = system.parked()
    assert parked.body == bad
    assert parked.attributes["field"] == "payload.order_items.3.order_id"


def test_of_five_orders_with_one_that_lacks_its_total_nothing_is_applied(system: System) -> None:
    system.configure(ORDER_CREDIT_BASIS="total", ORDER_CREDIT_PERCENTAGE="10")
    five = json.loads(paid(1, 2, 3, 4, 5))
    for entry in five["payload"]["order_items"][:4]:
        entry["total"] = "50"

    assert system.ingest(opened(), json.dumps(five), paid(6, total="70")) == []
    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_6"]
    assert codes(system.parked()) == ["total_missing"]


def test_a_refund_of_an_amount_without_any_total_is_poison(system: System) -> None:
    assert system.ingest(opened(), paid(1), refunded(1, refund_amount="5"), paid(2)) == []

    assert system.balance() == 98
    [parked] = system.parked()
    assert (parked.attributes["code"], parked.attributes["field"]) == ("total_missing", "order_total")


def test_where_the_ledger_knows_another_content_the_first_stands_and_the_message_is_parked(system: System) -> None:
    system.configure(ORDER_CREDIT_BASIS="item", ORDER_CREDIT_FIXED_AMOUNT="1")
    system.ingest(opened(), paid(2))
    five = json.loads(paid(1, 2, 3))
    five["payload"]["order_items"].append({"order_id": 2})
    conflict = json.dumps(five)

    assert system.ingest(conflict, charged("p1", 50)) == []
    assert system.recorded() == [
        "TRIAL_MERCHANT",
        "SHOPIFY_ORDER_2",
        "SHOPIFY_ORDER_1",
        "SHOPIFY_ORDER_3",
        "BILLING_PAYMENT_p1",
    ]
    [parked] = system.parked()
    assert (parked.body, parked.attributes["code"]) == (conflict, "key_reused")
    assert "SHOPIFY_ORDER_2" in parked.attributes["reason"]
    assert str(uuid5(UUID(SHOP), "SHOPIFY_ORDER_2")) in parked.attributes["reason"]

    before = system.everything()
    assert system.ingest(conflict) == []
    assert system.everything() == before
    assert codes(system.parked()) == ["key_reused"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (charged("p1", 50), charged("p1", 51)),
        (adjusted("INCREASE", 5), adjusted("DECREASE", 5)),
        (refunded(1, refund_id="r1"), refunded(1, refund_id="r1", refund_amount="5", order_total="10")),
        (refunded(1, refund_id="r1"), refunded(2, refund_id="r1")),
        (
            refunded(1, refund_id="r1", refund_amount="1", order_total="10"),
            refunded(1, refund_id="r2", refund_amount="1", order_total="11"),
        ),
        (
            asking("evt.subscription.renewed", {"subscription_id": 1, "renewal_id": 1, "credits": 5}),
            asking("evt.subscription.renewed", {"subscription_id": 1, "renewal_id": 1, "credits": 6}),
        ),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_key_with_another_content_is_a_conflict_and_the_first_stands(
    system: System, first: str, second: str, together: bool
) -> None:
    system.ingest(opened(), paid(1), paid(2))
    for batch in [[first, second]] if together else [[first], [second]]:
        assert system.ingest(*batch) == []

    assert len(system.history()) == 4
    assert [(parked.body, parked.attributes["code"]) for parked in system.parked()] == [(second, "key_reused")]


@pytest.mark.parametrize(
    "again",
    [
        asking("evt.account.created", {"credits_to_use": 7}),
        adjusted("INCREASE", 5, reason="another", admin_id="another"),
        refunded(1, refund_id="r1", currency="USD", refund_amount="1.00", order_total=10),
        charged("p1", 50, currency="USD", unknown=1),
        asking("evt.order.updated", {"order_id": 1}),
    ],
)
def test_what_is_not_content_makes_no_conflict(system: System, again: str) -> None:
    first = [opened(), paid(1), charged("p1", 50), adjusted("INCREASE", 5, reason="one", admin_id="x")]
    system.ingest(*first, refunded(1, refund_id="r1", refund_amount="1", order_total="10"))
    before = system.everything()

    assert system.ingest(again) == []
    assert (system.everything(), system.parked()) == (before, [])


@pytest.mark.parametrize("updated_first", [True, False])
def test_an_update_of_an_order_that_would_cost_otherwise_is_a_duplicate_and_is_said(
    system: System, updated_first: bool
) -> None:
    system.configure(ORDER_CREDIT_BASIS="item")
    update = asking("evt.order.updated", {"order_id": 1, "order_items": [{}, {}]})
    first, second = (update, paid(1)) if updated_first else (paid(1), update)

    assert system.ingest(opened(), first) == []
    assert system.ingest(second) == []
    assert len(system.history()) == 2
    assert system.parked() == []
    [line] = [line for line in system.lines() if line["message"] == "order_changed"]
    assert (line["merchant_id"], line["key"]) == (SHOP, "SHOPIFY_ORDER_1")


def test_another_policy_makes_no_old_delivery_a_conflict(system: System) -> None:
    system.ingest(opened(), paid(1), paid(2, total="90"))
    before = system.everything()

    for settings in (
        {"ORDER_CREDIT_FIXED_AMOUNT": "7"},
        {"ORDER_CREDIT_DIRECTION": "INCREASE"},
        {"ORDER_CREDIT_BASIS": "total", "ORDER_CREDIT_PERCENTAGE": "50"},
    ):
        system.configure(**settings)
        assert system.ingest(paid(1), paid(2, total="90")) == []
    assert (system.everything(), system.parked()) == (before, [])


@pytest.mark.parametrize(
    ("deliveries", "seconds_ago", "delay"),
    [(1, 0, 1), (2, 1, 2), (3, 3, 4), (6, 27, 32), (20, -1, 60)],
)
def test_a_missing_ground_is_waited_for_with_a_growing_delay(
    system: System, deliveries: int, seconds_ago: float, delay: int
) -> None:
    system.configure(GROUND_RETRY_SECONDS_MAX="60")
    early = seen(paid(1), deliveries=deliveries, seconds_ago=seconds_ago)

    assert system.ingest(early) == [message_id_of(paid(1))]
    assert system.delays() == [delay]
    assert system.parked() == []


def test_the_waits_for_a_missing_ground_are_settings(system: System) -> None:
    system.configure(GROUND_RETRY_SECONDS_MIN="3", GROUND_RETRY_SECONDS_MAX="5", GROUND_RETRY_SECONDS_TOTAL="8")
    for deliveries in (1, 2, 9):
        system.ingest(seen(paid(1), deliveries=deliveries, seconds_ago=7))
    assert system.delays() == [3, 5, 5]

    assert system.ingest(seen(paid(1), deliveries=10, seconds_ago=8.1)) == []
    [parked] = system.parked()
    assert parked.attributes["reason"].endswith("and did not come within 8 seconds")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [(paid(1), "account_missing", "merchant_id"), (refunded(1), "order_missing", "order_id")],
)
def test_a_ground_that_never_came_parks_the_message(system: System, body: str, code: str, field: str) -> None:
    if code == "order_missing":
        system.ingest(opened())

    assert system.ingest(seen(body, deliveries=14, seconds_ago=3601)) == []
    [parked] = system.parked()
    assert (parked.body, parked.attributes["code"], parked.attributes["field"]) == (body, code, field)
    assert parked.attributes["reason"].endswith("and did not come within 3600 seconds")


def test_what_waited_is_applied_when_its_ground_has_come(system: System) -> None:
    for body in (refunded(1), paid(1)):
        assert system.ingest(body) == [message_id_of(body)]
    assert system.ingest(opened()) == []
    assert system.ingest(seen(refunded(1), deliveries=2)) == [message_id_of(refunded(1))]
    assert system.ingest(seen(paid(1), deliveries=2)) == []
    assert system.ingest(seen(refunded(1), deliveries=3)) == []

    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1", "SHOPIFY_REFUND_ORDER_1"]
    assert system.balance() == 100
    assert system.parked() == []


def test_refunds_whose_grounds_are_partly_there_are_applied_as_far_as_they_can_be(system: System) -> None:
    system.ingest(opened(), paid(1))
    both = asking("evt.shopify.webhook.order_refunded", {"refunds": [{"order_id": 1}, {"order_id": 2}]})

    assert system.ingest(both) == [message_id_of(both)]
    assert system.ingest(paid(2), seen(both, deliveries=2)) == []
    assert system.balance() == 100
    assert len(system.history()) == 5


@dataclass
class FakePosting:
    """Posting that answers what it is told to, whatever it is asked."""

    outcomes: list[Outcome]

    def post(self, requests: Sequence[Sequence[Movement]], *, time: object) -> list[list[Outcome]]:
        del time
        return [self.outcomes for _ in requests]

    def take_lost_races(self) -> int:
        return 0


def test_an_outage_beside_a_ground_that_never_came_parks_nothing(system: System) -> None:
    # So it is with more refunds than one write takes: the first write tells that an order is missing, the next fails.
    missing, failed = RetryLater(Code.ORDER_MISSING, "no order"), RetryLater(Code.UNAVAILABLE, "no answer")
    body = asking("evt.shopify.webhook.order_refunded", {"refunds": [{"order_id": 1}, {"order_id": 2}]})

    for outcomes in ([missing, failed], [failed, missing]):
        fake = FakePosting(list(outcomes))
        system.monkeypatch.setattr(for_posting, "posting", cache(lambda fake=fake: fake))
        assert system.ingest(seen(body, seconds_ago=4000, deliveries=9)) == [message_id_of(body)]

    assert system.parked() == []


def test_a_conflict_beside_a_missing_ground_is_parked_when_all_else_has_gone_through(system: System) -> None:
    system.ingest(opened(), paid(1), refunded(1, refund_id="r1"))
    part = {"order_id": 1, "refund_id": "r1", "refund_amount": "1", "order_total": "2"}
    both = asking("evt.shopify.webhook.order_refunded", {"refunds": [part, {"order_id": 2}]})

    assert system.ingest(both) == [message_id_of(both)]
    assert system.parked() == []
    assert system.ingest(paid(2), seen(both, deliveries=2)) == []
    assert system.recorded()[-2:] == ["SHOPIFY_ORDER_2", "SHOPIFY_REFUND_ORDER_2"]
    assert codes(system.parked()) == ["key_reused"]


def test_a_message_is_hidden_in_the_inbox_for_as_long_as_it_waits(system: System) -> None:
    for order in range(12):
        system.sqs.send_message(QueueUrl=system.urls["INBOX_QUEUE_URL"], MessageBody=paid(order))
    records = system.in_inbox()

    assert sorted(system.ingest(*records)) == sorted(record["messageId"] for record in records)
    assert system.requests.count("ChangeMessageVisibilityBatch") == 2
    assert system.delays() == [1] * 12
    assert system.in_inbox() == []


OUTAGES = [
    refusal("any"),
    refusal("any", "InternalServerError", 500),
    refusal("any", "ProvisionedThroughputExceededException"),
    EndpointConnectionError(endpoint_url="https://aws"),
]


@pytest.mark.parametrize("outage", OUTAGES, ids=["throttled", "failed", "over capacity", "out of reach"])
@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
@pytest.mark.parametrize("deliveries", [1, 900])
def test_an_outage_of_the_ledger_never_parks_a_message(
    system: System, operation: str, outage: Exception, deliveries: int
) -> None:
    system.fail(operation, *[outage] * 30)
    waiting = seen(opened(), deliveries=deliveries, seconds_ago=10 * 86_400 if deliveries > 1 else 0)

    assert system.ingest(waiting) == [message_id_of(opened())]
    assert system.parked() == []
    assert system.delays() == [1 if deliveries == 1 else 900]

    system.faults.clear()
    assert system.ingest(waiting) == []
    assert system.balance() == 100


def test_poison_is_parked_during_an_outage_too(system: System) -> None:
    system.fail("BatchGetItem", refusal("BatchGetItem"))

    assert system.ingest(POISON, opened()) == [message_id_of(opened())]
    assert codes(system.parked()) == ["duplicate_field"]


def test_an_outage_for_one_merchant_is_not_its_neighbours(system: System) -> None:
    others = opened(OTHER)
    system.fail("TransactWriteItems", *[refusal("TransactWriteItems")] * 20)

    assert system.ingest(others, opened()) == [message_id_of(others)]
    assert system.balance() == 100


def test_a_short_outage_is_waited_out_within_the_call(system: System) -> None:
    system.fail("TransactWriteItems", *[refusal("TransactWriteItems")] * 5)

    assert system.ingest(opened()) == []
    assert system.balance() == 100
    assert len(system.waits) == 5


def test_a_write_whose_answer_was_lost_counts_once(system: System) -> None:
    system.fail("TransactWriteItems", lost_answer)

    assert system.ingest(opened(), paid(1)) == []
    assert (system.balance(), len(system.history())) == (99, 2)
    assert system.lines()[-1]["posted"] == 2


def test_a_bug_in_posting_brings_that_merchants_messages_back_and_is_reported(system: System) -> None:
    odd = opened(OTHER)
    system.fail("TransactWriteItems", ZeroDivisionError("by zero"))

    assert system.ingest(odd, opened()) == [message_id_of(odd)]
    assert system.balance() == 100
    assert system.parked() == []
    [line] = [line for line in system.lines() if line["message"].startswith("posting failed")]
    assert line["exception_name"] == "ZeroDivisionError"


def test_a_rejected_message_comes_back_when_it_could_not_be_parked(system: System) -> None:
    system.fail("SendMessage", refusal("SendMessage", "ServiceUnavailable", 503))
    second = POISON + " "

    assert system.ingest(POISON, opened(), second) == [message_id_of(POISON)]
    assert system.balance() == 100
    assert [parked.body for parked in system.parked()] == [second]


def test_a_message_comes_back_also_when_its_delay_was_not_taken(system: System) -> None:
    system.fail("ChangeMessageVisibilityBatch", EndpointConnectionError(endpoint_url="https://aws"))

    assert system.ingest(paid(1), POISON) == [message_id_of(paid(1))]
    assert codes(system.parked()) == ["duplicate_field"]


@pytest.mark.parametrize(
    "name", ["CREDITS_TABLE", "TRANSACTIONS_TABLE", "DEAD_LETTER_QUEUE_URL", "INBOX_QUEUE_URL", "WAITING_QUEUE_URL"]
)
def test_a_missing_setting_is_said_at_the_first_call_before_anything_is_applied(system: System, name: str) -> None:
    system.unset(name)

    with pytest.raises(SettingError, match=f"^{name} is not set"):
        system.ingest(opened())
    assert system.everything() == [[], []]


@pytest.mark.parametrize("name", ["CREDITS_TABLE", "TRANSACTIONS_TABLE"])
def test_a_missing_setting_is_said_before_poison_is_parked_again_and_again(system: System, name: str) -> None:
    system.unset(name)

    with pytest.raises(SettingError, match=f"^{name} is not set"):
        system.ingest(POISON)
    assert system.parked() == []


def test_a_bad_setting_is_said_at_the_first_call(system: System) -> None:
    system.configure(ORDER_CREDIT_BASIS="weight")

    with pytest.raises(SettingError, match="ORDER_CREDIT_BASIS"):
        system.ingest(opened())


def amounts(system: System) -> list[tuple[int, int, int]]:
    return [(transaction.amount, transaction.requested, transaction.shortfall) for transaction in system.history()]


def test_orders_cost_a_fixed_amount_and_a_refund_in_parts_gives_back_at_its_end(system: System) -> None:
    system.ingest(opened(), paid(1, total="10"))
    for refund_id in ("r1", "r2", "r3"):
        assert system.ingest(refunded(1, refund_id=refund_id, refund_amount="5")) == []

    assert amounts(system) == [(100, 100, 0), (-1, 1, 0), (0, 0, 0), (1, 1, 0), (0, 0, 0)]


def test_orders_cost_by_item_and_refunds_in_parts_never_give_back_more_than_was_taken(system: System) -> None:
    system.configure(ORDER_CREDIT_BASIS="item", ORDER_CREDIT_FIXED_AMOUNT="3")
    system.ingest(opened(), paid(1, 1, 1))
    parts: list[dict[str, Any]] = [{"refund_id": n, "refund_amount": "2.50", "order_total": "10"} for n in (1, 2)]
    for part in [*parts, {"refund_id": 3}, {"refund_id": 4}]:
        assert system.ingest(refunded(1, **part)) == []

    assert amounts(system) == [(100, 100, 0), (-9, 9, 0), (2, 2, 0), (2, 2, 0), (5, 5, 0), (0, 0, 0)]
    assert system.balance() == 100


@pytest.mark.parametrize(
    ("total", "settings", "cost"),
    [
        ("199.90", {"ORDER_CREDIT_PERCENTAGE": "10"}, 20),
        ("194.90", {"ORDER_CREDIT_PERCENTAGE": "10"}, 19),
        ("195", {"ORDER_CREDIT_PERCENTAGE": "10"}, 20),
        ("1", {"ORDER_CREDIT_PERCENTAGE": "10"}, 1),
        ("1", {"ORDER_CREDIT_PERCENTAGE": "10", "ORDER_CREDIT_MINIMUM": "4"}, 4),
        ("0", {"ORDER_CREDIT_PERCENTAGE": "10", "ORDER_CREDIT_FIXED_AMOUNT": "0"}, 0),
    ],
)
def test_orders_cost_by_total(system: System, total: str, settings: dict[str, str], cost: int) -> None:
    system.configure(ORDER_CREDIT_BASIS="total", **settings)

    assert system.ingest(opened(), paid(1, total=total)) == []
    assert amounts(system)[1] == (-cost, cost, 0)


def test_a_refund_in_parts_of_an_order_by_total_counts_on_the_recorded_total(system: System) -> None:
    system.configure(ORDER_CREDIT_BASIS="total", ORDER_CREDIT_PERCENTAGE="10")
    system.ingest(opened(), paid(1, total="199.90"))

    assert system.ingest(refunded(1, refund_id=1, refund_amount="50"), refunded(1, refund_id=2)) == []
    assert amounts(system)[1:] == [(-20, 20, 0), (5, 5, 0), (15, 15, 0)]


def test_orders_that_earn_credits_are_taken_back_as_far_as_there_are_any(system: System) -> None:
    system.configure(ORDER_CREDIT_DIRECTION="INCREASE", ORDER_CREDIT_FIXED_AMOUNT="10", TRIAL_CREDITS="5")
    system.ingest(opened(), paid(1, total="10"), adjusted("DECREASE", 12))
    assert system.ingest(refunded(1, refund_id="r1", refund_amount="4")) == []
    assert system.ingest(refunded(1, refund_id="r2")) == []

    assert amounts(system) == [(5, 5, 0), (10, 10, 0), (-12, 12, 0), (-3, 4, 1), (0, 6, 6)]
    assert (system.balance(), system.account().total_shortfall) == (0, 7)


def test_an_order_takes_what_is_left_and_records_the_rest(system: System) -> None:
    system.configure(TRIAL_CREDITS="5", ORDER_CREDIT_FIXED_AMOUNT="3")

    assert system.ingest(opened(), paid(1), paid(2), paid(3), refunded(2)) == []
    assert amounts(system) == [(5, 5, 0), (-3, 3, 0), (-2, 3, 1), (0, 3, 3), (2, 2, 0)]


def test_a_decrease_below_zero_is_parked_and_changes_nothing(system: System) -> None:
    system.ingest(opened())
    before = system.everything()

    assert system.ingest(adjusted("DECREASE", 101)) == []
    assert codes(system.parked()) == ["insufficient_credits"]
    assert system.everything() == before


@pytest.mark.slow
def test_a_hundred_orders_of_a_hundred_merchants_make_few_requests(system: System) -> None:
    merchants = [merchant(f"shop {place}") for place in range(100)]
    written = FakeLedger()
    for one in merchants:
        settle(written, [trial(of=one)], now=NOON)
    Ledger(system.dynamodb).copy(written)

    orders = [asking("evt.shopify.webhook.order_paid", {"merchant_id": one, "order_id": 1}) for one in merchants]
    assert system.ingest(*orders) == []
    assert sorted(set(system.requests)) == ["BatchGetItem", "TransactWriteItems"]
    assert len(system.requests) <= 102
    assert {item["merchant_id"]["S"]: item["balance"]["N"] for item in system.items(CREDITS_TABLE)} == dict.fromkeys(
        merchants, "99"
    )


def test_ninety_orders_of_one_merchant_make_few_requests(system: System) -> None:
    system.ingest(opened())
    system.configure()
    system.requests.clear()

    assert system.ingest(*[paid(order) for order in range(90)]) == []
    assert len(system.requests) <= 3
    assert system.balance() == 10


def test_a_message_of_a_hundred_orders_is_applied_whole(system: System) -> None:
    assert system.ingest(opened(), paid(*range(100))) == []

    assert (system.balance(), len(system.history())) == (0, 101)
    assert [transaction.sequence for transaction in system.history()] == list(range(1, 102))


def test_a_call_is_one_line_with_what_became_of_its_messages_and_counters(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.configure(TRIAL_CREDITS="3", ORDER_CREDIT_FIXED_AMOUNT="2")
    capsys.readouterr()
    system.ingest(
        opened(), paid(1), paid(1), paid(2), POISON, opened(OTHER), charged("p1", 5, merchant_id=merchant("x"))
    )

    last = system.lines()[-1]
    assert {name: last[name] for name in ("message", "messages", "posted", "duplicates", "parked", "coming_back")} == {
        "message": "ingested",
        "messages": 7,
        "posted": 4,
        "duplicates": 1,
        "parked": 1,
        "coming_back": 1,
    }
    flush_counted()
    counted = counters(capsys.readouterr().out)
    assert 0 < counted.pop(("credits_transaction_processing_seconds",)) < 10
    assert counted == {
        ("credits_duplicates_total",): 1,
        ("credits_messages_parked_total", "duplicate_field"): 1,
    }


def test_a_lost_race_is_no_conflict_but_a_key_that_comes_with_other_content_is(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.ingest(opened(), charged("p1", 5))
    Ledger(system.dynamodb).post(payment("p2"), at=datetime.now(UTC))
    capsys.readouterr()

    system.ingest(paid(1), charged("p1", 6))

    flush_counted()
    counted = counters(capsys.readouterr().out)
    assert system.lines()[-1]["posted"] == 1
    assert counted["credits_lost_races_total",] == 1
    assert counted["credits_conflicts_total",] == counted["credits_messages_parked_total", "key_reused"] == 1


def counters(printed: str) -> dict[tuple[str, ...], float]:
    """Return the counters of CloudWatch's embedded format, by name and labels."""
    found = {}
    for line in printed.splitlines():
        entry = json.loads(line)
        [metric] = entry["_aws"]["CloudWatchMetrics"]
        [name], [labels] = [each["Name"] for each in metric["Metrics"]], metric["Dimensions"] or [[]]
        found[name, *(entry[label] for label in labels if label != "service")] = sum(entry[name])
    return found


CANARY = "canary@example.org"


def marked(body: str) -> str:
    """Return the body with a canary in every place that holds nothing of ours."""
    event = json.loads(body)
    event |= {"metadata": {"email": CANARY}, "customer": CANARY, "tags": [CANARY]}
    event["payload"] |= {
        "email": CANARY,
        "customer": {"name": CANARY, CANARY: CANARY},
        "note": CANARY,
        "identifiers": {"merchant_id": event["payload"]["merchant_id"], "email": CANARY},
    }
    for entries in ("order_items", "refunds"):
        for entry in event["payload"].get(entries, []):
            entry |= {"title": CANARY, "address": {"street": CANARY}}
    return json.dumps(event)


def test_what_is_personal_is_in_no_table_no_queue_and_no_line(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    applied = [
        opened(),
        asking("evt.account.created", {"merchant_id": OTHER, "trial_id": "t1", "credits_to_use": 5}),
        paid(1, 2, currency="EUR"),
        paid(3, total="5"),
        asking("evt.order.updated", {"order_id": 3, "total": "5"}),
        asking("evt.shopify.webhook.order_refunded", {"refunds": [{"order_id": 1}, {"order_id": 2, "refund_id": 2}]}),
        charged(),
        asking("evt.subscription.renewed", {"subscription_id": 1, "renewal_id": 1, "credits": 5}),
        adjusted("INCREASE", 5, reason="goodwill", admin_id="admin-7"),
        # What cannot be read of these is dropped, and named by its field alone.
        asking(
            "evt.shopify.webhook.order_paid", {"order_id": 5, "currency": CANARY, "total": CANARY}, timestamp=CANARY
        ),
    ]
    in_detail = json.dumps({"detail-type": "evt.order.updated", "detail": json.loads(marked(paid(4)))["payload"]})
    assert system.ingest(*map(marked, applied), in_detail) == []
    waiting = marked(refunded(77))
    assert system.ingest(waiting) == [message_id_of(waiting)]

    assert (len(system.history()), len(system.history(OTHER))) == (11, 1)
    assert system.parked() == []
    captured = capsys.readouterr()
    stored = json.dumps([system.items(CREDITS_TABLE), system.items(TRANSACTIONS_TABLE)])
    for place in (stored, system.log.getvalue(), captured.out, captured.err):
        assert CANARY not in place


@pytest.mark.parametrize(
    ("event_type", "payload", "envelope"),
    [
        (CANARY, {}, {}),
        ("evt.billing.payment_succeeded", {"payment_id": CANARY * 9, "credits": 5}, {}),
        ("evt.billing.payment_succeeded", {"payment_id": "p1", "credits": CANARY}, {}),
        ("evt.billing.payment_succeeded", {"merchant_id": CANARY, "payment_id": "p1", "credits": 5}, {}),
        ("evt.credits.manual_adjustment", {"adjustment_id": 1, "operation_type": CANARY, "credits": 5}, {}),
        ("evt.shopify.webhook.order_paid", {"order_id": 1, "order_items": [CANARY]}, {}),
        ("evt.shopify.webhook.order_paid", {"order_items": {CANARY: 1}}, {}),
        ("evt.shopify.webhook.order_paid", {"order_id": {CANARY: CANARY}}, {}),
        ("evt.billing.payment_succeeded", {"payment_id": "p1", "credits": {CANARY: 1}}, {}),
    ],
)
def test_why_a_message_is_poison_is_said_without_its_values(
    system: System,
    capsys: pytest.CaptureFixture[str],
    event_type: str,
    payload: dict[str, Any],
    envelope: dict[str, Any],
) -> None:
    assert system.ingest(asking(event_type, payload, **envelope)) == []

    [parked] = system.parked()
    captured = capsys.readouterr()
    assert CANARY in parked.body
    for place in (*parked.attributes.values(), system.log.getvalue(), captured.out, captured.err):
        assert CANARY not in place


def test_a_name_of_the_senders_own_is_neither_logged_nor_a_reason(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    body = asking("evt.shopify.webhook.order_paid", {"order_id": 1, "customers": {CANARY: 1, "x": 2}})
    assert system.ingest(opened(), body.replace('"x"', json.dumps(CANARY))) == []

    [parked] = system.parked()
    captured = capsys.readouterr()
    assert parked.attributes["code"] == "duplicate_field"
    for place in (*parked.attributes.values(), system.log.getvalue(), captured.out, captured.err):
        assert CANARY not in place


@pytest.mark.parametrize("chained", [False, True])
def test_a_bug_that_quotes_a_message_is_logged_without_the_quotation(
    system: System, monkeypatch: pytest.MonkeyPatch, chained: bool
) -> None:
    def read_event(*_: Any, **_named: Any) -> Any:
        if chained:
            raise ValueError(CANARY) from KeyError(CANARY)
        raise KeyError(CANARY)

    monkeypatch.setattr("chalicelib.handlers.batch.read_event", read_event)

    system.ingest(opened())

    [line] = [line for line in system.lines() if "exception" in line]
    assert line["exception_name"] == ("ValueError" if chained else "KeyError")
    assert "in read_event" in line["exception"]
    assert CANARY not in system.log.getvalue()

"""Orders that are ignored by rule, refunds in another currency, periods that come again: the ends of their messages."""

import json
from typing import Any

import pytest

from chalicelib.telemetry import sample
from tests.support.builders import SHOP, merchant
from tests.support.events import asking, opened, paid, refunded, sqs_record
from tests.support.system import System, seen

RENEWED = "evt.subscription.renewed"
EUR = {"total": "100.00", "currency": "EUR"}


def codes(system: System) -> list[str]:
    return [letter.attributes["code"] for letter in system.parked()]


def test_an_ignored_order_is_acknowledged_and_nothing_is_written(system: System) -> None:
    system.ingest(opened())
    before = system.everything()

    assert system.ingest(paid(1, financial_status="pending"), paid(2, test=True)) == []

    assert system.everything() == before
    assert system.parked() == []
    ignored = [line for line in system.lines() if line["message"] == "ignored"]
    assert [(line["reason"], line["merchant_id"], line["reference_id"]) for line in ignored] == [
        ("order_not_paid", SHOP, "1"),
        ("test_order", SHOP, "2"),
    ]
    assert system.lines()[-1]["ignored"] == 2


def test_what_is_ignored_waits_for_no_account(system: System) -> None:
    assert system.ingest(paid(1, test=True)) == []
    assert system.everything() == [[], []]


def test_of_several_orders_only_the_paid_ones_are_charged(system: System) -> None:
    orders = [{"order_id": 1}, {"order_id": 2, "financial_status": "voided"}, {"order_id": 3, "test": True}]

    assert system.ingest(opened(), asking("evt.shopify.webhook.order_paid", {"order_items": orders})) == []
    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1"]


def test_an_order_that_was_ignored_is_charged_once_it_is_paid(system: System) -> None:
    updated = [
        asking("evt.order.updated", {"order_id": 1, "financial_status": status})
        for status in ("pending", "authorized", "paid", "partially_refunded")
    ]

    assert system.ingest(opened(), *updated) == []
    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1"]


def test_test_orders_count_where_the_setting_says_so(system: System) -> None:
    system.configure(TEST_ORDERS="count")

    assert system.ingest(opened(), paid(1, test=True), paid(2, test=True, financial_status="pending")) == []
    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1"]


def test_what_is_ignored_or_dropped_is_counted_once_however_often_its_message_comes_back(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, float]] = []
    monkeypatch.setattr("chalicelib.handlers.batch.add_up", lambda name, times: kept.append({name: times}))
    orders = [{"order_id": 1}, {"order_id": 2, "test": True}]
    message = asking("evt.shopify.webhook.order_paid", {"order_items": orders}, event_id=["bad"])

    def total(name: str, **labels: str) -> float:
        return sum(each.get(sample(name, labels), 0) for each in kept)

    for deliveries in (1, 2, 3):
        assert len(system.ingest(seen(message, deliveries=deliveries))) == 1
    assert total("credits_events_ignored_total", reason="test_order") == 0
    assert system.ingest(opened(), seen(message, deliveries=4)) == []

    assert total("credits_events_ignored_total", reason="test_order") == 1
    assert total("credits_fields_dropped_total", field="event_id") == 1
    assert system.lines()[-1]["dropped"] == {"event_id": 1}


def test_poison_ignores_nothing(system: System) -> None:
    orders = [{"order_id": 1, "test": True}, {"total": "5"}]
    system.ingest(opened(), asking("evt.shopify.webhook.order_paid", {"order_items": orders}))

    assert codes(system) == ["field_missing"]
    assert not any(line["message"] == "ignored" for line in system.lines())


@pytest.mark.parametrize(
    ("sold", "returned", "parked"),
    [
        ("EUR", "JPY", ["currency_mismatch"]),
        ("EUR", "eur", []),
        ("usd", "USD", []),
        ("eur", "usd", ["currency_mismatch"]),
        (None, "JPY", []),
        ("EUR", None, []),
        ("EUR", "EURO", []),
        ("", "JPY", []),
    ],
)
def test_two_currencies_do_not_divide(system: System, sold: Any, returned: Any, parked: list[str]) -> None:
    system.ingest(opened(), paid(1, total="100.00", currency=sold))

    assert system.ingest(refunded(1, refund_id=9, refund_amount="100", currency=returned)) == []
    assert codes(system) == parked
    assert len(system.recorded()) == (2 if parked else 3)


def test_the_reason_names_both_currencies_and_the_letter_may_be_put_back(system: System) -> None:
    system.ingest(opened(), paid(1, **EUR))
    body = refunded(1, refund_id=9, currency="JPY")
    for _ in range(2):
        assert system.ingest(body) == []
        [letter] = system.parked()
        assert letter.attributes["field"] == "currency"
        assert letter.attributes["reason"] == "order 1 was sold in EUR, and its refund is in JPY"
    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1"]


@pytest.mark.parametrize("together", [True, False])
def test_a_refund_in_another_currency_leaves_its_neighbours_applied(system: System, together: bool) -> None:
    """Only the ledger finds it, as it finds a reused key (contract, section 4), whenever its order comes."""
    refunds = [{"order_id": 1, "refund_id": 8}, {"order_id": 2, "refund_id": 9}]
    both = asking("evt.shopify.webhook.order_refunded", {"refunds": refunds, "currency": "JPY"})
    orders = [paid(1, total="5", currency="JPY"), paid(2, **EUR)]
    if together:
        system.ingest(opened(), *orders, both)
    else:
        system.ingest(opened(), *orders)
        system.ingest(both)

    assert codes(system) == ["currency_mismatch"]
    assert system.recorded()[-1] == "SHOPIFY_REFUND_8"
    assert system.balance() == 99


def test_what_is_impossible_in_any_currency_is_poison(system: System) -> None:
    refunds = [{"order_id": 1, "refund_id": 8}, {"order_id": 2, "refund_id": 9, "refund_amount": "5"}]
    body = asking("evt.shopify.webhook.order_refunded", {"refunds": refunds, "currency": "JPY"})
    system.ingest(opened(), paid(1, currency="JPY"), paid(2, currency="EUR"))

    system.ingest(body)

    assert codes(system) == ["total_missing"]
    assert len(system.recorded()) == 3


def test_the_currency_of_an_order_is_that_of_its_transaction(system: System) -> None:
    """A repeat that names one changes nothing of the transaction, so nothing is known by it: as before."""
    system.ingest(opened(), paid(1, total="100.00"))
    system.ingest(paid(1, **EUR), refunded(1, refund_id=9, refund_amount="100", currency="JPY"))

    assert codes(system) == []
    assert system.balance() == 100


def renewed(timestamp: str, **more: Any) -> str:
    payload = {"subscription_id": "s", "period_start": 1_793_491_200, "credits_used": 10, **more}
    return asking(RENEWED, payload, timestamp=timestamp)


@pytest.mark.parametrize(
    ("days", "again", "parked"),
    [
        ("20", "2025-06-21T00:00:00Z", []),
        ("20", "2025-06-21T00:00:00.001Z", ["period_repeated"]),
        ("20", "2025-05-01T00:00:00Z", []),
        ("20", "", []),
        ("20", "2100-01-01T00:00:00Z", ["period_repeated"]),
        ("0", "2025-06-01T00:00:01Z", ["period_repeated"]),
        ("40", "2025-07-01T00:00:00Z", []),
    ],
)
def test_a_period_that_comes_again_too_late_is_never_swallowed(
    system: System, days: str, again: str, parked: list[str]
) -> None:
    system.configure(RENEWAL_REPEAT_DAYS=days)
    system.ingest(opened(), renewed("2025-06-01T00:00:00Z"))

    assert system.ingest(renewed(again)) == []
    letters = system.parked()
    assert [letter.attributes["code"] for letter in letters] == parked
    if letters:
        assert "2025-06-01T00:00:00.000Z" in letters[0].attributes["reason"]
    assert system.balance() == 110


def test_a_time_too_far_ahead_is_no_time_so_its_own_repeat_is_a_duplicate(system: System) -> None:
    for _ in range(2):
        assert system.ingest(opened(), renewed("2100-01-01T00:00:00Z")) == []
    assert codes(system) == []
    assert system.balance() == 110


def test_a_repeat_with_other_credits_is_a_conflict_whenever_it_comes(system: System) -> None:
    system.ingest(opened(), renewed("2025-06-01T00:00:00Z"))
    system.ingest(renewed("2025-08-01T00:00:00Z", credits_used=11))

    assert codes(system) == ["key_reused"]


def test_a_cloud_event_in_binary_mode_is_taken_and_keeps_its_headers_when_it_is_parked(system: System) -> None:
    other = merchant("shop of a header")
    headers = json.dumps({"id": "e1", "subject": other, "time": "2025-06-01T10:00:00Z"})

    def from_nats(subject: str, **payload: Any) -> dict[str, Any]:
        return sqs_record(json.dumps(payload), origin="nats", subject=subject, cloud_event=headers)

    assert system.ingest(from_nats("evt.merchant.created"), from_nats("evt.order.updated", order_id=1)) == []
    assert system.ingest(from_nats("evt.billing.payment_succeeded", payment_id="p", credits=0)) == []

    assert [transaction.occurred_at for transaction in system.history(other)] == ["2025-06-01T10:00:00.000Z"] * 2
    [letter] = system.parked()
    assert (letter.attributes["cloud_event"], letter.attributes["subject"]) == (
        headers,
        "evt.billing.payment_succeeded",
    )

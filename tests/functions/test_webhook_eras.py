"""Payments of invoices that go back, in both eras of Stripe's API (contract, section 15, point 4)."""

from typing import Any

import pytest

from tests.functions.test_webhook_ingest import Sent, linked, over_http, paid_by, transactions
from tests.support.api import LINKS_TABLE
from tests.support.events import asking
from tests.support.system import System
from tests.support.webhooks import PERIOD, SESSION, charge, dispute, invoice, line, session

__all__ = ["linked"]

BOUGHT = paid_by("invoice.paid", invoice(line(), billing_reason="manual", parent=None))
PAYMENT = {"type": "payment_intent", "payment_intent": "pi_1"}
NAMES = paid_by("invoice_payment.paid", {"object": "invoice_payment", "invoice": "in_1Abc", "payment": PAYMENT})
REFUND = paid_by("charge.refunded", charge(amount_refunded=1000))
DISPUTE = paid_by("charge.dispute.funds_withdrawn", dispute())
WON = paid_by("charge.dispute.funds_reinstated", dispute(status="won"))
OLD_REFUND = paid_by("charge.refunded", charge(amount_refunded=1000, invoice="in_1Abc"))

PAID = ("BILLING_PAYMENT_in_1Abc", 500)
BACK = ("BILLING_REVERSAL_in_1Abc_TO_10", -250)


@pytest.mark.parametrize("first", [[BOUGHT, NAMES], [NAMES, BOUGHT]], ids=["invoice first", "names first"])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([REFUND, REFUND], [BACK]),
        ([REFUND, OLD_REFUND], [BACK]),
        ([OLD_REFUND, REFUND], [BACK]),
        ([DISPUTE, WON], [("BILLING_DISPUTE_dp_1", -500), ("BILLING_DISPUTE_WON_dp_1", 500)]),
    ],
)
def test_a_payment_that_an_invoice_counted_goes_back_by_its_payment_intent(
    linked: System, first: list[Sent], sent: list[Sent], expected: list[tuple[str, int]]
) -> None:
    for one in first:
        assert linked.ingest(over_http(one)) == []
    for one in sent:
        assert linked.ingest(over_http(one)) == []

    assert transactions(linked) == [PAID, *expected]
    assert linked.parked() == []


@pytest.mark.parametrize("first", [0, 1])
def test_one_of_several_payments_of_an_invoice_takes_nothing_back_by_itself(linked: System, first: int) -> None:
    other = {"type": "payment_intent", "payment_intent": "pi_2"}
    part = {"object": "invoice_payment", "invoice": "in_1Abc", "payment": other, "is_default": False}
    parts = [NAMES, paid_by("invoice_payment.paid", part)]
    linked.ingest(over_http(BOUGHT), over_http(parts[first]), over_http(parts[1 - first]))
    for intent in ("pi_1", "pi_2"):
        back = over_http(paid_by("charge.refunded", charge(amount_refunded=2000, payment_intent=intent)))
        assert linked.ingest(back) == [back["messageId"]]

    assert transactions(linked) == [PAID]


def test_all_of_it_in_one_batch_comes_to_the_same(linked: System) -> None:
    batch: list[dict[str, Any]] = [over_http(one) for one in (REFUND, NAMES, BOUGHT)]
    back = linked.ingest(*batch)
    assert linked.ingest(*[one for one in batch if one["messageId"] in back]) == []

    assert transactions(linked) == [PAID, BACK]


def test_a_session_names_its_payment_in_every_event_about_it(linked: System) -> None:
    longest = "cs_" + "x" * 252
    events = [
        asking("evt.billing.payment_succeeded", {"payment_id": longest, "credits": 80, "aliases": [SESSION]}),
        asking("evt.billing.payment_succeeded", {"payment_id": SESSION, "credits": 80}),
        asking("evt.billing.payment_refunded", {"payment_id": SESSION, "reversal_id": "r", "credits": 20}),
        asking(
            "evt.billing.payment_refunded", {"payment_id": longest, "amount_refunded": "50", "payment_total": "100"}
        ),
        asking("evt.billing.payment_disputed", {"payment_id": SESSION, "dispute_id": "d"}),
        asking("evt.billing.payment_dispute_won", {"payment_id": longest, "dispute_id": "d"}),
        asking("evt.subscription.renewed", {"subscription_id": "s", "renewal_id": longest, "credits_used": 5}),
    ]
    for event in events:
        assert linked.ingest(event) == []

    assert linked.parked() == []
    assert transactions(linked) == [
        (f"BILLING_PAYMENT_{longest}", 80),
        ("BILLING_REVERSAL_r", -20),
        (f"BILLING_REVERSAL_{longest}_TO_50", -20),
        ("BILLING_DISPUTE_d", -40),
        ("BILLING_DISPUTE_WON_d", 40),
        (f"SUBSCRIPTION_RENEWAL_s_cs%5F{'x' * 252}", 5),
    ]


def test_a_session_without_a_link_opens_an_account_that_has_its_name(system: System) -> None:
    system.configure(UNLINKED="open")
    assert system.ingest(over_http(paid_by("checkout.session.completed", session(payment_intent=None)))) == []
    assert system.parked() == []
    assert f"stripe:{SESSION}" in str(system.items(LINKS_TABLE))


MONTH = 2592000
BY_SUBSCRIPTION: dict[str, Any] = {
    "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"credits": "500"}}}
}


def test_use_of_the_last_period_beside_the_next_one_is_parked_in_no_month(linked: System) -> None:
    for month in range(3):
        lines = [line(start=PERIOD + month * MONTH)]
        if month:
            lines.append(line("price_used", start=PERIOD + (month - 1) * MONTH, amount=700))
        thing = invoice(*lines, id=f"in_{month}", **BY_SUBSCRIPTION)
        sent = paid_by("invoice.paid", thing, created=PERIOD + month * MONTH)
        assert linked.ingest(over_http(sent)) == []

    assert linked.parked() == []
    assert [amount for _, amount in transactions(linked)] == [500, 500, 500]


def test_each_invoice_for_a_threshold_of_one_period_counts_once(linked: System) -> None:
    cycle = paid_by("invoice.paid", invoice(line(), id="in_0"))
    reached = [
        paid_by("invoice.paid", invoice(line(), id=name, billing_reason="subscription_threshold"))
        for name in ("in_1", "in_2")
    ]
    for sent in (cycle, *reached, *reached, cycle):
        assert linked.ingest(over_http(sent)) == []

    assert linked.parked() == []
    assert transactions(linked) == [
        (f"SUBSCRIPTION_RENEWAL_sub%5F1_{PERIOD}000", 500),
        ("SUBSCRIPTION_RENEWAL_sub%5F1_in%5F1", 500),
        ("SUBSCRIPTION_RENEWAL_sub%5F1_in%5F2", 500),
    ]

"""Stripe's events become events of ours, or nothing, or poison (contract, section 15, point 4)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.contracts.sources.stripe import major, read
from chalicelib.contracts.sources.webhooks import Sale, SourceEvent, SourceTerms, Unused, UnusedReason, Webhook
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import merchant_id
from chalicelib.domain.movements import FixedMovement
from chalicelib.domain.orders import CREDITS_MAX, Policy
from tests.support.webhooks import (
    MERCHANT,
    NEXT_PERIOD,
    PAID_AT,
    PERIOD,
    SESSION,
    charge,
    dispute,
    invoice,
    item,
    line,
    session,
    stripe,
    stripe_refund,
)

TERMS = SourceTerms(credits_by_price={"price_pro": 1000, "price_seat": 10, "price_setup": 0})
OTHER = "1d0e7c1a-6a53-4f0e-8f0b-4a4a0f6f7a10"
THRESHOLD = "subscription_threshold"
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def came(event_type: str, thing: dict[str, Any], terms: SourceTerms = TERMS, **event: Any) -> Webhook:
    return read(stripe(event_type, thing, **event), terms)


def paid(thing: dict[str, Any], terms: SourceTerms = TERMS) -> list[dict[str, Any]]:
    """Return the payloads of the events that a paid invoice comes to."""
    return [dict(event.payload) for event in came("invoice.paid", thing, terms).events]


def only_event(webhook: Webhook) -> SourceEvent:
    [part] = webhook.parts
    assert isinstance(part, SourceEvent)
    return part


def only_unused(webhook: Webhook) -> Unused:
    [part] = webhook.parts
    assert isinstance(part, Unused)
    return part


def only_reasons(thing: dict[str, Any]) -> list[str]:
    """Return why each part of a paid invoice moves nothing, if none moves anything."""
    webhook = came("invoice.paid", thing)
    assert webhook.events == ()
    return [one.reason for one in webhook.unused]


def refused(event_type: str, thing: dict[str, Any], terms: SourceTerms = TERMS) -> tuple[Code, str | None]:
    with pytest.raises(Rejected) as caught:
        came(event_type, thing, terms)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize("old", [True, False], ids=["before 2025-03-31", "after"])
def test_a_paid_invoice_of_a_subscription_renews_it_for_the_period_of_its_line(old: bool) -> None:
    webhook = came("invoice.paid", invoice(old=old))

    assert only_event(webhook) == SourceEvent(
        event_type="evt.subscription.renewed",
        payload={
            "subscription_id": "sub_1",
            "period_start": PERIOD,
            "aliases": ["in_1Abc"],
            "period_end": PERIOD + 2592000,
            "credits_used": 1000,
        },
    )
    assert (webhook.name, webhook.merchant_id, webhook.occurred_at) == ("stripe:cus_1", None, PAID_AT)
    [body] = webhook.bodies(merchant_id(MERCHANT))
    [movement] = read_event(body, Terms(trial_credits=100, policy=Policy()), now=NOW).movements
    assert isinstance(movement, FixedMovement)
    assert (movement.key, movement.credits) == (f"SUBSCRIPTION_RENEWAL_sub%5F1_{PERIOD}000", 1000)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    "reason", ["subscription_create", "subscription_cycle", "subscription_threshold", "subscription"]
)
def test_each_reason_of_a_subscription_renews_it(reason: str, old: bool) -> None:
    assert paid(invoice(old=old, billing_reason=reason))[0]["subscription_id"] == "sub_1"


@pytest.mark.parametrize("old", [True, False])
def test_an_invoice_of_two_periods_renews_each(old: bool) -> None:
    lines = [line(old=old), line("price_seat", old=old, start=NEXT_PERIOD, quantity=3)]
    renewed = paid(invoice(*lines, old=old))
    assert [(one["period_start"], one["credits_used"]) for one in renewed] == [(PERIOD, 1000), (NEXT_PERIOD, 30)]
    assert not any("aliases" in one for one in renewed)


@pytest.mark.parametrize("old", [True, False])
def test_two_items_of_one_period_are_one_renewal(old: bool) -> None:
    [renewed] = paid(invoice(line(old=old), line("price_seat", old=old, quantity=3), old=old))
    assert (renewed["period_start"], renewed["credits_used"]) == (PERIOD, 1030)


@pytest.mark.parametrize("expanded", [True, False])
@pytest.mark.parametrize("old", [True, False])
def test_the_subscription_is_named_by_its_id_or_there_itself(old: bool, expanded: bool) -> None:
    named: Any = {"id": "sub_9", "metadata": {"credits": "7"}} if expanded else "sub_9"
    body = invoice(old=True, subscription=named) if old else invoice()
    if not old:
        body["parent"]["subscription_details"]["subscription"] = named
    [renewed] = paid(body)
    assert (renewed["subscription_id"], renewed["credits_used"]) == ("sub_9", 7 if expanded else 1000)


@pytest.mark.parametrize(
    "reason", ["manual", "quote_accept", "upcoming", "automatic_pending_invoice_item_invoice", None]
)
@pytest.mark.parametrize("old", [True, False])
def test_any_other_paid_invoice_is_a_payment(reason: str | None, old: bool) -> None:
    body = invoice(line("price_seat", quantity=5), line(), old=old, billing_reason=reason)
    body["parent"] = body["subscription"] = None
    event = only_event(came("invoice.paid", body))
    aliases = {"aliases": ["pi_1", "ch_1"]} if old else {}
    assert event.event_type == "evt.billing.payment_succeeded"
    assert event.payload == {"payment_id": "in_1Abc", "credits": 1050, **aliases}


def test_a_payment_has_the_credits_of_its_lines_metadata_before_those_of_their_prices() -> None:
    lines = [line(metadata={"credits": "90"}), line("price_seat", quantity=2), line("price_new", amount=-5)]
    assert [one["credits"] for one in paid(invoice(*lines, billing_reason="manual"))] == [110]
    assert [one["credits"] for one in paid(invoice(line(), billing_reason="manual", metadata={"credits": "3"}))] == [3]


def test_a_price_that_is_set_to_give_nothing_gives_nothing() -> None:
    unused = only_unused(came("invoice.paid", invoice(line("price_setup"), billing_reason="manual")))
    assert (unused.reason, unused.field) == (UnusedReason.NO_CREDITS, "data.object.lines")


def test_an_invoice_that_says_its_credits_needs_no_lines() -> None:
    body = invoice(billing_reason="manual", metadata={"credits": "3"}, lines={"has_more": True, "data": []})
    assert [one["credits"] for one in paid(body)] == [3]


def test_an_invoice_that_lists_its_payments_has_their_names_as_aliases() -> None:
    payments = {
        "data": [{"payment": {"type": "payment_intent", "payment_intent": {"id": f"pi_{n}"}}} for n in range(6)]
    }
    event = only_event(came("invoice.paid", invoice(billing_reason="manual", payments=payments)))
    assert event.payload["aliases"] == ["pi_0", "pi_1", "pi_2", "pi_3"]


@pytest.mark.parametrize(
    ("fields", "credits_given"),
    [
        ({"metadata": {"credits": "70"}}, 70),
        ({"metadata": {"credits": 70}}, 70),
        ({"metadata": {"credits": ""}}, 1000),
        ({"metadata": None}, 1000),
        ({"parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"credits": "80"}}}}, 80),
        ({"subscription_details": {"metadata": {"credits": "81"}}}, 81),
    ],
)
def test_credits_are_those_of_the_metadata_before_those_of_the_price(
    fields: dict[str, Any], credits_given: int
) -> None:
    assert [one["credits_used"] for one in paid(invoice(**fields))] == [credits_given]


def test_credits_of_the_line_come_before_those_of_the_subscription() -> None:
    body = invoice(line(metadata={"credits": "90"}))
    body["parent"]["subscription_details"]["metadata"] = {"credits": "80"}
    assert [one["credits_used"] for one in paid(body)] == [90]


def test_metadata_that_stripe_copies_from_the_subscription_to_its_lines_counts_once() -> None:
    copied = [line("price_a", metadata={"credits": "80"}), line("price_b", metadata={"credits": "80"})]
    body = invoice(*copied)
    body["parent"]["subscription_details"]["metadata"] = {"credits": "80"}
    assert [one["credits_used"] for one in paid(body)] == [80]

    older = invoice(*copied, old=True)
    del older["subscription_details"]
    assert [one["credits_used"] for one in paid(older)] == [80]


def test_lines_with_metadata_of_their_own_add_up() -> None:
    lines = [line("price_a", metadata={"credits": "80"}), line("price_b", metadata={"credits": "80"}), line()]
    assert [one["credits_used"] for one in paid(invoice(*lines))] == [1160]


def test_credits_of_a_whole_invoice_are_given_once_for_its_newest_period() -> None:
    webhook = came("invoice.paid", invoice(line(), line(start=NEXT_PERIOD), metadata={"credits": "5"}))
    assert [(one.payload["period_start"], one.payload["credits_used"]) for one in webhook.events] == [(NEXT_PERIOD, 5)]
    assert [one.reason for one in webhook.unused] == [UnusedReason.NO_CREDITS]


@pytest.mark.parametrize("era", [{"price": {"id": "price_pro"}}, {"price": "price_pro"}, {"plan": {"id": "price_pro"}}])
def test_an_older_line_names_its_price_or_its_plan(era: dict[str, Any]) -> None:
    older = {**line(old=True), "price": None, "plan": None, **era}
    assert [one["credits_used"] for one in paid(invoice(older))] == [1000]


@pytest.mark.parametrize("quantity", [None, 1])
def test_a_line_without_a_quantity_is_one(quantity: int | None) -> None:
    assert [one["credits_used"] for one in paid(invoice(line(quantity=quantity)))] == [1000]


@pytest.mark.parametrize(
    ("thing", "code", "field"),
    [
        (invoice(line("price_new")), Code.CREDITS_UNKNOWN, "data.object.lines.data.0.pricing"),
        (invoice(line(), line("price_new", old=True)), Code.CREDITS_UNKNOWN, "data.object.lines.data.1.price"),
        (invoice(line("price_new"), billing_reason="manual"), Code.CREDITS_UNKNOWN, "data.object.lines.data.0.pricing"),
        (invoice(lines={"has_more": True, "data": [line()]}), Code.LINES_MISSING, "data.object.lines.has_more"),
        (invoice(lines={"has_more": False, "data": []}), Code.FIELD_MISSING, "data.object.lines.data"),
        (invoice(line(amount=0)), Code.CREDITS_UNKNOWN, "data.object.lines"),
        (invoice(line(amount=0), billing_reason="manual"), Code.CREDITS_UNKNOWN, "data.object.lines"),
        (invoice(lines=None), Code.FIELD_MISSING, "data.object.lines.data"),
        (invoice(id=None), Code.FIELD_MISSING, "data.object.id"),
        (invoice(id="x" * 65), Code.FIELD_INVALID, "data.object.id"),
        (invoice(amount_paid=None), Code.FIELD_MISSING, "data.object.amount_paid"),
        (invoice(amount_paid="10.00"), Code.FIELD_INVALID, "data.object.amount_paid"),
        (invoice(amount_paid=True), Code.FIELD_INVALID, "data.object.amount_paid"),
        (invoice(status="open"), Code.TOPIC_CONTRADICTS_BODY, "data.object.status"),
        (invoice(object="charge"), Code.TOPIC_CONTRADICTS_BODY, "data.object.object"),
        (invoice(parent=None), Code.FIELD_MISSING, "data.object.parent.subscription_details.subscription"),
        (invoice(line(period=None)), Code.PERIOD_MISSING, "data.object.lines.data.0.period.start"),
        (invoice(line(period={"start": 0})), Code.PERIOD_MISSING, "data.object.lines.data.0.period.start"),
        (invoice(line(amount=None)), Code.FIELD_MISSING, "data.object.lines.data.0.amount"),
        (invoice(line(quantity=-1)), Code.FIELD_INVALID, "data.object.lines.data.0.quantity"),
        (invoice(metadata={"credits": "1.5"}), Code.CREDITS_INVALID, "data.object.metadata.credits"),
        (invoice(metadata={"credits": "-5"}), Code.CREDITS_INVALID, "data.object.metadata.credits"),
        (invoice(metadata={"credits": "٥"}), Code.CREDITS_INVALID, "data.object.metadata.credits"),
        (invoice(metadata={"credits": True}), Code.CREDITS_INVALID, "data.object.metadata.credits"),
        (invoice(metadata={"credits": str(CREDITS_MAX + 1)}), Code.CREDITS_INVALID, "data.object.metadata.credits"),
        (invoice(line(quantity=CREDITS_MAX)), Code.CREDITS_INVALID, "data.object.lines.data.0.credits"),
        (invoice(customer=None, customer_account=7), Code.FIELD_INVALID, "data.object.customer_account"),
    ],
)
def test_what_decides_of_an_invoice_is_strict(thing: dict[str, Any], code: Code, field: str) -> None:
    assert refused("invoice.paid", thing) == (code, field)


@pytest.mark.parametrize(
    "fields",
    [
        {"amount_paid": 0, "amount_due": 0, "total": 0},
        {"amount_paid": 0, "amount_due": 0, "total": 1000},
        {"amount_paid": 0, "amount_due": 0, "total": -500, "starting_balance": -100},
        {"amount_paid": 0, "amount_due": 0, "total": 0, "billing_reason": "manual"},
        {"amount_paid": 0, "amount_due": 500, "total": 0, "starting_balance": 500},
        {"amount_paid": 0, "amount_due": 500, "total": -500, "starting_balance": 1000},
        {"amount_paid": 0, "amount_due": 1000, "total": 1000, "status": None},
    ],
)
def test_an_invoice_of_nothing_gives_nothing(fields: dict[str, Any]) -> None:
    assert only_unused(came("invoice.paid", invoice(**fields))) == Unused(
        reason=UnusedReason.NOTHING_PAID, field="data.object.amount_paid", reference_id="in_1Abc"
    )


@pytest.mark.parametrize("old", [True, False])
def test_a_fee_in_a_renewals_invoice_pays_for_no_period_of_its_own(old: bool) -> None:
    body = invoice(item("price_fee", old=old), line(old=old), item("price_over", old=old, start=PERIOD - 5), old=old)
    subscription = body["subscription_details"] if old else body["parent"]["subscription_details"]
    subscription["metadata"] = {"credits": "700"}

    assert paid(body) == [
        {
            "subscription_id": "sub_1",
            "period_start": PERIOD,
            "aliases": ["in_1Abc"],
            "period_end": PERIOD + 2592000,
            "credits_used": 700,
        }
    ]


@pytest.mark.parametrize("old", [True, False])
def test_credits_of_a_fee_are_given_with_the_newest_period_that_its_invoice_pays_for(old: bool) -> None:
    priced = [line(old=old), item("price_seat", old=old, quantity=2), line("price_seat", old=old, start=NEXT_PERIOD)]
    assert [(one["period_start"], one["credits_used"]) for one in paid(invoice(*priced, old=old))] == [
        (PERIOD, 1000),
        (NEXT_PERIOD, 30),
    ]

    own = invoice(line(old=old), item("price_new", old=old, metadata={"credits": "7"}), old=old)
    assert [one["credits_used"] for one in paid(own)] == [1007]


def test_use_of_the_last_period_is_given_with_the_period_that_is_paid_for() -> None:
    for metered in (
        {"price": {"id": "price_seat", "recurring": {"usage_type": "metered"}}},
        {"plan": {"id": "price_seat", "usage_type": "metered"}, "price": None},
    ):
        used = {**line("price_seat", old=True, start=PERIOD - 2592000, quantity=4), **metered}
        [renewed] = paid(invoice(used, line(old=True), old=True))
        assert (renewed["period_start"], renewed["period_end"]) == (PERIOD, PERIOD + 2592000)
        assert renewed["credits_used"] == 1040

    alone = {
        **line("price_seat", old=True, quantity=4),
        "price": {"id": "price_seat", "recurring": {"usage_type": "metered"}},
    }
    assert [(one["period_start"], one["credits_used"]) for one in paid(invoice(alone, old=True))] == [(PERIOD, 40)]


@pytest.mark.parametrize("first", [True, False])
def test_a_line_of_the_past_period_decides_nothing_where_the_subscription_says_its_credits(first: bool) -> None:
    past, own = line("price_used", amount=700), {"metadata": {"credits": "9"}}
    for fields, credits_given in (({}, 500), ({"metadata": {"credits": "500"}}, 500), (own, 509)):
        lines = [{**past, **fields}, line(start=NEXT_PERIOD)]
        body = invoice(*(lines if first else reversed(lines)))
        body["parent"]["subscription_details"]["metadata"] = {"credits": "500"}
        [renewed] = paid(body)
        assert (renewed["period_start"], renewed["credits_used"]) == (NEXT_PERIOD, credits_given)


def test_overlapping_periods_are_renewed_each_also_by_the_subscriptions_credits() -> None:
    body = invoice(line(), line("price_year", start=PERIOD + 86400))
    body["parent"]["subscription_details"]["metadata"] = {"credits": "500"}
    assert [one["period_start"] for one in paid(body)] == [PERIOD, PERIOD + 86400]


def test_an_invoice_for_a_threshold_is_a_renewal_that_it_names_itself() -> None:
    body = invoice(line("price_seat", quantity=3), line("price_pro", start=NEXT_PERIOD), billing_reason=THRESHOLD)
    assert paid(body) == [
        {
            "subscription_id": "sub_1",
            "renewal_id": "in_1Abc",
            "period_end": NEXT_PERIOD + 2592000,
            "credits_used": 1030,
        }
    ]


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("reason", ["subscription_threshold", "subscription_create"])
def test_an_invoice_of_fees_alone_is_a_payment_of_what_they_give_themselves(reason: str, old: bool) -> None:
    trial = [item("price_seat", old=old, quantity=5), line(old=old, amount=0)]
    body = invoice(*trial, old=old, billing_reason=reason)
    [bought] = came("invoice.paid", body).events
    assert (bought.event_type, bought.payload["payment_id"]) == ("evt.billing.payment_succeeded", "in_1Abc")
    assert bought.payload["credits"] == 50

    subscription = body["subscription_details"] if old else body["parent"]["subscription_details"]
    subscription["metadata"] = {"credits": "700"}
    webhook = came("invoice.paid", body)
    assert (len(webhook.events), {one.reason for one in webhook.unused}) == (1, {UnusedReason.NOTHING_PAID})
    assert webhook.events[0].payload["credits"] == 50

    assert refused("invoice.paid", invoice(item("price_fee", old=old), old=old))[0] is Code.CREDITS_UNKNOWN


def test_what_was_never_captured_is_no_refund() -> None:
    released = charge(amount=3000, amount_captured=2000, amount_refunded=1000)
    assert only_unused(came("charge.refunded", released)).reason is UnusedReason.NOTHING_PAID

    [back] = came("charge.refunded", {**released, "amount_refunded": 1500}).events
    assert (back.payload["amount_refunded"], back.payload["payment_total"]) == ("5", "20")


def test_an_invoice_that_the_customers_balance_paid_is_paid() -> None:
    assert len(paid(invoice(amount_paid=0, amount_due=0, total=1000, starting_balance=-2500))) == 1


@pytest.mark.parametrize("reason", ["subscription_cycle", "manual"])
@pytest.mark.parametrize(
    "fields",
    [
        {"amount_remaining": 1000, "paid_out_of_band": True},
        {"amount_remaining": 1000},
        {"amount_remaining": 0, "amount_paid_off_stripe": 1000},
        {"total": None},
    ],
)
def test_an_invoice_that_was_paid_outside_of_stripe_is_paid(fields: dict[str, Any], reason: str) -> None:
    outside = invoice(amount_paid=0, billing_reason=reason, **{"amount_due": 1000, "total": 1000, **fields})
    assert paid(outside) == paid(invoice(billing_reason=reason))
    assert len(paid(outside)) == 1


@pytest.mark.parametrize("old", [True, False])
def test_lines_that_give_nothing_are_ignored_beside_those_that_do(old: bool) -> None:
    prorated = line("price_seat", old=old, start=PERIOD + 5, proration=True)
    if not old:
        prorated["parent"]["subscription_item_details"]["proration"] = True
    lines = [line(old=old), line("price_x", old=old, amount=0), line("price_x", old=old, amount=-300), prorated]
    webhook = came("invoice.paid", invoice(*lines, line("price_setup", old=old, start=PERIOD + 9), old=old))
    assert [one.payload["period_start"] for one in webhook.events] == [PERIOD]
    assert sorted(one.reason for one in webhook.unused) == ["no_credits", "nothing_paid", "nothing_paid", "proration"]


def test_a_change_within_a_period_is_parked_since_no_price_says_its_credits() -> None:
    details = {"subscription": "sub_1", "proration": True}
    change = line(parent={"type": "subscription_item_details", "subscription_item_details": details})
    body = invoice(change, line(amount=-200, proration=True), billing_reason="subscription_update")
    assert refused("invoice.paid", body) == (Code.CREDITS_UNKNOWN, "data.object.lines.data.0.proration")


def test_a_change_within_a_period_gives_what_its_invoice_says() -> None:
    lines = [line(amount=-200, proration=True, start=PERIOD + 9), line(proration=True, start=PERIOD + 9)]
    body = invoice(*lines, billing_reason="subscription_update", metadata={"credits": "70"})
    webhook = came("invoice.paid", body)
    [renewed] = [event.payload for event in webhook.events]
    assert (renewed["renewal_id"], renewed["credits_used"]) == ("in_1Abc", 70)
    assert not {"period_start", "aliases"} & renewed.keys()
    assert [one.reason for one in webhook.unused] == ["nothing_paid"]
    assert only_reasons({**body, "metadata": {"credits": "0"}}) == ["nothing_paid", "no_credits"]


def test_the_first_period_of_a_subscription_counts_also_where_it_is_a_part() -> None:
    assert len(paid(invoice(line(proration=True), billing_reason="subscription_create"))) == 1


def test_a_checkout_without_an_invoice_is_a_payment_by_its_payment_intent() -> None:
    webhook = came("checkout.session.completed", session())
    assert only_event(webhook) == SourceEvent(
        event_type="evt.billing.payment_succeeded",
        payload={"payment_id": "pi_1", "credits": 500, "aliases": [SESSION]},
    )
    assert webhook.payment_names == (f"stripe:{SESSION}", "stripe:pi_1")
    for creation in ({"enabled": False, "invoice_data": {}}, None):
        assert came("checkout.session.completed", session(invoice_creation=creation)).parts == webhook.parts
    expanded = came("checkout.session.completed", session(payment_intent={"id": "pi_1"}, customer={"id": "cus_1"}))
    assert (expanded.parts, expanded.name) == (webhook.parts, "stripe:cus_1")


def test_a_checkout_that_is_paid_days_later_counts_then() -> None:
    first = came("checkout.session.completed", session(payment_status="unpaid"))
    assert only_unused(first).reason is UnusedReason.CHECKOUT_UNPAID
    later = came("checkout.session.async_payment_succeeded", session())
    assert later.parts == came("checkout.session.completed", session()).parts


def intent(**fields: Any) -> dict[str, Any]:
    return {"id": "pi_1", "object": "payment_intent", "customer": "cus_1", "capture_method": "manual", **fields}


@pytest.mark.parametrize(
    ("event_type", "thing", "expected"),
    [
        (
            "checkout.session.completed",
            session(payment_status="unpaid"),
            Sale(payment_id="pi_1", session=SESSION, credits=500),
        ),
        (
            "checkout.session.completed",
            session(payment_status="unpaid", metadata={}),
            Sale(payment_id="pi_1", session=SESSION),
        ),
        ("checkout.session.completed", session(payment_status="unpaid", payment_intent=None), None),
        ("checkout.session.completed", session(payment_status="unpaid", invoice="in_1"), None),
        ("checkout.session.completed", session(), None),
        ("charge.captured", charge(amount_refunded=0), Sale(payment_id="pi_1", captured=True)),
        ("charge.captured", charge(payment_intent=None), None),
        ("charge.captured", charge(payment_intent=5), None),
        ("charge.succeeded", charge(), None),
        ("payment_intent.succeeded", intent(), Sale(payment_id="pi_1", captured=True)),
        ("payment_intent.succeeded", intent(capture_method="automatic_async"), None),
        ("payment_intent.succeeded", intent(id=5), None),
        ("payment_intent.amount_capturable_updated", intent(), None),
    ],
)
def test_events_about_a_later_capture_state_their_part_of_the_sale(
    event_type: str, thing: dict[str, Any], expected: Sale | None
) -> None:
    assert came(event_type, thing).sale == expected
    assert came(event_type, thing, livemode=False).sale is None


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"invoice": "in_1"}, UnusedReason.NAMED_BY_INVOICE, "invoice"),
        ({"invoice": {"id": "in_1"}, "payment_status": "unpaid"}, UnusedReason.NAMED_BY_INVOICE, "invoice"),
        ({"mode": "subscription", "subscription": "sub_1"}, UnusedReason.NAMED_BY_INVOICE, "subscription"),
        ({"invoice_creation": {"enabled": True}}, UnusedReason.NAMED_BY_INVOICE, "invoice_creation"),
        ({"payment_status": "no_payment_required"}, UnusedReason.NOTHING_PAID, "payment_status"),
        ({"amount_total": 0}, UnusedReason.NOTHING_PAID, "payment_status"),
        ({"payment_status": "unpaid"}, UnusedReason.CHECKOUT_UNPAID, "payment_status"),
        ({"metadata": {"credits": "0"}}, UnusedReason.NO_CREDITS, "metadata"),
    ],
)
def test_a_checkout_that_gives_nothing_is_ignored(fields: dict[str, Any], reason: UnusedReason, field: str) -> None:
    assert only_unused(came("checkout.session.completed", session(**fields))) == Unused(
        reason=reason, field=f"data.object.{field}", reference_id=SESSION
    )


def test_a_checkout_has_the_credits_of_its_line_items_where_they_are_there() -> None:
    items = {"data": [{"price": {"id": "price_seat"}, "quantity": 4}], "has_more": False}
    event = only_event(came("checkout.session.completed", session(metadata={}, line_items=items, payment_intent=None)))
    assert event.payload == {"payment_id": SESSION, "credits": 40}


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"metadata": {}}, Code.CREDITS_UNKNOWN, "data.object.metadata.credits"),
        ({"metadata": {}, "line_items": {"has_more": True}}, Code.LINES_MISSING, "data.object.line_items.has_more"),
        ({"payment_status": None}, Code.FIELD_MISSING, "data.object.payment_status"),
        ({"id": None}, Code.FIELD_MISSING, "data.object.id"),
        ({"id": "cs_" + "x" * 253}, Code.FIELD_INVALID, "data.object.id"),
        ({"payment_intent": "pi_" + "x" * 62}, Code.FIELD_INVALID, "data.object.payment_intent"),
        ({"object": "invoice"}, Code.TOPIC_CONTRADICTS_BODY, "data.object.object"),
        ({"payment_intent": 5}, Code.FIELD_INVALID, "data.object.payment_intent"),
        ({"payment_intent": "ü"}, Code.FIELD_INVALID, "data.object.payment_intent"),
    ],
)
def test_what_decides_of_a_checkout_is_strict(fields: dict[str, Any], code: Code, field: str) -> None:
    assert refused("checkout.session.completed", session(**fields)) == (code, field)


@pytest.mark.parametrize(
    ("fields", "payment_id"),
    [
        ({}, "pi_1"),
        ({"payment_intent": {"id": "pi_1"}}, "pi_1"),
        ({"invoice": "in_1"}, "in_1"),
        ({"invoice": {"id": "in_1"}}, "in_1"),
        ({"payment_intent": None}, "ch_1"),
    ],
)
def test_a_refunded_charge_takes_back_by_its_cumulative_figure(fields: dict[str, Any], payment_id: str) -> None:
    webhook = came("charge.refunded", charge(**fields))
    assert only_event(webhook) == SourceEvent(
        event_type="evt.billing.payment_refunded",
        payload={"payment_id": payment_id, "amount_refunded": "5", "payment_total": "20"},
    )
    assert webhook.name == "stripe:cus_1"
    assert "stripe:ch_1" in webhook.payment_names


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (1050, "usd", "10.5"),
        (1050, "JPY", "1050"),
        (1050, "KRW", "1050"),
        (1050, "KWD", "1.05"),
        (1050, "ISK", "10.5"),
        (1050, "UGX", "10.5"),
        (5, "EUR", "0.05"),
        (10**15, "EUR", "10000000000000"),
    ],
)
def test_money_is_in_whole_units_of_its_currency(minor: int, currency: str, expected: str) -> None:
    assert major(minor, currency.upper()) == expected


def test_a_charge_that_was_never_captured_gave_nothing() -> None:
    assert only_unused(came("charge.refunded", charge(captured=False))).reason is UnusedReason.NOTHING_PAID


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"amount": 0}, Code.FIELD_INVALID, "amount"),
        ({"amount": None}, Code.FIELD_MISSING, "amount"),
        ({"amount_refunded": 0}, Code.FIELD_INVALID, "amount_refunded"),
        ({"amount_refunded": "5"}, Code.FIELD_INVALID, "amount_refunded"),
        ({"currency": None}, Code.FIELD_MISSING, "currency"),
        ({"captured": "yes"}, Code.FIELD_INVALID, "captured"),
        ({"object": "refund"}, Code.TOPIC_CONTRADICTS_BODY, "object"),
        ({"id": ""}, Code.FIELD_MISSING, "id"),
    ],
)
def test_what_decides_of_a_charge_is_strict(fields: dict[str, Any], code: Code, field: str) -> None:
    assert refused("charge.refunded", charge(**fields)) == (code, f"data.object.{field}")


@pytest.mark.parametrize("event_type", ["refund.created", "refund.updated", "charge.refund.updated"])
@pytest.mark.parametrize("status", ["succeeded", "pending", "requires_action"])
def test_a_refund_counts_by_its_charge_alone(event_type: str, status: str) -> None:
    assert only_unused(came(event_type, stripe_refund(status=status))) == Unused(
        reason=UnusedReason.NAMED_BY_CHARGE, field="data.object.charge", reference_id="re_1"
    )


def test_a_refund_of_no_payment_takes_nothing_back() -> None:
    thing = stripe_refund(charge=None, payment_intent=None, customer="cus_1")
    assert only_unused(came("refund.created", thing)).reason is UnusedReason.NOTHING_PAID
    assert refused("refund.created", stripe_refund(charge=None)) == (Code.FIELD_MISSING, "data.object.charge")


@pytest.mark.parametrize(
    ("event_type", "status"),
    [("refund.failed", "failed"), ("refund.updated", "canceled"), ("charge.refund.updated", "failed")],
)
def test_a_refund_that_failed_after_it_was_counted_is_parked_for_somebody_to_see(event_type: str, status: str) -> None:
    assert refused(event_type, stripe_refund(status=status)) == (Code.REFUND_FAILED, "data.object.status")


@pytest.mark.parametrize(
    ("event_type", "ours"),
    [
        ("charge.dispute.funds_withdrawn", "evt.billing.payment_disputed"),
        ("charge.dispute.funds_reinstated", "evt.billing.payment_dispute_won"),
    ],
)
@pytest.mark.parametrize(
    ("fields", "payment_id", "name"),
    [
        ({}, "pi_1", None),
        ({"charge": {"id": "ch_1", "invoice": "in_1", "customer": "cus_1"}}, "in_1", "stripe:cus_1"),
        ({"payment_intent": None}, "ch_1", None),
        ({"payment_intent": {"id": "pi_1"}}, "pi_1", None),
    ],
)
def test_a_dispute_names_its_payment_and_who_it_is_by_that(
    event_type: str, ours: str, fields: dict[str, Any], payment_id: str, name: str | None
) -> None:
    webhook = came(event_type, dispute(**fields))
    assert only_event(webhook) == SourceEvent(event_type=ours, payload={"dispute_id": "dp_1", "payment_id": payment_id})
    assert webhook.name == name
    assert f"stripe:{payment_id}" in webhook.payment_names
    assert "stripe:dp_1" not in webhook.payment_names


def test_a_dispute_of_no_payment_is_poison() -> None:
    thing = dispute(payment_intent=None, charge=None)
    assert refused("charge.dispute.funds_withdrawn", thing) == (Code.FIELD_MISSING, "data.object.payment_intent")


def test_an_invoice_brings_the_names_of_its_payments_together() -> None:
    payments = {"data": [{"payment": {"payment_intent": "pi_1"}}, {"payment": {"charge": "ch_1"}}]}

    names = came("invoice.paid", invoice(payments=payments)).payment_names

    assert names[1:] == ("stripe:pi_1", "stripe:ch_1")


@pytest.mark.parametrize(
    ("event_type", "thing", "names"),
    [
        ("charge.succeeded", charge(), ("stripe:ch_1", "stripe:pi_1")),
        ("charge.captured", charge(), ("stripe:ch_1", "stripe:pi_1")),
        (
            "payment_intent.succeeded",
            {"id": "pi_1", "object": "payment_intent", "customer": "cus_1", "latest_charge": "ch_1"},
            ("stripe:pi_1", "stripe:ch_1"),
        ),
        (
            "invoice_payment.paid",
            {
                "id": "inpay_1",
                "object": "invoice_payment",
                "invoice": "in_1",
                "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
            },
            ("stripe:in_1", "stripe:pi_1"),
        ),
        ("charge.succeeded", charge(payment_intent=5), ()),
    ],
)
def test_what_moves_nothing_may_still_bring_the_names_of_a_payment_together(
    event_type: str, thing: dict[str, Any], names: tuple[str, ...]
) -> None:
    webhook = came(event_type, thing)
    assert only_unused(webhook) == Unused(reason=UnusedReason.TOPIC_UNUSED, field="type")
    assert webhook.payment_names == names


@pytest.mark.parametrize(
    "event_type",
    [
        "invoice.payment_succeeded",
        "charge.dispute.created",
        "customer.created",
        "payout.paid",
        "v2.core.account[identity].updated",
    ],
)
@pytest.mark.parametrize("thing", [{}, {"id": 5, "customer": [], "parent": 7}, charge()])
def test_any_other_event_is_ignored_whatever_is_in_it(event_type: str, thing: dict[str, Any]) -> None:
    webhook = came(event_type, thing)
    assert only_unused(webhook) == Unused(reason=UnusedReason.TOPIC_UNUSED, field="type")
    assert (webhook.name, webhook.payment_names) == (None, ())


@pytest.mark.parametrize(
    ("event_type", "thing"),
    [
        ("invoice.paid", invoice()),
        ("checkout.session.completed", session()),
        ("charge.refunded", charge()),
        ("charge.dispute.funds_withdrawn", dispute()),
        ("refund.failed", stripe_refund(status="failed")),
    ],
)
def test_test_mode_counts_only_where_test_orders_count(event_type: str, thing: dict[str, Any]) -> None:
    unused = only_unused(came(event_type, thing, livemode=False))
    assert unused == Unused(reason=UnusedReason.TEST_ORDER, field="livemode", reference_id=thing["id"])
    counting = SourceTerms(credits_by_price=TERMS.credits_by_price, count_test_orders=True)
    if event_type != "refund.failed":
        assert came(event_type, thing, counting, livemode=False).parts == came(event_type, thing).parts


def thin(event_type: str, **fields: Any) -> dict[str, Any]:
    """Return a thin event, which names its object and holds nothing of it."""
    return {
        "id": "evt_test_65",
        "object": "v2.core.event",
        "type": event_type,
        "livemode": True,
        "created": "2026-10-17T06:20:52.246Z",
        "related_object": {"id": "in_1", "type": "invoice", "url": "/v1/invoices/in_1"},
        **fields,
    }


@pytest.mark.parametrize(
    "event",
    [
        thin("v1.invoice.paid"),
        thin("v1.checkout.session.completed"),
        thin("v1.charge.refunded"),
        thin("v1.charge.dispute.funds_withdrawn"),
        thin("invoice.paid"),
        thin("v1.invoice.paid", object="event"),
        thin("v1.refund.failed", object=None),
        thin("v1.invoice.paid", object="v2.core.event_notification"),
        thin("v1.invoice.paid", data={"object": invoice()}),
    ],
)
def test_a_thin_event_of_credits_is_parked_since_it_holds_none(event: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        read(event, TERMS)
    assert (caught.value.code, caught.value.field) == (Code.FIELD_MISSING, "data.object")
    assert "snapshot" in caught.value.message


def test_any_other_thin_event_is_ignored() -> None:
    for event_type in ("v1.billing.meter.error_report_triggered", "v1.customer.created", "v2.core.account.closed"):
        assert only_unused(read(thin(event_type), TERMS)).reason is UnusedReason.TOPIC_UNUSED
    assert only_unused(read(thin("v1.invoice.paid", livemode=False), TERMS)).reason is UnusedReason.TEST_ORDER


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"type": None}, "type"),
        ({"type": "Invoice Paid"}, "type"),
        ({"type": 5}, "type"),
        ({"livemode": "no"}, "livemode"),
        ({"data": None}, "data.object.id"),
        ({"data": {"object": 5}}, "data.object"),
    ],
)
def test_what_decides_of_an_event_is_strict(event: dict[str, Any], field: str) -> None:
    with pytest.raises(Rejected) as caught:
        came("invoice.paid", invoice(), **event)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("event_type", "thing"),
    [
        ("checkout.session.completed", session(metadata={"credits": "5", "merchant_id": MERCHANT.upper()})),
        (
            "invoice.paid",
            invoice(parent={"subscription_details": {"subscription": "s", "metadata": {"merchant_id": MERCHANT}}}),
        ),
        ("invoice.paid", invoice(old=True, subscription_details={"metadata": {"merchant_id": MERCHANT}})),
        ("invoice.paid", invoice(old=True, subscription={"id": "s", "metadata": {"merchant_id": MERCHANT}})),
        ("charge.refunded", charge(metadata={"merchant_id": MERCHANT})),
        ("charge.dispute.funds_withdrawn", dispute(charge={"id": "ch_1", "metadata": {"merchant_id": MERCHANT}})),
    ],
)
def test_metadata_may_name_the_merchant(event_type: str, thing: dict[str, Any]) -> None:
    assert came(event_type, thing).merchant_id == MERCHANT


@pytest.mark.parametrize("old", [True, False])
def test_metadata_that_a_relay_in_php_made_a_list_is_empty(old: bool) -> None:
    body = invoice(line(old=old, metadata=[]), old=old, metadata=[])
    (body["subscription_details"] if old else body["parent"]["subscription_details"])["metadata"] = []
    assert paid(body) == paid(invoice(old=old))
    assert came("charge.refunded", charge(metadata=[])).parts == came("charge.refunded", charge()).parts
    assert refused("charge.refunded", charge(metadata=[1])) == (Code.FIELD_INVALID, "data.object.metadata")
    assert refused("invoice.paid", invoice(parent=[])) == (Code.FIELD_INVALID, "data.object.parent")


@pytest.mark.parametrize("old", [True, False])
def test_a_plan_may_have_any_text_as_its_id(old: bool) -> None:
    terms = SourceTerms(credits_by_price={"prémium": 7})
    assert [one["credits_used"] for one in paid(invoice(line("prémium", old=old), old=old), terms)] == [7]
    body = invoice(line(old=old), item("prémium", old=old), old=old)
    subscription = body["subscription_details"] if old else body["parent"]["subscription_details"]
    subscription["metadata"] = {"credits": "700"}
    assert [one["credits_used"] for one in paid(body)] == [700]
    field = "price" if old else "pricing"
    unknown = refused("invoice.paid", invoice(line("prémium", old=old), old=old))
    assert unknown == (Code.CREDITS_UNKNOWN, f"data.object.lines.data.0.{field}")


@pytest.mark.parametrize("value", ["42", "", None, 7, {"a": 1}, "x" * 300, "0" * 32])
def test_metadata_that_names_no_uuid_names_no_merchant(value: Any) -> None:
    webhook = came("checkout.session.completed", session(metadata={"credits": "5", "merchant_id": value}))
    assert (webhook.merchant_id, webhook.name) == (None, "stripe:cus_1")


def test_metadata_that_names_two_merchants_is_poison() -> None:
    body = invoice(metadata={"merchant_id": OTHER}, subscription_details={"metadata": {"merchant_id": MERCHANT}})
    assert refused("invoice.paid", body) == (Code.ENVELOPE_AMBIGUOUS, "data.object.metadata.merchant_id")


def test_a_customer_may_be_an_account() -> None:
    body = session(customer=None, customer_account="acct_1")
    assert came("checkout.session.completed", body).name == "stripe:acct_1"
    assert came("checkout.session.completed", session(customer=None)).name is None

"""Events of payments that go back: their three forms, what is poison, and what is published and told of them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.contracts.api.story import story_of
from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.contracts.outbound.payloads import PaymentReversed
from chalicelib.contracts.outbound.published import transaction_event
from chalicelib.domain.derivation import Excerpt
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.movements import Movement
from chalicelib.domain.orders import Policy
from tests.support.builders import NOON, READ_AT, SHOP, adjustment, dispute, dispute_won, payment, reversal, trial
from tests.support.fakes import FakeLedger, settle

TERMS = Terms(trial_credits=100, policy=Policy())
REFUNDED, DISPUTED, WON = (f"evt.billing.payment_{what}" for what in ("refunded", "disputed", "dispute_won"))


def read(event_type: str, terms: Terms = TERMS, **payload: Any) -> Movement:
    body = json.dumps({"event_type": event_type, "payload": {"merchant_id": SHOP, **payload}})
    [movement] = read_event(body, terms, now=READ_AT).movements
    return movement


@pytest.mark.parametrize(
    ("event_type", "payload", "movement"),
    [
        (REFUNDED, {"payment_id": "p1", "reversal_id": "r1", "credits": 5}, reversal(credits_back=5)),
        (
            REFUNDED,
            {"payment_id": "p1", "reversal_id": "r1", "amount": "2.50", "payment_total": 10},
            reversal(amount="2.5", payment_total="10"),
        ),
        (
            REFUNDED,
            {"payment_id": "p1", "amount_refunded": "10.00", "payment_total": "30.00"},
            reversal(refunded="10", payment_total="30"),
        ),
        (
            REFUNDED,
            {"payment_id": "p1", "reversal_id": "r1", "amount_refunded": 10, "payment_total": 30, "credits": None},
            reversal(refunded="10", payment_total="30"),
        ),
        (
            REFUNDED,
            {"payment_id": "p1", "reversal_id": "r1", "credits": 5, "payment_total": "9"},
            reversal(credits_back=5),
        ),
        (DISPUTED, {"payment_id": "p1", "dispute_id": "d1"}, dispute()),
        (WON, {"payment_id": "p1", "dispute_id": "d1"}, dispute_won()),
    ],
    ids=["credits", "amount", "cumulative", "cumulative with an id", "an idle total", "disputed", "won"],
)
def test_an_event_becomes_its_movement(event_type: str, payload: dict[str, Any], movement: Movement) -> None:
    assert read(event_type, **payload) == movement


def test_what_is_not_owed_is_forgiven() -> None:
    forgiving = replace(TERMS, debt_owed=False)
    assert read(DISPUTED, forgiving, payment_id="p1", dispute_id="d1") == dispute(owed=False)


@pytest.mark.parametrize(
    ("payload", "code", "field"),
    [
        ({}, Code.FIELD_MISSING, "payload.amount_refunded"),
        ({"credits": 5}, Code.FIELD_MISSING, "payload.reversal_id"),
        ({"amount": "1", "payment_total": "2"}, Code.FIELD_MISSING, "payload.reversal_id"),
        ({"reversal_id": "r", "amount": "1"}, Code.TOTAL_MISSING, "payload.payment_total"),
        ({"amount_refunded": "1"}, Code.TOTAL_MISSING, "payload.payment_total"),
        (
            {"reversal_id": "r", "credits": 5, "amount": "1", "payment_total": "2"},
            Code.REFUND_AMBIGUOUS,
            "payload.amount",
        ),
        (
            {"amount_refunded": "1", "amount": "1", "payment_total": "2", "reversal_id": "r"},
            Code.REFUND_AMBIGUOUS,
            "payload.amount_refunded",
        ),
        ({"reversal_id": "r", "credits": 0}, Code.CREDITS_INVALID, "payload.credits"),
        ({"reversal_id": "r", "credits": "5"}, Code.CREDITS_INVALID, "payload.credits"),
        ({"amount_refunded": "1,000", "payment_total": "2"}, Code.FIELD_INVALID, "payload.amount_refunded"),
        ({"amount_refunded": "1", "payment_total": "0"}, Code.FIELD_INVALID, "payload.payment_total"),
        ({"amount_refunded": -1, "payment_total": "2"}, Code.FIELD_INVALID, "payload.amount_refunded"),
    ],
    ids=str,
)
def test_what_has_not_exactly_one_form_is_poison(payload: dict[str, Any], code: Code, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        read(REFUNDED, payment_id="p1", **payload)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize("event_type", [DISPUTED, WON])
@pytest.mark.parametrize("missing", ["payment_id", "dispute_id"])
def test_a_dispute_without_its_ids_is_poison(event_type: str, missing: str) -> None:
    payload = {"payment_id": "p1", "dispute_id": "d1"}
    del payload[missing]
    with pytest.raises(Rejected, match=missing):
        read(event_type, TERMS, **payload)


@pytest.fixture
def owing() -> FakeLedger:
    store = FakeLedger()
    for movement in (trial(0), payment("in_1", 30), adjustment("spend", -20), dispute("in_1", "dp_1")):
        settle(store, [movement], now=NOON)
    return store


def test_a_reversal_is_published_with_what_it_made_the_shop_owe(owing: FakeLedger) -> None:
    settle(owing, [dispute_won("in_1", "dp_1"), reversal("in_1", "r1", credits_back=1)], now=NOON)
    events = [transaction_event(transaction) for transaction in owing.history(SHOP)[3:]]
    assert events[2] is None, "a repayment publishes nothing"
    payloads = [event.payload for event in events if event]
    assert all(isinstance(payload, PaymentReversed) for payload in payloads)
    assert [(p.amount, p.debt, p.payment_id, p.reason) for p in payloads if isinstance(p, PaymentReversed)] == [
        (-10, 20, "in_1", "disputed"),
        (30, 0, "in_1", "dispute_won"),
        (-1, 0, "in_1", "refunded"),
    ]


def test_the_story_tells_support_what_went_back_and_what_is_owed(owing: FakeLedger) -> None:
    story = story_of(owing.accounts[SHOP], Excerpt(owing.history(SHOP), complete=True))
    assert story.because == "Payment in_1 was disputed (dp_1): of 30 credits, 10 taken back, 20 are owed."
    assert story.remedy is not None
    assert story.remedy.startswith("The shop owes 20 credits.")
    assert story.since_then is None, "no order was short"
    settle(owing, [dispute_won("in_1", "dp_1")], now=NOON)
    told = story_of(owing.accounts[SHOP], Excerpt(owing.history(SHOP), complete=True)).chapters
    assert [chapter.sentence.split(". ")[0] for chapter in told[-2:]] == [
        "Dispute dp_1 of payment in_1 was won: 30 credits came back",
        "Of it, 20 credits paid what was owed",
    ]

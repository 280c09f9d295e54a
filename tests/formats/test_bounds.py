"""Everything that is kept has a bound: the longest that an event may say makes items of a known size at the most."""

import json
from typing import Any

import pytest

from chalicelib.adapters.dynamodb.items import account_item, transaction_item
from chalicelib.contracts.api import answers
from chalicelib.contracts.api.dead_letters import ANSWER_BYTES_MAX, answer_bytes
from chalicelib.contracts.api.pages import LIMIT_MAX
from chalicelib.contracts.decoding import read_object
from chalicelib.contracts.inbound.events import read_event
from chalicelib.contracts.inbound.messages import Message
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.orders import CREDITS_MAX, Basis, Policy
from tests.support.builders import NOON, READ_AT, SHOP, trial
from tests.support.events import sqs_record
from tests.support.fakes import FakeLedger, settle

RECORD_BYTES = 3_000
ACCOUNT_BYTES = 2_000
ID, REASON, MONEY = "i" * 64, "r" * 500, "9" * 16 + "." + "9" * 16
BULK = {"note": "x" * 100_000, "customer": {"email": "y" * 10_000}}
TERMS = Terms(trial_credits=100, policy=Policy(basis=Basis.TOTAL))


def body(event_type: str, **payload: Any) -> str:
    return json.dumps(
        {
            "event_id": ID,
            "event_type": event_type,
            "correlation_id": ID,
            "idempotency_key": "k" * 255,
            "timestamp": "2025-06-01T12:00:00.123456+02:00",
            "metadata": BULK,
            "payload": {"merchant_id": SHOP, **BULK, **payload},
        }
    )


LONGEST: dict[str, dict[str, Any]] = {
    "evt.shopify.webhook.order_paid": {"order_items": [{"order_id": ID, "title": "z" * 900}] * 500, "total": MONEY},
    "evt.billing.payment_succeeded": {"payment_id": ID, "credits": CREDITS_MAX},
    "evt.subscription.renewed": {"subscription_id": ID, "credits_used": CREDITS_MAX},
    "evt.credits.manual_adjustment": {
        "adjustment_id": ID,
        "operation_type": "INCREASE",
        "credits": CREDITS_MAX,
        "reason": REASON,
        "admin_id": ID,
    },
}


@pytest.mark.parametrize("event_type", LONGEST)
def test_the_longest_event_makes_a_record_and_an_account_of_bounded_size(event_type: str) -> None:
    ledger = FakeLedger()
    settle(ledger, [trial()], now=NOON)
    settle(ledger, read_event(body(event_type, **LONGEST[event_type]), TERMS, now=READ_AT).movements, now=NOON)

    [_, record] = ledger.history(SHOP)
    assert len(json.dumps(transaction_item(record))) < RECORD_BYTES
    assert len(json.dumps(account_item(ledger.accounts[SHOP]))) < ACCOUNT_BYTES


def test_the_longest_refund_makes_a_record_of_bounded_size() -> None:
    ledger = FakeLedger()
    [order] = read_event(body("evt.shopify.webhook.order_paid", order_id=ID, total=MONEY), TERMS, now=READ_AT).movements
    refund = {"order_id": ID, "refund_id": ID, "refund_amount": MONEY, "order_total": MONEY}
    [refunded] = read_event(body("evt.shopify.webhook.order_refunded", **refund), TERMS, now=READ_AT).movements
    settle(ledger, [trial(), order, refunded], now=NOON)

    assert all(len(json.dumps(transaction_item(record))) < RECORD_BYTES for record in ledger.history(SHOP))


def test_a_page_of_the_longest_records_fits_into_one_answer_of_lambda() -> None:
    ledger = FakeLedger()
    longest = LONGEST["evt.credits.manual_adjustment"] | {"reason": "😀" * 500, "operation_type": "INCREASE"}
    settle(ledger, [trial()], now=NOON)
    settle(ledger, read_event(body("evt.credits.manual_adjustment", **longest), TERMS, now=READ_AT).movements, now=NOON)
    [_, record] = ledger.history(SHOP)

    row = answers.Transaction.of(record).model_dump_json()
    assert answer_bytes(row) * LIMIT_MAX < ANSWER_BYTES_MAX / 2


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_what_nests_too_deep_is_no_json_and_harms_nothing(pair: tuple[str, str]) -> None:
    opening, closing = pair
    for depth in (1_000, 100_000):
        with pytest.raises(Rejected) as caught:
            read_object('{"x":' + opening * depth + ("" if opening == "[" else "1") + closing * depth + "}")
        assert caught.value.code is Code.NOT_JSON


def test_a_letter_holds_a_reason_of_bounded_length_and_fewer_attributes_than_a_message_may_have() -> None:
    record = sqs_record(
        body("evt.billing.payment_succeeded"), origin="nats", subject="s", ce_type="c", cloud_event="{}"
    )
    record["messageAttributes"]["redriven"] = {"stringValue": "9" * 300, "dataType": "String"}

    attributes = Message.from_record(record).parked(code="c", reason="r" * 5_000, field="f")
    assert len(attributes) < 10
    message = {
        "MessageId": "m1",
        "ReceiptHandle": "h1",
        "Body": "{}",
        "Attributes": {"SentTimestamp": "1748779200000"},
        "MessageAttributes": {"code": {"StringValue": "c"}, "redriven": {"StringValue": "9" * 300}},
    }
    assert Letter.from_message(message, Parking.INBOX).redriven == 0

"""What never stops a movement: fields that move nothing, whatever is in them (contract, section 11)."""

import json
import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.inbound.events import Event, read_event
from chalicelib.contracts.inbound.payloads import IgnoredReason, Terms
from chalicelib.contracts.inbound.renewals import period_name
from chalicelib.domain.errors import Rejected
from chalicelib.domain.movements import FixedMovement, OrderMovement, RefundMovement
from chalicelib.domain.orders import Policy
from tests.support.builders import READ_AT, SHOP
from tests.support.timing import cpu_seconds

TERMS = Terms(trial_credits=100, policy=Policy())
PAID = "evt.shopify.webhook.order_paid"
RENEWED = "evt.subscription.renewed"
REFUNDED = "evt.shopify.webhook.order_refunded"
ORDER = {"merchant_id": SHOP, "order_id": 1}
NIL = "00000000-0000-0000-0000-000000000000"
UNREADABLE: list[Any] = [True, [], {}, ["x"], {"a": 1}, "ß", "x" * 256, "a\nb", 1.5]


def read(event_type: str, payload: dict[str, Any], terms: Terms = TERMS, **envelope: Any) -> Event:
    body = {"event_type": event_type, "payload": payload, **envelope}
    return read_event(json.dumps(body), terms, now=READ_AT)


@pytest.mark.parametrize("name", ["event_id", "correlation_id", "idempotency_key", "timestamp", "occurred_at"])
@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
def test_an_unreadable_field_that_moves_nothing_is_dropped_and_named(name: str, value: Any) -> None:
    event = read(PAID, ORDER, **{name: value})

    assert len(event.movements) == 1
    if not (value == 1.5 and name in ("timestamp", "occurred_at")):
        assert event.dropped == (name,)
    assert event.movements[0].correlation_id is None


@pytest.mark.parametrize("name", ["event_id", "correlation_id", "idempotency_key", "timestamp", "metadata"])
@pytest.mark.parametrize("value", [None, "", NIL])
def test_an_empty_field_is_absent_and_nothing_was_dropped(name: str, value: Any) -> None:
    event = read(PAID, ORDER, **{name: value})

    assert (len(event.movements), event.dropped, event.correlation_id) == (1, (), None)


@pytest.mark.parametrize("nil", [NIL, NIL.replace("-", "")])
def test_a_uuid_that_was_never_set_names_nothing(nil: str) -> None:
    payload = {"merchant_id": SHOP, "subscription_id": "s", "credits": 5, "renewal_id": nil, "aliases": [nil]}
    [renewal] = read(RENEWED, {**payload, "period_start": "2026-11-01"}, event_id="e1", idempotency_key=nil).movements
    assert (renewal.key, renewal.other_keys) == ("SUBSCRIPTION_RENEWAL_s_1793491200000", ())
    for event_id in ("e1", nil):
        with pytest.raises(Rejected) as raised:
            read(RENEWED, payload, event_id=event_id, idempotency_key=nil)
        assert raised.value.code == "period_missing"

    assert read(PAID, {"merchant_id": nil, "identifiers": {"merchant_id": SHOP}, "order_id": 1}).movements
    with pytest.raises(Rejected) as raised:
        read("evt.merchant.created", {"merchant_id": nil})
    assert raised.value.code == "field_missing"


@pytest.mark.parametrize("nil", [NIL, NIL.replace("-", "")])
@pytest.mark.parametrize(
    ("event_type", "payload", "name"),
    [
        (PAID, {}, "order_id"),
        (PAID, {"order_items": [{"order_id": 1}, {}]}, "order_items.1.order_id"),
        (REFUNDED, {}, "order_id"),
        ("evt.billing.payment_succeeded", {"credits": 5}, "payment_id"),
        ("evt.billing.payment_refunded", {"credits": 5, "reversal_id": "r"}, "payment_id"),
        ("evt.billing.payment_refunded", {"credits": 5, "payment_id": "p"}, "reversal_id"),
        ("evt.billing.payment_disputed", {"payment_id": "p"}, "dispute_id"),
        ("evt.billing.payment_dispute_won", {"payment_id": "p"}, "dispute_id"),
        (RENEWED, {"renewal_id": "r", "credits": 5}, "subscription_id"),
        ("evt.credits.manual_adjustment", {"operation_type": "INCREASE", "credits": 5}, "adjustment_id"),
    ],
)
def test_a_uuid_that_was_never_set_names_no_fact(event_type: str, payload: dict[str, Any], name: str, nil: str) -> None:
    body = json.loads(json.dumps({"merchant_id": SHOP, **payload}))
    *path, last = name.split(".")
    place = body
    for part in path:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = nil
    with pytest.raises(Rejected) as raised:
        read(event_type, body)

    assert (raised.value.code, raised.value.field) == ("field_missing", f"payload.{name}")


@pytest.mark.parametrize("nil", [NIL, NIL.replace("-", "")])
def test_a_refund_whose_uuid_was_never_set_has_no_id(nil: str) -> None:
    [refund] = read(REFUNDED, {**ORDER, "refund_id": nil}).movements
    assert refund.key == "SHOPIFY_REFUND_ORDER_1"
    cumulative = {"payment_id": "p", "reversal_id": nil, "amount_refunded": "5", "payment_total": "10"}
    [reversal] = read("evt.billing.payment_refunded", {"merchant_id": SHOP, **cumulative}).movements
    assert reversal.key == "BILLING_REVERSAL_p_TO_5"


@pytest.mark.parametrize("code", ["XXX", "xxx"])
def test_the_code_for_no_currency_is_none(code: str) -> None:
    event = read(PAID, {**ORDER, "currency": code})

    assert ("currency" in event.movements[0].metadata, event.dropped) == (False, ("currency",))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_metadata_and_no_currency_ever_stops_an_order(value: Any) -> None:
    body = {"event_type": PAID, "metadata": value, "payload": {**ORDER, "currency": value}}
    text = json.dumps(body)
    if "NaN" not in text and "Infinity" not in text:
        assert len(read_event(text, TERMS, now=READ_AT).movements) == 1


@pytest.mark.parametrize(
    ("given_time", "kept"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000Z"),
        ("2026-11-20t10:00:00.1234567z", "2026-11-20T10:00:00.123Z"),
        ("2026-11-20T10:00:00-05:00", "2026-11-20T15:00:00.000Z"),
        ("2026-11-20 10:00:00+0530", "2026-11-20T04:30:00.000Z"),
        (" 2026-11-20T10:00\n", "2026-11-20T10:00:00.000Z"),
        ("2026-11-20", "2026-11-20T00:00:00.000Z"),
        (1793491200, "2026-11-01T00:00:00.000Z"),
        (1793491200.5, "2026-11-01T00:00:00.500Z"),
        (1793491200123, "2026-11-01T00:00:00.123Z"),
        ("2026-11-29T11:59:59Z", "2026-11-29T11:59:59.000Z"),
        ("2026-11-29T12:00:01Z", None),
        ("1999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("1793491200", None),
        ("20261120", None),
        ("2026-W47-5", None),
        ("2026-11-31", None),
        (0, None),
        (-1, None),
        (10**30, None),
        (True, None),
    ],
)
def test_a_time_is_read_in_many_spellings_or_is_none(given_time: Any, kept: str | None) -> None:
    assert read(PAID, ORDER, timestamp=given_time).movements[0].occurred_at == kept


def test_a_time_without_an_offset_is_utc_wherever_the_service_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert period_name("2026-11-01") == "1793491200000"
        assert read(PAID, ORDER, timestamp="2026-11-20").movements[0].occurred_at == "2026-11-20T00:00:00.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_time_that_cannot_be_read_does_not_hide_the_fields_other_name() -> None:
    event = read(PAID, ORDER, timestamp="yesterday", occurred_at="2026-11-20T10:00:00Z")

    assert event.movements[0].occurred_at == "2026-11-20T10:00:00.000Z"


def test_a_correlation_id_has_up_to_255_characters_and_is_never_cut() -> None:
    assert read(PAID, ORDER, correlation_id="y" * 255).movements[0].correlation_id == "y" * 255
    assert read(PAID, ORDER, correlation_id="y" * 256).movements[0].correlation_id is None


@pytest.mark.parametrize(
    "identifiers", [None, {}, [], "", {"merchant_id": ""}, {"merchant_id": None}, {"merchant_id": NIL}]
)
def test_empty_identifiers_name_nobody(identifiers: Any) -> None:
    assert len(read(PAID, {**ORDER, "identifiers": identifiers}).movements) == 1


@pytest.mark.parametrize("name", ["order_items", "refunds"])
def test_an_empty_list_beside_an_order_is_absent(name: str) -> None:
    for event_type in (PAID, "evt.order.updated", "evt.shopify.webhook.order_refunded"):
        assert len(read(event_type, {**ORDER, name: []}).movements) == 1


@pytest.mark.parametrize(
    "spelling", [5210499102, "5210499102", "gid://shopify/Order/5210499102", "gid://shopify/Order/5210499102?a=b"]
)
def test_one_order_is_one_key_in_each_of_its_spellings(spelling: Any) -> None:
    [order] = read(PAID, {"merchant_id": SHOP, "order_id": spelling}).movements
    [refund] = read(
        "evt.shopify.webhook.order_refunded",
        {"merchant_id": SHOP, "order_id": spelling, "refund_id": "gid://shopify/Refund/9"},
    ).movements

    assert order.key == "SHOPIFY_ORDER_5210499102"
    assert isinstance(refund, RefundMovement)
    assert (refund.key, refund.order_id) == ("SHOPIFY_REFUND_9", "5210499102")


@pytest.mark.parametrize("name", ["total", "order_total", "total_price"])
def test_the_total_has_three_names(name: str) -> None:
    [order] = read(PAID, {**ORDER, name: "12.50"}).movements

    assert isinstance(order, OrderMovement)
    assert str(order.total) == "12.50"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"financial_status": "pending"}, IgnoredReason.ORDER_NOT_PAID),
        ({"financial_status": "VOIDED"}, IgnoredReason.ORDER_NOT_PAID),
        ({"financial_status": "authorized", "cancelled_at": None}, IgnoredReason.ORDER_NOT_PAID),
        ({"test": True}, IgnoredReason.TEST_ORDER),
        ({"test": "true"}, IgnoredReason.TEST_ORDER),
        ({"order_items": [{"test": True}]}, IgnoredReason.TEST_ORDER),
        ({"financial_status": "paid", "test": False}, None),
        ({"financial_status": "Partially_Refunded"}, None),
        ({"financial_status": None, "test": None}, None),
        ({"financial_status": ""}, None),
        ({"cancelled_at": "2026-11-01T10:00:00-05:00"}, None),
    ],
)
def test_an_order_that_nobody_paid_is_ignored_and_nothing_is_asked_for(
    fields: dict[str, Any], reason: IgnoredReason | None
) -> None:
    for event_type in (PAID, "evt.order.updated"):
        event = read(event_type, {**ORDER, **fields})

        assert [one.reason for one in event.ignored] == ([reason] if reason else [])
        assert len(event.movements) == (0 if reason else 1)


def test_test_orders_are_charged_where_the_setting_says_so() -> None:
    counting = Terms(trial_credits=100, policy=Policy(), count_test_orders=True)

    assert len(read(PAID, {**ORDER, "test": True}, counting).movements) == 1


def test_of_several_orders_each_is_ignored_or_asked_for_by_itself() -> None:
    orders = [{"order_id": 1}, {"order_id": 2, "test": True}, {"order_id": 3, "financial_status": "pending"}]
    event = read(PAID, {"merchant_id": SHOP, "order_items": orders})

    assert [one.reference_id for one in event.movements] == ["1"]
    assert [one.reference_id for one in event.ignored] == ["2", "3"]


@pytest.mark.parametrize(
    "spelling",
    [
        1793491200,
        "1793491200",
        1793491200000,
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:00:00.000Z",
        "2026-11-01T00:00:00+00:00",
        "2026-11-01T05:30:00+05:30",
        "2026-11-01",
        " 2026-11-01 ",
        "1793491200.0",
        1793491200.0,
    ],
)
def test_one_period_is_one_key_in_each_of_its_spellings(spelling: Any) -> None:
    payload = {"merchant_id": SHOP, "subscription_id": "s", "period_start": spelling, "credits": 5}

    assert read(RENEWED, payload).movements[0].key == "SUBSCRIPTION_RENEWAL_s_1793491200000"


SAME_MIDNIGHT = [
    "2026-11-01 00:00:00+00",
    "2026-11-01 00:00:00.000000+00",
    "2026-11-01T05:00:00+05",
    "2026-10-31 20:00:00-0400",
    "2026-11-01T05:30:00+05:30",
    "2026-11-01 00:00:00 UTC",
    "2026-11-01 00:00:00 +0000 UTC",
    "2026-11-01 05:30:00 +0530 +0530",
    "2026-11-01 01:00:00.000000001 +0100 CET",
    "2026-11-01T00:00:00Z[UTC]",
    "2026-11-01T01:00:00+01:00[Europe/Berlin]",
    "2026-11-01T00:00:00 GMT",
    "Sun, 01 Nov 2026 00:00:00 GMT",
    "Sun, 1 Nov 2026 01:00:00 +0100",
    "01 Nov 2026 00:00:00 -0000",
    "20261101T000000Z",
    "20261101T0000Z",
    "20261101T020000.000+0200",
    "20261101t000000",
    "2026-11-01T00:00:00.000000000000Z",
    " 2026-11-01T00:00:00Z ",
]


@pytest.mark.parametrize("spelling", SAME_MIDNIGHT)
def test_an_instant_is_the_same_as_databases_and_languages_write_it(spelling: str) -> None:
    assert period_name(spelling) == "1793491200000"
    assert read(PAID, {**ORDER, "updated_at": spelling}).dropped == ()
    assert read(PAID, ORDER, timestamp=spelling).movements[0].occurred_at == "2026-11-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "start", ["2026-11-01 ", "20261101T000000", "2026-11-01T00:00:00.", "Sun, ", "Nov ", "1", "[", " "]
)
def test_a_long_text_is_no_time_at_once(start: str) -> None:
    for end in ("0", " ", "+", "A", "]", start):
        long = start + end * 20_000
        assert cpu_seconds(partial(read, PAID, ORDER, timestamp=long)) < 1


@pytest.mark.parametrize(
    "opaque",
    [
        "2026-11",
        "period-7",
        "v1.2.10",
        "2026-11-01_2026-12-01",
        "november 2026",
        "in_2",
        "12345",
        "20261101",
        "november",
        "2026-W45-1",
        "9" * 17,
        "2026-02-30",
        "11/01/2026",
        "Nov 1, 2026",
        "2026-11-01 00:00:00 CET",
    ],
)
def test_what_is_no_instant_is_an_opaque_period(opaque: str) -> None:
    assert period_name(opaque) == opaque


UNSET_TIMES: list[Any] = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00",
    "0001-01-01 00:00:00+00",
    "0000-12-31T23:06:32-00:53",
    "0000-00-00 00:00:00",
    "0000-00-00",
    "00010101T000000Z",
    "-62135596800",
    "-62135596800.0",
    -62135596800,
    -62135596800.0,
    -62135596800000,
    "1970-01-01T00:00:00Z",
    "1970-01-01",
    "0",
    "0.0",
    0,
    0.0,
]
"""What languages and databases write for a time that was never set."""


@pytest.mark.parametrize("unset", UNSET_TIMES)
def test_a_period_that_its_sender_never_set_is_none(unset: Any) -> None:
    payload = {"merchant_id": SHOP, "subscription_id": "s", "period_start": unset, "credits": 5}
    [renewal] = read(RENEWED, {**payload, "renewal_id": "in_1"}).movements
    assert (renewal.key, renewal.other_keys) == ("SUBSCRIPTION_RENEWAL_s_in%5F1", ())
    assert read(RENEWED, payload, idempotency_key="k1").movements[0].key == "SUBSCRIPTION_RENEWAL_s_k1"
    with pytest.raises(Rejected, match="renewal_id"):
        read(RENEWED, payload)


def test_a_delivery_id_is_no_period() -> None:
    payload = {"merchant_id": SHOP, "subscription_id": "s", "credits": 5}
    with pytest.raises(Rejected, match="renewal_id") as raised:
        read(RENEWED, payload, event_id="e1", idempotency_key="e1")

    assert raised.value.code == "period_missing"
    assert read(RENEWED, payload, event_id="e1", idempotency_key="k1").movements[0].key.endswith("_k1")


def test_a_renewal_without_a_period_is_that_of_its_month_where_the_setting_says_so() -> None:
    terms = Terms(trial_credits=100, policy=Policy(), month_as_period=True)
    payload = {"merchant_id": SHOP, "subscription_id": "s", "credits": 5}
    [own] = read(RENEWED, payload, terms, timestamp="2026-11-17T10:00:00Z").movements

    assert own.key == "SUBSCRIPTION_RENEWAL_s_1793491200000"
    with pytest.raises(Rejected):
        read(RENEWED, payload, terms)


CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "type": PAID,
    "source": "shop",
    "time": "2026-11-20T10:00:00Z",
    "data": ORDER,
}


def test_a_cloud_event_is_an_envelope_too() -> None:
    event = read_event(json.dumps(CLOUD_EVENT), TERMS, now=READ_AT)
    wrapped = read_event(json.dumps({"detail-type": PAID, "detail": CLOUD_EVENT}), TERMS, now=READ_AT)
    named = {**CLOUD_EVENT, "subject": SHOP, "data": {"order_id": 1}}
    ours = {**CLOUD_EVENT, "data": {"event_type": PAID, "payload": ORDER, "correlation_id": "c"}}

    assert event.movements == wrapped.movements == read_event(json.dumps(named), TERMS, now=READ_AT).movements
    assert event.movements[0].occurred_at == "2026-11-20T10:00:00.000Z"
    assert read_event(json.dumps(ours), TERMS, now=READ_AT).movements[0].correlation_id == "c"


@pytest.mark.parametrize(
    ("changes", "subject", "code"),
    [
        ({"data": "text"}, None, "field_missing"),
        ({"data": None, "data_base64": "e30="}, None, "field_missing"),
        ({"type": 5}, None, "field_invalid"),
        ({"event_type": "evt.merchant.created"}, None, "envelope_ambiguous"),
        ({"data": {"event_type": "evt.merchant.created", "payload": ORDER}}, None, "envelope_ambiguous"),
        ({}, "evt.order.updated", "type_contradicts_subject"),
        ({"type": "evt.any"}, None, "unknown_event_type"),
    ],
)
def test_a_bad_cloud_event_is_poison(changes: dict[str, Any], subject: str | None, code: str) -> None:
    with pytest.raises(Rejected) as raised:
        read_event(json.dumps({**CLOUD_EVENT, **changes}), TERMS, now=READ_AT, subject=subject)

    assert raised.value.code == code


def test_a_bare_payload_takes_the_subject_it_came_on_as_its_type() -> None:
    assert len(read_event(json.dumps(ORDER), TERMS, now=READ_AT + timedelta(days=1), subject=PAID).movements) == 1


HEADERS = {"id": "1", "time": "2026-11-20T10:00:00Z", "subject": SHOP, "correlationid": "c1"}


@pytest.mark.parametrize(
    "body",
    [
        {"order_id": 1},
        {"merchant_id": SHOP, "order_id": 1},
        {"event_type": PAID, "payload": ORDER},
        {"payload": ORDER, "timestamp": None, "correlation_id": ""},
    ],
)
def test_the_headers_of_a_cloud_event_speak_where_its_body_does_not(body: dict[str, Any]) -> None:
    [order] = read_event(json.dumps(body), TERMS, now=READ_AT, subject=PAID, headers=HEADERS).movements

    assert (order.merchant_id, order.occurred_at) == (SHOP, "2026-11-20T10:00:00.000Z")
    assert order.correlation_id == "c1"


def test_a_body_speaks_before_the_headers() -> None:
    other = "4f1c6f0e-7c7b-4b5e-8a53-90b1d3f2a601"
    body = {"event_type": PAID, "correlation_id": "own", "payload": {**ORDER, "merchant_id": other}}
    [order] = read_event(json.dumps(body), TERMS, now=READ_AT, subject=PAID, headers=HEADERS).movements

    assert (order.merchant_id, order.correlation_id) == (other, "own")


def test_a_delivery_id_in_a_header_is_no_period_either() -> None:
    payload = {"merchant_id": SHOP, "subscription_id": "s", "credits": 5}
    body = {"idempotency_key": "1", "payload": payload}
    with pytest.raises(Rejected) as raised:
        read_event(json.dumps(body), TERMS, now=READ_AT, subject=RENEWED, headers=HEADERS)

    assert raised.value.code == "period_missing"


def test_a_null_is_no_second_body() -> None:
    for body in (
        {"event_type": PAID, "payload": ORDER, "data": None},
        {"event_type": PAID, "payload": None, "data": ORDER},
        {"detail-type": PAID, "detail": {**ORDER, "data": None}},
        {"detail-type": PAID, "detail": ORDER, "payload": None},
        {"detail": None, "event_type": PAID, "payload": ORDER},
    ):
        assert len(read_event(json.dumps(body), TERMS, now=READ_AT).movements) == 1


def test_a_key_that_cannot_be_read_is_not_dropped_where_it_is_the_renewals_only_name() -> None:
    terms = Terms(trial_credits=100, policy=Policy(), month_as_period=True)
    payload = {"merchant_id": SHOP, "subscription_id": "s", "credits": 5}
    with pytest.raises(Rejected) as raised:
        read(RENEWED, payload, terms, idempotency_key="k" * 256, timestamp="2026-11-17T10:00:00Z")

    assert (raised.value.code, raised.value.field) == ("field_invalid", "idempotency_key")
    assert len(read(RENEWED, {**payload, "renewal_id": "r"}, idempotency_key="k" * 256).movements) == 1


@pytest.mark.parametrize("spelling", ["1793491200.0", "1.7934912e9", "1793491200000.0"])
def test_a_period_may_be_a_number_with_a_point(spelling: str) -> None:
    payload = f'{{"merchant_id": "{SHOP}", "subscription_id": "s", "period_start": {spelling}, "credits": 5}}'
    body = f'{{"event_type": "{RENEWED}", "payload": {payload}}}'

    assert read_event(body, TERMS, now=READ_AT).movements[0].key == "SUBSCRIPTION_RENEWAL_s_1793491200000"


@pytest.mark.parametrize("unset", [0, "0"])
def test_a_renewal_whose_id_its_sender_left_at_zero_is_named_by_its_period(unset: object) -> None:
    payload = {"merchant_id": SHOP, "subscription_id": "s", "renewal_id": unset, "credits": 5}
    [movement] = read(RENEWED, {**payload, "period_start": "2026-11-01"}).movements
    assert (movement.key, movement.other_keys) == ("SUBSCRIPTION_RENEWAL_s_1793491200000", ())

    assert read(RENEWED, payload).movements[0].key == "SUBSCRIPTION_RENEWAL_s_0"


def test_an_empty_merchant_beside_one_in_the_identifiers_names_nobody() -> None:
    payload = {"merchant_id": "", "identifiers": {"merchant_id": SHOP}, "order_id": 1}

    assert read(PAID, payload).movements[0].merchant_id == SHOP
    with pytest.raises(Rejected) as raised:
        read(PAID, {"merchant_id": "", "order_id": 1})
    assert raised.value.code == "field_missing"


def test_a_renewal_keeps_a_time_too_far_ahead_for_the_comparison_only() -> None:
    payload = {"merchant_id": SHOP, "subscription_id": "s", "renewal_id": "r", "credits": 5}
    event = read(RENEWED, payload, timestamp="2027-01-01T00:00:00Z")

    assert event.dropped == ("timestamp",)
    assert isinstance(event.movements[0], FixedMovement)
    assert (event.movements[0].occurred_at, event.movements[0].ahead) == (None, "2027-01-01T00:00:00.000Z")


@pytest.mark.parametrize("empty", ["", None, NIL])
def test_an_empty_text_that_keys_nothing_is_none(empty: str | None) -> None:
    account = {"merchant_id": SHOP, "trial_id": empty, "credits_to_use": 5}
    assert read("evt.account.created", account).movements[0].reference_id == SHOP

    links = [{"name": "shopify:a.myshopify.com", "label": empty}]
    [link] = read("evt.merchant.created", {"merchant_id": SHOP, "links": links}).links
    assert link.label is None

"""Events that say themselves how many credits they ask for: what each of them becomes."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest

from chalicelib.contracts.inbound.events import INBOUND, read_event
from chalicelib.contracts.inbound.payloads import Terms
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.movements import FixedMovement, Kind, Movement
from chalicelib.domain.orders import Policy
from tests.support.builders import READ_AT

SHOP = MerchantId("0f8fad5b-d9cb-469f-a165-70867728950e")
TERMS = Terms(trial_credits=40, policy=Policy())
PAYMENT = "evt.billing.payment_succeeded"
RENEWED = "evt.subscription.renewed"
ADJUSTED = "evt.credits.manual_adjustment"


def movements_of(body: dict[str, Any]) -> tuple[Movement, ...]:
    return read_event(json.dumps(body), TERMS, now=READ_AT).movements


def movement_of(event_type: str, payload: dict[str, Any], **envelope: Any) -> Movement:
    [movement] = movements_of({"event_type": event_type, "payload": {"merchant_id": SHOP, **payload}, **envelope})
    return movement


def fixed(
    kind: Kind, credits_asked: int, key: str, reference_id: str, metadata: dict[str, str | int] | None = None
) -> FixedMovement:
    return FixedMovement(
        merchant_id=SHOP,
        key=key,
        reference_id=reference_id,
        kind=kind,
        credits=credits_asked,
        metadata=metadata or {},
        repeat_days=20 if kind is Kind.SUBSCRIPTION else None,
    )


@pytest.mark.parametrize(
    ("event_type", "payload", "expected"),
    [
        ("evt.merchant.created", {}, fixed(Kind.TRIAL, 40, "TRIAL_MERCHANT", SHOP)),
        (
            "evt.account.created",
            {"trial_id": "t1", "credits_to_use": 250},
            fixed(Kind.TRIAL, 250, "TRIAL_MERCHANT", "t1"),
        ),
        ("evt.account.created", {"credits_to_use": 1}, fixed(Kind.TRIAL, 1, "TRIAL_MERCHANT", SHOP)),
        (PAYMENT, {"payment_id": "p1", "credits": 50}, fixed(Kind.PAYMENT, 50, "BILLING_PAYMENT_p1", "p1")),
        (PAYMENT, {"payment_id": 77, "credits": 50}, fixed(Kind.PAYMENT, 50, "BILLING_PAYMENT_77", "77")),
        (
            PAYMENT,
            {"payment_id": "p1", "credits": 1_000_000_000},
            fixed(Kind.PAYMENT, 1_000_000_000, "BILLING_PAYMENT_p1", "p1"),
        ),
        (
            PAYMENT,
            {"payment_id": " ~" * 32, "credits": 1},
            fixed(Kind.PAYMENT, 1, "BILLING_PAYMENT_" + " ~" * 32, " ~" * 32),
        ),
        (
            RENEWED,
            {"subscription_id": "s1", "renewal_id": "r1", "credits_used": 30},
            fixed(Kind.SUBSCRIPTION, 30, "SUBSCRIPTION_RENEWAL_s1_r1", "s1", {"renewal_id": "r1"}),
        ),
        (
            RENEWED,
            {"subscription_id": 9, "renewal_id": 7, "period_start": "2025-06-01", "credits": 30, "credits_used": 30},
            replace(
                fixed(Kind.SUBSCRIPTION, 30, "SUBSCRIPTION_RENEWAL_9_7", "9", {"renewal_id": "7"}),
                other_keys=("SUBSCRIPTION_RENEWAL_9_1748736000000",),
            ),
        ),
        (
            ADJUSTED,
            {"adjustment_id": "a1", "operation_type": "INCREASE", "credits": 5},
            fixed(Kind.MANUAL_ADDED, 5, "MANUAL_ADJUSTMENT_a1", "a1"),
        ),
        (
            ADJUSTED,
            {
                "adjustment_id": 12,
                "operation_type": "DECREASE",
                "credits_used": 5,
                "credits_to_use": 5,
                "reason": "  a mistake, née déjà vu ",
                "admin_id": "admin-7",
            },
            fixed(
                Kind.MANUAL_REMOVED,
                5,
                "MANUAL_ADJUSTMENT_12",
                "12",
                {"reason": "a mistake, née déjà vu", "admin_id": "admin-7"},
            ),
        ),
        (
            ADJUSTED,
            {"adjustment_id": "a1", "operation_type": "INCREASE", "credits_to_use": 8},
            fixed(Kind.MANUAL_ADDED, 8, "MANUAL_ADJUSTMENT_a1", "a1"),
        ),
    ],
)
def test_an_event_becomes_its_movement(event_type: str, payload: dict[str, Any], expected: FixedMovement) -> None:
    movement = movement_of(event_type, payload)

    assert movement == expected
    assert movement.transaction_id == str(uuid5(UUID(SHOP), expected.key))


def test_every_type_of_the_contract_is_read_and_no_other() -> None:
    assert set(INBOUND) == {
        "evt.merchant.created",
        "evt.account.created",
        "evt.shopify.webhook.order_paid",
        "evt.order.updated",
        "evt.shopify.webhook.order_refunded",
        "evt.billing.payment_succeeded",
        "evt.billing.payment_refunded",
        "evt.billing.payment_disputed",
        "evt.billing.payment_dispute_won",
        "evt.subscription.renewed",
        "evt.credits.manual_adjustment",
    }


PAID_50 = {"payment_id": "p1", "credits": 50}
OF_SHOP = {"merchant_id": SHOP, **PAID_50}


@pytest.mark.parametrize(
    "body",
    [
        {"event_type": PAYMENT, "payload": OF_SHOP},
        {"event_type": PAYMENT, "data": OF_SHOP},
        {
            "event_id": "e1",
            "event_type": PAYMENT,
            "correlation_id": None,
            "idempotency_key": None,
            "timestamp": None,
            "metadata": {"version": 2},
            "payload": OF_SHOP,
        },
        {"detail-type": PAYMENT, "detail": OF_SHOP},
        {"detail-type": PAYMENT, "detail": {"event_type": PAYMENT, "payload": OF_SHOP}},
        {"detail-type": PAYMENT, "detail": {"payload": OF_SHOP}},
        {"detail-type": PAYMENT, "detail": {"data": OF_SHOP}},
        {"detail-type": PAYMENT, "event_type": PAYMENT, "detail": {"event_type": PAYMENT, "data": OF_SHOP}},
        {"event_type": PAYMENT, "payload": {**PAID_50, "identifiers": {"merchant_id": SHOP}}},
        {"event_type": PAYMENT, "payload": {**OF_SHOP, "identifiers": {"merchant_id": SHOP, "shop": "x"}}},
        {"event_type": PAYMENT, "payload": {**OF_SHOP, "identifiers": {"merchant_id": SHOP.upper()}}},
        {"event_type": PAYMENT, "payload": {**OF_SHOP, "identifiers": {}}},
        {"event_type": PAYMENT, "payload": {**OF_SHOP, "identifiers": None}},
        {"event_type": PAYMENT, "payload": {**PAID_50, "merchant_id": SHOP.upper()}},
        {"event_type": PAYMENT, "payload": {**PAID_50, "merchant_id": SHOP.replace("-", "")}},
        {"event_type": PAYMENT, "payload": {**PAID_50, "merchant_id": SHOP.upper().replace("-", "")}},
        {"event_type": PAYMENT, "payload": {**OF_SHOP, "email": "a@b.example", "nested": [{"deep": [1, None]}]}},
        {"event_type": PAYMENT, "payload": OF_SHOP, "extra": {"credits": "many"}},
    ],
)
def test_the_same_fact_in_any_shape_is_the_same_movement(body: dict[str, Any]) -> None:
    assert movements_of(body) == (fixed(Kind.PAYMENT, 50, "BILLING_PAYMENT_p1", "p1"),)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"timestamp": "2025-06-01T12:00:00.123Z"}, "2025-06-01T12:00:00.123Z"),
        ({"timestamp": "2025-06-01T12:00:00.123999+00:00"}, "2025-06-01T12:00:00.123Z"),
        ({"timestamp": "2025-06-01T14:00:00+02:00"}, "2025-06-01T12:00:00.000Z"),
        ({"timestamp": "2025-06-01T12:00:00"}, "2025-06-01T12:00:00.000Z"),
        ({"timestamp": "2025-06-01t12:00:00z"}, "2025-06-01T12:00:00.000Z"),
        ({"occurred_at": "2025-06-01T12:00:00Z"}, "2025-06-01T12:00:00.000Z"),
        ({"occurred_at": "2025-06-01T12:00:00Z", "timestamp": None}, "2025-06-01T12:00:00.000Z"),
        ({"occurred_at": "2024-01-01T12:00:00Z", "timestamp": "2025-06-01T12:00:00Z"}, "2025-06-01T12:00:00.000Z"),
        ({}, None),
    ],
)
def test_the_time_of_the_event_is_kept_in_utc_with_milliseconds(said: dict[str, Any], kept: str | None) -> None:
    assert movement_of(PAYMENT, PAID_50, **said).occurred_at == kept


def test_the_time_of_an_event_bridge_envelope_stands_in_where_the_platform_names_none() -> None:
    outer = {"detail-type": PAYMENT, "time": "2025-06-01T12:00:00Z"}
    [bare] = movements_of({**outer, "detail": OF_SHOP})
    [wrapped] = movements_of({**outer, "detail": {"payload": OF_SHOP}})
    [own] = movements_of({**outer, "detail": {"payload": OF_SHOP, "timestamp": "2025-06-01T11:00:00Z"}})

    assert (bare.occurred_at, wrapped.occurred_at) == ("2025-06-01T12:00:00.000Z", "2025-06-01T12:00:00.000Z")
    assert own.occurred_at == Instant("2025-06-01T11:00:00.000Z")


def test_the_correlation_id_goes_with_the_movement_and_the_event_and_may_be_a_number() -> None:
    event = read_event(
        json.dumps({"event_type": PAYMENT, "correlation_id": 17, "payload": OF_SHOP}),
        TERMS,
        now=READ_AT,
    )

    assert (event.event_type, event.correlation_id) == (PAYMENT, "17")
    assert [movement.correlation_id for movement in event.movements] == ["17"]


def test_a_delivery_under_another_event_id_time_and_key_is_the_same_fact() -> None:
    first = movement_of(PAYMENT, PAID_50, event_id="e1", idempotency_key="k1", timestamp="2025-06-01T12:00:00Z")
    again = movement_of(PAYMENT, PAID_50, event_id="e2", idempotency_key="k2", timestamp="2026-06-01T12:00:00Z")

    assert first.transaction_id == again.transaction_id


@pytest.mark.parametrize(
    ("payload", "envelope", "key"),
    [
        ({"subscription_id": "a_b", "renewal_id": "c"}, {}, "SUBSCRIPTION_RENEWAL_a%5Fb_c"),
        ({"subscription_id": "a", "renewal_id": "b_c"}, {}, "SUBSCRIPTION_RENEWAL_a_b%5Fc"),
        ({"subscription_id": "a%5Fb", "renewal_id": "c"}, {}, "SUBSCRIPTION_RENEWAL_a%255Fb_c"),
        ({"subscription_id": "a/b c", "renewal_id": "~.-"}, {}, "SUBSCRIPTION_RENEWAL_a%2Fb%20c_~.-"),
        ({"subscription_id": 5, "renewal_id": 6}, {}, "SUBSCRIPTION_RENEWAL_5_6"),
        ({"subscription_id": "5", "renewal_id": "6"}, {}, "SUBSCRIPTION_RENEWAL_5_6"),
        (
            {"subscription_id": "s", "period_start": "2025-06-01T00:00:00Z"},
            {},
            "SUBSCRIPTION_RENEWAL_s_1748736000000",
        ),
        (
            {"subscription_id": "s", "period_start": "2025-06"},
            {"idempotency_key": "k"},
            "SUBSCRIPTION_RENEWAL_s_2025-06",
        ),
        ({"subscription_id": "s"}, {"idempotency_key": "renewal_1"}, "SUBSCRIPTION_RENEWAL_s_renewal%5F1"),
        ({"subscription_id": "s"}, {"idempotency_key": "k" * 255}, "SUBSCRIPTION_RENEWAL_s_" + "k" * 255),
        ({"subscription_id": "s", "renewal_id": None}, {"idempotency_key": 8}, "SUBSCRIPTION_RENEWAL_s_8"),
    ],
)
def test_each_id_in_the_key_of_a_renewal_is_encoded_so_that_no_two_pairs_meet(
    payload: dict[str, Any], envelope: dict[str, Any], key: str
) -> None:
    movement = movement_of(RENEWED, {"credits_used": 30, **payload}, **envelope)

    assert movement.key == key
    assert movement.transaction_id == str(uuid5(UUID(SHOP), key))


def test_credits_under_a_name_that_a_renewal_does_not_know_are_ignored() -> None:
    movement = movement_of(
        RENEWED, {"subscription_id": "s", "renewal_id": "r", "credits_used": 30, "credits_to_use": "none"}
    )

    assert isinstance(movement, FixedMovement)
    assert movement.credits == 30


def test_a_number_and_its_text_are_the_same_id() -> None:
    numbers = movement_of(PAYMENT, {"payment_id": 5, "credits": 50})
    texts = movement_of(PAYMENT, {"payment_id": "5", "credits": 50})

    assert numbers == texts

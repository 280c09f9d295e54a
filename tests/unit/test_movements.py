"""Ids: the same fact has the same id everywhere and for ever, so they are held against literals."""

from uuid import NAMESPACE_DNS, uuid5

import pytest

from chalicelib.domain.ids import MerchantId, credit_id, merchant_id, transaction_id, uuid_v5
from chalicelib.domain.movements import Kind, order_key
from chalicelib.domain.orders import Direction
from tests.support.builders import merchant, order, refund_of

MERCHANT = MerchantId("0f8fad5b-d9cb-469f-a165-70867728950e")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("TRIAL_MERCHANT", "9f76cc13-3314-537c-a8d9-54dd8e2f3229"),
        ("SHOPIFY_ORDER_5", "db4c88bf-b638-5118-b313-f31803ae5997"),
        ("SHOPIFY_ORDER_450789469", "0cf88360-4442-5d50-9a79-f87caed9786b"),
        ("SHOPIFY_REFUND_r1", "8f0c2938-a936-5d8d-a515-e54f4d0bfff1"),
        ("SHOPIFY_REFUND_ORDER_5", "9a7f12d1-295f-5c40-9aa4-c8b12728c300"),
        ("BILLING_PAYMENT_p1", "370d3448-5285-55f1-bdc1-bac2cc743c68"),
        ("SUBSCRIPTION_RENEWAL_a%5Fb_c", "3e1bcee8-c0d9-55b8-96d4-7ca10b9c1f20"),
        ("MANUAL_ADJUSTMENT_a1", "fc26c1a4-558a-51df-931a-0d9f075e33a7"),
    ],
)
def test_a_transaction_id_is_the_uuid_v5_of_merchant_and_key(key: str, expected: str) -> None:
    assert transaction_id(MERCHANT, key) == expected


def test_a_uuid_v5_is_that_of_the_standard_library() -> None:
    for number in range(500):
        namespace, name = uuid5(NAMESPACE_DNS, f"é{number}"), f"SHOPIFY_ORDER_{number}"
        assert uuid_v5(str(namespace), name) == str(uuid5(namespace, name))


def test_the_same_key_of_two_merchants_gives_two_ids() -> None:
    assert transaction_id(merchant("one"), "SHOPIFY_ORDER_5") != transaction_id(merchant("two"), "SHOPIFY_ORDER_5")


def test_a_credit_id_is_derived_from_the_merchant_and_is_none_of_its_transactions() -> None:
    assert credit_id(MERCHANT) == "c71acf36-3032-5f3c-9ca2-0e2c79a0373e"


@pytest.mark.parametrize(
    "text", ["0F8FAD5B-D9CB-469F-A165-70867728950E", "0f8fad5bd9cb469fa16570867728950e", str(MERCHANT)]
)
def test_a_merchant_id_is_kept_in_lower_case_with_hyphens(text: str) -> None:
    assert merchant_id(text) == MERCHANT


@pytest.mark.parametrize(
    "text", ["", "5", "{0f8fad5b-d9cb-469f-a165-70867728950e}", "0f8fad5b-d9cb-469f-a165-7086772895zz", f"{MERCHANT}\n"]
)
def test_what_is_no_uuid_is_no_merchant(text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        merchant_id(text)


def test_a_movement_knows_the_id_of_its_record_and_a_refund_that_of_its_order() -> None:
    paid, refunded = order("5", of=MERCHANT), refund_of("5", "r1", of=MERCHANT)
    assert paid.key == order_key("5") == "SHOPIFY_ORDER_5"
    assert paid.transaction_id == refunded.order_transaction_id == "db4c88bf-b638-5118-b313-f31803ae5997"
    assert refunded.transaction_id == "8f0c2938-a936-5d8d-a515-e54f4d0bfff1"


def test_a_kind_is_its_type_and_direction_as_the_contract_names_them() -> None:
    assert {(kind.transaction_type, str(kind.direction)) for kind in Kind} == {
        ("TRIAL", "INCREASE"),
        ("ORDER_PAID", "DECREASE"),
        ("ORDER_PAID", "INCREASE"),
        ("REFUND", "INCREASE"),
        ("REFUND", "DECREASE"),
        ("PAYMENT", "INCREASE"),
        ("SUBSCRIPTION", "INCREASE"),
        ("ORDER_EDITED", "INCREASE"),
        ("ORDER_EDITED", "DECREASE"),
        ("MANUAL", "INCREASE"),
        ("MANUAL", "DECREASE"),
        ("OPENING", "INCREASE"),
        ("REVERSAL", "DECREASE"),
        ("REVERSAL_RETURNED", "INCREASE"),
        ("DEBT_REPAID", "DECREASE"),
        ("EXPIRY", "DECREASE"),
    }
    assert {kind for kind in Kind if kind.is_order} == {Kind.ORDER_USED, Kind.ORDER_EARNED}
    assert Kind.ORDER_USED.direction is Direction.DECREASE

"""Corrections by admins, who invoke the packaged function (contract, section 7)."""

from typing import Any

import pytest

from tests.support.marketplace import happened, merchant
from tests.support.running_stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("flows")]


def correction(shop: str, **other: Any) -> dict[str, Any]:
    asked = {
        "merchant_id": shop,
        "adjustment_id": "a1",
        "operation_type": "DECREASE",
        "credits": 4,
        "reason": "counted again",
        "admin_id": "ada",
    }
    return {**asked, **other}


@pytest.fixture(scope="module")
def shop(flows: Stack) -> str:
    opened = merchant("is corrected")
    flows.tell(happened("evt.account.created", opened, credits_to_use=10))
    return opened


def test_a_correction_is_answered_with_its_transaction_and_told_on_nats_once_however_often_it_is_asked_for(
    flows: Stack, shop: str
) -> None:
    first = flows.adjust(**correction(shop))
    again = flows.adjust(**correction(shop, reason="said otherwise", admin_id="bob"))

    assert (first["amount"], first["balance_before"], first["balance_after"]) == (-4, 10, 6)
    assert first["extra_metadata"] == {"reason": "counted again", "admin_id": "ada"}
    assert again == first == flows.read(f"/credits/transactions/{first['id']}")
    flows.settle()
    told = [heard for heard in flows.told_about(shop) if heard.subject == "evt.credits.adjusted"]
    assert [(heard.event["payload"]["transaction_id"], heard.event["payload"]["amount"]) for heard in told] == [
        (first["id"], -4)
    ]


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"credits": 5}, "key_reused"),
        ({"operation_type": "INCREASE"}, "key_reused"),
        ({"adjustment_id": "a2", "credits": 1_000}, "insufficient_credits"),
        ({"adjustment_id": "a3", "credits": 0}, "credits_invalid"),
        ({"adjustment_id": "a4", "reason": None}, "field_invalid"),
    ],
)
def test_a_correction_that_cannot_be_is_refused_with_the_reason_and_changes_nothing(
    flows: Stack, shop: str, other: dict[str, Any], code: str
) -> None:
    flows.adjust(**correction(shop))
    before = flows.account_item(shop)

    answer = flows.adjust(**correction(shop, **other))

    assert answer["error"]["code"] == code
    assert answer["error"]["message"]
    assert flows.account_item(shop) == before

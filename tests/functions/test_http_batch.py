"""Many plugin statuses with one read."""

import json

import pytest

from chalicelib.contracts.api import answers
from tests.support.api import ADMIN, NOBODY, OPS, OTHER, OWNER, Answered, Api, Aws, Ledger, throttled
from tests.support.builders import SHOP, merchant, order, trial


def statuses_of(api: Api, *shops: str) -> Answered:
    return api.post("/credits/plugin-status/batch", {"merchant_ids": list(shops)}, token=OWNER)


def test_a_batch_says_of_each_shop_what_its_own_route_says(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(1))
    ledger.post(trial(1, of=OTHER), order("1", of=OTHER))

    answered = statuses_of(api, SHOP, OTHER, NOBODY)

    statuses = answered.body["data"]["statuses"]
    assert {shop: (one["status"], one["reason"]) for shop, one in statuses.items()} == {
        SHOP: ("enabled", "sufficient_credits"),
        OTHER: ("disabled", "insufficient_credits"),
        NOBODY: ("disabled", "account_not_found"),
    }
    assert answered.headers["Cache-Control"] == "no-store"
    assert "balance" not in json.dumps(answered.body)
    answers.Answer[answers.StatusBatch].model_validate_json(json.dumps(answered.body))


def test_a_hundred_shops_are_one_eventually_consistent_read(api: Api, aws: Aws) -> None:
    aws.calls.clear()

    answered = statuses_of(api, *(merchant(str(number)) for number in range(100)))

    assert len(answered.body["data"]["statuses"]) == 100
    [(operation, request)] = aws.calls
    assert operation == "BatchGetItem"
    [of_table] = request["RequestItems"].values()
    assert not of_table.get("ConsistentRead")
    assert of_table["ProjectionExpression"]


def test_a_shop_named_twice_in_any_spelling_is_answered_once_and_what_memory_knows_is_not_read(
    api: Api, ledger: Ledger, aws: Aws
) -> None:
    ledger.post(trial())
    statuses_of(api, SHOP)
    aws.calls.clear()

    answered = statuses_of(api, SHOP, SHOP.upper(), SHOP.replace("-", ""), SHOP)

    assert list(answered.body["data"]["statuses"]) == [SHOP]
    assert aws.calls == []


@pytest.mark.parametrize("token", [OWNER, ADMIN, OPS, {"subject": "anybody", "scope": ""}])
def test_any_valid_token_may_ask(api: Api, token: dict[str, str]) -> None:
    asked = {"merchant_ids": [SHOP]}

    assert api.post("/credits/plugin-status/batch", asked, token=token).status == 200
    assert api.post("/credits/plugin-status/batch", asked, token=None).status == 401


def test_an_unreadable_table_disables_what_was_never_seen_and_keeps_what_was(
    api: Api, ledger: Ledger, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.post(trial())
    statuses_of(api, SHOP)
    aws.fault = throttled()

    answered = statuses_of(api, SHOP, OTHER)

    reasons = {shop: one["reason"] for shop, one in answered.body["data"]["statuses"].items()}
    assert (answered.status, reasons) == (200, {SHOP: "sufficient_credits", OTHER: "unavailable"})
    assert "credits_plugin_status_unavailable_total" in capsys.readouterr().out

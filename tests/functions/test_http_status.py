"""The plugin-status route: what it says, how long it is kept, and what it says when the table cannot be read."""

import json
from typing import Any

import pytest
import time_machine
from botocore.exceptions import ConnectTimeoutError

from chalicelib.domain.ids import Instant, milliseconds
from chalicelib.wiring import for_api
from tests.support.api import (
    CREDITS_TABLE,
    NOON,
    OTHER,
    OWNER,
    Answered,
    Api,
    Aws,
    Ledger,
    throttled,
)
from tests.support.builders import SHOP, order, trial


def status_of(api: Api, merchant_id: str, **more: Any) -> Answered:
    return api.get(f"/credits/plugin-status/{merchant_id}", route="/credits/plugin-status/{merchant_id}", **more)


def test_a_shop_with_credits_is_enabled_and_one_without_is_not(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(1))
    ledger.post(trial(1, of=OTHER), order("1", of=OTHER))

    on, off = status_of(api, SHOP), status_of(api, OTHER)

    assert (on.status, on.body["data"]["status"], on.body["data"]["reason"]) == (200, "enabled", "sufficient_credits")
    assert (off.status, off.body["data"]["status"], off.body["data"]["reason"]) == (
        200,
        "disabled",
        "insufficient_credits",
    )
    assert "balance" not in json.dumps(on.body)
    assert on.headers["Cache-Control"] == "public, max-age=15, stale-while-revalidate=15, stale-if-error=300"


def test_both_names_of_the_status_route_answer_alike(api: Api, ledger: Ledger) -> None:
    ledger.post(trial())

    alias = api.get(f"/plugin-status/{SHOP}", route="/plugin-status/{merchant_id}")

    assert alias.body["data"] == status_of(api, SHOP).body["data"]


@pytest.mark.parametrize(
    ("closure", "status", "reason"),
    [
        ("closed 2026-11-21T10:00:00.000Z", "disabled", "closed"),
        ("open 2026-11-22T10:00:00.000Z", "enabled", "sufficient_credits"),
    ],
)
def test_a_closed_account_is_off_whatever_its_balance(
    api: Api, ledger: Ledger, closure: str, status: str, reason: str
) -> None:
    ledger.post(trial())
    ledger.client.update_item(
        TableName=CREDITS_TABLE,
        Key={"merchant_id": {"S": SHOP}},
        UpdateExpression="SET closure = :closure, back_at = :back_at",
        ExpressionAttributeValues={
            ":closure": {"S": closure},
            ":back_at": {"N": str(milliseconds(Instant("2026-11-22T10:00:00.000Z")))},
        },
    )

    answered = status_of(api, SHOP).body["data"]
    account = api.get(f"/credits/accounts/{SHOP}", route="/credits/accounts/{merchant_id}", token=OWNER).body["data"]
    assert (answered["status"], answered["reason"]) == (status, reason)
    assert (account["plugin_status"]["status"], account["plugin_status"]["reason"]) == (status, reason)
    assert account["plugin_status"]["since"] == closure.split()[1]
    assert account["balance"] == 100


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"balance": {"N": "5"}},
        {"version": {"N": "5"}},
        {"balance": {"S": "5"}, "version": {"N": "1"}},
        {"balance": {"N": "5"}, "version": {"N": "0.5"}},
        {"balance": {"N": "0.5"}, "version": {"N": "1"}},
        {"balance": {"NULL": True}, "version": {"N": "1"}},
    ],
    ids=str,
)
def test_an_item_of_another_hand_is_unavailable_and_spoils_no_neighbour(
    api: Api, ledger: Ledger, attributes: dict[str, Any]
) -> None:
    ledger.post(trial())
    ledger.client.put_item(TableName=CREDITS_TABLE, Item={"merchant_id": {"S": OTHER}, **attributes})

    alone = status_of(api, OTHER)
    both = api.post("/credits/plugin-status/batch", {"merchant_ids": [SHOP, OTHER]}, token=OWNER)

    assert (alone.status, alone.body["data"]["status"], alone.body["data"]["reason"]) == (
        200,
        "disabled",
        "unavailable",
    )
    assert alone.headers["Cache-Control"] == "no-store"
    assert {shop: one["reason"] for shop, one in both.body["data"]["statuses"].items()} == {
        SHOP: "sufficient_credits",
        OTHER: "unavailable",
    }


@pytest.mark.parametrize("form", [SHOP.upper(), SHOP.replace("-", ""), SHOP.replace("-", "%2D")])
def test_an_id_is_brought_to_its_form_first(api: Api, ledger: Ledger, form: str) -> None:
    ledger.post(trial())

    assert status_of(api, form).body["data"]["status"] == "enabled"


@pytest.mark.parametrize("bent", ["1", "not-a-uuid", f"{SHOP}0", "%00", "a%0d%0ab", "{" + SHOP + "}", "x" * 5000])
def test_an_id_of_no_form_is_a_bad_request_before_any_read(api: Api, aws: Aws, bent: str) -> None:
    aws.calls.clear()

    answered = status_of(api, bent)

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": "merchant_id"})
    assert aws.calls == []


def test_an_unknown_merchant_is_disabled_and_asked_for_again_each_time(api: Api, ledger: Ledger) -> None:
    unknown = status_of(api, SHOP)
    ledger.post(trial())

    assert (unknown.status, unknown.body["data"]["reason"]) == (200, "account_not_found")
    assert unknown.headers["Cache-Control"] == "public, max-age=1"
    assert status_of(api, SHOP).body["data"]["status"] == "enabled"


def test_a_status_is_one_eventually_consistent_read_of_five_attributes_then_kept(
    api: Api, ledger: Ledger, aws: Aws
) -> None:
    ledger.post(trial())
    aws.calls.clear()
    with time_machine.travel(NOON, tick=False) as clock:
        first = status_of(api, SHOP)
        clock.shift(9.5)
        second = status_of(api, SHOP)
        clock.shift(5.6)
        third = status_of(api, SHOP)

    assert aws.operations() == ["GetItem", "GetItem"]
    assert aws.calls[0][1]["ProjectionExpression"] == "balance,version,closure,lots,grace,freeze"
    assert not aws.calls[0][1].get("ConsistentRead")
    assert first.body["data"]["as_of"] == second.body["data"]["as_of"] < third.body["data"]["as_of"]
    assert second.headers["Cache-Control"].startswith("public, max-age=5,")


def test_who_holds_the_answer_already_gets_304_until_it_changes(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(1))
    tag = status_of(api, SHOP).headers["ETag"]

    known = status_of(api, SHOP, headers={"If-None-Match": tag})
    ledger.post(order("1"))
    for_api.plugin_statuses.cache_clear()
    changed = status_of(api, SHOP, headers={"If-None-Match": tag})

    assert (known.status, known.body, known.headers["ETag"]) == (304, None, tag)
    assert (changed.status, changed.body["data"]["status"]) == (200, "disabled")


@pytest.mark.parametrize(
    ("held", "status"),
    [("{tag}", 304), ('"x", {tag}', 304), ("{strong}", 304), ("*", 304), ('"x"', 200), ("", 200), ("{bare}", 200)],
)
def test_a_tag_is_compared_weakly_with_each_that_the_caller_holds(
    api: Api, ledger: Ledger, held: str, status: int
) -> None:
    ledger.post(trial(1))
    tag = status_of(api, SHOP).headers["ETag"]
    strong = tag.removeprefix("W/")

    answered = status_of(
        api, SHOP, headers={"If-None-Match": held.format(tag=tag, strong=strong, bare=strong.strip('"'))}
    )

    assert answered.status == status


def test_nobody_holds_a_status_of_which_nothing_is_known(api: Api, ledger: Ledger, aws: Aws) -> None:
    aws.fault = throttled()

    assert status_of(api, SHOP, headers={"If-None-Match": "*"}).status == 200


def test_an_unreadable_table_leaves_the_last_known_status_for_a_while(api: Api, ledger: Ledger, aws: Aws) -> None:
    ledger.post(trial())
    with time_machine.travel(NOON, tick=False) as clock:
        status_of(api, SHOP)
        aws.fault = ConnectTimeoutError(endpoint_url="https://dynamodb")
        clock.shift(299)
        stale = status_of(api, SHOP)
        clock.shift(2)
        gone = status_of(api, SHOP)

    assert stale.body["data"] == {
        "status": "enabled",
        "reason": "sufficient_credits",
        "as_of": "2025-06-01T12:00:00.000Z",
        "stale": True,
    }
    assert stale.headers["Cache-Control"] == "public, max-age=1"
    assert (gone.body["data"]["status"], gone.body["data"]["reason"]) == ("disabled", "unavailable")


def test_an_unreadable_table_never_enables_what_was_never_seen_and_is_counted(
    api: Api, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.fault = throttled()

    answered = status_of(api, SHOP)

    assert answered.status == 200
    assert (answered.body["data"]["status"], answered.body["data"]["reason"]) == ("disabled", "unavailable")
    assert answered.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answered.headers
    assert "credits_plugin_status_unavailable_total" in capsys.readouterr().out

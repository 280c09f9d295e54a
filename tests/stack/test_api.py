"""The HTTP API of the packaged application, behind the emulator's gateway and its authorizer (contract, section 6)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.marketplace import happened, merchant
from tests.support.running_stack import Answer, Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("flows")]

ORDERS = 5


@pytest.fixture(scope="module")
def shop(flows: Stack) -> str:
    opened = merchant("is read over HTTP")
    orders = (happened("evt.shopify.webhook.order_paid", opened, order_id=number) for number in range(ORDERS))
    flows.tell(happened("evt.account.created", opened, credits_to_use=30), *orders)
    return opened


def status_of(stack: Stack, merchant_id: str) -> tuple[str, str]:
    data = stack.get(f"/credits/plugin-status/{merchant_id}").data
    return data["status"], data["reason"]


def problem(answer: Answer) -> tuple[int, str]:
    """Return status and code of a refusal, which has the one shape that they all have."""
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert set(answer.body) == {"type", "title", "status", "detail", "instance", "error", "meta"}
    assert set(answer.body["error"]) == {"code", "message", "details"}
    assert answer.body["status"] == answer.status
    return answer.status, answer.body["error"]["code"]


def test_the_plugin_goes_off_when_credits_run_out_and_on_again_when_they_come_back(flows: Stack) -> None:
    shop = merchant("goes off and on")
    assert status_of(flows, shop) == ("disabled", "account_not_found")

    flows.tell(happened("evt.account.created", shop, credits_to_use=1))
    assert status_of(flows, shop) == ("enabled", "sufficient_credits")

    flows.tell(happened("evt.shopify.webhook.order_paid", shop, order_id=1))
    until("the plugin to go off", lambda: status_of(flows, shop) == ("disabled", "insufficient_credits"))

    flows.tell(happened("evt.billing.payment_succeeded", shop, payment_id=1, credits=1))
    until("the plugin to go on", lambda: status_of(flows, shop) == ("enabled", "sufficient_credits"))


def test_whoever_knows_the_status_already_is_told_so(flows: Stack, shop: str) -> None:
    first = flows.get(f"/credits/plugin-status/{shop}")
    again = flows.get(f"/plugin-status/{shop}", **{"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, None)
    assert first.headers["cache-control"].startswith("public, max-age=")


def test_an_owner_reads_account_and_balance(flows: Stack, shop: str) -> None:
    token = flows.owner(shop)
    account = flows.get(f"/credits/accounts/{shop}", token).data
    balance = flows.get(f"/credits/accounts/{shop}/balance", token).data

    assert (account["balance"], balance["balance"]) == (25, 25)
    assert account["plugin_status"]["status"] == "enabled"
    assert account["totals"]["ORDER_PAID"] == {"increases": 0, "decreases": 5, "credits_in": 0, "credits_out": 5}
    assert (account["threshold"], account["low_balance_threshold"], account["total_shortfall"]) == (20, None, 0)


def test_pages_and_cursors_lead_through_the_same_history_newest_first(flows: Stack, shop: str) -> None:
    token = flows.owner(shop)
    path = f"/credits/transactions?merchant_id={shop}&limit=4"
    first = flows.get(path, token)
    by_cursor = flows.get(f"{path}&cursor={first.body['pagination']['next_cursor']}", token)
    by_page = flows.get(f"{path}&page=2", token)

    assert [row["sequence"] for row in first.data] == [6, 5, 4, 3]
    assert [row["sequence"] for row in by_cursor.data] == [2, 1]
    assert by_page.data == by_cursor.data
    assert (first.body["pagination"]["total"], first.body["pagination"]["pages"]) == (6, 2)
    assert by_cursor.body["pagination"]["next_cursor"] is None


def test_one_transaction_is_answered_as_it_stands_in_the_list(flows: Stack, shop: str) -> None:
    newest = flows.ledger(shop)[-1]
    assert flows.get(f"/credits/transactions/{newest['id']}", flows.owner(shop)).data == newest


def test_an_event_that_came_with_a_correlation_id_is_answered_with_it(flows: Stack, shop: str) -> None:
    opened = flows.ledger(shop)[0]
    assert opened["correlation_id"] == happened("evt.account.created", shop, credits_to_use=30)["correlation_id"]
    answer = flows.get("/health", **{"X-Correlation-ID": "asked by a test"})
    assert answer.headers["x-correlation-id"] == answer.body["meta"]["correlation_id"] == "asked by a test"


def paths(shop: str, transaction_id: str) -> list[str]:
    return [
        f"/credits/accounts/{shop}",
        f"/credits/{shop}",
        f"/credits/accounts/{shop}/balance",
        f"/credits/transactions?merchant_id={shop}",
        f"/credits/transactions/merchant/{shop}",
        f"/credits/transactions/{transaction_id}",
    ]


def test_nobody_reads_credits_without_a_token(flows: Stack, shop: str) -> None:
    for path in paths(shop, flows.ledger(shop)[0]["id"]):
        assert problem(flows.get(path)) == (401, "UNAUTHORIZED"), path
        assert problem(flows.get(path, "not.a.token")) == (401, "UNAUTHORIZED"), path


def test_a_foreign_shop_looks_like_one_that_does_not_exist(flows: Stack, shop: str) -> None:
    stranger = flows.owner(str(uuid4()))
    for real, made_up in zip(paths(shop, flows.ledger(shop)[0]["id"]), paths(str(uuid4()), str(uuid4())), strict=True):
        refused, unknown = flows.get(real, stranger), flows.get(made_up, stranger)
        assert problem(refused) == problem(unknown) == (404, "NOT_FOUND")
        assert without_the_request(refused) == without_the_request(unknown)


def without_the_request(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.body.items() if name not in {"instance", "meta"}}


def test_a_request_that_makes_no_sense_is_refused_with_the_field_at_fault(flows: Stack, shop: str) -> None:
    answer = flows.get(f"/credits/transactions?merchant_id={shop}&limit=101", flows.owner(shop))
    assert problem(answer) == (400, "BAD_REQUEST")
    assert answer.body["error"]["details"] == {"field": "limit"}
    assert problem(flows.get("/credits/plugin-status/shop-one"))[0] == 400


def test_the_api_says_that_it_is_alive(flows: Stack) -> None:
    assert flows.get("/health").data["status"] == flows.get("/credits/health").data["status"] == "ok"

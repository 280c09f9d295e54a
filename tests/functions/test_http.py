"""The API's routes, called with raw gateway events on tables in memory: what all have in common, and who may read."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.contracts.api import answers
from chalicelib.domain.ids import credit_id
from chalicelib.wiring import for_api
from tests.support.api import (
    ADMIN,
    NOBODY,
    NOON,
    OPS,
    OTHER,
    OWNER,
    Answered,
    Api,
    Aws,
    Ledger,
    throttled,
)
from tests.support.builders import SHOP, adjustment, order, payment, refund_of, trial


def account_of(api: Api, merchant_id: str, **more: Any) -> Answered:
    return api.get(f"/credits/accounts/{merchant_id}", route="/credits/accounts/{merchant_id}", **more)


def test_an_answer_names_its_request_and_takes_over_the_correlation_id(api: Api) -> None:
    answered = api.get("/health", headers={"x-correlation-id": "order 17"})

    meta = answered.body["meta"]
    assert answered.body["data"]["status"] == "ok"
    assert meta["correlation_id"] == answered.headers["X-Correlation-ID"] == "order 17"
    assert meta["request_id"] == answered.headers["X-Request-Id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", meta["timestamp"])


def test_a_correlation_id_is_as_long_as_in_events_and_the_request_may_have_an_id_of_its_own(api: Api) -> None:
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;" + "x" * 214
    answered = api.get("/health", headers={"X-Correlation-ID": trace, "x-request-id": "req 7"})
    alone = api.get("/health", headers={"X-Request-ID": "req 8"})
    bent = api.get("/health", headers={"X-Request-ID": "a" * 256})

    assert answered.headers["X-Correlation-ID"] == answered.body["meta"]["correlation_id"] == trace
    assert answered.headers["X-Request-Id"] == answered.body["meta"]["request_id"] == "req 7"
    assert alone.body["meta"]["correlation_id"] == alone.body["meta"]["request_id"] == "req 8"
    assert "aaa" not in bent.headers["X-Request-Id"]


@pytest.mark.parametrize("merchant_id", [SHOP, OTHER])
def test_head_is_get_without_the_body(api: Api, merchant_id: str) -> None:
    get, head = (account_of(api, merchant_id, token=OWNER, method=method) for method in ("GET", "HEAD"))

    assert (head.status, head.body) == (get.status, None)
    assert head.headers.keys() == get.headers.keys()


@pytest.mark.parametrize("bent", ["", "a" * 256, "line\r\nSet-Cookie: a=b", "smörgås", "\x00"])
def test_a_correlation_id_that_could_do_harm_is_replaced(api: Api, bent: str) -> None:
    answered = api.get("/credits/health", headers={"X-Correlation-ID": bent})

    assert answered.headers["X-Correlation-ID"] == answered.body["meta"]["request_id"]


def test_each_answer_is_one_log_line_without_the_token(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    account_of(api, SHOP, token=OWNER, headers={"Authorization": "Bearer very.secret.token"})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"message"' in line]
    assert [(line["route"], line["status"]) for line in lines] == [("/api/v1/credits/accounts/{merchant_id}", 404)]
    assert "secret" not in str(lines)


def test_a_fault_of_ours_is_500_without_internals_and_its_trace_is_logged(
    api: Api, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.fault = ZeroDivisionError("table credits-test at arn:aws:dynamodb")

    answered = account_of(api, SHOP, token=OWNER)

    assert answered.status == 500
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert "credits-test" not in json.dumps(answered.body)
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize("timed_out", [True, False])
@pytest.mark.parametrize(
    "path",
    [
        "/credits/accounts/{merchant_id}",
        "/credits/transactions/merchant/{merchant_id}",
        "/credits/transactions/{transaction_id}",
    ],
)
def test_a_store_that_does_not_answer_is_503_with_a_time_to_retry(
    api: Api, aws: Aws, path: str, timed_out: bool
) -> None:
    aws.fault = ReadTimeoutError(endpoint_url="https://dynamodb") if timed_out else throttled()

    answered = api.get(re.sub(r"\{.*\}", SHOP, path), route=path, token=ADMIN)

    assert (answered.status, answered.headers["Retry-After"]) == (503, "1")
    assert answered.body["error"]["code"] == "UNAVAILABLE"
    assert "arn" not in json.dumps(answered.body)


def test_a_method_that_a_route_does_not_take_is_a_problem_too(api: Api) -> None:
    answered = api.get("/health", method="DELETE")

    assert answered.status == 405
    assert answered.body["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert "GET" in answered.headers["Allow"]


def test_any_page_may_ask_for_a_plugin_status(api: Api) -> None:
    answered = api.get(
        f"/plugin-status/{SHOP}", route="/plugin-status/{merchant_id}", headers={"Origin": "https://any.example"}
    )

    assert answered.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://evil.example", None),
        ("https://shop.example.evil", None),
    ],
)
def test_only_listed_origins_may_read_the_rest(api: Api, origin: str, allowed: str | None) -> None:
    answered = account_of(api, SHOP, token=OWNER, headers={"Origin": origin})

    assert answered.headers.get("Access-Control-Allow-Origin") == allowed
    assert answered.headers["Vary"] == "Origin"


def test_a_preflight_says_what_may_be_sent(api: Api) -> None:
    answered = account_of(api, SHOP, method="OPTIONS", headers={"Origin": "https://shop.example"})

    assert answered.status == 204
    assert answered.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert answered.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "Authorization" in answered.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/credits/accounts/{id}", "/credits/accounts/{merchant_id}"),
        ("/credits/{id}", "/credits/{merchant_id}"),
        ("/credits/accounts/{id}/balance", "/credits/accounts/{merchant_id}/balance"),
        ("/credits/transactions/merchant/{id}", "/credits/transactions/merchant/{merchant_id}"),
    ],
)
def test_a_foreign_merchant_looks_like_one_that_does_not_exist(api: Api, ledger: Ledger, path: str, route: str) -> None:
    ledger.post(trial(of=OTHER))

    foreign, absent = (api.get(path.replace("{id}", one), route=route, token=OWNER) for one in (OTHER, NOBODY))

    assert foreign.status == absent.status == 404
    assert without_ids(foreign, OTHER) == without_ids(absent, NOBODY)
    assert set(foreign.headers) == set(absent.headers)


def without_ids(answered: Answered, one: str) -> dict[str, Any]:
    told = {name: value for name, value in answered.body.items() if name != "meta"}
    return {**told, "instance": told["instance"].replace(one, "…")}


def test_a_foreign_transaction_looks_like_one_that_does_not_exist(api: Api, ledger: Ledger) -> None:
    movement = trial(of=OTHER)
    ledger.post(movement)

    foreign, absent = (
        api.get(f"/credits/transactions/{one}", route="/credits/transactions/{transaction_id}", token=OWNER)
        for one in (movement.transaction_id, NOBODY)
    )

    assert foreign.status == absent.status == 404
    assert without_ids(foreign, movement.transaction_id) == without_ids(absent, NOBODY)


@pytest.mark.parametrize("token", [OPS, {"merchant_id": SHOP, "scope": ""}, {"merchant_id": SHOP}])
def test_a_token_without_the_scope_to_read_is_403_before_any_read(api: Api, aws: Aws, token: Mapping[str, str]) -> None:
    aws.calls.clear()

    answered = account_of(api, SHOP, token=token)

    assert (answered.status, answered.body["error"]["code"]) == (403, "FORBIDDEN")
    assert aws.calls == []


@pytest.mark.parametrize("token", [None, {**OWNER, "expires_at": "1"}])
def test_without_a_token_or_with_one_that_ran_out_since_it_is_401(api: Api, token: Mapping[str, str] | None) -> None:
    answered = account_of(api, SHOP, token=token)

    assert (answered.status, answered.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_token_that_is_still_good_is_let_in(api: Api, ledger: Ledger) -> None:
    ledger.post(trial())
    later = datetime.now(UTC) + timedelta(minutes=1)

    assert account_of(api, SHOP, token={**OWNER, "expires_at": str(int(later.timestamp()))}).status == 200


@pytest.mark.parametrize("token", [OWNER, ADMIN])
def test_owner_and_admin_read_the_account(api: Api, ledger: Ledger, token: Mapping[str, str]) -> None:
    ledger.post(trial(2), order("1"), order("2"), order("3"), payment("p", 7))

    answered = account_of(api, SHOP, token=token)
    alias = api.get(f"/credits/{SHOP}", route="/credits/{merchant_id}", token=token)

    data = answered.body["data"]
    assert answered.status == 200
    assert (data["id"], data["merchant_id"], data["balance"]) == (credit_id(SHOP), SHOP, 7)
    assert data["totals"]["ORDER_PAID"] == {"increases": 0, "decreases": 3, "credits_in": 0, "credits_out": 2}
    assert data["total_shortfall"] == 1
    assert data["plugin_status"]["transaction_id"] == data["last_transaction_id"]
    assert alias.body["data"] == data
    assert answered.headers["Cache-Control"] == "no-store"
    answers.Answer[answers.Account].model_validate_json(json.dumps(answered.body))


def test_a_balance_is_told_with_its_time(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(5))

    answered = api.get(
        f"/credits/accounts/{SHOP}/balance", route="/credits/accounts/{merchant_id}/balance", token=OWNER
    )

    assert answered.body["data"] == {
        "merchant_id": SHOP,
        "balance": 5,
        "runway": None,
        "as_of": answered.body["meta"]["timestamp"],
    }


def test_one_transaction_is_told_whole(api: Api, ledger: Ledger) -> None:
    movement = adjustment("a1", -3)
    ledger.post(trial(5), movement, at=NOON)

    answered = api.get(
        f"/credits/transactions/{movement.transaction_id.upper()}",
        route="/credits/transactions/{transaction_id}",
        token=OWNER,
    )

    data = answered.body["data"]
    assert (data["id"], data["sequence"], data["amount"], data["credits_used"]) == (movement.transaction_id, 2, -3, 3)
    assert data["extra_metadata"] == {"reason": "goodwill", "admin_id": "admin-7"}
    assert (data["correlation_id"], data["occurred_at"]) == (None, None)
    listed = api.get("/credits/transactions", token=OWNER, parameters={"merchant_id": SHOP})
    assert listed.body["data"][0] == data


def test_a_transaction_can_be_read_as_soon_as_it_was_answered(api: Api, aws: Aws) -> None:
    aws.calls.clear()

    api.get(f"/credits/transactions/{SHOP}", route="/credits/transactions/{transaction_id}", token=OWNER)

    assert [(operation, request.get("ConsistentRead")) for operation, request in aws.calls] == [("GetItem", True)]


def test_what_pynamodb_reads_is_what_the_ledger_wrote(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(2), order("1", total="12.50"), order("2"), order("3"))
    ledger.post(refund_of("1", "r1", amount="1.25", order_total="12.50"), adjustment("a", -1))

    history = for_api.history()
    account = history.account(SHOP)
    assert account is not None
    written = ledger.store.read([SHOP], [one.transaction_id for one in history.transactions(account, 1, 6)])

    assert account == written.accounts[SHOP]
    assert {one.transaction_id: one for one in history.transactions(account, 1, 6)} == written.transactions

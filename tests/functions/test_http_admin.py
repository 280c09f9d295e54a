"""The routes for admins: adjustments, thresholds, and the lists of accounts at zero and low."""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError, ResponseStreamingError

from chalicelib.adapters.dynamodb import balance_lists
from chalicelib.adapters.dynamodb.items import account_item
from chalicelib.contracts.api import answers
from chalicelib.domain.ids import MerchantId
from chalicelib.handlers.adjust_credits import adjust_credits
from chalicelib.handlers.set_threshold import set_threshold
from chalicelib.wiring import for_api
from tests.support.api import (
    ADMIN,
    CREDITS_TABLE,
    NOBODY,
    OPS,
    OTHER,
    OWNER,
    Answered,
    Api,
    Aws,
    Context,
    Functions,
    Ledger,
)
from tests.support.builders import SHOP, adjustment, merchant, order, payment, trial
from tests.support.plugin_states import LISTS, STATES, names_of

ADJUST = "/credits/admin/adjustments"
MERCHANTS = "/credits/admin/merchants"
OLD_ROUTE = "/credits/transactions/admin/manual-adjustment"
GOODWILL: Mapping[str, Any] = {
    "merchant_id": SHOP,
    "operation_type": "INCREASE",
    "credits": 5,
    "reason": "goodwill",
}
pytestmark = pytest.mark.usefixtures("functions")


def adjusted(api: Api, key: str | None = "a1", path: str = ADJUST, **fields: Any) -> Answered:
    headers = {"X-Correlation-ID": "ticket 4711"} | ({"Idempotency-Key": key} if key is not None else {})
    return api.post(path, {**GOODWILL, **fields}, token=ADMIN, headers=headers)


def balance_of(ledger: Ledger) -> int:
    return ledger.store.read([SHOP], []).accounts[SHOP].balance


@pytest.mark.parametrize("path", [ADJUST, OLD_ROUTE])
def test_an_adjustment_is_posted_in_the_admins_name_and_answered_as_recorded(
    api: Api, ledger: Ledger, path: str
) -> None:
    ledger.post(trial(10))

    answered = adjusted(api, path=path, admin_id="somebody else", correlation_id="no")

    data = answered.body["data"]
    assert answered.status == 201
    assert (data["amount"], data["balance_after"], data["idempotency_key"]) == (5, 15, "MANUAL_ADJUSTMENT_a1")
    assert data["extra_metadata"] == {"reason": "goodwill", "admin_id": ADMIN["subject"]}
    assert data["correlation_id"] == "ticket 4711"
    assert balance_of(ledger) == 15
    answers.Answer[answers.Transaction].model_validate_json(json.dumps(answered.body))


def test_the_same_again_is_200_with_the_same_data_and_moves_nothing(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(10))
    first = adjusted(api)
    ledger.post(order("1"))

    again = adjusted(api, path=OLD_ROUTE, reason="another reason")

    assert (first.status, again.status) == (201, 200)
    assert again.body["data"] == first.body["data"]
    assert again.body["meta"]["request_id"] != first.body["meta"]["request_id"]
    assert balance_of(ledger) == 14


@pytest.mark.parametrize("other", [{"credits": 6}, {"operation_type": "DECREASE"}])
def test_the_same_key_with_other_content_is_409_and_moves_nothing(
    api: Api, ledger: Ledger, other: Mapping[str, Any]
) -> None:
    ledger.post(trial(10))
    adjusted(api)

    answered = adjusted(api, **other)

    assert (answered.status, answered.body["error"]["code"]) == (409, "KEY_REUSED")
    assert balance_of(ledger) == 15


def test_a_key_is_a_merchants_own(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(10))
    ledger.post(trial(10, of=OTHER))

    assert [adjusted(api).status, adjusted(api, merchant_id=OTHER, credits=7).status] == [201, 201]


def test_below_zero_is_422_and_not_stored_so_that_the_same_key_may_succeed_later(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(10))

    declined = adjusted(api, operation_type="DECREASE", credits=11)
    ledger.post(payment("p", 1))
    later = adjusted(api, operation_type="DECREASE", credits=11)

    assert (declined.status, declined.body["error"]["code"]) == (422, "INSUFFICIENT_CREDITS")
    assert (later.status, later.body["data"]["balance_after"]) == (201, 0)


def test_an_adjustment_of_a_merchant_without_account_is_404(api: Api) -> None:
    answered = adjusted(api, merchant_id=NOBODY)

    assert (answered.status, answered.body["error"]["code"]) == (404, "ACCOUNT_MISSING")


@pytest.mark.parametrize("key", [None, "", " ", "k" * 65, "schlüssel", "a\tb"])
def test_an_adjustment_needs_a_key(api: Api, functions: Functions, key: str | None) -> None:
    answered = adjusted(api, key)

    assert (answered.status, answered.body["error"]["details"]["field"]) == (400, "Idempotency-Key")
    assert functions.invoked == []


@pytest.mark.parametrize("other", ["idempotency-key", "IDEMPOTENCY-KEY"])
@pytest.mark.parametrize("value", ["a1", "a2"])
def test_a_key_given_twice_in_whatever_case_is_refused(api: Api, functions: Functions, other: str, value: str) -> None:
    answered = api.post(ADJUST, GOODWILL, token=ADMIN, headers={"Idempotency-Key": "a1", other: value})

    assert (answered.status, answered.body["error"]["details"]["field"]) == (400, "Idempotency-Key")
    assert functions.invoked == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"credits": 0}, "credits"),
        ({"credits": 1.0}, "credits"),
        ({"credits": "5"}, "credits"),
        ({"credits": True}, "credits"),
        ({"credits": None}, "credits"),
        ({"credits": 10**40}, "credits"),
        ({"credits_to_use": 6}, "credits"),
        ({"operation_type": "increase"}, "operation_type"),
        ({"reason": "   "}, "reason"),
        ({"reason": None}, "reason"),
        ({"merchant_id": "shop"}, "merchant_id"),
        ({"merchant_id": None}, "merchant_id"),
    ],
)
def test_an_adjustment_of_no_form_is_400_with_its_field_before_anything_is_invoked(
    api: Api, functions: Functions, wrong: Mapping[str, Any], field: str
) -> None:
    answered = adjusted(api, **wrong)

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": field})
    assert "payload" not in answered.body["detail"]
    assert functions.invoked == []


def test_the_old_route_takes_its_query_parameters(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(10))
    parameters = {"merchant_id": SHOP, "operation_type": "DECREASE", "credits": "3", "reason": "ü", "admin_id": "x"}

    answered = api.post(OLD_ROUTE, None, token=ADMIN, parameters=parameters, headers={"Idempotency-Key": "old"})

    assert (answered.status, answered.body["data"]["amount"]) == (201, -3)
    assert answered.body["data"]["extra_metadata"] == {"reason": "ü", "admin_id": ADMIN["subject"]}


def test_the_old_routes_parameters_mean_nothing_on_the_new_one(api: Api) -> None:
    parameters = {"merchant_id": SHOP, "operation_type": "DECREASE", "credits": "3", "reason": "because"}

    answered = api.post(ADJUST, None, token=ADMIN, parameters=parameters, headers={"Idempotency-Key": "old"})

    assert (answered.status, answered.body["error"]["code"]) == (400, "NOT_JSON")


def test_what_stands_in_both_places_is_refused(api: Api) -> None:
    answered = api.post(
        OLD_ROUTE, GOODWILL, token=ADMIN, parameters={"reason": "because"}, headers={"Idempotency-Key": "old"}
    )

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": "reason"})


@pytest.mark.parametrize("digits", ["+3", "3.0", "٣", "1e1", " 3", "0x3", "9" * 400])
def test_credits_in_a_parameter_are_plain_digits(api: Api, digits: str) -> None:
    parameters = {"merchant_id": SHOP, "operation_type": "INCREASE", "credits": digits, "reason": "because"}

    answered = api.post(OLD_ROUTE, None, token=ADMIN, parameters=parameters, headers={"Idempotency-Key": "old"})

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": "credits"})


@pytest.mark.parametrize("token", [OWNER, OPS, {"scope": "credits:read"}])
@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", ADJUST, ADJUST),
        ("POST", OLD_ROUTE, OLD_ROUTE),
        (
            "PUT",
            f"/credits/admin/accounts/{SHOP}/low-balance-threshold",
            "/credits/admin/accounts/{merchant_id}/low-balance-threshold",
        ),
        ("GET", "/credits/admin/zero-balance", "/credits/admin/zero-balance"),
        ("GET", "/credits/admin/low-balance", "/credits/admin/low-balance"),
    ],
)
def test_only_admins_come_in(
    api: Api, aws: Aws, functions: Functions, token: Mapping[str, str], method: str, path: str, route: str
) -> None:
    aws.calls.clear()

    answered = api.get(path, route=route, method=method, token=token, body={})

    assert (answered.status, answered.body["error"]["details"]) == (403, {"scope": "credits:admin"})
    assert (aws.calls, functions.invoked) == ([], [])


@pytest.mark.parametrize("subject", ["", "ä", "s" * 65])
def test_an_admin_whom_the_transaction_cannot_name_changes_nothing(
    api: Api, functions: Functions, subject: str
) -> None:
    answered = api.post(ADJUST, GOODWILL, token={**ADMIN, "subject": subject}, headers={"Idempotency-Key": "a"})

    assert (answered.status, answered.body["error"]["details"]) == (403, {"claim": "sub"})
    assert functions.invoked == []


def refused(code: str, status: int) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": "arn:aws:lambda"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "Invoke",
    )


class Broken:
    """An answer of which the connection brings only the beginning."""

    def read(self) -> bytes:
        raise ResponseStreamingError(error="arn:aws")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ReadTimeoutError(endpoint_url="https://lambda"), 503),
        (refused("TooManyRequestsException", 429), 503),
        (refused("ResourceConflictException", 409), 503),
        (refused("ServiceException", 500), 503),
        (ConnectTimeoutError(endpoint_url="https://lambda"), 503),
        ({"FunctionError": "Unhandled", "Payload": BytesIO(b'{"errorType":"Sandbox.Timedout"}')}, 503),
        ({"FunctionError": "Unhandled", "Payload": BytesIO(b'{"errorMessage":"x Task timed out after 15.00 s"}')}, 503),
        ({"Payload": Broken()}, 503),
        (refused("AccessDeniedException", 403), 500),
        ({"FunctionError": "Unhandled", "Payload": BytesIO(b'{"errorMessage": "arn:aws"}')}, 500),
    ],
)
def test_a_function_that_does_not_answer_is_said_without_its_words(
    api: Api, functions: Functions, fault: Any, status: int
) -> None:
    functions.fault = fault

    answered = adjusted(api)

    assert answered.status == status
    assert answered.headers.get("Retry-After") == ("1" if status == 503 else None)
    assert answered.headers["Content-Type"] == "application/problem+json"
    assert "arn" not in json.dumps(answered.body)


def set_to(api: Api, value: Any, shop: str = SHOP) -> Answered:
    return api.put(
        f"/credits/admin/accounts/{shop}/low-balance-threshold",
        {"low_balance_threshold": value},
        route="/credits/admin/accounts/{merchant_id}/low-balance-threshold",
        token=ADMIN,
    )


def test_a_threshold_of_its_own_is_set_and_given_up_again(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(10))

    own, default = set_to(api, 3), set_to(api, None)

    assert (own.status, default.status) == (200, 200)
    assert (own.body["data"]["low_balance_threshold"], own.body["data"]["threshold"]) == (3, 3)
    assert (default.body["data"]["low_balance_threshold"], default.body["data"]["threshold"]) == (None, 20)
    answers.Answer[answers.Account].model_validate_json(json.dumps(own.body))


def test_a_threshold_moves_the_account_in_the_list_of_low_ones(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(50))

    lengths = []
    for threshold in (49, 50, 49):
        set_to(api, threshold)
        lengths.append(len(rows(listed(api, "low"))))

    assert lengths == [0, 1, 0]


@pytest.mark.parametrize("wrong", [-1, 1_000_000_001, 1.5, "5", True, [], {}])
def test_a_threshold_of_no_form_is_400(api: Api, functions: Functions, wrong: Any) -> None:
    answered = set_to(api, wrong)

    assert (answered.status, answered.body["error"]["details"]) == (400, {"field": "low_balance_threshold"})
    assert functions.invoked == []


def test_the_threshold_of_nobody_is_404(api: Api) -> None:
    assert set_to(api, 5, NOBODY).status == 404


def listed(api: Api, level: str, /, **parameters: str) -> Answered:
    path, more = (MERCHANTS, {"status": "disabled"}) if level == "off" else (f"/credits/admin/{level}-balance", {})
    return api.get(path, token=ADMIN, parameters={**more, **parameters})


def rows(answered: Answered) -> list[Any]:
    found: list[Any] = answered.body["data"]
    return found


def all_rows(api: Api, level: str, **parameters: str) -> list[Any]:
    answered = listed(api, level, **parameters)
    found = rows(answered)
    while answered.body["pagination"]["has_next"]:
        answered = listed(api, level, cursor=answered.body["pagination"]["next_cursor"], **parameters)
        found += rows(answered)
    return found


@pytest.fixture
def fleet(ledger: Ledger) -> None:
    """Twelve shops at zero, twelve with 1 to 12 credits, two with more than the threshold of 20."""
    for number in range(12):
        ledger.post(trial(1, of=merchant(f"zero {number}")), order("1", of=merchant(f"zero {number}")))
        ledger.post(trial(number + 1, of=merchant(f"low {number}")))
    ledger.post(trial(21, of=merchant("rich")))
    ledger.post(trial(0, of=merchant("born poor")), adjustment("a", 1000, of=merchant("born poor")))


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("limit", ["1", "5", "12", "100"])
def test_cursors_lead_through_each_level_once(api: Api, limit: str) -> None:
    zero, low = all_rows(api, "zero", limit=limit), all_rows(api, "low", limit=limit)

    assert sorted(one["merchant_id"] for one in zero) == sorted(merchant(f"zero {n}") for n in range(12))
    assert sorted(one["balance"] for one in low) == list(range(1, 13))


@pytest.mark.parametrize("name", LISTS)
def test_each_list_has_the_plugins_or_balances_that_it_names_in_whatever_state(
    api: Api, ledger: Ledger, name: str
) -> None:
    for account in STATES.values():
        ledger.client.put_item(TableName=CREDITS_TABLE, Item=account_item(account))

    for limit in ("1", "5", "100"):
        found = all_rows(api, name, limit=limit)
        assert sorted(names_of(row["merchant_id"] for row in found)) == sorted(LISTS[name]), limit
    if name == "off":
        assert {row["plugin_status"]["status"] for row in found} == {"disabled"}


def test_a_list_of_plugins_that_are_off_is_not_searched(api: Api) -> None:
    both = api.get(MERCHANTS, token=ADMIN, parameters={"status": "disabled", "search": "x"})
    other = api.get(MERCHANTS, token=ADMIN, parameters={"status": "enabled"})

    assert (both.status, both.body["error"]["details"]) == (400, {"field": "status"})
    assert (other.status, other.body["error"]["details"]) == (400, {"field": "status"})


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(("threshold", "expected"), [("0", []), ("1", [1]), ("7", list(range(1, 8)))])
def test_a_threshold_narrows_the_low_ones(api: Api, threshold: str, expected: list[int]) -> None:
    assert sorted(one["balance"] for one in all_rows(api, "low", threshold=threshold, limit="2")) == expected


@pytest.mark.usefixtures("fleet")
def test_a_list_is_read_from_the_index_and_in_one_batch_never_by_scanning(api: Api, aws: Aws) -> None:
    aws.calls.clear()

    answered = listed(api, "zero", limit="100")

    assert aws.operations().count("BatchGetItem") == 1
    assert set(aws.operations()) == {"Query", "BatchGetItem"}
    assert {request["IndexName"] for operation, request in aws.calls if operation == "Query"} == {"by_level", "by_due"}
    answers.Listing[answers.Account].model_validate_json(json.dumps(answered.body))


@pytest.mark.usefixtures("fleet")
def test_a_page_says_where_it_stands_and_links_by_cursor(api: Api) -> None:
    first = listed(api, "low", limit="5", threshold="12")
    cursor = first.body["pagination"]["next_cursor"]
    second = listed(api, "low", limit="5", threshold="12", cursor=cursor)

    assert first.body["pagination"] == {
        "page": None,
        "limit": 5,
        "total": None,
        "pages": None,
        "has_next": True,
        "has_previous": False,
        "next_cursor": cursor,
    }
    base = "/api/v1/credits/admin/low-balance?threshold=12&limit=5"
    assert first.body["links"] == {
        "self": base,
        "next": f"{base}&cursor={cursor}",
        "previous": None,
        "first": base,
        "last": None,
    }
    assert first.headers["Link"] == f'<{base}>; rel="self", <{base}&cursor={cursor}>; rel="next", <{base}>; rel="first"'
    assert second.body["links"]["self"] == f"{base}&cursor={cursor}"
    assert second.body["pagination"]["has_previous"] is True


@pytest.mark.usefixtures("fleet")
def test_who_has_left_the_level_since_is_left_out(api: Api, ledger: Ledger) -> None:
    item = ledger.client.get_item(TableName="credits-test", Key={"merchant_id": {"S": merchant("zero 1")}})["Item"]
    ledger.client.put_item(TableName="credits-test", Item={**item, "balance": {"N": "5"}})

    assert len(all_rows(api, "zero")) == 11


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("level", "parameters"),
    [
        ("zero", {"cursor": "{low}"}),
        ("low", {"cursor": "{low}", "threshold": "5"}),
        ("low", {"cursor": "{bent}"}),
        ("low", {"cursor": "x"}),
        ("low", {"page": "1"}),
        ("low", {"threshold": "-1"}),
        ("low", {"threshold": "1000000001"}),
        ("zero", {"limit": "101"}),
    ],
)
def test_a_list_asked_for_with_something_else_is_400(api: Api, level: str, parameters: Mapping[str, str]) -> None:
    cursor = listed(api, "low", limit="2").body["pagination"]["next_cursor"]
    bent = ("A" if cursor[0] != "A" else "B") + cursor[1:]

    answered = listed(api, level, **{name: text.format(low=cursor, bent=bent) for name, text in parameters.items()})

    assert answered.status == 400


def test_the_function_answers_the_bare_transaction_to_who_invokes_it_directly(ledger: Ledger) -> None:
    ledger.post(trial(10))
    request = {**GOODWILL, "adjustment_id": "a1", "admin_id": "admin-7"}

    first, again = adjust_credits(request, Context()), adjust_credits(request, Context())

    assert first == again
    assert (first["balance_after"], first["id"]) == (15, adjustment("a1").transaction_id)
    assert adjust_credits({**request, "credits": 6}, Context())["error"]["code"] == "key_reused"
    assert adjust_credits({}, Context())["error"]["details"] == {"field": "adjustment_id"}


def test_the_threshold_function_says_what_it_refuses(ledger: Ledger) -> None:
    assert set_threshold([], Context())["error"]["code"] == "field_invalid"
    assert set_threshold({"merchant_id": SHOP, "admin_id": "a"}, Context())["error"] == {
        "code": "field_missing",
        "message": "low_balance_threshold is missing",
        "details": {"field": "low_balance_threshold"},
    }


def test_a_list_stops_after_many_accounts_that_do_not_match_and_returns_its_position(
    api: Api, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balance_lists, "ACCOUNTS_EXAMINED_MAX", 4)
    monkeypatch.setattr(balance_lists, "BATCH", 2)
    shops = [merchant(f"shop {number}") for number in range(7)]
    for shop in shops:
        ledger.post(trial(0, of=shop))
    lists = for_api.balance_lists()

    def seen(after: MerchantId | None) -> tuple[list[MerchantId], MerchantId | None]:
        asked: list[MerchantId] = []
        found = lists.accounts(
            balance_lists.BalanceList.ZERO,
            after=after,
            wanted=1,
            only=lambda account: bool(asked.append(account.merchant_id)),  # type: ignore[func-returns-value]
        )
        assert found.accounts == ()
        return asked, found.after

    first, after = seen(None)
    rest, end = seen(after)

    assert (len(first), after, len(rest), end) == (4, first[-1], 3, None)
    assert {*first, *rest} == set(shops)

"""A merchant's history by page, by cursor and by filter."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.client import BaseClient

from app import app
from chalicelib.adapters.dynamodb import history as history_module
from chalicelib.contracts.api import answers
from chalicelib.domain.ids import MerchantId, instant
from chalicelib.wiring import for_api
from tests.support.api import (
    ADMIN,
    NOBODY,
    NOON,
    OTHER,
    OWNER,
    Answered,
    Api,
    Aws,
    Ledger,
)
from tests.support.builders import SHOP, adjustment, order, payment, trial
from tests.support.fakes import FakeLedger, settle

LIST = "/credits/transactions"


def list_of(api: Api, merchant_id: str, token: Mapping[str, str] = ADMIN, /, **parameters: str) -> Answered:
    return api.get(LIST, token=token, parameters={"merchant_id": merchant_id, **parameters})


def sequences(answered: Answered) -> list[int]:
    return [row["sequence"] for row in answered.body["data"]]


@pytest.fixture
def shop(ledger: Ledger) -> MerchantId:
    """A shop with 25 transactions, one a minute: a trial, 20 orders, three payments, an adjustment."""
    movements = [trial(), *(order(str(number)) for number in range(20)), *(payment(str(p)) for p in range(3))]
    written = FakeLedger()
    for minute, movement in enumerate([*movements, adjustment("a", -1)]):
        settle(written, [movement], now=instant(NOON + timedelta(minutes=minute)))
    ledger.copy(written)
    return SHOP


def test_a_list_is_newest_first_with_its_place_and_its_links(api: Api, shop: MerchantId) -> None:
    answered = list_of(api, shop, page="2", limit="10")

    assert sequences(answered) == list(range(15, 5, -1))
    pagination = answered.body["pagination"]
    assert pagination["next_cursor"]
    assert {**pagination, "next_cursor": None} == {
        "page": 2,
        "limit": 10,
        "total": 25,
        "pages": 3,
        "has_next": True,
        "has_previous": True,
        "next_cursor": None,
    }
    links = answered.body["links"]
    assert links["next"] == f"/api/v1/credits/transactions?merchant_id={shop}&limit=10&page=3"
    assert links["last"].endswith("page=3")
    assert f'<{links["next"]}>; rel="next"' in answered.headers["Link"]
    answers.Listing[answers.Transaction].model_validate_json(json.dumps(answered.body))


def test_the_alias_lists_the_same_and_links_to_itself(api: Api, shop: MerchantId) -> None:
    route = "/credits/transactions/merchant/{merchant_id}"

    answered = api.get(f"/credits/transactions/merchant/{shop.upper()}", route=route, token=OWNER)

    assert sequences(answered) == sequences(list_of(api, shop))
    assert answered.body["links"]["next"] == f"/api/v1/credits/transactions/merchant/{shop}?limit=20&page=2"


@pytest.fixture
def lag(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The newest sequences that the index shows, one for each query to come; once they are used up it shows all."""
    visible: list[int] = []
    real_call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def lagging(client: BaseClient, operation: str, request: Mapping[str, Any]) -> Any:
        answer = real_call(client, operation, request)
        if operation == "Query" and visible:
            newest = visible.pop(0)
            answer["Items"] = [item for item in answer["Items"] if int(item["sequence"]["N"]) <= newest]
            answer["Count"] = len(answer["Items"])
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", lagging)
    monkeypatch.setattr("chalicelib.adapters.dynamodb.history.INDEX_PAUSE_SECONDS", 0)
    return visible


@pytest.mark.parametrize(
    ("shown", "limit", "expected", "requests"),
    [
        ([24], "5", [25, 24, 23, 22, 21], ["GetItem", "Query", "GetItem"]),
        ([24], "1", [25], ["GetItem", "Query", "GetItem"]),
        ([22], "5", [25, 24, 23, 22, 21], ["GetItem", "Query", "Query"]),
        ([22, 24], "5", [25, 24, 23, 22, 21], ["GetItem", "Query", "Query", "GetItem"]),
        ([20], "5", [25, 24, 23, 22, 21], ["GetItem", "Query", "Query"]),
    ],
)
def test_transactions_that_the_index_does_not_show_yet_are_on_the_first_page_all_the_same(
    api: Api,
    shop: MerchantId,
    aws: Aws,
    lag: list[int],
    shown: list[int],
    limit: str,
    expected: list[int],
    requests: list[str],
) -> None:
    lag += shown
    aws.calls.clear()

    answered = list_of(api, shop, limit=limit)

    assert sequences(answered) == expected
    assert answered.body["pagination"]["total"] == 25
    assert aws.operations() == requests


@pytest.mark.parametrize(
    ("shown", "expected", "total"), [([22, 23], [23, 22, 21], 23), ([22, 21], [21], 21), ([20, 20], [], 20)]
)
def test_an_index_that_stays_behind_gives_a_list_as_of_its_newest_transaction_and_leaves_nothing_out(
    api: Api, shop: MerchantId, lag: list[int], shown: list[int], expected: list[int], total: int
) -> None:
    lag += shown

    answered = list_of(api, shop, limit="5")
    following = list_of(api, shop, limit="5", cursor=answered.body["pagination"]["next_cursor"])

    assert (sequences(answered), answered.body["pagination"]["total"]) == (expected, total)
    assert sequences(following) == [20, 19, 18, 17, 16]


@pytest.mark.parametrize("merchant_in_path", [False, True])
def test_links_of_a_list_asked_for_with_a_slash_at_its_end_lead_on(
    api: Api, shop: MerchantId, merchant_in_path: bool
) -> None:
    path = f"/credits/transactions/merchant/{shop}" if merchant_in_path else "/credits/transactions"
    route = path.replace(shop, "{merchant_id}")
    parameters = {} if merchant_in_path else {"merchant_id": shop}

    answered = api.get(f"{path}/", route=route, token=OWNER, parameters=parameters)

    assert answered.status == 200
    assert {link.partition("?")[0] for link in answered.body["links"].values() if link} == {f"/api/v1{path}"}


def test_a_page_costs_one_account_and_one_query_of_its_rows_wherever_it_lies(
    api: Api, shop: MerchantId, aws: Aws
) -> None:
    requests = []
    for page in ("1", "3", "5"):
        aws.calls.clear()
        list_of(api, shop, page=page, limit="5")
        requests.append(aws.operations())

    assert requests == [["GetItem", "Query"]] * 3


@pytest.mark.parametrize(("page", "rows"), [("1", 20), ("2", 5), ("3", 0), ("1000000000", 0)])
def test_pages_end_with_the_history(api: Api, shop: MerchantId, page: str, rows: int) -> None:
    answered = list_of(api, shop, page=page)

    assert (answered.status, len(answered.body["data"])) == (200, rows)
    assert answered.body["pagination"]["has_next"] is (page == "1")


def all_by_cursor(api: Api, merchant_id: str, limit: str, **filters: str) -> list[int]:
    answered = list_of(api, merchant_id, limit=limit, **filters)
    seen = sequences(answered)
    while (cursor := answered.body["pagination"]["next_cursor"]) is not None:
        answered = list_of(api, merchant_id, limit=limit, cursor=cursor, **filters)
        assert answered.body["pagination"]["page"] is None
        seen += sequences(answered)
    return seen


@pytest.mark.parametrize("limit", ["1", "7", "25", "100"])
def test_cursors_lead_through_the_whole_history_once(api: Api, shop: MerchantId, limit: str) -> None:
    assert all_by_cursor(api, shop, limit) == list(range(25, 0, -1))


def test_a_cursor_keeps_its_place_while_transactions_come_in(api: Api, shop: MerchantId, ledger: Ledger) -> None:
    cursor = list_of(api, shop, limit="10").body["pagination"]["next_cursor"]
    ledger.post(order("new"), at=NOON + timedelta(hours=1))

    answered = list_of(api, shop, limit="10", cursor=cursor)

    assert sequences(answered) == list(range(15, 5, -1))
    assert answered.body["pagination"]["has_previous"] is True


@pytest.mark.parametrize("other", [{"transaction_type": "PAYMENT"}, {"start_date": "2025-06-01"}])
def test_a_cursor_with_other_filters_is_refused_before_any_read(
    api: Api, shop: MerchantId, aws: Aws, other: dict[str, str]
) -> None:
    cursor = list_of(api, shop, limit="10").body["pagination"]["next_cursor"]
    aws.calls.clear()

    answered = list_of(api, shop, cursor=cursor, **other)

    assert (answered.status, answered.body["error"]["code"]) == (400, "CURSOR_INVALID")
    assert aws.calls == []


def test_a_cursor_of_another_merchant_is_refused(api: Api, shop: MerchantId, ledger: Ledger) -> None:
    ledger.post(trial(of=OTHER))
    cursor = list_of(api, shop, limit="10").body["pagination"]["next_cursor"]

    assert list_of(api, OTHER, cursor=cursor).status == 400


def test_without_a_key_pages_work_and_cursors_are_not_given(
    api: Api, shop: MerchantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(for_api, "cursor_key", lambda: None)

    answered = list_of(api, shop)

    assert (answered.status, answered.body["pagination"]["next_cursor"]) == (200, None)
    assert answered.body["pagination"]["has_next"] is True
    assert list_of(api, shop, cursor="A" * 32).status == 400


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"transaction_type": "PAYMENT"}, [24, 23, 22]),
        ({"transaction_type": "trial"}, [1]),
        ({"operation_type": "INCREASE"}, [24, 23, 22, 1]),
        ({"operation_type": "DECREASE", "transaction_type": "MANUAL"}, [25]),
        ({"operation_type": "INCREASE", "transaction_type": "MANUAL"}, []),
        ({"operation_type": "INCREASE", "transaction_type": "REFUND"}, []),
    ],
)
def test_a_type_filter_counts_exactly(api: Api, shop: MerchantId, filters: dict[str, str], expected: list[int]) -> None:
    answered = list_of(api, shop, limit="2", **filters)

    assert sequences(answered) == expected[:2]
    assert answered.body["pagination"]["total"] == len(expected)
    assert all_by_cursor(api, shop, "2", **filters) == expected
    assert [n for page in ("1", "2", "3") for n in sequences(list_of(api, shop, limit="2", page=page, **filters))] == (
        expected
    )


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"start_date": "2025-06-01T12:05:00Z"}, range(25, 5, -1)),
        ({"start_date": "2025-06-01T12:05:00.001Z"}, range(25, 6, -1)),
        ({"end_date": "2025-06-01T12:05:00Z"}, range(6, 0, -1)),
        ({"end_date": "2025-06-01T12:04:59.999Z"}, range(5, 0, -1)),
        ({"start_date": "2025-06-01T14:05:00+02:00", "end_date": "2025-06-01T12:07:30"}, range(8, 5, -1)),
        ({"start_date": "2025-06-01t12:05:00z", "end_date": "20250601"}, range(25, 5, -1)),
        ({"start_date": "2025-06-01", "end_date": "2025-06-01"}, range(25, 0, -1)),
        ({"start_date": "2025-06-02"}, range(0)),
        ({"end_date": "2025-05-31"}, range(0)),
        ({"start_date": "2025-06-01T12:05:10Z", "end_date": "2025-06-01T12:05:20Z"}, range(0)),
    ],
)
def test_dates_include_both_ends_and_count_exactly(
    api: Api, shop: MerchantId, dates: dict[str, str], expected: range
) -> None:
    answered = list_of(api, shop, limit="100", **dates)

    assert sequences(answered) == list(expected)
    assert answered.body["pagination"]["total"] == len(expected)
    assert all_by_cursor(api, shop, "4", **dates) == list(expected)


def test_transactions_of_one_instant_are_all_inside_or_all_outside(api: Api, ledger: Ledger) -> None:
    ledger.post(trial(), order("1"), order("2"))
    ledger.post(order("3"), order("4"), at=NOON + timedelta(milliseconds=1))

    at_noon = list_of(api, SHOP, end_date="2025-06-01T12:00:00.000Z")
    after = list_of(api, SHOP, start_date="2025-06-01T12:00:00.001Z")

    assert (sequences(at_noon), sequences(after)) == ([3, 2, 1], [5, 4])


def test_dates_and_types_together_count_nothing_rather_than_guess(api: Api, shop: MerchantId) -> None:
    filters = {"transaction_type": "ORDER_PAID", "start_date": "2025-06-01T12:15:00Z"}

    first, second = (list_of(api, shop, limit="4", page=page, **filters) for page in ("1", "2"))

    assert (sequences(first), sequences(second)) == ([21, 20, 19, 18], [17, 16])
    assert (first.body["pagination"]["total"], first.body["pagination"]["pages"]) == (None, None)
    assert (first.body["pagination"]["has_next"], second.body["pagination"]["has_next"]) == (True, False)
    assert first.body["links"]["last"] is None
    assert all_by_cursor(api, shop, "4", **filters) == [21, 20, 19, 18, 17, 16]


def test_a_search_that_would_read_too_much_stops_and_its_cursor_goes_on(
    api: Api, shop: MerchantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "TRANSACTIONS_EXAMINED_MAX", 10)
    filters = {"transaction_type": "TRIAL", "start_date": "2025-06-01"}

    short = list_of(
        api, shop, cursor=list_of(api, shop, start_date="2025-06-01", limit="1").body["links"]["self"][-32:]
    )
    too_far = list_of(api, shop, **filters)

    assert short.status == 400
    assert (too_far.status, too_far.body["error"]["code"]) == (400, "PAGE_TOO_FAR")


def test_an_owner_without_an_account_has_an_empty_history(api: Api) -> None:
    own, admin_of_unknown = list_of(api, SHOP, OWNER), list_of(api, NOBODY)

    assert own.status == admin_of_unknown.status == 200
    assert own.body["data"] == admin_of_unknown.body["data"] == []
    assert own.body["pagination"] == {
        "page": 1,
        "limit": 20,
        "total": 0,
        "pages": 0,
        "has_next": False,
        "has_previous": False,
        "next_cursor": None,
    }


@pytest.mark.parametrize(
    "bent",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "-1"},
        {"limit": "1.0"},
        {"limit": "٣"},
        {"limit": "9" * 400},
        {"page": "0"},
        {"page": "1e3"},
        {"page": "1000000001"},
        {"page": " 1"},
        {"page": ""},
        {"limit": ""},
        {"operation_type": ""},
        {"transaction_type": ""},
        {"page": "1", "cursor": "A" * 32},
        {"cursor": "x"},
        {"cursor": "A" * 600},
        {"operation_type": "BOTH"},
        {"transaction_type": "GIFT"},
        {"start_date": "yesterday"},
        {"end_date": "2025-13-01"},
        {"start_date": "9999-12-31T23:59:59-14:00"},
        {"start_date": "2025-06-02", "end_date": "2025-06-01"},
        {"merchant_id": "shop"},
        {"merchant_id": ""},
    ],
    ids=str,
)
def test_a_parameter_out_of_form_is_a_bad_request_before_any_read(api: Api, aws: Aws, bent: dict[str, str]) -> None:
    aws.calls.clear()

    answered = api.get(LIST, token=ADMIN, parameters={"merchant_id": SHOP, **bent})

    assert answered.status == 400
    assert answered.body["error"]["details"]["field"] in bent
    assert aws.calls == []


def test_a_parameter_given_twice_is_a_bad_request(api: Api) -> None:
    answered = api.get(LIST, token=ADMIN, parameters={"merchant_id": [SHOP, str(uuid4())]})

    assert answered.body["error"]["details"] == {"field": "merchant_id"}


def test_at_an_address_of_aws_links_keep_the_stage(api: Api, shop: MerchantId) -> None:
    event = {
        "resource": "/api/v1/credits/transactions",
        "path": "/api/v1/credits/transactions",
        "httpMethod": "GET",
        "headers": None,
        "multiValueQueryStringParameters": {"merchant_id": [shop]},
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "r",
            "resourcePath": "/api/v1/credits/transactions",
            "httpMethod": "GET",
            "path": "/prod/api/v1/credits/transactions",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
            "authorizer": OWNER,
        },
        "body": None,
    }

    answered = Answered.of(app({**event, "headers": {}}, None))

    assert answered.body["links"]["self"].startswith("/prod/api/v1/credits/transactions?")


def test_an_order_is_found_by_its_id_with_one_read(api: Api, aws: Aws, shop: MerchantId) -> None:
    aws.calls.clear()

    answered = list_of(api, shop, order_id="7")

    assert [(row["reference_id"], row["transaction_type"]) for row in answered.body["data"]] == [("7", "ORDER_PAID")]
    assert (answered.body["pagination"]["total"], answered.body["pagination"]["has_next"]) == (1, False)
    assert answered.body["links"]["self"].endswith("&order_id=7&limit=20&page=1")
    assert aws.operations() == ["GetItem"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"order_id": "404"},
        {"order_id": "7", "page": "2"},
        {"order_id": "7", "transaction_type": "REFUND"},
        {"order_id": "7", "end_date": "2020-01-01"},
        {"order_id": "TRIAL_MERCHANT"},
    ],
)
def test_an_order_that_is_not_there_or_does_not_match_is_an_empty_list(
    api: Api, shop: MerchantId, parameters: dict[str, str]
) -> None:
    answered = list_of(api, shop, **parameters)

    assert (answered.status, answered.body["data"]) == (200, [])


def test_an_order_s_owner_finds_it_and_nobody_else_s(api: Api, shop: MerchantId) -> None:
    assert len(list_of(api, shop, OWNER, order_id="7").body["data"]) == 1
    assert len(list_of(api, shop, OWNER, order_id="gid://shopify/Order/7?a=b").body["data"]) == 1
    assert list_of(api, OTHER, OWNER, order_id="7").status == 404

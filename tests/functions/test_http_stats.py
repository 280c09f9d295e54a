"""What a merchant's transactions add up to."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.contracts.api import answers
from chalicelib.domain.ids import instant
from chalicelib.usecases import looking_back
from tests.support.api import ADMIN, NOBODY, NOON, OPS, OTHER, OWNER, Answered, Api, Aws, Ledger
from tests.support.builders import SHOP, adjustment, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, settle

ROUTE = "/credits/transactions/merchant/{merchant_id}/stats"


def stats_of(api: Api, shop: str = SHOP, token: Mapping[str, str] = OWNER, /, **parameters: str) -> Answered:
    path = f"/credits/transactions/merchant/{shop}/stats"
    return api.get(path, route=ROUTE, token=token, parameters=parameters)


@pytest.fixture
def shop(ledger: Ledger) -> FakeLedger:
    """A shop with one transaction a minute: a trial of 2, three orders, of which the last found nothing, and others."""
    written = FakeLedger()
    movements = [trial(2), order("1"), order("2"), order("3"), payment("p", 7), refund_of("1"), adjustment("a", -4)]
    for minute, movement in enumerate(movements):
        settle(written, [movement], now=instant(NOON + timedelta(minutes=minute)))
    ledger.copy(written)
    return written


WHOLE: dict[str, Any] = {
    "merchant_id": SHOP,
    "total_increases": 3,
    "total_decreases": 4,
    "transaction_count": 7,
    "last_transaction_at": "2025-06-01T12:06:00.000Z",
    "credits_in": 10,
    "credits_out": 6,
    "total_shortfall": 1,
    "by_type": {
        "TRIAL": {"increases": 1, "decreases": 0, "credits_in": 2, "credits_out": 0},
        "ORDER_PAID": {"increases": 0, "decreases": 3, "credits_in": 0, "credits_out": 2},
        "REFUND": {"increases": 1, "decreases": 0, "credits_in": 1, "credits_out": 0},
        "PAYMENT": {"increases": 1, "decreases": 0, "credits_in": 7, "credits_out": 0},
        "MANUAL": {"increases": 0, "decreases": 1, "credits_in": 0, "credits_out": 4},
    },
}


@pytest.mark.usefixtures("shop")
def test_without_dates_the_account_alone_is_read(api: Api, aws: Aws) -> None:
    aws.calls.clear()

    answered = stats_of(api)

    assert answered.body["data"] == WHOLE
    assert aws.operations() == ["GetItem"]
    answers.Answer[answers.Stats].model_validate_json(json.dumps(answered.body))


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    "dates",
    [{"start_date": "2025-06-01"}, {"end_date": "2025-06-01"}, {"start_date": "2025-01-01", "end_date": "2026-01-01"}],
)
def test_dates_that_hold_everything_say_the_same(api: Api, dates: Mapping[str, str]) -> None:
    assert stats_of(api, **dates).body["data"] == WHOLE


def test_any_range_adds_up_what_its_transactions_say(api: Api, shop: FakeLedger) -> None:
    for first in range(1, 8):
        for last in range(first, 8):
            transactions = [transaction for transaction in shop.history(SHOP) if first <= transaction.sequence <= last]
            answered = stats_of(api, start_date=transactions[0].created_at, end_date=transactions[-1].created_at)

            data = answered.body["data"]
            assert data["transaction_count"] == len(transactions)
            assert data["credits_in"] - data["credits_out"] == sum(transaction.amount for transaction in transactions)
            assert data["total_shortfall"] == sum(transaction.shortfall for transaction in transactions)
            assert data["last_transaction_at"] == transactions[-1].created_at
            types = {transaction.kind.transaction_type for transaction in transactions}
            assert set(data["by_type"]) == types


@pytest.mark.usefixtures("shop")
def test_a_range_without_transactions_adds_up_to_nothing(api: Api) -> None:
    data = stats_of(api, start_date="2025-06-02", end_date="2025-06-03").body["data"]

    assert (data["transaction_count"], data["last_transaction_at"], data["by_type"]) == (0, None, {})


@pytest.mark.usefixtures("shop")
def test_a_range_of_too_many_transactions_is_refused_before_it_is_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looking_back.ADDED_UP_MAX == 20_000
    monkeypatch.setattr(looking_back, "ADDED_UP_MAX", 3)

    largest = stats_of(api, start_date="2025-06-01T12:04:00Z")
    too_large = stats_of(api, start_date="2025-06-01T12:03:00Z")

    assert largest.body["data"]["transaction_count"] == 3
    assert (too_large.status, too_large.body["error"]["code"]) == (400, "RANGE_TOO_LONG")


@pytest.mark.parametrize(
    "dates",
    [{"start_date": "yesterday"}, {"end_date": "2025-13-01"}, {"start_date": "2025-06-02", "end_date": "2025-06-01"}],
)
def test_dates_that_are_none_are_400(api: Api, dates: Mapping[str, str]) -> None:
    assert stats_of(api, **dates).status == 400


def test_a_foreign_merchant_looks_like_one_that_does_not_exist_and_an_admin_sees_nothing_of_nobody(
    api: Api, ledger: Ledger
) -> None:
    ledger.post(trial(of=OTHER))

    assert [stats_of(api, OTHER).status, stats_of(api, NOBODY).status, stats_of(api, SHOP, OPS).status] == [
        404,
        404,
        403,
    ]
    unknown = stats_of(api, NOBODY, ADMIN)
    assert (unknown.status, unknown.body["data"]["transaction_count"]) == (200, 0)

"""How long the credits last, as the API says it: on the account, on the balance, and in the list of who runs low."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.ids import MerchantId, instant
from tests.support.api import ADMIN, OWNER, Api, Ledger
from tests.support.builders import SHOP, merchant, order, trial
from tests.support.fakes import FakeLedger, settle

NOW = datetime.now(UTC)


def sells(ledger: Ledger, shop: MerchantId, *, left: int, each_day: int, days: int = 10) -> None:
    """Open an account and sell steadily until now, so that so many credits are left."""
    orders = each_day * days
    written = FakeLedger()
    settle(written, [trial(orders + left, of=shop)], now=instant(NOW - timedelta(days=days)))
    for number in range(orders):
        at = NOW - timedelta(days=days) * (1 - number / orders)
        settle(written, [order(str(number), of=shop)], now=instant(at))
    ledger.copy(written)


def asked(api: Api, path: str, route: str, **parameters: str) -> Any:
    answered = api.get(path, route=route, token=OWNER, parameters=parameters)
    assert answered.status == 200, answered.body
    return answered.body["data"]


@pytest.mark.parametrize("path", ["", "/balance"])
def test_an_account_and_its_balance_say_how_long_it_lasts(api: Api, ledger: Ledger, path: str) -> None:
    sells(ledger, SHOP, left=25, each_day=3)

    said = asked(api, f"/credits/accounts/{SHOP}{path}", f"/credits/accounts/{{merchant_id}}{path}")["runway"]

    assert said["per_day"] == pytest.approx(3, abs=0.1)
    assert said["days_left"] == 8
    assert said["empty_on"] == f"{datetime.now(UTC) + timedelta(days=25 / said['per_day']):%Y-%m-%d}"


def test_a_young_account_says_none(api: Api, ledger: Ledger) -> None:
    sells(ledger, SHOP, left=25, each_day=5, days=2)

    assert asked(api, f"/credits/accounts/{SHOP}", "/credits/accounts/{merchant_id}")["runway"] is None


def test_a_balance_of_the_past_says_none(api: Api, ledger: Ledger) -> None:
    sells(ledger, SHOP, left=25, each_day=3)

    then = asked(
        api,
        f"/credits/accounts/{SHOP}/balance",
        "/credits/accounts/{merchant_id}/balance",
        at=instant(NOW - timedelta(days=1)),
    )

    assert then["runway"] is None


@pytest.mark.parametrize(("days", "expected"), [("0", []), ("3", ["hurried"]), ("6", ["calm", "hurried"])])
def test_days_narrow_the_low_ones_to_those_that_last_no_longer(
    api: Api, ledger: Ledger, days: str, expected: list[str]
) -> None:
    shops = {merchant(name): name for name in ("hurried", "calm", "new")}
    sells(ledger, merchant("hurried"), left=10, each_day=3)
    sells(ledger, merchant("calm"), left=10, each_day=2, days=8)
    ledger.post(trial(1, of=merchant("new")))

    answered = api.get("/credits/admin/low-balance", token=ADMIN, parameters={"days": days, "limit": "2"})

    assert sorted(shops[one["merchant_id"]] for one in answered.body["data"]) == expected
    assert answered.body["links"]["self"] == f"/api/v1/credits/admin/low-balance?days={days}&limit=2"


@pytest.mark.parametrize("days", ["-1", "x", "3651"])
def test_days_that_are_no_number_of_days_are_400(api: Api, days: str) -> None:
    assert api.get("/credits/admin/low-balance", token=ADMIN, parameters={"days": days}).status == 400

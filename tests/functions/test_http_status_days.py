"""The days left in a plugin-status answer: only for a page that asks, and only of a shop that allows it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from chalicelib.contracts.api import answers
from chalicelib.domain.ids import MerchantId
from chalicelib.settings import settings
from tests.functions.test_http_runway import sells
from tests.functions.test_http_status import status_of
from tests.support.api import OTHER, Api, Aws, Ledger, throttled
from tests.support.builders import SHOP, order, trial

ASKED = {"days_left": "1"}


@pytest.fixture(autouse=True)
def _no_time_passes() -> Iterator[None]:
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


def allowed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("WIDGET_DAYS_LEFT", text)
    settings.cache_clear()


def days_of(api: Api, shop: MerchantId, **more: Any) -> Any:
    return status_of(api, shop, parameters=ASKED, **more).body["data"]["days_left"]


@pytest.mark.parametrize("setting", ["", "off", OTHER])
def test_a_stranger_cannot_read_how_long_a_shop_lasts_that_does_not_allow_it(
    api: Api, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    sells(ledger, SHOP, left=25, each_day=3)
    allowed(monkeypatch, setting)
    plain = status_of(api, SHOP, headers={"X-Request-ID": "r"})

    ways: list[dict[str, Any]] = [ASKED, {"days_left": ["1", "1"]}, {"days_left": ""}]
    asked = [status_of(api, SHOP, parameters=way, headers={"X-Request-ID": "r"}) for way in ways]

    assert asked == [plain] * 3
    assert "days" not in json.dumps(plain.body)


@pytest.mark.parametrize("setting", ["on", f"{OTHER}, {SHOP}"])
def test_a_page_that_asks_gets_the_days_of_a_shop_that_allows_it(
    api: Api, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    sells(ledger, SHOP, left=25, each_day=3)
    allowed(monkeypatch, setting)

    asked, plain = status_of(api, SHOP, parameters=ASKED), status_of(api, SHOP)

    assert answers.Answer[answers.StatusWithDays].model_validate(asked.body).data.days_left == 8
    assert "balance" not in json.dumps(asked.body)
    assert asked.headers["Cache-Control"] == plain.headers["Cache-Control"]
    assert asked.headers["ETag"] != plain.headers["ETag"]
    assert "days_left" not in plain.body["data"]
    again = status_of(api, SHOP, parameters=ASKED, headers={"If-None-Match": asked.headers["ETag"]})
    assert again.status == 304


def test_days_that_are_not_known_are_null(api: Api, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed(monkeypatch, "on")
    ledger.post(trial(), order("1"))

    assert days_of(api, SHOP) is None
    assert days_of(api, OTHER) is None


def test_an_account_that_cannot_be_read_leaves_the_status_as_it_is(
    api: Api, ledger: Ledger, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    sells(ledger, SHOP, left=25, each_day=3)
    allowed(monkeypatch, "on")
    assert status_of(api, SHOP).body["data"]["status"] == "enabled"

    aws.fault = throttled()
    answered = status_of(api, SHOP, parameters=ASKED).body["data"]

    assert (answered["status"], answered["days_left"]) == ("enabled", None)

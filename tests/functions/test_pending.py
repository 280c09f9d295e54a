"""Readers of many accounts, while time has changed some and nobody has posted it (contract, section 16)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import app
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.ports import DueAccount
from chalicelib.usecases import falling_due
from chalicelib.wiring import for_api, for_figures, for_posting
from tests.functions.test_post_due import post_due
from tests.support.api import ADMIN, CREDITS_TABLE, OPS, Api
from tests.support.builders import merchant
from tests.support.events import Context, asking, charged, opened, paid
from tests.support.figures_tables import FiguresTable
from tests.support.stream_events import event
from tests.support.system import System

STEADY, LAPSED, LOWERED = merchant("steady"), merchant("all lapsed"), merchant("most lapsed")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
ONCE = (for_figures.pending, for_figures.due_list, for_figures.due_marks, for_api.balance_lists)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    return Api(app.app)


@pytest.fixture
def shops(desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Three shops as they were ten minutes ago. Since then one has lost all its credits, and one most of them."""
    for built in ONCE:
        built.cache_clear()
    desk.configure(LOW_BALANCE_THRESHOLD_PERCENT="20", TRIAL_CREDITS="22")
    then = datetime.now(UTC) - timedelta(minutes=10)
    ends = instant(then + timedelta(minutes=5))
    with monkeypatch.context() as earlier:
        earlier.setattr(for_posting, "now", lambda: instant(then))
        for_figures.due_marks().keep(instant(then))
        account = {"merchant_id": LAPSED, "credits_to_use": 22, "expires_at": ends}
        desk.ingest(opened(STEADY), asking("evt.account.created", account))
        desk.ingest(asking("evt.account.created", {"merchant_id": LOWERED, "credits_to_use": 3}))
        desk.ingest(charged("p1", 40, merchant_id=LOWERED, expires_at=ends))
        rolled_up(desk)
    yield desk
    for built in ONCE:
        built.cache_clear()


def rolled_up(system: System) -> None:
    assert app.roll_up(event(system.stream(CREDITS_TABLE)), Context()) == {"batchItemFailures": []}


def listed(api: Api, level: str, **parameters: str) -> list[str]:
    answered = api.get(f"/credits/admin/{level}-balance", token=ADMIN, parameters=parameters)
    assert answered.status == 200, answered.body
    return [row["merchant_id"] for row in answered.body["data"]]


def fleet(api: Api) -> dict[str, Any]:
    answered = api.get("/credits/plugin-status/metrics", token=OPS)
    return {
        name: value
        for name, value in answered.body["data"].items()
        if name in ("total_merchants", "enabled_count", "disabled_count", "zero_balance_count", "low_balance_count")
    }


def everything(api: Api) -> list[Any]:
    prometheus = api.get("/metrics", token=OPS).text.splitlines()
    status = [line for line in prometheus if line.startswith(("credits_plugin_status{", "credits_fleet_balance"))]
    return [listed(api, "zero"), listed(api, "low"), fleet(api), status]


def test_what_has_lapsed_and_is_not_posted_is_listed_and_counted_as_it_is_now(api: Api, shops: System) -> None:
    now = everything(api)

    assert now == [
        [LAPSED],
        [LOWERED],
        {
            "total_merchants": 3,
            "enabled_count": 2,
            "disabled_count": 1,
            "zero_balance_count": 1,
            "low_balance_count": 1,
        },
        [
            "credits_fleet_balance 25.0",
            'credits_plugin_status{status="enabled"} 2.0',
            'credits_plugin_status{status="disabled"} 1.0',
        ],
    ]
    assert post_due()["brought"] == 2
    rolled_up(shops)
    assert everything(api) == now


def test_pages_go_over_what_is_posted_and_what_is_not_in_one_order(api: Api, shops: System) -> None:
    then = datetime.now(UTC) - timedelta(minutes=9)
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(for_posting, "now", lambda: instant(then))
        of = {"credits_to_use": 1, "expires_at": instant(then + timedelta(minutes=5))}
        lapsing = [merchant(f"lapses {number}") for number in range(9)]
        empty = [merchant(f"empty {number}") for number in range(9)]
        shops.ingest(*(asking("evt.account.created", {"merchant_id": shop, **of}) for shop in lapsing))
        shops.ingest(*(asking("evt.account.created", {"merchant_id": shop, "credits_to_use": 1}) for shop in empty))
        shops.ingest(*(paid(1, merchant_id=shop) for shop in empty))
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answered = api.get("/credits/admin/zero-balance", token=ADMIN, parameters={"limit": "4", **cursor})
        found += [row["merchant_id"] for row in answered.body["data"]]
        if answered.body["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": answered.body["pagination"]["next_cursor"]}

    assert sorted(found) == sorted([LAPSED, *lapsing, *empty])
    post_due()
    assert listed(api, "zero", limit="100") == found


class Listing:
    """A due list that has an account in every minute, and notes the hours that are asked for."""

    def __init__(self) -> None:
        self.hours: list[str] = []

    def listed(self, hour: Instant, *, until: Instant) -> Iterator[DueAccount]:
        self.hours.append(hour[11:16])
        begins = datetime.fromisoformat(hour)
        for second in range(3600):
            at = instant(begins + timedelta(seconds=second))
            if at <= until:
                yield DueAccount(merchant_id=MerchantId(at), due_at=at)


@pytest.mark.parametrize(("minute", "hours"), [(0, ["11:00", "12:00"]), (14, ["11:00", "12:00"]), (16, ["12:00"])])
def test_a_reader_looks_at_this_hour_and_the_end_of_the_last(
    minute: int, hours: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(falling_due, "PENDING_MAX", 10**6)
    due = Listing()

    falling_due.pending(due, instant(NOON + timedelta(minutes=minute)))

    assert due.hours == hours


def test_a_reader_stops_after_many_accounts() -> None:
    found = falling_due.pending(Listing(), instant(NOON + timedelta(minutes=59)))

    assert len(found) == falling_due.PENDING_MAX


def test_a_balance_at_a_time_has_what_has_lapsed_by_then_though_it_is_not_posted(api: Api, shops: System) -> None:
    def balance(minutes_ago: float) -> int:
        at = instant(datetime.now(UTC) - timedelta(minutes=minutes_ago))
        answered = api.get(
            f"/credits/accounts/{LOWERED}/balance",
            route="/credits/accounts/{merchant_id}/balance",
            token=ADMIN,
            parameters={"at": at},
        )
        return int(answered.body["data"]["balance"])

    assert shops.account(LOWERED).balance == 43
    assert [balance(ago) for ago in (6, 4, 0)] == [43, 3, 3]

"""What is due, posted every minute by the function (contract, section 16)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import app
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant, instant
from chalicelib.usecases import falling_due
from chalicelib.wiring import for_figures
from tests.functions.test_lots import Clock, clock, listed, told
from tests.support.api import CREDITS_TABLE
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, asking, charged, opened, paid
from tests.support.figures_tables import FIGURES_TABLE, created
from tests.support.system import System, refusal

__all__ = ["clock"]  # a fixture
SCHEDULED = dict.fromkeys(
    ("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources"), ""
)
BUILT = (for_figures.due_list, for_figures.due_marks, for_figures.container_counters, for_figures.fleet)


@pytest.fixture(autouse=True)
def figures(system: System) -> Iterator[None]:
    system.configure(FIGURES_TABLE=FIGURES_TABLE)
    created(system.dynamodb, FIGURES_TABLE)
    for once in BUILT:
        once.cache_clear()
    yield
    for once in BUILT:
        once.cache_clear()


def post_due(milliseconds: int = 55_000) -> dict[str, Any]:
    answer: dict[str, Any] = app.post_due(SCHEDULED, Context(milliseconds))
    return answer


def of(shop: str, event_type: str, **payload: Any) -> str:
    return asking(event_type, {"merchant_id": merchant(shop), **payload})


def shops(system: System, number: int) -> list[str]:
    names = [f"shop {place}" for place in range(number)]
    # A sweep has come to here.
    for_figures.due_marks().keep(instant(datetime.now(UTC)))
    for name in names:
        system.ingest(
            of(
                name,
                "evt.account.created",
                credits_to_use=5,
                expires_at=instant(datetime.now(UTC) + timedelta(hours=2)),
            )
        )
    return names


def test_credits_lapse_at_their_instant_without_anybodys_doing(system: System, clock: Clock) -> None:
    system.configure(EXPIRY_NOTICE_DAYS="none")
    system.ingest(opened(), charged("p1", 50, expires_in_days=1))
    clock.moment += timedelta(days=1, milliseconds=-1)
    assert post_due()["brought"] == 0
    assert told(system)[1:] == [("PAYMENT", 50, 150)]

    clock.moment += timedelta(milliseconds=1)
    assert (post_due()["brought"], post_due()["brought"]) == (1, 0)

    assert told(system)[2:] == [("EXPIRY", -50, 100)]
    assert listed(system) == []


def test_a_notice_is_written_without_a_transaction_and_once(system: System, clock: Clock) -> None:
    system.ingest(opened(), charged("p1", 50, expires_in_days=10))
    clock.pass_days(3)
    assert (post_due()["brought"], post_due()["brought"]) == (1, 0)

    [item] = system.items(CREDITS_TABLE)
    [crossing] = json.loads(item["crossings"]["S"])
    assert (crossing["type"], crossing["transaction_id"], crossing["details"]["days"]) == ("expiring", None, 7)
    assert len(system.history()) == 2
    assert listed(system) == [instant(clock.moment + timedelta(days=6))]
    clock.pass_days(6.5)
    post_due()
    [item] = system.items(CREDITS_TABLE)
    assert json.loads(item["crossings"]["S"])[0]["details"]["days"] == 1


def test_after_an_outage_all_is_caught_up_with(system: System, clock: Clock) -> None:
    names = shops(system, 3)
    clock.pass_days(1.1)

    answer = post_due()

    assert (answer["brought"], answer["finished"], answer["until"]) == (3, True, clock())
    for name in names:
        assert system.account(merchant(name)).balance == 0


@pytest.mark.slow
def test_a_call_that_is_too_short_goes_on_where_it_ended(system: System, clock: Clock) -> None:
    shops(system, 3)
    clock.pass_days(0.2)
    answer = post_due(milliseconds=5_000)
    assert (answer["brought"], answer["finished"]) == (0, False)
    assert answer["until"] < clock()

    assert (post_due()["brought"], post_due()["looked_at"]) == (3, 0)


def test_an_account_that_cannot_be_written_stops_no_other_and_holds_back_the_mark(system: System, clock: Clock) -> None:
    shops(system, 3)
    due_at = system.account(merchant("shop 1")).due_at
    system.dynamodb.update_item(
        TableName=CREDITS_TABLE,
        Key={"merchant_id": {"S": merchant("shop 1")}},
        UpdateExpression="SET balance = :bad",
        ExpressionAttributeValues={":bad": {"S": "five"}},
    )
    clock.pass_days(0.2)

    answer = post_due()

    assert (answer["brought"], answer["failed"], answer["until"]) == (2, 1, due_at)
    assert [line["merchant_id"] for line in system.lines() if line["message"] == "due and not posted"] == [
        merchant("shop 1")
    ]


@pytest.mark.slow
def test_an_account_that_stays_unwritable_holds_back_the_mark_by_a_day_at_most(system: System, clock: Clock) -> None:
    shops(system, 1)
    system.dynamodb.update_item(
        TableName=CREDITS_TABLE,
        Key={"merchant_id": {"S": merchant("shop 0")}},
        UpdateExpression="SET balance = :bad",
        ExpressionAttributeValues={":bad": {"S": "five"}},
    )
    clock.pass_days(10)

    answer = post_due()

    assert (answer["failed"], answer["until"]) == (1, instant(clock.moment - timedelta(days=1)))
    queries = system.requests.count("Query")
    post_due()
    assert system.requests.count("Query") - queries < 30 * 8


@pytest.mark.slow
def test_a_call_that_is_torn_while_it_catches_up_has_not_been_in_vain(
    system: System, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops(system, 2)
    post_due()
    begun = clock()
    clock.pass_days(7)
    listed_by, asked = for_figures.due_list().listed, []

    def torn(self: object, hour: Instant, *, until: Instant) -> Iterator[Any]:
        asked.append(hour)
        if len(asked) == 100:
            raise RetryLater(Code.UNAVAILABLE, "torn")
        return listed_by(hour, until=until)

    monkeypatch.setattr(type(for_figures.due_list()), "listed", torn)
    with pytest.raises(RetryLater):
        post_due()

    assert (for_figures.due_marks().last() or "") > instant(datetime.fromisoformat(begun) + timedelta(days=3))
    assert post_due()["until"] == clock()


def test_a_fault_of_any_request_is_made_up_for_by_the_next_call(system: System, clock: Clock) -> None:
    shops(system, 2)
    clock.pass_days(0.2)
    for operation in ("TransactWriteItems", "BatchGetItem", "Query", "PutItem", "GetItem"):
        system.fail(operation, *[refusal(operation, "InternalServerError", 500)] * 3)
        try:
            post_due()
        except Exception:  # noqa: BLE001 - Lambda reports it, and the schedule calls again
            system.faults.clear()
        system.faults.clear()
    post_due()

    for name in ("shop 0", "shop 1"):
        assert system.account(merchant(name)).balance == 0
        assert [each.kind.transaction_type for each in system.history(merchant(name))] == ["TRIAL", "EXPIRY"]


def test_what_a_restore_brought_back_is_found_within_a_day(system: System, clock: Clock) -> None:
    shops(system, 1)
    due_at = datetime.fromisoformat(system.account(merchant("shop 0")).due_at or "")
    clock.pass_days(20)
    for_figures.due_marks().keep(clock())
    assert post_due()["brought"] == 0
    hours = falling_due.LOOK_BACK // timedelta(hours=1)
    minute = next(
        minute
        for minute in range(hours)
        if hour(clock.moment + timedelta(minutes=minute)) - hour(due_at)
        == timedelta(hours=(int(clock.moment.timestamp()) // 60 + minute) % hours)
    )

    clock.moment += timedelta(minutes=minute)

    assert post_due()["brought"] == 1
    assert system.account(merchant("shop 0")).balance == 0


def hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def test_whoever_writes_first_leaves_nothing_to_the_sweep(system: System, clock: Clock) -> None:
    system.ingest(opened(), charged("p1", 50, expires_in_days=1))
    clock.pass_days(2)
    system.ingest(paid(1))
    writes = system.requests.count("TransactWriteItems")

    assert post_due()["brought"] == 0
    assert system.requests.count("TransactWriteItems") == writes
    assert system.account(SHOP).balance == 99

"""What people look at, over HTTP: the list of merchants, days, and who did what."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from botocore.exceptions import ClientError

import app
from chalicelib.adapters.dynamodb.figures import FLEET_KEYS
from chalicelib.domain.actions import Action
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.figures import Figures, bucket
from chalicelib.domain.ids import Instant, instant
from chalicelib.handlers.roll_up import _FleetDay, _FleetReport
from chalicelib.wiring import for_api, for_desk, for_figures, for_posting
from tests.support.api import ADMIN, CREDITS_TABLE, OPS, OWNER, Answered, Api, Functions, throttled
from tests.support.builders import SHOP, merchant
from tests.support.events import Context, asking, charged, opened, paid, refunded
from tests.support.figures_tables import FIGURES_TABLE, FiguresTable
from tests.support.stream_events import event
from tests.support.system import System

MERCHANTS, ACTIONS, FLEET_DAYS = "/credits/admin/merchants", "/credits/admin/actions", "/credits/admin/days"
NOW = datetime.now(UTC).replace(hour=12)


class Clock:
    """The time of the functions' writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = NOW
        monkeypatch.setattr(for_posting, "now", lambda: instant(self._now))

    def days_ago(self, days: int) -> None:
        self._now = NOW - timedelta(days=days)


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    """Let it be NOW for the API too: a run that passes midnight would ask for the days of another day."""
    with time_machine.travel(NOW):
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def api(desk: System, table: FiguresTable, functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(for_api, "cursor_key", lambda: "k" * 32)
    _FleetReport.at = float("-inf")
    _FleetDay.begun = ""
    return Api(app.app)


def rolled_up(system: System) -> None:
    answer = app.roll_up(event(system.stream(CREDITS_TABLE)), Context())
    assert answer == {"batchItemFailures": []}


def found(answered: Answered) -> Any:
    assert answered.status == 200, answered.body
    return answered.body["data"]


def day(days_ago: int) -> str:
    return instant(NOW - timedelta(days=days_ago))[:10]


def account_days(api: Api, days: int, token: dict[str, str] = ADMIN, shop: str = SHOP) -> Answered:
    route = "/credits/accounts/{merchant_id}/days"
    path = route.replace("{merchant_id}", shop)
    return api.get(path, route=route, token=token, parameters={"days": str(days)})


@pytest.mark.parametrize("path", [MERCHANTS, ACTIONS, FLEET_DAYS])
def test_only_admins_see_the_lists(api: Api, path: str) -> None:
    assert api.get(path, token=None).status == 401
    assert api.get(path, token=OWNER).status == api.get(path, token=OPS).status == 403


def test_every_merchant_is_listed_once_by_id_page_after_page(api: Api, desk: System) -> None:
    shops = sorted(merchant(f"shop {number}") for number in range(7))
    desk.ingest(*(opened(shop) for shop in shops))
    rolled_up(desk)
    rolled_up(desk)

    listed: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answered = api.get(MERCHANTS, token=ADMIN, parameters={"limit": "3", **cursor})
        listed += [row["merchant_id"] for row in found(answered)]
        if answered.body["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": answered.body["pagination"]["next_cursor"]}

    assert listed == shops


def test_a_merchant_is_found_by_the_beginning_of_its_id_with_hyphens_and_without(api: Api, desk: System) -> None:
    shops = [merchant(f"shop {number}") for number in range(20)]
    desk.ingest(*(opened(shop) for shop in shops))
    rolled_up(desk)

    for length in (1, 5, 8, 12, 20, 36):
        start = shops[3][:length]
        for text in (start, start.upper(), start.replace("-", "")):
            ids = [row["merchant_id"] for row in found(api.get(MERCHANTS, token=ADMIN, parameters={"search": text}))]
            assert ids == sorted(shop for shop in shops if shop.startswith(start)), text


def test_days_show_what_each_moved_and_carry_the_balance_over_quiet_ones(api: Api, desk: System, clock: Clock) -> None:
    clock.days_ago(40)
    desk.ingest(opened(), paid(1), paid(2))
    clock.days_ago(3)
    desk.ingest(charged("p1", 50), paid(3), refunded(1))
    clock.days_ago(1)
    desk.ingest(paid(4), paid(5))
    rolled_up(desk)

    rows = found(account_days(api, 5))["days"]

    told = [(row["day"], row["balance"], row["credits_in"], row["used"], row["orders"]) for row in rows]
    assert told == [
        (day(4), 20, 0, 0, 0),
        (day(3), 70, 51, 0, 1),
        (day(2), 70, 0, 0, 0),
        (day(1), 68, 0, 2, 2),
        (day(0), 68, 0, 0, 0),
    ]


def test_no_day_is_told_before_the_account_was_opened(api: Api, desk: System, clock: Clock) -> None:
    clock.days_ago(1)
    desk.ingest(opened(), paid(1))
    rolled_up(desk)

    rows = found(account_days(api, 90, token=OWNER))["days"]

    assert [(row["day"], row["credits_in"], row["used"]) for row in rows] == [(day(1), 22, 1), (day(0), 0, 0)]
    assert account_days(api, 7, token=OWNER, shop=merchant("other shop")).status == 404


def test_the_fleets_days_tell_who_was_on_off_and_low_and_what_moved(api: Api, desk: System, clock: Clock) -> None:
    shops = [merchant(f"shop {number}") for number in range(3)]
    clock.days_ago(1)
    desk.ingest(*(opened(shop) for shop in shops))
    rolled_up(desk)
    _FleetReport.at = float("-inf")
    clock.days_ago(0)
    desk.ingest(paid(1, merchant_id=shops[0]), *(paid(number, merchant_id=shops[1]) for number in range(24)))
    rolled_up(desk)

    yesterday, today = found(api.get(FLEET_DAYS, token=ADMIN, parameters={"days": "2"}))["days"]

    assert (yesterday["day"], yesterday["merchants"], yesterday["enabled"], yesterday["low"]) == (day(1), 3, 3, 0)
    assert (today["enabled"], today["disabled"], today["orders"], today["used"], today["shortfall"]) == (
        2,
        1,
        25,
        23,
        2,
    )


def test_a_fleets_day_is_the_same_however_many_days_are_asked_for(api: Api, desk: System, clock: Clock) -> None:
    clock.days_ago(30)
    desk.ingest(opened())
    rolled_up(desk)
    _FleetReport.at = float("-inf")
    clock.days_ago(3)
    desk.ingest(paid(1), paid(2))
    rolled_up(desk)

    for days in (5, 10, 90):
        rows = found(api.get(FLEET_DAYS, token=ADMIN, parameters={"days": str(days)}))["days"]
        assert {row["day"]: row["orders"] for row in rows}[day(3)] == 2, f"of {days} days"
        assert len(rows) == min(days, 31)


def test_a_closed_account_is_off_in_the_fleets_days_as_in_its_figures(api: Api, desk: System, clock: Clock) -> None:
    desk.ingest(opened(), opened(merchant("other shop")))
    rolled_up(desk)
    figures = Figures(merchants=4, zero=1, closed=1)
    add_to_fleet(desk, figures - for_figures.figures().fleet())

    [today] = found(api.get(FLEET_DAYS, token=ADMIN, parameters={"days": "1"}))["days"]

    assert (today["enabled"], today["disabled"]) == (figures.enabled, figures.disabled) == (2, 2)


@pytest.mark.usefixtures("api")
def test_a_late_view_of_the_fleet_does_not_replace_a_newer_one(desk: System, clock: Clock, table: FiguresTable) -> None:
    desk.ingest(opened())
    rolled_up(desk)
    days = for_figures.fleet_days()
    assert days is not None
    add_to_fleet(desk, Figures(merchants=98))

    days.keep(parked=0, as_of=instant(NOW - timedelta(hours=1)))
    assert table.item(f"day#{day(0)}")["merchants"]["N"] == "1"
    days.keep(parked=0, as_of=instant(NOW + timedelta(hours=1)))
    assert table.item(f"day#{day(0)}")["merchants"]["N"] == "99"


def test_what_changes_in_the_last_minute_of_a_day_counts_for_that_day(api: Api, desk: System, clock: Clock) -> None:
    open_earlier(desk, clock)
    clock.days_ago(1)
    desk.ingest(charged("p0", 5))
    rolled_up(desk)
    desk.ingest(paid(1), paid(2))
    rolled_up(desk)  # Within a minute of the last report, so not kept.
    assert [(row["day"], row["orders"]) for row in fleet_rows(api)] == [(day(1), 2), (day(0), 0)]

    clock.days_ago(0)
    desk.ingest(paid(3))
    rolled_up(desk)
    assert [(row["day"], row["orders"]) for row in fleet_rows(api)] == [(day(1), 2), (day(0), 1)]


def test_a_batch_that_holds_two_days_is_counted_day_by_day(api: Api, desk: System, clock: Clock) -> None:
    open_earlier(desk, clock)
    clock.days_ago(1)
    desk.ingest(paid(1), paid(2))
    clock.days_ago(0)
    desk.ingest(paid(3))

    rolled_up(desk)

    assert [(row["day"], row["orders"]) for row in fleet_rows(api)] == [(day(1), 2), (day(0), 1)]


def test_a_second_container_does_not_overwrite_a_closed_day(api: Api, desk: System, clock: Clock) -> None:
    open_earlier(desk, clock)
    clock.days_ago(1)
    desk.ingest(paid(1))
    rolled_up(desk)
    clock.days_ago(0)
    desk.ingest(paid(2))
    rolled_up(desk)
    days = for_figures.fleet_days()
    assert days is not None
    desk.dynamodb.update_item(
        TableName=FIGURES_TABLE,
        Key={"id": {"S": FLEET_KEYS[bucket(SHOP)]}},
        UpdateExpression="SET #day = :day",
        ExpressionAttributeNames={"#day": "day"},
        ExpressionAttributeValues={":day": {"S": day(1)}},
    )

    # It read the figures late, when they already held a change of today.
    days.close_before(day(0), parked=0, as_of=instant(NOW))
    days.keep(parked=0, as_of=instant(NOW + timedelta(hours=1)))

    assert (fleet_rows(api)[0]["day"], fleet_rows(api)[0]["orders"]) == (day(1), 1)


def test_what_is_parked_before_a_days_first_change_does_not_count_for_the_day_before(
    api: Api, desk: System, clock: Clock
) -> None:
    clock.days_ago(1)
    desk.ingest(opened())
    rolled_up(desk)
    clock.days_ago(0)
    desk.ingest("no event")
    for_figures.counter_writer().write()
    desk.ingest(paid(1))
    _FleetReport.at = float("-inf")
    rolled_up(desk)

    assert [(row["day"], row["parked"]) for row in fleet_rows(api)] == [(day(1), 0), (day(0), 1)]


def open_earlier(desk: System, clock: Clock) -> None:
    """Open the account two days ago, because what the first known day moved is unknown."""
    clock.days_ago(2)
    desk.ingest(opened())
    rolled_up(desk)
    _FleetReport.at = float("-inf")


def fleet_rows(api: Api) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found(api.get(FLEET_DAYS, token=ADMIN, parameters={"days": "2"}))["days"]
    return rows


def add_to_fleet(desk: System, more: Figures) -> None:
    """Add to the fleet's sums, as counting other accounts would."""
    numbers = {name: getattr(more, name) for name in ("merchants", "zero", "closed", "balance")}
    desk.dynamodb.update_item(
        TableName=FIGURES_TABLE,
        Key={"id": {"S": FLEET_KEYS[0]}},
        UpdateExpression="ADD " + ",".join(f"#{name} :{name}" for name in numbers),
        ExpressionAttributeNames={f"#{name}": name for name in numbers},
        ExpressionAttributeValues={f":{name}": {"N": str(number)} for name, number in numbers.items()},
    )


def test_who_did_what_is_told_newest_first_of_all_and_of_one_merchant(api: Api, desk: System, clock: Clock) -> None:
    desk.ingest(opened(), opened(merchant("other shop")), charged("bad", 0))
    threshold(api, SHOP, 7)
    threshold(api, merchant("other shop"), 9)
    added = adjusted(api)
    assert adjusted(api).body["data"] == added.body["data"], "a repeat is noted once"
    [letter] = found(api.get("/credits/admin/dead-letters", token=ADMIN))
    route = "/credits/admin/dead-letters/{letter_id}/redrive"
    api.post(route.replace("{letter_id}", letter["id"]), None, route=route, token={**ADMIN, "subject": "eve"})

    everything = found(api.get(ACTIONS, token=ADMIN))

    assert sorted((one["did"], one["admin_id"]) for one in everything) == [
        ("adjusted", "admin-7"),
        ("letter_retried", "eve"),
        ("threshold_set", "admin-7"),
        ("threshold_set", "admin-7"),
    ]
    [other] = found(api.get(ACTIONS, token=ADMIN, parameters={"merchant_id": merchant("other shop")}))
    assert (other["did"], other["details"]) == ("threshold_set", {"low_balance_threshold": 9})
    [by_amount] = [one for one in everything if one["did"] == "adjusted"]
    assert (by_amount["details"]["amount"], by_amount["details"]["reason"]) == (5, "goodwill")


def test_actions_are_paged_to_their_end(api: Api, desk: System, clock: Clock) -> None:
    desk.ingest(opened())
    for value in range(5):
        threshold(api, SHOP, value)

    first = api.get(ACTIONS, token=ADMIN, parameters={"limit": "2"})
    second = api.get(
        ACTIONS, token=ADMIN, parameters={"limit": "50", "cursor": first.body["pagination"]["next_cursor"]}
    )

    values = [one["details"]["low_balance_threshold"] for one in [*found(first), *found(second)]]
    assert sorted(values) == [0, 1, 2, 3, 4]
    assert second.body["pagination"]["next_cursor"] is None


def test_a_kind_of_a_newer_release_is_listed_by_its_name(api: Api, desk: System) -> None:
    newer = Action(
        time=Instant(f"{day(0)}T10:00:00.000Z"), did="moved_to_mars", admin_id="ada", fact="1", details={"planet": 4}
    )
    for_desk.desk_reader().note(newer)

    [noted] = found(api.get(ACTIONS, token=ADMIN))

    assert (noted["did"], noted["details"]) == ("moved_to_mars", {"planet": 4})


def test_a_change_that_could_not_be_noted_is_answered_so_and_noted_when_it_is_repeated(
    api: Api, desk: System, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened())
    reader = for_desk.desk_reader()
    put, failures = reader._client.put_item, [throttled()]

    def failing_once(**request: Any) -> Any:
        if failures:
            raise failures.pop()
        return put(**request)

    monkeypatch.setattr(reader._client, "put_item", failing_once)

    assert threshold(api, SHOP, 7, expected=503).body["error"]["code"] == "UNAVAILABLE"
    threshold(api, SHOP, 7)

    assert len(found(api.get(ACTIONS, token=ADMIN))) == 1


def test_a_threshold_that_was_set_before_is_noted_as_of_whoever_asks_again(
    api: Api, desk: System, clock: Clock
) -> None:
    clock.days_ago(2)
    desk.ingest(opened())
    threshold(api, SHOP, 7)
    clock.days_ago(1)
    desk.ingest(paid(1))
    clock.days_ago(0)
    threshold(api, SHOP, 7)

    assert [one["time"][:10] for one in found(api.get(ACTIONS, token=ADMIN))] == [day(0), day(2)]


def test_a_letter_that_was_put_back_is_answered_so_whatever_becomes_of_the_note(
    api: Api, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened(), charged("bad", 0))
    [letter] = found(api.get("/credits/admin/dead-letters", token=ADMIN))
    refused = ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutItem")
    monkeypatch.setattr(for_desk.desk_reader()._client, "put_item", lambda **_: (_ for _ in ()).throw(refused))

    route = "/credits/admin/dead-letters/{letter_id}/redrive"
    assert api.post(route.replace("{letter_id}", letter["id"]), None, route=route, token=ADMIN).status == 200


def test_a_discard_that_could_not_be_noted_is_noted_when_it_is_repeated(
    api: Api, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened(), charged("bad", 0))
    [letter] = found(api.get("/credits/admin/dead-letters", token=ADMIN))
    route = "/credits/admin/dead-letters/{letter_id}/discard"

    def discarded(reason: str) -> int:
        body = {"reason": reason}
        return api.post(route.replace("{letter_id}", letter["id"]), body, route=route, token=ADMIN).status

    with monkeypatch.context() as broken:
        broken.setattr(for_desk, "note", lambda _: (_ for _ in ()).throw(RetryLater(Code.UNAVAILABLE, "no answer")))
        assert discarded("sent again") == 503
    assert [discarded("once more"), discarded("once more")] == [200, 200]

    [noted] = found(api.get(ACTIONS, token=ADMIN))
    assert (noted["did"], noted["details"]["reason"]) == ("letter_discarded", "sent again")
    assert found(api.get(ACTIONS, token=ADMIN, parameters={"merchant_id": SHOP})) == [noted]


def test_what_a_sender_wrote_for_a_type_is_not_noted(api: Api, desk: System) -> None:
    desk.ingest(asking("jane@example.com", {"merchant_id": SHOP}))
    [letter] = found(api.get("/credits/admin/dead-letters", token=ADMIN))
    route = "/credits/admin/dead-letters/{letter_id}/redrive"

    api.post(route.replace("{letter_id}", letter["id"]), None, route=route, token=ADMIN)

    [noted] = found(api.get(ACTIONS, token=ADMIN))
    assert noted["details"] == {"letter_id": letter["id"], "code": "unknown_event_type", "event_type": None}


def test_a_merchant_that_could_not_be_listed_comes_back(
    api: Api, desk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ingest(opened())
    reader = for_desk.desk_reader()
    with monkeypatch.context() as broken:
        broken.setattr(reader._client, "put_item", lambda **_: (_ for _ in ()).throw(throttled()))
        records = desk.stream(CREDITS_TABLE)
        assert len(app.roll_up(event(records), Context())["batchItemFailures"]) == 1
    rolled_up(desk)

    assert [row["merchant_id"] for row in found(api.get(MERCHANTS, token=ADMIN))] == [SHOP]


def threshold(api: Api, shop: str, value: int, *, expected: int = 200) -> Answered:
    route = "/credits/admin/accounts/{merchant_id}/low-balance-threshold"
    body = {"low_balance_threshold": value}
    answered = api.put(route.replace("{merchant_id}", shop), body, route=route, token=ADMIN)
    assert answered.status == expected, answered.body
    return answered


def adjusted(api: Api) -> Answered:
    body = {"merchant_id": SHOP, "operation_type": "INCREASE", "credits": 5, "reason": "goodwill"}
    return api.post("/credits/admin/adjustments", body, token=ADMIN, headers={"Idempotency-Key": "adj-1"})

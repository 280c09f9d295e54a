"""The live view's figures and the dead letters, over HTTP."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

import app
from chalicelib.adapters.dynamodb.recent_events import KEPT_MAX, RecentEvents
from chalicelib.contracts.api.dead_letters import body_bytes
from chalicelib.wiring import for_api, for_figures
from tests.support.api import ADMIN, CREDITS_TABLE, OPS, OWNER, Answered, Api, throttled
from tests.support.builders import SHOP
from tests.support.events import Context, charged, opened, paid
from tests.support.figures_tables import FIGURES_TABLE, FiguresTable
from tests.support.stream_events import event
from tests.support.system import System

LETTERS = "/credits/admin/dead-letters"
LAMBDA_ANSWER_BYTES = 6 * 1024 * 1024


@pytest.fixture
def api() -> Api:
    return Api(app.app)


def redriven(api: Api, letter_id: str, token: dict[str, str] = ADMIN) -> Answered:
    route = f"{LETTERS}/{{letter_id}}/redrive"
    return api.post(route.replace("{letter_id}", letter_id), None, route=route, token=token)


def rolled_up(system: System) -> None:
    app.roll_up(event(system.stream(CREDITS_TABLE)), Context())


def listed(api: Api, **parameters: Any) -> list[Any]:
    answered = api.get(LETTERS, token=ADMIN, parameters=parameters)
    assert answered.status == 200, answered.body
    data: list[Any] = answered.body["data"]
    return data


@pytest.mark.parametrize("token", [OWNER, OPS])
def test_only_admins_see_what_is_parked_and_what_is_going_on(api: Api, desk: System, token: dict[str, str]) -> None:
    for path in ("/credits/admin/activity", LETTERS):
        assert api.get(path, token=None).status == 401
        assert api.get(path, token=token).status == 403
    assert redriven(api, "x", token).status == 403


@pytest.mark.usefixtures("table")
def test_a_parked_message_is_listed_with_its_reason_and_put_back(api: Api, desk: System) -> None:
    poison = charged("p1", 0)
    desk.ingest(opened(), poison)

    [letter] = listed(api)

    assert (letter["code"], letter["field"], letter["parking"]) == ("credits_invalid", "payload.credits", "inbox")
    assert (letter["merchant_id"], letter["event_type"]) == (SHOP, "evt.billing.payment_succeeded")
    assert (letter["body"], letter["body_length"], letter["redrivable"]) == (poison, len(poison), True)
    answered = redriven(api, letter["id"])
    assert (answered.status, answered.body["data"]["id"]) == (200, letter["id"])
    assert listed(api) == []
    assert [message["body"] for message in desk.in_inbox()] == [poison]


@pytest.mark.usefixtures("table")
def test_a_letter_that_is_not_there_is_404_as_often_as_one_asks(api: Api, desk: System) -> None:
    desk.ingest(opened(), charged("p1", 0))
    [letter] = listed(api)
    redriven(api, letter["id"])

    assert redriven(api, letter["id"]).status == redriven(api, "another").status == 404


def test_every_letter_is_on_one_page_of_the_list_the_newest_first(api: Api, desk: System) -> None:
    desk.ingest(opened(), *(charged(f"p{number}", 0) for number in range(5)), "{not json")

    pages: list[list[tuple[str, str]]] = []
    cursor = None
    while not pages or cursor:
        given = {"limit": "2", "code": "credits_invalid"} | ({"cursor": cursor} if cursor else {})
        answered = api.get(LETTERS, token=ADMIN, parameters=given)
        pages.append([(one["parked_at"], one["id"]) for one in answered.body["data"]])
        pagination = answered.body["pagination"]
        cursor = pagination["next_cursor"]
        assert (pagination["total"], pagination["has_next"]) == (5, cursor is not None)

    assert [len(page) for page in pages] == [2, 2, 1]
    letters = [letter for page in pages for letter in page]
    assert letters == sorted(set(letters), reverse=True)
    assert len(listed(api)) == 6


def test_a_list_says_how_many_there_are_besides(api: Api, desk: System) -> None:
    desk.ingest(opened(), *(charged(f"p{number}", 0) for number in range(5)))

    answered = api.get(LETTERS, token=ADMIN, parameters={"limit": "2"})

    pagination = answered.body["pagination"]
    assert len(answered.body["data"]) == 2
    assert (pagination["total"], pagination["has_next"]) == (5, True)
    assert answered.body["links"]["self"].endswith("?limit=2")
    assert "cursor=" in answered.body["links"]["next"]


@pytest.mark.parametrize("wrong", ["x", "/", "2026-11-30T08:11:48.000Z/", "shopify:a/b", "1/b"])
def test_a_cursor_of_another_list_is_refused(api: Api, desk: System, wrong: str) -> None:
    refused = api.get(LETTERS, token=ADMIN, parameters={"cursor": wrong})

    assert (refused.status, refused.body["error"]["code"]) == (400, "CURSOR_INVALID")


def test_one_queue_may_be_asked_for(api: Api, desk: System) -> None:
    desk.ingest(opened(), charged("p1", 0))

    assert len(listed(api, parking="inbox")) == 1
    assert listed(api, parking="outbox") == []


@pytest.mark.usefixtures("table")
def test_what_points_to_a_streams_records_holds_nothing_to_put_back_and_shows_no_address(
    api: Api, desk: System
) -> None:
    pointer = (
        '{"requestContext":{"condition":"RetryAttemptsExhausted"},"DDBStreamBatchInfo":{"streamArn":'
        '"arn:aws:dynamodb:eu-west-1:1:table/credits/stream/1","batchSize":3,'
        '"approximateArrivalOfFirstRecord":"2026-11-21T10:00:00Z","approximateArrivalOfLastRecord":'
        '"2026-11-21T10:00:01Z"}}'
    )
    desk.sqs.send_message(QueueUrl=desk.urls["STREAM_DEAD_LETTER_QUEUE_URL"], MessageBody=pointer)

    [letter] = listed(api, parking="stream")
    answered = redriven(api, letter["id"])

    assert (letter["redrivable"], letter["origin"]) == (False, "stream")
    assert (answered.status, answered.body["error"]["code"]) == (409, "NOT_REDRIVABLE")


def shown(api: Api, letter_id: str, token: dict[str, str] = ADMIN) -> Answered:
    route = f"{LETTERS}/{{letter_id}}"
    return api.get(route.replace("{letter_id}", letter_id), route=route, token=token)


def test_of_a_long_body_a_list_answers_the_beginning_and_the_letter_the_whole(
    api: Api, desk: System, table: FiguresTable
) -> None:
    long = "x" * 20_000
    desk.ingest(opened(), long)

    [letter] = listed(api)
    whole = shown(api, letter["id"]).body["data"]

    assert (len(letter["body"]), letter["body_length"], letter["body_cut"]) == (16_384, 20_000, True)
    assert (whole["body"], whole["body_cut"]) == (long, False)
    assert [one["id"] for one in listed(api)] == [letter["id"]]
    assert shown(api, "another").status == 404
    assert shown(api, letter["id"], OPS).status == 403
    assert shown(api, "x" * 129).status == 400


class Measured:
    """The application, and how many bytes the last of its answers had as Lambda's runtime writes it."""

    size = 0

    def __call__(self, event: Any, context: Any) -> Any:
        answer = app.app(event, context)
        self.size = len(json.dumps(answer))
        return answer


def test_a_hundred_long_letters_fit_into_one_answer_of_lambda(desk: System) -> None:
    measured = Measured()
    long = "😀" * 15_000
    for number in range(100):
        body = long if number % 2 else f"short {number}"
        desk.sqs.send_message(QueueUrl=desk.urls["DEAD_LETTER_QUEUE_URL"], MessageBody=body)

    letters = listed(Api(cast("Any", measured)), limit="100")

    assert len(letters) == 100
    assert measured.size <= LAMBDA_ANSWER_BYTES
    cut = [letter for letter in letters if letter["body_cut"]]
    assert {letter["body_length"] for letter in cut} == {len(long)}
    assert {letter["body"] for letter in cut} == {long[: len(cut[0]["body"])]}
    assert (len(cut), len(cut[0]["body"]) > 3_000) == (50, True)


def test_the_longest_message_of_a_queue_is_answered_whole() -> None:
    for text in ("x", '"', "\\", "\n", "\x80", "漢", "😀"):
        assert body_bytes(text * (1024 * 1024 // len(text.encode()))) < LAMBDA_ANSWER_BYTES - 50_000


@pytest.mark.usefixtures("table")
def test_a_letter_of_an_unknown_function_says_that_it_cannot_be_put_back(api: Api, desk: System) -> None:
    desk.sqs.send_message(QueueUrl=desk.urls["STREAM_DEAD_LETTER_QUEUE_URL"], MessageBody="{}")

    [letter] = listed(api)
    answered = redriven(api, letter["id"])

    assert (letter["redrivable"], answered.status) == (False, 409)
    assert "no function is known" in answered.body["detail"]


def test_the_live_view_says_what_was_done_what_waits_and_what_was_crossed(
    api: Api, desk: System, table: FiguresTable
) -> None:
    desk.ingest(opened(), paid(1), paid(2), charged("p1", 0))
    desk.ingest(paid(1))
    desk.sqs.send_message(QueueUrl=desk.urls["INBOX_QUEUE_URL"], MessageBody=paid(3))
    rolled_up(desk)
    forget_the_figures_laid_down()

    told = api.get("/credits/admin/activity", token=ADMIN).body["data"]

    assert (told["transactions"], told["orders"], told["duplicates"], told["parked"]) == (3, 2, 1, 1)
    assert (told["inbox"], told["dead_letters"]) == ({"waiting": 1, "under_way": 0}, 1)
    assert (told["fleet"]["total_merchants"], told["fleet"]["low_balance_count"]) == (1, 1)
    assert told["batches"] == 2
    assert told["oldest_message_seconds"] > 0
    assert (told["bridge_seen_at"], told["drift"]) == (None, None)
    [low] = told["threshold_events"]
    assert (low["event_type"], low["merchant_id"], low["balance"]) == ("evt.credits.low_balance_reached", SHOP, 20)


def forget_the_figures_laid_down() -> None:
    """Let the counters be laid down again, as after ten seconds."""
    for_figures.counter_writer.cache_clear()


def test_threshold_events_repeat_in_no_way_and_only_the_latest_are_kept(desk: System, table: FiguresTable) -> None:
    desk.configure(TRIAL_CREDITS="1", LOW_BALANCE_THRESHOLD_PERCENT="0")
    desk.ingest(opened(), paid(0))
    for number in range(1, 6):
        desk.ingest(charged(f"p{number}", 1))
        desk.ingest(paid(number))

    rolled_up(desk)
    first = for_figures.recent_events().read()
    rolled_up(desk)

    assert for_figures.recent_events().read() == first
    assert len(first) == KEPT_MAX
    assert [one.sequence for one in first] == sorted((one.sequence for one in first), reverse=True)


def test_a_view_that_cannot_be_written_holds_up_no_figures(
    desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "PutItem")

    monkeypatch.setattr(RecentEvents, "note", refused)
    desk.ingest(opened(), paid(1), paid(2))

    rolled_up(desk)

    assert table.store.fleet().merchants == 1
    assert any(line["message"] == "latest threshold events not noted" for line in desk.lines())


def test_a_lost_race_for_the_view_is_run_again_on_what_the_winner_left(desk: System, table: FiguresTable) -> None:
    desk.ingest(opened(), paid(1), paid(2))
    view, other = (RecentEvents(desk.dynamodb, table=FIGURES_TABLE) for _ in range(2))
    rolled_up(desk)
    [low] = view.read()
    real = view._item
    turns = iter([True])

    def slow() -> dict[str, Any]:
        item = real()
        if next(turns, False):
            other.note([replace(low, event_id="other")])
        return item

    view._item = slow  # type: ignore[method-assign]
    view.note([replace(low, event_id="mine")])

    assert {one.event_id for one in view.read()} == {low.event_id, "other", "mine"}


def test_a_queue_that_does_not_answer_is_unavailable(
    api: Api, desk: System, table: FiguresTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        def waiting(self, _: str) -> None:
            raise throttled()

    monkeypatch.setattr(for_api, "queues", Silent)

    assert api.get("/credits/admin/activity", token=ADMIN).status == 503

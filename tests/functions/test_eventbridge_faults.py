"""Events out over a bus that takes some entries and not others, and the queues beside it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.adapters.eventbridge import ENTRIES_MAX, PUT_TRIES_MAX, EventBridgeBus
from chalicelib.adapters.queues import ATTRIBUTE_LENGTH_MAX, Queues
from chalicelib.contracts.outbound.payloads import AccountOpened
from chalicelib.contracts.outbound.published import PublishedEvent
from chalicelib.domain.ids import TransactionId
from chalicelib.wiring.for_posting import _CLIENT
from tests.support.builders import NOON, SHOP
from tests.support.engines import REGION
from tests.support.wires import Fault, Wire, answered, lost, refused

BUS = "the-bus"
QUEUE_URL = "https://sqs.test/1/queue"
TRIES = 3
"""Requests that botocore itself makes of one call."""


def client_of(service: Any) -> Any:
    return boto3.client(
        service, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test", config=_CLIENT
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def events_client() -> Iterator[Any]:
    with closing(client_of("events")) as client:
        yield client


@pytest.fixture
def queues_client() -> Iterator[Any]:
    with closing(client_of("sqs")) as client:
        yield client


def event(number: int) -> PublishedEvent:
    return PublishedEvent(
        event_id=str(number),
        event_type="evt.credits.recharged",
        correlation_id=None,
        time=datetime.fromisoformat(NOON),
        payload=AccountOpened(
            merchant_id=SHOP, transaction_id=TransactionId(str(number)), sequence=number, balance=0, initial_balance=0
        ),
    )


def taking(takes: Callable[[str], bool]) -> Fault:
    """Return a bus that takes the entries of some event ids, and fails the others one by one."""

    def answer(body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        entries = [
            {"EventId": "e"} if takes(number) else {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
            for number in ids(body)
        ]
        return HTTPStatus.OK, {"FailedEntryCount": 0, "Entries": entries}

    return answered(answer)


def ids(body: Mapping[str, Any]) -> list[str]:
    return [json.loads(entry["Detail"])["event_id"] for entry in body["Entries"]]


def publish(client: Any, events: Sequence[PublishedEvent], waits: list[float] | None = None) -> list[PublishedEvent]:
    waits = [] if waits is None else waits
    return EventBridgeBus(client, bus=BUS, sleep=waits.append).publish(events)


def test_events_go_out_ten_in_a_request_as_the_bus_wants_them(events_client: Any) -> None:
    wire = Wire(events_client)
    wire.faults.extend([taking(lambda _id: True)] * 3)
    events = [event(number) for number in range(25)]

    assert publish(events_client, events) == []

    bodies = wire.bodies("PutEvents")
    assert [len(body["Entries"]) for body in bodies] == [ENTRIES_MAX, ENTRIES_MAX, 5]
    assert [number for body in bodies for number in ids(body)] == [str(number) for number in range(25)]
    entry = bodies[0]["Entries"][0]
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == ("credits", "evt.credits.recharged", BUS)
    assert entry["Detail"] == events[0].detail()


def test_only_the_entries_that_failed_are_sent_again(events_client: Any) -> None:
    wire = Wire(events_client)
    wire.faults.extend([taking(lambda number: int(number) % 2 == 0)] * 2 + [taking(lambda _id: True)])
    waits: list[float] = []

    assert publish(events_client, [event(number) for number in range(12)], waits) == []

    assert [ids(body) for body in wire.bodies("PutEvents")][2:] == [["1", "3", "5", "7", "9", "11"]]
    assert len(waits) == 1


def test_what_the_bus_keeps_refusing_is_given_back(events_client: Any) -> None:
    wire = Wire(events_client)
    wire.faults.extend([taking(lambda number: number != "3")] * 100)
    waits: list[float] = []

    assert publish(events_client, [event(number) for number in range(5)], waits) == [event(3)]

    assert [ids(body) for body in wire.bodies("PutEvents")][1:] == [["3"]] * (PUT_TRIES_MAX - 1)
    assert waits == sorted(waits)
    assert len(waits) == PUT_TRIES_MAX - 1


@pytest.mark.parametrize(
    "fault",
    [
        refused(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalException"),
        refused(HTTPStatus.BAD_REQUEST, "AccessDeniedException"),
        lost(ReadTimeoutError(endpoint_url="https://events.test"), took_effect=False),
    ],
    ids=["500", "missing right", "time limit"],
)
def test_a_request_that_fails_whole_gives_its_events_back_and_not_those_of_others(
    events_client: Any, fault: Fault
) -> None:
    wire = Wire(events_client)
    wire.faults.extend([taking(lambda _id: True), *[fault] * 100])
    events = [event(number) for number in range(15)]

    assert publish(events_client, events) == events[10:]
    assert len(wire.bodies("PutEvents")) <= 1 + PUT_TRIES_MAX * TRIES


def test_no_events_are_no_request(events_client: Any) -> None:
    wire = Wire(events_client)

    assert publish(events_client, []) == []
    assert wire.sent == []


def test_a_parked_message_keeps_its_body_and_tells_its_reason(queues_client: Any) -> None:
    wire = Wire(queues_client)
    wire.faults.append(answered({"MessageId": "m", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e"}))

    Queues(queues_client).park(
        QUEUE_URL, '{"é": "\\ud800"}', {"code": "not_json", "reason": "a\nb\ud800" + "x" * 2000, "field": None}
    )

    [body] = wire.bodies("SendMessage")
    assert body["QueueUrl"] == QUEUE_URL
    assert body["MessageBody"] == '{"é": "\\ud800"}'
    assert body["MessageAttributes"] == {
        "code": {"DataType": "String", "StringValue": "not_json"},
        "reason": {"DataType": "String", "StringValue": ("a?b?" + "x" * 2000)[:ATTRIBUTE_LENGTH_MAX]},
    }


def test_a_message_that_cannot_be_parked_says_so(queues_client: Any) -> None:
    Wire(queues_client).faults.extend([refused(HTTPStatus.BAD_REQUEST, "QueueDoesNotExist")] * TRIES)

    with pytest.raises(ClientError, match="QueueDoesNotExist"):
        Queues(queues_client).park(QUEUE_URL, "body", {"code": "not_json"})


def test_messages_are_put_off_ten_in_a_request_each_by_its_own_delay(queues_client: Any) -> None:
    wire = Wire(queues_client)
    wire.faults.extend([answered({"Successful": [], "Failed": []})] * 3)

    Queues(queues_client).put_off(QUEUE_URL, [(f"handle {number}", number) for number in range(23)])

    bodies = wire.bodies("ChangeMessageVisibilityBatch")
    assert [len(body["Entries"]) for body in bodies] == [10, 10, 3]
    assert all(len({entry["Id"] for entry in body["Entries"]}) == len(body["Entries"]) for body in bodies)
    entries = [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for body in bodies for entry in body["Entries"]]
    assert entries == [(f"handle {number}", number) for number in range(23)]

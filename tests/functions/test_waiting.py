"""What waits long for its ground: it leaves the inbox for a queue of its own, with all that it is bound to."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.adapters.queues import ENTRIES_MAX, REQUEST_BYTES_MAX
from chalicelib.usecases.ending import INBOX_SECONDS_MAX
from tests.support.events import message_id_of, opened, paid, refunded
from tests.support.system import Request, System, lost_answer, refusal, seen

SEEN_SINCE = {"seen_since": "2024-01-31T09:00:00.000Z"}
"""When a message that was put back was first seen at all."""
NATS = {"origin": "nats", "subject": "evt.shopify.webhook.order_paid"}


def waited(
    body: str, seconds_ago: float, deliveries: int = 7, named: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a record of the inbox that has waited so long, with the attributes `named`."""
    record = seen(body, seconds_ago=seconds_ago, deliveries=deliveries)
    record["messageAttributes"] = {name: {"stringValue": text} for name, text in (named or {}).items()}
    return record


def from_waiting(entry: Mapping[str, Any], *, deliveries: int = 1) -> dict[str, Any]:
    """Return the record by which the function gets what it sent into the waiting queue."""
    record = seen(entry["MessageBody"], deliveries=deliveries)
    named = {name: {"stringValue": one["StringValue"]} for name, one in entry["MessageAttributes"].items()}
    group = {"MessageGroupId": entry["MessageGroupId"]} if "MessageGroupId" in entry else {}
    attributes = {**record["attributes"], **group}
    arn = "arn:aws:sqs:eu-west-1:123456789012:waiting"
    return {**record, "messageAttributes": named, "attributes": attributes, "eventSourceARN": arn}


def attributes(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes that a message was sent with."""
    return {name: one["StringValue"] for name, one in entry["MessageAttributes"].items()}


@pytest.mark.parametrize(
    ("deliveries", "seconds_ago", "delay"),
    [(6, 31, 32), (7, 63, 64), (10, 600, 512), (11, 1100, 900), (30, 3590, 900), (1000, 3590, 900)],
)
def test_what_waits_longer_than_a_minute_is_delayed_outside_the_inbox(
    system: System, deliveries: int, seconds_ago: float, delay: int
) -> None:
    assert system.ingest(waited(paid(1), seconds_ago, deliveries=deliveries)) == []

    [entry] = system.sent_on()
    assert (entry["MessageBody"], entry["DelaySeconds"]) == (paid(1), delay)
    assert (system.delays(), system.parked()) == ([], [])


def test_a_longer_delay_than_sqs_gives_is_waited_for_in_several_steps(system: System) -> None:
    system.configure(GROUND_RETRY_SECONDS_MAX="43200", GROUND_RETRY_SECONDS_TOTAL="86400")
    system.ingest(waited(paid(1), 3000, deliveries=30))
    for step in range(1, 4):
        assert system.ingest(from_waiting(system.sent_on()[-1])) == []
        assert attributes(system.sent_on()[-1])["deliveries"] == str(30 + step)

    assert [entry["DelaySeconds"] for entry in system.sent_on()] == [900] * 4


def test_all_that_a_message_is_bound_to_goes_along(system: System) -> None:
    bound = {
        **NATS,
        "ce_type": NATS["subject"],
        "redriven": "2",
        **SEEN_SINCE,
        "cloud_event": json.dumps({"id": "e" * 2000}),
    }
    record = waited(paid(1), 100, named=bound)
    record["attributes"]["MessageGroupId"] = "shop"
    before = datetime.now(UTC) - timedelta(seconds=101)

    system.ingest(record)
    [entry] = system.sent_on()
    told = attributes(entry)
    assert {name: told[name] for name in bound} == bound
    assert (entry["MessageGroupId"], told["deliveries"]) == ("shop", "7")
    assert timedelta(0) < datetime.fromisoformat(told["first_seen"]) - before < timedelta(seconds=2)

    system.ingest(from_waiting(entry))
    assert {**attributes(system.sent_on()[1]), "deliveries": "7"} == told
    assert system.sent_on()[1]["MessageGroupId"] == "shop"


def test_a_body_stays_bound_to_its_subject_while_it_waits(system: System) -> None:
    record = waited(refunded(1), 100, named=NATS)
    system.ingest(record)

    assert (system.sent_on(), [one.attributes["code"] for one in system.parked()]) == ([], ["type_contradicts_subject"])


def test_the_whole_wait_counts_from_the_first_time_that_the_message_was_seen(system: System) -> None:
    system.ingest(waited(paid(1), 3500, named=NATS))
    [entry] = system.sent_on()
    system.configure(GROUND_RETRY_SECONDS_TOTAL="3500")

    assert system.ingest(from_waiting(entry)) == []
    [parked] = system.parked()
    assert parked.attributes["code"] == "account_missing"
    assert parked.attributes["reason"].endswith("and did not come within 3500 seconds")
    assert parked.attributes["first_seen"] == attributes(entry)["first_seen"]
    assert parked.attributes["subject"] == NATS["subject"]
    assert "deliveries" not in parked.attributes


def test_what_waited_is_applied_once_when_its_ground_has_come_also_when_it_is_in_both_queues(system: System) -> None:
    record = waited(paid(1), 100)
    system.ingest(record)
    system.ingest(opened())
    [entry] = system.sent_on()

    # The call died between the two queues: the inbox has it too.
    assert system.ingest(from_waiting(entry)) == system.ingest(record) == []
    assert system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1"]


def test_an_outage_hides_a_message_where_it_is_in_either_queue(system: System) -> None:
    for record, url in (
        (waited(paid(1), 600), "INBOX_QUEUE_URL"),
        (from_waiting({"MessageBody": paid(1), "MessageAttributes": {}}), "WAITING_QUEUE_URL"),
    ):
        system.asked.clear()
        system.faults.clear()
        system.fail("BatchGetItem", *[refusal("BatchGetItem")] * 50)

        assert system.ingest(record) == [record["messageId"]]
        [hidden] = [request for operation, request in system.asked if operation == "ChangeMessageVisibilityBatch"]
        assert hidden["QueueUrl"] == system.urls[url]
    assert system.sent_on() == []


def test_what_the_waiting_queue_does_not_confirm_waits_where_it_is(system: System) -> None:
    bodies = [paid(order) for order in range(ENTRIES_MAX + 2)]
    system.fail("SendMessageBatch", None, EndpointConnectionError(endpoint_url="https://aws"))

    assert system.ingest(*(waited(body, 100) for body in bodies)) == [
        message_id_of(one) for one in bodies[ENTRIES_MAX:]
    ]
    assert system.delays() == [64] * 2
    assert system.lines()[-1]["sent_on"] == ENTRIES_MAX


def test_an_entry_that_the_waiting_queue_refuses_waits_where_it_is(system: System) -> None:
    def refuse(request: Request, send: Any) -> Any:
        answer = send({**request, "Entries": request["Entries"][1:]})
        return {**answer, "Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}

    system.fail("SendMessageBatch", refuse)
    assert system.ingest(waited(paid(1), 100), waited(paid(2), 100)) == [message_id_of(paid(1))]


def test_a_lost_answer_leaves_the_message_in_both_queues(system: System) -> None:
    system.fail("SendMessageBatch", lost_answer)

    assert system.ingest(waited(paid(1), 100)) == [message_id_of(paid(1))]
    assert [entry["MessageBody"] for entry in system.sent_on()] == [paid(1)]


def test_long_bodies_go_in_requests_of_their_own(system: System) -> None:
    bodies = [paid(order, note="x" * (REQUEST_BYTES_MAX // 2)) for order in range(3)] + [paid(9)]
    system.ingest(*(waited(body, 100) for body in bodies))

    sent = [request["Entries"] for operation, request in system.asked if operation == "SendMessageBatch"]
    assert [[entry["MessageBody"] for entry in entries] for entries in sent] == [[one] for one in bodies[:2]] + [
        bodies[2:]
    ]


def test_the_first_minute_is_waited_for_in_the_inbox(system: System) -> None:
    in_inbox = 0.0
    for deliveries in range(1, 20):
        if not system.ingest(waited(paid(1), in_inbox, deliveries=deliveries)):
            break
        in_inbox += system.delays()[-1]

    assert 0 < in_inbox <= INBOX_SECONDS_MAX
    assert len(system.sent_on()) == 1

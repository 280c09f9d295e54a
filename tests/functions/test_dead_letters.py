"""What is parked can be listed, shown and put back, as often as anybody likes, and nothing of it is lost."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from threading import Barrier
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import app
from chalicelib.adapters.dead_letters import DeadLetters, NotRedrivable
from chalicelib.adapters.dynamodb.items import transaction_from
from chalicelib.adapters.letter_looks import DeadLetterQueue
from chalicelib.contracts.api.dead_letters import DeadLetter
from chalicelib.contracts.letters import ORIGIN_BRIDGE, Letter, Parking, Pointer
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.ids import Instant
from infra.bridge.parking import Parked, park, send_letter
from infra.bridge.screening import Unsendable
from tests.support.api import TRANSACTIONS_TABLE
from tests.support.bridge_fakes import MERCHANT, FakePublish, FakeQueue, order
from tests.support.builders import SHOP
from tests.support.events import (
    STREAM_ARN,
    Context,
    asking,
    batch,
    charged,
    opened,
    paid,
    refunded,
    sqs_record,
    stream_record,
)
from tests.support.system import System, refusal

SECONDS = 20.0
PAID = "evt.shopify.webhook.order_paid"
POISON = charged("p1", 0)
PAYMENT = "evt.billing.payment_succeeded"


class Functions:
    """Stands in for Lambda: calls the very functions of app.py.

    `answers` say something else, one by one; `lost` is raised once instead of what a function answered.
    """

    def __init__(self) -> None:
        self.answers: list[dict[str, Any] | Exception] = []
        self.lost: BaseException | None = None
        self.qualifier = ""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        event = json.loads(Payload)
        function, _, self.qualifier = FunctionName.partition(":")
        answered = json.dumps(getattr(app, function)(event, Context())).encode()
        if (lost := self.lost) is not None:
            self.lost = None
            raise lost
        return {"Payload": BytesIO(answered)}

    def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:  # noqa: ARG002, N803 - boto3's names
        return {}


class Desk:
    """The dead letters of a system, and what its tests put there."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.functions = Functions()
        urls = {
            **system.urls,
            **{name: system.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("outbox", "outbox-dead-letters")},
        }
        self.urls = urls
        self.letters = DeadLetters(
            system.sqs,
            cast("Any", self.functions),
            queues=(
                DeadLetterQueue(
                    parking=Parking.INBOX,
                    queue_url=urls["DEAD_LETTER_QUEUE_URL"],
                    back_to_url=urls["INBOX_QUEUE_URL"],
                ),
                DeadLetterQueue(
                    parking=Parking.OUTBOX, queue_url=urls["outbox-dead-letters"], back_to_url=urls["outbox"]
                ),
                DeadLetterQueue(
                    parking=Parking.STREAM, queue_url=urls["STREAM_DEAD_LETTER_QUEUE_URL"], back_to_url=None
                ),
            ),
            functions={name: name for name in ("publish_threshold_events", "publish_transaction_events", "roll_up")},
            wait_seconds=0,
        )

    def listed(self, *, wanted: int = 100) -> tuple[Letter, ...]:
        return self.letters.listing(wanted=wanted).letters

    def the_letter(self) -> Letter:
        [letter] = self.listed()
        return letter

    def park(self, queue: str, body: str, **attributes: str) -> None:
        """Put a message into a queue as AWS itself would."""
        self.system.sqs.send_message(
            QueueUrl=self.urls[queue],
            MessageBody=body,
            MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
        )

    def deliver(self) -> list[str]:
        """Hand what waits in the inbox to the function, with its attributes, and delete what does not come back."""
        received = self.system.sqs.receive_message(
            QueueUrl=self.urls["INBOX_QUEUE_URL"], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        records: list[Mapping[str, Any]] = []
        for message in received:
            named = {
                name: {"stringValue": attribute["StringValue"], "dataType": "String"}
                for name, attribute in message.get("MessageAttributes", {}).items()
            }
            records.append({**sqs_record(message["Body"]), "messageAttributes": named})
            self.system.sqs.delete_message(
                QueueUrl=self.urls["INBOX_QUEUE_URL"], ReceiptHandle=message["ReceiptHandle"]
            )
        app.ingest_events(batch(records), Context())
        return [message["Body"] for message in received]


@pytest.fixture
def desk(system: System) -> Desk:
    return Desk(system)


def test_a_poison_message_is_listed_with_its_reason_and_what_it_says_of_itself(desk: Desk) -> None:
    desk.system.ingest(sqs_record(POISON, origin="nats", subject=PAYMENT))

    letter = desk.the_letter()
    assert (letter.parking, letter.code, letter.field, letter.origin, letter.redriven) == (
        Parking.INBOX,
        "credits_invalid",
        "payload.credits",
        "nats",
        0,
    )
    assert letter.reason.startswith("payload.credits: ")
    assert (letter.event_type, letter.merchant_id, letter.body) == ("evt.billing.payment_succeeded", SHOP, POISON)
    assert letter.first_seen is not None
    assert letter.first_seen <= letter.parked_at


def test_looking_hides_nothing_and_changes_no_id(desk: Desk) -> None:
    desk.system.ingest(POISON, charged("p2", -1), charged("p3", "5"))
    ids = {letter.letter_id for letter in desk.listed()}

    assert len(ids) == 3
    for _ in range(3):
        assert {letter.letter_id for letter in desk.listed()} == ids
    [one, *_] = ids
    found = desk.letters.find(one, seconds=SECONDS)
    assert found is not None
    assert found.letter_id == one
    assert {letter.letter_id for letter in desk.listed()} == ids


def test_a_listing_says_how_many_there_are_besides(desk: Desk) -> None:
    desk.system.ingest(*[charged(f"p{number}", 0) for number in range(23)])

    listing = desk.letters.listing(wanted=10)
    assert (len(listing.letters), listing.counted) == (10, 23)
    assert len(desk.listed()) == 23


def test_a_letter_that_is_not_there_is_none(desk: Desk) -> None:
    desk.system.ingest(POISON)

    assert desk.letters.find("nobody", seconds=SECONDS) is None
    assert desk.letters.redrive("nobody", seconds=SECONDS) is None
    assert len(desk.listed()) == 1


class _SlowQueues:
    """Stands in for SQS: a poll without a wait finds nothing, a long one ends when one of each queue has begun."""

    def __init__(self, holding: Mapping[str, str]) -> None:
        self._holding = holding
        self._all_begun = Barrier(3)
        self.released: list[str] = []

    def receive_message(self, *, QueueUrl: str, WaitTimeSeconds: int, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if not WaitTimeSeconds:
            return {}
        self._all_begun.wait(timeout=SECONDS)
        letter_id = self._holding.get(QueueUrl)
        message = {"MessageId": letter_id, "ReceiptHandle": letter_id, "Body": POISON}
        sent = {"SentTimestamp": "1748779200000"}
        return {"Messages": [{**message, "Attributes": sent}]} if letter_id else {}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Any) -> None:  # noqa: ARG002, N803 - the same
        self.released += [entry["ReceiptHandle"] for entry in Entries]


@pytest.mark.parametrize(("holding", "found"), [({"stream": "m1"}, "m1"), ({}, None)])
def test_the_queues_are_waited_for_side_by_side_and_not_one_after_another(
    holding: Mapping[str, str], found: str | None
) -> None:
    queues = _SlowQueues(holding)
    places = {Parking.INBOX: "inbox", Parking.OUTBOX: "outbox", Parking.STREAM: "stream"}
    letters = DeadLetters(
        cast("Any", queues),
        cast("Any", Functions()),
        queues=tuple(DeadLetterQueue(parking=kind, queue_url=url, back_to_url=None) for kind, url in places.items()),
        functions={},
    )

    letter = letters.find("m1", seconds=SECONDS)

    assert (letter.letter_id if letter else None) == found
    assert queues.released == list(holding.values())


def test_what_could_not_be_applied_is_applied_when_it_is_put_back_after_a_fix(desk: Desk) -> None:
    early = refunded(1)
    desk.system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    desk.system.ingest(opened(), sqs_record(early, origin="nats", subject="evt.shopify.webhook.order_refunded"))
    assert desk.the_letter().code == "order_missing"
    desk.system.ingest(paid(1))

    put_back = desk.letters.redrive(desk.the_letter().letter_id, seconds=SECONDS)

    assert put_back is not None
    assert put_back.body == early
    assert desk.listed() == ()
    assert desk.deliver() == [early]
    assert (desk.system.balance(), desk.listed()) == (100, ())
    assert desk.system.recorded() == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1", "SHOPIFY_REFUND_ORDER_1"]


@pytest.mark.parametrize("ce_type", [None, PAYMENT])
def test_a_letter_put_back_is_bound_to_its_subject_as_before(desk: Desk, ce_type: str | None) -> None:
    minting = charged("p1", 1000)
    desk.system.ingest(opened(), sqs_record(minting, origin="nats", subject="evt.order.updated", ce_type=ce_type))

    for times in range(3):
        letter = desk.the_letter()
        assert (letter.code, letter.redriven) == ("type_contradicts_subject", times)
        assert desk.letters.redrive(letter.letter_id, seconds=SECONDS) is not None
        assert desk.deliver() == [minting]
    assert [why for _, why in desk.letters.redrive_all(lambda _: True)] == [None]
    assert desk.deliver() == [minting]
    assert (desk.the_letter().redriven, desk.system.recorded()) == (4, ["TRIAL_MERCHANT"])


def test_what_is_still_poison_is_parked_again_and_says_how_often_it_was_put_back(desk: Desk) -> None:
    desk.system.ingest(sqs_record(POISON, origin="nats", subject=PAYMENT))
    first = desk.the_letter()

    for times in (1, 2, 3):
        assert desk.letters.redrive(desk.the_letter().letter_id, seconds=SECONDS) is not None
        assert desk.deliver() == [POISON]
        again = desk.the_letter()
        assert (again.redriven, again.code, again.reason, again.origin) == (times, first.code, first.reason, "nats")
    assert again.letter_id != first.letter_id


def test_a_message_put_back_twice_moves_credits_once(desk: Desk) -> None:
    early = charged("p1", 5)
    desk.system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    desk.system.ingest(early)
    desk.system.ingest(opened())
    letter = desk.the_letter()

    # The first time it is interrupted between the sending and the deleting.
    original = desk.system.sqs.delete_message
    interrupted = SimpleNamespace(done=False)

    def delete_message(**request: Any) -> Any:
        if not interrupted.done:
            interrupted.done = True
            raise EndpointConnectionError(endpoint_url="https://aws")
        return original(**request)

    desk.system.monkeypatch.setattr(desk.system.sqs, "delete_message", delete_message)
    with pytest.raises(RetryLater):
        desk.letters.redrive(letter.letter_id, seconds=SECONDS)
    assert desk.the_letter().letter_id == letter.letter_id, "nothing is lost"
    assert desk.letters.redrive(letter.letter_id, seconds=SECONDS) is not None

    assert desk.deliver() == [early, early]
    assert (desk.system.balance(), desk.listed()) == (105, ())


def test_all_that_match_are_put_back_and_none_twice(desk: Desk) -> None:
    desk.system.configure(GROUND_RETRY_SECONDS_TOTAL="0")
    waiting = [charged(f"p{number}", 1) for number in range(12)]
    desk.system.ingest(POISON, *waiting)
    desk.system.ingest(opened())

    put_back = list(desk.letters.redrive_all(lambda letter: letter.code == "account_missing"))

    assert sorted(letter.body for letter, _ in put_back) == sorted(waiting)
    assert {why for _, why in put_back} == {None}
    assert desk.the_letter().body == POISON
    while desk.deliver():
        pass
    assert desk.system.balance() == 112


def test_putting_all_back_ends_where_they_are_parked_again_at_once(desk: Desk) -> None:
    desk.system.ingest(POISON, charged("p2", 0))
    put_back = []
    for letter, why in desk.letters.redrive_all(lambda _: True):
        put_back.append((letter.body, why))
        desk.deliver()

    assert sorted(put_back) == [(POISON, None), (charged("p2", 0), None)]
    assert [letter.redriven for letter in desk.listed()] == [1, 1]


def test_what_the_bus_could_not_deliver_goes_to_the_inbox_with_its_own_attributes(desk: Desk) -> None:
    body = json.dumps({"detail-type": "evt.merchant.created", "detail": {"merchant_id": SHOP}})
    desk.park(
        "DEAD_LETTER_QUEUE_URL",
        body,
        RULE_ARN="arn:rule",
        TARGET_ARN="arn:queue",
        ERROR_CODE="NO_PERMISSIONS",
        ERROR_MESSAGE="Lack of permissions",
        trace="t-1",
    )

    letter = desk.the_letter()
    assert (letter.code, letter.origin, letter.merchant_id) == ("undelivered", "bus", SHOP)
    assert letter.reason == "the bus could not deliver it: NO_PERMISSIONS Lack of permissions"
    assert letter.put_back_with == {"trace": "t-1", "redriven": "1"}
    assert desk.letters.redrive(letter.letter_id, seconds=SECONDS) is not None
    assert desk.deliver() == [body]
    assert desk.system.balance() == 100


def test_what_the_outbox_gave_up_goes_back_to_the_outbox(desk: Desk) -> None:
    desk.park("outbox-dead-letters", '{"detail-type": "evt.credits.refunded", "detail": {}}')

    letter = desk.the_letter()
    assert (letter.parking, letter.code, letter.event_type) == (
        Parking.OUTBOX,
        "receives_exhausted",
        "evt.credits.refunded",
    )
    assert desk.letters.redrive(letter.letter_id, seconds=SECONDS) is not None
    [message] = desk.system.sqs.receive_message(QueueUrl=desk.urls["outbox"])["Messages"]
    assert message["Body"] == letter.body


def test_a_record_of_a_stream_goes_back_to_the_function_that_could_not_read_it(desk: Desk) -> None:
    desk.system.ingest(opened())
    [record] = [{**one, "eventSourceARN": STREAM_ARN} for one in desk.system.stream(TRANSACTIONS_TABLE)]
    image = record["dynamodb"]["NewImage"]
    sequence = image.pop("sequence")
    app.publish_transaction_events(batch([record]), Context())
    letter = desk.the_letter()
    assert (letter.parking, letter.code, letter.field, letter.function, letter.merchant_id) == (
        Parking.STREAM,
        "record_unreadable",
        "sequence",
        "publish_transaction_events",
        SHOP,
    )
    assert letter.origin == STREAM_ARN

    # Still unreadable: parked anew. Readable, as after a fix of the function: published.
    assert desk.letters.redrive(letter.letter_id, seconds=SECONDS) is not None
    again = desk.the_letter()
    assert (again.letter_id != letter.letter_id, again.body) == (True, letter.body)
    assert desk.system.heard() == []
    desk.system.monkeypatch.setattr(
        "chalicelib.handlers.stream_records.transaction_from",
        lambda read: transaction_from({**read, "sequence": sequence}),
    )
    assert desk.letters.redrive(again.letter_id, seconds=SECONDS) is not None
    assert (desk.listed(), len(desk.system.heard())) == ((), 1)


@pytest.mark.parametrize(
    "answer",
    [
        {"FunctionError": "Unhandled", "Payload": BytesIO(b"{}")},
        {"Payload": BytesIO(b'{"batchItemFailures": [{"itemIdentifier": "100"}]}')},
        EndpointConnectionError(endpoint_url="https://aws"),
    ],
)
def test_a_record_that_its_function_does_not_finish_with_stays_parked(
    desk: Desk, answer: dict[str, Any] | Exception
) -> None:
    app.publish_threshold_events(batch([stream_record({"crossings": {"S": "[{}]"}})]), Context())
    letter = desk.the_letter()
    desk.functions.answers = [answer]

    with pytest.raises(RetryLater):
        desk.letters.redrive(letter.letter_id, seconds=SECONDS)
    assert desk.the_letter().letter_id == letter.letter_id


POINTER = {
    "requestContext": {
        "requestId": "316aa6d0",
        "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:publish-threshold-1:$LATEST",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 1001,
    },
    "version": "1.0",
    "timestamp": "2025-06-01T12:10:00.000Z",
    "DDBStreamBatchInfo": {
        "shardId": "shardId-1",
        "startSequenceNumber": "800000000003126276362",
        "endSequenceNumber": "800000000003126276370",
        "approximateArrivalOfFirstRecord": "2025-06-01T12:00:00Z",
        "approximateArrivalOfLastRecord": "2025-06-01T12:00:09Z",
        "batchSize": 3,
        "streamArn": STREAM_ARN,
    },
}


def test_a_pointer_to_records_says_which_and_that_they_are_published_from_the_ledger(desk: Desk) -> None:
    desk.park("STREAM_DEAD_LETTER_QUEUE_URL", json.dumps(POINTER))

    letter = desk.the_letter()
    assert (letter.code, letter.function, letter.origin) == ("records_unprocessed", "publish-threshold-1", STREAM_ARN)
    assert letter.reason == "3 records of the stream were given up: RetryAttemptsExhausted"
    assert letter.pointer == Pointer(
        stream_arn=STREAM_ARN,
        earliest=Instant("2025-06-01T12:00:00.000Z"),
        latest=Instant("2025-06-01T12:00:09.999Z"),
        records=3,
    )
    with pytest.raises(NotRedrivable, match="credits republish --letter"):
        desk.letters.redrive(letter.letter_id, seconds=SECONDS)
    [(_, why)] = desk.letters.redrive_all(lambda _: True)
    assert why is not None
    assert "credits republish --letter" in why
    assert desk.the_letter().letter_id == letter.letter_id


def test_what_the_bridge_parked_is_a_letter_like_any_and_is_not_put_back_without_its_body(desk: Desk) -> None:
    publish = FakePublish()
    why = Unsendable(code="too_large", reason="It is too large.")
    seen_at = datetime(2025, 6, 1, 12, tzinfo=UTC)
    message = Parked(subject=PAID, stream="UPSTREAM", sequence=9, stored_at=seen_at, body=order(1), why=why)
    kept = asyncio.run(park(message, publish, largest_payload=1024 * 1024))
    letters = FakeQueue()
    asyncio.run(send_letter(message, kept, letters))
    ((entry,),) = letters.requests
    desk.park("DEAD_LETTER_QUEUE_URL", entry.body, **entry.attributes)

    letter = desk.the_letter()
    assert (letter.code, letter.origin, letter.event_type) == ("too_large", ORIGIN_BRIDGE, PAID)
    assert letter.merchant_id == MERCHANT
    assert not DeadLetter.of(letter).redrivable
    with pytest.raises(NotRedrivable, match=r"infra\.bridge\.replay"):
        desk.letters.redrive(letter.letter_id, seconds=SECONDS)
    assert desk.the_letter().letter_id == letter.letter_id


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "[" * 100_000,
        '{"detail-type": 5, "detail": 5, "payload": []}',
        '{"DDBStreamBatchInfo": {}}',
        "5",
    ],
)
def test_whatever_a_body_holds_it_can_be_listed(desk: Desk, body: str) -> None:
    desk.park("DEAD_LETTER_QUEUE_URL", body)

    letter = desk.the_letter()
    assert (letter.body, letter.event_type, letter.merchant_id, letter.pointer) == (body, None, None, None)
    assert letter.code == "receives_exhausted"


@pytest.mark.parametrize("body", ["no JSON", "[" * 100_000, '{"DDBStreamBatchInfo": {}}', "9" * 5_000])
@pytest.mark.parametrize("attributes", [{}, {"function": "nobody"}, {"function": "roll_up"}], ids=str)
def test_whatever_is_in_the_streams_queue_says_why_it_stays_there(
    desk: Desk, body: str, attributes: dict[str, str]
) -> None:
    desk.park("STREAM_DEAD_LETTER_QUEUE_URL", body, **attributes)
    desk.functions.answers = [{"Payload": BytesIO(b'{"batchItemFailures": [{}]}')}]

    [(letter, why)] = desk.letters.redrive_all(lambda _: True)

    assert why
    assert desk.the_letter().letter_id == letter.letter_id


def test_a_message_with_as_many_attributes_as_the_queue_takes_is_put_back(desk: Desk) -> None:
    desk.park("DEAD_LETTER_QUEUE_URL", POISON, **{f"mine{number}": "x" for number in range(10)})

    [(_, why)] = desk.letters.redrive_all(lambda _: True)

    assert (why, desk.deliver()) == (None, [POISON])


@pytest.mark.parametrize("operation", ["receive_message", "get_queue_attributes"])
def test_a_queue_that_does_not_answer_is_said(desk: Desk, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.system.ingest(POISON)

    def refuse(**_: Any) -> Any:
        raise refusal(operation, "ServiceUnavailable", 503)

    monkeypatch.setattr(desk.system.sqs, operation, refuse)
    with pytest.raises(RetryLater, match="the queue did not answer"):
        desk.listed()


def test_a_missing_right_is_no_outage(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise refusal("ReceiveMessage", "AccessDenied", 403)

    monkeypatch.setattr(desk.system.sqs, "receive_message", refuse)
    with pytest.raises(ClientError):
        desk.listed()


def test_whoever_has_no_time_to_look_through_all_says_so(desk: Desk) -> None:
    desk.system.ingest(POISON)

    with pytest.raises(RetryLater, match="there are more"):
        desk.letters.redrive("nobody", seconds=-1)
    assert len(desk.listed()) == 1


def test_the_merchant_of_an_event_is_found_wherever_it_may_stand(desk: Desk) -> None:
    nested = {"event_type": "x", "payload": {"identifiers": {"merchant_id": SHOP.upper()}}}
    for body in (asking("x"), json.dumps(nested), json.dumps({"detail-type": "x", "detail": nested})):
        desk.park("DEAD_LETTER_QUEUE_URL", body)

    assert [letter.merchant_id for letter in desk.listed()] == [SHOP] * 3


def test_when_a_message_was_first_seen_is_kept_however_often_it_is_put_back(desk: Desk) -> None:
    long_ago = "2024-01-31T09:00:00.000Z"
    desk.park("DEAD_LETTER_QUEUE_URL", POISON, code="credits_invalid", reason="none", first_seen=long_ago)
    for times in (1, 2):
        desk.letters.redrive(desk.the_letter().letter_id, seconds=SECONDS)
        desk.deliver()
        again = desk.the_letter()
        assert (again.redriven, again.first_seen) == (times, long_ago)


def test_a_message_that_was_put_back_waits_for_its_ground_anew(desk: Desk) -> None:
    desk.system.ingest(POISON)
    letter = desk.the_letter()

    assert set(letter.put_back_with) == {"origin", "redriven", "seen_since"}

"""The functions on AWS in memory: both tables, the bus and the queues, with faults on demand.

One container's worth of caches is cleared before and after each test (see conftest.py). moto is not
thread-safe, so merchants are written one after another here.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from io import StringIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError

import app
from chalicelib import telemetry
from chalicelib.adapters.dead_letters import DeadLetters
from chalicelib.adapters.dynamodb.items import account_from, named_by, transaction_from
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.transactions import Transaction
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.usecases import posting
from chalicelib.wiring import for_desk, for_posting
from tests.support.api import CREDITS_TABLE, LINKS_TABLE, REGION, TRANSACTIONS_TABLE
from tests.support.builders import SHOP
from tests.support.events import Context, batch, sqs_record
from tests.support.stores import declared_with_stream

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

BUS = "credits"
QUEUES = {
    "INBOX_QUEUE_URL": "inbox",
    "WAITING_QUEUE_URL": "waiting",
    "DEAD_LETTER_QUEUE_URL": "dead-letters",
    "STREAM_DEAD_LETTER_QUEUE_URL": "stream-dead-letters",
}
SETTINGS = {
    "EVENT_BUS": BUS,
    "LINKS_TABLE": LINKS_TABLE,
    "TRIAL_CREDITS": "100",
    "LOW_BALANCE_THRESHOLD_PERCENT": "20",
    "GROUND_RETRY_SECONDS_MIN": "1",
    "GROUND_RETRY_SECONDS_MAX": "900",
    "GROUND_RETRY_SECONDS_TOTAL": "3600",
}

Request = Mapping[str, Any]
Fault = Exception | Callable[[Request, Callable[[Request], Any]], Any]
"""A fault of a request: an error to raise, or an action that gets the request and a way to AWS, and answers."""


def refusal(operation: str, code: str = "ThrottlingException", status: int = 400) -> ClientError:
    """Return AWS's refusal of a request."""
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(cast("Any", answer), operation)


def seen(body: str, *, seconds_ago: float = 0, deliveries: int = 1) -> dict[str, Any]:
    """Return a record with this age and number of receives."""
    first = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return sqs_record(body, deliveries=deliveries, first_received_ms=round(first.timestamp() * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A message of a dead-letter queue."""

    body: str
    attributes: Mapping[str, str]


@dataclass(slots=True)
class System:
    """The functions' AWS. `requests` are the names of the requested operations, one for each HTTP request.

    `faults` holds the faults of an operation's next requests, None for one that passes.
    """

    monkeypatch: pytest.MonkeyPatch
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    urls: Mapping[str, str]
    log: StringIO = field(default_factory=StringIO)
    requests: list[str] = field(default_factory=list)
    asked: list[tuple[str, Request]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    faults: dict[str, deque[Fault | None]] = field(default_factory=dict)
    accepted: list[dict[str, Any]] = field(default_factory=list)

    def configure(self, **environment: str) -> None:
        """Start another container, with these additional settings."""
        for name, text in environment.items():
            self.monkeypatch.setenv(name, text)
        forget_the_container()

    def unset(self, name: str) -> None:
        """Start another container without a setting."""
        self.monkeypatch.delenv(name)
        forget_the_container()

    def fail(self, operation: str, *faults: Fault | None) -> None:
        """Make the next requests of an operation fail so."""
        self.faults.setdefault(operation, deque()).extend(faults)

    def ingest(self, *messages: str | Mapping[str, Any]) -> list[str]:
        """Pass a batch of bodies or records to the function, and return the ids of those to be retried."""
        records = [seen(message) if isinstance(message, str) else message for message in messages]
        answer = app.ingest_events(batch(records), Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def account(self, merchant_id: MerchantId = SHOP) -> Account:
        """Return the current account."""
        found = self.dynamodb.get_item(TableName=CREDITS_TABLE, Key={"merchant_id": {"S": merchant_id}})
        return account_from(found["Item"])

    def balance(self, merchant_id: MerchantId = SHOP) -> int:
        """Return the current balance."""
        return self.account(merchant_id).balance

    def history(self, merchant_id: MerchantId = SHOP) -> list[Transaction]:
        """Return the merchant's records, oldest first."""
        records = [
            transaction_from(item)
            for item in self.items(TRANSACTIONS_TABLE)
            if item["merchant_id"]["S"] == merchant_id and named_by(item) is None
        ]
        return sorted(records, key=lambda record: record.sequence)

    def recorded(self, merchant_id: MerchantId = SHOP) -> list[str]:
        """Return the keys of the merchant's records, oldest first."""
        return [record.idempotency_key for record in self.history(merchant_id)]

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return all items of a table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [cast("dict[str, Any]", item) for page in pages for item in page["Items"]]

    def everything(self) -> list[list[dict[str, Any]]]:
        """Return the whole content of the ledger, for comparison."""
        return [sorted(self.items(table), key=str) for table in (CREDITS_TABLE, TRANSACTIONS_TABLE)]

    def parked(self, queue: str = "DEAD_LETTER_QUEUE_URL") -> list[Parked]:
        """Receive and delete the parked messages, in any order."""
        return [
            Parked(
                body=message["Body"],
                attributes={
                    name: attribute["StringValue"] for name, attribute in message.get("MessageAttributes", {}).items()
                },
            )
            for message in self._received(queue)
        ]

    def heard(self) -> list[dict[str, Any]]:
        """Take the events that the bus accepted since the last call, as a rule would deliver them."""
        heard, self.accepted = self.accepted, []
        return heard

    def in_inbox(self) -> list[dict[str, Any]]:
        """Receive the inbox's messages, as records."""
        return [
            {**seen(message["Body"]), "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"]}
            for message in self._received("INBOX_QUEUE_URL", delete=False)
        ]

    def delays(self) -> list[int]:
        """Return the delays of messages, in seconds, in the order of the requests."""
        return [
            entry["VisibilityTimeout"]
            for operation, request in self.asked
            if operation == "ChangeMessageVisibilityBatch"
            for entry in request["Entries"]
        ]

    def sent_on(self) -> list[dict[str, Any]]:
        """Return the entries that were sent into the queue of those that wait, in the order of the requests."""
        return [
            entry
            for operation, request in self.asked
            if operation == "SendMessageBatch" and request["QueueUrl"] == self.urls["WAITING_QUEUE_URL"]
            for entry in request["Entries"]
        ]

    def stream(self, table: str) -> list[dict[str, Any]]:
        """Return the records of a table's stream since its beginning, as the function gets them."""
        streams = cast("Any", _client("dynamodbstreams", of="test"))
        arn = self.dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        found: list[dict[str, Any]] = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator: str | None = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                answer = streams.get_records(ShardIterator=iterator)
                found += [cast("dict[str, Any]", record) for record in answer["Records"]]
                iterator = answer.get("NextShardIterator") if answer["Records"] else None
        return [_as_delivered(record, place) for place, record in enumerate(found)]

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def _received(self, queue: str, *, delete: bool = True) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.urls[queue], MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages", []):
            for message in messages:
                received.append(cast("dict[str, Any]", message))
                if delete:
                    self.sqs.delete_message(QueueUrl=self.urls[queue], ReceiptHandle=message["ReceiptHandle"])
        return received


def _as_delivered(record: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return a stream's record with JSON values only, and a sequence number that grows."""
    changed = {**record["dynamodb"], "SequenceNumber": str(1000 + place), "ApproximateCreationDateTime": 1748779200.0}
    return {**record, "dynamodb": changed}


def forget_the_container() -> None:
    """Clear everything that a container builds once."""
    for built_once in (
        settings,
        for_posting.dynamodb,
        for_posting.ledger,
        for_posting.posting,
        for_posting.linking,
        for_posting.bus,
        for_posting.queues,
        for_desk.desk_reader,
    ):
        built_once.cache_clear()
    telemetry._unsent.clear()
    telemetry._unsent_seconds.clear()


@contextmanager
def system_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Build tables, bus and queues on moto, which is active, and configure the functions with them."""
    dynamodb, sqs, events = (cast("Any", _client(name, of="test")) for name in ("dynamodb", "sqs", "events"))
    for name, logical_id in (
        (CREDITS_TABLE, "CreditsTable"),
        (TRANSACTIONS_TABLE, "TransactionsTable"),
        (LINKS_TABLE, "LinksTable"),
    ):
        dynamodb.create_table(TableName=name, **declared_with_stream(logical_id))
    urls = {setting: sqs.create_queue(QueueName=name)["QueueUrl"] for setting, name in QUEUES.items()}
    events.create_event_bus(Name=BUS)
    system = System(monkeypatch, dynamodb, sqs, urls)
    monkeypatch.setattr(posting, "MERCHANTS_AT_ONCE", 1)
    monkeypatch.setattr(for_posting, "time", SimpleNamespace(sleep=system.waits.append))
    monkeypatch.setattr(logger, "stream", system.log)
    system.configure(**SETTINGS, **urls)
    with _watched(system):
        yield system
    forget_the_container()


@cache
def _client(service: str, *, of: str) -> BaseClient:
    """Return the test's or the functions' client of a service; building one takes longer than most tests."""
    assert of in ("test", "functions")
    client: BaseClient = boto3.client(cast("Any", service), region_name=REGION, config=for_posting._CLIENT)
    return client


@contextmanager
def _watched(system: System) -> Iterator[None]:
    """Watch the functions' clients, and force the faults; the test's own clients are unaffected."""
    clients = {name: _client(name, of="functions") for name in ("dynamodb", "sqs", "events")}
    real_call: Callable[..., Any] = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: BaseClient, operation: str, request: Request) -> Any:
        if client not in clients.values():
            return real_call(client, operation, request)
        system.asked.append((operation, request))
        fault = system.faults[operation].popleft() if system.faults.get(operation) else None
        if isinstance(fault, Exception):
            raise fault

        def send(changed: Request) -> Any:
            answer = real_call(client, operation, changed)
            if operation == "PutEvents":
                system.accepted += _accepted(changed, answer)
            return answer

        return fault(request, send) if fault else send(request)

    def count_request(event_name: str, **_: Any) -> None:
        system.requests.append(event_name.rsplit(".", maxsplit=1)[-1])

    setattr(count_request, "needs_no_request", True)  # noqa: B010 - read by tests/support/quick_aws.py

    def client_of(service: str, config: object) -> BaseClient:
        assert config is for_posting._CLIENT
        return clients[service]

    system.monkeypatch.setattr(BaseClient, "_make_api_call", call)
    system.monkeypatch.setattr(for_posting, "sdk", SimpleNamespace(client=client_of))
    for client in clients.values():
        client.meta.events.register_first("before-send", count_request)
    try:
        yield
    finally:
        for client in clients.values():
            client.meta.events.unregister("before-send", count_request)


def _accepted(request: Request, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events that PutEvents took, as its rules deliver them (moto's rules need a package more)."""
    return [
        {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
        for entry, taken in zip(request["Entries"], answer["Entries"], strict=True)
        if "EventId" in taken and entry["EventBusName"] == BUS
    ]


def failed_entries(*places: int) -> Fault:
    """Return a fault of PutEvents: the entries at these positions are refused, the others accepted."""

    def deed(request: Request, send: Callable[[Request], Any]) -> Any:
        entries: Sequence[Any] = request["Entries"]
        taken = [entry for place, entry in enumerate(entries) if place not in places]
        answered = iter(send({**request, "Entries": taken})["Entries"] if taken else [])
        refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "no"}
        return {
            "FailedEntryCount": len(places),
            "Entries": [refused if place in places else next(answered) for place in range(len(entries))],
        }

    return deed


def lost_answer(request: Request, send: Callable[[Request], Any]) -> Any:
    """Apply a request and lose its answer."""
    send(request)
    raise ReadTimeoutError(endpoint_url="https://aws")


def let_no_poll_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty poll for dead letters need not wait: nobody else puts messages into moto's queues."""
    defaults = DeadLetters.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "wait_seconds", 0)

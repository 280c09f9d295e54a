"""The whole system, started as `make run` starts it, with a test's ways to send and to read.

Tests use its public interfaces: NATS, the bus, the HTTP API, the function for admins and the dead-letter queue.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from infra.deploying.emulator import emulator_client
from infra.local.description import Description, read
from infra.local.tokens import OWNER_SCOPE, Signer
from infra.packaging.build import package
from tests.oracles.recount import Event, facts
from tests.support.jetstream import Heard, JetStream, jetstream
from tests.support.marketplace import happened
from tests.support.stack_process import started

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

SETTLED_SECONDS = 300.0
"""How long the longest backlog of a test may take on a busy machine."""
EFFECT_SECONDS = 120.0
"""How long one effect may take there; no wait is longer than needed."""
ANSWER_SECONDS = 60
POLL_SECONDS, POLL_SECONDS_MAX, POLL_SHARE = 0.005, 0.2, 0.1
"""A wait looks again after a tenth of the time that it has lasted: soon at first, and then without taking the CPU of
what it waits for."""
BUS_ENTRIES = 10
KEYS_IN_A_READ = 100
PAGE = 100

Found = TypeVar("Found")


def until(what: str | Callable[[], str], look: Callable[[], Found], seconds: float = EFFECT_SECONDS) -> Found:
    """Return the result of `look` as soon as there is one; `what` names it in the error."""
    started = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - started
        if waited > seconds:
            raise AssertionError(f"waited {seconds:.0f} s for {what if isinstance(what, str) else what()}, in vain")
        time.sleep(min(max(POLL_SECONDS, waited * POLL_SHARE), POLL_SECONDS_MAX))
    return found


def client(description: Mapping[str, Any], service: str) -> Any:
    return emulator_client(description["aws_endpoint"], service)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of the API; `body` is its JSON, None without one, `headers` have small names."""

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str = ""

    @property
    def data(self) -> Any:
        """Return the data."""
        assert self.status == 200, (self.status, self.body)
        return self.body["data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message in the dead-letter queue."""

    body: str
    attributes: Mapping[str, str]


class Waiting(NamedTuple):
    """Messages of a queue: available ones, and those in flight."""

    untouched: int
    tried: int


@dataclass(kw_only=True)
class Stack:
    """A running stack for tests; its files are in `directory`."""

    directory: Path
    description: Description
    nats: JetStream
    _letters: list[Letter] = field(default_factory=list)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self._client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def _sqs(self) -> "SQSClient":
        return self._client("sqs")  # type: ignore[no-any-return]

    @cached_property
    def _events(self) -> "EventBridgeClient":
        return self._client("events")  # type: ignore[no-any-return]

    @cached_property
    def lambdas(self) -> "LambdaClient":
        return self._client("lambda")  # type: ignore[no-any-return]

    def publish(self, *events: Event) -> None:
        """Publish the events on NATS, one after another."""
        self.nats.publish([(event["event_type"], json.dumps(event).encode()) for event in events])

    def put(self, *events: Event) -> None:
        """Put the events on the bus, as an upstream service does."""
        self.put_as([(event["event_type"], event) for event in events])

    def put_as(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Put details on the bus, each under its type."""
        entries = [
            {
                "Source": "upstream",
                "DetailType": event_type,
                "Detail": json.dumps(detail),
                "EventBusName": self.description.event_bus,
            }
            for event_type, detail in events
        ]
        for start in range(0, len(entries), BUS_ENTRIES):
            answer = self._events.put_events(Entries=entries[start : start + BUS_ENTRIES])  # type: ignore[arg-type]
            assert answer["FailedEntryCount"] == 0

    def put_as_partner(self, events: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Put events on partner event buses as their partners do: the bus, the detail type and the detail of each."""
        entries = [
            {"Time": datetime.now(UTC), "Source": bus, "DetailType": detail_type, "Detail": json.dumps(detail)}
            for bus, detail_type, detail in events
        ]
        for start in range(0, len(entries), BUS_ENTRIES):
            answer = self._events.put_partner_events(Entries=entries[start : start + BUS_ENTRIES])  # type: ignore[arg-type]
            assert answer["FailedEntryCount"] == 0

    def enqueue(self, *bodies: str) -> None:
        """Put the bodies into the inbox as they are."""
        for body in bodies:
            self._sqs.send_message(QueueUrl=self.description.inbox_queue_url, MessageBody=body)

    def tell(self, *events: Event) -> None:
        """Publish the events on NATS, each after the one before it is recorded."""
        for event in events:
            self.publish(event)
            transactions = [fact.transaction_id for fact in facts(event)]
            until(f"the effect of {event}", lambda transactions=transactions: self.recorded(transactions))  # type: ignore[misc]

    def deliver_freely(self, over_nats: Sequence[Event], over_the_bus: Sequence[Event]) -> None:
        """Send over both channels at the same time."""
        with ThreadPoolExecutor(2) as channels:
            sent = [channels.submit(self.publish, *over_nats), channels.submit(self.put, *over_the_bus)]
        for work in sent:
            work.result()

    def adjust(self, **request: Any) -> Mapping[str, Any]:
        """Invoke the function for admins, and return its answer."""
        return self.invoke("adjust_credits", **request)

    def invoke(self, function: str, **request: Any) -> Mapping[str, Any]:
        """Invoke a function, and return its answer."""
        name = self.description.functions[function]
        answer = self.lambdas.invoke(FunctionName=name, Qualifier="live", Payload=json.dumps(request).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()
        content: Mapping[str, Any] = json.loads(answer["Payload"].read())
        return content

    def get(self, path: str, token: str | None = None, *, method: str = "GET", **headers: str) -> Answer:
        """Return what the API answers to GET `path`, or another `method`, below /api/v1."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        with closing(
            http.client.HTTPConnection(urlsplit(self.description.api_url).netloc, timeout=ANSWER_SECONDS)
        ) as connection:
            connection.request(method, f"/api/v1{path}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        return Answer(
            status=answer.status,
            headers={name.lower(): value for name, value in answer.getheaders()},
            body=_json(body),
            text=body.decode(),
        )

    def read(self, path: str) -> Any:
        """Return the data of an admin's GET `path`."""
        return self.get(path, self.description.admin_token).data

    def owner(self, merchant_id: str) -> str:
        """Return a token of the merchant's own."""
        jwt = self.description.jwt
        signer = Signer(private_key_path=Path(jwt.private_key_path), key_id=jwt.key_id, public_keys={})
        return signer.token(subject="owner", scope=OWNER_SCOPE, merchant_id=merchant_id)

    def ledger(self, merchant_id: str) -> list[Mapping[str, Any]]:
        """Return the merchant's transactions, oldest first, read page by page from the API."""
        rows: list[Mapping[str, Any]] = []
        parameters = {"merchant_id": merchant_id, "limit": str(PAGE)}
        while True:
            path = f"/credits/transactions?{urlencode(parameters)}"
            answer = self.get(path, self.description.admin_token)
            rows += answer.data
            cursor = answer.body["pagination"]["next_cursor"]
            if cursor is None:
                return rows[::-1]
            parameters["cursor"] = cursor

    def recorded(self, transaction_ids: Sequence[str]) -> bool:
        """Return whether all these transactions are recorded."""
        found = 0
        for start in range(0, len(transaction_ids), KEYS_IN_A_READ):
            keys = [{"transaction_id": {"S": each}} for each in transaction_ids[start : start + KEYS_IN_A_READ]]
            table = self.description.transactions_table
            asked = {table: {"Keys": keys, "ProjectionExpression": "transaction_id"}}
            found += len(self.dynamodb.batch_get_item(RequestItems=asked)["Responses"][table])  # type: ignore[arg-type]
        return found == len(transaction_ids)

    def account_item(self, merchant_id: str) -> Mapping[str, Any]:
        """Return the stored item of the merchant's account."""
        key = {"merchant_id": {"S": merchant_id}}
        answer = self.dynamodb.get_item(TableName=self.description.credits_table, Key=key, ConsistentRead=True)
        return answer["Item"]

    def told_about(self, *merchant_ids: str) -> list[Heard]:
        """Return the service's events on NATS about these merchants so far."""
        return [heard for heard in self.nats.told() if heard.merchant_id in merchant_ids]

    def letters(self, *, naming: str) -> list[Letter]:
        """Return the messages in the dead-letter queue that hold the text `naming`."""
        url = self.description.dead_letter_queue_url
        while batch := self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in batch:
                attributes = message.get("MessageAttributes", {})
                texts = {name: attribute["StringValue"] for name, attribute in attributes.items()}
                self._letters.append(Letter(body=message["Body"], attributes=texts))
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [letter for letter in self._letters if naming in letter.body]

    def inbox(self) -> Waiting:
        """Return how many messages wait in the inbox, or for their ground beside it."""
        inbox, beside = (
            self._waiting(url) for url in (self.description.inbox_queue_url, self.description.waiting_queue_url)
        )
        return Waiting(untouched=inbox.untouched, tried=inbox.tried + sum(beside))

    def settle(self) -> None:
        """Return once everything that was sent has had all its effects, those on NATS too.

        The streams are read in order. So the events of a new shop, which opens with one credit and loses it, come last:
        when they have been received and the outbox is empty, nothing else is under way.
        """
        until(self._on_its_way_in, self._taken_in, SETTLED_SECONDS)
        shop = str(uuid4())
        taken = {"adjustment_id": "last", "operation_type": "DECREASE", "credits": 1}
        self.tell(happened("evt.account.created", shop, credits_to_use=1))
        self.tell(happened("evt.credits.manual_adjustment", shop, **taken))
        last = {"evt.credits.adjusted", "evt.credits.plugin_status_changed"}
        until(
            "the last events out", lambda: last <= {heard.subject for heard in self.told_about(shop)}, SETTLED_SECONDS
        )
        until("the outbox to be empty", self._told_out, SETTLED_SECONDS)

    def _on_its_way_in(self) -> str:
        return f"{self.nats.waiting()} messages on NATS and {self.inbox()} in the inbox to be taken in"

    def _taken_in(self) -> bool:
        # In the direction of flow: the bridge acknowledges what the inbox has confirmed.
        return self.nats.waiting() == 0 and not any(self.inbox())

    def _told_out(self) -> bool:
        return not any(self._waiting(self.description.outbox_queue_url))

    def _waiting(self, url: str) -> Waiting:
        counted = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return Waiting(
            untouched=int(counted["ApproximateNumberOfMessages"]),
            tried=int(counted["ApproximateNumberOfMessagesNotVisible"])
            + int(counted.get("ApproximateNumberOfMessagesDelayed", "0")),
        )

    def _client(self, service: str) -> Any:
        return emulator_client(self.description.aws_endpoint, service)


@contextmanager
def connected(directory: Path) -> Iterator[Stack]:
    """Yield the ready stack whose files are in `directory`."""
    description = read(directory)
    with jetstream(description.nats_url) as nats:
        yield Stack(directory=directory, description=description, nats=nats)


@contextmanager
def running_stack(directory: Path, settings: Mapping[str, str]) -> Iterator[Stack]:
    """Yield a separate stack with these settings; it ends with the context."""
    package(
        "dev", linted=False
    )  # The first stack after a change would pass its time to start in waiting for the package.
    with started(directory, settings) as run:
        run.wait_for_line("READY ")
        with connected(run.directory) as stack:
            yield stack


def _json(body: bytes) -> Any:
    """Return the JSON of a body, None where there is none or it is another text."""
    try:
        return json.loads(body)
    except ValueError:
        return None

"""The SQS queues as the bridge sees them: a port of four calls, and its adapter on boto3.

A call either returns the queue's result for each entry or raises `QueueError`:

* `QueueUnavailableError`: the request as a whole failed and may succeed later (outage, throttle,
  timeout, denied access). It may have taken effect.
* `QueueRefusedError`: the request as a whole was refused for its contents, and would be again.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.bridge.settings import SQS_BATCH_ENTRIES

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MESSAGE_CONTENTS_CODES: Final = frozenset({"InvalidMessageContents", "MessageTooLong"})
"""Error codes of a message that the queue will never take."""

CONNECT_SECONDS: Final = 3
READ_SECONDS: Final = 10
REQUEST_ATTEMPTS: Final = 2

_CONTENT_CODES: Final = MESSAGE_CONTENTS_CODES | {
    "BatchRequestTooLong",
    "InvalidParameterValue",
    "InvalidAttributeValue",
    "UnsupportedOperation",
}
_CODE_PREFIX = "AWS.SimpleQueueService."

_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item")


class QueueError(Exception):
    """A request to the queue failed as a whole; carries SQS's code and text."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep SQS's `code` and `reason`; as text they read `code: reason`."""
        super().__init__(f"{code}: {reason}")
        self.code = code


class QueueUnavailableError(QueueError):
    """The queue could not be reached, or could not answer: try again later."""


class QueueRefusedError(QueueError):
    """The queue refused the request for its contents: the same request would be refused again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message to be sent to the inbox or to the dead letters; `identity` is unique within its request."""

    identity: str
    body: str
    group: str | None
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the queue did not take one entry."""

    code: str
    reason: str

    @property
    def for_ever(self) -> bool:
        """Whether the queue will never take this message, whoever sends it."""
        return self.code in MESSAGE_CONTENTS_CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAnswer:
    """The queue's result for each entry; an entry in neither list is not known to have arrived."""

    confirmed: frozenset[str]
    refused: Mapping[str, Refusal]

    def refusal_of(self, entry: Entry) -> Refusal | None:
        """Return why the queue did not take an entry, None if it did."""
        unanswered = Refusal(code="Unanswered", reason="the queue returned no result for this entry")
        return None if entry.identity in self.confirmed else self.refused.get(entry.identity, unanswered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message from the outbox; `receives` counts its deliveries, this one included."""

    identity: str
    receipt: str
    body: str
    receives: int


class Queue(Protocol):
    """One SQS queue; every call raises `QueueError` when the request as a whole fails."""

    async def send(self, entries: Sequence[Entry]) -> SendAnswer:
        """Send at most ten entries and return what became of each."""

    async def receive(self) -> tuple[Received, ...]:
        """Return up to ten messages, waiting a while for the first; nothing when none came."""

    async def delete(self, messages: Sequence[Received]) -> int:
        """Delete at most ten received messages and return how many of them are gone."""

    async def postpone(self, delays: Mapping[Received, int]) -> None:
        """Make at most ten received messages visible again after so many seconds each."""


class SqsQueue:
    """The queue at `url`, called in the threads of `executor`, which bound the calls at once."""

    def __init__(self, url: str, *, executor: Executor, connections: int, poll_seconds: int) -> None:
        """Keep up to `connections` open and wait `poll_seconds` for the first message of each receive."""
        self._url = url
        self._client = _sqs_client(connections=connections, poll_seconds=poll_seconds)
        self._executor = executor
        self._poll_seconds = poll_seconds

    async def send(self, entries: Sequence[Entry]) -> SendAnswer:
        """Send at most ten entries and return what became of each."""
        answer = await self._ask(self._client.send_message_batch, Entries=list(map(_request_entry, entries)))
        return SendAnswer(
            confirmed=frozenset(entry["Id"] for entry in answer.get("Successful", ())),
            refused={
                entry["Id"]: Refusal(code=_code(entry["Code"]), reason=entry.get("Message", ""))
                for entry in answer.get("Failed", ())
            },
        )

    async def receive(self) -> tuple[Received, ...]:
        """Return up to ten messages, waiting a while for the first; nothing when none came."""
        answer = await self._ask(
            self._client.receive_message,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=self._poll_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return tuple(
            Received(
                identity=message["MessageId"],
                receipt=message["ReceiptHandle"],
                body=message["Body"],
                receives=int(message.get("Attributes", {}).get("ApproximateReceiveCount", "1")),
            )
            for message in answer.get("Messages", ())
        )

    async def delete(self, messages: Sequence[Received]) -> int:
        """Delete at most ten received messages and return how many of them are gone."""
        entries = [{"Id": str(number), "ReceiptHandle": message.receipt} for number, message in enumerate(messages)]
        answer = await self._ask(self._client.delete_message_batch, Entries=entries)
        return len(answer.get("Successful", ()))

    async def postpone(self, delays: Mapping[Received, int]) -> None:
        """Make at most ten received messages visible again after so many seconds each."""
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
            for number, (message, seconds) in enumerate(delays.items())
        ]
        await self._ask(self._client.change_message_visibility_batch, Entries=entries)

    async def _ask(self, call: Callable[..., _Answer], **asked: Any) -> _Answer:
        work = partial(call, QueueUrl=self._url, **asked)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except ClientError as error:
            details = error.response.get("Error", {})
            code, reason = _code(details.get("Code", "Unknown")), details.get("Message", "no reason given")
            kind = QueueRefusedError if code in _CONTENT_CODES else QueueUnavailableError
            raise kind(code, reason) from error
        except BotoCoreError as error:
            raise QueueUnavailableError(type(error).__name__, str(error)) from error


def in_requests(items: Iterable[_Item], size_of: Callable[[_Item], int], *, most_bytes: int) -> Iterator[list[_Item]]:
    """Yield `items` in order, in groups that one request of so many bytes and ten entries can hold."""
    group: list[_Item] = []
    size = 0
    for item in items:
        length = size_of(item)
        if group and (len(group) == SQS_BATCH_ENTRIES or size + length > most_bytes):
            yield group
            group, size = [], 0
        group.append(item)
        size += length
    if group:
        yield group


def _sqs_client(*, connections: int, poll_seconds: int) -> "SQSClient":
    """Return a client that gives up soon enough for a batch to be settled within its acknowledgement time.

    Endpoint, region and credentials come from the standard AWS settings, `AWS_ENDPOINT_URL` among them.
    """
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS + poll_seconds,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": REQUEST_ATTEMPTS},
        tcp_keepalive=True,
    )
    return boto3.client("sqs", config=config)


def _request_entry(entry: Entry) -> "SendMessageBatchRequestEntryTypeDef":
    request: SendMessageBatchRequestEntryTypeDef = {
        "Id": entry.identity,
        "MessageBody": entry.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in entry.attributes.items()
        },
    }
    if entry.group is not None:
        request["MessageGroupId"] = entry.group
    return request


def _code(code: str) -> str:
    """Return SQS's code without the prefix of its older protocol."""
    return code.removeprefix(_CODE_PREFIX)

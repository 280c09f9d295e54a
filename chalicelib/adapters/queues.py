"""The queues: messages parked with their reason, retries delayed, and long waits in a queue of their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, SendMessageBatchRequestEntryTypeDef

ENTRIES_MAX = 10
"""Entries that one batch request takes."""
REQUEST_BYTES_MAX = 262_144
"""Bytes of bodies that one batch request takes, with room for attributes; a longer body goes alone."""
ATTRIBUTE_LENGTH_MAX = 2500
"""Characters of an attribute that are kept: all headers that the bridge accepts of a CloudEvent, and usual reasons."""


class MessageCounts(NamedTuple):
    """Messages of a queue (SQS: approximately): available ones, and those in flight or delayed."""

    waiting: int
    under_way: int


class Delayed(NamedTuple):
    """A message for a queue that delivers it after a delay of 0 to 900 seconds."""

    body: str
    attributes: Mapping[str, str | None]
    delay_seconds: int
    group: str | None


class Queues:
    """Sends to the dead-letter queues and the waiting queue, and changes when messages become visible again.

    All raise botocore's `ClientError` or `BotoCoreError` when the queue does not answer.
    """

    def __init__(self, client: "SQSClient") -> None:
        self._client = client

    def park(self, queue_url: str, body: str, attributes: Mapping[str, str | None]) -> None:
        """Put the unchanged body into a dead-letter queue, with the attributes that have a value."""
        self._client.send_message(
            QueueUrl=queue_url,
            MessageBody=body,
            MessageAttributes=_named(attributes),
        )

    def send(self, queue_url: str, body: str, group: str | None = None) -> None:
        """Put a message into a queue, in a group if one is given; the queue has confirmed it when this returns."""
        grouped: Any = {} if group is None else {"MessageGroupId": group}
        self._client.send_message(QueueUrl=queue_url, MessageBody=body, **grouped)

    def send_later(self, queue_url: str, messages: Sequence[Delayed]) -> Iterator[int]:
        """Put messages into a queue, and yield the place of each that the queue has confirmed."""
        for places in _requests(messages):
            answer = self._client.send_message_batch(
                QueueUrl=queue_url, Entries=[_entry(place, messages[place]) for place in places]
            )
            yield from (int(sent["Id"]) for sent in answer.get("Successful", []))

    def waiting(self, queue_url: str) -> MessageCounts:
        """Return the queue's own count of messages."""
        attributes: Mapping[str, str] = self._client.get_queue_attributes(
            QueueUrl=queue_url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        ).get("Attributes", {})  # type: ignore[assignment]
        visible, taken, delayed = (
            int(attributes.get(f"ApproximateNumberOfMessages{which}", "0")) for which in ("", "NotVisible", "Delayed")
        )
        return MessageCounts(waiting=visible, under_way=taken + delayed)

    def put_off(self, queue_url: str, delays_seconds: Sequence[tuple[str, int]]) -> None:
        """Make each message (by receipt handle) visible again after its delay in seconds, 0 to 43,200.

        A message whose delay the queue refuses becomes visible after the queue's own visibility timeout.
        """
        for start in range(0, len(delays_seconds), ENTRIES_MAX):
            self._client.change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": delay}
                    for place, (handle, delay) in enumerate(delays_seconds[start : start + ENTRIES_MAX])
                ],
            )


def _named(attributes: Mapping[str, str | None]) -> "dict[str, MessageAttributeValueTypeDef]":
    return {
        name: {"DataType": "String", "StringValue": printable(value)} for name, value in attributes.items() if value
    }


def _requests(messages: Sequence[Delayed]) -> Iterator[list[int]]:
    """Yield the places of messages that fit into one request."""
    places: list[int] = []
    size = 0
    for place, message in enumerate(messages):
        length = len(message.body.encode())
        if places and (len(places) == ENTRIES_MAX or size + length > REQUEST_BYTES_MAX):
            yield places
            places, size = [], 0
        places.append(place)
        size += length
    if places:
        yield places


def _entry(place: int, message: Delayed) -> "SendMessageBatchRequestEntryTypeDef":
    entry: SendMessageBatchRequestEntryTypeDef = {
        "Id": str(place),
        "MessageBody": message.body,
        "DelaySeconds": message.delay_seconds,
        "MessageAttributes": _named(message.attributes),
    }
    if message.group is not None:
        entry["MessageGroupId"] = message.group
    return entry


def printable(text: str) -> str:
    """Return the text as an attribute accepts it: printable and bounded."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:ATTRIBUTE_LENGTH_MAX])

"""The queues: messages parked with their reason, and retries delayed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ENTRIES_MAX = 10
"""Entries that one batch request takes."""
ATTRIBUTE_LENGTH_MAX = 1000
"""Characters of a reason that are kept."""


class Waiting(NamedTuple):
    """Messages of a queue (SQS: approximately): available ones, and those in flight or delayed."""

    waiting: int
    under_way: int


class Queues:
    """Sends to the dead-letter queues, and changes when messages become visible again.

    All raise botocore's `ClientError` or `BotoCoreError` when the queue does not answer.
    """

    def __init__(self, client: "SQSClient") -> None:
        self._client = client

    def park(self, queue_url: str, body: str, attributes: Mapping[str, str | None]) -> None:
        """Put the unchanged body into a dead-letter queue, with the attributes that have a value."""
        self._client.send_message(
            QueueUrl=queue_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": printable(value)}
                for name, value in attributes.items()
                if value
            },
        )

    def waiting(self, queue_url: str) -> Waiting:
        """Return the queue's own count of messages."""
        said: Mapping[str, str] = self._client.get_queue_attributes(
            QueueUrl=queue_url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        ).get("Attributes", {})  # type: ignore[assignment]
        visible, taken, delayed = (
            int(said.get(f"ApproximateNumberOfMessages{which}", "0")) for which in ("", "NotVisible", "Delayed")
        )
        return Waiting(waiting=visible, under_way=taken + delayed)

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


def printable(text: str) -> str:
    """Return the text as an attribute may hold it: printable and bounded."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:ATTRIBUTE_LENGTH_MAX])

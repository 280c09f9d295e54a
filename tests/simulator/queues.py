"""SQS in memory: visibility, receive counts, delays, and handles that are valid for one delivery only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

from tests.simulator.tables import AwsError, Request

ENTRIES_MAX = 10
RECEIVED_MAX = 10
HIDDEN_SECONDS_MAX = 43_200
"""SQS hides a message for twelve hours at the most."""
DEFAULT_VISIBILITY_SECONDS = 30.0
DELAY_SECONDS_MAX = 900
"""SQS delays a message that is sent for a quarter of an hour at the most."""
IN_FLIGHT_MAX = 120_000
"""Of so many messages of a queue that were received and not deleted, SQS hands out no others."""


@dataclass
class Message:
    """A message as the queue holds it; `visible_at` and `first_received` in seconds."""

    message_id: str
    body: str
    attributes: Mapping[str, Any]
    sent_at: float
    visible_at: float
    by: str
    deliveries: int = 0
    first_received: float | None = None
    handles: list[str] = field(default_factory=list)
    delayed: bool = False
    """Sent with a delay and not handed out yet: not in flight, whatever their number."""


class Queues:
    """The queues of an account, each under its address. `clock` gives seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.queues: dict[str, dict[str, Message]] = {}
        self.visibility_seconds: dict[str, float] = {}
        self.sent_on: list[Message] = []
        self.in_flight_max = IN_FLIGHT_MAX
        self.most_in_flight: dict[str, int] = {}
        self.by = ""
        self._clock = clock
        self._sent = 0

    def create(self, url: str, *, visibility_seconds: float = DEFAULT_VISIBILITY_SECONDS) -> None:
        """Make a queue."""
        self.queues[url] = {}
        self.visibility_seconds[url] = visibility_seconds

    def send(
        self, url: str, body: str, attributes: Mapping[str, Any] | None = None, *, delay_seconds: int = 0
    ) -> Message:
        """Put a message into a queue, to be handed out after the delay, and return it."""
        self._sent += 1
        now = self._clock()
        message = Message(f"message-{self._sent}", body, attributes or {}, now, now + delay_seconds, self.by)
        message.delayed = delay_seconds > 0
        self._queue(url)[message.message_id] = message
        return message

    def in_flight(self, url: str) -> int:
        """Return how many messages of a queue were received, and are neither deleted nor to be had again."""
        now = self._clock()
        return sum(message.visible_at > now and not message.delayed for message in self._queue(url).values())

    def receive(self, url: str, most: int) -> list[Message]:
        """Return visible messages, the longest visible first, and hide them for the queue's visibility timeout."""
        now = self._clock()
        visible = [message for message in self._queue(url).values() if message.visible_at <= now]
        in_flight = self.in_flight(url)
        most = min(most, max(0, self.in_flight_max - in_flight))
        taken = sorted(visible, key=lambda message: (message.visible_at, message.message_id))[:most]
        for message in taken:
            message.deliveries += 1
            message.delayed = False
            message.first_received = now if message.first_received is None else message.first_received
            message.handles.append(f"{message.message_id}/{message.deliveries}")
            message.visible_at = now + self.visibility_seconds[url]
        self.most_in_flight[url] = max(self.most_in_flight.get(url, 0), in_flight + len(taken))
        return taken

    def delete(self, url: str, message_id: str) -> None:
        """Delete a message from its queue."""
        self._queue(url).pop(message_id, None)

    def answer(self, operation: str, request: Request) -> dict[str, Any]:
        """Return the answer to a request; raises `AwsError`, and then nothing has changed."""
        known: Mapping[str, Callable[[Request], dict[str, Any]]] = {
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_batch,
            "ReceiveMessage": self._receive_message,
            "DeleteMessage": self._delete_message,
            "ChangeMessageVisibility": self._change_one,
            "ChangeMessageVisibilityBatch": self._change_batch,
            "GetQueueAttributes": self._attributes,
        }
        if operation not in known:
            raise AwsError("InvalidAction", f"the engine does not know {operation}")
        return known[operation](request)

    def _queue(self, url: str) -> dict[str, Message]:
        if url not in self.queues:
            raise AwsError("QueueDoesNotExist", f"there is no queue {url}")
        return self.queues[url]

    def _send_message(self, request: Request) -> dict[str, Any]:
        sent = self.send(request["QueueUrl"], request["MessageBody"], request.get("MessageAttributes"))
        return {"MessageId": sent.message_id, "MD5OfMessageBody": _digest(sent.body)}

    def _send_batch(self, request: Request) -> dict[str, Any]:
        entries = request["Entries"]
        ids = [entry["Id"] for entry in entries]
        if not 1 <= len(entries) <= ENTRIES_MAX or len(set(ids)) < len(ids):
            raise AwsError("TooManyEntriesInBatchRequest", f"{len(entries)} entries, ids {ids}")
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in entries:
            if not 0 <= entry.get("DelaySeconds", 0) <= DELAY_SECONDS_MAX:
                answer["Failed"].append({"Id": entry["Id"], "SenderFault": True, "Code": "InvalidParameterValue"})
                continue
            attributes, delay = entry.get("MessageAttributes"), entry.get("DelaySeconds", 0)
            sent = self.send(request["QueueUrl"], entry["MessageBody"], attributes, delay_seconds=delay)
            self.sent_on.append(sent)
            answer["Successful"].append({"Id": entry["Id"], "MessageId": sent.message_id})
        return answer

    def _receive_message(self, request: Request) -> dict[str, Any]:
        received = self.receive(request["QueueUrl"], min(request.get("MaxNumberOfMessages", 1), RECEIVED_MAX))
        return {
            "Messages": [
                {
                    "MessageId": message.message_id,
                    "ReceiptHandle": message.handles[-1],
                    "Body": message.body,
                    "MD5OfBody": _digest(message.body),
                    "MessageAttributes": message.attributes,
                    "Attributes": system_attributes(message),
                }
                for message in received
            ]
        }

    def _delete_message(self, request: Request) -> dict[str, Any]:
        found = self._by_handle(request["QueueUrl"], request["ReceiptHandle"])
        if found is not None:
            self.delete(request["QueueUrl"], found.message_id)
        return {}

    def _by_handle(self, url: str, handle: str) -> Message | None:
        found = self._queue(url).get(handle.rsplit("/", 1)[0])
        return found if found is not None and handle in found.handles else None

    def _change_one(self, request: Request) -> dict[str, Any]:
        code = self._hidden(request["QueueUrl"], request)
        if code is not None:
            raise AwsError(code)
        return {}

    def _change_batch(self, request: Request) -> dict[str, Any]:
        entries = request["Entries"]
        ids = [entry["Id"] for entry in entries]
        if not 1 <= len(entries) <= ENTRIES_MAX or len(set(ids)) < len(ids):
            raise AwsError("TooManyEntriesInBatchRequest", f"{len(entries)} entries, ids {ids}")
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in entries:
            code = self._hidden(request["QueueUrl"], entry)
            if code is None:
                answer["Successful"].append({"Id": entry["Id"]})
            else:
                answer["Failed"].append({"Id": entry["Id"], "SenderFault": True, "Code": code})
        return answer

    def _hidden(self, url: str, entry: Mapping[str, Any]) -> str | None:
        """Hide a message for so many seconds, and return why if that is refused."""
        message, seconds = self._by_handle(url, entry["ReceiptHandle"]), entry["VisibilityTimeout"]
        if not 0 <= seconds <= HIDDEN_SECONDS_MAX:
            return "InvalidParameterValue"
        # Only the newest delivery may hide it, and only while it is hidden.
        if message is None or message.handles[-1] != entry["ReceiptHandle"] or message.visible_at <= self._clock():
            return "MessageNotInflight"
        message.visible_at = self._clock() + seconds
        return None

    def _attributes(self, request: Request) -> dict[str, Any]:
        now, queue = self._clock(), self._queue(request["QueueUrl"])
        hidden = sum(message.visible_at > now for message in queue.values())
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(len(queue) - hidden),
                "ApproximateNumberOfMessagesNotVisible": str(hidden),
            }
        }


def system_attributes(message: Message) -> dict[str, str]:
    """Return the attributes that SQS gives a delivery."""
    assert message.first_received is not None
    return {
        "ApproximateReceiveCount": str(message.deliveries),
        "ApproximateFirstReceiveTimestamp": str(round(message.first_received * 1000)),
        "SentTimestamp": str(round(message.sent_at * 1000)),
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
    }


def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()

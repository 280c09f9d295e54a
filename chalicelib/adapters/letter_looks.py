"""One look at a dead-letter queue: messages are received, which hides them, and released or deleted in the end."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.domain.errors import Code, RetryLater

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ENTRIES_MAX = 10
"""Most messages of one request."""
HOLD_SECONDS = 30
"""How long a letter stays hidden after an interrupted look."""
WAIT_SECONDS = 1
"""How long an empty poll waits: only a long poll reaches all of a queue's servers."""
LETTERS_MAX = 100_000
"""Letters that one look holds: SQS lets 120,000 be held at once."""


class OutOfTimeError(RetryLater):
    """There are more letters than could be looked through in the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A dead-letter queue; `back_to_url` is where its messages belong, None for records, which a function takes."""

    parking: Parking
    queue_url: str
    back_to_url: str | None


class Look:
    """One look at a queue: it holds the letters it received until it is closed or the letter is deleted."""

    def __init__(self, sqs: "SQSClient", queue: DeadLetterQueue, *, wait_seconds: int, seconds: float) -> None:
        self.queue = queue
        self.held: dict[str, str] = {}
        self._sqs = sqs
        self._wait_seconds = wait_seconds
        self._deadline = time.monotonic() + seconds
        self._deleted: set[str] = set()

    @property
    def waits(self) -> bool:
        """Whether a poll waits for letters."""
        return self._wait_seconds > 0

    def letters(self, *, at_once: bool = False) -> Iterator[Letter]:
        """Yield every letter once, as it is received; with `at_once` without a wait, so perhaps not all of them.

        Raises:
            RetryLater: the queue did not answer, or time ran out before all were seen.
        """
        while len(self.held) < LETTERS_MAX:
            if time.monotonic() > self._deadline:
                raise OutOfTimeError(
                    Code.UNAVAILABLE,
                    f"{len(self.held)} letters were looked through, and there are more: the command line has the time",
                )
            received = self._receive(0 if at_once else self._wait_seconds)
            news = [message for message in received if message["MessageId"] not in self.held]
            # Letters received a second time were held too long, so all of them have been seen.
            if not news:
                return
            self.held |= {message["MessageId"]: message["ReceiptHandle"] for message in news}
            for message in news:
                yield Letter.from_message(message, self.queue.parking)

    def delete(self, letter: Letter) -> None:
        """Delete the letter from its queue."""
        with transient_faults("the queue"):
            self._sqs.delete_message(QueueUrl=self.queue.queue_url, ReceiptHandle=letter.receipt_handle)
        self._deleted.add(letter.letter_id)

    def close(self) -> None:
        """Release every remaining letter. If the queue refuses, they become visible after the hold time."""
        handles = [handle for letter_id, handle in self.held.items() if letter_id not in self._deleted]
        self.held.clear()
        for start in range(0, len(handles), ENTRIES_MAX):
            entries: Any = [
                {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for place, handle in enumerate(handles[start : start + ENTRIES_MAX])
            ]
            with suppress(ClientError, BotoCoreError):
                self._sqs.change_message_visibility_batch(QueueUrl=self.queue.queue_url, Entries=entries)

    def _receive(self, wait_seconds: int) -> Sequence[Mapping[str, Any]]:
        with transient_faults("the queue"):
            answer = self._sqs.receive_message(
                QueueUrl=self.queue.queue_url,
                MaxNumberOfMessages=ENTRIES_MAX,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=HOLD_SECONDS,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        messages: Sequence[Any] = answer.get("Messages", [])
        return messages


def found_in(looks: Sequence[Look], letter_id: str) -> tuple[Look, Letter] | None:
    """Return the letter with this id and the look that holds it, None if no queue has it.

    The queues are first polled without a wait. Only a long poll reaches all servers of a queue, and it takes its full
    time if nothing is there; so the long polls run in parallel.

    Raises:
        RetryLater: a queue did not answer, or time ran out before all letters were seen.
    """
    found = next(filter(None, (_letter_in(look, letter_id, at_once=True) for look in looks)), None)
    if found is None and any(look.waits for look in looks):
        with ThreadPoolExecutor(len(looks)) as pool:
            found = next(filter(None, pool.map(lambda look: _letter_in(look, letter_id), looks)), None)
    return found


def _letter_in(look: Look, letter_id: str, *, at_once: bool = False) -> tuple[Look, Letter] | None:
    return next(((look, each) for each in look.letters(at_once=at_once) if each.letter_id == letter_id), None)

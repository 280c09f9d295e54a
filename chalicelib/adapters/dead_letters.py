"""Parked messages: listed, read, and put back to where they came from.

A queue cannot be browsed. A look receives messages, which hides them from everybody else until the look releases them
(`HOLD_SECONDS` at most). Two looks at the same moment share the letters between them, so a `Listing` has the queues'
own counts beside the letters it holds.

**The id of a letter** is its message id in the dead-letter queue: it stays the same for as long as the message is
parked. A message that was put back and is parked again is another letter, with another id and a higher `redriven`.

**Putting back** sends first, then deletes. An interruption in between leaves the letter parked although its message was
sent; put back again, it arrives twice, and the second is a duplicate by its idempotency key (on NATS, by its event id).
So it is safe to repeat, and nothing is ever lost.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.contracts.letters import ORIGIN_BRIDGE, Letter, Parking
from chalicelib.domain.errors import Code, RetryLater

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

ENTRIES_MAX = 10
"""Messages that one request takes."""
HOLD_SECONDS = 30
"""How long a letter stays hidden after an interrupted look."""
WAIT_SECONDS = 1
"""How long an empty poll waits: only a long poll reaches all of a queue's servers."""
LETTERS_MAX = 100_000
"""Letters that one look holds: SQS lets 120,000 be held at once."""
ALL = tuple(Parking)


class NotRedrivable(Exception):  # noqa: N818 - named by what the letter is
    """The letter holds nothing that could be put back. The text gives the reason, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterQueue:
    """A dead-letter queue; `back_to_url` is where its messages belong, None for records, which a function takes."""

    parking: Parking
    queue_url: str
    back_to_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Letters, the newest first. `counted` is the queues' own count (SQS: approximately).

    If it is higher than the number of letters, there are more than requested, or somebody else is looking.
    """

    letters: tuple[Letter, ...]
    counted: int


class DeadLetters:
    """Lists, shows and puts back parked messages. Every method may raise `RetryLater` where AWS does not answer.

    `functions` are the deployed names of the functions that park records of a stream, by their names in app.py.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        lambdas: "LambdaClient",
        *,
        places: tuple[DeadLetterQueue, ...],
        functions: Mapping[str, str],
        wait_seconds: int = WAIT_SECONDS,
    ) -> None:
        self._sqs = sqs
        self._lambdas = lambdas
        self._places = {place.parking: place for place in places}
        self._functions = functions
        self._wait_seconds = wait_seconds

    def listing(self, *, wanted: int, parkings: Sequence[Parking] = ALL) -> Listing:
        """Return up to `wanted` letters of each queue, and release them."""
        letters: list[Letter] = []
        counted = 0
        for place in (self._places[parking] for parking in parkings):
            visible, held = self._counted(place)
            counted += visible + held
            # After as many letters as the queue counted, no empty poll is needed.
            enough = min(wanted, visible) if visible else wanted
            with closing(self._look(place, wait=bool(visible))) as look:
                letters += islice(look.letters(), enough)
        letters.sort(key=lambda letter: letter.parked_at, reverse=True)
        return Listing(letters=tuple(letters), counted=counted)

    def find(self, letter_id: str, *, seconds: float) -> Letter | None:
        """Return the letter with this id and release it, None if there is none.

        Raises:
            RetryLater: there are more letters than could be searched in that time.
        """
        with self._found(letter_id, seconds) as (_, letter):
            return letter

    def redrive(self, letter_id: str, *, seconds: float) -> Letter | None:
        """Put the letter with this id back to where it came from, and return it as it was; None if there is none.

        Raises:
            NotRedrivable: it holds nothing to put back, for example only a pointer to records of a stream. RetryLater:
            it was not found within `seconds`, or its target did not answer: it is still parked.
        """
        with self._found(letter_id, seconds) as (look, letter):
            if look is not None and letter is not None:
                self._put_back(look, letter)
            return letter

    def remove(self, letter_id: str, *, seconds: float) -> Letter | None:
        """Remove a letter that was settled in another way, and return it; None if there is none.

        Raises:
            RetryLater: it was not found within `seconds`, or the queue did not answer.
        """
        with self._found(letter_id, seconds) as (look, letter):
            if look is not None and letter is not None:
                look.delete(letter)
            return letter

    def redrive_all(
        self, matching: Callable[[Letter], bool], *, parkings: Sequence[Parking] = ALL
    ) -> Iterator[tuple[Letter, str | None]]:
        """Put back every letter that matches, and yield each with None, or with the reason it stays parked.

        A letter that is parked again meanwhile is not put back again.
        """
        put_back: set[tuple[str, str | None, int]] = set()
        for place in (self._places[parking] for parking in parkings):
            with closing(self._look(place, wait=True)) as look:
                for letter in look.letters():
                    if not matching(letter) or _as_seen(letter) in put_back:
                        continue
                    put_back.add(_as_seen_again(letter))
                    try:
                        self._put_back(look, letter)
                    except (NotRedrivable, RetryLater) as error:
                        yield letter, str(error)
                    else:
                        yield letter, None

    def _look(self, place: DeadLetterQueue, *, wait: bool, seconds: float = float("inf")) -> "_Look":
        return _Look(self._sqs, place, wait_seconds=self._wait_seconds if wait else 0, seconds=seconds)

    @contextmanager
    def _found(self, letter_id: str, seconds: float) -> Iterator[tuple["_Look | None", Letter | None]]:
        """Yield the letter and the look that holds it, None for both if no queue has it."""
        deadline = time.monotonic() + seconds
        for place in self._places.values():
            with closing(self._look(place, wait=True, seconds=deadline - time.monotonic())) as look:
                for letter in look.letters():
                    if letter.letter_id == letter_id:
                        yield look, letter
                        return
        yield None, None

    def _put_back(self, look: "_Look", letter: Letter) -> None:
        with transient_faults("the queue"):
            if letter.pointer is not None:
                raise NotRedrivable(
                    f"it points to {letter.pointer.records} records of a stream and holds none of them: "
                    "publish them again from the ledger with `credits republish --letter`"
                )
            if letter.origin == ORIGIN_BRIDGE:
                raise NotRedrivable(
                    "NATS keeps its body, which no queue can hold: have it published anew, or raise "
                    "BRIDGE_MESSAGE_BYTES and run `python -m infra.bridge.replay` from its time on"
                )
            if look.place.back_to_url is None:
                self._play(letter)
            else:
                self._send(look.place.back_to_url, letter)
        look.delete(letter)

    def _send(self, queue_url: str, letter: Letter) -> None:
        self._sqs.send_message(
            QueueUrl=queue_url,
            MessageBody=letter.body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text} for name, text in letter.put_back_with.items()
            },
        )

    def _play(self, letter: Letter) -> None:
        """Pass the record to the function that could not read it, which parks it again if it still cannot."""
        name = self._functions.get(letter.function or "")
        if name is None:
            raise NotRedrivable(f"no function is known that parked it ({letter.function or 'none is named'})")
        try:
            payload = json.dumps({"Records": [json.loads(letter.body)]}).encode()
        except (ValueError, RecursionError):
            raise NotRedrivable("its body is no record of a stream") from None
        answered = self._lambdas.invoke(FunctionName=name, Payload=payload)
        if answered.get("FunctionError"):
            raise RetryLater(Code.INTERNAL, f"{letter.function} failed on it: {answered['FunctionError']}")
        if json.loads(answered["Payload"].read())["batchItemFailures"]:
            raise RetryLater(Code.UNAVAILABLE, f"{letter.function} could not finish with it")

    def _counted(self, place: DeadLetterQueue) -> tuple[int, int]:
        """Return the queue's own count of letters: available ones, and those hidden by a look."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with transient_faults("the queue"):
            said = self._sqs.get_queue_attributes(QueueUrl=place.queue_url, AttributeNames=names)["Attributes"]
        visible, held = (int(said[name]) for name in names)
        return visible, held


class _Look:
    """One look at a queue: it holds the letters it received until it is closed or the letter is deleted."""

    def __init__(self, sqs: "SQSClient", place: DeadLetterQueue, *, wait_seconds: int, seconds: float) -> None:
        self.place = place
        self.held: dict[str, str] = {}
        self._sqs = sqs
        self._wait_seconds = wait_seconds
        self._deadline = time.monotonic() + seconds
        self._deleted: set[str] = set()

    def letters(self) -> Iterator[Letter]:
        """Yield every letter once, as it is received.

        Raises:
            RetryLater: the queue did not answer, or time ran out before all were seen.
        """
        while len(self.held) < LETTERS_MAX:
            if time.monotonic() > self._deadline:
                raise RetryLater(
                    Code.UNAVAILABLE,
                    f"{len(self.held)} letters were looked through, and there are more: the command line has the time",
                )
            news = [message for message in self._receive() if message["MessageId"] not in self.held]
            # Letters received a second time were held too long, so all of them have been seen.
            if not news:
                return
            self.held |= {message["MessageId"]: message["ReceiptHandle"] for message in news}
            for message in news:
                yield Letter.from_message(message, self.place.parking)

    def delete(self, letter: Letter) -> None:
        """Take the letter out of its queue."""
        with transient_faults("the queue"):
            self._sqs.delete_message(QueueUrl=self.place.queue_url, ReceiptHandle=letter.receipt_handle)
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
                self._sqs.change_message_visibility_batch(QueueUrl=self.place.queue_url, Entries=entries)

    def _receive(self) -> Sequence[Mapping[str, Any]]:
        with transient_faults("the queue"):
            answer = self._sqs.receive_message(
                QueueUrl=self.place.queue_url,
                MaxNumberOfMessages=ENTRIES_MAX,
                WaitTimeSeconds=self._wait_seconds,
                VisibilityTimeout=HOLD_SECONDS,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        messages: Sequence[Any] = answer.get("Messages", [])
        return messages


def _as_seen(letter: Letter) -> tuple[str, str | None, int]:
    """Return what identifies a letter: a message that was put back carries how often, a record does not."""
    redriven = 0 if letter.parking is Parking.STREAM else letter.redriven
    return sha256(letter.body.encode(errors="surrogatepass")).hexdigest(), letter.function, redriven


def _as_seen_again(letter: Letter) -> tuple[str, str | None, int]:
    body, function, redriven = _as_seen(letter)
    return body, function, redriven if letter.parking is Parking.STREAM else redriven + 1

"""Parked messages: listed, read, put back to where they came from, and removed.

A queue cannot be browsed. A look receives messages, which hides them from all other readers until the look releases
them (`HOLD_SECONDS` at most). Two looks at the same time each get a part of the letters, so a `Listing` has the queues'
own counts beside its letters.

**The id of a letter** is its message id in the dead-letter queue: it stays the same for as long as the message is
parked. A message that was put back and is parked again is another letter, with another id and a higher `redriven`.

**Putting back** sends first, then deletes. An interruption in between leaves the letter parked although its message was
sent; put back again, it arrives twice, and the second is a duplicate by its idempotency key (on NATS, by its event id).
So it is safe to repeat, and nothing is ever lost.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.dynamodb.faults import transient_faults
from chalicelib.adapters.letter_looks import WAIT_SECONDS, DeadLetterQueue, Look, OutOfTimeError, found_in
from chalicelib.contracts.letters import ORIGIN_BRIDGE, Letter, Parking
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ids import Instant, MerchantId

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

ALL = tuple(Parking)
_First = Callable[[Letter], None]
_NOTHING: _First = lambda _: None  # noqa: E731 - a default of three methods


class NotRedrivable(Exception):  # noqa: N818 - named by what the letter is
    """The letter contains nothing that could be put back. The text gives the reason, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Letters, the newest first.

    `counted` is the queues' own count (SQS: approximately), `matched` the number of matching letters. If `counted` is
    higher than the number of letters received, another look holds some. Then, or if time ran out, the listing is not
    `whole`: newer letters than those in it may be parked.
    """

    letters: tuple[Letter, ...]
    counted: int
    matched: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Letters with the same code and merchant (None: they have none): how many, and when they were parked."""

    code: str
    merchant_id: MerchantId | None
    letters: int
    oldest: Instant
    newest: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Groups of letters, the largest first; not `whole` if more are parked than were received."""

    groups: tuple[Group, ...]
    whole: bool


@dataclass(slots=True)
class _Tally:
    """The counts of a look: the queues' own counts, the letters received, and the matching ones."""

    counted: int = 0
    seen: int = 0
    matching: int = 0

    def matched(self, letters: Iterator[Letter]) -> Iterator[Letter]:
        for letter in letters:
            self.matching += 1
            yield letter


class DeadLetters:
    """Lists, shows and puts back parked messages. Every method may raise `RetryLater` where AWS does not answer.

    `functions` are the deployed names of the functions that park records of a stream, by their names in app.py.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        lambdas: "LambdaClient",
        *,
        queues: tuple[DeadLetterQueue, ...],
        functions: Mapping[str, str],
        wait_seconds: int = WAIT_SECONDS,
    ) -> None:
        self._sqs = sqs
        self._lambdas = lambdas
        self._queues = {queue.parking: queue for queue in queues}
        self._functions = functions
        self._wait_seconds = wait_seconds

    def listing(
        self,
        *,
        wanted: int,
        parkings: Sequence[Parking] = ALL,
        matching: Callable[[Letter], bool] = lambda _: True,
        before: tuple[str, str] | None = None,
        seconds: float = float("inf"),
    ) -> Listing:
        """Return the newest letters that match, up to `wanted` of those `before` a position; release what was seen.

        A queue has no order, so all of it is received, for at most this many `seconds`.
        """
        tally = _Tally()
        found = tally.matched(filter(matching, self._all(parkings, tally, time.monotonic() + seconds)))
        older = (letter for letter in found if before is None or letter.position < before)
        newest = nlargest(wanted, older, key=lambda letter: letter.position)
        return Listing(
            letters=tuple(newest), counted=tally.counted, matched=tally.matching, whole=tally.seen >= tally.counted
        )

    def _all(self, parkings: Sequence[Parking], tally: "_Tally", deadline: float) -> Iterator[Letter]:
        """Yield every letter of the queues, and count them; ends where the time is over."""
        for queue in (self._queues[parking] for parking in parkings):
            visible, held = self._counted(queue)
            tally.counted += visible + held
            with (
                suppress(OutOfTimeError),
                closing(self._look(queue, wait=bool(visible), seconds=deadline - time.monotonic())) as look,
            ):
                # After as many letters as the queue counted, no empty poll is needed.
                for letter in islice(look.letters(), visible or None):
                    tally.seen += 1
                    yield letter

    def find(self, letter_id: str, *, seconds: float) -> Letter | None:
        """Return the letter with this id and release it, None if there is none.

        Raises:
            RetryLater: there are more letters than could be searched in that time.
        """
        with self._found(letter_id, seconds) as (_, letter):
            return letter

    def redrive(self, letter_id: str, *, seconds: float, first: _First = _NOTHING) -> Letter | None:
        """Put the letter with this id back to where it came from, and return it as it was; None if there is none.

        `first` is called with it before: what it raises leaves the letter parked.

        Raises:
            NotRedrivable: it holds nothing to put back, for example only a pointer to records of a stream. RetryLater:
            it was not found within `seconds`, or its target did not answer: it is still parked.
        """
        with self._found(letter_id, seconds) as (look, letter):
            if look is not None and letter is not None:
                first(letter)
                self._put_back(look, letter)
            return letter

    def remove(self, letter_id: str, *, seconds: float, first: _First = _NOTHING) -> Letter | None:
        """Delete a letter that is settled in another way, and return it; None if there is none.

        `first` is called with it before: what it raises leaves the letter parked.

        Raises:
            RetryLater: it was not found within `seconds`, or the queue did not answer.
        """
        with self._found(letter_id, seconds) as (look, letter):
            if look is not None and letter is not None:
                first(letter)
                look.delete(letter)
            return letter

    def redrive_all(
        self,
        matching: Callable[[Letter], bool],
        *,
        parkings: Sequence[Parking] = ALL,
        first: _First = _NOTHING,
    ) -> Iterator[tuple[Letter, str | None]]:
        """Put back every letter that matches, and yield each with None, or with the reason it stays parked.

        `first` as for `redrive`. A letter that is parked again meanwhile is not put back again.
        """
        put_back: set[tuple[str, str | None, int]] = set()
        for queue in (self._queues[parking] for parking in parkings):
            with closing(self._look(queue, wait=True)) as look:
                for letter in look.letters():
                    if not matching(letter) or _as_seen(letter) in put_back:
                        continue
                    put_back.add(_as_seen_again(letter))
                    try:
                        first(letter)
                        self._put_back(look, letter)
                    except (NotRedrivable, RetryLater) as error:
                        yield letter, str(error)
                    else:
                        yield letter, None

    def remove_all(
        self, matching: Callable[[Letter], bool], *, first: _First, parkings: Sequence[Parking] = ALL
    ) -> Iterator[Letter]:
        """Remove every letter that matches, and yield each; `first` as for `remove`."""
        for queue in (self._queues[parking] for parking in parkings):
            with closing(self._look(queue, wait=True)) as look:
                for letter in filter(matching, look.letters()):
                    first(letter)
                    look.delete(letter)
                    yield letter

    def groups(
        self, *, parkings: Sequence[Parking] = ALL, matching: Callable[[Letter], bool] = lambda _: True, seconds: float
    ) -> Groups:
        """Return how many letters that match have which code and merchant, the largest group first.

        Receives for at most this many `seconds`.
        """
        tally = _Tally()
        found: dict[tuple[str, MerchantId | None], list[Letter]] = {}
        for letter in filter(matching, self._all(parkings, tally, time.monotonic() + seconds)):
            found.setdefault((letter.code, letter.merchant_id), []).append(replace(letter, body=""))
        groups = [
            Group(
                code=code,
                merchant_id=merchant_id,
                letters=len(letters),
                oldest=min(letter.parked_at for letter in letters),
                newest=max(letter.parked_at for letter in letters),
            )
            for (code, merchant_id), letters in found.items()
        ]
        groups.sort(key=lambda group: (-group.letters, group.code, group.merchant_id or ""))
        return Groups(groups=tuple(groups), whole=tally.seen >= tally.counted)

    def _look(self, queue: DeadLetterQueue, *, wait: bool, seconds: float = float("inf")) -> Look:
        return Look(self._sqs, queue, wait_seconds=self._wait_seconds if wait else 0, seconds=seconds)

    @contextmanager
    def _found(self, letter_id: str, seconds: float) -> Iterator[tuple[Look | None, Letter | None]]:
        """Yield the letter and the look that holds it, None for both if no queue has it."""
        with ExitStack() as looked:
            looks = [self._look(queue, wait=True, seconds=seconds) for queue in self._queues.values()]
            for look in looks:
                looked.callback(look.close)
            yield found_in(looks, letter_id) or (None, None)

    def _put_back(self, look: Look, letter: Letter) -> None:
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
            if look.queue.back_to_url is None:
                self._play(letter)
            else:
                self._send(look.queue.back_to_url, letter)
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

    def _counted(self, queue: DeadLetterQueue) -> tuple[int, int]:
        """Return the queue's own count of letters: available ones, and those hidden by a look."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with transient_faults("the queue"):
            attributes = self._sqs.get_queue_attributes(QueueUrl=queue.queue_url, AttributeNames=names)["Attributes"]
        visible, held = (int(attributes[name]) for name in names)
        return visible, held


def _as_seen(letter: Letter) -> tuple[str, str | None, int]:
    """Return what identifies a letter: a message counts how often it was put back, a record does not."""
    redriven = 0 if letter.parking is Parking.STREAM else letter.redriven
    return sha256(letter.body.encode(errors="surrogatepass")).hexdigest(), letter.function, redriven


def _as_seen_again(letter: Letter) -> tuple[str, str | None, int]:
    body, function, redriven = _as_seen(letter)
    return body, function, redriven if letter.parking is Parking.STREAM else redriven + 1

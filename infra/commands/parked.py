"""Which of the events that a command sent are parked, and why (contract, "Retry and dead letter")."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.adapters.dead_letters import DeadLetters
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.domain.errors import RetryLater
from chalicelib.domain.ids import instant
from chalicelib.domain.movements import Movement
from infra.commands.output import aside

FIRST_LOOK_SECONDS: Final = 1.5
"""How long a command waits before it looks for letters: most events are recorded by then."""
LOOK_EVERY_SECONDS: Final = 4.0
LOOK_SECONDS: Final = 3.0
"""Limit of one look, which hides the letters from other readers."""
LETTERS_MAX: Final = 10_000
_CLOCKS = timedelta(seconds=5)
"""How much the queue's clock may be behind this machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An event that was sent, and what it asks for; `poison` if the service can only park it."""

    body: str
    movements: tuple[Movement, ...] = ()
    poison: bool = False


class ParkedEvents:
    """Looks for the letters of events that were sent after it was made."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters: DeadLetters | None = letters
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._read = 0
        self._since = instant(datetime.now(UTC) - _CLOCKS)
        self._next_look = time.monotonic() + FIRST_LOOK_SECONDS

    def found(self, events: Sequence[Sent], *, last: bool = False) -> Mapping[int, Letter]:
        """Return the letters of those that are parked, by their places in `events`; none before the next look is due.

        `events` may have grown since the last look. `last`: look at once. If the queue cannot be read, nothing is found
        from then on, and stderr says why.
        """
        if self._letters is None or (not last and time.monotonic() < self._next_look):
            return {}
        # Each body is read once: a file may hold a million, and a look is taken every few seconds.
        for place, event in enumerate(events[self._read :], self._read):
            for mark in _marks(event.body):
                self._places[mark].append(place)
        self._read, places = len(events), self._places
        try:
            listing = self._letters.listing(
                wanted=LETTERS_MAX,
                parkings=[Parking.INBOX],
                matching=lambda letter: (
                    letter.parked_at >= self._since and not places.keys().isdisjoint(_marks_of_letter(letter))
                ),
                seconds=LOOK_SECONDS,
            )
        except (ClientError, RetryLater) as error:
            self._letters = None
            aside(f"The dead letters cannot be read, so a parked event is only reported as missing: {error}")
            return {}
        self._next_look = time.monotonic() + LOOK_EVERY_SECONDS
        return {
            place: letter
            for letter in listing.letters
            for mark in _marks_of_letter(letter)
            for place in places.get(mark, ())
        }


def _marks_of_letter(letter: Letter) -> set[str]:
    """Return the marks of a letter's message; of a body too large for the queue, the bridge's letter has the hash."""
    kept = _content(letter.body).get("kept")
    return _marks(letter.body) | ({str(kept.get("sha256"))} if isinstance(kept, dict) else set())


def _marks(body: str) -> set[str]:
    """Return hashes by which a message is recognised, although the bus wraps an event and rewrites its JSON."""
    content = _content(body)
    event = content.get("detail", content)
    return {
        sha256(text.encode(errors="surrogatepass")).hexdigest() for text in (body, json.dumps(event, sort_keys=True))
    }


def _content(body: str) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}

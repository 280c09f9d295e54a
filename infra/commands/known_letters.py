"""Which parked messages are new to whoever asks the doctor, and which are known: those need no look today."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from chalicelib.adapters.dead_letters import DeadLetters
from chalicelib.contracts.letters import Letter
from chalicelib.domain.ids import instant
from infra.local.shops import SAMPLE

NEW_FOR: Final = timedelta(days=1)
"""How long a letter is new: its alarm goes on as soon as it is parked."""
LOOK_SECONDS: Final = 20.0
LETTERS_MAX: Final = 2_000


def told_apart(letters: DeadLetters, parked: int, *, now: datetime) -> tuple[str, int]:
    """Return what there is to say of `parked` letters, and how many of them are new.

    The sample traffic's own poison is known, and so is what has been parked for a day. What could not be looked at
    counts as new.
    """
    found = letters.listing(wanted=LETTERS_MAX, seconds=LOOK_SECONDS)
    since = instant(now - NEW_FOR)
    kinds = Counter(_kind(letter, since) for letter in found.letters)
    new = kinds.pop("", 0) + max(0, parked - len(found.letters))
    codes = Counter(letter.code for letter in found.letters if not _kind(letter, since))
    said = [f"{new:,} new{_of(codes)}"] if new else []
    said += [f"{number:,} {kind}" for kind, number in kinds.items()]
    return f"parked: {'; '.join(said)}", new


def _kind(letter: Letter, since: str) -> str:
    """Return by what a letter is known, empty for a new one."""
    if _is_sample(letter.body):
        return "of the sample traffic, broken on purpose"
    return "older than a day" if letter.parked_at < since else ""


def _is_sample(body: str) -> bool:
    try:
        fields = json.loads(body)
        event = fields.get("detail", fields)
        return str(event["correlation_id"]).startswith(SAMPLE)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return False


def _of(codes: Counter[str]) -> str:
    return f" ({', '.join(f'{number:,} {code}' for code, number in codes.most_common(3))})" if codes else ""

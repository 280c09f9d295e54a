"""A parked message as the API returns it (contract, section 6).

A list of them fits into one answer of Lambda, which holds 6 MB: bodies are cut where needed, the longest first, and a
cut one is marked. The answer about a single letter has the whole body: an SQS message has up to 1 MiB, which takes at
most four times as much of an answer.
"""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, Self

from pydantic import ConfigDict

from chalicelib.contracts.api.answers import Links, Listing, Meta, Pagination, Row
from chalicelib.contracts.api.model import Model
from chalicelib.contracts.inbound.envelopes import validated
from chalicelib.contracts.inbound.events import INBOUND
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.contracts.values import Reason
from chalicelib.domain.actions import Action, ActionType, action_on
from chalicelib.domain.ids import Instant, MerchantId

BODY_LENGTH_MAX: Final = 16_384
"""The most characters of a body in a list."""
REASON_LENGTH_MAX: Final = 1_000
TEXT_LENGTH_MAX: Final = 200
ANSWER_BYTES_MAX: Final = 6_000_000
"""Bytes for letters, of the 6,291,556 that Lambda lets a function return; headers need the rest."""


class DiscardRequest(Model):
    """Why a letter is discarded."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: Reason


class Discarded(Model):
    """Who discarded a letter, when and why."""

    admin_id: str
    time: str
    reason: str


class LetterGroup(Model):
    """Letters with the same code and merchant; `oldest` and `newest` are when they were parked."""

    code: str
    merchant_id: str | None
    letters: int
    oldest: str
    newest: str


class LetterPagination(Pagination):
    """A page's position; `complete` is whether all parked messages were seen.

    If not, letters newer than those of this page may be missing, and no later page has them.
    """

    complete: bool


class LetterListing(Listing[Row], Generic[Row]):
    """An answer with one page of letters or of their groups."""

    pagination: LetterPagination


class DeadLetter(Model):
    """A parked message: why it is parked, where it came from, and its content."""

    id: str
    parking: str
    code: str
    reason: str
    field: str | None
    origin: str | None
    function: str | None
    redriven: int
    first_seen: str | None
    parked_at: str
    event_type: str | None
    merchant_id: str | None
    redrivable: bool
    body: str
    body_length: int
    body_cut: bool
    discarded: Discarded | None = None

    @classmethod
    def of(cls, letter: Letter, *, most: int | None = BODY_LENGTH_MAX, discarded: Discarded | None = None) -> Self:
        """Return the answer about `letter`, with up to `most` characters of its body; None: with all of it."""
        body = _encodable(letter.body)[:most]
        return cls(
            id=letter.letter_id,
            parking=letter.parking,
            code=_short(letter.code),
            reason=_short(letter.reason, most=REASON_LENGTH_MAX),
            field=letter.field and _short(letter.field),
            # A stream's ARN names an account and a table.
            origin="stream" if (letter.origin or "").startswith("arn:") else letter.origin and _short(letter.origin),
            function=letter.function and _short(letter.function),
            redriven=letter.redriven,
            first_seen=letter.first_seen,
            parked_at=letter.parked_at,
            event_type=letter.event_type,
            merchant_id=letter.merchant_id,
            redrivable=letter.redrivable,
            body=body,
            body_length=len(letter.body),
            body_cut=len(body) < len(letter.body),
            discarded=discarded,
        )

    def cut_to(self, size: int) -> Self:
        """Return the letter with its body cut to `size` bytes of an answer."""
        length = bisect_right(range(1, len(self.body) + 1), size, key=lambda end: body_bytes(self.body[:end]))
        if length == len(self.body):
            return self
        return self.model_copy(update={"body": self.body[:length], "body_cut": True})


def letters_text(
    rows: Sequence[Model],
    meta: Mapping[str, str],
    pagination: Mapping[str, int | bool | str | None],
    links: Mapping[str, str | None],
) -> str:
    """Return the JSON text of an answer with one page of letters or groups."""
    return LetterListing[Any](
        data=list(rows),
        meta=Meta.model_validate(meta),
        pagination=LetterPagination.model_validate(pagination),
        links=Links.model_validate(links),
    ).model_dump_json()


def letter_action(did: ActionType, letter: DeadLetter, *, admin_id: str, time: Instant) -> Action:
    """Return the action of retrying or discarding a letter; a discarded letter has its own admin and time."""
    # A sender may have written anything where its type should be, and what is noted stays for ever.
    named = letter.parking != Parking.INBOX or letter.event_type in INBOUND
    details: dict[str, str | int | None] = {
        "letter_id": letter.id,
        "code": letter.code,
        "event_type": letter.event_type if named else None,
    }
    why = letter.discarded
    if why is not None:
        details["reason"] = why.reason
        admin_id, time = why.admin_id, Instant(why.time)
    merchant = MerchantId(letter.merchant_id) if letter.merchant_id else None
    return action_on(did, letter.id, admin_id=admin_id, time=time, merchant_id=merchant, details=details)


def discard_reason(request: object) -> str:
    """Return why a letter is discarded; raises `Rejected` if the request has no reason."""
    return validated(DiscardRequest, request).reason


def fitted(letters: Sequence[DeadLetter], *, room: int) -> list[DeadLetter]:
    """Return the letters with bodies of up to `room` bytes of an answer in all: the longest are cut."""
    sizes = sorted(body_bytes(letter.body) for letter in letters)
    left, share = room, max(sizes, default=0)
    for place, size in enumerate(sizes):
        equal = left // (len(sizes) - place)
        if size > equal:
            share = equal
            break
        left -= size
    return [letter.cut_to(share) for letter in letters]


def answer_bytes(text: str) -> int:
    """Return how many bytes of Lambda's answer `text` takes: the runtime writes it as JSON, in ASCII."""
    return len(json.dumps(text))


def body_bytes(body: str) -> int:
    """Return how many bytes of an answer a body takes, which is JSON within the JSON that Lambda's runtime writes."""
    return answer_bytes(json.dumps(body, ensure_ascii=False))


def _short(text: str, *, most: int = TEXT_LENGTH_MAX) -> str:
    return _encodable(text if len(text) <= most else f"{text[: most - 1]}…")


def _encodable(text: str) -> str:
    """Return `text` with `?` for halves of UTF-16 pairs, which UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()

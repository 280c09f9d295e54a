"""The operators' routes: the live view's figures, and parked messages (contract, section 6)."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from chalice.app import Blueprint

from chalicelib.api import trail
from chalicelib.api.access import Access
from chalicelib.api.requests import Call, merchant_of
from chalicelib.api.routing import Reply, Routes, about
from chalicelib.contracts.api.pages import LIMIT_MAX, PagePosition, PageRequest, link_header
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request, not_found
from chalicelib.contracts.letters import Letter, Parking
from chalicelib.domain.actions import ActionType
from chalicelib.domain.ids import instant
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.wiring import for_api, for_desk, for_figures

SEARCH_SECONDS = 6.0
"""How long a letter is looked for, well inside the time of the API's own function."""
LOOK_SECONDS = 12.0
"""How long all letters are looked at for a list of the newest; what was looked at takes as long to release."""
LETTER_ID_LENGTH_MAX = 128
_CURSOR = re.compile(
    rf"(\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z)/([\x20-\x7e]{{1,{LETTER_ID_LENGTH_MAX}}})", re.ASCII
)
"""A letter's position: when it was parked, and its id."""
ALL = tuple(Parking)

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get("/api/v1/credits/admin/activity", access=Access.ADMIN, summary="The service at this moment")
def activity(call: Call) -> Reply:
    """Return the service's counters and queues as of now."""
    from chalicelib.api.live import activity_now

    for_figures.counter_writer().write()
    data = activity_now(
        for_figures.fleet(),
        for_figures.recent_events(),
        for_api.queues(),
        inbox_url=settings().queues.inbox,
        waiting_url=settings().queues.waiting,
        dead_letter_urls=for_api.dead_letter_urls(),
        now=call.now,
    )
    return about(call, data)


@routes.get("/api/v1/credits/admin/dead-letters", access=Access.ADMIN, summary="Parked messages")
def dead_letters(call: Call) -> Reply:
    """Return a page of the parked messages, all or those of one queue, code or merchant, the newest first."""
    from chalicelib.contracts.api.dead_letters import ANSWER_BYTES_MAX, DeadLetter, answer_bytes, fitted, letters_text

    asked = call.page_by_cursor()
    named, wanted = _parking(call), _wanted(call)
    found = for_api.dead_letters().listing(
        # One more shows whether there is another page.
        wanted=asked.limit + 1,
        parkings=named or ALL,
        matching=_like(wanted),
        before=_before(asked),
        seconds=LOOK_SECONDS,
    )
    shown, more = found.letters[: asked.limit], len(found.letters) > asked.limit
    letters = [DeadLetter.of(letter) for letter in shown]
    total = found.matched if any(wanted.values()) else max(found.counted, found.matched)
    place = PagePosition(
        request=asked,
        total=total,
        # Those that somebody else looks at are counted, but on no page.
        has_next=more or (asked.cursor is None and total > len(letters)),
        has_previous=asked.cursor is not None,
        next_cursor="/".join(shown[-1].position) if more else None,
        numbered=False,
    )
    links = {**place.links(call.link_path, {"parking": named[0].value if named else None, **wanted}), "last": None}
    meta, pagination = call.meta(), {**place.pagination(), "pages": None, "complete": found.whole}
    bare = [letter.model_copy(update={"body": ""}) for letter in letters]
    room = ANSWER_BYTES_MAX - answer_bytes(letters_text(bare, meta, pagination, links))
    text = letters_text(fitted(letters, room=room), meta, pagination, links)
    return Reply(body=text, headers={"Link": link_header(links)})


@routes.get("/api/v1/credits/admin/dead-letters/groups", access=Access.ADMIN, summary="What is parked, by code")
def dead_letter_groups(call: Call) -> Reply:
    """Return how many parked messages have which code and merchant, the largest group first."""
    from chalicelib.contracts.api.dead_letters import LetterGroup, letters_text

    named, wanted = _parking(call), _wanted(call)
    found = for_api.dead_letters().groups(parkings=named or ALL, matching=_like(wanted), seconds=LOOK_SECONDS)
    groups = [LetterGroup.model_validate(group) for group in found.groups[:LIMIT_MAX]]
    place = PagePosition.of_the_first(PageRequest(limit=LIMIT_MAX), total=len(found.groups), shown=len(groups))
    links = {**place.links(call.link_path, {"parking": named[0].value if named else None, **wanted}), "last": None}
    pagination = {**place.pagination(), "pages": None, "complete": found.whole}
    return Reply(body=letters_text(groups, call.meta(), pagination, links), headers={"Link": link_header(links)})


@routes.get("/api/v1/credits/admin/dead-letters/{letter_id}", access=Access.ADMIN, summary="One parked message")
def dead_letter(call: Call, letter_id: str) -> Reply:
    """Return one parked message with its whole body; or a discarded one, with who discarded it."""
    from chalicelib.contracts.api.dead_letters import DeadLetter

    named = _letter_id(letter_id)
    letter = for_api.dead_letters().find(named, seconds=SEARCH_SECONDS)
    if letter is not None:
        return about(call, DeadLetter.of(letter, most=None), letter.merchant_id)
    discarded = for_figures.discarded_letters().find(named)
    if discarded is None:
        raise not_found("dead letter")
    return about(call, discarded)


@routes.post(
    "/api/v1/credits/admin/dead-letters/{letter_id}/redrive", access=Access.ADMIN, summary="Put a parked message back"
)
def redrive(call: Call, letter_id: str) -> Reply:
    """Put a parked message back to where it came from, and return it as it was; safe to repeat."""
    from chalicelib.adapters.dead_letters import NotRedrivable
    from chalicelib.contracts.api.dead_letters import DeadLetter, letter_action

    named, admin = _letter_id(letter_id), call.caller.name()
    discarded = for_figures.discarded_letters()
    try:
        # An earlier discard that ended before the letter was taken out did not happen.
        letter = for_api.dead_letters().redrive(named, seconds=SEARCH_SECONDS, first=discarded.forget)
    except NotRedrivable as error:
        raise Problem(Refusal.NOT_REDRIVABLE, f"The dead letter cannot be put back: {error}.") from None
    if letter is None:
        raise not_found("dead letter")
    answered = DeadLetter.of(letter)
    # A letter that is back in its queue cannot be put back again.
    trail.note_or_report(letter_action(ActionType.LETTER_RETRIED, answered, admin_id=admin, time=instant(call.now)))
    return about(call, answered, letter.merchant_id)


@routes.post(
    "/api/v1/credits/admin/dead-letters/{letter_id}/discard", access=Access.ADMIN, summary="Discard a parked message"
)
def discard(call: Call, letter_id: str) -> Reply:
    """Record who discards a parked message and why, delete it from its queue, and return it; safe to repeat."""
    from chalicelib.contracts.api.dead_letters import Discarded, discard_reason, letter_action

    named, admin = _letter_id(letter_id), call.caller.name()
    why = Discarded(admin_id=admin, time=instant(call.now), reason=discard_reason(call.json_object()))
    discarded = for_figures.discarded_letters()
    letter = for_api.dead_letters().remove(
        named, seconds=SEARCH_SECONDS, first=lambda letter: discarded.keep(letter, why, days=settings().discarded_days)
    )
    kept = discarded.find(named)
    if kept is None:
        raise not_found("dead letter")
    if letter is not None:
        logger.info("discarded", letter_id=named, code=letter.code, merchant_id=letter.merchant_id, admin_id=admin)
    # Of the one who discarded it, also where an earlier call ended before its note.
    for_desk.note(letter_action(ActionType.LETTER_DISCARDED, kept, admin_id=admin, time=instant(call.now)))
    return about(call, kept)


def _before(asked: PageRequest) -> tuple[str, str] | None:
    """Return the place at which the page begins, that of the last letter of the page before it."""
    if asked.cursor is None:
        return None
    position = _CURSOR.fullmatch(asked.cursor)
    if position is None:
        raise Problem(Refusal.CURSOR_INVALID, "The cursor is not one of this list.", details={"field": "cursor"})
    return position[1], position[2]


def _parking(call: Call) -> list[Parking] | None:
    named = call.choice("parking", [parking.upper() for parking in Parking])
    return [Parking(named.lower())] if named else None


def _wanted(call: Call) -> dict[str, str | None]:
    merchant = call.word("merchant_id")
    return {"code": call.text("code"), "merchant_id": merchant and merchant_of(merchant)}


def _like(wanted: Mapping[str, str | None]) -> Callable[[Letter], bool]:
    """Return whether a letter has the requested code and merchant."""
    return lambda letter: all(value in (None, getattr(letter, name)) for name, value in wanted.items())


def _letter_id(text: str) -> str:
    letter_id = unquote(text)
    if len(letter_id) > LETTER_ID_LENGTH_MAX or not letter_id.isascii() or not letter_id.isprintable():
        raise bad_request("letter_id", f"A letter's id has 1 to {LETTER_ID_LENGTH_MAX} printable ASCII characters.")
    return letter_id

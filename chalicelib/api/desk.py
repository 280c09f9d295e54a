"""The operators' routes: the live view's figures, and parked messages (contract, section 6)."""

from urllib.parse import unquote

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply, Routes
from chalicelib.contracts.api.pages import LIMIT_DEFAULT, LIMIT_MAX, PagePosition, PageRequest, link_header
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request, not_found
from chalicelib.settings import settings
from chalicelib.wiring import for_api, for_figures

SEARCH_SECONDS = 6.0
"""How long a letter is looked for, well inside the time of the API's own function."""
LETTER_ID_LENGTH_MAX = 128

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get("/api/v1/credits/admin/activity", access=Access.ADMIN, summary="The service at this moment")
def activity(call: Call) -> Reply:
    """Return the service's counters and queues as of now."""
    from chalicelib.api.live import activity_now
    from chalicelib.contracts.api.answers import answer_text

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
    return Reply(body=answer_text(data, call.meta()))


@routes.get("/api/v1/credits/admin/dead-letters", access=Access.ADMIN, summary="Parked messages")
def dead_letters(call: Call) -> Reply:
    """Return the newest parked messages of all queues, or of one, with their reasons."""
    from chalicelib.contracts.api import answers
    from chalicelib.contracts.api.dead_letters import ANSWER_BYTES_MAX, DeadLetter, answer_bytes, fitted
    from chalicelib.contracts.letters import Parking

    asked = PageRequest(limit=call.whole("limit", default=LIMIT_DEFAULT, most=LIMIT_MAX))
    named = call.choice("parking", [parking.upper() for parking in Parking])
    parkings = [Parking(named.lower())] if named else list(Parking)
    found = for_api.dead_letters().listing(wanted=asked.limit, parkings=parkings)
    letters = [DeadLetter.of(letter) for letter in found.letters[: asked.limit]]
    # A queue can be counted but not paged: letters that are put back make room for the rest.
    total = max(found.counted, len(found.letters))
    place = PagePosition(
        asked=asked,
        total=total,
        has_next=total > len(letters),
        has_previous=False,
        next_cursor=None,
        numbered=False,
    )
    links = {**place.links(call.link_path, {"parking": named and named.lower()}), "last": None}
    meta, pagination = call.meta(), {**place.pagination(), "pages": None}
    bare = [letter.model_copy(update={"body": ""}) for letter in letters]
    room = ANSWER_BYTES_MAX - answer_bytes(answers.listing_text(bare, meta, pagination, links))
    text = answers.listing_text(fitted(letters, room=room), meta, pagination, links)
    return Reply(body=text, headers={"Link": link_header(links)})


@routes.get("/api/v1/credits/admin/dead-letters/{letter_id}", access=Access.ADMIN, summary="One parked message")
def dead_letter(call: Call, letter_id: str) -> Reply:
    """Return one parked message with the whole of its body."""
    from chalicelib.contracts.api.answers import answer_text
    from chalicelib.contracts.api.dead_letters import DeadLetter

    named = _letter_id(letter_id)
    letter = for_api.dead_letters().find(named, seconds=SEARCH_SECONDS)
    if letter is None:
        raise not_found("dead letter")
    return Reply(body=answer_text(DeadLetter.of(letter, most=None), call.meta()), merchant_id=letter.merchant_id)


@routes.post(
    "/api/v1/credits/admin/dead-letters/{letter_id}/redrive", access=Access.ADMIN, summary="Put a parked message back"
)
def redrive(call: Call, letter_id: str) -> Reply:
    """Put a parked message back to where it came from, and return it as it was; safe to repeat."""
    from chalicelib.adapters.dead_letters import NotRedrivable
    from chalicelib.contracts.api.answers import answer_text
    from chalicelib.contracts.api.dead_letters import DeadLetter

    named = _letter_id(letter_id)
    try:
        letter = for_api.dead_letters().redrive(named, seconds=SEARCH_SECONDS)
    except NotRedrivable as error:
        raise Problem(Refusal.NOT_REDRIVABLE, f"The letter cannot be put back: {error}.") from None
    if letter is None:
        raise not_found("dead letter")
    return Reply(body=answer_text(DeadLetter.of(letter), call.meta()), merchant_id=letter.merchant_id)


def _letter_id(text: str) -> str:
    letter_id = unquote(text)
    if len(letter_id) > LETTER_ID_LENGTH_MAX or not letter_id.isascii() or not letter_id.isprintable():
        raise bad_request("letter_id", f"A letter's id has 1 to {LETTER_ID_LENGTH_MAX} printable ASCII characters.")
    return letter_id

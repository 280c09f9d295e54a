"""The routes of those who look after the service: the live view's figures, and what is parked (spec, section 6)."""

from urllib.parse import unquote

from chalice.app import Blueprint

from chalicelib import wiring_figures, wiring_http
from chalicelib.contracts.pages import LIMIT_DEFAULT, LIMIT_MAX, Asked, Place, link_header
from chalicelib.contracts.problems import Problem, Refusal, bad_request, not_found
from chalicelib.handlers.requests import Call
from chalicelib.handlers.routing import Reply, Routes
from chalicelib.settings import settings

SEARCH_SECONDS = 6.0
"""How long a letter is looked for, inside the ten seconds of the API's own."""
LETTER_ID_LENGTH_MAX = 128

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get("/api/v1/credits/admin/activity")
def activity(call: Call) -> Reply:
    """Answer what the service has done so far and what waits, as of now."""
    call.admin()
    from chalicelib.contracts.answers import answer_text
    from chalicelib.handlers.live import activity_now

    wiring_figures.lay_counters_down()
    data = activity_now(
        wiring_figures.fleet(),
        wiring_figures.recent_events(),
        wiring_http.queues(),
        inbox_url=settings().required("INBOX_QUEUE_URL"),
        dead_letter_urls=wiring_http.dead_letter_urls(),
        now=call.now,
    )
    return Reply(body=answer_text(data, call.meta()))


@routes.get("/api/v1/credits/admin/dead-letters")
def dead_letters(call: Call) -> Reply:
    """Answer the newest parked messages of all queues, or of one, with their reasons."""
    call.admin()
    from chalicelib.contracts import answers
    from chalicelib.contracts.dead_letters import DeadLetter
    from chalicelib.contracts.letters import Parking

    asked = Asked(limit=call.whole("limit", default=LIMIT_DEFAULT, most=LIMIT_MAX))
    named = call.choice("parking", [parking.upper() for parking in Parking])
    parkings = [Parking(named.lower())] if named else list(Parking)
    found = wiring_http.dead_letters().listing(wanted=asked.limit, parkings=parkings)
    letters = found.letters[: asked.limit]
    # A queue can be counted but not paged: what is put back makes room for the rest.
    total = max(found.counted, len(found.letters))
    place = Place(
        asked=asked,
        total=total,
        has_next=total > len(letters),
        has_previous=False,
        next_cursor=None,
        numbered=False,
    )
    links = {**place.links(call.path, {"parking": named and named.lower()}), "last": None}
    listing = answers.Listing[DeadLetter](
        data=[DeadLetter.of(letter) for letter in letters],
        meta=answers.Meta.model_validate(call.meta()),
        pagination=answers.Pagination.model_validate({**place.pagination(), "pages": None}),
        links=answers.Links.model_validate(links),
    )
    return Reply(body=listing.model_dump_json(), headers={"Link": link_header(links)})


@routes.post("/api/v1/credits/admin/dead-letters/{letter_id}/redrive")
def redrive(call: Call, letter_id: str) -> Reply:
    """Put a parked message back to where it came from, and answer it as it was; harmless any number of times."""
    call.admin()
    from chalicelib.adapters.dead_letters import NotRedrivable
    from chalicelib.contracts.answers import answer_text
    from chalicelib.contracts.dead_letters import DeadLetter

    letter_id = unquote(letter_id)
    if len(letter_id) > LETTER_ID_LENGTH_MAX or not letter_id.isascii() or not letter_id.isprintable():
        raise bad_request("letter_id", f"A letter's id has 1 to {LETTER_ID_LENGTH_MAX} printable ASCII characters.")
    try:
        letter = wiring_http.dead_letters().redrive(letter_id, seconds=SEARCH_SECONDS)
    except NotRedrivable as error:
        why = str(error)
        raise Problem(Refusal.NOT_REDRIVABLE, f"{why[:1].upper()}{why[1:]}.") from None
    if letter is None:
        raise not_found("dead letter")
    return Reply(body=answer_text(DeadLetter.of(letter), call.meta()), merchant_id=letter.merchant_id)

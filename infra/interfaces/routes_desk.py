"""The routes of those who look after the service: the live view, and what is parked."""

from chalicelib.api.desk import LETTER_ID_LENGTH_MAX
from chalicelib.contracts.api.dead_letters import DeadLetter, DiscardRequest, LetterGroup
from chalicelib.contracts.letters import Parking
from infra.interfaces import samples
from infra.interfaces.operations import (
    BODY_ERRORS,
    LIMIT,
    LIST_ERRORS,
    READ_ERRORS,
    STORE_ERRORS,
    TEXT,
    Body,
    Route,
    Tag,
    answered,
    listed,
    parameter,
)

_ACTIVITY = Route(
    view="activity",
    tag=Tag.ADMIN,
    description=(
        "For a live view. Orders, duplicates, conflicts and what is parked are counted since the beginning: two "
        "answers and the time between them give a rate. What containers count shows within ten seconds."
    ),
    answers=answered("The figures.", {"a small fleet": samples.activity()}),
    errors=(401, 403, *STORE_ERRORS),
)

_LETTER = parameter(
    "letter_id",
    "path",
    {**TEXT, "minLength": 1, "maxLength": LETTER_ID_LENGTH_MAX, "pattern": "^[A-Za-z0-9-]+$"},
    "The dead letter's id, from the list.",
    example=samples.LETTER_ID,
)

_NARROWED = (
    parameter("parking", "query", {**TEXT, "enum": list(Parking)}, "Only those of this queue."),
    parameter("code", "query", TEXT, "Only those with this code.", example="credits_invalid"),
    parameter("merchant_id", "query", {**TEXT, "format": "uuid"}, "Only those that name this merchant."),
)

_DEAD_LETTERS = Route(
    view="dead_letters",
    tag=Tag.ADMIN,
    description=(
        "All queues, the newest first, each with its reason. `total` is the queues' own count (with a code or a "
        "merchant: the number found). A queue has no order, so all of it is received for each page, for twelve "
        "seconds at most. Two requests at the same time each get a part of the dead letters: what the other one "
        "holds is on no page. Long bodies are cut so that the answer has at most 6 MB, and marked by `body_cut`: the "
        "answer about one dead letter has its whole body."
    ),
    parameters=(LIMIT, parameter("cursor", "query", TEXT, "`next_cursor` of the page before."), *_NARROWED),
    answers=listed("Parked messages.", DeadLetter, samples.dead_letters()),
    errors=LIST_ERRORS,
)

_GROUPS = Route(
    view="dead_letter_groups",
    tag=Tag.ADMIN,
    description="The largest group first, up to 100; dead letters without a merchant are one group per code.",
    parameters=_NARROWED,
    answers=listed("The number of dead letters by code and merchant.", LetterGroup, samples.dead_letter_groups()),
    errors=LIST_ERRORS,
)

_DEAD_LETTER = Route(
    view="dead_letter",
    tag=Tag.ADMIN,
    description=(
        "With its whole body. It stays parked. A discarded one is returned as it was kept: with the beginning of its "
        "body, and in `discarded` who discarded it, when and why."
    ),
    parameters=(_LETTER,),
    answers=answered("The letter.", {"parked": samples.dead_letter()}),
    errors=READ_ERRORS,
)

_REDRIVE = Route(
    view="redrive",
    tag=Tag.ADMIN,
    description=(
        "It goes back to where it came from and is tried again. If its reason still applies, it is parked again under "
        "another id. Safe to repeat, since a fact moves credits once."
    ),
    parameters=(_LETTER,),
    answers=answered("It was put back; the dead letter as it was.", {"put back": samples.dead_letter()}),
    errors=(*READ_ERRORS, 409),
)

_DISCARD = Route(
    view="discard",
    tag=Tag.ADMIN,
    description=(
        "Its content is kept with the token's subject, the time and the reason; then it is deleted from its queue. "
        "Safe to repeat: the answer has the first reason."
    ),
    parameters=(_LETTER,),
    body=Body(
        model=DiscardRequest,
        name="Discard",
        members=("reason",),
        examples={"settled": {"reason": "The sender sent it again, corrected"}},
    ),
    answers=answered(
        "It is discarded; the dead letter as it was, and who discarded it.", {"discarded": samples.discarded_letter()}
    ),
    errors=(*READ_ERRORS, *BODY_ERRORS),
)

DESK = (_ACTIVITY, _DEAD_LETTERS, _GROUPS, _DEAD_LETTER, _REDRIVE, _DISCARD)

"""The routes of those who look after the service: the live view, what is parked, links, merchants, and who did what."""

from chalicelib.api.dead_letters import LETTER_ID_LENGTH_MAX
from chalicelib.api.people import DAYS_DEFAULT
from chalicelib.contracts.api.dead_letters import DeadLetter, DiscardRequest, LetterGroup, LetterListing
from chalicelib.contracts.api.people import Action
from chalicelib.contracts.api.webhooks import Link, MerchantNames, Named, NamesBatch
from chalicelib.contracts.letters import Parking
from chalicelib.domain.days import DAYS_MAX
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.links import Link as DomainLink
from chalicelib.domain.links import LinkKind
from chalicelib.domain.searching import SEARCH_LENGTH_MAX
from infra.interfaces import samples, samples_more
from infra.interfaces.bodies import LinkRequest, StatusBatchRequest
from infra.interfaces.operations import (
    BODY_ERRORS,
    CURSOR,
    LIMIT,
    LIST_ERRORS,
    MERCHANT_IN_PATH,
    NOTHING,
    READ_ERRORS,
    STORE_ERRORS,
    TEXT,
    UUID_SCHEMA,
    Body,
    Route,
    Tag,
    accounts_listed,
    answered,
    in_path,
    listed,
    query,
    whole,
)
from infra.interfaces.story import MERCHANT

_LETTER = in_path(
    "letter_id",
    {**TEXT, "minLength": 1, "maxLength": LETTER_ID_LENGTH_MAX, "pattern": "^[A-Za-z0-9-]+$"},
    "The dead letter's id, from the list.",
    example=samples.LETTER_ID,
)

_NARROWED = (
    query("parking", {**TEXT, "enum": list(Parking)}, "Only those of this queue."),
    query("code", TEXT, "Only those with this code.", example="credits_invalid"),
    query("merchant_id", {**TEXT, "format": "uuid"}, "Only those that name this merchant."),
)

DESK = (
    Route(
        view="activity",
        description=(
            "For a live view. Orders, duplicates, conflicts and what is parked are counted since the beginning: two "
            "answers and the time between them give a rate. What containers count shows within ten seconds."
        ),
        answers=answered("The figures.", {"a small fleet": samples.activity()}),
        errors=(401, 403, *STORE_ERRORS),
    ),
    Route(
        view="dead_letters",
        description=(
            "All queues, the newest first, each with its reason. `total` is the queues' own count (with a code or a "
            "merchant: the number found). A queue has no order, so all of it is received for each page, for twelve "
            "seconds at most. Two requests at the same time each get a part of the dead letters: what the other one "
            "holds is on no page. `complete` is false if not all were seen: letters newer than those of the page may "
            "be missing, and are on no later page; ask again without a cursor, or use `credits dead-letters list`, "
            "which has no time limit. Long bodies are cut so that the answer has at most 6 MB, and marked by "
            "`body_cut`: the answer about one dead letter has its whole body."
        ),
        parameters=(LIMIT, query("cursor", TEXT, "`next_cursor` of the page before."), *_NARROWED),
        answers=listed("Parked messages.", DeadLetter, samples.dead_letters(), envelope=LetterListing),
        errors=LIST_ERRORS,
    ),
    Route(
        view="dead_letter_groups",
        description=(
            "The largest group first, up to 100; dead letters without a merchant are one group per code. `complete` is "
            "false if not all dead letters were seen within twelve seconds: then more are parked than are counted here."
        ),
        parameters=_NARROWED,
        answers=listed(
            "The number of dead letters by code and merchant.",
            LetterGroup,
            samples.dead_letter_groups(),
            envelope=LetterListing,
        ),
        errors=LIST_ERRORS,
    ),
    Route(
        view="dead_letter",
        description=(
            "With its whole body. It stays parked. A discarded one is returned as it was kept: with the beginning of "
            "its body, and in `discarded` who discarded it, when and why."
        ),
        parameters=(_LETTER,),
        answers=answered("The letter.", {"parked": samples.dead_letter()}),
        errors=READ_ERRORS,
    ),
    Route(
        view="redrive",
        description=(
            "It goes back to where it came from and is tried again. If its reason still applies, it is parked again "
            "under another id. Safe to repeat, since a fact moves credits once."
        ),
        parameters=(_LETTER,),
        answers=answered("It was put back; the dead letter as it was.", {"put back": samples.dead_letter()}),
        errors=(*READ_ERRORS, 409),
    ),
    Route(
        view="discard",
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
            "It is discarded; the dead letter as it was, and who discarded it.",
            {"discarded": samples.discarded_letter()},
        ),
        errors=(*READ_ERRORS, *BODY_ERRORS),
    ),
)


_SAMPLE = Link.model_validate(
    DomainLink(
        name="shopify:teegeist.myshopify.com",
        merchant_id=MerchantId(MERCHANT),
        label="Teegeist",
        since=Instant("2025-06-01T10:00:00.000Z"),
    )
)
_NAMED = MerchantNames(shown="Teegeist", names=[Named(name=_SAMPLE.name, label=_SAMPLE.label)])
_ONE = answered("The link.", {"a shop": _SAMPLE})
_KINDS = {**TEXT, "enum": list(LinkKind)}
_PATH = (
    in_path("kind", _KINDS, "Who gives the name.", example="shopify"),
    in_path(
        "name",
        {**TEXT, "minLength": 1, "maxLength": 253},
        "The shop's domain at Shopify, or the customer's id at Stripe.",
        example="teegeist.myshopify.com",
    ),
)

LINKS = (
    Route(
        view="links",
        description="In the order of their names. `total` and `pages` are null, but for the names of one merchant.",
        parameters=(
            query("kind", {**_KINDS, "default": "shopify"}, "Only names of this kind."),
            query("starting", TEXT, "Only names that begin with this text, such as `tee`."),
            query("merchant_id", TEXT, "All names of this merchant instead."),
            LIMIT,
            query("cursor", TEXT, "`next_cursor` of the page before."),
        ),
        answers=listed("A page of links.", Link, samples.level_listing([_SAMPLE], "links")),
        errors=LIST_ERRORS,
    ),
    Route(view="link", tag=Tag.ADMIN, parameters=_PATH, answers=_ONE, errors=READ_ERRORS),
    Route(
        view="put_link",
        description=(
            "Its webhooks move this merchant's credits from then on; those that wait for it are posted at their next "
            "try. A name belongs to one merchant: 409 for another one."
        ),
        parameters=_PATH,
        body=Body(model=LinkRequest, examples={"a shop": {"merchant_id": MERCHANT, "label": "Teegeist"}}),
        answers=_ONE,
        errors=(*READ_ERRORS, 409, *BODY_ERRORS),
    ),
    Route(
        view="delete_link",
        description="Workers may still use it for five minutes.",
        parameters=_PATH,
        answers=_ONE,
        errors=READ_ERRORS,
    ),
    Route(
        view="names",
        description="With one read for all of them.",
        body=Body(model=StatusBatchRequest, examples={"one": {"merchant_ids": [MERCHANT]}}),
        answers=answered("Their names.", {"one": NamesBatch(names={MERCHANT: _NAMED})}),
        errors=(*LIST_ERRORS, *BODY_ERRORS),
    ),
)


_DAYS = query("days", whole(1, DAYS_MAX, default=DAYS_DEFAULT), "How many days, today included.")

PEOPLE = (
    Route(
        view="merchants",
        description=(
            "By cursor, from a list in the order of ids, never a scan. A new account is in it within seconds. A search "
            "finds labels first, in any case and without accents, then domains, customers and ids; each merchant once. "
            "With `status`, the accounts come from an index, in no particular order; a page may then be short, even "
            "empty, and still have a next one. `total` and `pages` are null."
        ),
        parameters=(
            LIMIT,
            CURSOR,
            query(
                "search",
                {**TEXT, "maxLength": SEARCH_LENGTH_MAX},
                "Only merchants with a label, a word in it, a domain, a customer's id or an own id that begins with "
                "this text.",
            ),
            query(
                "status",
                {"type": "string", "enum": ["disabled"]},
                "Only merchants whose plugin is off: without credits and in no grace, closed or frozen. Not with "
                "`search`.",
            ),
        ),
        answers=accounts_listed(samples.EMPTIED.account, "merchants"),
        errors=LIST_ERRORS,
    ),
    Route(
        view="actions",
        description=(
            "Adjustments, thresholds, levels, grace, freezes, links, and dead letters that were put back or discarded: "
            "who did it and when, newest first, by cursor. Adjustments that came as events are only in the merchant's "
            "transactions."
        ),
        parameters=(
            LIMIT,
            CURSOR,
            query("merchant_id", {"anyOf": [UUID_SCHEMA, NOTHING]}, "Only actions that concern this merchant."),
        ),
        answers=listed("What admins did.", Action, samples_more.actions(), name="a threshold"),
        errors=LIST_ERRORS,
    ),
    Route(
        view="account_days",
        tag=Tag.ACCOUNTS,
        description=(
            "Oldest first, in UTC; none before the account was opened. A day without a movement has the balance of the "
            "day before. `used` is what orders used, less what their edits and refunds gave back."
        ),
        parameters=(MERCHANT_IN_PATH, _DAYS),
        answers=answered("The days.", {"two days": samples_more.account_days()}),
        errors=READ_ERRORS,
    ),
    Route(
        view="fleet_days",
        description=(
            "Oldest first, in UTC; none before the fleet's figures were first kept. Today's are at most a minute old "
            "while anything changes."
        ),
        parameters=(_DAYS,),
        answers=answered("The days.", {"a small fleet": samples_more.fleet_days()}),
        errors=LIST_ERRORS,
    ),
)

"""The routes for links of shops and customers."""

from chalicelib.contracts.api.webhooks import Link, MerchantNames, Named, NamesBatch
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.links import Link as DomainLink
from chalicelib.domain.links import LinkKind
from infra.interfaces import samples
from infra.interfaces.bodies import LinkRequest, StatusBatchRequest
from infra.interfaces.operations import (
    BODY_ERRORS,
    LIMIT,
    LIST_ERRORS,
    READ_ERRORS,
    TEXT,
    Body,
    Route,
    Tag,
    answered,
    listed,
    parameter,
)
from infra.interfaces.story import MERCHANT

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
    parameter("kind", "path", _KINDS, "Who gives the name.", example="shopify"),
    parameter(
        "name",
        "path",
        {**TEXT, "minLength": 1, "maxLength": 253},
        "The shop's domain at Shopify, or the customer's id at Stripe.",
        example="teegeist.myshopify.com",
    ),
)

_LINKS = Route(
    view="links",
    tag=Tag.ADMIN,
    description="In the order of their names. `total` and `pages` are null, but for the names of one merchant.",
    parameters=(
        parameter("kind", "query", {**_KINDS, "default": "shopify"}, "Only names of this kind."),
        parameter("starting", "query", TEXT, "Only names that begin with this text, such as `tee`."),
        parameter("merchant_id", "query", TEXT, "All names of this merchant instead."),
        LIMIT,
        parameter("cursor", "query", TEXT, "`next_cursor` of the page before."),
    ),
    answers=listed("A page of links.", Link, samples.level_listing([_SAMPLE], "links")),
    errors=LIST_ERRORS,
)

_LINK = Route(view="link", tag=Tag.ADMIN, parameters=_PATH, answers=_ONE, errors=READ_ERRORS)

_PUT = Route(
    view="put_link",
    tag=Tag.ADMIN,
    description=(
        "Its webhooks move this merchant's credits from then on; those that wait for it are posted at their next try. "
        "A name belongs to one merchant: 409 for another one."
    ),
    parameters=_PATH,
    body=Body(model=LinkRequest, examples={"a shop": {"merchant_id": MERCHANT, "label": "Teegeist"}}),
    answers=_ONE,
    errors=(*READ_ERRORS, 409, *BODY_ERRORS),
)

_DELETE = Route(
    view="delete_link",
    tag=Tag.ADMIN,
    description="Workers may still use it for five minutes.",
    parameters=_PATH,
    answers=_ONE,
    errors=READ_ERRORS,
)

_NAMES = Route(
    view="names",
    tag=Tag.ADMIN,
    description="With one read for all of them.",
    body=Body(model=StatusBatchRequest, examples={"one": {"merchant_ids": [MERCHANT]}}),
    answers=answered("Their names.", {"one": NamesBatch(names={MERCHANT: _NAMED})}),
    errors=(*LIST_ERRORS, *BODY_ERRORS),
)

LINKS = (_LINKS, _LINK, _PUT, _DELETE, _NAMES)

"""The admins' routes for links: which merchant a shop or a customer belongs to (contract, section 15, point 2)."""

import json
from typing import Any
from urllib.parse import unquote

from chalice.app import Blueprint

from chalicelib.api import trail
from chalicelib.api.access import Access
from chalicelib.api.requests import Call, merchant_of
from chalicelib.api.routing import Reply, Routes, about, json_text, listing
from chalicelib.api.webhooks import send_to_inbox
from chalicelib.contracts.api.pages import LIMIT_MAX, PagePosition, PageRequest
from chalicelib.contracts.api.plugin_status import merchants_asked
from chalicelib.contracts.api.problems import Problem, bad_request, not_found
from chalicelib.contracts.event_types import MERCHANT_CREATED
from chalicelib.domain.actions import ActionType, action_on
from chalicelib.domain.errors import Code
from chalicelib.domain.ids import instant
from chalicelib.domain.links import LABEL_LENGTH_MAX, Link, LinkKind, label_of, link_name_of
from chalicelib.telemetry import logger
from chalicelib.usecases.linking import shown
from chalicelib.wiring import for_api, for_desk

blueprint = Blueprint(__name__)
routes = Routes(blueprint)

_LINK = "/api/v1/credits/admin/links/{kind}/{name}"


@routes.get("/api/v1/credits/admin/links", access=Access.ADMIN, summary="Shops and customers, by name")
def links(call: Call) -> Reply:
    """Return a page of the links of a kind, by name; those that start with a text, or those of one merchant."""
    merchant = call.word("merchant_id")
    if merchant is not None:
        return _of_merchant(call, merchant)
    from chalicelib.contracts.api import webhooks

    asked = call.page_by_cursor()
    kind = LinkKind((call.choice("kind", [kind.upper() for kind in LinkKind]) or LinkKind.SHOPIFY).lower())
    starting = call.text("starting") or ""
    after = _name_of(asked.cursor, "cursor") if asked.cursor is not None else None
    if after is not None and not after.startswith(f"{kind}:"):
        raise bad_request("cursor", "The cursor belongs to another kind of names.")
    given = starting.lower() if kind is LinkKind.SHOPIFY else starting
    page = for_api.links().page(kind, starting=given, after=after, limit=asked.limit)
    place = PagePosition.by_cursor(asked, more=page.last is not None, next_cursor=page.last)
    rows = [webhooks.Link.model_validate(link) for link in page.links]
    return listing(call, rows, place, {"kind": kind, "starting": call.text("starting")})


@routes.get(_LINK, access=Access.ADMIN, summary="Whose is this shop or customer?")
def link(call: Call, kind: str, name: str) -> Reply:
    """Return the link of a name."""
    return _answer(call, _existing(_in_path(kind, name)))


@routes.put(_LINK, access=Access.ADMIN, summary="Link a shop or customer to a merchant")
def put_link(call: Call, kind: str, name: str) -> Reply:
    """Link the name to a merchant, whose closed account reopens, and return the link; 409 if another has the name."""
    admin, full = call.caller.name(), _in_path(kind, name)
    asked = call.json_object()
    merchant = merchant_of(asked["merchant_id"] if isinstance(asked.get("merchant_id"), str) else "")
    wanted = Link(name=full, merchant_id=merchant, label=_label(asked.get("label")), since=instant(call.now))
    if for_api.links().put(wanted) != merchant:
        raise Problem(
            Code.LINK_TAKEN,
            f"{full} belongs to another merchant: remove that link first.",
            details={"field": "name"},
        )
    account = for_api.history().account(merchant)
    if account is not None and account.closed:
        # A shop that is linked again has come back: opening an existing account gives no second trial.
        opening = {"event_type": MERCHANT_CREATED, "payload": {"merchant_id": merchant}}
        send_to_inbox(json.dumps({**opening, "correlation_id": call.correlation_id}))
    for_desk.note(
        action_on(
            ActionType.LINKED, full, admin_id=admin, time=wanted.since, merchant_id=merchant, details={"name": full}
        )
    )
    logger.info("linked", link=full, merchant_id=merchant, admin_id=admin)
    return _answer(call, _existing(full))


@routes.delete(_LINK, access=Access.ADMIN, summary="Unlink a shop or customer")
def delete_link(call: Call, kind: str, name: str) -> Reply:
    """Remove the name's link, and return it; workers forget it within five minutes."""
    admin, found = call.caller.name(), _existing(_in_path(kind, name))
    if not for_api.links().remove(found):
        raise not_found("link")
    # A link that is gone cannot be removed again.
    details, owner = {"name": found.name}, found.merchant_id
    trail.note_or_report(
        action_on(
            ActionType.UNLINKED, found.name, admin_id=admin, time=instant(call.now), merchant_id=owner, details=details
        )
    )
    logger.info("unlinked", link=found.name, merchant_id=found.merchant_id, admin_id=admin)
    return _answer(call, found)


@routes.post("/api/v1/credits/admin/names", access=Access.ADMIN, summary="What these merchants are called")
def names(call: Call) -> Reply:
    """Return the names of up to 100 merchants with one read; merchants without a name are omitted."""
    found = for_api.links().of_merchants(merchants_asked(call.json_object()))
    by_merchant = {
        merchant: {"shown": shown(named), "names": [{"name": name, "label": named[name]} for name in sorted(named)]}
        for merchant, named in found.items()
    }
    return Reply(body=json_text({"names": by_merchant}, call.meta()))


def _of_merchant(call: Call, text: str) -> Reply:
    from chalicelib.contracts.api import answers, webhooks

    merchant = merchant_of(text)
    table = for_api.links()
    found = [table.get(name) for name in sorted(table.of_merchants([merchant]).get(merchant, {}))]
    rows = [webhooks.Link.model_validate(link) for link in found if link is not None]
    place = PagePosition.of_the_first(PageRequest(limit=LIMIT_MAX), total=len(rows), shown=len(rows))
    neighbours = place.links(call.link_path, {"merchant_id": merchant})
    return Reply(body=answers.listing_text(rows, call.meta(), place.pagination(), neighbours), merchant_id=merchant)


def _in_path(kind: str, name: str) -> str:
    return _name_of(f"{unquote(kind)}:{unquote(name)}", "name")


def _name_of(text: str, field: str) -> str:
    try:
        return link_name_of(text)
    except ValueError:
        raise bad_request(field, "A name is shopify and a shop's domain, or stripe and a customer's id.") from None


def _label(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return label_of(value)
    except ValueError:
        raise bad_request("label", f"A label is a text of 1 to {LABEL_LENGTH_MAX} printable characters.") from None


def _existing(name: str) -> Link:
    found = for_api.links().get(name)
    if found is None:
        raise not_found("link")
    return found


def _answer(call: Call, found: Link) -> Reply:
    from chalicelib.contracts.api import webhooks

    return about(call, webhooks.Link.model_validate(found), found.merchant_id)

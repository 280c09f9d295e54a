"""The routes for the lists and charts that people read: merchants, days, and who did what (contract, section 6)."""

from chalice.app import Blueprint

from chalicelib.api.access import Access
from chalicelib.api.requests import Call, merchant_of, required_key
from chalicelib.api.routing import Reply, Routes, about, listing
from chalicelib.contracts.api.pages import PagePosition
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request, not_found
from chalicelib.domain.days import DAYS_MAX
from chalicelib.domain.ids import MerchantId, day_of, instant
from chalicelib.wiring import for_api, for_desk, for_figures

DAYS_DEFAULT = 30

blueprint = Blueprint(__name__)
routes = Routes(blueprint)


@routes.get("/api/v1/credits/admin/merchants", access=Access.ADMIN, summary="Merchants")
def merchants(call: Call) -> Reply:
    """Return a page of all merchants' accounts by id, or of those that `search` finds by label, domain or id.

    `status` returns those whose plugin is off instead, in the order of an index.
    """
    from chalicelib.contracts.api import answers, cursors

    search = (call.text("search") or "").strip()
    if call.choice("status", ["DISABLED"]) is not None:
        from chalicelib.api.balance_listing import off_page

        if search:
            raise bad_request("status", "Give a search or a status, not both.")
        return off_page(call, lists=for_api.balance_lists(), key=for_api.cursor_key())
    asked = call.page_by_cursor()
    scope, key = ("merchants", search), for_api.cursor_key()
    after = cursors.merchant(asked.cursor, scope=scope, key=required_key(key)) if asked.cursor is not None else None
    if search:
        found = _found(search, after=after, wanted=asked.limit + 1)
    else:
        found = for_desk.desk_reader().merchants(after=after, wanted=asked.limit + 1)
    listed = found[: asked.limit]
    more = len(found) > asked.limit
    place = PagePosition.by_cursor(
        asked,
        more=more,
        next_cursor=cursors.sign_merchant(listed[-1], scope=scope, key=key) if more and key else None,
    )
    rows = [answers.Account.of(account, now=instant(call.now)) for account in for_api.balance_lists().named(listed)]
    return listing(call, rows, place, {"search": search or None})


@routes.get("/api/v1/credits/admin/actions", access=Access.ADMIN, summary="Who did what")
def actions(call: Call) -> Reply:
    """Return a page of what admins did, newest first: all of it, or what concerned one merchant."""
    from chalicelib.contracts.api import cursors
    from chalicelib.contracts.api.people import Action

    asked = call.page_by_cursor()
    named = call.word("merchant_id")
    merchant = merchant_of(named) if named is not None else None
    scope, key = ("actions", merchant or ""), for_api.cursor_key()
    before = cursors.position(asked.cursor, scope=scope, key=required_key(key)) if asked.cursor is not None else None
    found = for_desk.desk_reader().actions(merchant, before=before, wanted=asked.limit + 1)
    more = len(found) > asked.limit
    place = PagePosition.by_cursor(
        asked,
        more=more,
        next_cursor=cursors.sign(found[asked.limit - 1].position, scope=scope, key=key) if more and key else None,
    )
    return listing(call, [Action.model_validate(one) for one in found[: asked.limit]], place, {"merchant_id": merchant})


@routes.get(
    "/api/v1/credits/accounts/{merchant_id}/days", access=Access.OWNER, summary="A merchant's days", resource="account"
)
def account_days(call: Call, merchant_id: str) -> Reply:
    """Return the last days of the merchant: the balance at the end of each, and what moved it."""
    from chalicelib.contracts.api.people import Day, Days

    merchant = merchant_of(merchant_id)
    moved = for_api.past().days(merchant, today=day_of(instant(call.now)), days=_days(call))
    if moved is None:
        raise not_found("account")
    rows = [Day.of(end, sums) for end, sums in moved]
    return about(call, Days(merchant_id=merchant, days=rows), merchant)


@routes.get("/api/v1/credits/admin/days", access=Access.ADMIN, summary="The fleet's days")
def fleet_days(call: Call) -> Reply:
    """Return the last days of all merchants: on, off and low at the end of each, and what moved."""
    from chalicelib.contracts.api.people import FleetDay, FleetDays
    from chalicelib.usecases import looking_back

    today, days = day_of(instant(call.now)), _days(call)
    moved = looking_back.fleet_days(for_figures.fleet_days(), today=today, days=days)
    rows = [FleetDay.of(end, sums) for end, sums in moved]
    return about(call, FleetDays(days=rows))


def _days(call: Call) -> int:
    return call.whole("days", default=DAYS_DEFAULT, most=DAYS_MAX)


def _found(search: str, *, after: MerchantId | None, wanted: int) -> list[MerchantId]:
    from chalicelib.domain.searching import SEARCH_LENGTH_MAX, folded
    from chalicelib.usecases.searching import found_merchants

    if len(search) > SEARCH_LENGTH_MAX or not folded(search):
        raise bad_request(
            "search", f"Search for a text of 1 to {SEARCH_LENGTH_MAX} characters, with a letter or digit."
        )
    try:
        return found_merchants(for_api.links(), for_desk.desk_reader(), search, after=after, wanted=wanted)
    except ValueError:
        raise Problem(
            Refusal.CURSOR_INVALID,
            "This search no longer finds the merchant at which the page begins: search again.",
            details={"field": "cursor"},
        ) from None

"""Pages of the accounts at zero and of the low ones, by signed cursor (contract, "Low and zero lists")."""

from chalicelib.adapters.dynamodb.levels import Level, Levels
from chalicelib.api.requests import Call
from chalicelib.api.routing import Reply
from chalicelib.contracts.api import answers, cursors
from chalicelib.contracts.api.pages import LIMIT_DEFAULT, LIMIT_MAX, PagePosition, PageRequest, link_header
from chalicelib.contracts.api.problems import Problem, Refusal, bad_request
from chalicelib.domain.orders import CREDITS_MAX


def zero_page(call: Call, *, levels: Levels, key: str | None) -> Reply:
    """Return the requested page of accounts without credits."""
    return _page(call, Level.ZERO, levels=levels, key=key, at_most=None)


def low_page(call: Call, *, levels: Levels, key: str | None) -> Reply:
    """Return the requested page of low accounts, only those with up to `threshold` credits if it is given.

    A page may be short and still have a next one: the threshold is compared account by account.
    """
    at_most = call.whole("threshold", default=-1, least=0, most=CREDITS_MAX)
    return _page(call, Level.LOW, levels=levels, key=key, at_most=at_most if at_most >= 0 else None)


def _page(call: Call, level: Level, *, levels: Levels, key: str | None, at_most: int | None) -> Reply:
    if call.text("page") is not None:
        raise bad_request("page", "This list has no numbered pages: follow next_cursor.")
    asked = PageRequest(limit=call.whole("limit", default=LIMIT_DEFAULT, most=LIMIT_MAX), cursor=call.text("cursor"))
    scope = (level, "" if at_most is None else str(at_most))
    after = None
    if asked.cursor is not None:
        if key is None:
            raise Problem(Refusal.CURSOR_INVALID, "Cursors are not available here.", details={"field": "cursor"})
        after = cursors.merchant(asked.cursor, scope=scope, key=key)
    listed = levels.accounts(level, after=after, wanted=asked.limit, at_most=at_most)
    more = listed.after is not None
    place = PagePosition(
        asked=asked,
        total=None,
        has_next=more,
        has_previous=after is not None,
        next_cursor=cursors.sign_merchant(listed.after, scope=scope, key=key) if listed.after and key else None,
        numbered=False,
    )
    links = place.links(call.link_path, {"threshold": at_most})
    rows = [answers.Account.of(account) for account in listed.accounts]
    body = answers.listing_text(rows, call.meta(), place.pagination(), links)
    return Reply(body=body, headers={"Link": link_header(links)})

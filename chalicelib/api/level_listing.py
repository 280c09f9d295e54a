"""Pages of the accounts at zero and of the low ones, by signed cursor (contract, "Low and zero lists")."""

from chalicelib.adapters.dynamodb.levels import Level, Levels
from chalicelib.api.requests import Call, required_key
from chalicelib.api.routing import Reply
from chalicelib.contracts.api import answers, cursors
from chalicelib.contracts.api.pages import PagePosition, link_header
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
    asked = call.page_by_cursor()
    scope = (level, "" if at_most is None else str(at_most))
    after = None
    if asked.cursor is not None:
        after = cursors.merchant(asked.cursor, scope=scope, key=required_key(key))
    listed = levels.accounts(level, after=after, wanted=asked.limit, at_most=at_most)
    place = PagePosition.by_cursor(
        asked,
        first=after is None,
        more=listed.after is not None,
        next_cursor=cursors.sign_merchant(listed.after, scope=scope, key=key) if listed.after and key else None,
    )
    links = place.links(call.link_path, {"threshold": at_most})
    rows = [answers.Account.of(account) for account in listed.accounts]
    body = answers.listing_text(rows, call.meta(), place.pagination(), links)
    return Reply(body=body, headers={"Link": link_header(links)})

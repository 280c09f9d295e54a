"""Pages of the accounts at zero, low or off, by signed cursor (contract, "Low, zero and off lists")."""

from chalicelib.adapters.dynamodb.balance_lists import BalanceList, BalanceLists, Only
from chalicelib.api.requests import Call, required_key
from chalicelib.api.routing import Reply, listing
from chalicelib.contracts.api import answers, cursors
from chalicelib.contracts.api.pages import PagePosition, Parameters
from chalicelib.domain.ids import instant
from chalicelib.domain.ledger import Account, lasts_at_most
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.runway import DAYS_MAX


def zero_page(call: Call, *, lists: BalanceLists, key: str | None) -> Reply:
    """Return the requested page of accounts without credits."""
    return _page(call, BalanceList.ZERO, lists=lists, key=key, narrowed={}, only=None)


def off_page(call: Call, *, lists: BalanceLists, key: str | None) -> Reply:
    """Return the requested page of accounts whose plugin is off.

    A page may be short and still have a next one: a grace keeps some on that are without credits.
    """
    return _page(call, BalanceList.OFF, lists=lists, key=key, narrowed={"status": "disabled"}, only=None)


def low_page(call: Call, *, lists: BalanceLists, key: str | None) -> Reply:
    """Return the requested page of low accounts.

    With `threshold` only those with up to that many credits, with `days` only those whose runway is at most that long.
    A page may be short and still have a next one: both are compared account by account.
    """
    at_most = call.whole("threshold", default=-1, least=0, most=CREDITS_MAX)
    days, now = call.whole("days", default=-1, least=0, most=DAYS_MAX), instant(call.now)
    narrowed = {name: value for name, value in (("threshold", at_most), ("days", days)) if value >= 0}

    def only(account: Account) -> bool:
        return (at_most < 0 or account.balance <= at_most) and (days < 0 or lasts_at_most(account, days, now=now))

    return _page(call, BalanceList.LOW, lists=lists, key=key, narrowed=narrowed, only=only if narrowed else None)


def _page(
    call: Call,
    level: BalanceList,
    *,
    lists: BalanceLists,
    key: str | None,
    narrowed: Parameters,
    only: Only | None,
) -> Reply:
    asked = call.page_by_cursor()
    scope = [level, str(narrowed.get("threshold", ""))]
    # Only where it is given: a cursor of an earlier release has no third part.
    scope += [str(narrowed["days"])] if "days" in narrowed else []
    after = None
    if asked.cursor is not None:
        after = cursors.merchant(asked.cursor, scope=scope, key=required_key(key))
    listed = lists.accounts(level, after=after, wanted=asked.limit, only=only)
    place = PagePosition.by_cursor(
        asked,
        more=listed.after is not None,
        next_cursor=cursors.sign_merchant(listed.after, scope=scope, key=key) if listed.after and key else None,
    )
    rows = [answers.Account.of(account, now=instant(call.now)) for account in listed.accounts]
    return listing(call, rows, place, narrowed)

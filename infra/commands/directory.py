"""`credits merchants`: merchants by the beginning of a name, domain or id, or by the state of their plugin."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer

from chalicelib.adapters.dynamodb.desk import Desk
from chalicelib.adapters.dynamodb.items import LEVEL_SHARDS
from chalicelib.adapters.dynamodb.links import DynamoDBLinks
from chalicelib.contracts.api import answers
from chalicelib.domain.ids import MerchantId, instant, merchant_id
from chalicelib.domain.ledger import Account
from chalicelib.domain.links import LinkKind
from chalicelib.domain.searching import SEARCH_LENGTH_MAX, folded
from chalicelib.usecases.linking import shown
from chalicelib.usecases.searching import found_merchants
from infra.commands.ledger import TargetLedger
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import print_list, say, unable
from infra.commands.tables import print_table
from infra.commands.target import Target, find

PAGE = 100
MERCHANTS_MAX = 1_000


class Plugin(StrEnum):
    """What is indexed of accounts: those without credits, and those with few."""

    OFF = "off"
    LOW = "low"


LEVELS = {Plugin.OFF: "zero", Plugin.LOW: "low"}


def merchants(
    search: Annotated[
        str | None,
        typer.Argument(help="How a name, a word in it, a domain or an id begins.", show_default=False),
    ] = None,
    *,
    status: Annotated[
        Plugin | None, typer.Option(help="Only those without credits (off), or with few (low).", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MERCHANTS_MAX, help="List at most this many.")] = 50,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List merchants with their names and balances: those that have a name, or those whose plugin is off or low.

    Reads indexes, never a whole table of accounts. `credits link` gives a merchant its name.
    """
    if search is not None and status is not None:
        raise unable("Give either a text to search for or --status.")
    target = find(stage, profile)
    links, ledger = DynamoDBLinks(target.client("dynamodb"), table=target.links_table), TargetLedger(target)
    if search is not None:
        wanted = _found(target, links, search, wanted=limit + 1)
    else:
        found = _at(target, status) if status is not None else _named(links)
        wanted = list(islice(dict.fromkeys(found), limit + 1))
    accounts = ledger.accounts(wanted[:limit])
    names = {merchant: shown(named) for merchant, named in links.of_merchants(wanted[:limit]).items()}
    rows = [(accounts[one], names.get(one)) for one in wanted[:limit] if one in accounts]
    if as_json:
        now = instant(datetime.now(UTC))
        items: list[dict[str, Any]] = [
            {**answers.Account.of(account, now=now).model_dump(mode="json"), "shown": name} for account, name in rows
        ]
        print_list(items, total=len(items) if len(wanted) <= limit else None)
    elif not rows:
        say(_nobody(search, status))
    else:
        print_table(
            [(name or "-", _state(account), f"{account.balance:,}", account.merchant_id) for account, name in rows],
            headings=("name", "plugin", "left", "merchant"),
            right=("left",),
            shortened="name",
        )
        if len(wanted) > limit:
            say(f"The first {limit:,}; --limit shows more.", style="dim")


def _nobody(search: str | None, status: Plugin | None) -> str:
    if search is None and status is None:
        return "No merchant has a name yet: credits link gives one."
    if status is None:
        return "No such merchant."
    return "No merchant's plugin is off." if status is Plugin.OFF else "No merchant's balance is low."


def _found(target: Target, links: DynamoDBLinks, search: str, *, wanted: int) -> list[MerchantId]:
    """Return the merchant of this id, or those whose names, domains or ids start so."""
    if len(search) > SEARCH_LENGTH_MAX or not folded(search):
        raise unable(f"Search for a text of 1 to {SEARCH_LENGTH_MAX} characters, with a letter or digit.")
    try:
        # An account of this moment is not in the list of ids yet.
        return [merchant_id(search)]
    except ValueError:
        desk = Desk(target.client("dynamodb"), table=target.desk_table)
        return found_merchants(links, desk, search, wanted=wanted)


def _named(links: DynamoDBLinks) -> Iterator[MerchantId]:
    """Yield the merchants that have a name, in the order of their names."""
    for kind in LinkKind:
        after, more = None, True
        while more:
            page = links.page(kind, after=after, limit=PAGE)
            yield from (link.merchant_id for link in page.links)
            after, more = page.last, page.last is not None


def _at(target: Target, status: Plugin) -> Iterator[MerchantId]:
    """Yield the merchants of the sparse index of accounts that are off or low."""
    pages = target.client("dynamodb").get_paginator("query")
    for shard in range(LEVEL_SHARDS):
        for page in pages.paginate(
            TableName=target.credits_table,
            IndexName="by_level",
            KeyConditionExpression="#level = :level",
            ExpressionAttributeNames={"#level": "level"},
            ExpressionAttributeValues={":level": {"S": f"{LEVELS[status]}#{shard}"}},
        ):
            yield from (MerchantId(item["merchant_id"]["S"]) for item in page["Items"])


def _state(account: Account) -> str:
    if not account.enabled:
        return "off"
    return "low" if account.low else "on"

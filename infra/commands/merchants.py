"""`credits merchants`: merchants by the beginning of a name, domain or id, or by the state of their plugin."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice, product
from typing import Annotated, Any

import typer

from chalicelib.adapters.dynamodb.account_attributes import LEVEL_SHARDS, LEVELS_OF
from chalicelib.adapters.dynamodb.desk import Desk
from chalicelib.adapters.dynamodb.faults import pages
from chalicelib.adapters.dynamodb.links import DynamoDBLinks
from chalicelib.contracts.api import answers
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import Instant, MerchantId, merchant_id
from chalicelib.domain.ledger import Account, lasts_at_most, runway_of
from chalicelib.domain.runway import DAYS_MAX
from chalicelib.domain.searching import SEARCH_LENGTH_MAX, folded
from chalicelib.usecases.searching import found_merchants
from infra.commands.ledger import TargetLedger
from infra.commands.linking import all_links
from infra.commands.naming import names_of
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import print_list, say, unable
from infra.commands.tables import print_table
from infra.commands.target import Target, find
from infra.commands.times import now

PAGE = 100
MERCHANTS_MAX = 1_000


class Plugin(StrEnum):
    """What is indexed of accounts: those whose plugin is off, and those with few credits."""

    OFF = "off"
    LOW = "low"


Days = Annotated[
    int | None, typer.Option(min=0, max=DAYS_MAX, help="Only low ones whose credits last at most so many whole days.")
]


def merchants(
    search: Annotated[str | None, typer.Argument(help="How a name, a word in it, a domain or an id begins.")] = None,
    *,
    status: Annotated[
        Plugin | None, typer.Option(help="Only those whose plugin is off, or whose balance is low.")
    ] = None,
    days: Days = None,
    limit: Annotated[int, typer.Option(min=1, max=MERCHANTS_MAX, help="List at most this many.")] = 50,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List merchants with their names, balances and days left: those that SEARCH finds, else those with a name.

    `--status off` lists those whose plugin is off: without credits, closed or frozen. `--status low` lists those with
    few credits, `--days 7` those of them that run out this week. Days are whole ones, rounded down, and known after
    three days and ten orders. Reads indexes, never a whole table of accounts. `credits link` gives a merchant its name.
    """
    if sum(given is not None for given in (search, status, days)) > 1:
        raise unable("Give a text to search for, --status or --days: one of them.")
    target = find(stage, profile)
    links, ledger = DynamoDBLinks(target.client("dynamodb"), table=target.links_table), TargetLedger(target)
    if search is not None:
        found: Iterable[MerchantId] = _found(target, links, search, wanted=limit + 1)
    elif status is not None or days is not None:
        found = _at(target, status or Plugin.LOW)
    else:
        found = dict.fromkeys(link.merchant_id for link in all_links(links))
    at = now()
    accounts = list(islice(_accounts(ledger, found, at, status=status, days=days), limit + 1))
    names = names_of(target, (account.merchant_id for account in accounts[:limit]))
    rows = [(one, names.get(one.merchant_id)) for one in accounts[:limit]]
    if as_json:
        items: list[dict[str, Any]] = [
            {**answers.Account.of(account, now=at).model_dump(mode="json"), "shown": name} for account, name in rows
        ]
        print_list(items, total=len(items) if len(accounts) <= limit else None)
    elif not rows:
        say(_nobody(search, status, days))
    else:
        _print([(as_of(account, at), name) for account, name in rows], at)
        if len(accounts) > limit:
            say(f"The first {limit:,}; --limit shows more.", style="dim")


def _print(rows: Sequence[tuple[Account, str | None]], at: Instant) -> None:
    print_table(
        [
            (name or "-", _state(account), f"{account.balance:,}", _days_left(account, at), account.merchant_id)
            for account, name in rows
        ],
        headings=("name", "plugin", "left", "days", "merchant"),
        right=("left", "days"),
        shortened="name",
    )


def _nobody(search: str | None, status: Plugin | None, days: int | None) -> str:
    if days is not None:
        within = "1 day" if days == 1 else f"{days} days"
        return f"No low balance is expected to be used up within {within}."
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


def _at(target: Target, status: Plugin) -> Iterator[MerchantId]:
    """Yield the merchants that the sparse index of accounts has where those are that are off or low."""
    query = target.client("dynamodb").query
    for shard, name in product(range(LEVEL_SHARDS), LEVELS_OF[status]):
        for page in pages(
            query,
            TableName=target.credits_table,
            IndexName="by_level",
            KeyConditionExpression="#level = :level",
            ExpressionAttributeNames={"#level": "level"},
            ExpressionAttributeValues={":level": {"S": f"{name}#{shard}"}},
        ):
            yield from (MerchantId(item["merchant_id"]["S"]) for item in page["Items"])


def _accounts(
    ledger: TargetLedger, found: Iterable[MerchantId], at: Instant, *, status: Plugin | None, days: int | None
) -> Iterator[Account]:
    """Yield the accounts of merchants as recorded, of those that now are as asked for by status or days."""
    merchants_found = iter(found)
    while page := list(islice(merchants_found, PAGE)):
        read = ledger.accounts(page)
        for one in page:
            if one in read and _is_wanted(as_of(read[one], at), at, status=status, days=days):
                yield read[one]


def _is_wanted(account: Account, at: Instant, *, status: Plugin | None, days: int | None) -> bool:
    if days is not None:
        return account.low and lasts_at_most(account, days, now=at)
    return status is None or (account.low if status is Plugin.LOW else not account.enabled)


def _days_left(account: Account, at: Instant) -> str:
    lasts = runway_of(account, now=at)
    if lasts is None:
        return "-"
    if lasts.days_left is None:
        return f">{DAYS_MAX:,}"
    return f"{lasts.days_left:,}" if lasts.days_left or not account.balance else "<1"


def _state(account: Account) -> str:
    if not account.enabled:
        return "off"
    if account.in_grace:
        return "grace"
    return "low" if account.low else "on"

"""`credits link`: which merchant a shop of Shopify or a customer of Stripe belongs to (contract, section 15)."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.text import Text

from chalicelib.adapters.dynamodb.links import DynamoDBLinks
from chalicelib.contracts.api.problems import Refusal
from chalicelib.contracts.api.webhooks import Link as LinkAnswer
from chalicelib.contracts.event_types import MERCHANT_CREATED
from chalicelib.domain.actions import ActionType
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.links import LABEL_LENGTH_MAX, Link, LinkKind, link_name_of
from infra.commands.ledger import TargetLedger
from infra.commands.noting import Trail
from infra.commands.options import Admin, AsJson, OneMerchant, Profile, Stage, one_merchant
from infra.commands.output import print_json, print_list, refused, say, say_beside, unable
from infra.commands.target import Target, find
from infra.commands.times import now

PAGE = 100

Of = Annotated[str | None, typer.Option("--of", help="List what is linked to this merchant.", callback=one_merchant)]


def link(
    name: Annotated[
        str | None, typer.Argument(help="teegeist.myshopify.com or stripe:cus_1; without it, all links.")
    ] = None,
    merchant: OneMerchant = None,
    *,
    label: Annotated[str | None, typer.Option(help="What people call the shop.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the link.")] = False,
    admin: Admin = None,
    of: Of = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Connect a shop of Shopify or a customer of Stripe to a merchant, or list and remove such links.

    `credits link teegeist.myshopify.com MERCHANT` connects a shop; without MERCHANT it prints whose the shop is. Exit
    status 1 where refused.

    A name belongs to one merchant. Webhooks that wait for it are posted at their next try, parked ones once they are
    put back; a removed link may be used for five minutes more.
    """
    target = find(stage, profile)
    table = DynamoDBLinks(target.client("dynamodb"), table=target.links_table)
    if name is None:
        if merchant or remove or label:
            raise unable("Name the shop or customer: credits link teegeist.myshopify.com MERCHANT.")
        _say(_listed(table, of), as_json=as_json)
        return
    full = _full(name)
    if merchant is not None:
        if remove:
            raise unable("Give either a merchant or --remove.")
        linked = Link(name=full, merchant_id=MerchantId(merchant), label=_called(label), since=now())
        _put(target, table, linked, admin)
    found = table.get(full)
    if found is None:
        raise refused(f"{full} is linked to no merchant.", Refusal.NOT_FOUND)
    if remove:
        _remove(table, found, Trail(target, admin))
    if as_json:
        print_json(LinkAnswer.model_validate(found).model_dump(mode="json"))
    else:
        _say([found], as_json=False)
        if merchant is not None:
            say(f"Send its webhooks to {target.api_url}/api/v1/webhooks/{found.kind}.")
        if remove:
            say("Removed. It may still be used for five minutes.", style="yellow")


def _remove(table: DynamoDBLinks, found: Link, trail: Trail) -> None:
    if not table.remove(found):
        raise refused(f"{found.name} has changed meanwhile; nothing was removed.")
    trail.link(ActionType.UNLINKED, found, now())


def _put(target: Target, table: DynamoDBLinks, link: Link, admin: str | None) -> None:
    owner = table.put(link)
    if owner != link.merchant_id:
        raise refused(f"{link.name} belongs to merchant {owner}: `credits link {link.name} --remove` first.")
    _reopen(target, link.merchant_id)
    Trail(target, admin).link(ActionType.LINKED, link, link.since)


def _full(name: str) -> str:
    """Return the link's name as it is kept; ends the command if it is none."""
    try:
        # Customers have no domains: this can only be a shop.
        return link_name_of(name if ":" in name else f"{LinkKind.SHOPIFY}:{name}")
    except ValueError as error:
        raise unable(f"{name!r} is not the name of a link: {error}.") from None


def _called(label: str | None) -> str | None:
    called = label.strip() if label is not None else None
    if called is not None and not (1 <= len(called) <= LABEL_LENGTH_MAX and called.isprintable()):
        raise unable(f"A label is a text of 1 to {LABEL_LENGTH_MAX} printable characters.")
    return called


def _reopen(target: Target, merchant: MerchantId) -> None:
    """Reopen a closed account: a shop that is linked again has come back. There is no second trial."""
    account = TargetLedger(target).account(merchant)
    if account is not None and account.closed:
        opening = {"event_type": MERCHANT_CREATED, "payload": {"merchant_id": merchant}}
        target.client("sqs").send_message(QueueUrl=target.inbox_queue_url, MessageBody=json.dumps(opening))


def _listed(table: DynamoDBLinks, of: str | None) -> list[Link]:
    if of is not None:
        merchant = MerchantId(of)
        names = table.of_merchants([merchant]).get(merchant, {})
        return [found for name in sorted(names) if (found := table.get(name)) is not None]
    return list(all_links(table))


def all_links(table: DynamoDBLinks) -> Iterator[Link]:
    """Yield all links of shops, then those of customers, in the order of their names."""
    for kind in LinkKind:
        after, more = None, True
        while more:
            page = table.page(kind, after=after, limit=PAGE)
            yield from page.links
            after, more = page.last, page.last is not None


def _say(links: list[Link], *, as_json: bool) -> None:
    if as_json:
        items = [LinkAnswer.model_validate(link).model_dump(mode="json") for link in links]
        print_list(items, total=len(items))
        return
    if not links:
        say("No links.")
    for one in links:
        label = f"  {one.label}" if one.label else ""
        say_beside(Text(one.name, style="bold"), f"  {one.merchant_id}{label}")

"""A merchant as a person types it: by id, by the whole name, or by a shop's domain or a customer's id.

The beginning of a name is enough to search, but not to change anything: tomorrow another merchant may begin so.
"""

import shlex
from collections.abc import Iterable, Iterator

import typer

from chalicelib.adapters.dynamodb.desk import Desk
from chalicelib.adapters.dynamodb.links import DynamoDBLinks
from chalicelib.domain.ids import MerchantId, merchant_id
from chalicelib.domain.links import LinkKind, link_name_of
from chalicelib.domain.searching import SEARCH_LENGTH_MAX, WORD, folded
from chalicelib.usecases.linking import shown
from chalicelib.usecases.searching import found_merchants
from infra.commands.target import Target, find

PAGE = 100
SUGGESTED = 3


def merchant_named(context: typer.Context, text: str) -> MerchantId:
    """Return the one merchant that `text` names, in the system that the command's options name.

    Raises:
        typer.BadParameter: it names none or several, and the message says what to type instead.
    """
    try:
        return merchant_id(text)
    except ValueError:
        target = find(context.params.get("stage"), context.params.get("profile"))
    links = DynamoDBLinks(target.client("dynamodb"), table=target.links_table)
    found = sorted(set(_named(links, text)))
    if len(found) == 1:
        return found[0]
    if found:
        raise typer.BadParameter(f"{len(found)} merchants are named {text!r}; give the id of one: {', '.join(found)}.")
    raise typer.BadParameter(f"No merchant has the id or the name {text!r}. {_instead(target, links, text)}")


def names_of(target: Target, merchants: Iterable[MerchantId | None]) -> dict[MerchantId, str]:
    """Return what people call these merchants, by id, without those that have no name."""
    links = DynamoDBLinks(target.client("dynamodb"), table=target.links_table)
    named = links.of_merchants(merchant for merchant in merchants if merchant is not None)
    return {merchant: shown(labels) for merchant, labels in named.items()}


def _named(links: DynamoDBLinks, text: str) -> Iterator[MerchantId]:
    """Yield the merchants with this name, domain or customer's id; case and accents do not matter in names."""
    for name in (text, *(f"{kind}:{text}" for kind in LinkKind)):
        try:
            link = links.get(link_name_of(name))
        except ValueError:
            continue
        if link is not None:
            yield link.merchant_id
    name = folded(text)
    after, more = None, bool(name) and len(text) <= SEARCH_LENGTH_MAX
    while more:
        # Listed from each word on: what ends so is here, too.
        page = links.starting(WORD, f"{WORD}:{name}#", after=after, limit=PAGE)
        names = links.of_merchants(merchant for _, merchant in page.names)
        yield from (
            one for one, labels in names.items() if any(folded(label or "") == name for label in labels.values())
        )
        after, more = page.last, page.last is not None


def _instead(target: Target, links: DynamoDBLinks, text: str) -> str:
    """Return what to type instead: the names that begin so, or the command that lists all."""
    if folded(text) and len(text) <= SEARCH_LENGTH_MAX:
        desk = Desk(target.client("dynamodb"), table=target.desk_table)
        found = found_merchants(links, desk, text, wanted=SUGGESTED)
        names = [f"{shown(labels)!r}" for labels in links.of_merchants(found).values()]
        if names:
            return f"Did you mean {' or '.join(names)}? `credits merchants {shlex.quote(text)}` lists those."
    return "`credits merchants` lists them."

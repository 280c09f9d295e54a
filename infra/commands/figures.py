"""`credits recount`: the fleet's figures beside the accounts themselves."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from chalicelib.adapters.dynamodb.faults import pages
from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.adapters.dynamodb.items import account_from
from chalicelib.domain.figures import Figures, recount
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import FOUND, print_json, say, screen
from infra.commands.target import Target, find

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AGAIN_SECONDS = 0.5


def recount_command(
    *,
    wait: Annotated[float, typer.Option(help="Seconds to let the figures catch up with the table.", min=0)] = 10.0,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Count all accounts anew and compare with the fleet's figures; exit status 1 where they differ.

    Accounts that cannot be read are named and end it with 1 too: `credits verify` shows more.
    """
    target = find(stage, profile)
    deadline = time.monotonic() + wait
    counted, figures, unreadable = _both(target)
    while counted != figures and time.monotonic() < deadline:
        time.sleep(AGAIN_SECONDS)
        counted, figures, unreadable = _both(target)
    if as_json:
        lines = {name: {"counted": one, "figures": other} for name, one, other in _rows(counted, figures)}
        print_json({"equal": counted == figures, "unreadable": unreadable, **lines})
    else:
        _show(counted, figures)
        for merchant in unreadable:
            say(f"{merchant}: its account cannot be read. `credits verify {merchant}` shows more.", style="red")
    if counted != figures or unreadable:
        raise typer.Exit(FOUND)


def accounts_in(client: "DynamoDBClient", table: str, unreadable: set[str]) -> Iterator[Account]:
    """Yield every account of the table: a scan, read consistently, which takes a unit for each 4 KB.

    The merchants whose accounts cannot be read are added to `unreadable`.
    """
    for page in pages(client.scan, TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            try:
                account = account_from(item, answering=True)
            except Exception:  # noqa: BLE001 - whatever a hand has made of the item, its neighbours count
                unreadable.add(item["merchant_id"]["S"])
            else:
                yield account


def _rows(counted: Figures, figures: Figures) -> Iterator[tuple[str, int, int]]:
    """Yield each figure by name, recounted and as stored."""
    for name in ("merchants", "enabled", "disabled", "zero", "low", "balance", "shortfall", "debt"):
        yield name, getattr(counted, name), getattr(figures, name)
    for kind in Kind:
        one, other = counted.totals.get(kind, Total()), figures.totals.get(kind, Total())
        if one == other == Total():
            continue
        name = f"{kind.transaction_type} {kind.direction}"
        yield f"{name} transactions", one.count, other.count
        yield f"{name} credits", one.credits, other.credits


def _both(target: Target) -> tuple[Figures, Figures, list[str]]:
    """Return the accounts counted anew, the figures as they are, and the merchants that could not be counted."""
    client = target.client("dynamodb")
    unreadable: set[str] = set()
    counted = recount(accounts_in(client, target.credits_table, unreadable))
    return counted, DynamoDBFigures(client, table=target.figures_table).fleet(), sorted(unreadable)


def _show(counted: Figures, figures: Figures) -> None:
    table = Table("figure", title="Counted anew, and as the figures say")
    for heading in ("counted", "figures", "difference"):
        table.add_column(heading, justify="right")
    for name, one, other in _rows(counted, figures):
        style = None if one == other else "bold red"
        table.add_row(name, f"{one:,}", f"{other:,}", f"{other - one:+,}" if other != one else "", style=style)
    console = screen()
    console.print(table)
    console.print(
        "They agree." if counted == figures else "They differ.", style="green" if counted == figures else "red"
    )

"""`credits recount`: the fleet's figures beside the accounts themselves."""

import time
from typing import Annotated

import typer
from rich.table import Table

from chalicelib.adapters.dynamodb.figures import DynamoDBFigures
from chalicelib.domain.figures import Figures, recount
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import FOUND, print_json, say, screen
from infra.commands.recount import accounts_in, rows
from infra.commands.target import Target, find

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
        lines = {name: {"counted": one, "figures": other} for name, one, other in rows(counted, figures)}
        print_json({"equal": counted == figures, "unreadable": unreadable, **lines})
    else:
        _show(counted, figures)
        for merchant in unreadable:
            say(f"{merchant}: its account cannot be read. `credits verify {merchant}` shows more.", style="red")
    if counted != figures or unreadable:
        raise typer.Exit(FOUND)


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
    for name, one, other in rows(counted, figures):
        style = None if one == other else "bold red"
        table.add_row(name, f"{one:,}", f"{other:,}", f"{other - one:+,}" if other != one else "", style=style)
    console = screen()
    console.print(table)
    console.print(
        "They agree." if counted == figures else "They differ.", style="green" if counted == figures else "red"
    )

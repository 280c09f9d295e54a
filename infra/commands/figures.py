"""`credits recount`: the fleet's figures beside the accounts themselves."""

import time
from typing import Annotated

import typer
from rich.table import Table

from chalicelib.adapters.figures import DynamoDBFigures
from chalicelib.domain.figures import Figures, recount
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import FOUND, print_json, screen
from infra.commands.target import Target, find
from infra.recount import accounts_in, rows

AGAIN_SECONDS = 0.5


def recount_command(
    *,
    wait: Annotated[float, typer.Option(help="Seconds to let the figures catch up with the table.", min=0)] = 10.0,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Count all accounts anew and compare with the fleet's figures; exit status 1 where they differ."""
    target = find(stage, profile)
    deadline = time.monotonic() + wait
    counted, figures = _both(target)
    while counted != figures and time.monotonic() < deadline:
        time.sleep(AGAIN_SECONDS)
        counted, figures = _both(target)
    if as_json:
        lines = {name: {"counted": one, "figures": other} for name, one, other in rows(counted, figures)}
        print_json({"equal": counted == figures, **lines})
    else:
        _show(counted, figures)
    if counted != figures:
        raise typer.Exit(FOUND)


def _both(target: Target) -> tuple[Figures, Figures]:
    """Return the accounts counted anew and the figures as they stand."""
    client = target.client("dynamodb")
    counted = recount(accounts_in(client, target.credits_table))
    return counted, DynamoDBFigures(client, table=target.figures_table).fleet()


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

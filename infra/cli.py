"""The `credits` command: a ledger at hand in a terminal (spec, section 9).

It finds the local stack by .local/stack.json (`LOCAL_DIR`). Exit status: 0 when all is well, 1 when something is
found that should not be, 2 when it could not work.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.config import Config
from rich.console import Console
from rich.table import Table

from chalicelib.adapters.figures import DynamoDBFigures
from chalicelib.domain.figures import Figures, recount
from chalicelib.domain.movements import merchant_id
from infra.local.description import Description, local_directory, read
from infra.local.engines import FAKE_AWS_ENVIRONMENT
from infra.local.tokens import OWNER_SCOPE, Signer
from infra.recount import accounts_in, rows

FOUND = 1
UNABLE = 2
AGAIN_SECONDS = 0.5

application = typer.Typer(
    help="The merchant credit service from a terminal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@application.callback()
def credits_command() -> None:
    """Take part in a running stack."""


@application.command(name="recount")
def recount_command(
    *,
    as_json: AsJson = False,
    wait: Annotated[float, typer.Option(help="Seconds to let the figures catch up with the table.", min=0)] = 10.0,
) -> None:
    """Count all accounts anew and compare with the fleet's figures; exit status 1 where they differ."""
    stack = _stack()
    deadline = time.monotonic() + wait
    counted, figures = _both(stack)
    while counted != figures and time.monotonic() < deadline:
        time.sleep(AGAIN_SECONDS)
        counted, figures = _both(stack)
    if as_json:
        lines = {name: {"counted": one, "figures": other} for name, one, other in rows(counted, figures)}
        typer.echo(json.dumps({"equal": counted == figures, **lines}, indent=2))
    else:
        _show(counted, figures)
    if counted != figures:
        raise typer.Exit(FOUND)


@application.command()
def token(
    *,
    merchant: Annotated[str | None, typer.Option(help="The merchant whose data the token opens.")] = None,
    scope: Annotated[str, typer.Option(help="Scopes: credits:read, credits:admin, credits:ops.")] = OWNER_SCOPE,
    subject: Annotated[str, typer.Option(help="Who asks; an admin's changes are recorded under it.")] = "credits-cli",
) -> None:
    """Print a bearer token for the local stack, valid for a week."""
    stack = _stack()
    try:
        owner = merchant_id(merchant) if merchant else None
    except ValueError as error:
        raise _unable(f"{merchant!r}: {error}.") from None
    signer = Signer(private_key_path=Path(stack.jwt.private_key_path), key_id=stack.jwt.key_id, public_keys={})
    typer.echo(signer.token(subject=subject, scope=scope, merchant_id=owner))


def main() -> None:
    """Run the command line."""
    application(prog_name="credits")


def _stack() -> Description:
    directory = local_directory(os.environ)
    try:
        return read(directory)
    except FileNotFoundError:
        raise _unable(
            f"No stack runs in {directory}: start one with `make run`, or name its folder by LOCAL_DIR."
        ) from None


def _unable(sentence: str) -> typer.Exit:
    Console(stderr=True).print(sentence, style="red", highlight=False, soft_wrap=True)
    return typer.Exit(UNABLE)


def _both(stack: Description) -> tuple[Figures, Figures]:
    """Return the accounts counted anew and the figures as they stand."""
    client = _client(stack)
    counted = recount(accounts_in(client, stack.credits_table))
    return counted, DynamoDBFigures(client, table=stack.figures_table).fleet()


def _show(counted: Figures, figures: Figures) -> None:
    table = Table("figure", title="Counted anew, and as the figures say")
    for heading in ("counted", "figures", "difference"):
        table.add_column(heading, justify="right")
    for name, one, other in rows(counted, figures):
        style = None if one == other else "bold red"
        table.add_row(name, f"{one:,}", f"{other:,}", f"{other - one:+,}" if other != one else "", style=style)
    console = Console()
    console.print(table)
    console.print(
        "They agree." if counted == figures else "They differ.", style="green" if counted == figures else "red"
    )


def _client(stack: Description) -> Any:
    session = boto3.Session(
        aws_access_key_id=FAKE_AWS_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=FAKE_AWS_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        region_name=stack.aws_region,
    )
    return session.client("dynamodb", endpoint_url=stack.aws_endpoint, config=Config(proxies={}))


if __name__ == "__main__":
    main()

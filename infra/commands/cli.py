"""The `credits` command: the ledger in a terminal (contract, section 9).

This is its table of contents; infra/commands has a module for each group, and what they share.
"""

import tomllib
from inspect import getdoc
from typing import Annotated

import typer

from infra.commands import (
    acting,
    alerting,
    changes,
    checking,
    directory,
    doctor,
    emitting,
    exporting,
    figures,
    freezing,
    history,
    importing,
    letters,
    linking,
    match,
    merchants,
    months,
    telling,
    tokens,
    undoing,
)
from infra.commands.failures import Commands
from infra.deploying.emulator import ROOT

application = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

LOOKING = "Looking at a merchant"
CHANGING = "Changing something"
OPERATING = "Operating it"
LOCAL = "The local stack"

application.command(name="merchants", rich_help_panel=LOOKING)(directory.merchants)
application.command(name="status", rich_help_panel=LOOKING)(merchants.status)
application.command(name="balance", rich_help_panel=LOOKING)(merchants.balance)
application.command(name="history", rich_help_panel=LOOKING)(history.history)
application.command(name="why", rich_help_panel=LOOKING)(merchants.why)
application.command(name="actions", rich_help_panel=LOOKING)(acting.actions)
application.command(name="emit", rich_help_panel=CHANGING)(emitting.emit)
application.command(name="adjust", rich_help_panel=CHANGING)(changes.adjust)
application.command(name="undo", rich_help_panel=CHANGING)(undoing.undo)
application.command(name="threshold", rich_help_panel=CHANGING)(changes.threshold)
application.command(name="levels", rich_help_panel=CHANGING)(alerting.levels)
application.command(name="grace", rich_help_panel=CHANGING)(alerting.grace)
application.command(name="freeze", rich_help_panel=CHANGING)(freezing.freeze)
application.command(name="unfreeze", rich_help_panel=CHANGING)(freezing.unfreeze)
application.command(name="link", rich_help_panel=CHANGING)(linking.link)
application.command(name="export", rich_help_panel=OPERATING)(exporting.export)
application.command(name="match", rich_help_panel=OPERATING)(match.match)
application.command(name="import", rich_help_panel=OPERATING)(importing.import_command)
application.command(name="doctor", rich_help_panel=OPERATING)(doctor.doctor)
application.command(name="verify", rich_help_panel=OPERATING)(checking.verify)
application.command(name="rebuild", rich_help_panel=OPERATING)(checking.rebuild)
application.add_typer(letters.application, name="dead-letters", rich_help_panel=OPERATING)
application.command(name="republish", rich_help_panel=OPERATING)(telling.republish)
application.command(name="recount", rich_help_panel=OPERATING)(figures.recount_command)
application.command(name="refill-months", rich_help_panel=OPERATING)(months.refill_months)
application.command(name="token", rich_help_panel=LOCAL)(tokens.token)

for command in (*application.registered_commands, *letters.application.registered_commands):
    # A terminal wraps paragraphs to its own width; typer would keep the lines of the sources.
    paragraphs = (getdoc(command.callback) or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _version(asked: bool) -> None:
    if asked:
        release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        typer.echo(f"credits {release}")
        raise typer.Exit


@application.callback()
def credits_command(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Query and operate the merchant credit service: the local stack of `make run`, or a deployed stage (--stage prod).

    Exit status: 0 when all is well, 1 when something was found or refused, 2 when it could not work.
    `credits COMMAND --help` tells more.
    """


def main() -> None:
    """Run the command line."""
    application(prog_name="credits")


if __name__ == "__main__":
    main()

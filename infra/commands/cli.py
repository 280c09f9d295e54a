"""The `credits` command: the ledger in a terminal (contract, section 9).

This is its table of contents; infra/commands has a module for each group, and what they share.
"""

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from inspect import getdoc
from typing import Annotated, Any, Final

import typer

from infra.commands.failures import Commands
from infra.deploying.emulator import ROOT

LOOKING: Final = "Looking at a merchant"
CHANGING: Final = "Changing something"
OPERATING: Final = "Operating it"
LOCAL: Final = "The local stack"

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "merchants": (LOOKING, "merchants:merchants"),
    "status": (LOOKING, "status:status"),
    "balance": (LOOKING, "status:balance"),
    "history": (LOOKING, "history:history"),
    "why": (LOOKING, "status:why"),
    "actions": (LOOKING, "actions:actions"),
    "emit": (CHANGING, "emitting:emit"),
    "adjust": (CHANGING, "changes:adjust"),
    "undo": (CHANGING, "undoing:undo"),
    "threshold": (CHANGING, "alerting:threshold"),
    "levels": (CHANGING, "alerting:levels"),
    "grace": (CHANGING, "alerting:grace"),
    "freeze": (CHANGING, "freezing:freeze"),
    "unfreeze": (CHANGING, "freezing:unfreeze"),
    "link": (CHANGING, "linking:link"),
    "export": (OPERATING, "exporting:export"),
    "match": (OPERATING, "match:match"),
    "import": (OPERATING, "importing:import_command"),
    "doctor": (OPERATING, "doctor:doctor"),
    "verify": (OPERATING, "checking:verify"),
    "rebuild": (OPERATING, "checking:rebuild"),
    "dead-letters": (OPERATING, "letters:application"),
    "republish": (OPERATING, "republishing:republish"),
    "recount": (OPERATING, "figures:recount_command"),
    "refill-months": (OPERATING, "months:refill_months"),
    "token": (LOCAL, "tokens:token"),
}
"""Each command with its part of the help, and the module of infra/commands and the name there."""


@cache
def command_line(name: str | None = None) -> typer.Typer:
    """Return `credits` with one command, or with all; nobody waits for the imports of other commands."""
    application = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(credits_command)
    for each in [name] if name else COMMANDS:
        panel, place = COMMANDS[each]
        module, _, attribute = place.partition(":")
        found: Callable[..., Any] | typer.Typer = getattr(import_module(f"infra.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            application.add_typer(found, name=each, rich_help_panel=panel)
            _flow(found)
        else:
            application.command(name=each, rich_help_panel=panel)(found)
    _flow(application)
    return application


def _flow(application: typer.Typer) -> None:
    """Let a terminal wrap the paragraphs of each command's help to its own width; typer keeps the sources' lines."""
    for command in application.registered_commands:
        paragraphs = (getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _version(asked: bool) -> None:
    if asked:
        import tomllib  # noqa: PLC0415 - no command needs it

        release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        typer.echo(f"credits {release}")
        raise typer.Exit


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
    # No plugin of pydantic is used, and pydantic would look for them in every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    asked = sys.argv[1] if len(sys.argv) > 1 else None
    command_line(asked if asked in COMMANDS else None)(prog_name="credits")


if __name__ == "__main__":
    main()

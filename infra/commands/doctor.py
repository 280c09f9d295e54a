"""`credits doctor`: checks every component, and prints the next command for each that fails."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from infra.commands.checks import diagnoses
from infra.commands.diagnoses import Diagnosis, State, failed
from infra.commands.options import AsJson, Profile, Stage
from infra.commands.output import FOUND, print_json, say, say_beside, screen, visible
from infra.commands.target import find
from infra.local.description import FILE_NAME, command_prefix, local_directory

MARKS = {
    State.OK: Text("✓", style="green"),
    State.LOOK: Text("!", style="yellow"),
    State.FAILED: Text("✗", style="red"),
}
NAME_WIDTH = 13


def doctor(
    *,
    nats: Annotated[str | None, typer.Option(envvar="NATS_URL", help="The address of NATS, to look at it too.")] = None,
    stage: Stage = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Check every component of the local stack, or of a deployed stage, and print the next command if one fails.

    Exit status 1 if something is wrong. Nothing is changed.
    """
    directory = local_directory(os.environ)
    if stage is None and not (directory / FILE_NAME).exists():
        none = failed("local stack", f"none runs in {directory}", f"{command_prefix(os.environ)}make run")
        _report([none], as_json=as_json)
        return
    _report(list(diagnoses(find(stage, profile), nats)), as_json=as_json)


def _report(found: Sequence[Diagnosis], *, as_json: bool) -> None:
    wrong = [one for one in found if one.state is not State.OK]
    if as_json:
        print_json({"well": not wrong, "findings": [asdict(one) for one in found]})
    else:
        _show(found, wrong)
    if wrong:
        raise typer.Exit(FOUND)


def _show(found: Sequence[Diagnosis], wrong: Sequence[Diagnosis]) -> None:
    for one in found:
        lead = MARKS[one.state] + Text(f" {one.component:<{NAME_WIDTH}}")
        say_beside(lead, one.said)
        if one.next:
            # A command is printed on one line, to be copied.
            screen().print(Text(" " * lead.cell_len) + Text(f"→ {visible(one.next)}", style="bold"), soft_wrap=True)
    say(
        f"{len(wrong)} of {len(found)} {'needs' if len(wrong) == 1 else 'need'} a look." if wrong else "All is well.",
        style="dim",
    )

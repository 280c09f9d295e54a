"""The state that a stack was left in, repaired before a deployment that it would block.

A first creation that failed leaves a stack that can only be deleted, and so does a deletion that failed; an update
whose rollback failed, one that can only be rolled back further. A stack that is being changed by somebody else is left
alone.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from infra.deploying.emulator import DeploymentFailedError, failures
from infra.deploying.outputs import described

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

NEVER_MADE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
HALF_DELETED: Final = "DELETE_FAILED"
HALF_ROLLED_BACK: Final = "UPDATE_ROLLBACK_FAILED"
POLL_SECONDS = 2.0
WAIT_SECONDS = 3600.0
"""A gradual deployment takes five minutes for each alias, several at once."""

Ask = Callable[[str], None]
"""Asks whether to go on, and raises where the answer is no."""


class StackBusyError(RuntimeError):
    """Raised when somebody else is changing the stack at this moment."""


def stack_there(cloudformation: "CloudFormationClient", name: str) -> Mapping[str, Any] | None:
    """Return the description of a stack that exists; one whose first change set was never executed does not."""
    stack = described(cloudformation, name)
    return None if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack


def mended(
    cloudformation: "CloudFormationClient",
    name: str,
    ask: Ask,
    role: Mapping[str, Any],
    console: Console,
    *,
    replacing: bool,
) -> Mapping[str, Any] | None:
    """Return the stack that is there, in a state from which it can be changed; None where there is none.

    What is left of a stack that somebody deleted goes only where `replacing` its data is meant: its tables are
    retained, but the new stack would begin with empty ones.

    Raises:
        StackBusyError: a change of the stack is under way.
        DeploymentFailedError: it could not be mended; the text names the resources that do not yield.
    """
    stack = stack_there(cloudformation, name)
    state = "" if stack is None else stack["StackStatus"]
    if state == HALF_DELETED and not replacing:
        raise DeploymentFailedError(
            f"{failures(cloudformation, name)}\n{name} is {state}: its deletion failed, and it can only be deleted. A "
            "new stack would have empty tables: restore its data into another (infra/recovery/README.md), or delete "
            "what is left of it with REPLACE_DATA=1"
        )
    if state in NEVER_MADE or state == HALF_DELETED:
        console.print(failures(cloudformation, name), markup=False, highlight=False)
        what = "deletion" if state == HALF_DELETED else "creation"
        ask(f"{name} is {state}: its {what} failed, and it can only be deleted. Delete what is left of it?")
        cloudformation.delete_stack(StackName=name, **role)
        follow(cloudformation, name, console, "Deleting")
        return None
    if state == HALF_ROLLED_BACK:
        console.print(failures(cloudformation, name), markup=False, highlight=False)
        ask(f"{name} is {state}: an update failed, and so did its rollback. Continue the rollback?")
        cloudformation.continue_update_rollback(StackName=name, **role)
        follow(cloudformation, name, console, "Rolling back", good=("UPDATE_ROLLBACK_COMPLETE",))
        return stack_there(cloudformation, name)
    if state.endswith("_IN_PROGRESS"):
        raise StackBusyError(f"{name} is {state}: another deployment is under way; wait for its end")
    return stack


def follow(
    cloudformation: "CloudFormationClient",
    name: str,
    console: Console,
    doing: str,
    good: tuple[str, ...] = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE"),
) -> Mapping[str, Any]:
    """Show the progress of a change of the stack, and return the stack once it has succeeded.

    Raises:
        DeploymentFailedError: it failed, or takes too long.
    """
    deadline, last = time.monotonic() + WAIT_SECONDS, ""
    with console.status(doing) as status:
        while time.monotonic() < deadline:
            # A stack that is gone is deleted; by its id AWS goes on describing it.
            stack: Mapping[str, Any] = described(cloudformation, name) or {"StackStatus": "DELETE_COMPLETE"}
            state = stack["StackStatus"]
            if state != last:
                console.print(f"  {state}", highlight=False)
                last = state
            status.update(f"{state}: infra/monitoring/runbook says what its alarms mean")
            # Done, rolled back or stuck; an update that takes its leavings away is still at work.
            if not state.endswith("_IN_PROGRESS"):
                if state not in good:
                    raise DeploymentFailedError(failures(cloudformation, name))
                return stack
            time.sleep(POLL_SECONDS)
    raise DeploymentFailedError(f"the stack {name} is still in progress after {WAIT_SECONDS / 60:.0f} minutes")

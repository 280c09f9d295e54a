"""What `credits doctor` reports about a component, and the next commands."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from infra.commands.target import Target
from infra.deploying.names import stack_name
from infra.local.description import command_prefix


class State(StrEnum):
    """How a component is."""

    OK = "ok"
    LOOK = "look"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The state of a component; `next` is the command to run next, None if all is well."""

    component: str
    state: State
    said: str
    next: str | None = None


def ok(component: str, said: str) -> Diagnosis:
    """Return the diagnosis of a component that works."""
    return Diagnosis(component=component, state=State.OK, said=said)


def look(component: str, said: str, then: str) -> Diagnosis:
    """Return the diagnosis of a component that is worth a look, by the command `then`."""
    return Diagnosis(component=component, state=State.LOOK, said=said, next=then)


def failed(component: str, said: str, then: str) -> Diagnosis:
    """Return the diagnosis of a component that fails; the command `then` shows more or mends it."""
    return Diagnosis(component=component, state=State.FAILED, said=said, next=then)


def restart(target: Target) -> str:
    """Return the command to run when a component of the system is gone."""
    if target.local is not None:
        return f"{command_prefix(os.environ)}make run"
    return f"aws cloudformation describe-stack-events --stack-name {stack_name(target.stage)} --max-items 20"


def again(target: Target, words: str) -> str:
    """Return a command of `credits` for the same system."""
    if target.local is not None:
        return f"{command_prefix(os.environ)}credits {words}"
    return f"credits {words} --stage {target.stage}"


def logs(target: Target, function: str) -> str:
    """Return the command that shows what a function has logged."""
    if target.local is not None:
        return f"tail -n 50 {Path(target.local.jwt.private_key_path).parent}/ministack.log"
    return f"aws logs tail /aws/lambda/{stack_name(target.stage)}-{function} --since 15m"

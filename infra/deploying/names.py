"""The names of stacks: one for each stage, and further ones beside it for a restored ledger or a rehearsal."""

import re
from collections.abc import Mapping

PATTERN = re.compile(r"[a-z][a-z0-9-]{2,40}")
"""Lower case, because a bucket, a rule and alarms are named after it; short, because their names have limits."""


class StackNameError(ValueError):
    """Raised for a name that a stack cannot have."""


def stack_name(stage: str) -> str:
    """Return the CloudFormation stack of a stage, or of a stage with a suffix (`prod-2`)."""
    return f"credits-{stage}"


def stack_to_deploy(stage: str, environment: Mapping[str, str]) -> str:
    """Return the stack that a deployment of `stage` is for: `STACK`, or the stage's with `SUFFIX` (`-2`) appended.

    Raises:
        StackNameError: resources could not be named after it.
    """
    name = environment.get("STACK") or stack_name(stage) + environment.get("SUFFIX", "")
    if not PATTERN.fullmatch(name):
        raise StackNameError(
            f"{name!r} is no name for a stack: lower-case letters, digits and hyphens, 3 to 41 of them"
        )
    return name

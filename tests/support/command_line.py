"""The `credits` command in this process, and its output. Its some hundred options are read once, not for each call."""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from typer import testing
from typer.main import get_command

from infra.commands import cli
from infra.commands.target import Target

setattr(testing, "_get_command", cache(get_command))  # noqa: B010 - a function, as far as mypy knows
CliRunner = testing.CliRunner


class Said:
    """What a command printed and how it ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        """Return the JSON output."""
        return json.loads(self.out)


def said(*arguments: object, environment: Mapping[str, str] | None = None, answer: str | None = None) -> Said:
    """Run `credits` with these arguments; `answer` is what the person types."""
    result = CliRunner().invoke(
        cli.command_line(), [str(one) for one in arguments], env=dict(environment or {}), input=answer
    )
    # A traceback is never what a person should read.
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def target_of(**names: Any) -> Target:
    """Return a target with these names, and empty ones for all else."""
    empty: dict[str, Any] = {field.name: "" for field in fields(Target)}
    return Target(**{**empty, "stage": "dev", "functions": {}, "endpoint": None, "local": None, **names})

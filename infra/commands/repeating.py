"""If a command that changes something loses its answer, it prints the same command to run again, with the same id.

The ledger counts a fact once by its id, so repeating it with the same id is safe. The printed command includes an id
that was made up.
"""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import typer

from chalicelib.domain.errors import CreditsError, RetryLater
from infra.commands.output import aside
from infra.local.description import command_prefix

WORDS: Final = "infra.commands.repeating.words"
"""Where a context keeps the words that the whole command was called with."""
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^/@\s]*@")


@contextmanager
def repeatable(context: typer.Context, *more: str) -> Iterator[None]:
    """Print the command that repeats this one, if the block is interrupted or gets no answer.

    `more` are options that the person did not give. After a refusal nothing was changed, and nothing is printed.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BaseException as error:
        if not isinstance(error, CreditsError) or isinstance(error, RetryLater):
            name_again(context, *more)
        raise


def name_again(context: typer.Context, *more: str) -> None:
    """Print to standard error the command that repeats this one."""
    aside(f"It may be done already. Repeated like this it counts once: {_command(context, more)}")


def _command(context: typer.Context, more: Sequence[str]) -> str:
    words = [_PASSWORD.sub(r"\1:***@", word) for word in context.meta[WORDS]]
    # After this word the parser takes no options.
    end = words.index("--") if "--" in words else len(words)
    found_by = "" if context.params["stage"] else command_prefix(os.environ)
    return found_by + shlex.join(["credits", *words[:end], *more, *_of_the_environment(context), *words[end:]])


def _of_the_environment(context: typer.Context) -> list[str]:
    """Return as options what the environment names, so that the command means the same in another shell."""
    stage = context.params["stage"]
    if stage is None:
        return []
    source = context.get_parameter_source("stage")
    options = ["--stage", stage] if source is not None and source.name == "ENVIRONMENT" else []
    profile = os.environ.get("AWS_PROFILE")
    return options + (["--profile", profile] if profile and context.params["profile"] is None else [])

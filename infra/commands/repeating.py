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
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import CreditsError, RetryLater
from infra.commands.output import FOR_PROGRAMS, aside, detail
from infra.local.description import command_prefix

WORDS: Final = "infra.commands.repeating.words"
"""Where a context keeps the words that the whole command was called with."""
AWS_ERRORS: Final = (BotoCoreError, ClientError, Boto3Error)
_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^/@\s]*@")


@contextmanager
def repeatable(context: typer.Context, *more: str) -> Iterator[None]:
    """Print the command that repeats this one, if the block is interrupted or gets no answer.

    Where programs read, it is the detail `repeat` of the problem.

    `more` are options that the person did not give. After a refusal nothing was changed, and nothing is printed.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BaseException as error:
        if isinstance(error, CreditsError) and not isinstance(error, RetryLater):
            raise
        if FOR_PROGRAMS.get() and isinstance(error, (RetryLater, OSError, *AWS_ERRORS)):
            # It ends in a problem, beside which nothing else is printed.
            detail("repeat", _command(context, more))
        else:
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

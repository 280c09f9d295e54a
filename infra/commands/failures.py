"""Turns refusals and silence of AWS, and files that cannot be read or written, into a sentence."""

import errno
import re
from typing import Any, Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from typer.core import TyperGroup
from typer.exceptions import TyperException

from chalicelib.domain.errors import CreditsError, RetryLater
from infra.commands.output import DETAILS, FOR_PROGRAMS, refused, unable, why_not
from infra.commands.repeating import AWS_ERRORS, WORDS

_LIBRARY_WORDS: Final = (
    (r"Value error, ", ""),
    (r"Input should be a valid integer.*", "a whole number is needed"),
    (r"Input should be a valid number.*", "a number is needed"),
    (r"Input should be greater than or equal to (\S+)", r"the minimum is \1"),
    (r"Input should be less than or equal to (\S+)", r"the maximum is \1"),
    (r"Input should be", "it must be"),
)
"""Messages of the parser's libraries, and the sentences that replace them."""


class Commands(TyperGroup):
    """A group of commands that ends with a sentence if AWS or the ledger failed or refused."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command, and keep them for whoever has to repeat it."""
        ctx.meta[WORDS] = tuple(args)
        DETAILS.set({})
        FOR_PROGRAMS.set("--json" in (args[: args.index("--")] if "--" in args else args))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except TyperException as error:
            raise self._in_our_words(error) from error
        except AWS_ERRORS as error:
            raise unable(sentence(error)) from error
        except RetryLater as error:
            raise unable(f"{error.message}. Try again; `credits doctor` looks for the cause.", error.code) from error
        except CreditsError as error:
            raise refused(f"Refused ({error.code}): {error.message}.", error.code) from error
        except OSError as error:
            # The parser ends a command whose output nobody reads any more.
            if error.errno == errno.EPIPE:
                raise
            raise unable(_of_a_file(error)) from error

    def _in_our_words(self, error: TyperException) -> Exception:
        """Return what to raise for words of the command line that the parser refused."""
        for theirs, ours in _LIBRARY_WORDS:
            error.message = re.sub(theirs, ours, error.message, flags=re.DOTALL)
        return unable(error.format_message()) if FOR_PROGRAMS.get() else error


def sentence(error: ClientError | BotoCoreError | Boto3Error) -> str:
    """Return what went wrong, and what to do about it."""
    if isinstance(error, Boto3Error):
        # It says in a text what it was raised for.
        cause = error.__cause__ or error.__context__
        return sentence(cause) if isinstance(cause, (ClientError, BotoCoreError)) else f"{error}"
    if isinstance(error, NoCredentialsError):
        return "No AWS credentials: name a profile with --profile or AWS_PROFILE."
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError)):
        return f"{error} `credits doctor` looks for the cause; a local stack that has ended is started by `make run`."
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        code, message = said.get("Code", "an error"), said.get("Message", "")
        return f"AWS refused {error.operation_name} ({code}): {message}"
    return str(error)


def _of_a_file(error: OSError) -> str:
    if error.filename is None:
        return f"The system failed: {why_not(error)}."
    return f"{error.filename} cannot be read or written: {why_not(error)}."

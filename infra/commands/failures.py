"""What AWS refuses or does not answer, said in a sentence instead of a traceback."""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from typer.core import TyperGroup

from chalicelib.domain.errors import CreditsError, RetryLater
from infra.commands.output import refused, unable
from infra.commands.repeating import WORDS


class Commands(TyperGroup):
    """A group of commands that ends with a sentence where AWS or the ledger failed or refused one of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command, and keep them for whoever has to repeat it."""
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (ClientError, BotoCoreError) as error:
            raise unable(sentence(error)) from error
        except RetryLater as error:
            raise unable(f"{error.message}. Try again; `credits doctor` looks for the cause.") from error
        except CreditsError as error:
            raise refused(f"Refused ({error.code}): {error.message}.") from error


def sentence(error: ClientError | BotoCoreError) -> str:
    """Return what went wrong, and what to do about it."""
    if isinstance(error, NoCredentialsError):
        return "No AWS credentials: name a profile with --profile or AWS_PROFILE."
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError)):
        return f"{error} `credits doctor` looks for the cause; a local stack that has ended is started by `make run`."
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        code, message = said.get("Code", "an error"), said.get("Message", "")
        return f"AWS refused {error.operation_name} ({code}): {message}"
    return str(error)

"""Secrets by name: an SSM parameter or, if there is none with that name, a secret.

Cached for a while, and longer when the stores cannot be reached: a key that was valid remains valid.
"""

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters import sdk
from chalicelib.environment import SettingError

KEEP_SECONDS = 300
"""How long a value is used before it is read again: a changed key takes this long to arrive."""
PARAMETER_RETRY_SECONDS = 30
"""How long the last known value is used before it is read again, after a read that failed."""
SIGNING_SECRET_LENGTH_MIN = 12
"""The fewest characters of a secret that signs webhooks: a shorter line, such as a bracket, could be guessed."""
CURSOR_KEY_LENGTH_MIN = 32
"""Characters of a key that signs cursors: shorter ones can be guessed."""

# The function may be allowed to read only the secret.
_ABSENT = {"ParameterNotFound", "AccessDeniedException"}


class ParameterError(Exception):
    """A named parameter cannot be read, and this container never read it."""


@dataclass(slots=True)
class Parameter:
    """The text of one named parameter or secret; read on first use."""

    name: str
    _value: str | None = None
    _ask_at: float = 0.0

    def text(self) -> str:
        """Return the text, at most `KEEP_SECONDS` old unless its store cannot be reached.

        Raises:
            ParameterError: it could not be read even once.
        """
        if self._value is not None and time.monotonic() < self._ask_at:
            return self._value
        try:
            self._value, keep_seconds = _read(self.name), KEEP_SECONDS
        except (ClientError, BotoCoreError, KeyError) as error:
            if self._value is None:
                raise ParameterError(f"the parameter {self.name} cannot be read") from error
            keep_seconds = PARAMETER_RETRY_SECONDS
        self._ask_at = time.monotonic() + keep_seconds
        return self._value


def _read(name: str) -> str:
    try:
        return str(_client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in _ABSENT:
            raise
    return str(_client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


@cache
def _client(service: str) -> Any:
    return sdk.client(service, Config())


def signing_secrets(text: str, name: str) -> tuple[str, ...]:
    """Return the secrets that the parameter or secret `name` holds, a line each.

    Raises:
        SettingError: a line is not exactly one secret.
    """
    secrets = tuple(line.strip() for line in text.splitlines() if line.strip())
    if any(len(secret) < SIGNING_SECRET_LENGTH_MIN or len(secret.split()) > 1 for secret in secrets):
        raise SettingError(
            f"{name} holds webhook secrets, a line each: one line has a space in it or fewer than "
            f"{SIGNING_SECRET_LENGTH_MIN} characters"
        )
    return secrets


def cursor_keys(text: str) -> str:
    """Return the keys that CURSOR_KEY_PARAMETER names, a line each.

    Raises:
        SettingError: a key is too short to be one.
    """
    keys = text.split() or [""]
    shortest = min(len(key) for key in keys)
    if shortest < CURSOR_KEY_LENGTH_MIN:
        raise SettingError(
            f"CURSOR_KEY_PARAMETER names a key of {shortest} characters: it takes at least {CURSOR_KEY_LENGTH_MIN}"
        )
    return "\n".join(keys)

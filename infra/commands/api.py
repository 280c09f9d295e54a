"""A target's HTTP API, as anybody reaches it."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.commands.output import unable
from infra.commands.target import Target

ANSWER_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: its status and its JSON, None where it holds none."""

    status: int
    body: Any


class ApiSilentError(Exception):
    """Raised when nothing answers at the API's address; the text says where, and why."""


def ask(target: Target, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Return what the API answers to GET `path`, or to POST with a body of JSON, sent as it is.

    Raises:
        ApiSilentError: Nothing answered.
    """
    url = f"{target.api_url}{path}"
    sent = {} if body is None else {"Content-Type": "application/json", **(headers or {})}
    # The address of the target's own API.
    request = urllib.request.Request(url, data=body, headers=sent)  # noqa: S310
    # The local stack is never behind a proxy, whatever the environment says of others.
    handlers = [urllib.request.ProxyHandler({})] if target.local else []
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=ANSWER_SECONDS) as answer:
            return Answer(status=answer.status, body=_json(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(status=error.code, body=_json(error.read()))
    except OSError as error:
        raise ApiSilentError(f"{url} does not answer: {getattr(error, 'reason', error)}.") from error


def data(target: Target, path: str) -> Any:
    """Return the data of the API's answer to GET `path`; ends the command where it gives none."""
    try:
        answer = ask(target, path)
    except ApiSilentError as error:
        raise unable(f"{error} `credits doctor` looks for the cause.") from error
    if answer.body is None or "data" not in answer.body:
        said = (answer.body or {}).get("detail", "no JSON")
        raise unable(f"{target.api_url}{path} answered {answer.status}: {said}")
    return answer.body["data"]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None

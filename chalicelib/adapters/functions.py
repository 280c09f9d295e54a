"""The functions that write to the ledger, invoked for an admin's HTTP request.

The API has no right to write: it may only call these two, which have the rights and decide.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import Code, CreditsError, RetryLater

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_BUSY = frozenset({409, 429})
"""The function is being updated, or runs at its maximum concurrency."""
_SERVER_ERROR = 500
_MAY_WORK_LATER = frozenset({Code.CONTENDED, Code.UNAVAILABLE, Code.INTERNAL})
_TIMED_OUT = (b'"Sandbox.Timedout"', b"Task timed out after ")
"""Lambda's answer for a function that timed out; older runtimes return only this text."""


class LedgerFunctions:
    """Invokes `adjust_credits` and `set_threshold`, and waits for their answers.

    Every method raises `CreditsError` with the code and text of a function that refused, and `RetryLater` when none
    answered: then the change may have been made anyway, and a retry is safe.
    """

    def __init__(self, client: "LambdaClient", *, adjust: str, set_threshold: str) -> None:
        self._client = client
        self._adjust = adjust
        self._set_threshold = set_threshold

    def adjust(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the `outcome` of an adjustment and its `transaction`."""
        return self._invoke(self._adjust, {**request, "with_outcome": True})

    def freeze(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Freeze an account or unfreeze it, and return the `outcome`, its `transaction` and the `account` after it."""
        return self._invoke(self._adjust, request)

    def set_threshold(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Set the threshold, the levels or the grace of one account, and return the account after that."""
        return self._invoke(self._set_threshold, request)

    def _invoke(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answered = self._client.invoke(FunctionName=function, Payload=json.dumps(request).encode())
            payload = answered["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            _raise_translated(error)
        if answered.get("FunctionError"):
            # The function has logged it. Any call may time out; other errors are bugs.
            code = Code.UNAVAILABLE if any(words in payload for words in _TIMED_OUT) else Code.INTERNAL
            raise RetryLater(code, f"the function failed: {answered['FunctionError']}")
        answer: dict[str, Any] = json.loads(payload)
        if "error" in answer:
            refused = answer["error"]
            code = Code(refused["code"])
            # The function's own write may have lost its answer: that is not a refusal.
            kind = RetryLater if code in _MAY_WORK_LATER else CreditsError
            raise kind(code, refused["message"], field=refused["details"].get("field"))
        return answer


def _raise_translated(error: ClientError | BotoCoreError) -> NoReturn:
    """Raise `RetryLater` for transient errors; a missing function or right is a bug, raised unchanged."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status not in _BUSY and status < _SERVER_ERROR:
            raise error
    raise RetryLater(Code.UNAVAILABLE, f"the function did not answer: {type(error).__name__}") from error

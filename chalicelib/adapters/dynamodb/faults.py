"""DynamoDB's errors, and which of them are transient."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from chalicelib.domain.errors import Code, RetryLater

FAILED_CONDITION = "ConditionalCheckFailed"
BUSY = frozenset({"TransactionConflict", "TransactionInProgressException", "TransactionConflictException"})
TRANSIENT = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "OverLimit",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SERVER_ERROR = 500
_DENIED, _BY_POLICY = "AccessDeniedException", "explicit deny in a resource-based policy"
"""How AWS says that a table refuses by its own policy, as it does during a restore (decision 0085)."""


def raise_if_transient(error: ClientError | BotoCoreError, component: str = "the ledger") -> None:
    """Raise `RetryLater` for transient errors; anything else is a bug or a missing right, raised unchanged.

    `component` names the component in the message.
    """
    if isinstance(error, HTTPClientError | NoConnectionError):
        # Connections and time limits. A write may have taken effect: the next one shows.
        raise RetryLater(Code.UNAVAILABLE, f"{component} did not answer: {type(error).__name__}") from error
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        if code == _DENIED and _BY_POLICY in str(error):
            raise RetryLater(Code.UNAVAILABLE, f"{component} may not be written at the moment") from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in TRANSIENT or status >= _SERVER_ERROR:
            raise RetryLater(Code.UNAVAILABLE, f"{component} did not answer: {code}") from error


def pages(ask: Callable[..., Mapping[str, Any]], **request: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the answers to a query or a scan, page after page; raises `RetryLater` for transient faults."""
    more: Mapping[str, Any] = {}
    while True:
        with transient_faults():
            page = ask(**request, **more)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@contextmanager
def transient_faults(component: str = "the ledger") -> Iterator[None]:
    """Raise `RetryLater` for transient faults inside the context, as `raise_if_transient` does."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise_if_transient(error, component)
        raise

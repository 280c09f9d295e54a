"""Whether the new versions of the functions may get calls, judged by their answers about one account.

Contract, section 7, "The smoke test". A sound version changes no ledger and publishes nothing when asked this: a
status, an adjustment that must be declined, and messages that were posted before. An unsound one can change this
account only.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.domain.errors import Code
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.domain.plugin_status import Reason


class VersionFailedError(Exception):
    """Raised when a new version could not be called, raised an error, or returned an unreadable answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """The result of messages: how many return to the queue, and what the function's log reports of the others.

    `duplicates` is None if its log does not report it.
    """

    coming_back: int
    duplicates: int | None
    parked: bool


class NewVersions(Protocol):
    """Calls the new versions, by their own qualified names. Every method raises `VersionFailedError`."""

    def reason(self, merchant_id: MerchantId) -> str:
        """Return the reason that the API gives for a merchant's status, `stale` where it could not read the table."""
        ...

    def refusal(self, merchant_id: MerchantId, credits_less: int) -> str | None:
        """Return the code with which a decrease is declined, None where it was made."""
        ...

    def ingest(self, bodies: Sequence[str]) -> Ingested:
        """Return the result of messages with these bodies."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The account that versions are tried on, None before it is opened. `complete`: all its messages are posted."""

    account: Account | None
    complete: bool


def faults(
    versions: NewVersions, look: Callable[[], Canary], merchant_id: MerchantId, sent: Sequence[str]
) -> list[str]:
    """Return what is wrong with the versions, one sentence each; empty if they may get calls.

    `look` reads the canary account of `merchant_id`, which the messages `sent` made. While it is not complete, nothing
    is ingested: the messages would not be duplicates.
    """
    before = look()
    found = [*_status(versions, before, merchant_id), *_adjustment(versions, before, merchant_id)]
    if before.complete:
        found += _duplicates(versions, sent)
    if look() != before:
        found.append("the canary account has changed: a version posted what it should have declined")
    return found


def _status(versions: NewVersions, canary: Canary, merchant_id: MerchantId) -> Iterator[str]:
    expected = Reason.ACCOUNT_NOT_FOUND
    if canary.account is not None:
        expected = Reason.SUFFICIENT_CREDITS if canary.account.enabled else Reason.INSUFFICIENT_CREDITS
    try:
        answered = versions.reason(merchant_id)
    except VersionFailedError as error:
        yield f"plugin status: {error}"
    else:
        if answered != expected:
            yield f"plugin status: the API answered {answered} instead of {expected}"


def _adjustment(versions: NewVersions, canary: Canary, merchant_id: MerchantId) -> Iterator[str]:
    expected = Code.ACCOUNT_MISSING if canary.account is None else Code.INSUFFICIENT_CREDITS
    try:
        declined = versions.refusal(merchant_id, CREDITS_MAX)
    except VersionFailedError as error:
        yield f"adjust_credits: {error}"
    else:
        if declined != expected:
            yield f"adjust_credits: a decrease that is too large was answered with {declined} instead of {expected}"


def _duplicates(versions: NewVersions, sent: Sequence[str]) -> Iterator[str]:
    try:
        ingested = versions.ingest(sent)
    except VersionFailedError as error:
        yield f"ingest_events: {error}"
        return
    if ingested.coming_back:
        yield f"ingest_events: {ingested.coming_back} of {len(sent)} duplicates would return to the queue"
    if ingested.parked:
        yield "ingest_events: a duplicate was parked"
    if ingested.duplicates not in (None, len(sent)):
        yield f"ingest_events: {ingested.duplicates} of {len(sent)} duplicates were recognized"

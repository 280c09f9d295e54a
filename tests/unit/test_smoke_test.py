"""The smoke test's decisions: what a sound version answers, and what each fault is called."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from chalicelib.domain.errors import Code
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.orders import CREDITS_MAX
from chalicelib.usecases.smoke_test import Canary, Ingested, VersionFailedError, faults
from tests.support.builders import SHOP, account_of

SENT = ("opening", "payment")
OPEN = Canary(account=account_of(10), complete=True)
EMPTY = Canary(account=account_of(0), complete=True)
MISSING = Canary(account=None, complete=False)
HALF = Canary(account=account_of(10), complete=False)
RECOGNIZED = Ingested(coming_back=0, duplicates=2, parked=False)


@dataclass(slots=True)
class Versions:
    """Answers as it was told to; an error is raised."""

    status: str | VersionFailedError = "sufficient_credits"
    declined: str | VersionFailedError | None = Code.INSUFFICIENT_CREDITS
    ingested: Ingested | VersionFailedError = RECOGNIZED
    asked: tuple[str, ...] = ()

    def reason(self, merchant_id: MerchantId) -> str:
        assert merchant_id == SHOP
        if isinstance(self.status, VersionFailedError):
            raise self.status
        return self.status

    def refusal(self, merchant_id: MerchantId, credits_less: int) -> str | None:
        assert (merchant_id, credits_less) == (SHOP, CREDITS_MAX)
        if isinstance(self.declined, VersionFailedError):
            raise self.declined
        return self.declined

    def ingest(self, bodies: Sequence[str]) -> Ingested:
        self.asked = tuple(bodies)
        if isinstance(self.ingested, VersionFailedError):
            raise self.ingested
        return self.ingested


def found(versions: Versions, *seen: Canary) -> list[str]:
    looks = iter(seen if len(seen) > 1 else seen * 2)
    return faults(versions, lambda: next(looks), SHOP, SENT)


@pytest.mark.parametrize(
    ("versions", "canary"),
    [
        (Versions(), OPEN),
        (Versions(ingested=replace(RECOGNIZED, duplicates=None)), OPEN),
        (Versions(status="insufficient_credits"), EMPTY),
        (Versions(status="account_not_found", declined=Code.ACCOUNT_MISSING), MISSING),
    ],
)
def test_a_sound_version_has_no_fault(versions: Versions, canary: Canary) -> None:
    assert found(versions, canary) == []


@pytest.mark.parametrize("canary", [MISSING, HALF])
def test_nothing_is_ingested_that_would_not_be_a_duplicate(canary: Canary) -> None:
    versions = Versions()

    found(versions, canary)

    assert versions.asked == ()


def test_all_messages_of_the_canary_are_ingested_again() -> None:
    versions = Versions()

    found(versions, OPEN)

    assert versions.asked == SENT


@pytest.mark.parametrize(
    ("versions", "fault"),
    [
        (Versions(status="unavailable"), "plugin status: the API answered unavailable instead of sufficient_credits"),
        (Versions(status="stale"), "plugin status: the API answered stale"),
        (Versions(status=VersionFailedError("it failed: Unhandled")), "plugin status: it failed: Unhandled"),
        (Versions(declined=None), "adjust_credits: a decrease that is too large was answered with None"),
        (Versions(declined=Code.INTERNAL), "answered with internal instead of insufficient_credits"),
        (Versions(declined=VersionFailedError("it failed")), "adjust_credits: it failed"),
        (Versions(ingested=replace(RECOGNIZED, coming_back=2)), "ingest_events: 2 of 2 duplicates would return"),
        (Versions(ingested=replace(RECOGNIZED, parked=True)), "ingest_events: a duplicate was parked"),
        (Versions(ingested=replace(RECOGNIZED, duplicates=1)), "ingest_events: 1 of 2 duplicates were recognized"),
        (Versions(ingested=VersionFailedError("it failed")), "ingest_events: it failed"),
    ],
)
def test_each_fault_is_named(versions: Versions, fault: str) -> None:
    (said,) = found(versions, OPEN)

    assert fault in said


def test_a_ledger_that_changed_is_a_fault_whatever_the_answers() -> None:
    (said,) = found(Versions(), OPEN, replace(OPEN, account=account_of(9)))

    assert said.startswith("the canary account has changed")


def test_one_fault_hides_no_other() -> None:
    assert len(found(Versions(status="stale", declined=None, ingested=VersionFailedError("no")), OPEN, EMPTY)) == 4

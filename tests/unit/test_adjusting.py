"""Confirmation by another admin: above the limit, what one admin asks for counts once another asks for the same."""

from dataclasses import dataclass, field, replace

import pytest

from chalicelib.domain.confirming import WaitingAdjustment
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.ids import Instant, TransactionId
from chalicelib.domain.movements import FixedMovement
from chalicelib.domain.outcomes import Duplicate, Posted
from chalicelib.usecases.adjusting import Adjusting
from chalicelib.usecases.posting import Posting
from tests.support.builders import NOON, SHOP, adjustment, trial
from tests.support.calls import FakeCall
from tests.support.fakes import FakeLedger, settle

LIMIT = 50


@dataclass
class FakeWaitingList:
    """The waiting list in memory; nothing is removed from it while there is a `fault`."""

    asked: dict[TransactionId, WaitingAdjustment] = field(default_factory=dict)
    fault: Exception | None = None

    def put_waiting(self, waiting: WaitingAdjustment) -> None:
        self.asked.setdefault(waiting.transaction_id, waiting)

    def waiting(self, transaction_id: TransactionId) -> WaitingAdjustment | None:
        return self.asked.get(transaction_id)

    def remove_waiting(self, transaction_id: TransactionId) -> bool:
        if self.fault is not None:
            raise self.fault
        return self.asked.pop(transaction_id, None) is not None


class Desk:
    """An account of a hundred credits, and admins who adjust it."""

    def __init__(self, limit: int | None = LIMIT) -> None:
        self.ledger, self.list = FakeLedger(), FakeWaitingList()
        settle(self.ledger, [trial(100)], now=NOON)
        posting = Posting(self.ledger, default_threshold=20)
        self._adjusting = Adjusting(posting, self.ledger, lambda: self.list, limit=limit, reason_length=500)

    def ask(
        self,
        admin: str,
        change: int = 60,
        *,
        key: str = "a1",
        batch: int = 0,
        confirmed_by: str | None = None,
        lapses: Instant | None = None,
    ) -> Posted | Duplicate:
        asked: FixedMovement = replace(
            adjustment(key, change), metadata={"reason": "goodwill", "admin_id": admin}, expires_at=lapses
        )
        return self._adjusting.adjust(asked, batch_credits=batch, confirmed_by=confirmed_by, time=FakeCall().time)

    def waits(self, admin: str, change: int = 60, *, key: str = "a1", batch: int = 0) -> str:
        with pytest.raises(Rejected) as refused:
            self.ask(admin, change, key=key, batch=batch)
        assert refused.value.code is Code.CONFIRMATION_NEEDED
        return refused.value.message

    @property
    def balance(self) -> int:
        return self.ledger.accounts[SHOP].balance


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("change", [50, -50])
def test_up_to_the_limit_one_admin_is_enough(desk: Desk, change: int) -> None:
    assert isinstance(desk.ask("ada", change), Posted)
    assert desk.list.asked == {}


def test_without_a_limit_there_is_no_rule() -> None:
    assert isinstance(Desk(limit=None).ask("ada", 10**9), Posted)


@pytest.mark.parametrize("change", [51, -51])
def test_above_it_another_admin_confirms_by_asking_for_the_same(desk: Desk, change: int) -> None:
    assert desk.waits("ada", change).startswith("51 credits are more than ADJUSTMENT_CONFIRM_ABOVE (50)")
    desk.waits("ada", change)
    desk.waits(" ADA", change)
    assert desk.balance == 100

    outcome = desk.ask("grace", change)

    assert isinstance(outcome, Posted)
    assert desk.balance == 100 + change
    assert outcome.transaction.metadata == {"admin_id": "ada", "reason": "goodwill (confirmed by grace)"}
    assert desk.list.asked == {}
    for admin in ("ada", "grace", "linus"):
        assert isinstance(desk.ask(admin, change), Duplicate)
    assert (desk.balance, desk.list.asked) == (100 + change, {})


def test_a_small_row_of_a_large_batch_waits_too(desk: Desk) -> None:
    assert desk.waits("ada", 1, batch=51).startswith("51 credits")

    assert isinstance(desk.ask("grace", 1, batch=51), Posted)


def test_who_asks_for_other_credits_under_the_key_confirms_nothing(desk: Desk) -> None:
    desk.waits("ada", 60)

    for change in (61, -60):
        with pytest.raises(Rejected) as refused:
            desk.ask("grace", change)
        assert refused.value.code is Code.KEY_REUSED
    assert desk.balance == 100


def test_credits_that_lapse_otherwise_are_another_content(desk: Desk) -> None:
    desk.waits("ada", 60)

    with pytest.raises(Rejected) as refused:
        desk.ask("grace", 60, lapses=Instant("2099-01-01T00:00:00.000Z"))

    assert (refused.value.code, desk.balance) == (Code.KEY_REUSED, 100)


def test_what_the_ledger_refuses_goes_on_waiting(desk: Desk) -> None:
    desk.waits("ada", -101)

    with pytest.raises(Rejected) as refused:
        desk.ask("grace", -101)

    assert refused.value.code is Code.INSUFFICIENT_CREDITS
    assert len(desk.list.asked) == 1


def test_a_confirmation_whose_answer_was_lost_may_be_repeated(desk: Desk) -> None:
    desk.waits("ada", 60)
    desk.list.fault = RetryLater(Code.UNAVAILABLE, "no")
    with pytest.raises(RetryLater):
        desk.ask("grace", 60)
    desk.list.fault = None

    assert isinstance(desk.ask("grace", 60), Duplicate)
    assert (desk.balance, desk.list.asked) == (160, {})


def test_what_was_recorded_no_longer_waits_for_who_asked_first(desk: Desk) -> None:
    desk.waits("ada", 60)
    desk.list.fault = RetryLater(Code.UNAVAILABLE, "no")
    with pytest.raises(RetryLater):
        desk.ask("grace", 60)
    desk.list.fault = None

    assert isinstance(desk.ask("ada", 60), Duplicate)
    assert (desk.balance, desk.list.asked) == (160, {})


def test_another_person_whom_the_caller_vouches_for_confirms_at_once(desk: Desk) -> None:
    desk.waits("ada", 60)

    with pytest.raises(Rejected) as refused:
        desk.ask("ada", 60, confirmed_by="Ada ")
    assert refused.value.code is Code.CONFIRMATION_NEEDED
    outcome = desk.ask("ada", 60, confirmed_by="grace")

    assert isinstance(outcome, Posted)
    assert outcome.transaction.metadata["reason"] == "goodwill (confirmed by grace)"
    assert desk.list.asked == {}


def test_a_long_reason_keeps_who_confirmed_it(desk: Desk) -> None:
    long = Adjusting(
        Posting(desk.ledger, default_threshold=20), desk.ledger, lambda: desk.list, limit=0, reason_length=30
    )
    asked = replace(adjustment("a1", 5), metadata={"reason": "x" * 30, "admin_id": "ada"})

    outcome = long.adjust(asked, batch_credits=0, confirmed_by="grace", time=FakeCall().time)

    assert outcome.transaction is not None
    assert outcome.transaction.metadata["reason"] == "xxxxxxxxx (confirmed by grace)"

"""An account that does not count its transactions takes nothing: what a restore tore is rebuilt before any loss."""

from collections.abc import Sequence

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Outcome, Posted
from chalicelib.usecases.posting import Posting
from tests.support.builders import SHOP, adjustment, merchant, order, payment, refund_of, trial
from tests.support.calls import FakeCall
from tests.support.fakes import FakeLedger

OTHER = merchant("other")


def post(ledger: FakeLedger, *movements: Movement) -> list[Outcome]:
    """Post each movement as a message of its own, in a new container."""
    outcomes = Posting(ledger, default_threshold=20).post([[one] for one in movements], time=FakeCall().time)
    return [outcome for [outcome] in outcomes]


def codes(outcomes: Sequence[Outcome]) -> list[str | None]:
    return [outcome.code if isinstance(outcome, RetryLater) else None for outcome in outcomes]


def lagging(*before: Movement, lost: Movement) -> FakeLedger:
    """Return a ledger whose account was put back to what it was before the movement `lost`."""
    ledger = FakeLedger()
    post(ledger, *before)
    account = ledger.accounts[SHOP]
    post(ledger, lost)
    ledger.accounts[SHOP] = account
    return ledger


@pytest.mark.parametrize("other", [order("after"), adjustment("a1", -5)])
def test_an_account_that_was_put_back_takes_nothing_once_it_shows(other: Movement) -> None:
    ledger = lagging(trial(100), lost=payment("p1", 50))
    before = ledger.accounts[SHOP]

    [first, second] = post(ledger, payment("p1", 50), other)

    assert codes([first, second]) == [Code.ACCOUNT_BEHIND] * 2
    assert f"credits rebuild {SHOP}" in str(first)
    assert (ledger.accounts[SHOP], len(ledger.transactions)) == (before, 2)


def test_a_refund_of_an_order_that_the_account_does_not_count_waits() -> None:
    ledger = lagging(trial(100), lost=order("1"))

    assert codes(post(ledger, refund_of("1"))) == [Code.ACCOUNT_BEHIND]


def test_a_record_beside_the_one_that_the_account_holds_is_no_duplicate() -> None:
    ledger = lagging(trial(100), lost=payment("p1", 50))
    post(ledger, order("another"))

    assert codes(post(ledger, payment("p1", 50))) == [Code.ACCOUNT_BEHIND]


def test_an_account_that_is_gone_while_its_records_exist_is_not_opened_again() -> None:
    ledger = FakeLedger()
    post(ledger, trial(100), order("1"))
    del ledger.accounts[SHOP]

    assert codes(post(ledger, trial(100))) == [Code.ACCOUNT_BEHIND]
    assert codes(post(ledger, refund_of("1"))) == [Code.ACCOUNT_BEHIND]
    assert ledger.accounts == {}


def test_the_neighbours_of_an_account_that_lags_are_posted() -> None:
    ledger = lagging(trial(100), trial(100, of=OTHER), lost=order("1"))

    [waits, posted] = post(ledger, refund_of("1"), order("2", of=OTHER))

    assert codes([waits]) == [Code.ACCOUNT_BEHIND]
    assert isinstance(posted, Posted)


def test_a_container_that_remembers_an_old_account_reads_it_again_and_goes_on() -> None:
    ledger = FakeLedger()
    old = Posting(ledger, default_threshold=20)
    old.post([[trial(100)]], time=FakeCall().time)
    post(ledger, order("1"))

    [[outcome]] = old.post([[refund_of("1")]], time=FakeCall().time)

    assert isinstance(outcome, Posted)
    assert ledger.accounts[SHOP].balance == 100

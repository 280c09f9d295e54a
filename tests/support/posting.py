"""Posting on a ledger in memory: a ledger that already holds movements, outcomes as words, and a recount."""

from collections.abc import Sequence

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.ids import MerchantId
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Outcome, Posted
from chalicelib.ports import Refused
from chalicelib.usecases.posting import Posting
from tests.oracles.published_chain import broken_links
from tests.support.builders import SHOP
from tests.support.calls import FakeCall
from tests.support.fakes import FakeLedger

LOST = RetryLater(Code.UNAVAILABLE, "the ledger did not answer")
"""What a write raises if its answer is lost."""


def posting_on(ledger: FakeLedger) -> Posting:
    """Return what a new container posts with."""
    return Posting(ledger, default_threshold=20)


def post(posting: Posting, *requests: Sequence[Movement]) -> list[list[Outcome]]:
    """Return the outcomes of each request of a batch."""
    return posting.post(requests, time=FakeCall().time)


def ledger_with(*movements: Movement) -> FakeLedger:
    """Return a ledger that holds the movements, and has counted no request yet."""
    ledger = FakeLedger()
    outcomes = post(posting_on(ledger), *([movement] for movement in movements))
    assert all(isinstance(outcome, Posted) for [outcome] in outcomes), outcomes
    ledger.commits.clear()
    ledger.reads.clear()
    ledger.tried = 0
    return ledger


def contended(commit: Commit) -> Refused:
    """Return the answer to a write that lost its race."""
    return Refused(account=commit.before, contended=True)


def codes(outcomes: Sequence[Outcome]) -> list[str]:
    """Return each outcome in a word: what kind it is, or why not."""
    return [
        outcome.code if isinstance(outcome, Rejected | RetryLater) else type(outcome).__name__.lower()
        for outcome in outcomes
    ]


def recount(ledger: FakeLedger, merchant_id: MerchantId = SHOP) -> int:
    """Return the balance as the transactions alone give it, which must be the account's."""
    history = ledger.history(merchant_id)
    balance = sum(transaction.amount for transaction in history)
    assert broken_links(history) == []
    assert ledger.accounts[merchant_id].balance == balance
    assert ledger.accounts[merchant_id].sequence == len(history)
    return balance

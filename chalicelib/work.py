"""One merchant's part of a batch on its way through `posting`: what is known, what is undecided, what came of it."""

from collections.abc import Sequence
from dataclasses import replace
from operator import eq

from chalicelib.domain.defects import defects
from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.fold import Commit
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.ledger import Account, Transaction
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Outcome, Posted
from chalicelib.ports import Known, Refused

Request = Sequence[Movement]
"""The movements of one message or call: all of one merchant, and none is applied if one of them has a defect."""


class Work:
    """One merchant's part of a batch: its movements, what is known of its ledger, and the outcomes so far."""

    def __init__(self, merchant_id: MerchantId, requests: Sequence[Request]) -> None:
        self.merchant_id = merchant_id
        self.movements = [movement for request in requests for movement in request]
        self.undecided = list(range(len(self.movements)))
        self.known = False
        self.account: Account | None = None
        self.fresh = False
        self.stored: dict[TransactionId, Transaction] = {}
        self.absent: set[TransactionId] = set()
        self.lost_races = 0
        self._requests = requests
        self._outcomes: list[Outcome | None] = [None] * len(self.movements)
        self._unconfirmed: set[str] = set()

    def know(self, known: Known, remembered: Account | None) -> None:
        """Know what was read, and the account that was not read because it is remembered."""
        self.known = True
        self.account = remembered or known.accounts.get(self.merchant_id)
        self.fresh = remembered is None
        self.stored = dict(known.transactions)

    def behind(self) -> RetryLater | None:
        """Return `account_behind` where the account, as known, does not count a known record of the merchant.

        A record and its account are one write: either the account is an old one, or somebody put it back, as a restore
        does. A write on it would then claim the sequence of a record that exists, and lose what that one moved.
        """
        sequence, newest = (self.account.sequence, self.account.hash) if self.account else (0, "")
        for record in self.stored.values():
            ahead = record.sequence > sequence or (record.sequence == sequence and record.hash != newest)
            if ahead and record.merchant_id == self.merchant_id:
                return RetryLater(
                    Code.ACCOUNT_BEHIND,
                    f"the account of merchant {self.merchant_id} does not count its record {record.sequence}, "
                    f"{record.transaction_id}: credits rebuild {self.merchant_id}",
                )
        return None

    def reject_defects(self) -> None:
        """Reject every request that holds an impossible movement, whole."""
        start = 0
        for request, error in zip(self._requests, defects(self._requests, stored=self.stored), strict=True):
            if error is not None:
                self._outcomes[start : start + len(request)] = [error] * len(request)
            start += len(request)
        self._count_undecided()

    def settle(self, outcomes: Sequence[Outcome | None]) -> None:
        """Take over the outcomes of a fold, which are final.

        A record that stands and is, hash for hash, the one of a write whose answer was lost was posted by that
        write: it is no duplicate.
        """
        for outcome in outcomes:
            if isinstance(outcome, Posted):
                self._unconfirmed.discard(outcome.transaction.hash)
        for index, outcome in zip(self.undecided, outcomes, strict=True):
            if isinstance(outcome, Duplicate) and outcome.transaction and outcome.transaction.hash in self._unconfirmed:
                self._unconfirmed.discard(outcome.transaction.hash)
                self._outcomes[index] = Posted(outcome.transaction)
            else:
                self._outcomes[index] = outcome
        self._count_undecided()

    def give_back(self, error: RetryLater) -> None:
        """Leave what is undecided for a later delivery."""
        self.settle([error] * len(self.undecided))

    def lost_answer(self, commit: Commit) -> None:
        """Know what was to be written and may stand, although nobody said so."""
        self._unconfirmed.update(record.hash for record in commit.transactions)

    def committed(self, commit: Commit) -> None:
        """Know what was written. It is not `fresh`: if the store answered late, others may have written since."""
        self.account = commit.after
        self.fresh = False
        self.absent.clear()
        self.stored.update({record.transaction_id: record for record in commit.transactions})
        for change in commit.tallies:
            self.stored[change.order] = replace(self.stored[change.order], tally=change.after, refunded_at=change.time)

    def refused(self, refused: Refused) -> bool:
        """Know what stands where the write wanted to go, and return whether any of it is a record."""
        if refused.account != self.account:
            self.account = refused.account
            self.fresh = True
        self.absent.clear()
        self.stored.update({record.transaction_id: record for record in refused.transactions})
        return bool(refused.transactions)

    def answers(self) -> list[list[Outcome]]:
        """Return the outcomes, request by request."""
        outcomes = iter(self._outcomes)
        answers = [[outcome for _ in request if (outcome := next(outcomes)) is not None] for request in self._requests]
        assert all(map(eq, map(len, answers), map(len, self._requests))), "a movement was left without an outcome"
        return answers

    def _count_undecided(self) -> None:
        self.undecided = [index for index, outcome in enumerate(self._outcomes) if outcome is None]

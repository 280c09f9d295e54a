"""One merchant's part of a batch during `posting`: what is known, what is undecided, and the outcomes."""

from collections.abc import Sequence
from dataclasses import replace
from operator import eq
from typing import TypeGuard

from chalicelib.domain.compensating import of_an_amount
from chalicelib.domain.edits import known_total
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.freeze import OF_A_FREEZE
from chalicelib.domain.ids import MerchantId, TransactionId
from chalicelib.domain.ledger import Account, Commit
from chalicelib.domain.movements import DisputeWonMovement, Movement, OrderMovement, RefundMovement, names_of
from chalicelib.domain.names import FactNames, torn
from chalicelib.domain.outcomes import Duplicate, Fold, Outcome, Posted
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Known, LedgerStore, Refused

Request = Sequence[Movement]
"""The movements of one message or call: all of one merchant, and none is applied if one of them is impossible."""

_REFUSED_ALONE = frozenset(
    {
        Code.KEY_REUSED,
        Code.NAMES_TWO_FACTS,
        Code.PERIOD_REPEATED,
        Code.ORDER_IMPORTED,
        Code.CURRENCY_MISMATCH,
        Code.INSUFFICIENT_CREDITS,
        *OF_A_FREEZE,
    }
)
"""Codes that refuse one movement and leave the rest of its message; any other rejection poisons the whole message."""


class Work:
    """One merchant's part of a batch: its movements, what is known of its ledger, and the outcomes so far.

    Where it `has_due`, what is due is posted even if there is no movement; `due_writes` counts its writes.
    """

    def __init__(self, merchant_id: MerchantId, requests: Sequence[Request]) -> None:
        self.merchant_id = merchant_id
        self.movements = [movement for request in requests for movement in request]
        self.undecided = list(range(len(self.movements)))
        self.verified = False
        self.unreadable: Exception | None = None
        self.account: Account | None = None
        self.fresh = False
        self.stored: dict[TransactionId, Transaction] = {}
        self.guards: dict[TransactionId, TransactionId] = {}
        self.absent: set[TransactionId] = set()
        self.lost_races = 0
        self.has_due = False
        self.due_writes = 0
        self.failed: RetryLater | None = None
        self._requests = requests
        self._request_of = [place for place, request in enumerate(requests) for _ in request]
        self._leaning: set[int] | None = None
        self._outcomes: list[Outcome | None] = [None] * len(self.movements)
        self._unconfirmed: set[str] = set()

    def know(self, known: Known, remembered: Account | None) -> None:
        """Store what was read, and the account that was not read because it is remembered."""
        self.account = remembered or known.accounts.get(self.merchant_id)
        self.fresh = remembered is None
        self.stored = dict(known.transactions)
        self.guards = dict(known.guards)

    def learn(self, known: Known) -> None:
        """Add transactions that were read later."""
        self.stored.update(known.transactions)
        self.guards.update(known.guards)

    def follow(self, store: LedgerStore) -> None:
        """Read the transactions named by guards that a write has met, and those of wins of disputes that guards name.

        Raises:
            RetryLater: one cannot be read, or is missing after a restore.
        """
        for find in (self._guarded, self._wins_of_guarded):
            if unread := find():
                known = store.read([], unread)
                known.require(*unread)
                self.learn(known)
                self.absent.update(one for one in unread if one not in self.stored)
                for guard, transaction in self.guards.items():
                    if transaction not in self.stored:
                        raise torn(guard, transaction)

    def _guarded(self) -> list[TransactionId]:
        return [transaction for transaction in dict.fromkeys(self.guards.values()) if transaction not in self.stored]

    def _wins_of_guarded(self) -> list[TransactionId]:
        """Return the unknown transactions of won disputes that an event calls by another name than the dispute's."""
        names = FactNames(self.guards, stored=self.stored, transactions={})
        unread: dict[TransactionId, None] = {}
        for index in self.undecided:
            movement = self.movements[index]
            if isinstance(movement, DisputeWonMovement) and movement.key != (own := names.as_recorded(movement)).key:
                unread[own.transaction_id] = None
        return [one for one in unread if not (one in self.stored or one in self.guards or one in self.absent)]

    def behind(self) -> RetryLater | None:
        """Return `account_behind` if the known account does not count a known transaction of the merchant.

        A transaction and its account are one write. So the account was read before that write, or a restore has put it
        back. A write on it would reuse the sequence of an existing transaction and lose the credits that this one
        moved.
        """
        sequence, newest = (self.account.sequence, self.account.hash) if self.account else (0, "")
        for transaction in self.stored.values():
            ahead = transaction.sequence > sequence or (transaction.sequence == sequence and transaction.hash != newest)
            if ahead and transaction.merchant_id == self.merchant_id:
                return RetryLater(
                    Code.ACCOUNT_BEHIND,
                    f"the account of merchant {self.merchant_id} does not count its transaction "
                    f"{transaction.sequence}, {transaction.transaction_id}: credits rebuild {self.merchant_id}",
                )
        return None

    def require_readable(self) -> None:
        """Raise the error of an unreadable item that the movements depend on, if there is one."""
        if self.unreadable is not None:
            raise self.unreadable

    def untotalled(self, fold: Fold) -> list[TransactionId]:
        """Return the batch's unread orders if the fold missed a total, else nothing.

        An order that was recorded before, and is delivered again under one more name, may have its total there. Other
        orders need no read: a write finds out whether they were recorded.
        """
        if Code.TOTAL_MISSING not in {one.code for one in fold.foreseen if isinstance(one, Rejected)}:
            return []
        orders = [movement for index in self.undecided if isinstance(movement := self.movements[index], OrderMovement)]
        names = dict.fromkeys(name for order in orders for name in names_of(order))
        return [name for name in names if name not in self.stored and name not in self.guards]

    def reject_poison(self, fold: Fold) -> bool:
        """Decide whole requests in which a movement is impossible, or may be; return whether there are any.

        They count as not delivered, so the others must be decided again without them. Before the first write, and
        whenever something new was read, all outcomes are foreseen: so nothing of a poison message is ever written.
        """
        found: dict[int, Rejected | RetryLater] = {}
        for index, outcome in zip(self.undecided, fold.foreseen, strict=True):
            if outcome is not None and _spoils(outcome, self.movements[index]):
                found.setdefault(self._request_of[index], outcome)
        for index in self.undecided:
            if (error := found.get(self._request_of[index])) is not None:
                self._outcomes[index] = error
        self._count_undecided()
        # While some are postponed, not everything is foreseen.
        self.verified = not (found or self._leaning)
        return bool(found)

    def put_leaning_last(self, fold: Fold) -> bool:
        """If not everything fits into a write, postpone requests that depend on another; return whether any do.

        A refund of an amount may need a total that only another request names: if that one is a conflict, nothing of
        the refund's message may have been written.
        """
        if self._leaning is not None or None not in fold.outcomes:
            return False
        self._leaning = {
            self._request_of[index]
            for index in self.undecided
            if of_an_amount(movement := self.movements[index]) and not self._totalled(movement)
        }
        before = self.undecided
        self._count_undecided()
        return self.undecided != before

    def settle(self, outcomes: Sequence[Outcome | None]) -> None:
        """Store the outcomes of a fold, which are final.

        A stored transaction with the hash of one whose write's answer was lost was posted by that write: it is no
        duplicate.
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
        self.has_due = False

    def give_back(self, error: RetryLater) -> None:
        """Leave what is undecided for a later delivery."""
        self.failed = error
        self._leaning = None
        self._count_undecided()
        self.settle([error] * len(self.undecided))

    def lost_answer(self, commit: Commit) -> None:
        """Remember what may have been written although no answer confirmed it."""
        self._unconfirmed.update(transaction.hash for transaction in commit.transactions)

    def committed(self, commit: Commit) -> None:
        """Store what was written. It is not `fresh`: if the store answered late, others may have written since."""
        self.account = commit.after
        self.fresh = False
        self.due_writes += 1
        self.absent.clear()
        self.stored.update({transaction.transaction_id: transaction for transaction in commit.transactions})
        self.guards.update({guard.transaction_id: guard.names for guard in commit.guards})
        for change in commit.tallies:
            self.stored[change.transaction_id] = replace(
                self.stored[change.transaction_id], tally=change.after, refunded_at=change.time
            )

    def refused(self, refused: Refused) -> bool:
        """Store the current state from a refusal, and return whether it has a transaction or a guard."""
        if refused.account != self.account:
            self.account = refused.account
            self.fresh = True
        self.absent.clear()
        self.verified = False
        self.stored.update({transaction.transaction_id: transaction for transaction in refused.transactions})
        self.guards.update(refused.guards)
        return bool(refused.transactions or refused.guards)

    def answers(self) -> list[list[Outcome]]:
        """Return the outcomes, request by request."""
        outcomes = iter(self._outcomes)
        answers = [[outcome for _ in request if (outcome := next(outcomes)) is not None] for request in self._requests]
        assert all(map(eq, map(len, answers), map(len, self._requests))), "a movement was left without an outcome"
        return answers

    def _totalled(self, refund: RefundMovement) -> bool:
        name = refund.order_transaction_id
        order = self.stored.get(self.guards.get(name, name))
        return order is not None and known_total(order, order.tally) is not None

    def _count_undecided(self) -> None:
        left = [index for index, outcome in enumerate(self._outcomes) if outcome is None]
        self.undecided = left
        if self._leaning and (firm := [index for index in left if self._request_of[index] not in self._leaning]):
            self.undecided = firm


def internal(error: Exception, message: str = "") -> RetryLater:
    """Return the outcome of a bug, with the exception as its cause."""
    outcome = RetryLater(Code.INTERNAL, message or f"posting failed: {type(error).__name__}")
    outcome.__cause__ = error
    return outcome


def _spoils(outcome: Outcome, movement: Movement) -> TypeGuard[Rejected | RetryLater]:
    """Whether a movement's outcome applies to its whole message.

    It also does when a refund of an amount waits for its order: without the order's total it would be poison.
    """
    if isinstance(outcome, Rejected):
        return outcome.code not in _REFUSED_ALONE
    return isinstance(outcome, RetryLater) and outcome.code is Code.ORDER_MISSING and of_an_amount(movement)

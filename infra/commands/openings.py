"""Accounts opened with what the old service left them, each once, whatever breaks off (contract, section 20).

A merchant's old keys become guards that name its opening. Those that one write does not hold are written before it,
so that no old event finds its key free once the account is there.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.fold import ITEMS_MAX, fold
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import Commit, open_account
from chalicelib.domain.movements import TRIAL_KEY, FixedMovement, Kind
from chalicelib.domain.names import Guard
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Committed, Known, LedgerStore, Refused
from infra.commands.old_tables import OldAccount
from infra.commands.output import counted

BESIDE_THE_OPENING = ITEMS_MAX - 2
"""Keys in the write of the account and its transaction."""
AT_ONCE = ITEMS_MAX - 1
ATTEMPTS_MAX = 12
PAUSE_MAX_SECONDS = 2.0
READ_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What became of a merchant: opened now or found opened, its guards `added` now, and what is `in_the_way`."""

    merchant_id: MerchantId
    new: bool
    added: int
    in_the_way: tuple[str, ...] = ()


def standing(store: LedgerStore, accounts: Iterable[OldAccount]) -> Iterator[tuple[OldAccount, bool, str | None]]:
    """Yield each old account, whether an import has opened it before, and what is in the way of importing it."""
    rest = iter(accounts)
    while some := list(islice(rest, READ_AT_ONCE)):
        ids = [opening_id(account.merchant_id) for account in some]
        known = store.read([account.merchant_id for account in some], ids)
        for account, own_id in zip(some, ids, strict=True):
            known.require(account.merchant_id, own_id)
            transaction = known.transactions.get(own_id)
            yield account, _is_opening(transaction, account), _in_the_way(known, transaction, account)


def opening_id(merchant_id: MerchantId) -> TransactionId:
    """Return the id of the transaction that opens the merchant's account, here or by a trial."""
    return transaction_id(merchant_id, TRIAL_KEY)


class Openings:
    """Opens accounts on a ledger. `default_threshold` is the low-balance threshold that the service has, in credits."""

    def __init__(
        self,
        store: LedgerStore,
        *,
        default_threshold: int,
        now: Callable[[], Instant],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._default_threshold = default_threshold
        self._now = now
        self._sleep = sleep

    def open(self, account: OldAccount, keys: Sequence[str]) -> Opened:
        """Open the account and let every key name its opening; what is done already is left as it is.

        Raises:
            RetryLater: the store does not answer; what was written stays, and the same call continues.
        """
        own_id = opening_id(account.merchant_id)
        [(_, found, in_the_way)] = standing(self._store, [account])
        if in_the_way:
            return Opened(merchant_id=account.merchant_id, new=False, added=0, in_the_way=(in_the_way,))
        guards = [Guard(merchant_id=account.merchant_id, key=key, names=own_id) for key in keys]
        if found:
            known = self._store.read([], [guard.transaction_id for guard in guards])
            guards = [guard for guard in guards if known.guards.get(guard.transaction_id) != own_id]
        beside = [] if found else guards[:BESIDE_THE_OPENING]
        added, taken = 0, list[str]()
        rest = guards[len(beside) :]
        for start in range(0, len(rest), AT_ONCE):
            written, others = self._write(account, rest[start : start + AT_ONCE], opening=False)
            added, taken = added + written, [*taken, *others]
        if not found and not taken:
            written, taken = self._write(account, beside, opening=True)
            added += written
        return Opened(
            merchant_id=account.merchant_id, new=not found and not taken, added=added, in_the_way=tuple(taken)
        )

    def _write(self, account: OldAccount, guards: Sequence[Guard], *, opening: bool) -> tuple[int, list[str]]:
        """Write guards, beside the opening or alone; return how many were new, and what has taken the other keys."""
        left, taken = list(guards), list[str]()
        for attempt in range(ATTEMPTS_MAX):
            if not left and not opening:
                return 0, taken
            try:
                answer = self._store.commit(self._commit(account, left, opening=opening))
            except RetryLater as error:
                self._pause(attempt, error)
                continue
            if isinstance(answer, Committed):
                return len(left), taken
            if opening and answer.account is not None:
                [(_, found, in_the_way)] = standing(self._store, [account])
                # The answer of an earlier attempt was lost, or another import of the same files was first.
                return 0, taken if found else [in_the_way or "an account was opened meanwhile"]
            left, others = _without(left, answer)
            taken += others
            if taken and opening:
                return 0, taken
            if answer.contended:
                self._pause(attempt, RetryLater(Code.CONTENDED, "others write to the same keys"))
        raise RetryLater(Code.CONTENDED, f"merchant {account.merchant_id} could not be imported")

    def _commit(self, account: OldAccount, guards: Sequence[Guard], *, opening: bool) -> Commit:
        if not opening:
            left_alone = open_account(account.merchant_id, threshold=self._default_threshold, now=self._now())
            return Commit(merchant_id=account.merchant_id, before=left_alone, after=left_alone, guards=tuple(guards))
        movement = FixedMovement(
            merchant_id=account.merchant_id,
            key=TRIAL_KEY,
            reference_id=account.merchant_id,
            kind=Kind.OPENING,
            credits=account.balance,
            other_keys=tuple(guard.key for guard in guards),
        )
        decided = fold(
            account.merchant_id, None, [movement], stored={}, default_threshold=self._default_threshold, now=self._now()
        )
        assert decided.commit is not None, "nothing is known that could be in the way"
        return decided.commit

    def _pause(self, attempt: int, error: RetryLater) -> None:
        if attempt + 1 >= ATTEMPTS_MAX:
            raise error
        self._sleep(random.uniform(0, min(PAUSE_MAX_SECONDS, 0.05 * 2**attempt)))  # noqa: S311 - jitter


def _without(guards: Sequence[Guard], refused: Refused) -> tuple[list[Guard], list[str]]:
    """Return the guards that are still to be written, and a sentence for each key that another fact has."""
    transactions = {transaction.transaction_id: transaction.transaction_id for transaction in refused.transactions}
    names = {**transactions, **refused.guards}
    taken = [
        f"{guard.key} is known here already, by transaction {names[guard.transaction_id]}"
        for guard in guards
        if names.get(guard.transaction_id, guard.names) != guard.names
    ]
    return [guard for guard in guards if guard.transaction_id not in names], taken


def _is_opening(transaction: Transaction | None, account: OldAccount) -> bool:
    return transaction is not None and transaction.kind is Kind.OPENING and transaction.requested == account.balance


def _in_the_way(known: Known, transaction: Transaction | None, account: OldAccount) -> str | None:
    if _is_opening(transaction, account):
        return None
    if transaction is not None and transaction.kind is Kind.OPENING:
        return f"an import opened it with {counted(transaction.requested)}, this file says {account.balance}"
    if transaction is not None or account.merchant_id in known.accounts:
        return "it has an account already, opened by an event: nothing is added to it"
    return None

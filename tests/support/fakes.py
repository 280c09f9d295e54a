"""Fakes of the service's dependencies: in memory, with the conditions of the real ones, and faults on demand."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from chalicelib.domain.fold import ITEMS_MAX, fold
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.ledger import Account, Commit, Crossing
from chalicelib.domain.movements import Movement, grounds, names_of
from chalicelib.domain.names import torn
from chalicelib.domain.outcomes import Fold, Outcome
from chalicelib.domain.terms import TIME_TERMS, TimeTerms
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Committed, Known, LedgerStore, Refused

Fault = Exception | Callable[[Commit], Committed | Refused | None]
"""A fault of one commit: an error to raise, or an action, whose result (if any) is the store's."""

READS_MAX = 1_000
"""Rounds after which `settle` gives up on a fold that never ends."""


@dataclass
class FakeLedger:
    """The `LedgerStore` in memory: one lock makes a write atomic, as DynamoDB's transaction is.

    Each commit takes the next of `before_effect` (a fault before anything is written: its result is returned instead)
    and, if it took effect, the next of `after_effect` (a lost answer). None lets one pass. `unreadable` maps the keys
    of items that exist but cannot be read to the reason. `commits` are the writes that took effect, `tried` counts all,
    `reads` holds the keys of each read.
    """

    accounts: dict[MerchantId, Account] = field(default_factory=dict)
    transactions: dict[TransactionId, Transaction] = field(default_factory=dict)
    guards: dict[TransactionId, TransactionId] = field(default_factory=dict)
    before_effect: deque[Fault | None] = field(default_factory=deque)
    after_effect: deque[Fault | None] = field(default_factory=deque)
    read_faults: deque[Exception | None] = field(default_factory=deque)
    unreadable: dict[str, Exception] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    reads: list[tuple[tuple[MerchantId, ...], tuple[TransactionId, ...]]] = field(default_factory=list)
    tried: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def read(self, merchants: Iterable[MerchantId], transactions: Iterable[TransactionId]) -> Known:
        """Return the current accounts and transactions, all of one moment."""
        merchants, transactions = tuple(dict.fromkeys(merchants)), tuple(dict.fromkeys(transactions))
        with self._lock:
            self.reads.append((merchants, transactions))
            if self.read_faults and (fault := self.read_faults.popleft()):
                raise fault
            guards = {key: self.guards[key] for key in transactions if key in self.guards}
            transactions = tuple(dict.fromkeys((*transactions, *guards.values())))
            bad = {key: self.unreadable[key] for key in (*merchants, *transactions) if key in self.unreadable}
            for guard, named in list(guards.items()):
                if named in bad or named not in self.transactions:
                    bad[guard] = bad.get(named) or torn(guard, named)
                    del guards[guard]
            return Known(
                accounts={key: self.accounts[key] for key in merchants if key in self.accounts and key not in bad},
                transactions={
                    key: self.transactions[key] for key in transactions if key in self.transactions and key not in bad
                },
                guards=guards,
                unreadable=bad,
            )

    def commit(self, commit: Commit) -> Committed | Refused:
        """Write all of `commit` or nothing of it."""
        _check_form(commit)
        with self._lock:
            self.tried += 1
            before = self.before_effect.popleft() if self.before_effect else None
        # Not under the lock: an action may write to this ledger itself, to win the race that the commit loses.
        if (answer := _answer(before, commit)) is not None:
            return answer
        with self._lock:
            if (refused := self._refusal(commit)) is not None:
                for key in (commit.merchant_id, *(transaction.transaction_id for transaction in refused.transactions)):
                    if key in self.unreadable:
                        raise self.unreadable[key]
                return refused
            self._write(commit)
            after = self.after_effect.popleft() if self.after_effect else None
        return _answer(after, commit) or Committed()

    def history(self, merchant_id: MerchantId) -> list[Transaction]:
        """Return the merchant's transactions, oldest first."""
        transactions = (
            transaction for transaction in self.transactions.values() if transaction.merchant_id == merchant_id
        )
        return sorted(transactions, key=lambda transaction: transaction.sequence)

    def crossings(self, merchant_id: MerchantId) -> list[Crossing]:
        """Return the crossings that the merchant's writes carried, in the order of the writes."""
        return [
            crossing for commit in self.commits if commit.merchant_id == merchant_id for crossing in commit.crossings
        ]

    def _refusal(self, commit: Commit) -> Refused | None:
        account = self.accounts.get(commit.merchant_id)
        known = commit.before.version if commit.before else None
        held = not commit.writes_account or known == (account.version if account else None)
        wanted = _names(commit)
        standing = [self.transactions[name] for name in wanted if name in self.transactions]
        moved = [change for change in commit.tallies if self._tally_moved(change.transaction_id, change.before)]
        named = {name: self.guards[name] for name in wanted if name in self.guards}
        if held and not standing and not moved and not named:
            return None
        # A missing order fails its condition too, and there is no item to return.
        standing += [
            self.transactions[change.transaction_id] for change in moved if change.transaction_id in self.transactions
        ]
        return Refused(account=commit.before if held else account, transactions=tuple(standing), guards=named)

    def _tally_moved(self, order: TransactionId, before: object) -> bool:
        stored = self.transactions.get(order)
        return stored is None or stored.tally != before

    def _write(self, commit: Commit) -> None:
        if commit.writes_account:
            self.accounts[commit.merchant_id] = commit.after
        self.transactions |= {transaction.transaction_id: transaction for transaction in commit.transactions}
        self.guards |= {guard.transaction_id: guard.names for guard in commit.guards}
        for change in commit.tallies:
            order = self.transactions[change.transaction_id]
            self.transactions[change.transaction_id] = replace(order, tally=change.after, refunded_at=change.time)
        self.commits.append(commit)


@dataclass
class FakeClock:
    """A clock that does not move on its own."""

    moment: datetime = datetime(2025, 6, 1, 12, tzinfo=UTC)

    def __call__(self) -> Instant:
        """Return the time as transactions carry it."""
        return Instant(self.moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.moment.microsecond // 1000:03}Z")

    def advance(self, *, milliseconds: int) -> None:
        """Move the clock, backwards too."""
        self.moment += timedelta(milliseconds=milliseconds)


def settle(
    store: LedgerStore,
    movements: Sequence[Movement],
    *,
    now: Instant,
    default_threshold: int = 20,
    terms: TimeTerms = TIME_TERMS,
) -> list[Outcome]:
    """Post one merchant's movements with full knowledge, in as few writes as `fold` needs, and return the outcomes.

    The simplest caller of `fold`: it reads everything before every write and races with nobody.
    """
    outcomes: dict[int, Outcome] = {}
    for _ in range(READS_MAX):
        waiting = [index for index in range(len(movements)) if index not in outcomes]
        if not waiting:
            return [outcomes[index] for index in range(len(movements))]
        decided = decide(
            store,
            [movements[index] for index in waiting],
            now=now,
            default_threshold=default_threshold,
            terms=terms,
        )
        if decided.commit is not None:
            answer = store.commit(decided.commit)
            assert answer == Committed(), answer
        outcomes |= {
            index: outcome for index, outcome in zip(waiting, decided.outcomes, strict=True) if outcome is not None
        }
    raise AssertionError("the fold never ends")


def decide(
    store: LedgerStore,
    movements: Sequence[Movement],
    *,
    now: Instant,
    default_threshold: int = 20,
    terms: TimeTerms = TIME_TERMS,
) -> Fold:
    """Return the fold of one merchant's movements on the store's content, without writing it."""
    merchant_id = movements[0].merchant_id
    transactions = [name for movement in movements for name in names_of(movement)]
    transactions += [ground for movement in movements for ground in grounds(movement)]
    known = store.read([merchant_id], transactions)
    return fold(
        merchant_id,
        known.accounts.get(merchant_id),
        movements,
        stored=known.transactions,
        guards=known.guards,
        default_threshold=default_threshold,
        terms=terms,
        now=now,
    )


def _names(commit: Commit) -> list[TransactionId]:
    """Return the ids at which nothing may be yet."""
    transactions = [transaction.transaction_id for transaction in commit.transactions]
    return [*transactions, *(guard.transaction_id for guard in commit.guards)]


def _check_form(commit: Commit) -> None:
    """Refuse what DynamoDB refuses in any case: too many items, or one of them twice."""
    items = [*_names(commit), *(change.transaction_id for change in commit.tallies)]
    if 1 + len(items) > ITEMS_MAX:
        raise ValueError(f"a write holds {ITEMS_MAX} items, this one {1 + len(items)}")
    if len(set(items)) != len(items):
        raise ValueError("an item may stand once in a write")


def _answer(fault: Fault | None, commit: Commit) -> Committed | Refused | None:
    if isinstance(fault, Exception):
        raise fault
    return fault(commit) if fault is not None else None

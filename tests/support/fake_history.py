"""A merchant's history in memory: what `History` reads of the tables, from a ledger in memory."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total, Transaction
from chalicelib.ports.history import Matches, TransactionSums
from tests.support.fakes import FakeLedger


@dataclass
class FakeHistory:
    """The `HistoryReader` of a ledger; `reads` names the calls in their order.

    The index lacks its `unseen` newest transactions. A search examines `examined_max` transactions.
    """

    ledger: FakeLedger
    unseen: int = 0
    examined_max: int = 20_000
    reads: list[str] = field(default_factory=list)

    def account(self, merchant_id: MerchantId) -> Account | None:
        """Return the merchant's account."""
        self.reads.append("account")
        return self.ledger.accounts.get(merchant_id)

    def named(self, name: TransactionId) -> Transaction | None:
        """Return the transaction of the fact that has this name."""
        self.reads.append("named")
        return self.ledger.transactions.get(self.ledger.guards.get(name, name))

    def span(self, account: Account, start: Instant | None, end: Instant | None) -> tuple[int, int]:
        """Return the sequences of the transactions from `start` to `end`."""
        times: list[str] = [transaction.created_at for transaction in self.ledger.history(account.merchant_id)]
        lowest = 1 + (bisect_left(times, start) if start is not None else 0)
        return lowest, bisect_left(times, f"{end}~") if end is not None else len(times)

    def transactions(self, account: Account, lowest: int, highest: int) -> tuple[Transaction, ...]:
        """Return the transactions of these sequences, newest first."""
        self.reads.append("transactions")
        return self._between(account.merchant_id, lowest, min(highest, account.sequence - self.unseen))

    def matching(
        self, merchant_id: MerchantId, lowest: int, highest: int, *, kinds: Sequence[Kind], wanted: int
    ) -> Matches:
        """Return the transactions of these kinds, of those that are examined."""
        self.reads.append("matching")
        floor = max(lowest, highest - self.examined_max + 1)
        found = [one for one in self._between(merchant_id, floor, highest) if one.kind in kinds]
        below = found[wanted - 1].sequence - 1 if len(found) >= wanted else floor - 1
        return Matches(transactions=tuple(found[:wanted]), below=below if below >= lowest else 0)

    def newest_by(self, account: Account, lowest: int, highest: int, time: Instant) -> tuple[Transaction, ...]:
        """Return the newest of these transactions that was created by then, and those after it, oldest first."""
        self.reads.append("newest_by")
        between = self._between(account.merchant_id, lowest, highest)
        newest = next((place for place, one in enumerate(between) if one.created_at <= time), None)
        return () if newest is None else between[newest::-1]

    def sums(self, merchant_id: MerchantId, lowest: int, highest: int) -> TransactionSums:
        """Return the sums of these transactions."""
        self.reads.append("sums")
        between, totals = self._between(merchant_id, lowest, highest), dict[Kind, Total]()
        for one in between:
            known = totals.get(one.kind, Total())
            totals[one.kind] = Total(count=known.count + 1, credits=known.credits + abs(one.amount))
        return TransactionSums(
            totals=totals,
            total_shortfall=sum(one.shortfall for one in between),
            last_transaction_at=between[0].created_at if between else None,
        )

    def _between(self, merchant_id: MerchantId, lowest: int, highest: int) -> tuple[Transaction, ...]:
        found = self.ledger.history(merchant_id)
        return tuple(one for one in reversed(found) if lowest <= one.sequence <= highest)

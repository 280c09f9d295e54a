"""Checks a merchant's transactions in order: none missing, each sealed, chained, and possible.

Pure. A `Walk` takes the transactions one by one and keeps only what later ones need, so a ledger of any length can be
walked; of the orders it keeps the refunded ones.
"""

from chalicelib.domain.derivation import Derived, derived_crossings
from chalicelib.domain.findings import Drift, Finding, UnreadableTransaction
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.freeze import after as freeze_after
from chalicelib.domain.grace import DEBT, Grace, owed_by, repays, wrongly_owed
from chalicelib.domain.grace import after as grace_after
from chalicelib.domain.ids import MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import Account, decides_status
from chalicelib.domain.lots import Lots
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.replay import lots_after, wrongly_drawn, wrongly_frozen
from chalicelib.domain.runway import Use, use_after
from chalicelib.domain.tallies import Tallies
from chalicelib.domain.transactions import GENESIS_HASH, Total, Transaction, transaction_hash


class Walk:
    """One merchant's transactions, walked from the first one on. It cannot be used after `close`.

    `totals`, `total_shortfall`, `debt`, `grace`, `freeze`, `use` and `lots` are the sums and states that follow from
    the transactions; `first` and `last` are the first and last of them, `status` is the one that last switched the
    plugin, `expected` the next sequence. `newest` are the thresholds that the last one passed, `tallies` the replayed
    tallies of orders and payments. `newer` counts the transactions whose form only a newer release knows.

    `intact`: none is missing and each is sealed, so they prove what the account must be. A finding's consequences are
    not reported too: after a transaction that is missing, changed or unreadable, balances and refunds prove nothing.
    """

    def __init__(self, merchant_id: MerchantId) -> None:
        self.merchant_id = merchant_id
        self.walked = 0
        self.newer = 0
        self.first: Transaction | None = None
        self.last: Transaction | None = None
        self.status: Transaction | None = None
        self.totals: dict[Kind, Total] = {}
        self.total_shortfall = 0
        self.debt = 0
        self.use: Use | None = None
        self.grace: Grace | None = None
        self.freeze: Freeze | None = None
        self.lots: Lots = ()
        self.newest: Derived | None = None
        self.expected = 1
        self.intact = True
        self.findings: list[Finding] = []
        self.tallies = Tallies(merchant_id)
        self._pending: list[Transaction] = []
        self._torn = False

    def step(self, transaction: Transaction | UnreadableTransaction) -> None:
        """Add the next transaction, in the order of sequences; several may claim the same one."""
        self.walked += 1
        if isinstance(transaction, UnreadableTransaction):
            self._settle(None)
            self.expected = max(self.expected, transaction.sequence + 1)
            if transaction.newer:
                # It is nothing to report, and proves nothing of what comes after it.
                self.newer += 1
                self._torn, self.intact = True, False
                return
            why = f"the transaction cannot be read: {transaction.why}"
            self._tear(Drift.TRANSACTION_UNREADABLE, transaction.sequence, why, transaction.transaction_id)
            return
        if self._pending and self._pending[0].sequence != transaction.sequence:
            self._settle(transaction.previous_hash)
        self._pending.append(transaction)

    def close(self, account: Account | None) -> None:
        """Walk the pending sequence; report as missing the transactions that the account counts beyond the last one."""
        self._settle(account.hash if account else None)
        if account is not None and self.expected <= account.sequence:
            self._miss(account.sequence + 1 - self.expected)
        if self.intact:
            self.findings += self.tallies.differences()

    def _settle(self, next_hash: str | None) -> None:
        """Walk the pending sequence; of several transactions that claim it, the one that the next one follows."""
        claimants, self._pending = self._pending, []
        if not claimants:
            return
        before = self.last.hash if self.last else GENESIS_HASH
        genuine = max(
            claimants, key=lambda transaction: (transaction.hash == next_hash, transaction.previous_hash == before)
        )
        for transaction in claimants:
            if transaction is not genuine:
                detail = f"another transaction claims the sequence of {genuine.transaction_id}"
                self._report_at(transaction, Drift.TRANSACTION_INSERTED, detail)
        self._continue(genuine)

    def _continue(self, transaction: Transaction) -> None:
        if transaction.sequence > self.expected:
            self._miss(transaction.sequence - self.expected)
        sealed = transaction_hash(transaction) == transaction.hash
        before = None if self._torn else (self.last.hash if self.last else GENESIS_HASH)
        if before is not None and transaction.previous_hash != before:
            detail = "it does not follow the transaction before it: that one was changed and sealed again, or replaced"
            self._report_at(transaction, Drift.CHAIN_BROKEN, detail)
        unreadable = False
        try:
            if sealed:
                self._check(transaction)
            self._add(transaction)
        except (ArithmeticError, LookupError, ValueError):
            unreadable = True
        self.first = self.first or transaction
        self.last = transaction
        self.expected = transaction.sequence + 1
        self._torn = False
        if not sealed:
            why = "the transaction is not what its hash seals"
            self._tear(Drift.TRANSACTION_CHANGED, transaction.sequence, why, transaction.transaction_id)
        elif unreadable:
            why = "the transaction cannot be read: one of its texts is no amount, number or policy"
            self._tear(Drift.TRANSACTION_UNREADABLE, transaction.sequence, why, transaction.transaction_id)

    def _check(self, transaction: Transaction) -> None:
        balance = None if self._torn else (self.last.balance_after if self.last else 0)
        if balance is not None and transaction.balance_before != balance:
            started = f"it starts from a balance of {transaction.balance_before}"
            self._report_at(transaction, Drift.BALANCE_BROKEN, f"{started}, the transaction before it left {balance}")
        found = [_inconsistent(transaction, self.last)]
        if self.intact:
            found += [
                self._wrongly_owed(transaction),
                wrongly_frozen(self.freeze, self.grace, transaction),
                wrongly_drawn(transaction, self.lots),
            ]
        for why in filter(None, found):
            self._report_at(transaction, Drift.TRANSACTION_WRONG, why)

    def _wrongly_owed(self, transaction: Transaction) -> str | None:
        """Return why a sealed transaction's change of the debt is impossible: an inflow pays debt at once."""
        inflow = self.last is not None and repays(self.last.kind)
        due = min(self.debt, transaction.balance_before) if inflow else 0
        repaid = abs(transaction.amount) if transaction.kind is Kind.DEBT_REPAID else 0
        if repaid != due:
            return f"{repaid} credits paid debt, {due} of {self.debt} owed were due from the transaction before it"
        owed = owed_by(transaction.kind, transaction.amount, transaction.metadata) + repaid
        if not 0 <= owed <= transaction.shortfall:
            return f"it fell short of {transaction.shortfall} and made a debt of {transaction.metadata.get(DEBT)}"
        return wrongly_owed(self.grace, transaction)

    def _add(self, transaction: Transaction) -> None:
        total = self.totals.get(transaction.kind, Total())
        self.totals[transaction.kind] = Total(count=total.count + 1, credits=total.credits + abs(transaction.amount))
        self.total_shortfall += transaction.shortfall
        self.debt += owed_by(transaction.kind, transaction.amount, transaction.metadata)
        self.use = use_after(
            self.use,
            transaction.kind,
            transaction.requested,
            transaction.metadata,
            last=self.last.created_at if self.last else None,
            at=transaction.created_at,
        )
        if transaction.drawn and self.intact:
            self.lots = lots_after(transaction, self.lots)
        self.grace = grace_after(self.grace, transaction, debt=self.debt)
        self.freeze = freeze_after(self.freeze, transaction)
        if decides_status(transaction):
            self.status = transaction
        self.newest = derived_crossings(transaction, before=self.last)
        if self.intact:
            self.findings += self.tallies.take(transaction)

    def _miss(self, count: int) -> None:
        """Report that this many transactions are missing from here on."""
        sequence = self.expected
        last = sequence + count - 1
        self._tear(
            Drift.TRANSACTION_MISSING,
            sequence,
            "the transaction is missing" if count == 1 else f"the transactions {sequence} to {last} are missing",
        )

    def report(self, kind: Drift, sequence: int, detail: str, of: TransactionId | None = None) -> None:
        """Report a finding."""
        self.findings.append(
            Finding(kind=kind, merchant_id=self.merchant_id, sequence=sequence, detail=detail, transaction_id=of)
        )

    def _report_at(self, transaction: Transaction, kind: Drift, detail: str) -> None:
        self.report(kind, transaction.sequence, detail, transaction.transaction_id)

    def _tear(self, kind: Drift, sequence: int, detail: str, of: TransactionId | None = None) -> None:
        """Report a finding after which earlier transactions prove nothing."""
        self.report(kind, sequence, detail, of)
        self._torn, self.intact = True, False


def _inconsistent(transaction: Transaction, last: Transaction | None) -> str | None:
    """Return what is impossible in a transaction, although it is sealed."""
    if transaction.transaction_id != transaction_id(transaction.merchant_id, transaction.idempotency_key):
        return "its id does not follow from its merchant and key"
    if transaction.balance_after != transaction.balance_before + transaction.amount or transaction.balance_after < 0:
        return f"{transaction.balance_before} and {transaction.amount} do not make {transaction.balance_after}"
    if abs(transaction.amount) + transaction.shortfall != transaction.requested:
        moved = f"moved {transaction.amount} and fell short of {transaction.shortfall}"
        return f"it asked for {transaction.requested}, {moved}"
    if transaction.amount and (transaction.amount > 0) != (transaction.kind.direction is Direction.INCREASE):
        return f"it moved {transaction.amount} as {transaction.kind.direction}"
    if last is not None and transaction.created_at < last.created_at:
        return f"it was created at {transaction.created_at}, before the transaction it follows"
    return None

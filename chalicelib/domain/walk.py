"""Checks a merchant's transactions in order: none missing, each sealed, chained, and possible.

Pure. A `Walk` takes the transactions one by one and keeps only what later ones need, so a ledger of any length can be
walked; of the orders it keeps the refunded ones.
"""

from chalicelib.domain.debt import DEBT, owed_by, repays
from chalicelib.domain.derivation import Derived, derived_crossings
from chalicelib.domain.findings import Drift, Finding, Unreadable
from chalicelib.domain.ids import MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import GENESIS_HASH, Account, Total, Transaction, record_hash
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.runway import Use, use_after
from chalicelib.domain.tallies import Tallies


class Walk:
    """One merchant's transactions, walked from the first one on. It cannot be used after `close`.

    `totals`, `total_shortfall`, `debt` and `use` are what the transactions add up to, `first` and `last` the ends of
    them, `status` the one that switched the plugin last, `expected` the sequence that would come next. `newest` are the
    thresholds that the last one passed, `tallies` what went back of each order and payment. `newer` counts the
    transactions whose form only a newer release knows.

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
        self.newest: Derived | None = None
        self.expected = 1
        self.intact = True
        self.findings: list[Finding] = []
        self.tallies = Tallies(merchant_id)
        self._pending: list[Transaction] = []
        self._torn = False

    def step(self, record: Transaction | Unreadable) -> None:
        """Add the next transaction, in the order of sequences; several may claim the same one."""
        self.walked += 1
        if isinstance(record, Unreadable):
            self._settle(None)
            self.expected = max(self.expected, record.sequence + 1)
            if record.newer:
                # It is nothing to report, and proves nothing of what comes after it.
                self.newer += 1
                self._torn, self.intact = True, False
                return
            why = f"the record cannot be read: {record.why}"
            self._tear(Drift.RECORD_UNREADABLE, record.sequence, why, record.transaction_id)
            return
        if self._pending and self._pending[0].sequence != record.sequence:
            self._settle(record.previous_hash)
        self._pending.append(record)

    def close(self, account: Account | None) -> None:
        """Walk over what is pending; report as missing what the account counts beyond the last transaction."""
        self._settle(account.hash if account else None)
        if account is not None and self.expected <= account.sequence:
            self._miss(account.sequence + 1 - self.expected)
        if self.intact:
            self.findings += self.tallies.differences()

    def _settle(self, next_hash: str | None) -> None:
        """Walk over the pending sequence; if several transactions claim it, over the one that the next follows."""
        claimants, self._pending = self._pending, []
        if not claimants:
            return
        before = self.last.hash if self.last else GENESIS_HASH
        genuine = max(claimants, key=lambda record: (record.hash == next_hash, record.previous_hash == before))
        for record in claimants:
            if record is not genuine:
                self.report(
                    Drift.RECORD_INSERTED,
                    record.sequence,
                    f"another record claims the sequence of {genuine.transaction_id}",
                    record.transaction_id,
                )
        self._continue(genuine)

    def _continue(self, record: Transaction) -> None:
        if record.sequence > self.expected:
            self._miss(record.sequence - self.expected)
        sealed = record_hash(record) == record.hash
        before = None if self._torn else (self.last.hash if self.last else GENESIS_HASH)
        if before is not None and record.previous_hash != before:
            self.report(
                Drift.CHAIN_BROKEN,
                record.sequence,
                "it does not follow the record before it: that one was changed and sealed anew, or replaced",
                record.transaction_id,
            )
        if sealed:
            self._check(record)
        self._add(record)
        self._torn = False
        if not sealed:
            why = "the record is not what its hash seals"
            self._tear(Drift.RECORD_CHANGED, record.sequence, why, record.transaction_id)

    def _check(self, record: Transaction) -> None:
        balance = None if self._torn else (self.last.balance_after if self.last else 0)
        if balance is not None and record.balance_before != balance:
            self.report(
                Drift.BALANCE_BROKEN,
                record.sequence,
                f"it starts from a balance of {record.balance_before}, the record before it left {balance}",
                record.transaction_id,
            )
        if (why := _inconsistent(record, self.last)) is not None:
            self.report(Drift.RECORD_WRONG, record.sequence, why, record.transaction_id)
        if self.intact and (why := self._wrongly_owed(record)) is not None:
            self.report(Drift.RECORD_WRONG, record.sequence, why, record.transaction_id)

    def _wrongly_owed(self, record: Transaction) -> str | None:
        """Return why a sealed transaction changes the debt as no movement can: an inflow pays it at once."""
        inflow = self.last is not None and repays(self.last.kind)
        due = min(self.debt, record.balance_before) if inflow else 0
        repaid = abs(record.amount) if record.kind is Kind.DEBT_REPAID else 0
        if repaid != due:
            return f"{repaid} credits paid debt, {due} of {self.debt} owed were due from the record before it"
        if not 0 <= owed_by(record.kind, record.amount, record.metadata) + repaid <= record.shortfall:
            return f"it fell short of {record.shortfall} and made a debt of {record.metadata.get(DEBT)}"
        return None

    def _add(self, record: Transaction) -> None:
        total = self.totals.get(record.kind, Total())
        self.totals[record.kind] = Total(count=total.count + 1, credits=total.credits + abs(record.amount))
        self.total_shortfall += record.shortfall
        self.debt += owed_by(record.kind, record.amount, record.metadata)
        self.use = use_after(
            self.use,
            record.kind,
            record.requested,
            record.metadata,
            last=self.last.created_at if self.last else None,
            at=record.created_at,
        )
        if record.sequence == 1 or (record.balance_before > 0) != (record.balance_after > 0):
            self.status = record
        self.newest = derived_crossings(record, before=self.last)
        if self.intact:
            self.findings += self.tallies.take(record)
        self.first = self.first or record
        self.last = record
        self.expected = record.sequence + 1

    def _miss(self, count: int) -> None:
        """Report that this many transactions are missing from here on."""
        sequence = self.expected
        last = sequence + count - 1
        self._tear(
            Drift.RECORD_MISSING,
            sequence,
            "the record is missing" if count == 1 else f"the records {sequence} to {last} are missing",
        )

    def report(self, kind: Drift, sequence: int, detail: str, of: TransactionId | None = None) -> None:
        """Report a finding."""
        self.findings.append(
            Finding(kind=kind, merchant_id=self.merchant_id, sequence=sequence, detail=detail, transaction_id=of)
        )

    def _tear(self, kind: Drift, sequence: int, detail: str, of: TransactionId | None = None) -> None:
        """Report a finding after which earlier transactions prove nothing."""
        self.report(kind, sequence, detail, of)
        self._torn, self.intact = True, False


def _inconsistent(record: Transaction, last: Transaction | None) -> str | None:
    """Return what is impossible in a transaction, although it is sealed."""
    if record.transaction_id != transaction_id(record.merchant_id, record.idempotency_key):
        return "its id does not follow from its merchant and key"
    if record.balance_after != record.balance_before + record.amount or record.balance_after < 0:
        return f"{record.balance_before} and {record.amount} do not make {record.balance_after}"
    if abs(record.amount) + record.shortfall != record.requested:
        return f"it asked for {record.requested}, moved {record.amount} and fell short of {record.shortfall}"
    if record.amount and (record.amount > 0) != (record.kind.direction is Direction.INCREASE):
        return f"it moved {record.amount} as {record.kind.direction}"
    if last is not None and record.created_at < last.created_at:
        return f"it was created at {record.created_at}, before the record it follows"
    return None

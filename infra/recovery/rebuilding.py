"""`credits rebuild`: an account and the tallies of its orders' refunds, made anew from the transactions."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.domain.audit import rebuilt
from chalicelib.domain.findings import Drift, Finding
from chalicelib.domain.fold import ITEMS_MAX
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.ledger import Account, Commit, TallyChange
from chalicelib.domain.tallies import Tallies
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Committed, LedgerReader, LedgerStore
from chalicelib.usecases.checking import check

MENDED = frozenset(
    {
        Drift.ACCOUNT_MISSING,
        Drift.ACCOUNT_BALANCE,
        Drift.ACCOUNT_COUNTER,
        Drift.ACCOUNT_HASH,
        Drift.ACCOUNT_SEQUENCE,
        Drift.ACCOUNT_STATUS,
        Drift.ACCOUNT_THRESHOLD,
        Drift.ACCOUNT_TIME,
        Drift.ACCOUNT_LEVEL,
        Drift.ACCOUNT_LOTS,
        Drift.ACCOUNT_DUE,
        Drift.CROSSING_WRONG,
        Drift.TALLY_WRONG,
    }
)
"""The findings that a rebuild corrects: those of the account, and of tallies, which the refunds' transactions prove."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """The findings on a merchant's ledger, and the account and tallies that its transactions prove.

    `after` is None where they prove nothing: `broken` gives the reason, or there are no transactions. `newer`: part of
    the ledger was written by a newer release, which alone can rebuild it.
    """

    merchant_id: MerchantId
    before: Account | None
    after: Account | None
    tallies: tuple[TallyChange, ...]
    findings: tuple[Finding, ...]
    newer: bool = False

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings that no rebuild corrects: the transactions themselves must be restored first."""
        return tuple(finding for finding in self.findings if finding.kind not in MENDED)


def proposed(reader: LedgerReader, merchant_id: MerchantId, *, now: Instant, pause: Callable[[float], None]) -> Rebuild:
    """Return what a rebuild would write. The walk covers all transactions, whatever the account's sequence is."""
    checked = check(reader, merchant_id, pause=pause, now=lambda: now, to_the_end=True)
    walk = checked.walk
    found = Rebuild(
        merchant_id=merchant_id,
        before=checked.account,
        after=None,
        tallies=(),
        findings=checked.findings,
        newer=checked.newer,
    )
    if walk is None or walk.last is None or found.broken or found.newer:
        return found
    tallies = walk.tallies
    if tallies.uncounted:
        # Orders whose refunds are not on their transactions: only now is it known which orders to look at.
        tallies = Tallies(merchant_id, uncounted=tallies.uncounted)
        for page in reader.transactions(merchant_id, 1, walk.last.sequence):
            for transaction in page:
                assert isinstance(transaction, Transaction), "the transactions have just been walked"
                list(tallies.take(transaction))
    return replace(found, after=rebuilt(walk, checked.account, now=now), tallies=tuple(tallies.corrections()))


def written(store: LedgerStore, rebuild: Rebuild) -> bool:
    """Write a rebuild, and return whether it took effect; it does only while the account is the one it was made from.

    More tallies than one write can hold take several writes; a refused one leaves the rest to the next rebuild.
    """
    assert rebuild.after is not None, "only what the transactions prove is written"
    before, after, tallies = rebuild.before, rebuild.after, list(rebuild.tallies)
    while True:
        some, tallies = tallies[: ITEMS_MAX - 1], tallies[ITEMS_MAX - 1 :]
        commit = Commit(merchant_id=rebuild.merchant_id, before=before, after=after, tallies=tuple(some))
        if not isinstance(store.commit(commit), Committed):
            return False
        if not tallies:
            return True
        before, after = after, replace(after, version=after.version + 1)

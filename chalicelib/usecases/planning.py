"""Plans many adjustments at once, before any of them is applied or taken back (contract, section 17)."""

from collections.abc import Sequence

from chalicelib.domain.bulk import AdjustmentRow, Planned, applying, names_of, refuse_taken_back, undoing
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import Instant
from chalicelib.ports import LedgerStore


def plan(ledger: LedgerStore, rows: Sequence[AdjustmentRow], batch: str, *, undo: bool, now: Instant) -> list[Planned]:
    """Return what applying the rows would do one after another, or taking them back; nothing is changed.

    Raises the error of an account or transaction that cannot be read.
    """
    merchants, names = {row.merchant_id for row in rows}, names_of(rows, batch, undo=undo)
    known = ledger.read(merchants, names)
    known.require(*merchants)
    # What has lapsed is gone, whether it was posted yet or not.
    accounts = {name: as_of(account, now) for name, account in known.accounts.items()}
    planned = (undoing if undo else applying)(rows, batch, accounts, known.named(names))
    refuse_taken_back(planned, lambda undos: ledger.read([], undos).named(undos))
    return planned

"""Ledgers of payments that go back, and whether their debt is sound."""

from collections.abc import Sequence

from chalicelib.domain.audit import audit
from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.outcomes import Outcome
from tests.support.builders import NOON, SHOP
from tests.support.fakes import FakeLedger, settle


def ledger(*batches: Sequence[Movement]) -> tuple[FakeLedger, list[Outcome]]:
    store = FakeLedger()
    return store, [outcome for batch in batches for outcome in settle(store, batch, now=NOON)]


def sound(store: FakeLedger) -> None:
    """Check that the audit finds nothing, and that the debt is what reversals added less what was repaid."""
    account, transactions = store.accounts[SHOP], store.history(SHOP)
    assert audit(SHOP, account, transactions, crossings=store.commits[-1].crossings) == ()
    owed = sum(
        int(transaction.metadata.get("debt", 0)) for transaction in transactions if transaction.kind is Kind.REVERSAL
    )
    assert account.debt == owed - sum(
        abs(transaction.amount) for transaction in transactions if transaction.kind is Kind.DEBT_REPAID
    )
    assert not (account.debt and account.balance)

"""Whatever is removed from a ledger is found, and in a sound one nothing is."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.audit import audit, plausible
from chalicelib.domain.findings import Drift
from chalicelib.domain.transactions import Transaction, transaction_hash
from tests.support.books import Book, book
from tests.support.builders import NOON, SHOP, payment, refund_of, reversal, trial
from tests.support.edited_orders import version
from tests.support.fakes import FakeLedger, settle
from tests.support.histories import images


@given(places=st.sets(st.integers(0, 10), min_size=1), seed=st.integers(0, 3))
def test_whatever_is_removed_is_found(places: set[int], seed: int) -> None:
    account, transactions, crossings = book()
    left = [transaction for place, transaction in enumerate(transactions) if place not in places]

    findings = audit(SHOP, account, left, crossings=crossings)
    assert findings
    assert {finding.kind for finding in findings} == {Drift.TRANSACTION_MISSING}


def test_a_thousand_mixed_movements_of_many_merchants_have_no_finding() -> None:
    written, ledger = images(1_000, 12, seed=4)

    carried = {commit.merchant_id: commit.crossings for commit in ledger.commits}
    assert len(written) > 300
    for merchant_id, account in ledger.accounts.items():
        assert audit(merchant_id, account, ledger.history(merchant_id), crossings=carried[merchant_id]) == ()
        assert plausible(account)


def edited() -> Book:
    """Return the ledger of an order that is edited and refunded, and of a payment of which a part goes back."""
    ledger = FakeLedger()
    versions = [version(1, "40"), version(2, "90"), refund_of("1", "r1", amount="10"), version(3, "60")]
    part = reversal("p1", amount="3", payment_total="10")
    for movement in [trial(100), *versions, refund_of("1", "r2", amount="10"), payment("p1", 30), part]:
        settle(ledger, [movement], now=NOON)
    return ledger.accounts[SHOP], ledger.history(SHOP), ledger.commits[-1].crossings


@pytest.mark.parametrize("seal", [lambda one: replace(one, hash=transaction_hash(one)), lambda one: one])
@pytest.mark.parametrize("text", ["abc", "", "NaN", "sNaN"])
@pytest.mark.parametrize("ledger", [book, edited])
def test_a_text_that_is_no_amount_is_found_and_stops_no_audit(
    ledger: Callable[[], Book], text: str, seal: Callable[[Transaction], Transaction]
) -> None:
    account, transactions, crossings = ledger()
    for place, transaction in enumerate(transactions):
        for name in transaction.metadata:
            changed = seal(replace(transaction, metadata={**transaction.metadata, name: text}))
            others = [changed if at == place else one for at, one in enumerate(transactions)]

            assert audit(SHOP, account, others, crossings=crossings), (transaction.kind, name)

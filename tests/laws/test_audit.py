"""Whatever is removed from a ledger is found, and in a sound one nothing is."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.audit import audit, plausible
from chalicelib.domain.findings import Drift
from tests.support.books import book
from tests.support.builders import SHOP
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

"""Versions of an order, and what the ledger records of them."""

from collections.abc import Sequence

from chalicelib.domain.audit import audit
from chalicelib.domain.findings import Drift
from chalicelib.domain.ids import Instant, transaction_id
from chalicelib.domain.movements import Movement, OrderMovement, order_key
from chalicelib.domain.orders import Policy
from chalicelib.domain.transactions import Transaction
from tests.support.builders import NOON, SHOP, TENTH_OF_TOTAL, order, trial
from tests.support.fakes import FakeLedger, settle


def at(hour: int) -> Instant:
    return Instant(f"2026-11-01T{hour:02}:00:00.000Z")


def version(hour: int, total: str, *, policy: Policy = TENTH_OF_TOTAL, updated: bool = False) -> OrderMovement:
    return order("1", policy=policy, total=total, at=at(hour), updated=updated)


def ledger(*batches: Sequence[Movement], opening: int = 100) -> FakeLedger:
    store = FakeLedger()
    settle(store, [trial(opening)], now=NOON)
    for batch in batches:
        settle(store, batch, now=NOON)
    return store


def stored_order(store: FakeLedger) -> Transaction:
    return store.transactions[transaction_id(SHOP, order_key("1"))]


def findings(store: FakeLedger) -> list[Drift]:
    carried = [commit.crossings for commit in store.commits if commit.writes_account][-1]
    return [finding.kind for finding in audit(SHOP, store.accounts[SHOP], store.history(SHOP), crossings=carried)]

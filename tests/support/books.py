"""A ledger of many kinds of movements, to be changed by hand."""

from chalicelib.domain.ledger import Account, Crossing
from chalicelib.domain.transactions import Transaction
from tests.support.builders import NOON, SHOP, TEN_EARNED, TEN_PER_ITEM, adjustment, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, settle

Book = tuple[Account, list[Transaction], tuple[Crossing, ...]]


def book(threshold: int = 20) -> Book:
    """Return an account that the code itself wrote, its transactions of many kinds, and the crossings it carries."""
    ledger = FakeLedger()
    first = [trial(50), order("1"), order("2", policy=TEN_PER_ITEM, lines=3, total="30.00"), payment("p1", 5)]
    more = [
        refund_of("2", "a", amount="10.00"),
        order("3", policy=TEN_EARNED),
        refund_of("3"),
        refund_of("2", "b", amount="5.00", order_total="30.00"),
        adjustment("a1", -30),
        refund_of("2", "c"),
        order("4", policy=TEN_PER_ITEM, lines=9),
    ]
    for movement in first + more:
        settle(ledger, [movement], now=NOON, default_threshold=threshold)
    return ledger.accounts[SHOP], ledger.history(SHOP), ledger.commits[-1].crossings

"""Payments that go back, in every order and however often (contract, section 14)."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.outcomes import Duplicate, Posted
from chalicelib.domain.reversals import PaymentTally
from tests.support.builders import (
    LATER,
    SHOP,
    adjustment,
    dispute,
    dispute_won,
    order,
    payment,
    refund_of,
    renewal,
    reversal,
    trial,
)
from tests.support.debts import ledger, sound
from tests.support.examples import repeatable
from tests.support.fakes import settle

FEW = repeatable(60)

BACK: list[Movement] = [
    payment("p1", 30),
    payment("p2", 7),
    reversal("p1", "r1", credits_back=4),
    reversal("p1", "r2", amount="3.33", payment_total="9.99"),
    reversal("p1", refunded="3.33", payment_total="9.99"),
    reversal("p1", refunded="7.01", payment_total="9.99"),
    dispute("p1", "d1"),
    dispute("p1", "d2"),
    dispute_won("p1", "d1"),
    dispute_won("p1", "d2"),
    reversal("p2", "r3", credits_back=7),
    reversal("p2", refunded="1", payment_total="3"),
    reversal("p2", refunded="2", payment_total="3"),
    dispute("p2", "d3"),
    dispute_won("p2", "d3"),
]

SPENT: list[Movement] = [
    adjustment("down", -20),
    adjustment("up", 9),
    order("one"),
    refund_of("one"),
    renewal("2025-07", 11),
    reversal("p1", "r9", credits_back=9, owed=False),
    dispute("p2", "d9", owed=False),
    dispute_won("p2", "d9"),
]


@given(st.lists(st.sampled_from(BACK), max_size=20), st.randoms(use_true_random=False))
@FEW
def test_in_any_order_and_however_often_balance_less_debt_ends_the_same(
    movements: list[Movement], random: Random
) -> None:
    distinct = list({movement.key: movement for movement in movements}.values())
    one, _ = ledger([trial(3)], distinct, distinct)
    shuffled = [*movements, *distinct]
    random.shuffle(shuffled)
    other, _ = ledger([trial(3)], *([movement] for movement in shuffled), distinct, distinct)
    ends = [(store.accounts[SHOP].balance - store.accounts[SHOP].debt) for store in (one, other)]
    assert ends[0] == ends[1]
    sound(one)
    sound(other)


@given(st.lists(st.sampled_from([*BACK, *SPENT]), max_size=30), st.integers(0, 40))
@FEW
def test_never_more_goes_back_than_was_given_and_debt_is_accounted_for(movements: list[Movement], opening: int) -> None:
    store, _ = ledger([trial(opening)], *([movement] for movement in movements), movements)
    sound(store)
    transactions = store.history(SHOP)
    for paid in transactions:
        if paid.kind is Kind.PAYMENT:
            of_it = [one for one in transactions if one.metadata.get("payment_id") == paid.reference_id]
            back = sum(one.requested for one in of_it if one.kind is Kind.REVERSAL)
            returned = sum(one.amount for one in of_it if one.kind is Kind.REVERSAL_RETURNED)
            assert 0 <= back - returned <= paid.amount or not all(one.shortfall == 0 for one in of_it)
            tally = paid.tally or PaymentTally()
            assert 0 <= tally.credits <= paid.amount
            got = sum(abs(one.amount) + int(one.metadata.get("debt", 0)) for one in of_it if one.kind is Kind.REVERSAL)
            assert 0 <= got - returned <= paid.amount


@given(st.lists(st.sampled_from([*BACK, *SPENT]), max_size=24))
@FEW
def test_one_by_one_and_all_together_end_alike_and_redelivery_changes_nothing(movements: list[Movement]) -> None:
    together, outcomes = ledger([trial(5), *movements])
    places = {transaction.transaction_id: transaction.sequence for transaction in together.history(SHOP)}
    arranged = sorted(
        (one for one, outcome in zip(movements, outcomes[1:], strict=True) if isinstance(outcome, Posted)),
        key=lambda movement: places[movement.transaction_id],
    )
    single, _ = ledger([trial(5)], *([movement] for movement in arranged))
    assert single.history(SHOP) == together.history(SHOP)
    assert single.crossings(SHOP) == together.crossings(SHOP)
    known = (dict(together.accounts), dict(together.transactions))
    again = settle(together, arranged, now=LATER)
    assert all(isinstance(outcome, Duplicate) for outcome in again)
    assert (together.accounts, together.transactions) == known

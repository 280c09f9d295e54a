"""A ninth lot joins a later one, and the transaction notes it: nobody loses time (contract, section 16)."""

from dataclasses import replace

import pytest

from chalicelib.domain.audit import audit
from chalicelib.domain.ids import days_after
from chalicelib.domain.lots import LOTS_MAX
from tests.support.builders import NOON, SHOP, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, settle

TEN_DAYS = tuple(10 * (place + 1) for place in range(LOTS_MAX))


def full() -> FakeLedger:
    store = FakeLedger()
    grants = [replace(payment(f"p{days}", days), expires_in_days=days) for days in TEN_DAYS]
    settle(store, [trial(5), *grants], now=NOON)
    return store


def left(store: FakeLedger) -> dict[int, int]:
    days = {days_after(NOON, each): each for each in range(200)}
    return {days[lot.expires_at]: lot.credits for lot in store.accounts[SHOP].lots}


@pytest.mark.parametrize(("days", "joins", "joined"), [(5, 5, 10), (45, 45, 50), (75, 75, 80), (90, 80, 90)], ids=str)
def test_a_ninth_lot_joins_the_next_later_one_or_is_joined_by_the_latest(days: int, joins: int, joined: int) -> None:
    store = full()
    before = left(store)
    settle(store, [replace(payment("ninth", 7), expires_in_days=days)], now=NOON)

    expected = {**before, days: 7}
    expected[joined] += expected.pop(joins)
    assert left(store) == expected
    newest = store.history(SHOP)[-1]
    moved = 7 if joins == days else before[joins]
    assert newest.metadata["merged"] == f"{days_after(NOON, joins)} {days_after(NOON, joined)} {moved}"
    assert [(part.expires_at, part.credits) for part in newest.drawn] == [(days_after(NOON, days), 7)]
    carried = store.commits[-1].crossings
    assert audit(SHOP, store.accounts[SHOP], store.history(SHOP), crossings=carried) == ()


def test_more_credits_of_an_instant_that_has_a_lot_join_it_without_a_note() -> None:
    store = full()
    settle(store, [replace(payment("more", 7), expires_in_days=30)], now=NOON)

    assert left(store)[30] == 37
    assert "merged" not in store.history(SHOP)[-1].metadata


def test_what_a_refund_returns_to_a_lot_that_was_used_up_may_join_another() -> None:
    store = full()
    settle(store, [order(str(number)) for number in range(10)], now=NOON)
    settle(store, [replace(payment("ninth", 7), expires_in_days=15)], now=NOON)
    settle(store, [refund_of("9")], now=NOON)

    assert (len(left(store)), left(store)[15]) == (LOTS_MAX, 8)
    assert "merged" in store.history(SHOP)[-1].metadata
    carried = store.commits[-1].crossings
    assert audit(SHOP, store.accounts[SHOP], store.history(SHOP), crossings=carried) == ()

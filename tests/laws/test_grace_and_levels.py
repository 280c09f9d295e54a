"""What holds for grace and levels in every history (contract, section 16)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.outbound.derived import derived_events
from chalicelib.contracts.outbound.published import crossing_event
from chalicelib.domain.audit import audit
from chalicelib.domain.due import as_of
from chalicelib.domain.fold import fold
from chalicelib.domain.grace import DEBT
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.ledger import Crossing, CrossingType
from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.terms import GraceTerms, Level, TimeTerms, Unit
from chalicelib.ports import Committed
from tests.support.builders import (
    NOON,
    SHOP,
    TEN_EARNED,
    TEN_PER_ITEM,
    adjustment,
    order,
    payment,
    refund_of,
    renewal,
    reversal,
    trial,
)
from tests.support.examples import repeatable
from tests.support.fakes import FakeLedger, settle

FEW = repeatable(80)
HOURS = 24
TERMS = st.builds(
    TimeTerms,
    levels=st.sampled_from(
        [
            (),
            (
                Level(name="few", at=15, unit=Unit.CREDITS),
                Level(name="part", at=40, unit=Unit.PERCENT),
                Level(name="days", at=4, unit=Unit.DAYS),
            ),
        ]
    ),
    grace=st.sampled_from(
        [
            GraceTerms(),
            GraceTerms(hours=HOURS),
            GraceTerms(credits=25),
            GraceTerms(hours=HOURS, credits=40),
        ]
    ),
)
POOL: list[Movement] = [
    *(order(f"one{number}") for number in range(12)),
    *(order(f"ten{number}", policy=TEN_PER_ITEM, lines=1 + number) for number in range(5)),
    order("ten0", policy=TEN_PER_ITEM, lines=5, at=Instant("2025-06-03T00:00:00.000Z")),
    order("ten3", policy=TEN_PER_ITEM, lines=1, at=Instant("2025-06-04T00:00:00.000Z")),
    order("earned", policy=TEN_EARNED, total="80"),
    *(refund_of(f"ten{number}", f"part{number}", amount="1", order_total="3") for number in range(4)),
    *(refund_of(f"ten{number}") for number in range(4)),
    *(payment(f"p{number}", 7 * number) for number in range(1, 8)),
    replace(payment("lapses", 30), expires_in_days=2),
    renewal("r1", 50),
    adjustment("up", 25),
    adjustment("down", -13),
    reversal("p5", "back", credits_back=30),
]
STEPS = (0, 60, 3_600, 40_000, 86_400, 200_000, 700_000)
"""Seconds between two batches."""
batches = st.lists(st.tuples(st.sampled_from(STEPS), st.lists(st.sampled_from(POOL), max_size=6)), max_size=20)


def lived(
    credits_given: int, history: Sequence[tuple[int, list[Movement]]], terms: TimeTerms, *, swept: bool
) -> tuple[FakeLedger, Instant]:
    """Return the ledger after a history; with `swept`, what is due is brought at its very instant."""
    store, now = FakeLedger(), NOON
    settle(store, [trial(credits_given)], now=now, terms=terms)
    for seconds, movements in history:
        now = instant(datetime.fromisoformat(now) + timedelta(seconds=seconds))
        if swept:
            bring(store, now, terms)
        if movements:
            settle(store, movements, now=now, terms=terms)
        account = store.accounts[SHOP]
        carried = next(commit.crossings for commit in reversed(store.commits) if commit.writes_account)
        assert audit(SHOP, account, store.history(SHOP), crossings=carried) == ()
    return store, now


def bring(store: FakeLedger, until: Instant, terms: TimeTerms) -> None:
    while (due := store.accounts[SHOP].due_at) is not None and due <= until:
        decided = fold(SHOP, store.accounts[SHOP], [], stored={}, default_threshold=20, now=due, terms=terms)
        assert decided.commit is not None
        assert store.commit(decided.commit) == Committed()


def of_type(crossed: Sequence[Crossing], *types: CrossingType) -> list[Crossing]:
    return [one for one in crossed if one.type in types]


@FEW
@given(st.integers(0, 60), batches, TERMS, st.booleans())
def test_a_grace_owes_every_shortfall_and_the_audit_proves_it(
    credits_given: int, history: list[tuple[int, list[Movement]]], terms: TimeTerms, swept: bool
) -> None:
    store, now = lived(credits_given, history, terms, swept=swept)
    account, transactions = store.accounts[SHOP], store.history(SHOP)
    told = store.crossings(SHOP)

    starts = {one.transaction_id for one in of_type(told, CrossingType.GRACE_STARTED)}
    running, owed, until = False, 0, None
    for one in transactions:
        running = running and (until is None or one.created_at < str(until))
        if one.transaction_id in starts:
            running, until = True, one.metadata.get("grace_until")
        if one.kind is Kind.ORDER_USED or (one.kind is Kind.EDIT_REMOVED and one.metadata["policy"] != str(TEN_EARNED)):
            assert one.metadata.get(DEBT, 0) == (one.shortfall if running else 0)
        owed += int(one.metadata.get(DEBT, 0)) - (abs(one.amount) if one.kind is Kind.DEBT_REPAID else 0)
        running = running and one.metadata.get("grace") not in ("used_up", "paid")
    assert account.debt == owed
    assert not (as_of(account, now).in_grace and account.balance)


@FEW
@given(st.integers(0, 60), batches, TERMS, st.booleans())
def test_each_crossing_is_told_once_and_both_ways_alternate(
    credits_given: int, history: list[tuple[int, list[Movement]]], terms: TimeTerms, swept: bool
) -> None:
    store, _ = lived(credits_given, history, terms, swept=swept)
    account, told = store.accounts[SHOP], store.crossings(SHOP)

    switched = [one.balance > 0 for one in of_type(told, CrossingType.PLUGIN_STATUS_CHANGED)]
    assert all(first is not second for first, second in pairwise([credits_given > 0, *switched]))
    assert [credits_given > 0, *switched][-1] is account.enabled
    graces = [one.type for one in of_type(told, CrossingType.GRACE_STARTED, CrossingType.GRACE_ENDED)]
    assert (
        graces
        == [CrossingType.GRACE_STARTED, CrossingType.GRACE_ENDED] * (len(graces) // 2)
        + [CrossingType.GRACE_STARTED] * account.in_grace
    )
    for level in terms.levels or ():
        ways = [
            one.details["direction"]
            for one in of_type(told, CrossingType.LEVEL_CROSSED)
            if one.details["level"] == level.name
        ]
        assert all(first != second for first, second in pairwise(ways))
    published = [crossing_event(SHOP, one, version=place).event_id for place, one in enumerate(told)]
    assert len(set(published)) == len(published)


@FEW
@given(st.integers(0, 60), batches, TERMS)
def test_what_a_transaction_published_is_derived_from_it(
    credits_given: int, history: list[tuple[int, list[Movement]]], terms: TimeTerms
) -> None:
    store, _ = lived(credits_given, history, terms, swept=False)
    transactions = store.history(SHOP)

    again = [
        event
        for before, one in zip([None, *transactions], transactions, strict=False)
        for event in derived_events(one, before=before).of_crossings
    ]

    assert again == [
        crossing_event(SHOP, one, version=0) for one in store.crossings(SHOP) if one.transaction_id is not None
    ]


@FEW
@given(st.integers(0, 60), batches, TERMS)
def test_sweep_and_writer_come_to_the_same_end(
    credits_given: int, history: list[tuple[int, list[Movement]]], terms: TimeTerms
) -> None:
    one, now = lived(credits_given, history, terms, swept=True)
    other, _ = lived(credits_given, history, terms, swept=False)
    bring(one, now, terms)
    bring(other, now, terms)

    swept, written = one.accounts[SHOP], other.accounts[SHOP]
    assert (swept.balance, swept.debt, swept.enabled, swept.grace) == (
        written.balance,
        written.debt,
        written.enabled,
        written.grace,
    )


@FEW
@given(st.integers(1, 60), st.integers(1, 50), st.integers(0, 10**6))
def test_a_grace_keeps_the_plugin_on_until_its_very_last_instant(given_credits: int, asked: int, left: int) -> None:
    terms = TimeTerms(grace=GraceTerms(hours=HOURS))
    store = FakeLedger()
    settle(store, [trial(given_credits), order("o", policy=TEN_PER_ITEM, lines=10)], now=NOON, terms=terms)
    account = store.accounts[SHOP]
    end = datetime.fromisoformat(NOON) + timedelta(hours=HOURS)

    assert account.due_at == instant(end)
    assert as_of(account, instant(end - timedelta(milliseconds=1 + left))).enabled
    assert not as_of(account, instant(end + timedelta(milliseconds=left))).enabled


def test_an_inflow_of_no_more_than_the_debt_switches_nothing() -> None:
    terms = TimeTerms(grace=GraceTerms(credits=9))
    store = FakeLedger()
    settle(store, [trial(1), *(order(str(number)) for number in range(5))], now=NOON, terms=terms)

    settle(store, [payment("p1", 3)], now=NOON, terms=terms)
    account = store.accounts[SHOP]

    assert (account.balance, account.debt, account.in_grace) == (0, 1, True)
    assert account.grace is not None
    assert account.grace.used == 1
    assert of_type(store.crossings(SHOP), CrossingType.PLUGIN_STATUS_CHANGED) == []
    settle(store, [order("6"), order("7", policy=TEN_PER_ITEM)], now=NOON, terms=terms)
    assert [one.type for one in store.crossings(SHOP)[-2:]] == [
        CrossingType.GRACE_ENDED,
        CrossingType.PLUGIN_STATUS_CHANGED,
    ]


def test_a_new_grace_needs_a_balance_above_the_threshold_first() -> None:
    terms = TimeTerms(grace=GraceTerms(credits=2))
    store = FakeLedger()
    settle(store, [trial(1), order("1"), order("2"), order("3")], now=NOON, terms=terms)
    assert not store.accounts[SHOP].in_grace

    settle(store, [payment("p1", 3), *(order(str(number)) for number in range(4, 8))], now=NOON, terms=terms)
    assert not store.accounts[SHOP].in_grace
    settle(store, [payment("p2", 23), *(order(str(number)) for number in range(10, 33))], now=NOON, terms=terms)
    assert store.accounts[SHOP].in_grace


def test_a_balance_above_a_threshold_that_was_lowered_allows_a_new_grace() -> None:
    terms = TimeTerms(grace=GraceTerms(credits=2))
    store = FakeLedger()
    settle(store, [trial(1), order("1"), order("2"), order("3")], now=NOON, terms=terms)
    settle(store, [payment("p1", 12)], now=NOON, terms=terms)
    store.accounts[SHOP] = replace(store.accounts[SHOP], low_balance_threshold=9, threshold=9)

    settle(store, [order("4", policy=TEN_PER_ITEM)], now=NOON, terms=terms)

    account = store.accounts[SHOP]
    assert (account.balance, account.in_grace) == (0, True)
    assert audit(SHOP, account, store.history(SHOP), crossings=store.commits[-1].crossings) == ()


def test_an_order_that_was_sent_in_a_grace_and_came_after_its_end_is_not_in_it() -> None:
    terms, store = TimeTerms(grace=GraceTerms(hours=HOURS)), FakeLedger()
    settle(store, [trial(1), order("1")], now=NOON, terms=terms)
    later = instant(datetime.fromisoformat(NOON) + timedelta(hours=HOURS + 1))

    settle(store, [replace(order("2"), occurred_at=NOON)], now=later, terms=terms)

    account = store.accounts[SHOP]
    assert (account.debt, account.enabled) == (0, False)
    assert audit(SHOP, account, store.history(SHOP), crossings=store.commits[-1].crossings) == ()

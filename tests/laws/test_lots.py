"""What holds for credits that lapse in every history (contract, section 16)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.audit import audit
from chalicelib.domain.due import as_of
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import Instant, instant
from chalicelib.domain.lots import LOTS_MAX, MERGED
from chalicelib.domain.movements import FixedMovement, Kind, Movement
from chalicelib.domain.orders import Direction
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Committed
from tests.oracles.published_chain import broken_links
from tests.support.builders import (
    NOON,
    SHOP,
    TEN_EARNED,
    TEN_PER_ITEM,
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
from tests.support.examples import repeatable
from tests.support.fakes import FakeLedger, settle

FEW = repeatable(60)
DAYS = (1, 2, 3, 5, 8, 13, 21, 34, 40, 60)
STEPS = (0, 1, 3_600, 43_200, 86_399, 86_400, 200_000, 700_000, 3_000_000)
"""Seconds between two batches."""

POOL: list[Movement] = [
    *(replace(payment(f"p{days}", 7 * days), expires_in_days=days) for days in DAYS),
    *(replace(renewal(f"r{days}", 11 + days), expires_in_days=days) for days in DAYS[:5]),
    replace(adjustment("up", 9), expires_in_days=4),
    payment("for ever", 25),
    adjustment("down", -13),
    *(order(f"one{number}") for number in range(4)),
    *(order(f"ten{number}", policy=TEN_PER_ITEM, lines=2 + number) for number in range(4)),
    order("ten0", policy=TEN_PER_ITEM, lines=5, at=Instant("2025-06-03T00:00:00.000Z")),
    order("ten1", policy=TEN_PER_ITEM, lines=1, at=Instant("2025-06-04T00:00:00.000Z")),
    order("earned", policy=TEN_EARNED, total="80"),
    refund_of("one0"),
    *(refund_of(f"ten{number}", f"part{number}", amount="1", order_total="3") for number in range(4)),
    *(refund_of(f"ten{number}") for number in range(4)),
    refund_of("earned", "e1", amount="20"),
    reversal("p8", "back", credits_back=40),
    dispute("p13"),
    dispute_won("p13"),
    reversal("p40", "all", credits_back=280),
]
# All payments that lapse at once are more lots than an account keeps.
some = st.lists(st.sampled_from(POOL), max_size=5) | st.permutations(POOL[: len(DAYS)])
batches = st.lists(st.tuples(st.sampled_from(STEPS), some, st.booleans()), max_size=14)
openings = st.builds(replace, st.integers(0, 90).map(trial), expires_in_days=st.sampled_from([None, *DAYS]))


def after(time: Instant, seconds: float) -> Instant:
    return instant(datetime.fromisoformat(time) + timedelta(seconds=seconds))


def sweep(store: FakeLedger, now: Instant) -> None:
    """Bring what is due by `now`, and nothing else."""
    decided = fold(SHOP, store.accounts.get(SHOP), [], stored={}, default_threshold=20, now=now)
    if decided.commit is not None:
        assert store.commit(decided.commit) == Committed()


def lived(
    opening: Movement, history: Sequence[tuple[int, list[Movement], bool]], *, swept: bool
) -> tuple[FakeLedger, Instant]:
    """Return the ledger after a history; with `swept`, what is due is brought before each batch that asks for it."""
    store, now = FakeLedger(), NOON
    settle(store, [opening], now=now)
    for seconds, movements, sweeps in history:
        now = after(now, seconds)
        if swept and sweeps:
            sweep(store, now)
        if movements:
            settle(store, movements, now=now)
    return store, now


def put_and_taken(history: Sequence[Transaction]) -> Counter[Instant]:
    """Return what is left in each lot by the transactions alone: what was put in, less what was drawn."""
    left: Counter[Instant] = Counter()
    for one in history:
        sign = 1 if one.kind.direction is Direction.INCREASE else -1
        for part in one.drawn:
            left[part.expires_at] += sign * part.credits
        for merge in filter(None, str(one.metadata.get(MERGED, "")).split(", ")):
            joins, joined, moved = merge.split(" ")
            left[Instant(joins)] -= int(moved)
            left[Instant(joined)] += int(moved)
            assert joins < joined
    return left


def check(store: FakeLedger, now: Instant) -> None:
    """Check a ledger against nothing but itself."""
    account, history = store.accounts[SHOP], store.history(SHOP)
    in_lots = {lot.expires_at: lot.credits for lot in account.lots}
    assert +put_and_taken(history) == Counter(in_lots)
    assert sum(in_lots.values()) <= account.balance == sum(one.amount for one in history)
    assert len(in_lots) <= LOTS_MAX
    assert list(in_lots) == sorted(in_lots)
    assert all(credits_left > 0 for credits_left in in_lots.values())
    assert bool(account.lots) is (account.due_at is not None)
    assert account.due_at is None or account.due_at <= account.lots[0].expires_at
    lapsed = [one for one in history if one.kind is Kind.EXPIRY]
    assert len({one.occurred_at for one in lapsed}) == len(lapsed)
    for one in lapsed:
        assert one.occurred_at is not None
        assert one.occurred_at <= one.created_at <= now
        assert [(part.expires_at, part.credits) for part in one.drawn] == [(one.occurred_at, -one.amount)]
    assert broken_links(history) == []
    carried = next(commit.crossings for commit in reversed(store.commits) if commit.writes_account)
    assert audit(SHOP, account, history, crossings=carried, now=now) == ()


@FEW
@given(openings, batches)
def test_the_books_of_lots_hold_in_every_history(
    opening: Movement, history: list[tuple[int, list[Movement], bool]]
) -> None:
    store, now = lived(opening, history, swept=True)
    check(store, now)
    sweep(store, now)
    check(store, now)
    account = store.accounts[SHOP]
    assert account.due_at is None or account.due_at > now


@FEW
@given(openings, batches)
def test_what_is_not_brought_yet_is_brought_first_and_ends_the_same(
    opening: Movement, history: list[tuple[int, list[Movement], bool]]
) -> None:
    (swept, now), (lazy, _) = lived(opening, history, swept=True), lived(opening, history, swept=False)
    for store in (swept, lazy):
        sweep(store, now)
    one, other = swept.accounts[SHOP], lazy.accounts[SHOP]
    told = [
        [(each.kind, each.amount, each.drawn, each.idempotency_key) for each in store.history(SHOP)]
        for store in (swept, lazy)
    ]
    assert told[0] == told[1]
    assert (one.balance, one.lots, one.totals, one.due_at) == (other.balance, other.lots, other.totals, other.due_at)


@FEW
@given(openings, batches, st.sampled_from(STEPS))
def test_a_reader_sees_at_any_time_what_the_account_will_be(
    opening: Movement, history: list[tuple[int, list[Movement], bool]], seconds: int
) -> None:
    store, now = lived(opening, history, swept=False)
    now = after(now, seconds)
    seen = as_of(store.accounts[SHOP], now)
    sweep(store, now)
    account = store.accounts[SHOP]
    assert (seen.balance, seen.lots, seen.totals, seen.enabled) == (
        account.balance,
        account.lots,
        account.totals,
        account.enabled,
    )
    assert as_of(seen, now) == seen
    assert seen.due_at is None or seen.due_at > now


@FEW
@given(openings, st.lists(st.sampled_from(POOL[:17]), unique_by=lambda each: each.key), st.integers(1, 40))
def test_a_refund_at_once_leaves_the_lots_as_they_were(opening: Movement, grants: list[Movement], lines: int) -> None:
    store = FakeLedger()
    settle(store, [opening, *grants], now=NOON)
    before = store.accounts[SHOP]
    settle(store, [order("all", policy=TEN_PER_ITEM, lines=lines), refund_of("all")], now=NOON)
    assert (store.accounts[SHOP].lots, store.accounts[SHOP].balance) == (before.lots, before.balance)


@FEW
@given(
    st.lists(st.tuples(st.sampled_from(DAYS), st.integers(1, 30)), max_size=8, unique_by=lambda each: each[0]),
    st.integers(0, 50),
    st.integers(1, 200),
    st.integers(1, 300),
)
def test_an_order_takes_what_lapses_soonest_and_parts_of_its_refund_return_from_the_other_end(
    lots: list[tuple[int, int]], for_ever: int, asked: int, refunded: int
) -> None:
    store = FakeLedger()
    grants: list[Movement] = [
        FixedMovement(
            merchant_id=SHOP,
            key=f"BILLING_PAYMENT_{days}",
            reference_id=str(days),
            kind=Kind.PAYMENT,
            credits=credits_given,
            expires_in_days=days,
        )
        for days, credits_given in lots
    ]
    settle(store, [trial(for_ever), *grants], now=NOON)
    # One entry for each credit, in the order in which they are to be used.
    ends: list[int | None] = [days for days, credits_given in sorted(lots) for _ in range(credits_given)]
    ends += [None] * for_ever
    settle(store, [order("big", policy=TEN_PER_ITEM, lines=asked)], now=NOON)
    taken, left = ends[: asked * 10], ends[asked * 10 :]
    assert _left(store) == Counter(end for end in left if end is not None)
    settle(store, [refund_of("big", "part", amount=f"{refunded}", order_total="300")], now=NOON)
    back = len(taken) * refunded // 300
    returned = taken[len(taken) - back :]
    assert _left(store) == Counter(end for end in (*left, *returned) if end is not None)


def _left(store: FakeLedger) -> Counter[int]:
    """Return how many credits are left by the days after which they lapse."""
    days = {after(NOON, 86_400 * each): each for each in DAYS}
    return Counter({days[lot.expires_at]: lot.credits for lot in store.accounts[SHOP].lots})

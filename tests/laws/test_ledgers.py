"""What holds for every history of movements, however it is delivered (contract, section 2).

Each law runs on a few histories, always the same ones, in the ordinary tests, and on many more, new ones each
time, in the slow form at the end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.fold import ITEMS_MAX
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.ledger import CrossingType
from chalicelib.domain.movements import FixedMovement, Kind, Movement, OrderMovement, RefundMovement
from chalicelib.domain.orders import Direction, Tally, charge, refund
from chalicelib.domain.outcomes import Duplicate, Outcome, Posted
from chalicelib.domain.transactions import Total, Transaction
from chalicelib.ports import Committed
from chalicelib.usecases.posting import Posting
from tests.oracles.published_chain import broken_links
from tests.support.builders import (
    LATER,
    NOON,
    SHOP,
    TEN_EARNED,
    TEN_PER_ITEM,
    TENTH_OF_TOTAL,
    adjustment,
    order,
    payment,
    refund_of,
    renewal,
    trial,
)
from tests.support.calls import FakeCall
from tests.support.examples import repeatable
from tests.support.fakes import FakeClock, FakeLedger, decide, settle

MANY = settings(repeatable(1_000), derandomize=False, max_examples=1_000)

LAWS: dict[str, Callable[[], None]] = {}


def law(*strategies: st.SearchStrategy[object], few: int = 25) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Make a test of a law: on `few` histories as itself, on many in `LAWS`."""

    def made(body: Callable[..., None]) -> Callable[[], None]:
        LAWS[body.__name__] = MANY(given(*strategies)(body))
        return repeatable(few)(given(*strategies)(body))

    return made


CLEAN: list[Movement] = [
    payment("p1", 50),
    payment("p2", 7),
    renewal("2025-06", 30),
    adjustment("up", 9),
    adjustment("down", -13),
    *(order(f"one{number}") for number in range(4)),
    order("items", policy=TEN_PER_ITEM, lines=3, total="33.33"),
    order("total", policy=TENTH_OF_TOTAL, total="214.99"),
    order("huge", policy=TEN_PER_ITEM, lines=12),
    order("changed", policy=TEN_PER_ITEM, lines=2, updated=True),
    order("earned", policy=TEN_EARNED, total="80"),
    refund_of("one0"),
    refund_of("items", "i1", amount="11.11"),
    refund_of("items", "i2", amount="11.11"),
    refund_of("items", "i3", amount="5"),
    refund_of("total", "t1", amount="100", order_total="214.99"),
    refund_of("total", "t2"),
    refund_of("huge", "h1", amount="1", order_total="3"),
    refund_of("huge", "h2", amount="1", order_total="3"),
    refund_of("earned", "e1", amount="20"),
    refund_of("earned", "e2"),
]
"""Distinct movements that agree with each other in whatever order they come."""

DIRTY: list[Movement] = [
    *CLEAN,
    *CLEAN[9:],
    trial(55),
    payment("p1", 51),
    adjustment("too much", -500),
    order("one1", updated=True),
    order("items", policy=TEN_PER_ITEM, lines=4),
    order("items", policy=TEN_PER_ITEM, lines=5, updated=True),
    order("changed", policy=TEN_PER_ITEM, lines=7),
    order("bare", policy=TEN_PER_ITEM, lines=1),
    order("bare", policy=TEN_PER_ITEM, lines=1, total="10"),
    order("free", policy=TEN_PER_ITEM, lines=1, total="0"),
    order("unpriced", policy=TENTH_OF_TOTAL),
    refund_of("bare", "b1", amount="5"),
    refund_of("bare", "b2", amount="5", order_total="10"),
    refund_of("bare", "b3", amount="6", order_total="12"),
    refund_of("free", "f1", amount="5"),
    refund_of("items", "i3", amount="6"),
    refund_of("total", "t3", amount="1", order_total="215"),
    refund_of("one1", "i1"),
    refund_of("missing"),
]
"""The same with repeats, reused keys, contradictions, defects and grounds that never come."""

PRICED: list[Movement] = [
    order("1"),
    order("1", total="0"),
    order("1", total="10"),
    order("2", policy=TENTH_OF_TOTAL),
    refund_of("1", "r1", amount="5"),
    refund_of("1", "r2", amount="5", order_total="10"),
    refund_of("1", "r3", amount="3"),
    refund_of("1", "r4", amount="3", order_total="9"),
    refund_of("1", "r5"),
    refund_of("2", "r6", amount="3"),
]
"""One or two orders and their refunds, with and without the totals that they need."""

NAMESAKES: list[Movement] = [
    *PRICED,
    order("3"),
    refund_of("3", "r2", amount="5", order_total="10"),
    refund_of("3", "r5"),
]
"""The same, and refunds of another order under ids that its own have."""

TOTALS = {"items": "33.33", "total": "214.99", "huge": "3", "earned": "80"}
"""The order totals that the clean refunds of amounts are shares of."""

clean = st.lists(st.sampled_from(CLEAN), unique_by=lambda movement: movement.key, max_size=24)
dirty = st.lists(st.sampled_from(DIRTY), min_size=5, max_size=24)
trials = st.integers(0, 130).map(trial)
cuts = st.lists(st.integers(0, 24), max_size=6).map(sorted)


def delivered(movements: Sequence[Movement], at: Sequence[int]) -> Iterator[Sequence[Movement]]:
    """Cut the movements into the batches they come in."""
    for start, end in pairwise([0, *at, len(movements)]):
        if batch := movements[start:end]:
            yield batch


def ledger_of(batches: Iterator[Sequence[Movement]] | Sequence[Sequence[Movement]]) -> tuple[FakeLedger, list[Outcome]]:
    store = FakeLedger()
    outcomes = [outcome for batch in batches for outcome in settle(store, batch, now=NOON)]
    return store, outcomes


def in_a_word(outcome: Outcome) -> str:
    if isinstance(outcome, Rejected | RetryLater):
        return outcome.code
    return f"{type(outcome).__name__} {isinstance(outcome, Duplicate) and outcome.order_changed}"


def grounded(movements: Sequence[Movement]) -> list[Movement]:
    """Leave out the refunds that come before their order: alone they would wait, together they would not."""
    seen: set[str] = set()
    places = {movement.key for movement in movements if isinstance(movement, OrderMovement)}
    kept: list[Movement] = []
    for movement in movements:
        if isinstance(movement, RefundMovement):
            key = f"SHOPIFY_ORDER_{movement.order_id}"
            if key in places and key not in seen:
                continue
        elif isinstance(movement, OrderMovement):
            seen.add(movement.key)
        elif isinstance(movement, FixedMovement) and movement.kind is Kind.TRIAL:
            continue
        kept.append(movement)
    return kept


def expected_tally(refunds: Sequence[Transaction], paid: Transaction) -> Tally | None:
    """Return an order's tally as the refunds' own transactions prove it."""
    if not refunds:
        return None
    total: Decimal | None = None
    for transaction in refunds:
        named = transaction.metadata.get(
            "order_total", paid.metadata.get("total") if "refund_amount" in transaction.metadata else None
        )
        if total is None and named is not None:
            total = Decimal(named)
    return Tally(
        count=len(refunds),
        credits=sum(transaction.requested for transaction in refunds),
        money=sum((Decimal(transaction.metadata.get("refund_amount", 0)) for transaction in refunds), Decimal(0)),
        total=total,
        full=any("refund_amount" not in transaction.metadata for transaction in refunds),
    )


def check_books(store: FakeLedger) -> None:
    """Check a ledger against nothing but itself."""
    history, account = store.history(SHOP), store.accounts[SHOP]
    assert account.balance == sum(transaction.amount for transaction in history)
    assert all(transaction.balance_after >= 0 for transaction in history)
    assert [transaction.sequence for transaction in history] == list(range(1, account.sequence + 1))
    assert [transaction.balance_before for transaction in history] == [
        0,
        *(transaction.balance_after for transaction in history[:-1]),
    ]
    assert all(transaction.balance_after == transaction.balance_before + transaction.amount for transaction in history)
    assert all(transaction.requested == abs(transaction.amount) + transaction.shortfall for transaction in history)
    assert broken_links(history) == []
    assert (account.hash, account.last_transaction_id) == (history[-1].hash, history[-1].transaction_id)
    counted: Counter[Kind] = Counter(transaction.kind for transaction in history)
    moved: Counter[Kind] = Counter()
    for transaction in history:
        moved[transaction.kind] += abs(transaction.amount)
    assert account.totals == {kind: Total(count=counted[kind], credits=moved[kind]) for kind in counted}
    assert account.total_shortfall == sum(transaction.shortfall for transaction in history)
    assert account.version == len(store.commits)


def recount(movements: Sequence[Movement]) -> int:
    """Return the balance after distinct movements, one by one, by the plainest reading of the rules."""
    balance = 0
    took: dict[str, int] = {}
    share: defaultdict[str, Fraction] = defaultdict(Fraction)
    asked: defaultdict[str, int] = defaultdict(int)
    for movement in movements:
        if isinstance(movement, FixedMovement):
            change = -movement.credits if movement.kind is Kind.MANUAL_REMOVED else movement.credits
            balance += change if balance + change >= 0 else 0
        elif isinstance(movement, OrderMovement):
            price = charge(movement.policy, lines=movement.lines, total=movement.total)
            earned = movement.policy.direction is Direction.INCREASE
            took[movement.reference_id] = price if earned else -min(price, balance)
            balance += took[movement.reference_id]
        elif isinstance(movement, RefundMovement) and movement.order_id in took:
            paid = movement.order_id
            share[paid] += 1 if movement.amount is None else Fraction(movement.amount) / Fraction(TOTALS[paid])
            due = int(abs(took[paid]) * min(Fraction(1), share[paid])) - asked[paid]
            asked[paid] += due
            balance += -min(due, balance) if took[paid] > 0 else due
    return balance


@law(trials, dirty, cuts)
def test_the_books_of_every_ledger_hold(opening: Movement, movements: list[Movement], at: list[int]) -> None:
    store, _ = ledger_of([[opening], *delivered(movements, at)])
    check_books(store)


@law(trials, clean)
def test_the_balance_is_the_sum_of_the_distinct_movements(opening: Movement, movements: list[Movement]) -> None:
    movements = [opening, *grounded(movements)]
    store, _ = ledger_of([[movement] for movement in movements])
    assert store.accounts[SHOP].balance == recount(movements)


@law(trials, dirty, cuts, st.randoms(use_true_random=False))
def test_redelivery_changes_nothing(
    opening: Movement, movements: list[Movement], at: list[int], random: Random
) -> None:
    movements = [opening, *movements]
    store, outcomes = ledger_of(delivered(movements, at))
    accounts, transactions = dict(store.accounts), dict(store.transactions)
    settled = [
        movement
        for movement, outcome in zip(movements, outcomes, strict=True)
        if isinstance(outcome, Posted | Duplicate)
    ] * 2
    random.shuffle(settled)
    again = [outcome for batch in delivered(settled, at) for outcome in settle(store, batch, now=LATER)]
    assert all(isinstance(outcome, Duplicate) for outcome in again)
    assert (store.accounts, store.transactions) == (accounts, transactions)


@law(trials, dirty, cuts)
def test_one_by_one_in_any_batches_and_all_together_end_the_same(
    opening: Movement, movements: list[Movement], at: list[int]
) -> None:
    movements = [opening, *grounded(movements)]
    single, said = ledger_of([[movement] for movement in movements])
    for batches in ([movements], list(delivered(movements, at))):
        store, outcomes = ledger_of(batches)
        assert [in_a_word(outcome) for outcome in outcomes] == [in_a_word(outcome) for outcome in said]
        assert store.history(SHOP) == single.history(SHOP)
        assert store.crossings(SHOP) == single.crossings(SHOP)
        account = store.accounts[SHOP]
        assert replace(account, version=single.accounts[SHOP].version) == single.accounts[SHOP]


@law(clean, st.randoms(use_true_random=False), cuts)
def test_with_enough_credits_every_order_of_delivery_gives_the_same_balance(
    movements: list[Movement], random: Random, at: list[int]
) -> None:
    opening = trial(100_000)
    store, _ = ledger_of([[opening, *movements]])
    shuffled = [*movements]
    random.shuffle(shuffled)
    # A refund whose order comes in a later batch waits, and is delivered again with everything else.
    other, _ = ledger_of([[opening], *delivered(shuffled, at), shuffled])
    assert other.accounts[SHOP].balance == store.accounts[SHOP].balance
    assert other.accounts[SHOP].totals == store.accounts[SHOP].totals


@law(trials, clean)
def test_a_refund_never_waits_for_an_order_of_its_own_batch(opening: Movement, movements: list[Movement]) -> None:
    store, outcomes = ledger_of([[*reversed(movements), opening]])
    orders = {movement.reference_id for movement in movements if isinstance(movement, OrderMovement)}
    for movement, outcome in zip(reversed(movements), outcomes[:-1], strict=True):
        if isinstance(movement, RefundMovement):
            assert isinstance(outcome, Posted) is (movement.order_id in orders)
    places = {transaction.transaction_id: transaction.sequence for transaction in store.history(SHOP)}
    for movement in movements:
        if isinstance(movement, RefundMovement) and movement.order_id in orders:
            assert places[movement.order_transaction_id] < places[movement.transaction_id]


@law(trials, dirty, cuts)
def test_refunds_never_exceed_what_was_taken_and_prove_the_tally(
    opening: Movement, movements: list[Movement], at: list[int]
) -> None:
    store, _ = ledger_of([[opening], *delivered(movements, at)])
    refunds: defaultdict[str, list[Transaction]] = defaultdict(list)
    for transaction in store.history(SHOP):
        if transaction.kind in (Kind.REFUND_RETURNED, Kind.REFUND_TAKEN):
            refunds[str(transaction.metadata["order_id"])].append(transaction)
    for paid in store.history(SHOP):
        if paid.kind.is_order:
            tally = expected_tally(refunds[paid.reference_id], paid)
            assert paid.tally == tally
            if tally is not None:
                assert tally.credits <= abs(paid.amount)
                assert tally.credits == abs(paid.amount) or not tally.full
                assert paid.refunded_at == refunds[paid.reference_id][-1].created_at


@law(st.integers(0, 10_000), st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(0, 3_000))
def test_refunds_in_parts_give_back_what_one_refund_would(taken: int, cents: list[int], total_cents: int) -> None:
    total = Decimal(total_cents) / 100
    tally, parts = Tally(), 0
    for part in cents:
        due, tally = refund(tally, taken=taken, recorded_total=total, amount=Decimal(part) / 100, order_total=None)
        parts += due
    one, _ = refund(Tally(), taken=taken, recorded_total=None, amount=Decimal(sum(cents)) / 100, order_total=total)
    assert parts == one
    assert parts == (min(taken, taken * sum(cents) // total_cents) if total_cents else 0)
    rest, _ = refund(tally, taken=taken, recorded_total=total, amount=None, order_total=None)
    assert parts + rest == taken


@law(trials, dirty, cuts, st.lists(st.sampled_from([0, 5, 20, 40, 100]), min_size=8, max_size=8))
def test_the_crossings_told_are_those_that_the_balances_imply(
    opening: Movement, movements: list[Movement], at: list[int], thresholds: list[int]
) -> None:
    store, told = FakeLedger(), []
    for batch, threshold in zip([[opening], *delivered(movements, at)], thresholds, strict=False):
        settle(store, batch, now=NOON, default_threshold=threshold)
    history = store.history(SHOP)
    for last, transaction in pairwise(history):
        was_low, is_low = (one.balance_after <= one.threshold for one in (last, transaction))
        was_on, is_on = (one.balance_after > 0 for one in (last, transaction))
        told += [(transaction.sequence, CrossingType.LOW_BALANCE_REACHED)] * (is_low and not was_low)
        told += [(transaction.sequence, CrossingType.BALANCE_RESTORED)] * (was_low and not is_low)
        told += [(transaction.sequence, CrossingType.BALANCE_EXHAUSTED)] * (was_on and not is_on)
        told += [(transaction.sequence, CrossingType.PLUGIN_STATUS_CHANGED)] * (was_on is not is_on)
    crossings = store.crossings(SHOP)
    assert [(crossing.sequence, crossing.type) for crossing in crossings] == told
    by_sequence = {transaction.sequence: transaction for transaction in history}
    for crossing in crossings:
        transaction = by_sequence[crossing.sequence]
        assert (crossing.transaction_id, crossing.time) == (transaction.transaction_id, transaction.created_at)
        assert (crossing.balance, crossing.threshold) == (transaction.balance_after, transaction.threshold)


@law(trials, dirty, cuts, st.permutations([20, 20, 20, 20, 40, 40, 40]))
def test_a_setting_that_goes_out_bit_by_bit_changes_an_account_once(
    opening: Movement, movements: list[Movement], at: list[int], defaults: list[int]
) -> None:
    store, clock = FakeLedger(), FakeClock()
    settle(store, [opening], now=clock(), default_threshold=20)
    for batch, default in zip(delivered(movements, at), defaults, strict=False):
        clock.advance(milliseconds=400_000)
        settle(store, batch, now=clock(), default_threshold=default)
    thresholds = [transaction.threshold for transaction in store.history(SHOP)]
    assert thresholds == sorted(thresholds)
    clock.advance(milliseconds=3_600_000)
    settle(store, [order("the last")], now=clock(), default_threshold=40)
    assert store.accounts[SHOP].threshold == 40


@law(trials, dirty, cuts, st.lists(st.integers(-500, 500), min_size=8, max_size=8))
def test_time_never_runs_backwards_whatever_the_clocks_say(
    opening: Movement, movements: list[Movement], at: list[int], steps: list[int]
) -> None:
    store, clock = FakeLedger(), FakeClock()
    for batch, step in zip([[opening], *delivered(movements, at)], steps, strict=False):
        clock.advance(milliseconds=step)
        settle(store, batch, now=clock())
    times = [transaction.created_at for transaction in store.history(SHOP)]
    assert times == sorted(times)
    account = store.accounts[SHOP]
    assert account.last_transaction_at == times[-1] == account.updated_at


@law(st.lists(st.sampled_from(PRICED), max_size=3), st.lists(st.sampled_from(NAMESAKES), max_size=8), cuts)
def test_nothing_of_a_poison_message_is_applied_and_all_of_it_has_its_reason(
    before: list[Movement], batch: list[Movement], at: list[int]
) -> None:
    store, _ = ledger_of([[trial(), *before]])
    known = dict(store.transactions)
    messages = list(delivered(batch, at))

    outcomes = Posting(store, default_threshold=20).post(messages, time=FakeCall().time)

    poisoned: set[TransactionId] = set()
    recorded: set[TransactionId] = set()
    for message, of_message in zip(messages, outcomes, strict=True):
        errors = {outcome for outcome in of_message if getattr(outcome, "code", None) is Code.TOTAL_MISSING}
        assert not errors or set(of_message) == errors
        (poisoned if errors else recorded).update(movement.transaction_id for movement in message)
    assert not store.transactions.keys() - known.keys() & poisoned - recorded


@law(st.integers(0, 130), st.integers(0, 70), st.integers(0, 70), st.randoms(use_true_random=False), few=8)
def test_no_write_holds_more_items_than_it_may_and_none_is_needlessly_small(
    new: int, of_stored: int, of_new: int, random: Random
) -> None:
    store = FakeLedger()
    stored = [order(f"old{number}", policy=TEN_PER_ITEM) for number in range(40)]
    settle(store, [trial(100_000), *stored], now=NOON)
    movements: list[Movement] = [order(f"new{number}") for number in range(new)]
    movements += [
        refund_of(f"old{number % 40}", f"old{number}", amount="1", order_total="9") for number in range(of_stored)
    ]
    movements += [
        refund_of(f"new{number % new}", f"new{number}", amount="1", order_total="9")
        for number in range(of_new * bool(new))
    ]
    random.shuffle(movements)
    while movements:
        decided = decide(store, movements, now=NOON)
        assert decided.commit is not None
        items = {transaction.transaction_id for transaction in decided.commit.transactions}
        items |= {change.transaction_id for change in decided.commit.tallies}
        assert len(items) == len(decided.commit.transactions) + len(decided.commit.tallies)
        waiting = [movement for movement, outcome in zip(movements, decided.outcomes, strict=True) if outcome is None]
        assert (ITEMS_MAX - 2 if waiting else 1) <= 1 + len(items) <= ITEMS_MAX
        assert store.commit(decided.commit) == Committed()
        movements = waiting
    assert len(store.transactions) == 41 + new + of_stored + of_new * bool(new)


def needed(movement: Movement) -> list[TransactionId]:
    """Return the transactions that must be known to decide a movement: its own, and a refund's order."""
    grounds = [movement.order_transaction_id] if isinstance(movement, RefundMovement) else []
    return [movement.transaction_id, *grounds]


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_every_law_holds_for_a_thousand_histories(name: str) -> None:
    LAWS[name]()

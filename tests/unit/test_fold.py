"""Many movements of one merchant in one write: order, room, grounds and grouping (contract, "Fold")."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.fold import ITEMS_MAX, fold
from chalicelib.domain.ids import Instant, TransactionId, days_after
from chalicelib.domain.ledger import Account, CrossingType, TallyChange
from chalicelib.domain.lots import Lot
from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.orders import Tally
from chalicelib.domain.outcomes import Duplicate, Fold, Outcome, Posted
from chalicelib.domain.transactions import Transaction
from tests.support.builders import (
    LATER,
    NOON,
    SHOP,
    TEN_EARNED,
    TEN_PER_ITEM,
    TENTH_OF_TOTAL,
    account_of,
    adjustment,
    by_id,
    order,
    payment,
    refund_of,
    renewal,
    trial,
)
from tests.support.fakes import FakeLedger, decide, settle


def folded(
    account: Account | None, movements: Sequence[Movement], *, stored: Sequence[Transaction] = (), now: Instant = LATER
) -> Fold:
    return fold(SHOP, account, movements, stored=by_id(stored), default_threshold=20, now=now)


def keys(decided: Fold) -> list[str]:
    assert decided.commit is not None
    return [transaction.idempotency_key for transaction in decided.commit.transactions]


def codes(outcomes: Sequence[Outcome | None]) -> list[str | None]:
    """Return what became of each movement, in a word."""
    return [
        str(outcome.code) if isinstance(outcome, Rejected | RetryLater) else type(outcome).__name__ if outcome else None
        for outcome in outcomes
    ]


def posted(outcome: Outcome | None) -> Transaction:
    assert isinstance(outcome, Posted), outcome
    return outcome.transaction


def stored_order(order_id: str = "1", **told: object) -> Transaction:
    """Return the transaction of an order that an earlier write posted."""
    [outcome] = folded(account_of(100), [order(order_id, **told)]).outcomes  # type: ignore[arg-type] # As `order` takes.
    return posted(outcome)


def test_opening_is_one_write_with_whatever_else_is_there() -> None:
    decided = folded(None, [order("1"), trial(100), payment("p1", 50)])
    assert keys(decided) == ["TRIAL_MERCHANT", "SHOPIFY_ORDER_1", "BILLING_PAYMENT_p1"]
    assert decided.commit is not None
    assert decided.commit.before is None
    assert (decided.commit.after.version, decided.commit.after.sequence, decided.commit.after.balance) == (1, 3, 149)
    assert codes(decided.outcomes) == ["Posted"] * 3


def test_a_trial_of_zero_opens_an_account_that_is_off() -> None:
    decided = folded(None, [trial(0)])
    assert decided.commit is not None
    assert not decided.commit.after.enabled
    assert decided.commit.crossings == ()
    assert posted(decided.outcomes[0]).amount == 0


@pytest.mark.parametrize(
    "movement", [order(), refund_of(), payment(), renewal(), adjustment(), adjustment(change=-5)], ids=lambda m: m.key
)
def test_nothing_moves_before_the_account_is_there(movement: Movement) -> None:
    decided = folded(None, [movement])
    assert decided.commit is None
    [outcome] = decided.outcomes
    assert isinstance(outcome, RetryLater)
    assert outcome.code is Code.ACCOUNT_MISSING
    assert outcome.ground_missing


def test_a_refund_waits_for_its_order() -> None:
    decided = folded(account_of(100), [refund_of("1"), payment()])
    assert codes(decided.outcomes) == ["order_missing", "Posted"]
    refused = decided.outcomes[0]
    assert isinstance(refused, RetryLater)
    assert refused.ground_missing
    assert keys(decided) == ["BILLING_PAYMENT_p1"]


def test_movements_stand_as_delivered_but_behind_their_grounds() -> None:
    decided = folded(
        None,
        [
            refund_of("2", "r2"),
            order("1"),
            refund_of("1", "r1"),
            refund_of("3", "r3"),
            order("2"),
            payment(),
            order("3"),
            refund_of("2", "r4", amount="1", order_total="2"),
            trial(),
        ],
    )
    assert keys(decided) == [
        "TRIAL_MERCHANT",
        "SHOPIFY_ORDER_1",
        "SHOPIFY_REFUND_r1",
        "SHOPIFY_ORDER_2",
        "SHOPIFY_REFUND_r2",
        "BILLING_PAYMENT_p1",
        "SHOPIFY_ORDER_3",
        "SHOPIFY_REFUND_r3",
        "SHOPIFY_REFUND_r4",
    ]
    assert codes(decided.outcomes) == ["Posted"] * 9


def test_a_refund_whose_order_is_stored_keeps_its_place_before_a_repeat_of_the_order() -> None:
    decided = folded(account_of(100), [refund_of("1"), payment(), order("1")], stored=[stored_order("1")])
    assert keys(decided) == ["SHOPIFY_REFUND_ORDER_1", "BILLING_PAYMENT_p1"]


def test_outcomes_stand_in_the_order_of_the_movements() -> None:
    movements = [refund_of("1", "r1"), adjustment("a1", -1000), order("1"), trial()]
    decided = folded(None, movements)
    assert codes(decided.outcomes) == ["Posted", "insufficient_credits", "Posted", "Posted"]
    for movement, outcome in zip(movements, decided.outcomes, strict=True):
        if isinstance(outcome, Posted):
            assert outcome.transaction.idempotency_key == movement.key


def test_a_repeat_in_one_write_is_a_duplicate_and_another_content_a_conflict() -> None:
    decided = folded(account_of(100), [payment("p1", 50), payment("p1", 50), payment("p1", 51)])
    assert codes(decided.outcomes) == ["Posted", "Duplicate", "key_reused"]
    assert decided.outcomes[1] == Duplicate(posted(decided.outcomes[0]))
    assert keys(decided) == ["BILLING_PAYMENT_p1"]


def test_nothing_new_is_nothing_to_write() -> None:
    decided = folded(account_of(100), [order("1"), trial(7)], stored=[stored_order("1")])
    assert decided.commit is None
    assert decided.outcomes == (Duplicate(stored_order("1")), Duplicate(None))


def test_an_order_that_was_refunded_in_its_own_write_is_one_item_with_its_tally() -> None:
    decided = folded(
        account_of(100),
        [
            order("1", policy=TEN_PER_ITEM, lines=2, total="80"),
            refund_of("1", "r1", amount="20"),
            refund_of("1", "r2", amount="20"),
        ],
    )
    assert decided.commit is not None
    assert decided.commit.tallies == ()
    paid, first, second = decided.commit.transactions
    assert paid.tally == Tally(count=2, credits=10, money=Decimal(40), total=Decimal(80))
    assert paid.refunded_at == second.created_at == LATER
    assert [transaction.amount for transaction in (paid, first, second)] == [-20, 5, 5]


def test_two_refunds_of_a_stored_order_are_one_change_of_it() -> None:
    paid = stored_order("1", policy=TEN_PER_ITEM, lines=2)
    paid = replace(paid, tally=Tally(count=1, credits=5, money=Decimal(20), total=Decimal(80)))
    decided = folded(
        account_of(80), [refund_of("1", "r2", amount="20"), refund_of("1", "r3", amount="9.99")], stored=[paid]
    )
    assert decided.commit is not None
    assert [transaction.amount for transaction in decided.commit.transactions] == [5, 2]
    assert decided.commit.tallies == (
        TallyChange(
            transaction_id=paid.transaction_id,
            before=paid.tally,
            after=Tally(count=3, credits=12, money=Decimal("49.99"), total=Decimal(80)),
            time=LATER,
        ),
    )


def test_a_refund_is_of_what_the_order_really_took() -> None:
    short = folded(account_of(7), [order("1", policy=TEN_PER_ITEM, lines=2), refund_of("1")])
    assert short.commit is not None
    paid, refunded = short.commit.transactions
    assert (paid.amount, paid.requested, paid.shortfall) == (-7, 20, 13)
    assert (refunded.kind, refunded.amount, refunded.requested) == (Kind.REFUND_RETURNED, 7, 7)
    assert short.commit.after.balance == 7


def test_the_refund_of_an_earned_order_takes_back_at_most_what_is_left() -> None:
    store = FakeLedger()
    settle(store, [trial(0), order("1", policy=TEN_EARNED), adjustment("a1", -6)], now=NOON)
    [part, rest, none] = settle(
        store,
        [refund_of("1", "r1", amount="80", order_total="100"), refund_of("1", "r2"), refund_of("1", "r3")],
        now=LATER,
    )
    transactions = [posted(outcome) for outcome in (part, rest, none)]
    assert [
        (transaction.kind, transaction.amount, transaction.requested, transaction.shortfall)
        for transaction in transactions
    ] == [
        (Kind.REFUND_TAKEN, -4, 8, 4),
        (Kind.REFUND_TAKEN, 0, 2, 2),
        (Kind.REFUND_TAKEN, 0, 0, 0),
    ]
    assert store.accounts[SHOP].total_shortfall == 6


def test_a_refund_that_gives_back_nothing_is_recorded_too() -> None:
    decided = folded(account_of(100), [refund_of("1", amount="5", order_total="0")], stored=[stored_order("1")])
    transaction = posted(decided.outcomes[0])
    assert (transaction.amount, transaction.requested, transaction.sequence) == (0, 0, 8)
    assert decided.commit is not None
    assert decided.commit.tallies[0].after == Tally(count=1, money=Decimal(5), total=Decimal(0))


def test_a_contradicting_order_total_leaves_the_neighbours_alone() -> None:
    decided = folded(
        account_of(100),
        [
            refund_of("1", "r1", amount="5", order_total="10"),
            refund_of("1", "r2", amount="5", order_total="11"),
            payment(),
        ],
        stored=[stored_order("1", policy=TEN_PER_ITEM)],
    )
    assert codes(decided.outcomes) == ["Posted", "key_reused", "Posted"]
    assert decided.commit is not None
    assert decided.commit.tallies[0].after.count == 1


def test_the_policy_is_recorded_with_the_order() -> None:
    decided = folded(account_of(100), [order("1", policy=TENTH_OF_TOTAL, total="99.90", lines=2)])
    assert posted(decided.outcomes[0]).metadata == {"lines": 2, "total": "99.90", "policy": "DECREASE total 0 10% 0"}


def test_a_refused_decrease_changes_nothing_and_its_neighbours_go_on() -> None:
    decided = folded(account_of(5), [adjustment("a1", -6), order("1"), adjustment("a2", -4), adjustment("a3", -1)])
    assert codes(decided.outcomes) == ["insufficient_credits", "Posted", "Posted", "insufficient_credits"]
    assert decided.commit is not None
    assert (decided.commit.after.balance, decided.commit.after.sequence) == (0, 9)


def test_every_movement_of_a_write_tells_its_own_crossings() -> None:
    decided = folded(account_of(21), [order("1"), payment("p1", 5), adjustment("a1", -25), payment("p2", 1)])
    assert decided.commit is not None
    assert [(crossing.sequence, crossing.type, crossing.balance) for crossing in decided.commit.crossings] == [
        (8, CrossingType.LOW_BALANCE_REACHED, 20),
        (9, CrossingType.BALANCE_RESTORED, 25),
        (10, CrossingType.LOW_BALANCE_REACHED, 0),
        (10, CrossingType.BALANCE_EXHAUSTED, 0),
        (10, CrossingType.PLUGIN_STATUS_CHANGED, 0),
        (11, CrossingType.PLUGIN_STATUS_CHANGED, 1),
    ]


def test_the_write_rests_on_the_account_as_known_and_counts_itself_once() -> None:
    account = account_of(100)
    decided = folded(account, [order("1"), order("2"), order("3")])
    assert decided.commit is not None
    assert decided.commit.before == account
    assert decided.commit.after.version == account.version + 1
    assert decided.commit.after.sequence == account.sequence + 3
    assert decided.commit.merchant_id == SHOP


def items_of(decided: Fold) -> list[TransactionId]:
    """Return the items that a write touches beside the account."""
    assert decided.commit is not None
    return [transaction.transaction_id for transaction in decided.commit.transactions] + [
        change.transaction_id for change in decided.commit.tallies
    ]


def test_a_write_holds_the_account_and_ninety_nine_records() -> None:
    decided = folded(account_of(1000), [order(str(number)) for number in range(120)])
    assert 1 + len(items_of(decided)) == ITEMS_MAX == 100
    assert codes(decided.outcomes) == ["Posted"] * 99 + [None] * 21


def test_a_refund_of_a_stored_order_takes_two_places() -> None:
    orders = [stored_order(str(number)) for number in range(60)]
    decided = folded(account_of(1000), [refund_of(str(number)) for number in range(60)], stored=orders)
    assert len(items_of(decided)) == 98
    assert codes(decided.outcomes) == ["Posted"] * 49 + [None] * 11


def test_refunds_of_one_stored_order_and_of_orders_in_the_write_take_one_place_each() -> None:
    movements: list[Movement] = [order("new")]
    movements += [refund_of("new", f"n{number}") for number in range(48)]
    movements += [refund_of("old", f"o{number}") for number in range(60)]
    decided = folded(account_of(1000), movements, stored=[stored_order("old")])
    assert len(items_of(decided)) == 99
    assert codes(decided.outcomes) == ["Posted"] * 98 + [None] * 11


def test_what_waits_for_the_next_write_keeps_its_place() -> None:
    movements: list[Movement] = [order(str(number)) for number in range(98)]
    movements += [refund_of("old"), payment()]
    decided = folded(account_of(1000), movements, stored=[stored_order("old")])
    # The payment would still fit, but it was delivered behind the refund that does not.
    assert codes(decided.outcomes)[-2:] == [None, None]
    assert len(items_of(decided)) == 98


def test_a_whole_message_too_large_for_one_write_is_posted_in_several() -> None:
    store = FakeLedger()
    movements: list[Movement] = [trial(1000), *(order(str(number)) for number in range(100))]
    movements += [refund_of(str(number)) for number in range(0, 100, 3)]
    assert codes(settle(store, movements, now=NOON)) == ["Posted"] * 135
    assert [transaction.sequence for transaction in store.history(SHOP)] == list(range(1, 136))
    assert store.accounts[SHOP].balance == 1000 - 100 + 34
    assert len(store.commits) == 2


def test_deciding_writes_nothing() -> None:
    store = FakeLedger()
    settle(store, [trial()], now=NOON)
    before = dict(store.accounts)
    decide(store, [order("1"), payment()], now=LATER)
    assert store.accounts == before
    assert len(store.transactions) == 1


@pytest.mark.parametrize("clock", [LATER, NOON], ids=["ahead", "behind"])
@pytest.mark.parametrize("movements", [[], [order("1")]], ids=["alone", "beside an order"])
def test_a_notice_has_the_time_of_its_write_whatever_the_clock_says(clock: Instant, movements: list[Movement]) -> None:
    lot = Lot(expires_at=days_after(LATER, 7), credits=50)
    account = replace(account_of(50), lots=(lot,), due_at=LATER, updated_at=LATER)

    commit = folded(account, movements, now=clock).commit

    assert commit is not None
    assert commit.after.updated_at > LATER
    assert [(one.type, one.time) for one in commit.crossings] == [(CrossingType.EXPIRING, commit.after.updated_at)]
    assert {transaction.created_at for transaction in commit.transactions} <= {commit.after.updated_at}

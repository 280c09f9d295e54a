"""One movement applied to one account: what moves, what is recorded, what is counted."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Account, Crossing, CrossingType, open_account
from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.moving import apply
from chalicelib.domain.transactions import Total, Transaction
from tests.support.builders import LATER, NOON, SHOP, account_of, adjustment, order, payment, trial


def applied(
    account: Account,
    movement: Movement,
    kind: Kind,
    requested: int,
    *,
    now: Instant = LATER,
    default_threshold: int = 20,
) -> tuple[Account, Transaction, tuple[Crossing, ...]]:
    return apply(
        account,
        movement,
        kind=kind,
        requested=requested,
        metadata=movement.metadata,
        default_threshold=default_threshold,
        now=now,
    )


@pytest.mark.parametrize(
    ("kind", "balance", "requested", "amount", "shortfall"),
    [
        (Kind.ORDER_USED, 100, 1, -1, 0),
        (Kind.ORDER_USED, 30, 30, -30, 0),
        (Kind.ORDER_USED, 29, 30, -29, 1),
        (Kind.ORDER_USED, 0, 30, 0, 30),
        (Kind.ORDER_USED, 0, 0, 0, 0),
        (Kind.REFUND_TAKEN, 4, 10, -4, 6),
        (Kind.REFUND_TAKEN, 0, 10, 0, 10),
        (Kind.REFUND_RETURNED, 4, 10, 10, 0),
        (Kind.REFUND_RETURNED, 4, 0, 0, 0),
        (Kind.ORDER_EARNED, 0, 10, 10, 0),
        (Kind.PAYMENT, 5, 50, 50, 0),
        (Kind.SUBSCRIPTION, 5, 30, 30, 0),
        (Kind.MANUAL_ADDED, 5, 3, 3, 0),
        (Kind.MANUAL_REMOVED, 5, 5, -5, 0),
    ],
)
def test_a_movement_takes_what_is_left_and_records_the_rest_as_shortfall(
    kind: Kind, balance: int, requested: int, amount: int, shortfall: int
) -> None:
    account, transaction, _ = applied(account_of(balance), order("1"), kind, requested)
    assert (transaction.amount, transaction.requested, transaction.shortfall) == (amount, requested, shortfall)
    assert (transaction.balance_before, transaction.balance_after) == (balance, balance + amount)
    assert account.balance == balance + amount
    assert account.totals == {kind: Total(count=1, credits=abs(amount))}
    assert account.total_shortfall == shortfall


def test_an_admins_decrease_below_zero_is_refused() -> None:
    with pytest.raises(Rejected) as refused:
        applied(account_of(5), adjustment("a1", -6), Kind.MANUAL_REMOVED, 6)
    assert (refused.value.code, refused.value.field) == (Code.INSUFFICIENT_CREDITS, "credits")


def test_counts_and_sums_go_on_from_what_the_account_had() -> None:
    account = replace(
        account_of(10),
        totals={Kind.ORDER_USED: Total(count=3, credits=7), Kind.TRIAL: Total(count=1, credits=20)},
        total_shortfall=2,
    )
    after, _, _ = applied(account, order("1"), Kind.ORDER_USED, 15)
    assert after.totals == {Kind.ORDER_USED: Total(count=4, credits=17), Kind.TRIAL: Total(count=1, credits=20)}
    assert after.total_shortfall == 7


def test_a_record_says_who_asked_and_the_account_points_at_it() -> None:
    movement = replace(adjustment("a1", 5), correlation_id="c-1", occurred_at=Instant("2025-05-31T23:59:59.999Z"))
    account, transaction, _ = applied(account_of(10), movement, Kind.MANUAL_ADDED, 5)
    assert transaction.idempotency_key == "MANUAL_ADJUSTMENT_a1"
    assert (transaction.reference_id, transaction.correlation_id) == ("a1", "c-1")
    assert transaction.occurred_at == "2025-05-31T23:59:59.999Z"
    assert transaction.metadata == {"reason": "goodwill", "admin_id": "admin-7"}
    assert transaction.transaction_id == movement.transaction_id == account.last_transaction_id
    assert transaction.sequence == account.sequence == 8
    assert transaction.previous_hash == account_of(10).hash
    assert transaction.hash == account.hash
    assert transaction.created_at == account.last_transaction_at == account.updated_at == LATER
    assert account.version == account_of(10).version, "the write counts, not the movement"


@pytest.mark.parametrize(
    ("now", "expected"),
    [(LATER, LATER), (NOON, NOON), (Instant("2025-06-01T11:59:59.999Z"), NOON)],
)
def test_time_never_runs_backwards_within_an_account(now: Instant, expected: Instant) -> None:
    account, transaction, _ = applied(account_of(10), payment(), Kind.PAYMENT, 50, now=now)
    assert transaction.created_at == account.last_transaction_at == expected


def test_opening_decides_the_status_and_crosses_nothing() -> None:
    for given in (0, 5, 100):
        opened = open_account(SHOP, threshold=20, now=NOON)
        account, transaction, crossed = applied(opened, trial(given), Kind.TRIAL, given, now=NOON)
        assert crossed == ()
        assert (account.balance, account.sequence, account.enabled) == (given, 1, given > 0)
        assert (account.status_changed_at, account.status_transaction_id) == (NOON, transaction.transaction_id)
        assert account.created_at == NOON


def test_the_status_remembers_since_when_and_by_which_transaction() -> None:
    account = account_of(2)
    account, _, _ = applied(account, order("1"), Kind.ORDER_USED, 1)
    assert account.status_transaction_id is None
    account, emptied, _ = applied(account, order("2"), Kind.ORDER_USED, 1)
    assert (account.status_changed_at, account.status_transaction_id) == (LATER, emptied.transaction_id)
    account, _, _ = applied(account, order("3"), Kind.ORDER_USED, 1, now=Instant("2025-06-01T13:00:00.000Z"))
    assert account.status_transaction_id == emptied.transaction_id
    account, paid, _ = applied(account, payment(), Kind.PAYMENT, 50, now=Instant("2025-06-01T14:00:00.000Z"))
    assert (account.status_changed_at, account.status_transaction_id) == (paid.created_at, paid.transaction_id)


def test_a_crossing_carries_all_that_its_event_needs() -> None:
    movement = replace(order("1"), correlation_id="c-9")
    _, transaction, crossed = applied(account_of(21), movement, Kind.ORDER_USED, 30)
    assert [crossing.type for crossing in crossed] == [
        CrossingType.LOW_BALANCE_REACHED,
        CrossingType.BALANCE_EXHAUSTED,
        CrossingType.PLUGIN_STATUS_CHANGED,
    ]
    assert crossed[0] == Crossing(
        type=CrossingType.LOW_BALANCE_REACHED,
        transaction_id=transaction.transaction_id,
        sequence=8,
        balance=0,
        threshold=20,
        time=transaction.created_at,
        correlation_id="c-9",
    )


@pytest.mark.parametrize(("override", "expected"), [(None, 50), (35, 35), (0, 0)])
def test_the_override_of_an_admin_comes_before_the_setting(override: int | None, expected: int) -> None:
    account = replace(account_of(100), low_balance_threshold=override)
    after, transaction, _ = applied(account, order("1"), Kind.ORDER_USED, 1, default_threshold=50)
    assert after.threshold == transaction.threshold == expected
    assert after.low_balance_threshold == override


def test_a_changed_setting_is_compared_with_the_stamped_one_at_the_next_movement() -> None:
    after, transaction, crossed = applied(account_of(30), order("1"), Kind.ORDER_USED, 1, default_threshold=40)
    assert [(crossing.type, crossing.threshold) for crossing in crossed] == [(CrossingType.LOW_BALANCE_REACHED, 40)]
    assert after.threshold == transaction.threshold == 40


@pytest.mark.parametrize(
    ("balance", "enabled", "low"), [(0, False, False), (1, True, True), (20, True, True), (21, True, False)]
)
def test_an_account_is_enabled_above_zero_and_low_up_to_its_threshold(balance: int, enabled: bool, low: bool) -> None:
    account = account_of(balance, threshold=20)
    assert (account.enabled, account.low) == (enabled, low)

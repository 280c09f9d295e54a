"""Duplicate, conflict or defect: what a second delivery and an impossible message are (contract, section 2, rule 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import Instant, TransactionId
from chalicelib.domain.movements import Movement
from chalicelib.domain.orders import Basis, Policy, Tally
from chalicelib.domain.outcomes import Duplicate, Posted, compare
from chalicelib.domain.transactions import Transaction
from chalicelib.usecases.posting import Posting
from tests.support.builders import (
    LATER,
    NOON,
    ONE_PER_ORDER,
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
from tests.support.calls import FakeCall
from tests.support.fakes import FakeLedger

MINIMUM_BY_TOTAL = Policy(basis=Basis.TOTAL, fixed_amount=0, percentage=Decimal(10), minimum=5)


def recorded(movement: Movement, *, balance: int = 10_000, stored: tuple[Transaction, ...] = ()) -> Transaction:
    """Return the transaction of a movement, as the ledger keeps it."""
    decided = fold(SHOP, account_of(balance), [movement], stored=by_id(stored), default_threshold=20, now=NOON)
    [outcome] = decided.outcomes
    assert isinstance(outcome, Posted), outcome
    return outcome.transaction


def poison_of(
    messages: Sequence[Sequence[Movement]], *, stored: Mapping[TransactionId, Transaction]
) -> list[Rejected | None]:
    """Return for each message why it is poison, None where it is none, posted to a ledger that holds `stored`."""
    # An account that has counted more than those transactions: one behind them would refuse every write.
    account = replace(account_of(10_000), sequence=100)
    ledger = FakeLedger(accounts={SHOP: account}, transactions=dict(stored))
    outcomes = Posting(ledger, default_threshold=20).post(messages, time=FakeCall().time)
    refusals = [[outcome for outcome in of_one if isinstance(outcome, Rejected)] for of_one in outcomes]
    alone = (Code.KEY_REUSED, Code.INSUFFICIENT_CREDITS)
    return [next((error for error in of_one if error.code not in alone), None) for of_one in refusals]


ORDER = recorded(order("1", policy=TEN_PER_ITEM, lines=3, total="100"))
TRIAL = replace(recorded(payment("p1", 100)), idempotency_key="TRIAL_MERCHANT")


def refunded(movement: Movement) -> Transaction:
    return recorded(movement, stored=(ORDER,))


SAME = [
    pytest.param(payment("p1", 50), recorded(payment("p1", 50)), id="payment"),
    pytest.param(renewal("2025-06", 30), recorded(renewal("2025-06", 30)), id="renewal"),
    pytest.param(adjustment("a1", 5), recorded(adjustment("a1", 5)), id="adjustment up"),
    pytest.param(adjustment("a1", -5), recorded(adjustment("a1", -5)), id="adjustment down"),
    pytest.param(trial(7), TRIAL, id="any trial"),
    pytest.param(order("1"), recorded(order("1")), id="order"),
    pytest.param(order("1", lines=9, total="3"), recorded(order("1")), id="an order charged the same"),
    pytest.param(
        order("1", policy=TEN_PER_ITEM, lines=3),
        recorded(order("1", policy=TEN_PER_ITEM, lines=3), balance=7),
        id="what was asked for counts, not what was taken",
    ),
    pytest.param(
        order("1", policy=TENTH_OF_TOTAL, total="100.0"),
        recorded(order("1", policy=TENTH_OF_TOTAL, total="104.99")),
        id="totals that give the same charge",
    ),
    pytest.param(order("1", policy=TEN_PER_ITEM, lines=3), recorded(order("1")), id="policy changed to items"),
    pytest.param(order("1", policy=TEN_EARNED), recorded(order("1")), id="policy changed in direction"),
    pytest.param(order("1", policy=TENTH_OF_TOTAL), recorded(order("1")), id="policy changed to a missing total"),
    pytest.param(
        order("1", lines=3), recorded(order("1", policy=TEN_PER_ITEM, lines=3)), id="policy changed from items"
    ),
    pytest.param(
        order("1", total="80"),
        recorded(order("1", policy=MINIMUM_BY_TOTAL, total="80")),
        id="policy changed from totals",
    ),
    pytest.param(refund_of("1"), refunded(refund_of("1")), id="full refund"),
    pytest.param(
        refund_of("1", "r", amount="10.0", order_total="100"),
        refunded(refund_of("1", "r", amount="10.00", order_total="100.0")),
        id="equal money written otherwise",
    ),
]

OTHER = [
    pytest.param(payment("p1", 51), recorded(payment("p1", 50)), id="other credits paid"),
    pytest.param(renewal("2025-06", 31), recorded(renewal("2025-06", 30)), id="other credits renewed"),
    pytest.param(adjustment("a1", 6), recorded(adjustment("a1", 5)), id="other credits adjusted"),
    pytest.param(adjustment("a1", -5), recorded(adjustment("a1", 5)), id="the other direction"),
    pytest.param(
        order("1", policy=TEN_PER_ITEM, lines=4), recorded(order("1", policy=TEN_PER_ITEM, lines=3)), id="other lines"
    ),
    pytest.param(
        order("1", policy=TEN_PER_ITEM, lines=2),
        recorded(order("1", policy=TEN_PER_ITEM, lines=3), balance=20),
        id="as much as was taken, but not as was asked for",
    ),
    pytest.param(
        order("1", lines=4), recorded(order("1", policy=TEN_PER_ITEM, lines=3)), id="other lines under the old policy"
    ),
    pytest.param(
        order("1", policy=TENTH_OF_TOTAL, total="105"),
        recorded(order("1", policy=TENTH_OF_TOTAL, total="104.99")),
        id="another total",
    ),
    pytest.param(
        order("1", policy=TENTH_OF_TOTAL),
        recorded(order("1", policy=TENTH_OF_TOTAL, total="104.99")),
        id="a total that went missing",
    ),
    pytest.param(
        refund_of("1", "r", amount="11", order_total="100"),
        refunded(refund_of("1", "r", amount="10", order_total="100")),
        id="another amount",
    ),
    pytest.param(refund_of("1", "r", amount="100"), refunded(refund_of("1", "r")), id="an amount for a full refund"),
    pytest.param(
        refund_of("1", "r", amount="10", order_total="100"),
        refunded(refund_of("1", "r", amount="10")),
        id="an order total where there was none",
    ),
    pytest.param(
        refund_of("1", "r", amount="10", order_total="99"),
        refunded(refund_of("1", "r", amount="10", order_total="100")),
        id="another order total",
    ),
    pytest.param(refund_of("2", "r"), refunded(refund_of("1", "r")), id="another order"),
]


@pytest.mark.parametrize(("movement", "transaction"), SAME)
def test_the_same_content_again_is_a_duplicate(movement: Movement, transaction: Transaction) -> None:
    assert compare(movement, transaction) == Duplicate(transaction)


@pytest.mark.parametrize(("movement", "transaction"), OTHER)
def test_another_content_under_the_key_is_a_conflict(movement: Movement, transaction: Transaction) -> None:
    answer = compare(movement, transaction)
    assert isinstance(answer, Rejected)
    assert answer.code is Code.KEY_REUSED


@pytest.mark.parametrize(
    ("movement", "transaction", "field"),
    [
        (payment("p1", 8), recorded(payment("p1", 5)), "credits"),
        (adjustment("a1", -5), recorded(adjustment("a1", 5)), "operation_type"),
        (order("1", policy=TEN_PER_ITEM, lines=2), recorded(order("1", policy=TEN_PER_ITEM, lines=3)), "order_items"),
        (
            order("1", policy=TENTH_OF_TOTAL, total="200"),
            recorded(order("1", policy=TENTH_OF_TOTAL, total="100")),
            "total",
        ),
        (refund_of("2", "r"), refunded(refund_of("1", "r")), "order_id"),
        (refund_of("1", "r", amount="100"), refunded(refund_of("1", "r")), "refund_amount"),
        (
            refund_of("1", "r", amount="10", order_total="99"),
            refunded(refund_of("1", "r", amount="10", order_total="100")),
            "order_total",
        ),
    ],
)
def test_a_conflict_names_the_first_field_that_contradicts(
    movement: Movement, transaction: Transaction, field: str
) -> None:
    answer = compare(movement, transaction)
    assert isinstance(answer, Rejected)
    assert answer.field == field


@pytest.mark.parametrize(("movement", "transaction"), SAME)
def test_times_correlations_and_metadata_are_not_content(movement: Movement, transaction: Transaction) -> None:
    retold = replace(
        movement,
        correlation_id="another",
        occurred_at=Instant("2026-01-01T00:00:00.000Z"),
        reference_id="another",
        metadata={"reason": "another", "admin_id": "another"},
    )
    assert compare(retold, transaction) == Duplicate(transaction)


@pytest.mark.parametrize(
    ("first_updated", "then_updated"), [(True, False), (False, True), (True, True)], ids=["paid", "updated", "both"]
)
@pytest.mark.parametrize(("lines", "changed"), [(3, False), (4, True)], ids=["the same charge", "another charge"])
def test_an_updated_order_never_contradicts_whichever_came_first(
    first_updated: bool, then_updated: bool, lines: int, changed: bool
) -> None:
    transaction = recorded(order("1", policy=TEN_PER_ITEM, lines=3, updated=first_updated))
    again = order("1", policy=TEN_PER_ITEM, lines=lines, updated=then_updated)
    assert compare(again, transaction) == Duplicate(transaction, order_changed=changed)


def test_an_update_that_lost_its_total_is_a_changed_order_too() -> None:
    transaction = recorded(order("1", policy=TENTH_OF_TOTAL, total="100"))
    again = order("1", policy=TENTH_OF_TOTAL, updated=True)
    assert compare(again, transaction) == Duplicate(transaction, order_changed=True)


def test_a_refund_in_between_makes_its_order_no_other_order() -> None:
    transaction = replace(ORDER, tally=Tally(count=1, credits=30, full=True), refunded_at=LATER)
    assert compare(order("1", policy=TEN_PER_ITEM, lines=3), transaction) == Duplicate(transaction)


@pytest.mark.parametrize(
    "movements",
    [
        pytest.param([order("1"), order("2"), refund_of("1")], id="nothing about money"),
        pytest.param([order("1", policy=TENTH_OF_TOTAL, total="10")], id="a total to charge by"),
        pytest.param([order("9", total="10"), refund_of("9", amount="5")], id="the total of an order in the message"),
        pytest.param([refund_of("1", amount="5")], id="the total of a stored order"),
        pytest.param([refund_of("unknown", amount="5")], id="an order that may still come, with its total"),
        pytest.param([order("9"), refund_of("9", amount="5", order_total="10")], id="its own total"),
        pytest.param([order("9"), refund_of("9")], id="a full refund needs none"),
        pytest.param([order("1", policy=TENTH_OF_TOTAL)], id="a recorded order"),
        pytest.param([payment("p1", 50), adjustment("a1", -5000), trial(0), renewal()], id="amounts of their own"),
        pytest.param(
            [refund_of("tallied", amount="5", order_total="77")], id="a contradiction is a conflict, no defect"
        ),
        pytest.param([refund_of("tallied", amount="5")], id="the total that an earlier refund named"),
        pytest.param([refund_of("free", amount="5")], id="a recorded total of 0 is a total"),
        pytest.param([order("9", total="0"), refund_of("9", amount="5")], id="so is one in the message"),
    ],
)
def test_a_message_without_a_defect(movements: list[Movement]) -> None:
    tallied = replace(recorded(order("tallied")), tally=Tally(count=1, money=Decimal(1), total=Decimal(10)))
    free = recorded(order("free", total="0"))
    assert poison_of([movements], stored=by_id([ORDER, tallied, free])) == [None]


@pytest.mark.parametrize(
    ("movements", "code", "field"),
    [
        pytest.param(
            [order("8"), order("9", policy=TENTH_OF_TOTAL)], Code.TOTAL_MISSING, "total", id="no total to charge by"
        ),
        pytest.param(
            [order("9"), refund_of("9", amount="5")], Code.TOTAL_MISSING, "order_total", id="no total in the message"
        ),
        pytest.param([refund_of("bare", amount="5")], Code.TOTAL_MISSING, "order_total", id="no total in the ledger"),
        pytest.param(
            [order("9", policy=TEN_PER_ITEM, lines=100_000_001)], Code.CREDITS_INVALID, "total", id="too many credits"
        ),
    ],
)
def test_the_defect_of_one_movement_is_the_whole_messages(movements: list[Movement], code: Code, field: str) -> None:
    [found] = poison_of([movements], stored=by_id([ORDER, recorded(order("bare"))]))
    assert found is not None
    assert (found.code, found.field) == (code, field)


def test_the_total_that_one_refund_names_counts_for_the_next_also_in_another_message() -> None:
    bare = recorded(order("bare", policy=ONE_PER_ORDER))
    first, second = refund_of("bare", "r1", amount="5", order_total="10"), refund_of("bare", "r2", amount="5")
    decided = fold(SHOP, account_of(9), [first, second], stored=by_id([bare]), default_threshold=20, now=NOON)
    assert [type(outcome) for outcome in decided.outcomes] == [Posted, Posted]
    assert poison_of([[first], [second]], stored=by_id([bare])) == [None, None]


def test_the_total_that_a_repeated_order_names_is_none_on_record() -> None:
    bare = recorded(order("bare", policy=ONE_PER_ORDER))
    message = [order("bare", total="10"), refund_of("bare", "r1", amount="5")]
    [found] = poison_of([message], stored=by_id([bare]))
    assert found is not None
    assert found.code is Code.TOTAL_MISSING


def test_a_total_named_too_late_is_none() -> None:
    bare = recorded(order("bare", policy=ONE_PER_ORDER))
    message = [refund_of("bare", "r2", amount="5"), refund_of("bare", "r1", amount="5", order_total="10")]
    [found] = poison_of([message], stored=by_id([bare]))
    assert found is not None
    assert found.code is Code.TOTAL_MISSING


def test_a_total_that_only_a_rejected_message_names_counts_for_nobody() -> None:
    bare = recorded(order("bare", policy=ONE_PER_ORDER))
    priced = order("priced", policy=TENTH_OF_TOTAL)
    rejected = [refund_of("bare", "r1", amount="5", order_total="10"), priced]
    neighbour = [refund_of("bare", "r2", amount="5")]
    found = poison_of([rejected, neighbour], stored=by_id([bare]))
    assert [error.code if error else None for error in found] == [Code.TOTAL_MISSING, Code.TOTAL_MISSING]


def test_a_full_refund_is_not_rejected_for_a_poisonous_message_under_the_same_refund_id() -> None:
    bare = recorded(order("1"))
    poison, full = [refund_of("1", "r1", amount="5")], [refund_of("1", "r1")]

    for messages in ([poison, full], [full, poison]):
        found = poison_of(messages, stored=by_id([bare]))

        assert [error and str(error.code) for error in found] == [
            "total_missing" if message is poison else None for message in messages
        ]

"""Payments that go back (contract, section 14): what reversals take, what is owed, and who pays it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chalicelib.domain.audit import audit
from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.findings import Drift
from chalicelib.domain.fold import ITEMS_MAX
from chalicelib.domain.ledger import CrossingType
from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.orders import Direction
from chalicelib.domain.outcomes import Outcome
from chalicelib.domain.reversals import PaymentTally
from chalicelib.domain.transactions import Transaction, transaction_hash
from chalicelib.usecases.posting import Posting
from tests.support.builders import (
    LATER,
    SHOP,
    adjustment,
    dispute,
    dispute_won,
    known_as,
    order,
    payment,
    refund_of,
    renewal,
    reversal,
    trial,
)
from tests.support.calls import FakeCall
from tests.support.debts import ledger, sound
from tests.support.fakes import FakeLedger, decide, settle


def amounts(store: FakeLedger) -> list[tuple[str, int]]:
    return [(transaction.kind.transaction_type, transaction.amount) for transaction in store.history(SHOP)]


def words(outcomes: Sequence[Outcome]) -> list[str]:
    return [one.code if isinstance(one, Rejected | RetryLater) else type(one).__name__ for one in outcomes]


def test_a_refunded_payment_takes_its_credits_back_once() -> None:
    store, outcomes = ledger([trial(), payment("p1", 50)], [reversal(credits_back=50)], [reversal(credits_back=50)])
    assert words(outcomes) == ["Posted", "Posted", "Posted", "Duplicate"]
    assert amounts(store) == [("TRIAL", 100), ("PAYMENT", 50), ("REVERSAL", -50)]
    sound(store)


@pytest.mark.parametrize(
    ("portions", "taken"),
    [
        ([{"credits_back": 30}, {"credits_back": 30}], [30, 20]),
        ([{"amount": "1", "payment_total": "3"}] * 3, [16, 17, 17]),
        ([{"amount": "2.50", "payment_total": "3"}, {"amount": "2.50", "payment_total": "3"}], [41, 9]),
        ([{"amount": "16.2", "payment_total": "30"}], [27]),
        ([{"amount": "0", "payment_total": "3"}], [0]),
        ([{"credits_back": 10}, {"amount": "1", "payment_total": "2"}, {"credits_back": 50}], [10, 25, 15]),
    ],
    ids=str,
)
def test_reversals_in_parts_never_exceed_the_payment(portions: list[dict[str, object]], taken: list[int]) -> None:
    parts = [reversal("p1", f"r{place}", **portion) for place, portion in enumerate(portions)]  # type: ignore[arg-type]
    store, _ = ledger([trial(), payment("p1", 50)], parts)
    assert [-amount for kind, amount in amounts(store) if kind == "REVERSAL"] == taken
    sound(store)


def test_cumulative_figures_are_compared_and_never_added_up() -> None:
    figures = ["10", "25", "10", "30", "12"]
    store, outcomes = ledger(
        [trial(), payment("p1", 90)], *([reversal(refunded=figure, payment_total="30")] for figure in figures)
    )
    assert amounts(store)[2:] == [("REVERSAL", -30), ("REVERSAL", -45), ("REVERSAL", -15)]
    assert words(outcomes)[2:] == ["Posted", "Posted", "Duplicate", "Posted", "Duplicate"]
    sound(store)


def test_a_cumulative_figure_has_what_single_refunds_told_in_it() -> None:
    single = reversal("p1", "r1", amount="10", payment_total="30")
    newest = reversal(refunded="20", payment_total="30")
    ends = []
    for movements in ([single, newest], [newest, single]):
        store, _ = ledger([trial(), payment("p1", 90)], *([one] for one in movements))
        ends.append(store.accounts[SHOP].balance)
        sound(store)
    assert ends == [130, 130]


def test_a_dispute_takes_what_is_left_and_returns_it_when_it_is_won() -> None:
    store, _ = ledger(
        [trial(), payment("p1", 30)], [reversal(credits_back=10)], [dispute()], [dispute_won()], [dispute_won()]
    )
    assert amounts(store)[2:] == [("REVERSAL", -10), ("REVERSAL", -20), ("REVERSAL_RETURNED", 20)]
    assert store.accounts[SHOP].balance == 120
    sound(store)


def test_what_was_refunded_while_the_dispute_was_open_does_not_come_back() -> None:
    ends = set()
    for movements in (
        [reversal(credits_back=10), dispute(), dispute_won()],
        [dispute(), reversal(credits_back=10), dispute_won()],
        [dispute(), dispute_won(), reversal(credits_back=10)],
    ):
        store, _ = ledger([trial(), payment("p1", 30)], *([one] for one in movements))
        ends.add(store.accounts[SHOP].balance)
        sound(store)
    assert ends == {120}


def test_of_two_open_disputes_the_last_one_that_is_won_returns_all() -> None:
    store, _ = ledger(
        [trial(), payment("p1", 30)],
        [dispute("p1", "d1"), dispute("p1", "d2")],
        [dispute_won("p1", "d1")],
        [dispute_won("p1", "d2")],
    )
    assert amounts(store)[2:] == [
        ("REVERSAL", -30),
        ("REVERSAL", 0),
        ("REVERSAL_RETURNED", 0),
        ("REVERSAL_RETURNED", 30),
    ]
    sound(store)


def test_bought_spent_charged_back_bought_again() -> None:
    store, _ = ledger([trial(), payment("in_1", 50)], [adjustment("spend", -140)], [reversal("in_1", credits_back=50)])
    account = store.accounts[SHOP]
    assert (account.balance, account.debt, account.total_shortfall) == (0, 40, 40)
    sound(store)
    settle(store, [payment("in_2", 60)], now=LATER)
    assert amounts(store)[3:] == [("REVERSAL", -10), ("PAYMENT", 60), ("DEBT_REPAID", -40)]
    inflow, repaid = store.history(SHOP)[-2:]
    assert repaid.idempotency_key == f"DEBT_REPAID_{inflow.transaction_id}"
    assert len(store.commits[-1].transactions) == 2
    assert (store.accounts[SHOP].balance, store.accounts[SHOP].debt) == (20, 0)
    sound(store)


@pytest.mark.parametrize(
    "inflow",
    [payment("p2", 5), renewal("2025-07", 5), adjustment("up", 5), refund_of("paid"), dispute_won("p0", "d0")],
    ids=lambda movement: movement.key,
)
def test_every_inflow_pays_debt_first(inflow: Movement) -> None:
    store, _ = ledger(
        [trial(0), payment("p0", 5), dispute("p0", "d0"), payment("p1", 50), order("paid")],
        [adjustment("spend", -49)],
        [reversal("p1", "r1", credits_back=50)],
        [inflow],
    )
    came_in, repaid = store.history(SHOP)[-2:]
    assert came_in.kind.direction is Direction.INCREASE
    assert (repaid.kind, repaid.amount) == (Kind.DEBT_REPAID, -came_in.amount)
    assert store.accounts[SHOP].debt == 50 - came_in.amount
    sound(store)


def test_a_dispute_that_is_won_returns_what_it_made_the_shop_owe() -> None:
    store, _ = ledger([trial(0), payment("p1", 30)], [adjustment("spend", -20)], [dispute()], [dispute_won()])
    assert amounts(store)[3:] == [("REVERSAL", -10), ("REVERSAL_RETURNED", 30), ("DEBT_REPAID", -20)]
    assert (store.accounts[SHOP].balance, store.accounts[SHOP].debt) == (10, 0)
    sound(store)


def test_what_was_forgiven_is_neither_owed_nor_returned() -> None:
    store, _ = ledger([trial(0), payment("p1", 30)], [adjustment("spend", -20)], [dispute(owed=False)], [dispute_won()])
    assert amounts(store)[3:] == [("REVERSAL", -10), ("REVERSAL_RETURNED", 10)]
    assert (store.accounts[SHOP].debt, store.accounts[SHOP].total_shortfall) == (0, 20)
    sound(store)


def test_an_inflow_below_the_debt_crosses_as_two_movements_do() -> None:
    store, _ = ledger([trial(0), payment("p1", 50)], [adjustment("spend", -50)], [reversal(credits_back=50)])
    settle(store, [payment("p2", 30)], now=LATER)
    crossed = [(crossing.type, crossing.balance) for crossing in store.commits[-1].crossings]
    assert crossed == [
        (CrossingType.BALANCE_RESTORED, 30),
        (CrossingType.PLUGIN_STATUS_CHANGED, 30),
        (CrossingType.LOW_BALANCE_REACHED, 0),
        (CrossingType.BALANCE_EXHAUSTED, 0),
        (CrossingType.PLUGIN_STATUS_CHANGED, 0),
    ]
    assert not store.accounts[SHOP].enabled
    sound(store)


@pytest.mark.parametrize(
    ("movement", "code"),
    [
        (reversal("p9", credits_back=1), Code.PAYMENT_MISSING),
        (dispute("p9"), Code.PAYMENT_MISSING),
        (dispute_won("p1", "d9"), Code.DISPUTE_MISSING),
        (dispute_won("p9", "d1"), Code.PAYMENT_MISSING),
    ],
    ids=["reversal", "dispute", "won", "won without payment"],
)
def test_what_a_way_back_builds_on_is_waited_for(movement: Movement, code: Code) -> None:
    _, outcomes = ledger([trial(), payment("p1", 30)], [movement])
    assert isinstance(outcomes[-1], RetryLater)
    assert (outcomes[-1].code, outcomes[-1].ground_missing) == (code, True)


def test_grounds_of_the_same_batch_come_first() -> None:
    movements = [dispute_won(), dispute(), reversal(credits_back=1), payment("p1", 30), trial()]
    store, outcomes = ledger(movements)
    assert words(outcomes) == ["Posted"] * 5
    kinds = [transaction.kind for transaction in store.history(SHOP)]
    assert kinds == [Kind.TRIAL, Kind.PAYMENT, Kind.REVERSAL, Kind.REVERSAL, Kind.REVERSAL_RETURNED]


@pytest.mark.parametrize(
    ("again", "field"),
    [
        (reversal("p2", credits_back=10), "payment_id"),
        (reversal(credits_back=11), "credits"),
        (reversal(amount="10", payment_total="50"), "credits"),
        (dispute("p2", "d1"), "payment_id"),
        (dispute_won("p2", "d1"), "payment_id"),
    ],
    ids=["payment", "credits", "form", "dispute", "won"],
)
def test_the_same_name_with_another_content_is_a_conflict(again: Movement, field: str) -> None:
    _, outcomes = ledger(
        [trial(), payment("p1", 50), payment("p2", 50)], [reversal(credits_back=10), dispute()], [again]
    )
    assert isinstance(outcomes[-1], Rejected)
    assert (outcomes[-1].code, outcomes[-1].field) == (Code.KEY_REUSED, field)


def test_whoever_posts_finds_the_repeat_of_a_dispute_won_without_knowing_its_record() -> None:
    store = FakeLedger()
    movements: list[list[Movement]] = [[trial()], [payment("p1", 30)], [dispute()], [dispute_won()], [dispute_won()]]
    call = FakeCall()
    outcomes = [Posting(store, default_threshold=20).post([request], time=call.time)[0][0] for request in movements]
    assert words(outcomes) == ["Posted"] * 4 + ["Duplicate"]


def test_a_smaller_figure_of_another_total_contradicts() -> None:
    _, outcomes = ledger(
        [trial(), payment("p1", 50)],
        [reversal(refunded="2", payment_total="5"), reversal(refunded="1", payment_total="6")],
    )
    assert words(outcomes)[-1] == Code.KEY_REUSED


def test_another_total_of_the_payment_contradicts() -> None:
    _, outcomes = ledger(
        [trial(), payment("p1", 50)],
        [reversal("p1", "r1", amount="1", payment_total="5"), reversal("p1", "r2", amount="1", payment_total="6")],
    )
    assert isinstance(outcomes[-1], Rejected)
    assert (outcomes[-1].code, outcomes[-1].field) == (Code.KEY_REUSED, "payment_total")


def test_a_write_has_room_for_what_inflows_pay() -> None:
    store, _ = ledger([trial(0), payment("p1", 500)], [adjustment("spend", -500)], [reversal(credits_back=500)])
    movements = [payment(f"in_{number}", 1) for number in range(120)]
    first = decide(store, movements, now=LATER)
    assert first.commit is not None
    items = 1 + len(first.commit.transactions) + len(first.commit.tallies)
    assert ITEMS_MAX - 2 < items <= ITEMS_MAX
    settle(store, movements, now=LATER)
    assert store.accounts[SHOP].debt == 500 - 120
    sound(store)


def test_a_write_has_room_for_the_name_under_which_a_dispute_was_won() -> None:
    names = [(f"p{number}", f"d{number}") for number in range(40)]
    store, _ = ledger(
        [trial(0)],
        [payment(paid, 1) for paid, _ in names],
        [known_as(dispute(paid, name), dispute(paid, f"{name}-too")) for paid, name in names],
    )
    before = len(store.commits)
    settle(store, [adjustment("up", 1), *(dispute_won(paid, f"{name}-too") for paid, name in names)], now=LATER)
    items = [
        1 + len(commit.transactions) + len(commit.guards) + len(commit.tallies) for commit in store.commits[before:]
    ]
    assert ITEMS_MAX - 3 < max(items) <= ITEMS_MAX
    assert store.accounts[SHOP].balance == 41
    sound(store)


def resealed(transaction: Transaction, **changed: object) -> Transaction:
    forged = replace(transaction, **changed)  # type: ignore[arg-type]
    return replace(forged, hash=transaction_hash(forged))


def test_the_audit_finds_a_wrong_debt_tally_and_repayment() -> None:
    store, _ = ledger(
        [trial(0), payment("p1", 50)], [adjustment("spend", -40)], [reversal(credits_back=50)], [payment("p2", 60)]
    )
    account, transactions = store.accounts[SHOP], store.history(SHOP)
    assert audit(SHOP, account, transactions, crossings=store.commits[-1].crossings) == ()
    carried = store.commits[-1].crossings
    found = audit(SHOP, replace(account, debt=3), transactions, crossings=carried)
    assert {finding.kind for finding in found} == {Drift.ACCOUNT_COUNTER}
    tallied = replace(transactions[1], tally=replace(transactions[1].tally or PaymentTally(), credits=49))
    found = audit(SHOP, account, [transactions[0], tallied, *transactions[2:]], crossings=carried)
    assert [finding.kind for finding in found] == [Drift.TALLY_WRONG]
    unpaid = audit(SHOP, replace(account, hash=transactions[-2].hash), transactions[:-1])
    assert Drift.TRANSACTION_MISSING in {finding.kind for finding in unpaid}
    doubled = resealed(transactions[-1], amount=-41, requested=41, balance_after=19)
    assert Drift.TRANSACTION_WRONG in {finding.kind for finding in audit(SHOP, account, [*transactions[:-1], doubled])}

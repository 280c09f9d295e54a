"""One fact has many names: its first one records it, and every other means the same (contract, section 13)."""

from collections import deque
from dataclasses import replace
from itertools import permutations

import pytest

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.fold import ITEMS_MAX
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Outcome, Posted
from chalicelib.ports import Committed, Refused
from chalicelib.usecases.posting import Posting
from tests.support.builders import NOON, SHOP, adjustment, known_as, order, payment, refund_of, renewal, trial
from tests.support.calls import FakeCall
from tests.support.fakes import FakeLedger, settle


def opened() -> FakeLedger:
    ledger = FakeLedger()
    settle(ledger, [trial()], now=NOON)
    return ledger


def posted(ledger: FakeLedger, *movements: Movement) -> list[Outcome]:
    """Post the movements in one batch, in a container that knows nothing, and return their outcomes."""
    outcomes = Posting(ledger, default_threshold=20).post([[movement] for movement in movements], time=FakeCall().time)
    return [outcome for [outcome] in outcomes]


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [
        outcome.code if isinstance(outcome, Rejected | RetryLater) else type(outcome).__name__ for outcome in outcomes
    ]


SAME = [
    (payment("cs", 50), payment("in", 50), payment("pi", 50)),
    (renewal("in_2"), renewal("2025-06"), renewal("key")),
    (order("1"), order("1001"), order("A")),
    (adjustment("a", 5), adjustment("b", 5), adjustment("c", 5)),
    (adjustment("a", -5), adjustment("b", -5), adjustment("c", -5)),
]
IDS = ["payment", "renewal", "order", "increase", "decrease"]


@pytest.mark.parametrize("fact", SAME, ids=IDS)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after another"])
def test_a_fact_moves_credits_once_under_whichever_of_its_names_it_comes(
    fact: tuple[Movement, ...], together: bool
) -> None:
    for first, second, third in permutations(fact):
        ledger = opened()
        deliveries = [known_as(first, second), known_as(second, third), third, first]

        outcomes = posted(ledger, *deliveries) if together else [posted(ledger, one)[0] for one in deliveries]

        assert kinds(outcomes) == ["Posted", "Duplicate", "Duplicate", "Duplicate"]
        assert len(ledger.history(SHOP)) == 2
        met = [outcome.transaction for outcome in outcomes if isinstance(outcome, Posted | Duplicate)]
        assert met == [ledger.history(SHOP)[1]] * 4


def test_names_that_share_a_fold_are_decided_without_a_second_write() -> None:
    ledger = opened()
    before = ledger.tried

    posted(ledger, known_as(payment("cs"), payment("in")), payment("in"), known_as(payment("in"), payment("cs")))

    assert ledger.tried == before + 1


def test_a_name_that_a_duplicate_brings_means_the_same_record_from_then_on() -> None:
    ledger = opened()
    posted(ledger, renewal("2025-06"))
    account = ledger.accounts[SHOP]

    [outcome] = posted(ledger, known_as(renewal("in_2"), renewal("2025-06")))
    [later] = posted(ledger, renewal("in_2"))

    assert kinds([outcome, later]) == ["Duplicate", "Duplicate"]
    assert ledger.accounts[SHOP] == account


def test_a_later_event_under_another_name_with_another_content_is_a_conflict() -> None:
    ledger = opened()
    posted(ledger, known_as(payment("cs", 50), payment("in")))

    [outcome] = posted(ledger, known_as(payment("in", 60), payment("pi")))

    assert isinstance(outcome, Rejected)
    assert outcome.code is Code.KEY_REUSED
    assert outcome.field == "credits"
    # What contradicts a transaction names nothing: the next may be a fact of its own.
    assert kinds(posted(ledger, payment("pi", 60))) == ["Posted"]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after another"])
def test_an_event_whose_names_belong_to_two_facts_names_both_records(together: bool) -> None:
    ledger = opened()
    deliveries = [payment("cs", 50), payment("in", 50), known_as(payment("pi", 50), payment("cs"), payment("in"))]

    outcomes = posted(ledger, *deliveries) if together else [posted(ledger, one)[0] for one in deliveries]

    *_, outcome = outcomes
    assert isinstance(outcome, Rejected)
    assert outcome.code is Code.NAMES_TWO_FACTS
    assert all(transaction.transaction_id in outcome.message for transaction in ledger.history(SHOP)[1:])
    assert len(ledger.history(SHOP)) == 3


def test_two_records_by_guards_are_two_facts_too() -> None:
    ledger = opened()
    posted(ledger, known_as(payment("a"), payment("b")), known_as(payment("c"), payment("d")))

    assert kinds(posted(ledger, known_as(payment("b"), payment("d")))) == [Code.NAMES_TWO_FACTS]


def test_a_renewal_under_a_known_name_that_comes_too_late_is_no_duplicate() -> None:
    ledger = opened()
    posted(ledger, known_as(renewal("in_2"), renewal("2025-06")))

    late = replace(renewal("2025-06"), repeat_days=20, occurred_at=Instant("2025-07-01T00:00:00.000Z"))
    assert kinds(posted(ledger, late)) == [Code.PERIOD_REPEATED]


def test_a_refund_may_name_its_order_by_an_alias() -> None:
    ledger = opened()
    posted(ledger, known_as(order("1", total="10"), order("1001")))

    outcomes = [
        posted(ledger, movement)[0]
        for movement in (
            refund_of("1001", "r1", amount="10"),
            refund_of("1", "r1", amount="10"),
            refund_of("1001"),
            refund_of("1"),
        )
    ]

    assert kinds(outcomes) == ["Posted", "Duplicate", "Posted", "Duplicate"]
    assert [transaction.amount for transaction in ledger.history(SHOP)] == [100, -1, 1, 0]
    assert [transaction.metadata["order_id"] for transaction in ledger.history(SHOP)[2:]] == ["1", "1"]
    tally = ledger.history(SHOP)[1].tally
    assert tally is not None
    assert tally.count == 2


def test_a_refund_in_the_batch_of_its_order_waits_for_it_under_an_alias_too() -> None:
    ledger = opened()

    outcomes = posted(ledger, refund_of("1001"), known_as(order("1"), order("1001")))

    assert kinds(outcomes) == ["Posted", "Posted"]
    assert ledger.accounts[SHOP].balance == 100


def test_a_decrease_is_not_declined_that_was_made_under_another_name() -> None:
    ledger = opened()
    posted(ledger, known_as(adjustment("a", -80), adjustment("b")))

    assert kinds(posted(ledger, adjustment("b", -80))) == ["Duplicate"]
    assert kinds(posted(ledger, known_as(adjustment("c", -80), adjustment("b")))) == ["Duplicate"]


def test_a_lost_answer_is_no_duplicate_by_its_own_guards() -> None:
    ledger = opened()
    ledger.after_effect = deque([RetryLater(Code.UNAVAILABLE, "lost")])

    outcomes = posted(ledger, known_as(payment("cs"), payment("in")), payment("in"))

    assert kinds(outcomes) == ["Posted", "Duplicate"]
    assert len(ledger.history(SHOP)) == 2


@pytest.mark.parametrize("rival", [payment("in"), known_as(payment("in"), payment("cs")), payment("cs")])
def test_of_two_writers_with_two_names_one_records_the_fact(rival: Movement) -> None:
    ledger = opened()

    def first(_: Commit) -> Committed | Refused | None:
        assert kinds(posted(ledger, rival)) == ["Posted"]
        return None

    ledger.before_effect = deque([first])

    assert kinds(posted(ledger, known_as(payment("cs"), payment("in")))) == ["Duplicate"]
    assert kinds([posted(ledger, payment(name))[0] for name in ("cs", "in")]) == ["Duplicate"] * 2
    assert len(ledger.history(SHOP)) == 2


def test_the_writer_of_a_duplicate_s_new_name_loses_it_to_a_fact_that_was_first() -> None:
    ledger = opened()
    posted(ledger, payment("cs"))

    def first(_: Commit) -> Committed | Refused | None:
        assert kinds(posted(ledger, payment("in"))) == ["Posted"]
        return None

    # The first write finds the transaction, the second one brings the name.
    ledger.before_effect = deque([None, first])

    assert kinds(posted(ledger, known_as(payment("cs"), payment("in")))) == [Code.NAMES_TWO_FACTS]


def test_a_write_counts_its_guards() -> None:
    ledger = opened()
    many = [known_as(payment(f"p{n}"), *(payment(f"p{n}-{k}") for k in range(4))) for n in range(40)]

    assert kinds(posted(ledger, *many)) == ["Posted"] * 40

    sizes = [1 + len(commit.transactions) + len(commit.guards) for commit in ledger.commits]
    assert max(sizes) <= ITEMS_MAX
    assert len(ledger.guards) == 160


def test_a_known_name_costs_one_write_that_is_refused_and_one_read() -> None:
    ledger = opened()
    posted(ledger, known_as(payment("cs"), payment("in")))
    reads, tried = len(ledger.reads), ledger.tried

    posted(ledger, payment("in"))

    # The account of a new container, and the transaction that the guard names.
    assert (len(ledger.reads) - reads, ledger.tried - tried) == (2, 1)


def test_a_guard_whose_record_is_not_there_decides_nothing() -> None:
    ledger = opened()
    posted(ledger, known_as(payment("cs"), payment("in")))
    del ledger.transactions[payment("cs").transaction_id]

    assert kinds(posted(ledger, payment("in"))) == [Code.ACCOUNT_BEHIND]
    assert len(ledger.history(SHOP)) == 1

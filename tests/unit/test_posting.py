"""What becomes of a batch of messages: one write a merchant, an outcome for every movement, few requests."""

from threading import Barrier

import pytest

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.fold import ITEMS_MAX
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Posted
from chalicelib.usecases import posting as module
from tests.support.builders import SHOP, TENTH_OF_TOTAL, adjustment, merchant, order, payment, refund_of, trial
from tests.support.calls import FakeCall
from tests.support.fakes import FakeLedger
from tests.support.posting import codes, ledger_with, post, posting_on, recount

OTHER = merchant("other")


def test_all_messages_of_a_merchant_are_one_write() -> None:
    ledger = FakeLedger()

    outcomes = post(posting_on(ledger), [trial()], [order("1"), order("2")], [refund_of("1")])

    assert [codes(of_message) for of_message in outcomes] == [["posted"], ["posted", "posted"], ["posted"]]
    assert len(ledger.commits) == 1
    assert ledger.accounts[SHOP].balance == recount(ledger) == 99


def test_outcomes_stand_where_their_movements_stood_also_among_several_merchants() -> None:
    ledger = ledger_with(trial(), trial(of=OTHER), order("old", of=OTHER))
    requests: list[list[Movement]] = [
        [order("1")],
        [order("old", of=OTHER), order("2", of=OTHER)],
        [payment()],
        [payment(of=OTHER)],
    ]

    outcomes = post(posting_on(ledger), *requests)

    for request, of_message in zip(requests, outcomes, strict=True):
        for movement, outcome in zip(request, of_message, strict=True):
            assert isinstance(outcome, Posted | Duplicate)
            assert outcome.transaction == ledger.transactions[movement.transaction_id]
    assert [codes(of_message) for of_message in outcomes] == [
        ["posted"],
        ["duplicate", "posted"],
        ["posted"],
        ["posted"],
    ]
    assert (recount(ledger), recount(ledger, OTHER)) == (149, 148)


def test_merchants_are_written_side_by_side() -> None:
    # Each of two writes waits until the other has been started; one after another, the first would wait in vain.
    met = Barrier(2, timeout=60)

    def meet(_commit: Commit) -> None:
        met.wait()

    ledger = ledger_with(trial(), trial(of=OTHER))
    ledger.before_effect.extend([meet, meet])

    assert codes([outcome for [outcome] in post(posting_on(ledger), [order()], [order(of=OTHER)])]) == ["posted"] * 2


def test_a_message_with_one_impossible_movement_is_rejected_whole_and_its_neighbours_go_on() -> None:
    ledger = ledger_with(trial())
    bad = order("bad", policy=TENTH_OF_TOTAL)

    outcomes = post(posting_on(ledger), [order("1"), bad, order("2")], [order("3")])

    assert [codes(of_message) for of_message in outcomes] == [[Code.TOTAL_MISSING] * 3, ["posted"]]
    assert [transaction.reference_id for transaction in ledger.history(SHOP)] == [SHOP, "3"]


def test_an_old_order_is_a_duplicate_also_where_todays_policy_needs_a_total_it_has_not() -> None:
    ledger = ledger_with(trial(), order("1"))

    [outcomes] = post(posting_on(ledger), [order("1", policy=TENTH_OF_TOTAL), payment()])

    assert codes(outcomes) == ["duplicate", "posted"]


def test_an_earlier_write_is_found_by_the_write_itself() -> None:
    ledger = ledger_with(trial(), order("1"), payment("p1", 50))

    [outcomes] = post(posting_on(ledger), [order("1"), order("2"), payment("p1", 50), payment("p1", 70)])

    assert codes(outcomes) == ["duplicate", "posted", "duplicate", Code.KEY_REUSED]
    assert ledger.tried == 2
    assert recount(ledger) == ledger.accounts[SHOP].balance == 148


def test_a_repeat_within_the_batch_is_posted_once() -> None:
    ledger = ledger_with(trial())

    outcomes = post(posting_on(ledger), [order("1")], [order("1"), order("2")], [order("2", lines=9)], [order("1")])

    assert [codes(of_message) for of_message in outcomes] == [
        ["posted"],
        ["duplicate", "posted"],
        ["duplicate"],
        ["duplicate"],
    ]
    assert recount(ledger) == 98


def test_a_conflict_within_the_batch_leaves_its_neighbours() -> None:
    ledger = ledger_with(trial())

    outcomes = post(posting_on(ledger), [payment("p1", 5)], [payment("p1", 6), payment("p2", 7)])

    assert [codes(of_message) for of_message in outcomes] == [["posted"], [Code.KEY_REUSED, "posted"]]
    assert recount(ledger) == 112


def test_a_merchant_gets_one_trial_whichever_event_is_first() -> None:
    ledger = FakeLedger()

    outcomes = post(posting_on(ledger), [trial(100)], [trial(40)])
    again = post(posting_on(ledger), [trial(40)])

    assert codes([*outcomes[0], *outcomes[1], *again[0]]) == ["posted", "duplicate", "duplicate"]
    assert recount(ledger) == 100


def test_what_has_no_ground_waits_and_its_neighbours_go_on() -> None:
    ledger = ledger_with(trial())

    outcomes = post(posting_on(ledger), [order(of=OTHER)], [refund_of("unknown")], [order("1")])

    assert [codes(of_message) for of_message in outcomes] == [[Code.ACCOUNT_MISSING], [Code.ORDER_MISSING], ["posted"]]
    assert OTHER not in ledger.accounts
    assert recount(ledger) == 99


def test_grounds_that_come_in_the_same_batch_are_ground_enough() -> None:
    ledger = FakeLedger()

    outcomes = post(posting_on(ledger), [refund_of("1")], [order("1")], [trial()])

    assert [codes(of_message) for of_message in outcomes] == [["posted"]] * 3
    assert len(ledger.commits) == 1


def test_a_message_too_large_for_one_write_is_posted_in_several() -> None:
    ledger = ledger_with(trial())
    orders = [order(str(number)) for number in range(ITEMS_MAX)]

    [outcomes, refunds] = post(posting_on(ledger), orders, [refund_of(str(number)) for number in range(ITEMS_MAX)])

    assert codes([*outcomes, *refunds]) == ["posted"] * (2 * ITEMS_MAX)
    assert recount(ledger) == 100
    assert {transaction.tally.credits for transaction in ledger.transactions.values() if transaction.tally} == {1}


def test_a_refund_in_a_later_write_knows_the_tally_of_an_earlier_one() -> None:
    ledger = ledger_with(trial(), order("1", total="10"))
    first = [refund_of("1", f"r{number}", amount="0.10", order_total="10") for number in range(97)]
    last = [refund_of("1", f"s{number}", amount="0.10", order_total="10") for number in range(97)]

    [outcomes] = post(posting_on(ledger), [*first, *last])

    assert codes(outcomes) == ["posted"] * 194
    assert len(ledger.commits) == ledger.tried == 2
    assert recount(ledger) == 100


def test_a_decrease_that_is_too_much_is_declined_and_its_neighbours_go_on() -> None:
    ledger = ledger_with(trial(10))

    outcomes = post(posting_on(ledger), [adjustment("a1", -11)], [adjustment("a2", -4)])

    assert codes([outcome for [outcome] in outcomes]) == [Code.INSUFFICIENT_CREDITS, "posted"]
    assert recount(ledger) == 6


def test_a_decrease_that_was_posted_before_is_a_duplicate_although_it_would_be_too_much_now() -> None:
    ledger = ledger_with(trial(), adjustment("a1", -60))
    posting = posting_on(ledger)

    for _ in range(2):
        [[outcome]] = post(posting, [adjustment("a1", -60)])
        assert outcome == Duplicate(ledger.transactions[adjustment("a1", -60).transaction_id])
    assert recount(ledger) == 40


def test_a_decrease_with_another_content_is_a_conflict_although_it_would_be_too_much() -> None:
    ledger = ledger_with(trial(), adjustment("a1", -60))

    [[outcome]] = post(posting_on(ledger), [adjustment("a1", -61)])

    assert codes([outcome]) == [Code.KEY_REUSED]


def test_a_decrease_is_declined_on_the_balance_as_it_stands_not_as_it_is_remembered() -> None:
    ledger = ledger_with(trial(10))
    posting = posting_on(ledger)
    post(posting, [order("1")])
    post(posting_on(ledger), [payment("p1", 50)])

    [[outcome]] = post(posting, [adjustment("a1", -40)])

    assert codes([outcome]) == ["posted"]
    assert recount(ledger) == 19


def test_a_declined_decrease_may_succeed_later_under_the_same_key() -> None:
    ledger = ledger_with(trial(10))
    posting = posting_on(ledger)

    outcomes = [
        post(posting, [movement])[0][0] for movement in (adjustment("a1", -11), payment(), adjustment("a1", -11))
    ]

    assert codes(outcomes) == [Code.INSUFFICIENT_CREDITS, "posted", "posted"]
    assert recount(ledger) == 49


def test_one_movement_has_its_outcome_returned_or_raised() -> None:
    ledger = ledger_with(trial(10))
    posting, time = posting_on(ledger), FakeCall().time

    assert isinstance(posting.post_one(payment(), time=time), Posted)
    assert posting.post_one(payment(), time=time) == Duplicate(ledger.transactions[payment().transaction_id])
    with pytest.raises(Rejected, match="balance is 60"):
        posting.post_one(adjustment(change=-61), time=time)
    with pytest.raises(RetryLater, match="no account yet"):
        posting.post_one(payment(of=OTHER), time=time)


def test_the_hundred_orders_of_a_hundred_merchants_take_one_read_and_a_write_each() -> None:
    shops = [merchant(f"shop {number}") for number in range(100)]
    ledger = ledger_with(*(trial(of=shop) for shop in shops))

    outcomes = post(posting_on(ledger), *([order(of=shop)] for shop in shops))

    assert codes([outcome for [outcome] in outcomes]) == ["posted"] * 100
    assert (len(ledger.reads), ledger.tried) == (1, 100)


def test_ninety_orders_of_one_merchant_take_one_read_and_one_write() -> None:
    ledger = ledger_with(trial())

    post(posting_on(ledger), *([order(str(number))] for number in range(90)))

    assert (len(ledger.reads), ledger.tried) == (1, 1)


def test_duplicates_cost_one_write_more_however_many_they_are() -> None:
    ledger = ledger_with(trial(), *(order(str(number)) for number in range(40)))

    outcomes = post(posting_on(ledger), *([order(str(number))] for number in range(90)))

    assert codes([outcome for [outcome] in outcomes]) == ["duplicate"] * 40 + ["posted"] * 50
    assert (len(ledger.reads), ledger.tried) == (1, 2)


def test_the_accounts_and_the_orders_of_refunds_are_one_read() -> None:
    ledger = ledger_with(trial(), order("1"), trial(of=OTHER), order("1", of=OTHER))

    post(posting_on(ledger), [refund_of("1")], [refund_of("1", of=OTHER)], [order("2")])

    grounds = {order("1").transaction_id, order("1", of=OTHER).transaction_id}
    assert [(set(accounts), set(transactions)) for accounts, transactions in ledger.reads] == [({SHOP, OTHER}, grounds)]


def test_a_remembered_account_saves_the_read() -> None:
    ledger = ledger_with(trial())
    posting = posting_on(ledger)

    for number in range(5):
        post(posting, [order(str(number))])

    assert (len(ledger.reads), ledger.tried) == (1, 5)


def test_an_account_that_was_only_read_is_remembered_too() -> None:
    ledger = ledger_with(trial())
    posting = posting_on(ledger)
    post(posting, [trial()])

    post(posting, [order()])

    assert len(ledger.reads) == 1


def test_a_merchant_without_an_account_is_read_again_each_time() -> None:
    ledger = FakeLedger()
    posting = posting_on(ledger)
    post(posting, [order()])
    post(posting_on(ledger), [trial()])

    assert codes(post(posting, [order()])[0]) == ["posted"]


def test_an_account_that_others_wrote_meanwhile_is_learnt_from_the_refusal_without_a_read() -> None:
    ledger = ledger_with(trial())
    posting = posting_on(ledger)
    post(posting, [order("1")])
    post(posting_on(ledger), [order("2"), payment()])
    reads, tried = len(ledger.reads), ledger.tried

    [outcomes] = post(posting, [order("2"), order("3")])

    assert codes(outcomes) == ["duplicate", "posted"]
    assert (len(ledger.reads) - reads, ledger.tried - tried) == (0, 2)
    assert recount(ledger) == 147


def test_the_longest_unused_account_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_ACCOUNTS_MAX", 2)
    shops = [merchant(name) for name in "abc"]
    ledger = ledger_with(*(trial(of=shop) for shop in shops))
    posting = posting_on(ledger)
    for number, place in enumerate([0, 1, 0, 2]):
        post(posting, [order(str(number), of=shops[place])])
    ledger.reads.clear()

    for place in (0, 2, 1):
        post(posting, [payment(of=shops[place])])

    nothing: tuple[TransactionId, ...] = ()
    assert ledger.reads == [((shops[1],), nothing)]

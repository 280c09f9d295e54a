"""Items of a newer release: what rests on them waits for its workers, and nobody else does."""

import pytest

from chalicelib.domain.errors import Code, NewerForm, RetryLater
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from chalicelib.usecases.overriding import set_threshold
from tests.support.builders import SHOP, adjustment, known_as, merchant, order, payment, refund_of, trial
from tests.support.calls import FakeCall
from tests.support.posting import codes, ledger_with, post, posting_on, recount

OTHER = merchant("other")


def test_one_newer_account_among_sixty_costs_no_read_and_holds_up_nobody() -> None:
    shops = [merchant(f"shop {number}") for number in range(60)]
    ledger = ledger_with(*(trial(of=shop) for shop in shops))
    ledger.unreadable[shops[0]] = NewerForm()

    outcomes = post(posting_on(ledger), *([order(of=shop)] for shop in shops))

    assert codes([outcome for [outcome] in outcomes]) == [Code.UNAVAILABLE] + ["posted"] * 59
    assert (len(ledger.reads), ledger.tried) == (1, 59)


def test_a_newer_order_holds_up_the_refunds_of_its_own_merchant_only() -> None:
    ledger = ledger_with(trial(), order("1"), trial(of=OTHER), order("1", of=OTHER))
    ledger.unreadable[order("1").transaction_id] = NewerForm()

    outcomes = post(posting_on(ledger), [refund_of("1")], [refund_of("1", of=OTHER)])

    assert [codes(of_message) for of_message in outcomes] == [[Code.UNAVAILABLE], ["posted"]]


@pytest.mark.parametrize("lost", [False, True], ids=["of a newer release", "lost in a restore"])
def test_an_order_that_a_guard_names_holds_up_its_own_merchant_only(lost: bool) -> None:
    twice_named = known_as(order("1"), order("one"))
    ledger = ledger_with(trial(), twice_named, trial(of=OTHER), order("1", of=OTHER))
    if lost:
        del ledger.transactions[twice_named.transaction_id]
    else:
        ledger.unreadable[twice_named.transaction_id] = NewerForm()

    outcomes = post(posting_on(ledger), [refund_of("one")], [refund_of("1", of=OTHER)])

    waits = Code.ACCOUNT_BEHIND if lost else Code.UNAVAILABLE
    assert [codes(of_message) for of_message in outcomes] == [[waits], ["posted"]]


@pytest.mark.parametrize("newer", ["the account", "the transaction"])
def test_a_remembered_account_that_a_newer_release_has_written_since_is_tried_once(newer: str) -> None:
    ledger = ledger_with(trial())
    posting = posting_on(ledger)
    post(posting, [order("1")])
    post(posting_on(ledger), [payment()])
    ledger.unreadable[SHOP if newer == "the account" else payment().transaction_id] = NewerForm()
    reads, tried = len(ledger.reads), ledger.tried
    call = FakeCall()
    movement: Movement = order("2") if newer == "the account" else payment()

    [[outcome]] = posting.post([[movement]], time=call.time)
    assert isinstance(outcome, NewerForm)
    assert (len(ledger.reads) - reads, ledger.tried - tried) == (0, 1)
    post(posting, [movement])
    assert len(ledger.reads) - reads == 1


def test_a_lost_answer_beside_a_newer_account_is_no_reason_to_write_on() -> None:
    ledger = ledger_with(trial())

    def written_by_the_newer(_commit: Commit) -> None:
        post(posting_on(ledger), [payment()])
        ledger.unreadable[SHOP] = NewerForm()

    ledger.before_effect.extend([RetryLater(Code.UNAVAILABLE, "no answer"), written_by_the_newer])
    [outcomes] = post(posting_on(ledger), [order("1")])

    assert codes(outcomes) == [Code.UNAVAILABLE]
    del ledger.unreadable[SHOP]
    assert recount(ledger) == 150


def test_the_threshold_of_a_newer_account_is_left_alone() -> None:
    ledger = ledger_with(trial())
    ledger.unreadable[SHOP] = NewerForm()

    with pytest.raises(NewerForm):
        set_threshold(ledger, SHOP, 5, default_threshold=20, correlation_id=None, time=FakeCall().time)
    assert ledger.tried == 0


def test_a_decrease_is_not_declined_by_what_only_a_newer_release_can_read() -> None:
    ledger = ledger_with(trial(10))
    posting = posting_on(ledger)
    post(posting, [order("1")])
    ledger.unreadable[SHOP] = NewerForm()

    [outcomes] = post(posting, [adjustment("a1", -50)])

    assert codes(outcomes) == [Code.UNAVAILABLE]

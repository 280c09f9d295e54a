"""Posting among other writers and with a store that fails: each movement once, and every outcome true."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from chalicelib.domain.outcomes import Duplicate, Outcome, Posted
from chalicelib.ports import Committed, Refused
from chalicelib.usecases.posting import ATTEMPTS_MAX, MARGIN_SECONDS
from tests.support.builders import NOON, SHOP, adjustment, merchant, order, payment, refund_of, trial
from tests.support.calls import FakeCall
from tests.support.fakes import FakeLedger, settle
from tests.support.posting import LOST, codes, contended, ledger_with, posting_on, recount

OTHER = merchant("other")

Deed = Callable[[Commit], Committed | Refused | None]


def post(ledger: FakeLedger, *movements: Movement, call: FakeCall | None = None) -> list[Outcome]:
    """Return the outcomes of one message in a new container."""
    return posting_on(ledger).post([movements], time=(call or FakeCall()).time)[0]


def another_writes(ledger: FakeLedger, *movements: Movement) -> Deed:
    """Return the deed of a writer who wins the race with these movements."""

    def win(_commit: Commit) -> None:
        settle(ledger, movements, now=NOON)

    return win


def fails(_commit: Commit) -> None:
    raise ValueError("a bug")


def test_a_lost_race_is_decided_again_on_what_stands_now() -> None:
    ledger = ledger_with(trial(10))
    ledger.before_effect.append(another_writes(ledger, adjustment("a1", -9)))

    [outcome] = post(ledger, adjustment("a2", -5))

    assert codes([outcome]) == [Code.INSUFFICIENT_CREDITS]
    assert recount(ledger) == 1


@pytest.mark.parametrize(("lost", "reads"), [(0, 1), (1, 1), (2, 2), (5, 5)])
def test_a_race_lost_again_reads_the_account_before_the_next_write(lost: int, reads: int) -> None:
    ledger = ledger_with(trial())
    for number in range(lost):
        # The rival's own commit takes the next deed, which is none.
        ledger.before_effect.extend([another_writes(ledger, payment(f"other {number}", 1)), None])
    ledger.reads.clear()

    outcomes = post(ledger, order("1"))

    assert codes(outcomes) == ["posted"]
    assert ledger.reads.count(((SHOP,), ())) == reads
    assert recount(ledger) == 99 + lost


@pytest.mark.parametrize(("write_seconds", "longest"), [(0.0, 0.04), (0.1, 0.8), (9.0, 5.0)])
def test_who_lost_a_race_steps_aside_for_some_writes_time(
    write_seconds: float, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    ledger, call = ledger_with(trial()), FakeCall()

    def win(_commit: Commit) -> None:
        settle(ledger, [payment("first", 1)], now=NOON)
        call.seconds -= write_seconds

    ledger.before_effect.append(win)

    assert codes(post(ledger, order("1"), call=call)) == ["posted"]
    assert call.waits == pytest.approx([longest])


def test_a_lost_race_for_the_same_order_is_a_duplicate() -> None:
    ledger = ledger_with(trial())
    ledger.before_effect.append(another_writes(ledger, order("1")))

    outcomes = post(ledger, order("1"), order("2"))

    assert codes(outcomes) == ["duplicate", "posted"]
    assert outcomes[0] == Duplicate(ledger.transactions[order("1").transaction_id])
    assert recount(ledger) == 98


def test_of_two_writers_of_one_fact_in_one_millisecond_only_one_says_posted() -> None:
    # Their transactions are equal to the last bit, hash and all, and only one of them was written.
    ledger = ledger_with(trial())
    first: list[Outcome] = []

    def win(_commit: Commit) -> None:
        first.extend(post(ledger, order("1")))

    ledger.before_effect.append(win)

    second = post(ledger, order("1"))

    assert codes([*first, *second]) == ["posted", "duplicate"]
    assert recount(ledger) == 99


def test_the_loser_of_an_opening_goes_on_with_the_rest() -> None:
    ledger = FakeLedger()
    ledger.before_effect.append(another_writes(ledger, trial(30)))

    outcomes = post(ledger, trial(100), order("1"))

    assert outcomes[0] == Duplicate(ledger.transactions[trial().transaction_id])
    assert codes(outcomes) == ["duplicate", "posted"]
    assert recount(ledger) == 29


def test_a_lost_race_for_a_tally_counts_both_refunds() -> None:
    ledger = ledger_with(trial(), adjustment("a1", 100), order("1", total="10", policy=order().policy))
    ledger.before_effect.append(another_writes(ledger, refund_of("1", "r1", amount="4")))

    outcomes = post(ledger, refund_of("1", "r2", amount="6"))

    assert codes(outcomes) == ["posted"]
    tally = ledger.transactions[order("1").transaction_id].tally
    assert tally is not None
    assert (tally.count, tally.credits) == (2, 1)
    assert recount(ledger) == 200


def test_a_race_lost_to_an_admins_decrease_turns_into_a_shortfall() -> None:
    ledger = ledger_with(trial(1))
    ledger.before_effect.append(another_writes(ledger, adjustment("a1", -1)))

    [outcome] = post(ledger, order("1"))

    assert isinstance(outcome, Posted)
    assert (outcome.transaction.amount, outcome.transaction.shortfall) == (0, 1)


def test_many_lost_races_in_a_row_are_lived_through() -> None:
    ledger = ledger_with(trial())
    ledger.before_effect.extend(
        deed
        for number in range(ATTEMPTS_MAX - 1)
        # A rival's own commit takes the next fault, which is none.
        for deed in (another_writes(ledger, order(f"rival {number}")), None)
    )

    assert codes(post(ledger, order("1"))) == ["posted"]
    assert recount(ledger) == 100 - ATTEMPTS_MAX


def test_a_race_that_is_lost_for_ever_gives_the_movements_back() -> None:
    ledger = ledger_with(trial())
    ledger.before_effect.extend([contended] * 1000)
    call = FakeCall(seconds=600)

    outcomes = post(ledger, order("1"), order("2"), call=call)

    assert codes(outcomes) == [Code.CONTENDED] * 2
    assert ledger.tried == ATTEMPTS_MAX
    assert all(wait <= 0.5 for wait in call.waits)
    assert recount(ledger) == 100


@pytest.mark.parametrize("fault", [contended, LOST], ids=["contended", "unavailable"])
def test_waiting_ends_while_there_is_time_to_answer(fault: Deed | RetryLater) -> None:
    ledger = ledger_with(trial())
    ledger.before_effect.extend([fault] * 1000)
    call = FakeCall(seconds=MARGIN_SECONDS + 0.1)

    [outcome] = post(ledger, order("1"), call=call)

    assert isinstance(outcome, RetryLater)
    assert call.remaining() >= MARGIN_SECONDS
    assert recount(ledger) == 100


def test_what_was_written_before_the_time_ran_out_stays_posted() -> None:
    ledger = ledger_with(trial())
    ledger.before_effect.extend([None, *[contended] * 1000])

    outcomes = post(ledger, *(order(str(number)) for number in range(120)))

    assert codes(outcomes) == ["posted"] * 99 + [Code.CONTENDED] * 21
    assert recount(ledger) == 1


def test_a_lost_answer_is_asked_for_with_the_very_same_write() -> None:
    ledger = ledger_with(trial())
    ledger.after_effect.extend([LOST])

    outcomes = post(ledger, order("1"), order("2"))

    assert outcomes == [Posted(ledger.transactions[order(number).transaction_id]) for number in ("1", "2")]
    assert ledger.tried == 2
    assert recount(ledger) == 98


def test_answers_lost_before_and_after_the_effect_leave_one_record() -> None:
    ledger = ledger_with(trial())
    ledger.before_effect.extend([LOST, LOST])
    ledger.after_effect.append(LOST)

    assert codes(post(ledger, order("1"))) == ["posted"]
    assert ledger.tried == 4
    assert recount(ledger) == 99


def test_a_write_whose_answer_was_lost_is_our_own_also_when_others_wrote_since() -> None:
    ledger = ledger_with(trial())

    def lose(_commit: Commit) -> None:
        settle(ledger, [payment()], now=NOON)
        raise LOST

    ledger.after_effect.extend([lose, None])
    posting = posting_on(ledger)
    call = FakeCall()

    [first] = posting.post([[order("1")]], time=call.time)
    [second] = posting.post([[order("2")]], time=call.time)

    assert codes([*first, *second]) == ["posted", "posted"]
    assert recount(ledger) == 148


def test_a_write_whose_answer_was_lost_is_our_own_also_when_it_was_contended_before_it_was_found() -> None:
    # The first request is still under way when it is sent again, and then takes effect.
    ledger = ledger_with(trial())
    ledger.after_effect.append(LOST)
    ledger.before_effect.extend([None, contended])
    call = FakeCall()

    [outcome] = post(ledger, order("1"), call=call)

    assert recount(ledger) == 99
    assert isinstance(outcome, Posted)


def test_a_store_that_never_answers_gives_the_movements_back() -> None:
    ledger = ledger_with(trial())
    ledger.before_effect.extend([LOST] * 1000)

    [outcome] = post(ledger, order("1"), call=FakeCall(seconds=600))

    assert codes([outcome]) == [Code.UNAVAILABLE]
    assert ledger.tried == ATTEMPTS_MAX
    assert recount(ledger) == 100


def test_a_read_that_fails_gives_all_movements_back() -> None:
    ledger = ledger_with(trial())
    ledger.read_faults.append(LOST)
    posting = posting_on(ledger)

    outcomes = posting.post([[order("1"), order("2")], [trial(of=OTHER)]], time=FakeCall().time)

    assert [codes(of_message) for of_message in outcomes] == [[Code.UNAVAILABLE] * 2, [Code.UNAVAILABLE]]
    assert ledger.tried == 0


def test_a_look_at_the_balance_that_fails_gives_the_decrease_back() -> None:
    ledger = ledger_with(trial(10))
    ledger.read_faults.extend([None, LOST])

    assert codes(post(ledger, adjustment("a1", -11))) == [Code.UNAVAILABLE]
    assert codes(post(ledger, adjustment("a1", -11))) == [Code.INSUFFICIENT_CREDITS]


def test_a_bug_in_one_merchants_posting_leaves_its_neighbours_alone() -> None:
    ledger = ledger_with(trial(), trial(of=OTHER))

    def fail_for_other(commit: Commit) -> None:
        if commit.merchant_id == OTHER:
            fails(commit)

    ledger.before_effect.extend([fail_for_other] * 2)
    posting = posting_on(ledger)

    [[failed], [posted]] = posting.post([[order(of=OTHER)], [order()]], time=FakeCall().time)

    assert codes([failed, posted]) == [Code.INTERNAL, "posted"]
    assert isinstance(failed, RetryLater)
    assert isinstance(failed.__cause__, ValueError)
    assert recount(ledger) == 99


def test_an_account_is_read_again_after_a_bug() -> None:
    ledger = ledger_with(trial())
    posting = posting_on(ledger)
    ledger.before_effect.append(fails)
    posting.post([[order("1")]], time=FakeCall().time)
    reads = len(ledger.reads)

    [outcomes] = posting.post([[order("1")]], time=FakeCall().time)

    assert codes(outcomes) == ["posted"]
    assert len(ledger.reads) == reads + 1


def test_what_cannot_be_read_of_one_merchant_leaves_its_neighbours_alone() -> None:
    ledger = ledger_with(trial(), trial(of=OTHER))
    ledger.unreadable[OTHER] = ValueError("this is no account")
    reads = len(ledger.reads)

    [[failed], [posted]] = posting_on(ledger).post([[order(of=OTHER)], [order()]], time=FakeCall().time)

    assert codes([failed, posted]) == [Code.INTERNAL, "posted"]
    assert len(ledger.reads) == reads + 1


def test_no_write_is_started_where_no_time_is_left_for_its_answer() -> None:
    ledger = ledger_with(trial())

    outcomes = post(ledger, order("1"), call=FakeCall(seconds=MARGIN_SECONDS / 2))

    assert isinstance(outcomes[0], RetryLater)
    assert ledger.tried == 0

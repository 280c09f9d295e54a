"""What every `LedgerStore` does: the fake that unit tests rest on, and DynamoDB on each engine."""

from dataclasses import replace

import pytest

from chalicelib.domain.fold import ITEMS_MAX, fold
from chalicelib.domain.ids import Instant, TransactionId
from chalicelib.domain.ledger import Account, Commit
from chalicelib.domain.movements import Movement
from chalicelib.domain.names import Guard
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import Committed, LedgerStore, Refused
from tests.support.builders import (
    LATER,
    NOON,
    SHOP,
    TEN_EARNED,
    TENTH_OF_TOTAL,
    adjustment,
    dispute,
    known_as,
    merchant,
    order,
    payment,
    refund_of,
    reversal,
    trial,
)
from tests.support.fakes import decide, settle

MUCH_LATER = Instant("2099-01-01T00:00:00.000Z")
ABSENT = TransactionId("00000000-0000-5000-8000-000000000000")


def write(store: LedgerStore, *movements: Movement) -> Commit:
    """Return one committed write of the movements, on all that is stored."""
    commit = prepared(store, *movements)
    assert store.commit(commit) == Committed()
    return commit


def prepared(store: LedgerStore, *movements: Movement) -> Commit:
    """Return the write of the movements on what is stored now, without writing it."""
    commit = decide(store, movements, now=NOON).commit
    assert commit is not None
    return commit


def blind(store: LedgerStore, *movements: Movement) -> Commit:
    """Return the write of one who knows the account as it stands, but none of the transactions."""
    known = store.read([SHOP], [])
    commit = fold(SHOP, known.accounts.get(SHOP), movements, stored={}, default_threshold=20, now=LATER).commit
    assert commit is not None
    return commit


def account_in(store: LedgerStore) -> Account | None:
    return store.read([SHOP], []).accounts.get(SHOP)


def record_in(store: LedgerStore, movement: Movement) -> Transaction | None:
    return store.read([], [movement.transaction_id]).transactions.get(movement.transaction_id)


def stored_by(commit: Commit) -> dict[TransactionId, Transaction]:
    return {transaction.transaction_id: transaction for transaction in commit.transactions}


def test_an_opening_writes_the_account_and_its_first_records(store: LedgerStore) -> None:
    commit = write(store, trial(3), order("1"), refund_of("1"), payment(), adjustment(change=-2))

    known = store.read([SHOP], [transaction.transaction_id for transaction in commit.transactions])
    assert known.accounts == {SHOP: commit.after}
    assert known.transactions == stored_by(commit)


def test_a_later_write_goes_on_from_the_account(store: LedgerStore) -> None:
    opening = write(store, trial(3))

    later = write(store, order("1", policy=TEN_EARNED), order("2"))

    assert later.before == opening.after
    assert account_in(store) == later.after


def test_an_outdated_threshold_is_kept_for_a_while_and_then_gone(store: LedgerStore) -> None:
    write(store, trial())
    for number, (now, default) in enumerate([(NOON, 30), (LATER, 30), (MUCH_LATER, 30)]):
        commit = decide(store, [order(str(number))], now=now, default_threshold=default).commit
        assert commit is not None
        assert store.commit(commit) == Committed()
        assert account_in(store) == commit.after
        assert commit.after.threshold == 30
        assert (commit.after.outdated is None) is (now is MUCH_LATER)


def test_a_read_leaves_out_what_is_not_there(store: LedgerStore) -> None:
    [transaction] = write(store, trial()).transactions

    known = store.read([merchant("nobody"), SHOP], [ABSENT, transaction.transaction_id])

    assert set(known.accounts) == {SHOP}
    assert known.transactions == {transaction.transaction_id: transaction}


def test_a_read_of_nothing_finds_nothing(store: LedgerStore) -> None:
    known = store.read([], [])

    assert not known.accounts
    assert not known.transactions


def test_a_read_takes_repeated_keys(store: LedgerStore) -> None:
    [transaction] = write(store, trial()).transactions

    known = store.read([SHOP] * 3, [transaction.transaction_id, ABSENT] * 60)

    assert set(known.accounts) == {SHOP}
    assert set(known.transactions) == {transaction.transaction_id}


def test_a_read_takes_any_number_of_keys_of_both_tables(store: LedgerStore) -> None:
    shops = [merchant(f"shop {number}") for number in range(70)]
    openings = {shop: settle(store, [trial(of=shop)], now=NOON) for shop in shops[:60]}
    transactions = [trial(of=shop).transaction_id for shop in shops]

    known = store.read(shops, transactions)

    assert set(known.accounts) == set(openings)
    assert set(known.transactions) == set(transactions[:60])


def test_a_lost_race_brings_the_account_as_it_stands(store: LedgerStore) -> None:
    write(store, trial())
    late = prepared(store, payment("late"))
    winner = write(store, payment("first"))

    answer = store.commit(late)

    assert answer == Refused(account=winner.after)
    assert account_in(store) == winner.after
    assert record_in(store, payment("late")) is None


def test_a_record_that_stands_refuses_its_neighbours_too_and_comes_back(store: LedgerStore) -> None:
    opening = write(store, trial(), order("1"))
    commit = blind(store, payment(), order("1"), order("2"))

    answer = store.commit(commit)

    assert answer == Refused(account=opening.after, transactions=opening.transactions[1:])
    assert account_in(store) == opening.after
    assert record_in(store, payment()) is record_in(store, order("2")) is None


def test_a_duplicate_that_also_lost_the_race_brings_both(store: LedgerStore) -> None:
    write(store, trial())
    late = prepared(store, payment("new"), order("1"), order("2"))
    winner = write(store, order("2"), order("1"))

    answer = store.commit(late)

    assert isinstance(answer, Refused)
    assert answer.account == winner.after
    assert {transaction.transaction_id: transaction for transaction in answer.transactions} == stored_by(winner)
    assert not answer.contended


def test_the_loser_of_an_opening_learns_the_account_and_its_trial(store: LedgerStore) -> None:
    late = prepared(store, trial(50), order("1"))
    winner = write(store, trial(100))

    assert store.commit(late) == Refused(account=winner.after, transactions=winner.transactions)
    assert account_in(store) == winner.after
    assert record_in(store, order("1")) is None


def test_the_same_write_again_is_refused_with_its_own_records(store: LedgerStore) -> None:
    write(store, trial())
    commit = write(store, order("1"), payment())

    answer = store.commit(commit)

    assert answer == Refused(account=commit.after, transactions=commit.transactions)
    assert account_in(store) == commit.after


def test_an_account_that_is_not_there_refuses_a_later_write(store: LedgerStore) -> None:
    opening = prepared(store, trial())
    later = replace(opening, before=opening.after)

    assert store.commit(later) == Refused(account=None)
    assert record_in(store, trial()) is None


@pytest.mark.parametrize("total", [None, "10", "10.00", "0"])
def test_the_first_refund_leaves_a_tally_on_its_order(store: LedgerStore, total: str | None) -> None:
    charged = write(store, trial(), order("1", total=total))
    refund = refund_of("1", "r1") if total is None else refund_of("1", "r1", amount="2.50")

    commit = write(store, refund)

    [change] = commit.tallies
    before = stored_by(charged)[change.transaction_id]
    assert record_in(store, order("1")) == replace(before, tally=change.after, refunded_at=change.time)


def test_two_refunds_of_a_stored_order_are_one_change_of_it(store: LedgerStore) -> None:
    write(store, trial(), order("1", total="10"))
    write(store, refund_of("1", "r1", amount="1"))

    commit = write(store, refund_of("1", "r2", amount="2"), refund_of("1", "r3", amount="3"))

    assert len(commit.tallies) == 1
    stored = record_in(store, order("1"))
    assert stored is not None
    assert stored.tally == commit.tallies[0].after
    assert stored.tally is not None
    assert stored.tally.count == 3


def test_a_payment_that_goes_back_leaves_its_tally_and_the_debt_until_it_is_paid(store: LedgerStore) -> None:
    write(store, trial(1), payment("p1", 30), adjustment("spend", -21))
    write(store, reversal(refunded="1", payment_total="3"))
    commit = write(store, dispute(), reversal("p1", "r1", credits_back=2))

    stored, account = record_in(store, payment("p1", 30)), account_in(store)
    assert stored is not None
    assert [stored.tally] == [change.after for change in commit.tallies]
    assert account == commit.after
    assert account.debt == 20
    paid = write(store, payment("p2", 25))
    assert account_in(store) == paid.after
    assert (paid.after.debt, paid.after.balance, len(paid.transactions)) == (0, 5, 2)


def test_an_order_refunded_in_its_own_write_stands_with_its_tally(store: LedgerStore) -> None:
    commit = write(store, trial(), order("1", total="10"), refund_of("1", amount="5", order_total="10.0"))

    assert record_in(store, order("1")) == stored_by(commit)[order("1").transaction_id]


@pytest.mark.parametrize("earlier", [[], [refund_of("1", "r0", amount="1")]], ids=["first refund", "later refund"])
def test_a_lost_race_for_a_tally_brings_the_order_as_it_stands(store: LedgerStore, earlier: list[Movement]) -> None:
    write(store, trial(), order("1", total="10"))
    for movement in earlier:
        write(store, movement)
    late = prepared(store, refund_of("1", "late", amount="2"))
    winner = write(store, refund_of("1", "first", amount="3"))

    # The account is the one that stands, so that only the tally can refuse.
    answer = store.commit(replace(late, before=winner.after))

    order_as_it_stands = record_in(store, order("1"))
    assert order_as_it_stands is not None
    assert answer == Refused(account=winner.after, transactions=(order_as_it_stands,))
    assert order_as_it_stands.tally == winner.tallies[0].after
    assert record_in(store, refund_of("1", "late")) is None


def edition(hour: int, total: str) -> Movement:
    """Return order 1 as it was at that hour."""
    return order("1", policy=TENTH_OF_TOTAL, total=total, at=Instant(f"2026-11-01T{hour:02}:00:00.000Z"))


def test_edits_and_refunds_of_a_stored_order_are_one_change_of_it(store: LedgerStore) -> None:
    write(store, trial(), edition(1, "100"))

    commit = write(store, edition(2, "150"), refund_of("1", "r1", amount="75"), edition(3, "120"))

    [change] = commit.tallies
    stored = record_in(store, order("1"))
    assert stored is not None
    assert (stored.tally, stored.refunded_at) == (change.after, change.time)


def test_a_version_that_moves_nothing_is_noted_on_its_order_alone(store: LedgerStore) -> None:
    opening = write(store, trial(), edition(1, "100"))

    commit = write(store, edition(2, "101"))

    assert not commit.writes_account
    assert account_in(store) == opening.after
    stored = record_in(store, order("1"))
    assert stored is not None
    assert stored.tally == commit.tallies[0].after


@pytest.mark.parametrize(
    ("first", "late"),
    [
        (edition(2, "150"), edition(3, "160")),
        (edition(2, "150"), refund_of("1", "late", amount="3")),
        (refund_of("1", "first", amount="3"), edition(2, "150")),
        (edition(2, "101"), edition(3, "160")),
        (edition(3, "160"), edition(2, "101")),
        (refund_of("1", "first", amount="30"), edition(2, "101")),
    ],
    ids=["edit, edit", "edit, refund", "refund, edit", "note, edit", "edit, note", "refund, note"],
)
@pytest.mark.parametrize("tallied", [False, True], ids=["untouched", "edited and refunded"])
def test_edits_and_refunds_of_one_order_do_not_overwrite_each_other(
    store: LedgerStore, first: Movement, late: Movement, tallied: bool
) -> None:
    write(store, trial(), edition(0, "100"))
    if tallied:
        write(store, edition(1, "90"), refund_of("1", "earlier", amount="10"))
    lost = prepared(store, late)
    winner = write(store, first)

    # The account is the one that stands, so that only the tally can refuse.
    after = replace(lost.after, version=winner.after.version + lost.writes_account)
    answer = store.commit(replace(lost, before=winner.after, after=after))

    stands = record_in(store, order("1"))
    assert stands is not None
    assert answer == Refused(account=winner.after, transactions=(stands,))
    assert stands.tally == winner.tallies[0].after


def test_the_tally_of_an_order_that_is_not_there_refuses_the_write(store: LedgerStore) -> None:
    write(store, trial(), order("1"))
    late = prepared(store, refund_of("1"))
    [change] = late.tallies

    answer = store.commit(replace(late, tallies=(replace(change, transaction_id=ABSENT),)))

    assert answer == Refused(account=late.before)
    assert record_in(store, refund_of("1")) is None
    assert store.read([], [ABSENT]).transactions == {}


def test_a_guard_is_followed_to_its_record_by_whoever_reads_it(store: LedgerStore) -> None:
    commit = write(store, trial(), known_as(payment("cs"), payment("in"), payment("pi")), payment("other"))
    transaction = commit.transactions[1]
    names = [guard.transaction_id for guard in commit.guards]
    assert len(names) == 2

    known = store.read([SHOP], [*names, payment("other").transaction_id, ABSENT])

    assert known.guards == dict.fromkeys(names, transaction.transaction_id)
    assert known.transactions == {
        transaction.transaction_id: transaction,
        payment("other").transaction_id: commit.transactions[2],
    }
    assert not known.unreadable


def test_a_guard_without_its_transaction_is_unreadable_and_not_followed(store: LedgerStore) -> None:
    write(store, trial(), payment("other"))
    guard = Guard(merchant_id=SHOP, key="PAYMENT_lost", names=ABSENT)
    late = prepared(store, payment("new"))
    assert store.commit(replace(late, guards=(guard,))) == Committed()

    known = store.read([SHOP], [guard.transaction_id, payment("other").transaction_id])

    assert list(known.unreadable) == [guard.transaction_id]
    assert known.guards == {}
    assert list(known.transactions) == [payment("other").transaction_id]


def test_a_guard_that_is_there_refuses_a_record_and_a_guard_and_comes_back(store: LedgerStore) -> None:
    opening = write(store, trial(), known_as(payment("cs"), payment("in"), payment("pi")))
    names = {guard.transaction_id: guard.names for guard in opening.guards}

    answer = store.commit(blind(store, known_as(payment("in"), payment("pi")), payment("new")))

    assert answer == Refused(account=opening.after, guards=names)
    assert account_in(store) == opening.after
    assert record_in(store, payment("new")) is None


def test_a_record_that_is_there_refuses_a_guard(store: LedgerStore) -> None:
    opening = write(store, trial(), payment("in"))

    answer = store.commit(blind(store, known_as(payment("cs"), payment("in"))))

    assert answer == Refused(account=opening.after, transactions=opening.transactions[1:])
    assert record_in(store, payment("cs")) is None


def test_guards_alone_leave_the_account_as_it_is_and_hold_whatever_it_has_come_to(store: LedgerStore) -> None:
    write(store, trial(), payment("cs"))
    late = prepared(store, known_as(payment("cs"), payment("in")))
    assert not late.writes_account
    winner = write(store, order("1"))

    assert store.commit(late) == Committed()
    assert account_in(store) == winner.after
    assert set(store.read([], [payment("in").transaction_id]).transactions) == {payment("cs").transaction_id}

    again = store.commit(late)
    assert again == Refused(account=late.before, guards={payment("in").transaction_id: payment("cs").transaction_id})


def test_a_write_holds_the_account_and_ninety_nine_records(store: LedgerStore) -> None:
    commit = write(store, trial(), *(order(str(number)) for number in range(ITEMS_MAX - 2)))

    assert len(commit.transactions) == ITEMS_MAX - 1
    known = store.read([SHOP], [transaction.transaction_id for transaction in commit.transactions])
    assert known.accounts == {SHOP: commit.after}
    assert known.transactions == stored_by(commit)


def test_one_record_that_stands_refuses_ninety_eight_others(store: LedgerStore) -> None:
    opening = write(store, trial(), order("50"))

    answer = store.commit(blind(store, *(order(str(number)) for number in range(ITEMS_MAX - 1))))

    assert answer == Refused(account=opening.after, transactions=(opening.transactions[1],))
    transactions = [order(str(number)).transaction_id for number in range(ITEMS_MAX - 1)]
    assert set(store.read([], transactions).transactions) == {order("50").transaction_id}
    assert account_in(store) == opening.after

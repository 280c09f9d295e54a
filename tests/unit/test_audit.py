"""A ledger proves itself: whatever a hand changes in it is found, and named where it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from chalicelib.domain.audit import audit, compared, plausible, rebuilt
from chalicelib.domain.due import post_due
from chalicelib.domain.findings import Drift, UnreadableTransaction
from chalicelib.domain.ids import Instant, TransactionId, days_after
from chalicelib.domain.ledger import Account, Crossing, CrossingType
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Tally
from chalicelib.domain.override import change_threshold
from chalicelib.domain.terms import GraceTerms, TimeTerms
from chalicelib.domain.transactions import Total, Transaction, transaction_hash
from chalicelib.domain.walk import Walk
from tests.support.books import book
from tests.support.builders import LATER, NOON, SHOP, TEN_PER_ITEM, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger, settle


def found(
    account: Account | None,
    transactions: Sequence[Transaction | UnreadableTransaction],
    crossings: tuple[Crossing, ...] = (),
) -> list[tuple[str, int]]:
    return [
        (finding.kind.value, finding.sequence) for finding in audit(SHOP, account, transactions, crossings=crossings)
    ]


def sealed(transaction: Transaction) -> Transaction:
    """Return the transaction with a hash of its own content, as somebody writes it who knows the algorithm."""
    return replace(transaction, hash=transaction_hash(transaction))


def test_a_ledger_as_it_was_written_has_no_finding() -> None:
    account, transactions, crossings = book()

    assert {transaction.kind for transaction in transactions} >= {
        Kind.ORDER_USED,
        Kind.ORDER_EARNED,
        Kind.REFUND_TAKEN,
        Kind.MANUAL_REMOVED,
    }
    assert crossings
    assert audit(SHOP, account, transactions, crossings=crossings) == ()
    assert plausible(account)


RECORD_CHANGES: dict[str, Callable[[Transaction], Transaction]] = {
    "amount": lambda transaction: replace(transaction, amount=transaction.amount - 1),
    "balance": lambda transaction: replace(transaction, balance_after=transaction.balance_after + 1),
    "balance before": lambda transaction: replace(transaction, balance_before=transaction.balance_before + 1),
    "shortfall": lambda transaction: replace(transaction, shortfall=transaction.shortfall + 1),
    "requested": lambda transaction: replace(transaction, requested=transaction.requested + 1),
    "threshold": lambda transaction: replace(transaction, threshold=1),
    "metadata": lambda transaction: replace(transaction, metadata={**transaction.metadata, "reason": "because"}),
    "reference": lambda transaction: replace(transaction, reference_id="other"),
    "time": lambda transaction: replace(transaction, created_at=LATER),
    "occurred": lambda transaction: replace(transaction, occurred_at=LATER),
    "correlation": lambda transaction: replace(transaction, correlation_id="c"),
    "kind": lambda transaction: replace(transaction, kind=Kind.SUBSCRIPTION),
    "previous hash": lambda transaction: replace(transaction, previous_hash="1" * 64),
    "hash": lambda transaction: replace(transaction, hash="2" * 64),
}


@pytest.mark.parametrize("place", [0, 3, 10])
@pytest.mark.parametrize("change", RECORD_CHANGES)
def test_a_changed_record_is_found_where_it_is(change: str, place: int) -> None:
    account, transactions, crossings = book()
    transactions[place] = RECORD_CHANGES[change](transactions[place])

    findings = found(account, transactions, crossings)
    assert ("record_changed", place + 1) in findings
    assert {sequence for _, sequence in findings} <= {place + 1, place + 2}


def test_a_record_changed_and_sealed_anew_is_found_by_the_one_behind_it() -> None:
    account, transactions, crossings = book()
    transactions[3] = sealed(
        replace(transactions[3], amount=7, requested=7, balance_after=transactions[3].balance_after + 2)
    )

    assert found(account, transactions, crossings) == [
        ("chain_broken", 5),
        ("balance_broken", 5),
        ("account_counter", 11),
    ]


def test_the_newest_record_changed_and_sealed_anew_is_found_by_the_account() -> None:
    account, transactions, crossings = book()
    transactions[-1] = sealed(replace(transactions[-1], reference_id="other"))

    assert found(account, transactions, crossings) == [("account_hash", 11)]


@pytest.mark.parametrize("place", [0, 1, 4, 9])
def test_a_removed_record_is_found_where_it_was(place: int) -> None:
    account, transactions, crossings = book()
    del transactions[place]

    assert found(account, transactions, crossings) == [("record_missing", place + 1)]


def test_the_newest_records_removed_are_found_by_the_account() -> None:
    account, transactions, crossings = book()

    [finding] = audit(SHOP, account, transactions[:8], crossings=crossings)
    assert (finding.kind, finding.sequence, finding.detail) == (
        Drift.TRANSACTION_MISSING,
        9,
        "the transactions 9 to 11 are missing",
    )
    assert found(account, []) == [("record_missing", 1)]


@pytest.mark.parametrize("place", [0, 5, 10])
@pytest.mark.parametrize("before", [True, False])
def test_an_inserted_record_is_told_from_the_one_whose_sequence_it_claims(place: int, *, before: bool) -> None:
    account, transactions, crossings = book()
    genuine = transactions[place]
    forged = sealed(replace(genuine, transaction_id=TransactionId("forged"), idempotency_key="BILLING_PAYMENT_x"))
    transactions.insert(place if before else place + 1, forged)

    [finding] = audit(SHOP, account, transactions, crossings=crossings)
    assert (finding.kind, finding.sequence, finding.transaction_id) == (Drift.TRANSACTION_INSERTED, place + 1, "forged")
    assert genuine.transaction_id in finding.detail


def test_a_record_behind_the_account_is_found() -> None:
    account, transactions, crossings = book()
    extra = sealed(
        replace(
            transactions[3], sequence=12, previous_hash=account.hash, balance_before=0, balance_after=5, created_at=NOON
        )
    )

    assert ("account_sequence", 12) in found(account, [*transactions, extra], crossings)


ACCOUNT_CHANGES: dict[str, tuple[Callable[[Account], Account], str]] = {
    "balance": (lambda account: replace(account, balance=account.balance + 1), "account_balance"),
    "count": (
        lambda account: replace(account, totals={**account.totals, Kind.PAYMENT: Total(count=2, credits=5)}),
        "account_counter",
    ),
    "credits": (
        lambda account: replace(account, totals={**account.totals, Kind.PAYMENT: Total(count=1, credits=6)}),
        "account_counter",
    ),
    "a kind too many": (
        lambda account: replace(account, totals={**account.totals, Kind.SUBSCRIPTION: Total(count=1, credits=0)}),
        "account_counter",
    ),
    "shortfall": (lambda account: replace(account, total_shortfall=0), "account_counter"),
    "hash": (lambda account: replace(account, hash="3" * 64), "account_hash"),
    "last": (lambda account: replace(account, last_transaction_id=None), "account_counter"),
    "last time": (lambda account: replace(account, last_transaction_at=LATER), "account_counter"),
    "status": (lambda account: replace(account, status_transaction_id=None), "account_status"),
    "status time": (lambda account: replace(account, status_changed_at=LATER), "account_status"),
}


@pytest.mark.parametrize("change", ACCOUNT_CHANGES)
def test_what_is_wrong_on_the_account_is_named(change: str) -> None:
    account, transactions, crossings = book()
    assert account.total_shortfall
    changed, kind = ACCOUNT_CHANGES[change]

    assert found(changed(account), transactions, crossings) == [(kind, 11)]


def test_the_detail_says_both_numbers() -> None:
    account, transactions, crossings = book()

    [finding] = audit(SHOP, replace(account, balance=7), transactions, crossings=crossings)
    assert finding.detail == "the account's balance is 7, its ledger says 0"


def test_a_balance_or_a_counter_changed_alone_shows_without_the_ledger() -> None:
    account, _, _ = book()

    for change in ("balance", "count", "credits", "a kind too many"):
        assert not plausible(ACCOUNT_CHANGES[change][0](account))


def test_an_account_set_back_is_found() -> None:
    account, transactions, crossings = book()
    back = replace(account, sequence=9, balance=transactions[8].balance_after, hash=transactions[8].hash)

    assert found(back, transactions, crossings) == [("account_sequence", 11)]


def test_records_without_an_account_are_found() -> None:
    _, transactions, _ = book()

    assert found(None, transactions) == [("account_missing", 11)]
    assert found(None, []) == []


TALLY_CHANGES: dict[str, Callable[[Tally], Tally | None]] = {
    "credits": lambda tally: replace(tally, credits=tally.credits - 1),
    "count": lambda tally: replace(tally, count=tally.count + 1),
    "money": lambda tally: replace(tally, money=Decimal(1)),
    "total": lambda tally: replace(tally, total=Decimal(60)),
    "full": lambda tally: replace(tally, full=False),
}


@pytest.mark.parametrize("change", TALLY_CHANGES)
def test_a_tally_is_proven_by_the_refunds_own_records(change: str) -> None:
    account, transactions, crossings = book()
    order_of_three = transactions[2]
    assert order_of_three.tally is not None
    transactions[2] = replace(order_of_three, tally=TALLY_CHANGES[change](order_of_three.tally))

    [finding] = audit(SHOP, account, transactions, crossings=crossings)
    assert (finding.kind, finding.sequence, finding.transaction_id) == (
        Drift.TALLY_WRONG,
        3,
        order_of_three.transaction_id,
    )


def test_a_tally_that_is_gone_is_found_by_each_refund() -> None:
    account, transactions, crossings = book()
    transactions[2] = replace(transactions[2], tally=None)

    assert found(account, transactions, crossings) == [("tally_wrong", 5), ("tally_wrong", 8), ("tally_wrong", 10)]


def test_a_refund_that_gave_back_too_much_is_found_though_it_is_sealed() -> None:
    ledger = FakeLedger()
    for movement in (trial(50), order("1", policy=TEN_PER_ITEM, lines=1, total="10"), refund_of("1", amount="5")):
        settle(ledger, [movement], now=NOON)
    account, transactions = ledger.accounts[SHOP], ledger.history(SHOP)
    transactions[2] = sealed(replace(transactions[2], amount=6, requested=6, balance_after=46))

    findings = found(replace(account, hash=transactions[2].hash, balance=46), transactions)
    assert ("refund_wrong", 3) in findings


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 6, "requested": 6},
        {"requested": 9},
        {"idempotency_key": "BILLING_PAYMENT_other"},
        {"kind": Kind.MANUAL_REMOVED},
        {"created_at": Instant("2025-05-31T12:00:00.000Z")},
    ],
)
def test_a_sealed_record_that_no_movement_can_make_is_found(wrong: dict[str, object]) -> None:
    account, transactions, crossings = book()
    transactions[3] = sealed(replace(transactions[3], **wrong))  # type: ignore[arg-type]

    assert ("record_wrong", 4) in found(account, transactions, crossings)


def test_an_unreadable_record_is_named_and_the_rest_is_walked() -> None:
    account, transactions, crossings = book()
    unreadable = UnreadableTransaction(transaction_id=transactions[4].transaction_id, sequence=5, why="amount")
    transactions[8] = replace(transactions[8], reference_id="other")
    walked: list[Transaction | UnreadableTransaction] = [*transactions[:4], unreadable, *transactions[5:]]

    assert found(account, walked, crossings) == [("record_unreadable", 5), ("record_changed", 9)]


def test_each_of_several_changes_is_found() -> None:
    account, transactions, crossings = book()
    transactions[1] = replace(transactions[1], reference_id="other")
    transactions[6] = replace(transactions[6], reference_id="other")
    del transactions[4]

    assert found(account, transactions, crossings) == [
        ("record_changed", 2),
        ("record_missing", 5),
        ("record_changed", 7),
    ]


def test_crossings_that_the_account_carries_are_those_of_its_newest_record() -> None:
    account, transactions, crossings = book()

    assert [crossing.type for crossing in crossings] == [
        CrossingType.LOW_BALANCE_REACHED,
        CrossingType.BALANCE_EXHAUSTED,
        CrossingType.PLUGIN_STATUS_CHANGED,
    ]
    assert found(account, transactions, ()) == [("crossing_wrong", 11)]
    assert found(account, transactions, crossings[:1]) == [("crossing_wrong", 11)]
    # After a changed threshold the account carries that write's own crossings, or none.
    assert found(replace(account, updated_at=LATER), transactions, ()) == []
    assert found(replace(account, threshold=3), transactions, ()) == []


@pytest.mark.parametrize("threshold", [20, 7])
def test_a_threshold_set_in_the_instant_of_the_newest_record_is_no_drift(threshold: int) -> None:
    account, transactions, _ = book(threshold)

    # The default's own value: nothing of the account changes but that it is now its own.
    changed, crossings = change_threshold(
        account, threshold, default_threshold=threshold, correlation_id=None, now=account.updated_at
    )

    assert found(changed, transactions, crossings) == []


def test_an_account_rebuilt_in_the_instant_of_the_newest_record_is_no_drift() -> None:
    account, transactions, _ = book()
    walk = walk_of(transactions)
    compared(walk, account)

    assert found(rebuilt(walk, account, now=account.updated_at), transactions, ()) == []


def test_an_account_rebuilt_after_the_end_of_its_lot_is_no_drift() -> None:
    ledger = FakeLedger()
    end = days_after(NOON, 1)
    settle(ledger, [trial(50), replace(payment("p1", 5), expires_at=end)], now=NOON, default_threshold=20)
    transactions = ledger.history(SHOP)
    walk = walk_of(transactions)
    compared(walk, None)

    after = rebuilt(walk, None, now=days_after(end, 1))

    assert found(after, transactions) == []
    assert after.due_at == end


@pytest.mark.parametrize("known", ["gone", "running", "over"])
def test_the_end_of_a_grace_is_published_after_a_rebuild_unless_it_was_before(known: str) -> None:
    ledger, terms = FakeLedger(), TimeTerms(grace=GraceTerms(hours=1))
    settle(ledger, [trial(1), order("1")], now=NOON, default_threshold=0, terms=terms)
    running, transactions, later = ledger.accounts[SHOP], ledger.history(SHOP), days_after(NOON, 1)
    over = post_due(running, terms=terms, default_threshold=0, now=later).account
    account = {"gone": None, "running": running, "over": replace(over, updated_at=later)}[known]
    walk = walk_of(transactions)
    compared(walk, account)

    after = rebuilt(walk, account, now=later)

    assert found(after, transactions) == []
    brought = post_due(after, terms=terms, default_threshold=0, now=days_after(later, 1))
    ended = [CrossingType.GRACE_ENDED, CrossingType.PLUGIN_STATUS_CHANGED]
    assert [one.type for one in brought.crossings] == ([] if known == "over" else ended)


def walk_of(transactions: Sequence[Transaction]) -> Walk:
    walk = Walk(SHOP)
    for transaction in transactions:
        walk.step(transaction)
    return walk


@pytest.mark.parametrize("change", ACCOUNT_CHANGES)
def test_an_account_is_rebuilt_from_its_records(change: str) -> None:
    account, transactions, _ = book()
    wrong = replace(ACCOUNT_CHANGES[change][0](account), low_balance_threshold=5)
    walk = walk_of(transactions)
    compared(walk, wrong)

    after = rebuilt(walk, wrong, now=LATER)
    assert after == replace(account, low_balance_threshold=5, threshold=5, version=after.version, updated_at=LATER)


def test_an_account_that_is_gone_is_rebuilt_but_for_what_no_record_tells() -> None:
    account, transactions, _ = book()
    walk = walk_of(transactions)
    compared(walk, None)

    after = rebuilt(walk, None, now=LATER)
    assert after == replace(account, version=after.version, updated_at=LATER)


def test_an_account_that_was_put_back_is_rebuilt_to_the_end_of_its_records() -> None:
    account, transactions, _ = book(7)
    walk = walk_of(transactions)
    # From before a changed setting, too.
    lagging = replace(account, sequence=3, balance=5, version=3, threshold=20, hash=transactions[2].hash)
    compared(walk, lagging)

    after = rebuilt(walk, lagging, now=LATER)
    assert after == replace(account, version=after.version, updated_at=LATER)
    assert after.threshold == transactions[-1].threshold == 7


def test_a_rebuilt_account_has_a_version_that_no_write_has_had() -> None:
    account, transactions, _ = book()

    def version(known: Account | None, now: Instant) -> int:
        walk = walk_of(transactions)
        compared(walk, known)
        return rebuilt(walk, known, now=now).version

    assert version(None, NOON) > 10**12
    assert version(account, NOON) == version(None, NOON)
    # A second rebuild, of an account that was written to 500 times in each second since the first.
    later = Instant("2025-06-01T12:00:10.000Z")
    assert version(None, later) > version(None, NOON) + 5_000
    assert version(replace(account, version=10**13), NOON) == 10**13 + 1

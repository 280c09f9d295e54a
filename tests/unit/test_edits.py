"""Edited orders: the end is the charge of the newest version, whatever came when (contract, section 12)."""

from dataclasses import replace
from decimal import Decimal

import pytest

from chalicelib.domain.errors import Code, Rejected, RetryLater
from chalicelib.domain.findings import Drift
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Kind, Movement, OrderMovement, edit_key, order_key
from chalicelib.domain.orders import Edits, Policy, Tally
from chalicelib.domain.outcomes import Duplicate, Posted
from chalicelib.domain.tallies import Tallies
from chalicelib.usecases.posting import Posting
from tests.support.builders import (
    EARNED_TENTH,
    NOON,
    SHOP,
    TEN_PER_ITEM,
    TENTH_OF_TOTAL,
    adjustment,
    order,
    payment,
    refund_of,
)
from tests.support.calls import FakeCall
from tests.support.edited_orders import at, findings, ledger, stored_order, version
from tests.support.fakes import FakeLedger, settle


def transactions(store: FakeLedger) -> list[tuple[str, int]]:
    return [(transaction.kind.transaction_type, transaction.amount) for transaction in store.history(SHOP)]


def test_newer_versions_post_their_differences_and_an_older_one_is_a_duplicate() -> None:
    store = ledger([version(15, "100")], [version(16, "150")], [version(17, "120")])

    [outcome] = settle(store, [version(16, "150")], now=NOON)

    assert isinstance(outcome, Duplicate)
    assert not outcome.order_changed
    assert transactions(store) == [("TRIAL", 100), ("ORDER_PAID", -10), ("ORDER_EDITED", -5), ("ORDER_EDITED", 3)]
    assert store.accounts[SHOP].balance == 88
    edits = Edits(updated_at=at(17), charged=12, taken=2, total=Decimal(120))
    assert stored_order(store).tally == Tally(edits=edits)
    assert findings(store) == []


def test_an_edit_has_a_key_of_its_own_and_keeps_what_its_charge_follows_from() -> None:
    store = ledger([version(15, "100")], [version(16, "150", updated=True)])

    edit = store.history(SHOP)[-1]

    assert edit.idempotency_key == "SHOPIFY_ORDER_1_EDIT_1793548800000"
    assert edit.reference_id == "1"
    assert edit.metadata == {
        "order_id": "1",
        "lines": 1,
        "total": "150",
        "updated_at": at(16),
        "source": "evt.order.updated",
        "policy": str(TENTH_OF_TOTAL),
    }


def test_an_edit_that_is_delivered_again_is_a_duplicate_of_the_edit() -> None:
    store = ledger([version(15, "100")])
    [posted] = settle(store, [version(16, "150")], now=NOON)
    assert isinstance(posted, Posted)

    [again] = settle(store, [version(16, "150")], now=NOON)

    assert isinstance(again, Duplicate)
    assert len(store.history(SHOP)) == 3


def test_an_edit_is_charged_by_the_policy_recorded_with_the_order() -> None:
    store = ledger([version(15, "100")], [version(16, "150", policy=Policy(fixed_amount=7))])

    assert transactions(store)[-1] == ("ORDER_EDITED", -5)


@pytest.mark.parametrize("updated", [False, True])
def test_without_its_time_a_changed_order_is_what_it_was(updated: bool) -> None:
    store = ledger([order("1", policy=TENTH_OF_TOTAL, total="100")])

    [outcome] = settle(store, [order("1", policy=TENTH_OF_TOTAL, total="150", updated=updated)], now=NOON)

    if updated:
        assert isinstance(outcome, Duplicate)
        assert outcome.order_changed
    else:
        assert isinstance(outcome, Rejected)
        assert outcome.code is Code.KEY_REUSED


def test_two_versions_of_one_time_that_differ_contradict_each_other() -> None:
    store = ledger([version(15, "100")])

    [outcome] = settle(store, [version(15, "150")], now=NOON)

    assert isinstance(outcome, Rejected)
    assert outcome.code is Code.KEY_REUSED


def test_an_order_recorded_without_a_time_takes_a_version_that_tells_one() -> None:
    store = ledger([order("1", policy=TENTH_OF_TOTAL, total="100")], [version(16, "150")])

    assert transactions(store)[-1] == ("ORDER_EDITED", -5)


def test_after_an_edit_a_repeat_without_its_time_is_a_duplicate_of_either_charge() -> None:
    store = ledger([version(15, "100")], [version(16, "150")])

    for total in ("100", "150"):
        [outcome] = settle(store, [order("1", policy=TENTH_OF_TOTAL, total=total)], now=NOON)
        assert isinstance(outcome, Duplicate)


def test_what_an_edit_cannot_take_is_shortfall_and_is_compared_by_the_charge() -> None:
    store = ledger([version(15, "100")], [version(16, "150")], opening=12)

    assert transactions(store)[1:] == [("ORDER_PAID", -10), ("ORDER_EDITED", -2)]
    assert store.accounts[SHOP].total_shortfall == 3
    settle(store, [payment("p", 50), version(17, "160")], now=NOON)
    assert transactions(store)[-1] == ("ORDER_EDITED", -1)


def test_an_edit_gives_back_only_what_was_taken_above_the_new_charge() -> None:
    store = ledger([version(15, "100")], [version(16, "50")], [version(17, "20")], opening=3)

    assert transactions(store)[1:] == [("ORDER_PAID", -3), ("ORDER_EDITED", 0), ("ORDER_EDITED", 1)]
    assert findings(store) == []


def test_an_edit_gives_back_no_more_than_refunds_have_left() -> None:
    store = ledger([version(15, "100")], [refund_of("1", "r", amount="80")], [version(16, "50")])

    assert transactions(store)[1:] == [("ORDER_PAID", -10), ("REFUND", 8), ("ORDER_EDITED", 2)]
    settle(store, [version(17, "100")], now=NOON)
    # Eight stay taken, for they were refunded: to a charge of ten, two are missing.
    assert transactions(store)[-1] == ("ORDER_EDITED", -2)
    assert findings(store) == []


def test_an_edit_of_an_order_that_earned_takes_back_what_is_left() -> None:
    store = ledger([version(15, "100", policy=EARNED_TENTH)], [adjustment("spend", -9)], [version(16, "80")], opening=1)

    assert transactions(store)[-1] == ("ORDER_EDITED", -2)
    settle(store, [version(17, "10")], now=NOON)
    assert transactions(store)[-1] == ("ORDER_EDITED", 0)
    assert store.history(SHOP)[-1].shortfall == 7
    settle(store, [version(18, "60"), refund_of("1", "r")], now=NOON)
    assert transactions(store)[-2:] == [("ORDER_EDITED", 5), ("REFUND", -5)]
    assert findings(store) == []


def test_refunds_are_shares_of_the_net_charge_by_the_newest_total() -> None:
    store = ledger(
        [version(15, "100")],
        [refund_of("1", "r1", amount="50", order_total="100")],
        [version(16, "200")],
        [refund_of("1", "r2", amount="50", order_total="200")],
        [refund_of("1", "r3", amount="50")],
        [refund_of("1", "r4")],
    )

    refunds = [amount for kind, amount in transactions(store) if kind == "REFUND"]
    assert refunds == [5, 5, 5, 5]
    assert store.accounts[SHOP].balance == 100
    assert findings(store) == []


def test_a_version_with_the_same_charge_is_noted_without_a_record() -> None:
    store = ledger([version(15, "100")])

    [outcome] = settle(store, [version(17, "101")], now=NOON)

    assert isinstance(outcome, Duplicate)
    assert not store.commits[-1].writes_account
    assert len(store.history(SHOP)) == 2
    assert stored_order(store).tally == Tally(edits=Edits(updated_at=at(17), charged=10, total=Decimal(101)))
    settle(store, [version(16, "150")], now=NOON)
    assert len(store.history(SHOP)) == 2
    assert findings(store) == []


def test_a_refund_proves_the_total_of_a_version_that_moved_nothing() -> None:
    by_item = Policy(fixed_amount=10)
    store = ledger(
        [order("1", policy=by_item, total="100", at=at(15))],
        [order("1", policy=by_item, total="200", at=at(16))],
        [refund_of("1", "r1", amount="100")],
    )

    assert transactions(store)[-1] == ("REFUND", 5)
    assert store.history(SHOP)[-1].metadata["edited_total"] == "200"
    assert findings(store) == []


def test_an_order_charged_by_number_writes_nothing_for_a_newer_version_without_a_total() -> None:
    store = ledger([order("1", at=at(15))])

    [outcome] = settle(store, [order("1", at=at(16))], now=NOON)

    assert isinstance(outcome, Duplicate)
    assert len(store.commits) == 2


def test_an_edit_without_a_total_keeps_the_newest_one_known_and_proves_it() -> None:
    store = ledger(
        [order("1", policy=TEN_PER_ITEM, lines=1, total="100", at=at(15))],
        [order("1", policy=TEN_PER_ITEM, lines=1, total="200", at=at(16))],
        [order("1", policy=TEN_PER_ITEM, lines=2, at=at(17))],
        [refund_of("1", "r", amount="100")],
    )

    assert transactions(store)[-1] == ("REFUND", 10)
    assert store.history(SHOP)[2].metadata["edited_total"] == "200"
    assert findings(store) == []


def test_an_order_and_its_edits_and_refunds_in_one_write_are_one_item_with_its_tally() -> None:
    batch = [version(16, "150"), version(15, "100"), version(17, "120"), refund_of("1", "r", amount="60")]
    store = ledger(batch)

    assert transactions(store)[1:] == [("ORDER_PAID", -15), ("ORDER_EDITED", 3), ("REFUND", 6)]
    assert len(store.commits) == 2
    assert store.commits[-1].tallies == ()
    assert findings(store) == []


def test_several_edits_of_a_stored_order_are_one_change_of_it() -> None:
    store = ledger([version(15, "100")], [version(16, "150"), version(17, "120"), refund_of("1", "r")])

    assert len(store.commits[-1].tallies) == 1
    assert transactions(store)[2:] == [("ORDER_EDITED", -5), ("ORDER_EDITED", 3), ("REFUND", 12)]


def test_an_edit_whose_answer_was_lost_was_posted() -> None:
    store = ledger([version(15, "100")])
    posting = Posting(store, default_threshold=20)
    store.after_effect.append(RetryLater(Code.UNAVAILABLE, "no answer"))

    [[outcome]] = posting.post([[version(16, "150")]], time=FakeCall().time)

    assert isinstance(outcome, Posted)
    assert outcome.transaction.kind is Kind.EDIT_REMOVED
    assert len(store.history(SHOP)) == 3


@pytest.mark.parametrize(
    ("ours", "theirs", "moved"),
    [
        (version(16, "150"), version(17, "120"), [("ORDER_EDITED", -2)]),
        (version(17, "120"), version(16, "150"), [("ORDER_EDITED", -5), ("ORDER_EDITED", 3)]),
        (version(16, "150"), version(16, "150"), [("ORDER_EDITED", -5)]),
        (version(16, "150"), version(17, "101"), []),
        (version(17, "101"), version(16, "150"), [("ORDER_EDITED", -5), ("ORDER_EDITED", 5)]),
        (version(16, "50"), refund_of("1", "r", amount="80"), [("REFUND", 8), ("ORDER_EDITED", 2)]),
        (refund_of("1", "r", amount="75"), version(16, "150"), [("ORDER_EDITED", -5), ("REFUND", 7)]),
    ],
    ids=["older", "newer", "the same", "older than a note", "a note", "after a refund", "refund after an edit"],
)
def test_a_race_lost_for_an_order_is_decided_again_on_what_stands(
    ours: Movement, theirs: Movement, moved: list[tuple[str, int]]
) -> None:
    store = ledger([version(15, "100")])
    posting = Posting(store, default_threshold=20)
    posting.post([[payment("first", 1)]], time=FakeCall().time)  # It remembers the account.

    def they_write(_: Commit) -> None:
        settle(store, [theirs], now=NOON)

    # The first write of ours may only find the order; the second one loses the race.
    store.before_effect.extend([None, they_write] if isinstance(ours, OrderMovement) else [they_write])
    posting.post([[ours]], time=FakeCall().time)

    assert transactions(store)[3:] == moved
    assert findings(store) == []


def test_an_id_that_reads_like_an_edit_takes_no_edits_key() -> None:
    edits = {edit_key(name, at(16)) for name in ("1", "1_EDIT_5", "1%5FEDIT%5F5")}
    orders = {order_key(name) for name in ("1_EDIT_1793548800000", "1%5FEDIT%5F1793548800000", "1")}

    assert not edits & orders
    assert len(edits) == len(orders) == 3


def test_the_audit_finds_an_edit_that_asked_for_something_else() -> None:
    store = ledger([version(15, "100")], [version(16, "150")])
    transaction = stored_order(store)
    assert transaction.tally is not None
    assert transaction.tally.edits is not None

    wrong = replace(transaction, tally=replace(transaction.tally, edits=replace(transaction.tally.edits, taken=4)))
    store.transactions[transaction.transaction_id] = wrong
    assert findings(store) == [Drift.TALLY_WRONG]
    store.transactions[transaction.transaction_id] = replace(transaction, tally=None)
    assert Drift.TALLY_WRONG in findings(store)


def test_an_edit_that_was_not_due_is_found() -> None:
    store = ledger([version(15, "100")], [version(16, "150")])
    *before, edit = store.history(SHOP)
    tallies = Tallies(SHOP)

    wrong = [*before, replace(edit, requested=6)]

    assert [found.kind for transaction in wrong for found in tallies.take(transaction)] == [Drift.EDIT_WRONG]


@pytest.mark.parametrize(("name", "text"), [("policy", None), ("lines", "many"), ("total", None)])
def test_an_edit_whose_charge_cannot_be_computed_is_found(name: str, text: str | None) -> None:
    store = ledger([version(15, "100")], [version(16, "150")])
    order, edit = store.history(SHOP)[-2:]
    metadata = {key: value for key, value in {**edit.metadata, name: text}.items() if value is not None}
    tallies = Tallies(SHOP)

    found = [one for each in (order, replace(edit, metadata=metadata)) for one in tallies.take(each)]

    assert [one.kind for one in found] == [Drift.EDIT_WRONG]
    assert found[0].detail.startswith("its charge cannot be computed: ")


def test_edits_and_refunds_prove_the_tally_of_an_order_whose_record_lost_it() -> None:
    store = ledger([version(15, "100")], [version(16, "150"), refund_of("1", "r", amount="75"), version(17, "120")])
    whole = stored_order(store)
    tallies = Tallies(SHOP, uncounted=[whole.transaction_id])

    for transaction in store.history(SHOP):
        assert not list(tallies.take(replace(transaction, tally=None)))

    [change] = tallies.corrections()
    assert (change.transaction_id, change.before, change.after) == (whole.transaction_id, None, whole.tally)


def test_a_version_whose_edit_is_gone_is_not_kept_and_one_that_moved_nothing_is() -> None:
    store = ledger([version(15, "100")], [version(16, "101")])
    noted = stored_order(store)
    for charged, kept in ((10, True), (15, False)):
        assert noted.tally is not None
        assert noted.tally.edits is not None
        tally = replace(noted.tally, edits=replace(noted.tally.edits, charged=charged))
        tallies = Tallies(SHOP)
        list(tallies.take(replace(noted, tally=tally)))
        assert [change.after for change in tallies.corrections()] == ([] if kept else [Tally()])

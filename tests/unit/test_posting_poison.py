"""A message that is impossible is rejected whole: nothing of it is applied, however late that shows.

(contract, section 4: a poison message)
"""

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.fold import ITEMS_MAX
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from tests.support.builders import SHOP, known_as, order, payment, refund_of, trial
from tests.support.fakes import FakeLedger
from tests.support.posting import codes, ledger_with, post, posting_on, recount

POISON: list[Movement] = [refund_of("O", "1", amount="5"), refund_of("P", "3", amount="9")]
"""The first is of an order without any total, the second could be applied."""


def of_order_o(ledger: FakeLedger) -> list[str]:
    return [transaction.reference_id for transaction in ledger.history(SHOP) if transaction.reference_id in ("1", "3")]


@pytest.mark.parametrize("known_by", ["an earlier call", "the same batch"])
def test_a_neighbour_that_names_the_total_and_is_a_conflict_names_nothing(known_by: str) -> None:
    namesake, naming = refund_of("P", "2", amount="1"), refund_of("O", "2", amount="5", order_total="100")
    ledger = ledger_with(trial(), order("O"), order("P", total="10"))
    earlier: list[list[Movement]] = [[namesake]]
    if known_by == "an earlier call":
        post(posting_on(ledger), *earlier)
        earlier = []

    outcomes = post(posting_on(ledger), *earlier, [naming], POISON, [payment()])

    assert [codes(of_message) for of_message in outcomes[-3:]] == [
        [Code.KEY_REUSED],
        [Code.TOTAL_MISSING] * 2,
        ["posted"],
    ]
    assert of_order_o(ledger) == []


def test_an_order_that_another_writer_recorded_meanwhile_without_its_total() -> None:
    ledger = ledger_with(trial(), order("P", total="10"))

    def overtake(_commit: Commit) -> None:
        post(posting_on(ledger), [order("O")])

    ledger.before_effect.append(overtake)
    outcomes = post(posting_on(ledger), [order("O", total="100")], POISON)

    assert [codes(of_message) for of_message in outcomes] == [["duplicate"], [Code.TOTAL_MISSING] * 2]
    assert of_order_o(ledger) == []


def test_a_conflict_that_only_a_later_write_meets() -> None:
    """The message that rests on its neighbour waits for it, although it was delivered first."""
    ledger = ledger_with(trial(), order("P", total="10"))

    def overtake(_commit: Commit) -> None:
        post(posting_on(ledger), [order("O")])

    ledger.before_effect.extend([None, overtake])
    many: list[Movement] = [order(str(number)) for number in range(100, 100 + ITEMS_MAX)]
    outcomes = post(posting_on(ledger), POISON[::-1], many, [order("O", total="100")])

    assert codes(outcomes[0]) == [Code.TOTAL_MISSING] * 2
    assert codes([*outcomes[1], *outcomes[2]]) == ["posted"] * ITEMS_MAX + ["duplicate"]
    assert of_order_o(ledger) == []


def test_what_rests_on_a_neighbour_is_posted_although_it_fits_into_no_one_write() -> None:
    ledger = ledger_with(trial(), order("P", total="10"))
    many: list[Movement] = [order(str(number)) for number in range(100, 100 + ITEMS_MAX)]

    outcomes = post(posting_on(ledger), POISON[::-1], many, [order("O", total="100")])

    assert codes([outcome for of_message in outcomes for outcome in of_message]) == ["posted"] * (ITEMS_MAX + 3)
    assert ledger.tried == 3
    recount(ledger)


def test_poison_that_would_come_in_a_later_write_is_seen_before_the_first() -> None:
    ledger = ledger_with(trial(), order("bare"))
    message: list[Movement] = [order(str(number)) for number in range(ITEMS_MAX)]

    [outcomes] = post(posting_on(ledger), [*message, refund_of("bare", "r", amount="5")])

    assert codes(outcomes) == [Code.TOTAL_MISSING] * (ITEMS_MAX + 1)
    assert ledger.tried == 0


def test_an_amount_whose_order_is_not_there_yet_holds_its_message_back_until_its_total_is_known() -> None:
    ledger = ledger_with(trial(), order("P", total="10"))

    [waiting] = post(posting_on(ledger), POISON)
    post(posting_on(ledger), [order("O")])
    [poison] = post(posting_on(ledger), POISON)

    assert (codes(waiting), codes(poison)) == ([Code.ORDER_MISSING] * 2, [Code.TOTAL_MISSING] * 2)
    assert of_order_o(ledger) == []


def test_held_back_or_not_the_message_is_applied_once_its_order_has_come_with_its_total() -> None:
    ledger = ledger_with(trial(), order("P", total="10"))

    post(posting_on(ledger), POISON)
    post(posting_on(ledger), [order("O", total="100")])
    [outcomes] = post(posting_on(ledger), POISON)

    assert codes(outcomes) == ["posted"] * 2
    assert of_order_o(ledger) == ["1", "3"]


def test_a_write_whose_answer_was_lost_makes_no_poison_of_what_it_posted() -> None:
    ledger = ledger_with(trial(), order("O"), order("P", total="10"))
    ledger.after_effect.append(RetryLater(Code.UNAVAILABLE, "no answer"))
    naming = refund_of("O", "2", amount="5", order_total="100")

    outcomes = post(posting_on(ledger), [naming], POISON)

    assert of_order_o(ledger) == ["1", "3"]
    assert codes(outcomes[1]) == ["posted"] * 2


@pytest.mark.parametrize("basis", ["alone", "beside an edit that names the total later"])
def test_a_refund_by_a_name_that_its_batch_brings_is_no_poison_where_the_recorded_order_has_a_total(basis: str) -> None:
    ledger = ledger_with(trial(), order("O", total="10"))
    again: list[list[Movement]] = [[known_as(order("O"), order("al-O"))], [refund_of("al-O", "1", amount="5")]]
    if basis != "alone":
        again += [[order("O", total="10")]]

    outcomes = post(posting_on(ledger), *again)

    assert [codes(of_one) for of_one in outcomes][:2] == [["duplicate"], ["posted"]]
    assert recount(ledger) == ledger.accounts[SHOP].balance


def test_orders_without_a_total_are_read_once_before_the_message_of_their_refund_is_poison() -> None:
    ledger = ledger_with(trial())
    orders = [known_as(order("O"), order("al-O"))]

    [_, refused] = post(posting_on(ledger), orders, [refund_of("al-O", "1", amount="5")])

    assert codes(refused) == [Code.TOTAL_MISSING]
    assert len(ledger.reads) == 2

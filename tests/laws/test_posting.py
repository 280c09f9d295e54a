"""Whatever fails while a batch is posted, each fact is recorded once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.ledger import Commit
from chalicelib.domain.outcomes import Posted
from tests.support.builders import NOON, SHOP, order, payment, trial
from tests.support.calls import FakeCall
from tests.support.fakes import settle
from tests.support.posting import LOST, codes, contended, ledger_with, posting_on, recount

faults = st.lists(st.sampled_from(["none", "lost before", "lost after", "contended", "rival", "same"]), max_size=12)
orders = st.lists(st.integers(1, 6), min_size=1, max_size=8)


@settings(deadline=None)  # A busy machine is no fault of posting.
@given(faults, st.lists(orders, min_size=1, max_size=3))
def test_whatever_happens_each_fact_is_recorded_once_and_posted_is_said_once(
    plan: list[str], messages: list[list[int]]
) -> None:
    ledger = ledger_with(trial(1000))
    rivals = iter(range(1000))

    def rival(_commit: Commit) -> None:
        settle(ledger, [payment(f"rival {next(rivals)}", 1)], now=NOON)

    def same(commit: Commit) -> None:
        settle(ledger, [order(commit.transactions[0].reference_id)], now=NOON)

    def lose(_commit: Commit) -> None:
        raise LOST

    deeds = {"none": None, "lost before": lose, "contended": contended, "rival": rival, "same": same}
    for fault in plan:
        if fault == "lost after":
            ledger.after_effect.append(lose)
        else:
            # A rival's own write comes in between, and is left in peace.
            ledger.before_effect.extend([deeds[fault], *([None] if fault in ("rival", "same") else [])])
    posting = posting_on(ledger)

    outcomes = posting.post([[order(str(number)) for number in numbers] for numbers in messages], time=FakeCall().time)

    recount(ledger)
    wanted = {str(number) for numbers in messages for number in numbers}
    orders_recorded = [transaction.reference_id for transaction in ledger.history(SHOP) if transaction.kind.is_order]
    assert sorted(orders_recorded) == sorted(wanted)
    ours = [
        outcome.transaction.reference_id
        for of_message in outcomes
        for outcome in of_message
        if isinstance(outcome, Posted)
    ]
    assert len(ours) == len(set(ours))
    assert set(codes([outcome for of_message in outcomes for outcome in of_message])) <= {"posted", "duplicate"}

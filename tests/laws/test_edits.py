"""In any order the end of an edited order is the charge of its newest version (contract, section 12)."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.movements import Movement, OrderMovement
from chalicelib.domain.outcomes import Duplicate
from tests.support.builders import EARNED_TENTH, NOON, TENTH_OF_TOTAL, refund_of
from tests.support.edited_orders import findings, ledger, stored_order, version
from tests.support.examples import examples
from tests.support.fakes import settle

VERSIONS = [version(hour, total) for hour, total in enumerate(("100", "40", "0", "155", "96", "149", "1000"), start=1)]
REFUNDS = [refund_of("1", f"r{number}", amount="30") for number in range(3)] + [refund_of("1", "all")]


@settings(max_examples=examples(150), deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=7),
    st.just([]) | st.lists(st.sampled_from(REFUNDS), max_size=4),
    st.lists(st.integers(0, 20), max_size=5).map(sorted),
    st.integers(0, 200) | st.just(200),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_in_any_order_the_end_is_the_charge_of_the_newest_version(
    versions: list[OrderMovement], refunds: list[Movement], cuts: list[int], opening: int, earns: bool, random: Random
) -> None:
    policy = EARNED_TENTH if earns else TENTH_OF_TOTAL
    movements: list[Movement] = [*(replace(one, policy=policy) for one in versions), *refunds] * 2
    random.shuffle(movements)
    ends = [0, *(cut for cut in cuts if cut < len(movements)), len(movements)]
    batches = [movements[start:end] for start, end in pairwise(ends) if movements[start:end]]
    store = ledger(*batches, movements, opening=opening)

    paid = stored_order(store)
    newest = max(versions, key=lambda one: one.updated_at or "")
    seen = paid.tally.edits if paid.tally and paid.tally.edits else None
    charged = seen.charged if seen else paid.requested
    assert newest.total is not None
    assert charged == int(newest.total.quantize(Decimal(1)) // 10 + (newest.total % 10 >= 5))
    taken = abs(paid.amount) + (seen.taken if seen else 0)
    refunded = paid.tally.credits if paid.tally else 0
    assert 0 <= refunded <= taken
    assert taken <= max(charged, refunded)
    if opening == 200 and not refunds:
        assert taken == charged
    assert findings(store) == []
    again = settle(store, movements, now=NOON)
    assert all(isinstance(outcome, Duplicate) for outcome in again)

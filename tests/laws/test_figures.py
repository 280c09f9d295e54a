"""The laws of the fleet's figures: whatever the stream does to its transactions, the sums equal a recount."""

from functools import cache
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.figures import Figures, contribution, newest, recount, total
from chalicelib.domain.ledger import Account
from chalicelib.usecases.counting import count
from tests.support.calls import FakeCall
from tests.support.examples import examples
from tests.support.fake_figures import FakeFigures
from tests.support.histories import images

MOVEMENTS, MERCHANTS = 220, 9


@cache
def history() -> tuple[list[Account], Figures]:
    """Return the images of some accounts in the order of their writes, and what a recount of the end says."""
    written, ledger = images(MOVEMENTS, MERCHANTS, seed=3)
    return written, recount(ledger.accounts.values())


@given(st.lists(st.sampled_from(range(4)), max_size=8))
def test_a_sum_does_not_depend_on_how_it_is_split(cuts: list[int]) -> None:
    parts = [contribution(image).figures for image in history()[0][:30]]
    groups: dict[int, list[Figures]] = {}
    for place, part in enumerate(parts):
        groups.setdefault(cuts[place % len(cuts)] if cuts else 0, []).append(part)

    assert total(total(group) for group in groups.values()) == total(parts)


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 2**32), repeats=st.integers(1, 3), size=st.integers(1, 120))
def test_any_order_any_repetition_and_any_split_of_the_records_give_the_recount(
    seed: int, repeats: int, size: int
) -> None:
    written, recounted = history()
    transactions = written * repeats
    Random(seed).shuffle(transactions)  # noqa: S311 - hypothesis chose the seed
    store = FakeFigures()

    for start in range(0, len(transactions), size):
        assert count(store, transactions[start : start + size], time=FakeCall().time) == set()

    assert store.fleet() == recounted


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_after_any_batch_the_figures_are_those_of_the_newest_images_seen(seed: int) -> None:
    random, store = Random(seed), FakeFigures()  # noqa: S311 - hypothesis chose the seed
    transactions = random.sample(history()[0], 40)

    for seen in range(10, 41, 10):
        count(store, transactions[seen - 10 : seen], time=FakeCall().time)
        assert store.fleet() == recount(newest(transactions[:seen]).values())

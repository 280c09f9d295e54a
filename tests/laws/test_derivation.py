"""What a transaction crossed is derived again as it was published, whatever moved the threshold between two."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.contracts.api.story import story_of
from chalicelib.contracts.outbound.derived import derived_events
from chalicelib.contracts.outbound.published import crossing_event
from chalicelib.domain.audit import audit
from chalicelib.domain.derivation import Excerpt, derived_crossings
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import Instant
from chalicelib.domain.ledger import THRESHOLD_BEFORE, Account, Commit, Crossing, CrossingType
from chalicelib.domain.override import change_threshold
from chalicelib.domain.transactions import Transaction
from tests.support.builders import SHOP, adjustment, order, payment, trial

Step = tuple[str, int | None]
"""Credits added or removed by a movement, an admin's threshold (None: the default), or another default."""

STEPS = st.one_of(
    st.tuples(st.just("move"), st.integers(-40, 40).filter(bool)),
    st.tuples(st.just("two"), st.integers(1, 30)),
    st.tuples(st.just("threshold"), st.none() | st.integers(0, 60)),
    st.tuples(st.just("default"), st.integers(0, 60)),
)
FROM_UNDER_ANOTHER_DEFAULT: Sequence[Step] = [
    ("move", -20),
    ("default", 3),
    ("threshold", 7),
    ("threshold", None),
    ("default", 20),
    ("move", -1),
]


class Past:
    """An account with a past, and everything that its writes published."""

    def __init__(self, opening: int, steps: Sequence[Step]) -> None:
        self.account: Account | None = None
        self.transactions: list[Transaction] = []
        self.published: list[tuple[Crossing, int]] = []
        self._default, self._time = 20, 0
        self._post([trial(opening)])
        for number, (kind, value) in enumerate(steps):
            if kind == "default":
                assert value is not None
                self._default = value
            elif kind == "threshold":
                self._set_threshold(value)
            elif kind == "two":
                assert value is not None
                self._post([payment(f"p{number}", value), order(f"{number}")])
            elif value is not None:
                enough = value > 0 or self.now.balance >= -value
                self._post([adjustment(f"a{number}", value)] if enough else [order(f"{number}")])

    @property
    def now(self) -> Account:
        assert self.account is not None
        return self.account

    def of(self, transaction: Transaction) -> list[Crossing]:
        return [crossing for crossing, _ in self.published if crossing.transaction_id == transaction.transaction_id]

    def _instant(self) -> Instant:
        self._time += 1
        return Instant(f"2025-06-01T12:00:{self._time // 1000:02}.{self._time % 1000:03}Z")

    def _post(self, movements: list[object]) -> None:
        decided = fold(
            SHOP,
            self.account,
            movements,  # type: ignore[arg-type]
            stored={},
            default_threshold=self._default,
            now=self._instant(),
        )
        assert decided.commit is not None, decided.outcomes
        self.transactions += decided.commit.transactions
        self._written(decided.commit)

    def _set_threshold(self, threshold: int | None) -> None:
        changed, crossed = change_threshold(
            self.now, threshold, default_threshold=self._default, correlation_id=None, now=self._instant()
        )
        if changed is not self.account:
            after = replace(changed, version=changed.version + 1)
            self._written(Commit(merchant_id=SHOP, before=self.account, after=after, crossings=crossed))

    def _written(self, commit: Commit) -> None:
        self.account = commit.after
        self.published += [(crossing, commit.after.version) for crossing in commit.crossings]


@given(opening=st.integers(0, 60), steps=st.lists(STEPS, max_size=12))
@example(opening=25, steps=FROM_UNDER_ANOTHER_DEFAULT)
@example(opening=25, steps=[("threshold", 30), ("move", -1)])
@example(opening=25, steps=[("default", 30), ("move", -1)])
def test_what_was_published_is_derived_and_nothing_else(opening: int, steps: Sequence[Step]) -> None:
    past = Past(opening, steps)

    for before, transaction in zip([None, *past.transactions], past.transactions, strict=False):
        found = derived_crossings(transaction, before=before)
        assert (list(found.crossings), found.doubtful) == (past.of(transaction), False)
        assert [event.event_id for event in derived_events(transaction, before=before).of_crossings] == [
            crossing_event(SHOP, crossing, version=1).event_id for crossing in past.of(transaction)
        ]


@given(opening=st.integers(0, 60), steps=st.lists(STEPS, max_size=12))
@example(opening=25, steps=FROM_UNDER_ANOTHER_DEFAULT)
@example(opening=25, steps=[("threshold", 30), ("move", -1)])
def test_a_story_invents_nothing_and_leaves_nothing_out(opening: int, steps: Sequence[Step]) -> None:
    past = Past(opening, steps)

    said = [
        event
        for chapter in story_of(past.now, Excerpt(past.transactions, complete=True)).chapters
        for event in chapter.events
    ]
    by_movement = {event.event_id for event in said if event.event_type.endswith(tuple(CrossingType))}
    published = {
        crossing_event(SHOP, crossing, version=version).event_id
        for crossing, version in past.published
        if crossing.transaction_id
    }
    assert by_movement - {None} == published
    # What an admin's threshold crossed names no id, and stands there only where it happened.
    by_admin = {f"evt.credits.{crossing.type}" for crossing, _ in past.published if crossing.transaction_id is None}
    assert {event.event_type for event in said if event.event_id is None} <= by_admin


@given(opening=st.integers(0, 60), steps=st.lists(STEPS, max_size=12))
@example(opening=25, steps=FROM_UNDER_ANOTHER_DEFAULT)
def test_a_ledger_whose_threshold_moved_proves_itself(opening: int, steps: Sequence[Step]) -> None:
    past = Past(opening, steps)

    carried = [crossing for crossing, version in past.published if version == past.now.version]
    assert audit(SHOP, past.now, past.transactions, crossings=carried) == ()


def test_an_ordinary_record_holds_nothing_more() -> None:
    past = Past(25, [("move", -1), ("two", 3), ("threshold", 30), ("two", 1), ("default", 7), ("threshold", None)])

    named = [transaction.metadata.get(THRESHOLD_BEFORE) for transaction in past.transactions]
    assert named == [None, None, None, None, 30, None]


def test_the_record_after_a_moved_threshold_holds_the_one_before_it_sealed() -> None:
    past = Past(25, [("threshold", 30), ("move", -1)])

    [chapter] = [
        one for one in story_of(past.now, Excerpt(past.transactions, complete=True)).chapters if one.sequence == 2
    ]
    assert past.transactions[1].metadata[THRESHOLD_BEFORE] == 30
    assert [(event.event_type, event.event_id) for event in chapter.events if "low" in event.event_type] == [
        ("evt.credits.low_balance_reached", None)
    ]
    assert chapter.sentence.startswith(
        "The low-balance threshold changed from 20 to 30. The balance, 25, is at or below the threshold of 30 now. "
    )


def test_of_a_record_of_an_earlier_release_the_doubt_stays() -> None:
    past = Past(25, [("threshold", 30), ("move", -25)])
    first, second = past.transactions
    earlier = replace(second, metadata={})

    found = derived_crossings(earlier, before=first)
    assert ([crossing.type for crossing in found.crossings], found.doubtful) == (
        [CrossingType.BALANCE_EXHAUSTED, CrossingType.PLUGIN_STATUS_CHANGED],
        True,
    )
    [_, chapter] = story_of(past.now, Excerpt([first, earlier], complete=True)).chapters
    assert "No transaction shows" in chapter.sentence
    assert all("low" not in event.event_type for event in chapter.events)


def test_a_record_whose_predecessor_is_not_at_hand_is_in_doubt() -> None:
    past = Past(25, [("move", -1), ("move", -10)])

    assert derived_crossings(past.transactions[2], before=None).doubtful
    assert derived_crossings(past.transactions[2], before=past.transactions[0]).doubtful
    assert not derived_crossings(past.transactions[0], before=None).doubtful

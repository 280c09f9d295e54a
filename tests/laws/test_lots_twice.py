"""The service's lots and those of the reference model, kept apart, agree on every run of movements."""

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain import lots as service
from chalicelib.domain.ids import Instant
from tests.oracles.lots import NEVER, Lots, Merge, given_back

INSTANTS = [f"2026-03-{day:02}T00:00:00.000Z" for day in range(1, 15)]
NOW = "2026-03-05T12:00:00.000Z"
PARTS = st.tuples(st.sampled_from(INSTANTS), st.integers(min_value=1, max_value=9))
MOVES = st.lists(st.one_of(PARTS, st.integers(min_value=1, max_value=20)), max_size=40)


def _kept(lots: service.Lots) -> dict[str, int]:
    return {str(lot.expires_at): lot.credits for lot in lots}


def _lots(parts: list[tuple[str, int]]) -> service.Lots:
    return tuple(
        service.Lot(expires_at=Instant(instant), credits=part) for instant, part in sorted(dict(parts).items())
    )


@settings(max_examples=200)
@given(moves=MOVES)
def test_grants_and_draws_leave_the_same_lots_whoever_keeps_them(moves: list[tuple[str, int] | int]) -> None:
    ours = Lots()
    theirs: service.Lots = ()
    for move in moves:
        if isinstance(move, int):
            drawn = service.draw(theirs, move)
            theirs = service.without(theirs, drawn)
            assert ours.take(move) == sorted(_kept(drawn).items())
        else:
            theirs, merges = service.deposit(theirs, _lots([move]))
            merged = [Merge(one.from_instant, one.into_instant, one.credits) for one in merges]
            assert ours.put([move], merged) is None
        assert ours.left == _kept(theirs)


@settings(max_examples=200)
@given(parts=st.lists(PARTS, max_size=5), never=st.integers(0, 9), data=st.data())
def test_what_comes_back_comes_back_alike_whoever_counts(
    parts: list[tuple[str, int]], never: int, data: st.DataObject
) -> None:
    drawn = _lots(parts)
    charge = [*sorted(_kept(drawn).items()), (NEVER, never)]
    held = data.draw(st.integers(0, sum(part for _, part in charge)))
    back = data.draw(st.integers(0, held))

    parts_back = service.given_back(drawn, held=held, credits_back=back)
    theirs = service.revived(parts_back, now=Instant(NOW), grace_days=7)

    ours = given_back(charge, held=held, credits_back=back, now=NOW, grace_days=7)
    assert ours == sorted(_kept(theirs).items())

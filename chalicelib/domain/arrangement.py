"""In which order the movements of one write are decided."""

from collections.abc import Container, Mapping, Sequence

from chalicelib.domain.ids import TransactionId
from chalicelib.domain.movements import (
    DisputeWonMovement,
    FixedMovement,
    Kind,
    Movement,
    OrderMovement,
    RefundMovement,
    ReversalMovement,
)
from chalicelib.domain.names import names_of
from chalicelib.domain.payments import grounds


def arranged(movements: Sequence[Movement], *, stored: Container[TransactionId]) -> list[int]:
    """Return the indexes in the order of posting: as delivered, but the trial first and what has a ground behind it.

    `stored` are the ids under which a record is known, by any of its names.
    """
    if all(isinstance(movement, OrderMovement) for movement in movements):
        return list(range(len(movements)))
    first: dict[TransactionId, int] = {}
    for index, movement in enumerate(movements):
        if not isinstance(movement, RefundMovement | DisputeWonMovement):
            for name in names_of(movement):
                # A ground that is stored is ground enough: its repeat holds nobody up.
                if name not in stored:
                    first.setdefault(name, index)

    def behind(index: int) -> int:
        """Return the place of the last ground of a movement, its own where all of them come before it."""
        return max([index, *(behind(first[ground]) for ground in grounds(movements[index]) if ground in first)])

    def place(index: int) -> tuple[int, int, int]:
        movement = movements[index]
        if isinstance(movement, FixedMovement) and movement.kind is Kind.TRIAL:
            return (-1, 0, index)
        return (behind(index), _RANKS.get(type(movement), 0), index)

    return sorted(range(len(movements)), key=place)


_RANKS: Mapping[type[Movement], int] = {RefundMovement: 1, ReversalMovement: 1, DisputeWonMovement: 2}
"""Where several movements end up at one place: what has a ground comes behind it."""

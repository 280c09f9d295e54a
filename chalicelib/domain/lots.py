"""Credits that lapse: an account's lots, and how movements change them (contract, section 16).

A lot is credits that lapse together. The part of a balance that is in no lot never lapses. Lots are in the order of
their instants, and no two have the same one. What a transaction took from lots or put into them has the same form.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant, days_after

LOTS_MAX: Final = 8
"""The most lots of an account, so that its item stays small: one more joins a later lot."""
MERGED: Final = "merged"
"""In a transaction's metadata: which lots joined a later one, because there were too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Credits that lapse at `expires_at`."""

    expires_at: Instant
    credits: int


Lots = tuple[Lot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """So many credits of one lot that now lapse later, with another lot."""

    from_instant: Instant
    into_instant: Instant
    credits: int

    def __str__(self) -> str:
        """Return the text that the transaction's metadata keep."""
        return f"{self.from_instant} {self.into_instant} {self.credits}"


def in_lots(lots: Lots) -> int:
    """Return how many credits are in lots."""
    return sum(lot.credits for lot in lots)


def grant(credits_given: int, expires_at: Instant | None, expires_in_days: int | None, *, now: Instant) -> Lots:
    """Return the lot that credits are given into at `now`; none, where they never lapse.

    Raises:
        Rejected: `expiry_past` if they would have lapsed by then.
    """
    end = expires_at if expires_in_days is None else days_after(now, expires_in_days)
    if end is None:
        return ()
    if end <= now:
        raise Rejected(Code.EXPIRY_PAST, f"the credits would already have lapsed, at {end}", field="expires_at")
    return (Lot(expires_at=end, credits=credits_given),)


def draw(lots: Lots, credits_taken: int, *, first: Lots = ()) -> Lots:
    """Return what a decrease takes from each lot: of those that lapse soonest first, before what never lapses.

    From lots with the instants of `first` it takes before all others.
    """
    preferred = {lot.expires_at for lot in first}
    left, found = credits_taken, {}
    for lot in sorted(lots, key=lambda one: (one.expires_at not in preferred, one.expires_at)):
        if taken := min(lot.credits, left):
            found[lot.expires_at] = taken
            left -= taken
    return _sorted(found)


def without(lots: Lots, drawn: Lots) -> Lots:
    """Return the lots after these credits were drawn; an empty lot is removed.

    Raises:
        ValueError: a lot has fewer credits than were drawn from it, or none.
    """
    left = {lot.expires_at: lot.credits for lot in lots}
    for part in drawn:
        left[part.expires_at] = left.get(part.expires_at, 0) - part.credits
        if left[part.expires_at] < 0:
            raise ValueError(f"the lot of {part.expires_at} does not hold {part.credits} credits")
    return _sorted(left)


def deposit(lots: Lots, parts: Lots) -> tuple[Lots, tuple[Merge, ...]]:
    """Return the lots after credits were put in, and which lots were merged, because there were more than `LOTS_MAX`.

    A surplus lot joins the next later one. If it is the latest, the one before it joins it: no credit lapses earlier.
    """
    merges: list[Merge] = []
    for part in parts:
        held = {lot.expires_at: lot.credits for lot in lots}
        held[part.expires_at] = held.get(part.expires_at, 0) + part.credits
        if len(held) > LOTS_MAX:
            instants = sorted(held)
            place = min(instants.index(part.expires_at), len(instants) - 2)
            joins, joined = instants[place], instants[place + 1]
            moved = held.pop(joins)
            held[joined] += moved
            merges.append(Merge(from_instant=joins, into_instant=joined, credits=moved))
        lots = _sorted(held)
    return lots, tuple(merges)


def given_back(drawn: Lots, *, held: int, credits_back: int) -> Lots:
    """Return the part of each lot in the credits that come back next: what would lapse last comes back first.

    `drawn` is what was taken from lots, `held` how many credits of all that was taken have not come back yet, and
    `credits_back` how many of these do now.
    """
    lowest, place, found = held - credits_back, 0, {}
    for part in drawn:
        if (back := min(place + part.credits, held) - max(place, lowest)) > 0:
            found[part.expires_at] = back
        place += part.credits
    return _sorted(found)


def revived(parts: Lots, *, now: Instant, grace_days: int) -> Lots:
    """Return the parts that come back at `now`; those that have lapsed meanwhile get this many days from now."""
    late = days_after(now, grace_days)
    found: dict[Instant, int] = {}
    for part in parts:
        expires_at = part.expires_at if part.expires_at > now else late
        found[expires_at] = found.get(expires_at, 0) + part.credits
    return _sorted(found)


def in_words(lots: Lots) -> str:
    """Return lots in words."""
    return ", ".join(f"{lot.credits} until {lot.expires_at}" for lot in lots) or "none"


def ordered(lots: Lots) -> bool:
    """Return whether lots are in their order, no two of one instant and none of them empty."""
    return all(lot.credits > 0 for lot in lots) and all(
        one.expires_at < other.expires_at for one, other in pairwise(lots)
    )


def merged_text(merges: Iterable[Merge]) -> str:
    """Return how a transaction's metadata record the lots that were merged with it."""
    return ", ".join(map(str, merges))


def _sorted(credits_of: dict[Instant, int]) -> Lots:
    return tuple(Lot(expires_at=expires_at, credits=left) for expires_at, left in sorted(credits_of.items()) if left)

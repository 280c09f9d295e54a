"""Credits that lapse, kept a second time from the contract alone (section 16): what each movement does to the lots.

No line is shared with the service. Instants are texts in UTC with milliseconds and Z, so that they sort as they follow
each other; credits without an instant have `NEVER`, which follows all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

NEVER = "~"
LOTS_MAX = 8

Parts = Sequence[tuple[str, int]]
"""Credits by the instant at which they lapse."""


def text(moment: datetime) -> str:
    """Return an instant as transactions have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(instant: str) -> datetime:
    """Return the moment of an instant, or of any other spelling of one."""
    return datetime.fromisoformat(instant).astimezone(UTC)


def milliseconds(instant: str) -> int:
    """Return an instant in milliseconds since 1970."""
    return (read(instant) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def days_after(instant: str, days: int) -> str:
    """Return the instant so many days of 24 hours later, or earlier where they are negative."""
    return text(read(instant) + timedelta(days=days))


def expiry_key(instant: str) -> str:
    """Return the key under which the lot of an instant lapses."""
    return f"EXPIRY_{milliseconds(instant)}"


@dataclass(frozen=True, slots=True)
class Merge:
    """All credits of one lot that now lapse with the next later one."""

    source: str
    into: str
    credits: int


@dataclass
class Lots:
    """The lots of one account: `left` by instant."""

    left: dict[str, int] = field(default_factory=dict)

    def due(self, now: str) -> list[str]:
        """Return the instants of the lots that have lapsed by now, soonest first."""
        return sorted(instant for instant in self.left if instant <= now)

    def total(self) -> int:
        """Return the credits in lots."""
        return sum(self.left.values())

    def take(self, credits_taken: int, *, first: str | None = None) -> list[tuple[str, int]]:
        """Take credits from the lots, soonest first, and return which; the rest has no instant and is not named.

        A payment that goes back takes from its own lot `first`.
        """
        order = sorted(self.left, key=lambda instant: (instant != first, instant))
        taken: list[tuple[str, int]] = []
        for instant in order:
            part = min(self.left[instant], credits_taken)
            if part:
                taken.append((instant, part))
                credits_taken -= part
                self.left[instant] -= part
                if not self.left[instant]:
                    del self.left[instant]
        return sorted(taken)

    def put(self, parts: Parts, merges: Sequence[Merge]) -> str | None:
        """Put credits into lots and merge as a transaction states; return why it must not, None where it may.

        Nobody loses time: a lot only ever joins the next later one. With one new lot it is that one that merges, or
        the one before it where the new one is the latest.
        """
        known = set(self.left)
        for instant, part in parts:
            self.left[instant] = self.left.get(instant, 0) + part
        new = set(self.left) - known
        if len(merges) != max(0, len(self.left) - LOTS_MAX):
            return f"{len(self.left)} lots, and {len(merges)} of them merged"
        for merge in merges:
            if why := self._merged(merge, new):
                return why
        return None

    def _merged(self, merge: Merge, new: set[str]) -> str | None:
        later = sorted(instant for instant in self.left if instant > merge.source)
        if self.left.get(merge.source) != merge.credits or not later or later[0] != merge.into:
            return f"{merge} of {sorted(self.left.items())}"
        if len(new) == 1:
            [one] = new
            before = sorted(instant for instant in self.left if instant < one)
            wanted = one if any(instant > one for instant in self.left) else before[-1]
            if merge.source != wanted:
                return f"{merge}, and it is {wanted} that has to merge"
        self.left[merge.into] += self.left.pop(merge.source)
        return None


def parts_of(drawn: Iterable[Sequence[object]], amount: int) -> list[tuple[str, int]]:
    """Return all of an amount by its instants, soonest first, with what the transaction does not name at the end."""
    named = sorted((str(instant), int(str(part))) for instant, part in drawn)
    return [*named, (NEVER, abs(amount) - sum(part for _, part in named))]


def given_back(charge: Parts, *, held: int, credits_back: int, now: str, grace_days: int) -> list[tuple[str, int]]:
    """Return the lots into which credits of a charge go back, latest instant first, of those `held` still.

    Credits of the charge lie in a row, soonest first; beyond them lies what edits added, without an instant. What has
    lapsed meanwhile comes back for `grace_days` from now.
    """
    found: dict[str, int] = {}
    start, place = held - credits_back, 0
    for instant, part in charge:
        overlap = min(held, place + part) - max(start, place)
        place += part
        if overlap > 0 and instant != NEVER:
            end = instant if instant > now else days_after(now, grace_days)
            found[end] = found.get(end, 0) + overlap
    return sorted(found.items())


def notices(left: Mapping[str, int], days: Iterable[int], *, since: str, until: str) -> list[tuple[str, str, int]]:
    """Return the notices due after one instant and by another: when, of which lot, how many days ahead; in order.

    Where several of one lot are due together, the last one tells it all; what has lapsed by then is not announced.
    """
    found = []
    for instant in left:
        due = sorted((days_after(instant, -ahead), instant, ahead) for ahead in days)
        passed = [notice for notice in due if since < notice[0] <= until < instant]
        found += passed[-1:]
    return sorted(found)


def next_due(left: Mapping[str, int], days: Iterable[int], *, now: str) -> str | None:
    """Return the next instant after now at which time alone changes something, None where there is none."""
    ahead = [days_after(instant, -before) for instant in left for before in days]
    return min((instant for instant in (*left, *ahead) if instant > now), default=None)


def lots_in(written: str | None) -> dict[str, int]:
    """Return the lots of an item's text: instants in milliseconds and credits, in base 36."""
    found: dict[str, int] = {}
    for part in (written or "").split():
        instant, _, left = part.partition(":")
        found[text(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(instant, 36)))] = int(left, 36)
    return found


def replayed(movements: Iterable[tuple[bool, Parts, Sequence[Merge]]]) -> dict[str, int] | str:
    """Return the lots that transactions leave: whether each gave credits, what it drew, and which lots it merged."""
    lots = Lots()
    for gave, drawn, merges in movements:
        if gave:
            if why := lots.put(drawn, merges):
                return why
            continue
        for instant, part in drawn:
            left = lots.left.pop(instant, 0) - part
            if left < 0:
                return f"{part} credits drawn from the lot of {instant}, which has {left + part}"
            lots.left |= {instant: left} if left else {}
    return lots.left

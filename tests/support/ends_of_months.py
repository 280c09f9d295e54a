"""The ends of days and months as the stream's function keeps them, in memory, and a shop that lives for months."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from chalicelib.domain.days import DayEnd
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.ledger import Commit
from chalicelib.domain.movements import Movement
from chalicelib.domain.statements import DayOver, Month, MonthKept, day_over, month_after
from chalicelib.ports import Committed
from tests.support.builders import (
    SHOP,
    TEN_PER_ITEM,
    adjustment,
    dispute,
    dispute_won,
    freezing,
    order,
    payment,
    refund_of,
    renewal,
    reversal,
    trial,
    unfreezing,
)
from tests.support.fakes import FakeLedger, settle

SWEPT = 0.5
"""How often what is due is brought at its instant, before the next write."""
START = datetime(2024, 1, 30, 23, 59, 59, 990_000, tzinfo=UTC)
MONTHS = [Month(f"{2024 + number // 12}-{number % 12 + 1:02}") for number in range(24)]


@dataclass
class FakeMonthEnds:
    """Keeps what `MonthEnds` keeps."""

    months: dict[tuple[MerchantId, Month], MonthKept] = field(default_factory=dict)
    ends: dict[tuple[MerchantId, str], DayEnd] = field(default_factory=dict)
    reads: list[list[Month]] = field(default_factory=list)

    def note(self, over: DayOver) -> None:
        """Keep what a write showed to be over."""
        old = self._of(over.merchant_id, over.month)
        days = {**old.days, over.day: over.closing.sequence}
        self.months[over.merchant_id, over.month] = replace(old, days=days)
        for month in over.months:
            of_month = self._of(over.merchant_id, month)
            self.months[over.merchant_id, month] = replace(of_month, closing=over.closing)
        day = f"{over.month}-{over.day:02}"
        for name in (day, *(f"{month}-31" for month in over.months)):
            self.ends[over.merchant_id, name] = DayEnd(day=name, balance=over.closing.balance, sums=over.sums)

    def kept(self, merchant_id: MerchantId, months: Iterable[Month]) -> dict[Month, MonthKept]:
        """Return what is kept of these months."""
        self.reads.append(list(months))
        return {month: kept for month, kept in self.of(merchant_id).items() if month in self.reads[-1]}

    def days(self, merchant_id: MerchantId, months: Iterable[Month]) -> list[DayEnd]:
        """Return the kept ends of days of these months."""
        self.reads.append(list(months))
        return [end for (of, day), end in self.ends.items() if of == merchant_id and day[:7] in self.reads[-1]]

    def of(self, merchant_id: MerchantId) -> dict[Month, MonthKept]:
        """Return all that is kept of a merchant."""
        return {month: kept for (of, month), kept in self.months.items() if of == merchant_id}

    def _of(self, merchant_id: MerchantId, month: Month) -> MonthKept:
        return self.months.get((merchant_id, month), MonthKept())

    def note_all(self, commits: list[Commit]) -> None:
        """Keep what these writes showed."""
        for commit in commits:
            if commit.before is not None and (over := day_over(commit.before, commit.after)) is not None:
                self.note(over)


def lived(seed: int, *, writes: int = 100, longest_hours: float = 60 * 24) -> tuple[FakeLedger, Instant]:
    """Return a shop's ledger of about two years, and its end: every kind of movement, busy days and long silence.

    Some credits lapse, at any time and just as a month begins; what is due is swept at its instant or left to the next
    write, by turns.
    """
    random, ledger, now = Random(seed), FakeLedger(), START  # noqa: S311 - the same every time
    settle(ledger, [replace(trial(40), expires_in_days=random.choice([None, 3, 45]))], now=instant(now))
    for number in range(writes):
        gap = random.choice([0.01, 0.01, 3600, random.uniform(0, longest_hours) * 3600])
        now += timedelta(seconds=gap)
        if random.random() < SWEPT:
            _sweep(ledger, instant(now))
        settle(ledger, _movements(random, number, instant(now)), now=instant(now))
    return ledger, instant(now)


def _sweep(ledger: FakeLedger, until: Instant) -> None:
    """Post what is due until then, each at its very instant."""
    while (due := ledger.accounts[SHOP].due_at) is not None and due <= until:
        decided = fold(SHOP, ledger.accounts[SHOP], [], stored={}, default_threshold=20, now=due)
        assert decided.commit is not None, "it is due"
        assert ledger.commit(decided.commit) == Committed()


def _movements(random: Random, number: int, now: Instant) -> list[Movement]:
    one = random.randrange(number + 1)
    kinds: list[Movement] = [
        order(f"o{number}", total="30.00", at=now),
        order(f"o{one}", total=str(random.randrange(60)), updated=True, at=now),
        refund_of(f"o{one}", f"r{number}", amount="5", order_total="30.00"),
        payment(f"p{number}", random.randrange(1, 30)),
        replace(payment(f"l{number}", random.randrange(1, 30)), expires_in_days=random.randrange(1, 50)),
        replace(payment(f"m{number}", random.randrange(1, 30)), expires_at=_next_month(now), expiry_stated=True),
        order(f"n{number}", policy=TEN_PER_ITEM, total="30.00", at=now),
        *(refund_of(f"n{number - back}", f"n{back} {number}", amount="9", order_total="30.00") for back in range(3)),
        freezing(f"f{number}", until=_next_month(now)),
        unfreezing(f"u{number}"),
        renewal(f"period {number}", 3),
        adjustment(f"a{number}", random.choice([-1, 4])),
        reversal(f"p{one}", f"v{number}", credits_back=3),
        dispute(f"p{one}", f"d{one}"),
        dispute_won(f"p{one}", f"d{one}"),
    ]
    return random.choices(kinds, k=random.choice([1, 1, 1, 3, 8]))


def _next_month(now: Instant) -> Instant:
    """Return the first instant of the month after a time."""
    return Instant(f"{month_after(Month(now[:7]))}-01T00:00:00.000Z")

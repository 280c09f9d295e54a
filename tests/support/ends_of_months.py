"""The ends of days and months as the stream's function keeps them, in memory, and a shop that lives for months."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from chalicelib.domain.commit import Commit
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.movements import Movement
from chalicelib.domain.statements import Month, MonthKept, Turn, turn
from tests.support.builders import (
    adjustment,
    dispute,
    dispute_won,
    order,
    payment,
    refund_of,
    renewal,
    reversal,
    trial,
)
from tests.support.fakes import FakeLedger, settle

START = datetime(2024, 1, 30, 23, 59, 59, 990_000, tzinfo=UTC)
MONTHS = [Month(f"{2024 + number // 12}-{number % 12 + 1:02}") for number in range(24)]


@dataclass
class FakeMonthEnds:
    """Keeps what `MonthEnds` keeps."""

    months: dict[tuple[MerchantId, Month], MonthKept] = field(default_factory=dict)

    def note(self, over: Turn) -> None:
        """Keep what a write showed to be over."""
        old = self._of(over.merchant_id, over.month)
        days = {**old.days, over.day: over.closing.sequence}
        self.months[over.merchant_id, over.month] = replace(old, days=days)
        for month in over.months:
            of_month = self._of(over.merchant_id, month)
            self.months[over.merchant_id, month] = replace(of_month, closing=over.closing)

    def of(self, merchant_id: MerchantId) -> dict[Month, MonthKept]:
        """Return all that is kept of a merchant."""
        return {month: kept for (of, month), kept in self.months.items() if of == merchant_id}

    def _of(self, merchant_id: MerchantId, month: Month) -> MonthKept:
        return self.months.get((merchant_id, month), MonthKept())

    def note_all(self, commits: list[Commit]) -> None:
        """Keep what these writes showed."""
        for commit in commits:
            if commit.before is not None and (over := turn(commit.before, commit.after)) is not None:
                self.note(over)


def lived(seed: int, *, writes: int = 100, longest_hours: float = 60 * 24) -> tuple[FakeLedger, Instant]:
    """Return a shop's ledger of about two years, and its end: every kind of movement, busy days and long silence."""
    random, ledger, now = Random(seed), FakeLedger(), START  # noqa: S311 - the same every time
    settle(ledger, [trial(40)], now=instant(now))
    for number in range(writes):
        gap = random.choice([0.01, 0.01, 3600, random.uniform(0, longest_hours) * 3600])
        now += timedelta(seconds=gap)
        settle(ledger, _movements(random, number, instant(now)), now=instant(now))
    return ledger, instant(now)


def _movements(random: Random, number: int, now: Instant) -> list[Movement]:
    one = random.randrange(number + 1)
    kinds: list[Movement] = [
        order(f"o{number}", total="30.00", at=now),
        order(f"o{one}", total=str(random.randrange(60)), updated=True, at=now),
        refund_of(f"o{one}", f"r{number}", amount="5", order_total="30.00"),
        payment(f"p{number}", random.randrange(1, 30)),
        renewal(f"period {number}", 3),
        adjustment(f"a{number}", random.choice([-1, 4])),
        reversal(f"p{one}", f"v{number}", credits_back=3),
        dispute(f"p{one}", f"d{one}"),
        dispute_won(f"p{one}", f"d{one}"),
    ]
    return random.choices(kinds, k=random.choice([1, 1, 1, 3, 8]))

"""An account at the ends of its days and months, and the statement of a month (contract, section 17).

An account's counters only grow, so a statement is the difference between their values at two ends of months
(closings). The first write of a day shows the values before and after it, so nothing has to be counted again. Pure;
days and months are those of UTC.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NewType, Self

from chalicelib.domain.days import Sums
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import GENESIS_HASH, Total

Month = NewType("Month", str)
"""A month as text: `2026-05`."""

MONTHS_CLOSED_MAX = 120
"""The most months that one write closes; if the account was idle longer, the earlier ones are derived."""
_MONTHS_OF_YEAR = 12
_MONTH_LENGTH = len("2026-05")
_DAY = slice(len("2026-05-"), len("2026-05-31"))


def month_of(time: Instant) -> Month:
    """Return the month of a time."""
    return Month(time[:_MONTH_LENGTH])


def day_of_month(time: Instant) -> int:
    """Return the day of the month of a time, from 1."""
    return int(time[_DAY])


def month_before(month: Month) -> Month:
    """Return the month before; for the first month of year 1, a text that sorts before every month."""
    return _moved(month, -1)


def month_after(month: Month) -> Month:
    """Return the month after."""
    return _moved(month, 1)


def month_end(month: Month) -> Instant:
    """Return a text that sorts after every time of the month and before every later one."""
    return Instant(f"{month}~")


def _moved(month: Month, by: int) -> Month:
    year, number = divmod(int(month[:4]) * _MONTHS_OF_YEAR + int(month[5:]) - 1 + by, _MONTHS_OF_YEAR)
    return Month(f"{year:04}-{number + 1:02}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """An account at some time: its counters after the last transaction until then, all 0 before the first.

    `totals` is None if only the transaction was read, which does not hold them.
    """

    sequence: int = 0
    balance: int = 0
    debt: int | None = 0
    total_shortfall: int | None = 0
    hash: str = GENESIS_HASH
    totals: Mapping[Kind, Total] | None = field(default_factory=dict)

    @classmethod
    def of(cls, account: Account) -> Self:
        """Return the closing as of now."""
        return cls(
            sequence=account.sequence,
            balance=account.balance,
            debt=account.debt,
            total_shortfall=account.total_shortfall,
            hash=account.hash,
            totals=account.totals,
        )


NOTHING = Closing()
"""Before an account's first transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOver:
    """A day that is over: its last sequence, and the months that ended before the next transaction."""

    merchant_id: MerchantId
    month: Month
    day: int
    closing: Closing
    sums: Sums
    months: tuple[Month, ...]


def day_over(before: Account, after: Account) -> DayOver | None:
    """Return the day and months that a write shows to be over, None if it is on the previous transaction's day.

    Only the write of the next transactions shows it. A rebuild, which skips versions, may start from an account that
    lags behind its transactions after a restore.
    """
    last, next_one = before.last_transaction_at, after.last_transaction_at
    if last is None or next_one is None or after.version != before.version + 1:
        return None
    return day_between(before.merchant_id, last, next_one, Closing.of(before))


def day_between(merchant_id: MerchantId, last: Instant, next_one: Instant, closing: Closing) -> DayOver | None:
    """Return the day and months that are over between two neighbouring transactions, None if they are of one day.

    `closing` is the account after the last one, all of its counters known.
    """
    if last[: _DAY.stop] == next_one[: _DAY.stop]:
        return None
    assert closing.totals is not None, "an account's closing holds them"
    assert closing.total_shortfall is not None, "the same"
    months = tuple(months_between(month_of(last), month_of(next_one)))
    return DayOver(
        merchant_id=merchant_id,
        month=month_of(last),
        day=day_of_month(last),
        closing=closing,
        sums=Sums.of(closing.totals, shortfall=closing.total_shortfall),
        months=months[-MONTHS_CLOSED_MAX:],
    )


def months_between(first: Month, end: Month) -> Iterator[Month]:
    """Yield the months from the first one on, before the end."""
    while first < end:
        yield first
        first = month_after(first)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthKept:
    """What is kept of one month: the last sequence of each day on which something was recorded, and its closing.

    Both are added with the next transaction, so the newest day has no end yet, and the running month no closing.
    """

    days: Mapping[int, int] = field(default_factory=dict)
    closing: Closing | None = None


def closing_of(month: Month, account: Account, kept: Mapping[Month, MonthKept]) -> Closing | None:
    """Return the account's closing of the month, None if it is not kept.

    For the running month: as of now.
    """
    if account.last_transaction_at is None or month < month_of(account.created_at):
        return NOTHING
    if month >= month_of(account.last_transaction_at):
        return Closing.of(account)
    found = kept.get(month)
    return found.closing if found else None


def bounds(at: Instant, account: Account, kept: Mapping[Month, MonthKept]) -> tuple[int, int]:
    """Return two sequences, both included, between which the newest transaction at the time `at` lies.

    They are the bounds of one day where that day's end is kept. The account must have had a transaction by `at`.
    """
    month, day = month_of(at), day_of_month(at)
    opening = closing_of(month_before(month), account, kept)
    closing = closing_of(month, account, kept)
    days = kept[month].days if month in kept else {}
    ended = [sequence for of_day, sequence in days.items() if of_day < day]
    to_come = [sequence for of_day, sequence in days.items() if of_day >= day]
    lowest = max([opening.sequence if opening else 0, *ended])
    highest = min([account.sequence, *([closing.sequence] if closing else []), *to_come])
    return max(1, lowest), highest


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A month of an account. `closing` equals the next month's `opening`; `open` is true while the month is running.

    `totals` and `total_shortfall` are those of the month's own transactions.
    """

    merchant_id: MerchantId
    month: Month
    opening: Closing
    closing: Closing
    totals: Mapping[Kind, Total]
    total_shortfall: int
    open: bool

    @property
    def sequences(self) -> tuple[int, int] | None:
        """The first and the last sequence of the month, None where nothing was recorded in it."""
        first, last = self.opening.sequence + 1, self.closing.sequence
        return (first, last) if first <= last else None


def difference(opening: Closing, closing: Closing) -> tuple[Mapping[Kind, Total], int] | None:
    """Return the totals and the shortfall between two closings, None if either is unknown."""
    if opening.totals is None or closing.totals is None:
        return None
    assert opening.total_shortfall is not None, "whoever knows the totals knows the shortfall"
    assert closing.total_shortfall is not None, "whoever knows the totals knows the shortfall"
    totals = {}
    for kind, now in closing.totals.items():
        before = opening.totals.get(kind, Total())
        total = Total(count=now.count - before.count, credits=now.credits - before.credits)
        if total != Total():
            totals[kind] = total
    return totals, closing.total_shortfall - opening.total_shortfall

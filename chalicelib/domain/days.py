"""Figures by day, of an account and of the fleet: each day's end, and what it moved (contract, section 6, "Days").

Sums only ever grow, so what a day moved is the difference between its end and the end of the day before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Self

from chalicelib.domain.figures import Figures
from chalicelib.domain.ids import day_of
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Direction
from chalicelib.domain.transactions import Total

DAYS_MAX = 90
"""Most days of one answer."""

_USE = frozenset({"ORDER_PAID", "ORDER_EDITED", "REFUND"})
"""The kinds of transactions that `used` counts: orders, their edits and their refunds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums since the beginning, or of a period; in credits, except `orders` and `parked`.

    `used` is what orders used, less what their edits and refunds gave back.
    """

    credits_in: int = 0
    credits_out: int = 0
    used: int = 0
    orders: int = 0
    shortfall: int = 0
    parked: int = 0

    @classmethod
    def of(cls, totals: Mapping[Kind, Total], *, shortfall: int, parked: int = 0) -> Self:
        """Return the sums of these totals."""
        moved = {Direction.INCREASE: 0, Direction.DECREASE: 0}
        used = 0
        for kind, total in totals.items():
            moved[kind.direction] += total.credits
            if kind.transaction_type in _USE:
                used += total.credits if kind.direction is Direction.DECREASE else -total.credits
        return cls(
            credits_in=moved[Direction.INCREASE],
            credits_out=moved[Direction.DECREASE],
            used=used,
            orders=sum(total.count for kind, total in totals.items() if kind.is_order),
            shortfall=shortfall,
            parked=parked,
        )

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(**{each.name: getattr(self, each.name) - getattr(other, each.name) for each in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEnd:
    """The figures of an account, or of the fleet, at the end of a day (UTC).

    `sums` count from the beginning; `merchants`, `zero`, `low` and `closed` are the fleet's, as in its figures.
    """

    day: str
    balance: int
    sums: Sums
    merchants: int = 0
    zero: int = 0
    low: int = 0
    closed: int = 0


def end_of(account: Account) -> DayEnd:
    """Return the account's figures, as the end of the day of its last transaction."""
    sums = Sums.of(account.totals, shortfall=account.total_shortfall)
    day = day_of(account.last_transaction_at or account.created_at)
    return DayEnd(day=day, balance=account.balance, sums=sums)


def end_of_fleet(figures: Figures, *, day: str, parked: int) -> DayEnd:
    """Return the fleet's figures, as the end of the day."""
    return DayEnd(
        day=day,
        balance=figures.balance,
        sums=Sums.of(figures.totals, shortfall=figures.shortfall, parked=parked),
        merchants=figures.merchants,
        zero=figures.zero,
        low=figures.low,
        closed=figures.closed,
    )


def first_of(*, today: str, days: int) -> str:
    """Return the first of the last `days` days up to `today`."""
    return (date.fromisoformat(today) - timedelta(days=days - 1)).isoformat()


def days_up_to(today: str, *, days: int) -> list[str]:
    """Return the names of the last `days` days up to `today`."""
    last = date.fromisoformat(today)
    return [(last - timedelta(days=ago)).isoformat() for ago in range(days)]


def last_days(ends: Iterable[DayEnd], *, today: str, days: int, opened: str) -> list[tuple[DayEnd, Sums]]:
    """Return the ends of the last `days` days up to `today`, oldest first, each with what the day moved.

    No day is before `opened`. `ends` may have gaps: a day without an end moved nothing. If the figures before the
    first day are unknown, that day is taken to have moved nothing either.
    """
    known = {end.day: end for end in ends}
    first = first_of(today=today, days=days)
    before = max((end for end in known.values() if end.day < first), key=lambda end: end.day, default=None)
    if before is None and first <= opened:
        before = DayEnd(day="", balance=0, sums=Sums())
    return list(_moved(known, before, first=max(first, opened), today=today))


def _moved(
    known: Mapping[str, DayEnd], before: DayEnd | None, *, first: str, today: str
) -> Iterator[tuple[DayEnd, Sums]]:
    day = date.fromisoformat(first)
    while (name := day.isoformat()) <= today:
        end = known.get(name, before)
        if end is not None:
            yield replace(end, day=name), end.sums - (before or end).sums
        before, day = end, day + timedelta(days=1)

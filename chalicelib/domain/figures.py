"""The fleet's figures, and what each account adds to them (contract, section 7).

An account's item holds everything that it adds, because its counters are sums themselves. So the newest image of an
account replaces its earlier contribution, and repeats, gaps and the order of images do not change the sums.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import reduce
from zlib import crc32

from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total

BUCKETS = 8
"""Sums kept in separate items, so that writers seldom collide. If you reduce the number, recount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over accounts, or the difference of two such sums.

    `zero` and `low` count accounts without credits, and those above zero at or below their threshold; `closed` those
    with credits that are closed or frozen, minus those without credits whose plugin a grace keeps on.
    """

    merchants: int = 0
    zero: int = 0
    low: int = 0
    balance: int = 0
    shortfall: int = 0
    debt: int = 0
    closed: int = 0
    totals: Mapping[Kind, Total] = field(default_factory=dict)

    @property
    def enabled(self) -> int:
        """Merchants whose plugin is on."""
        return self.merchants - self.disabled

    @property
    def disabled(self) -> int:
        """Merchants whose plugin is off: those at zero but in no grace, and those closed or frozen."""
        return self.zero + self.closed

    @property
    def transactions(self) -> int:
        """Transactions of all kinds."""
        return sum(of_kind.count for of_kind in self.totals.values())

    @property
    def orders(self) -> int:
        """Transactions of orders."""
        return sum(of_kind.count for kind, of_kind in self.totals.items() if kind.is_order)

    def __add__(self, other: "Figures") -> "Figures":
        return self._with(other, 1)

    def __sub__(self, other: "Figures") -> "Figures":
        return self._with(other, -1)

    def _with(self, other: "Figures", sign: int) -> "Figures":
        totals = {
            kind: total
            for kind in Kind
            if (total := _total(self.totals.get(kind, _NOTHING), other.totals.get(kind, _NOTHING), sign)) != _NOTHING
        }
        names = (each.name for each in fields(self) if each.name != "totals")
        sums = {name: getattr(self, name) + sign * getattr(other, name) for name in names}
        return Figures(**sums, totals=totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The counted figures of an account, and the account's version they were counted at."""

    version: int
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresChange:
    """The counted figures of an account (None: nothing yet), and those that replace them, as of `at`."""

    merchant_id: MerchantId
    before: Counted | None
    after: Counted
    at: Instant

    @property
    def difference(self) -> Figures:
        """The difference it makes to the sums."""
        return self.after.figures - (self.before.figures if self.before else Figures())


def contribution(account: Account) -> Counted:
    """Return what an account now adds to the fleet's figures."""
    return Counted(
        version=account.version,
        figures=Figures(
            merchants=1,
            zero=int(not account.balance),
            low=int(account.low),
            balance=account.balance,
            shortfall=account.total_shortfall,
            debt=account.debt,
            closed=int(not account.enabled) - int(not account.balance),
            totals=dict(account.totals),
        ),
    )


def change(account: Account, counted: Counted | None) -> FiguresChange | None:
    """Return the change that an image of an account makes, None if this or a newer image was counted."""
    if counted is not None and counted.version >= account.version:
        return None
    return FiguresChange(
        merchant_id=account.merchant_id, before=counted, after=contribution(account), at=account.updated_at
    )


def newest(accounts: Iterable[Account]) -> dict[MerchantId, Account]:
    """Return each account's image with the highest version, whatever their order."""
    found: dict[MerchantId, Account] = {}
    for account in accounts:
        known = found.get(account.merchant_id)
        if known is None or known.version < account.version:
            found[account.merchant_id] = account
    return found


def total(parts: Iterable[Figures]) -> Figures:
    """Return the sum of all parts."""
    return reduce(Figures.__add__, parts, Figures())


def recount(accounts: Iterable[Account]) -> Figures:
    """Return the figures recounted from the accounts."""
    return total(contribution(account).figures for account in accounts)


def bucket(merchant_id: MerchantId) -> int:
    """Return which of the `BUCKETS` sums a merchant is in."""
    return crc32(merchant_id.encode()) % BUCKETS


_NOTHING = Total()


def _total(one: Total, other: Total, sign: int) -> Total:
    return Total(count=one.count + sign * other.count, credits=one.credits + sign * other.credits)

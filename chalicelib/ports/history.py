"""What use cases need to read of the past; apart from the other ports, which every function loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from chalicelib.domain.days import DayEnd
    from chalicelib.domain.ids import Instant, MerchantId, TransactionId
    from chalicelib.domain.ledger import Account
    from chalicelib.domain.movements import Kind
    from chalicelib.domain.statements import Month, MonthKept
    from chalicelib.domain.transactions import Total, Transaction


FOLLOWING_MAX = 9
"""The most transactions that record what was due by one time: the end of each lot, and of a freeze."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """Transactions of certain kinds, newest first. `below` is where to continue, 0 when everything was examined."""

    transactions: tuple[Transaction, ...]
    below: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionSums:
    """Sums of one merchant's transactions; `last_transaction_at` is the newest one's time, None without any."""

    totals: Mapping[Kind, Total]
    total_shortfall: int
    last_transaction_at: Instant | None


class HistoryReader(Protocol):
    """Accounts and their transactions. Every method may raise `RetryLater` (`unavailable`)."""

    def account(self, merchant_id: MerchantId) -> Account | None:
        """Return the merchant's current account, None if there is none."""
        ...

    def named(self, name: TransactionId) -> Transaction | None:
        """Return the transaction of the fact that has this name, its own or another, None if there is none."""
        ...

    def span(self, account: Account, start: Instant | None, end: Instant | None) -> tuple[int, int]:
        """Return the lowest and highest sequence of the transactions from `start` to `end`, both included.

        Without a transaction in between, the lowest is above the highest.
        """
        ...

    def transactions(self, account: Account, lowest: int, highest: int) -> tuple[Transaction, ...]:
        """Return the account's transactions of these sequences, both included, newest first.

        The newest of the account may be missing for a moment after their write.
        """
        ...

    def matching(
        self, merchant_id: MerchantId, lowest: int, highest: int, *, kinds: Sequence[Kind], wanted: int
    ) -> Matches:
        """Return up to `wanted` transactions of these kinds and sequences, newest first; a long search stops early."""
        ...

    def newest_by(self, account: Account, lowest: int, highest: int, time: Instant) -> tuple[Transaction, ...]:
        """Return the newest transaction of these sequences that was created by `time`, and those after it.

        Oldest first. At least `FOLLOWING_MAX` of those after it, or all of these sequences; empty if none was by then.
        """
        ...

    def sums(self, merchant_id: MerchantId, lowest: int, highest: int) -> TransactionSums:
        """Return the sums of the merchant's transactions of these sequences, both included; reads every one of them."""
        ...


class MonthEndsReader(Protocol):
    """Accounts at the ends of days and months. Both methods may raise `RetryLater` (`unavailable`)."""

    def kept(self, merchant_id: MerchantId, months: Iterable[Month]) -> Mapping[Month, MonthKept]:
        """Return what is kept of these months, in one request; a month of which nothing is kept is left out."""
        ...

    def days(self, merchant_id: MerchantId, months: Iterable[Month]) -> Sequence[DayEnd]:
        """Return the kept ends of days of these months, in one request; a month's own end counts as its 31st."""
        ...


class FleetDaysReader(Protocol):
    """The fleet at the ends of days. The method may raise `RetryLater` (`unavailable`)."""

    def ends(self, days: Iterable[str]) -> Sequence[DayEnd]:
        """Return the kept ends of these days, and the present figures of the newest day, in two requests."""
        ...

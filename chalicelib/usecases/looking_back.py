"""What accounts were: the balance at a time, the statement of a month, the sums of a range, and the last days.

A balance or a statement takes two or three requests, however old it is, if the ends of days and months are kept
(contract, section 17). If they are not (transactions from before this release, or a stream that is late), both are
derived from the history, in more requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.days import DayEnd, Sums, days_up_to, end_of, first_of, last_days
from chalicelib.domain.due import as_of
from chalicelib.domain.ids import Instant, MerchantId, day_of
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.statements import (
    NOTHING,
    Closing,
    Month,
    MonthKept,
    Statement,
    bounds,
    closing_of,
    difference,
    month_after,
    month_before,
    month_end,
    month_of,
    months_between,
)
from chalicelib.domain.transactions import Total, Transaction
from chalicelib.ports.history import (
    FOLLOWING_MAX,
    FleetDaysReader,
    HistoryReader,
    MonthEndsReader,
    TransactionSums,
)

ADDED_UP_MAX = 20_000
"""Transactions that one request may add up."""
FLEET_DAYS_READ = 100
"""Ends of the fleet's days that one request reads: a day on which nothing changed has none."""

Moved = Sequence[tuple[DayEnd, Sums]]
"""The ends of days, oldest first, each with what the day moved."""


class TooManyTransactions(Exception):  # noqa: N818 - named by what was found
    """Nothing was added up: there are `count` transactions, more than `ADDED_UP_MAX`."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} transactions are more than {ADDED_UP_MAX}")
        self.count = count


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingBack:
    """Looks back at merchants' accounts. Every method may raise `RetryLater` (`unavailable`).

    `ends` is None where no ends of days and months are kept.
    """

    history: HistoryReader
    ends: MonthEndsReader | None

    def balance(self, merchant_id: MerchantId, at: Instant) -> int | None:
        """Return the credits that the merchant had at a time, 0 before the first transaction; None without an account.

        The time is not in the future.
        """
        account = self.history.account(merchant_id)
        if account is None:
            return None
        if account.last_transaction_at is None or at >= account.last_transaction_at:
            # What has lapsed since, though not recorded yet, is gone, as every reader has it.
            return as_of(account, at).balance
        if at < account.created_at:
            return 0
        newest, *later = self._newest_by(account, at)
        # A lapse is recorded up to a minute late, but before any other transaction.
        lapsed = (one.amount for one in later if one.kind is Kind.EXPIRY and one.reference_id <= at)
        return newest.balance_after + sum(lapsed)

    def statement(self, merchant_id: MerchantId, month: Month, *, now: Instant) -> Statement | None:
        """Return the merchant's statement of a month that is not in the future, None without an account.

        Raises:
            TooManyTransactions: the month's closings are not kept, and it holds too many to add them up.
        """
        account = self.history.account(merchant_id)
        if account is None:
            return None
        kept = self._kept(account, month)
        opening, closing = (
            closing_of(of_month, account, kept) or self._derived(of_month, account)
            for of_month in (month_before(month), month)
        )
        totals, total_shortfall = difference(opening, closing) or self._added_up(account, opening, closing)
        return Statement(
            merchant_id=merchant_id,
            month=month,
            opening=opening,
            closing=closing,
            totals=totals,
            total_shortfall=total_shortfall,
            open=month == month_of(now),
        )

    def sums(self, merchant_id: MerchantId, start: Instant | None, end: Instant | None) -> TransactionSums:
        """Return the sums of the merchant's transactions from `start` to `end`; without an account they are empty.

        The account itself holds the sums of all of them.

        Raises:
            TooManyTransactions: the range holds too many to add them up.
        """
        account = self.history.account(merchant_id)
        if account is None:
            return TransactionSums(totals={}, total_shortfall=0, last_transaction_at=None)
        lowest, highest = self.history.span(account, start, end)
        if (lowest, highest) == (1, account.sequence):
            return TransactionSums(
                totals=account.totals,
                total_shortfall=account.total_shortfall,
                last_transaction_at=account.last_transaction_at,
            )
        return self._sums(merchant_id, lowest, highest)

    def days(self, merchant_id: MerchantId, *, today: str, days: int) -> Moved | None:
        """Return the ends of the merchant's last `days` days up to `today`, None without an account."""
        account = self.history.account(merchant_id)
        if account is None:
            return None
        kept: Sequence[DayEnd] = ()
        if self.ends is not None:
            # The end of the month before is where the first day began.
            before = month_before(month_of(Instant(first_of(today=today, days=days))))
            kept = self.ends.days(merchant_id, months_between(before, month_after(month_of(Instant(today)))))
        return last_days([*kept, end_of(account)], today=today, days=days, opened=day_of(account.created_at))

    def _kept(self, account: Account, month: Month) -> Mapping[Month, MonthKept]:
        """Return what is kept of the month and the one before, in one request.

        There is no request if the account holds it all.
        """
        first, last = month_of(account.created_at), month_of(account.last_transaction_at or account.created_at)
        wanted = [of_month for of_month in (month_before(month), month) if first <= of_month <= last]
        return self.ends.kept(account.merchant_id, wanted) if self.ends is not None and wanted else {}

    def _newest_by(self, account: Account, at: Instant) -> tuple[Transaction, ...]:
        lowest, highest = bounds(at, account, self._kept(account, month_of(at)))
        # Transactions after the bounds are read too: they record what had lapsed by then. If one of them was created by
        # then, the kept ends are wrong: a restore took the tables back past them.
        found = self.history.newest_by(account, lowest, min(highest + FOLLOWING_MAX, account.sequence), at)
        if not found or highest < found[0].sequence:
            found = self.history.newest_by(account, 1, account.sequence, at)
        assert found, "the account had a transaction by then"
        return found

    def _derived(self, month: Month, account: Account) -> Closing:
        """Return the closing of a month whose end is not kept, from the newest transaction until then."""
        transaction = next(iter(self.history.newest_by(account, 1, account.sequence, month_end(month))), None)
        if transaction is None:
            return NOTHING
        return Closing(
            sequence=transaction.sequence,
            balance=transaction.balance_after,
            debt=None,
            total_shortfall=None,
            hash=transaction.hash,
            totals=None,
        )

    def _added_up(self, account: Account, opening: Closing, closing: Closing) -> tuple[Mapping[Kind, Total], int]:
        """Return the totals and the shortfall of the transactions between two closings; reads them all."""
        sums = self._sums(account.merchant_id, opening.sequence + 1, closing.sequence)
        return sums.totals, sums.total_shortfall

    def _sums(self, merchant_id: MerchantId, lowest: int, highest: int) -> TransactionSums:
        count = highest - lowest + 1
        if count > ADDED_UP_MAX:
            raise TooManyTransactions(count)
        return self.history.sums(merchant_id, lowest, highest)


def fleet_days(kept: FleetDaysReader | None, *, today: str, days: int) -> Moved:
    """Return the ends of the fleet's last `days` days up to `today`; none where nothing is kept.

    Raises:
        RetryLater: `unavailable`.
    """
    # The newest end from before the first day is needed for what that day moved.
    ends = kept.ends(days_up_to(today, days=FLEET_DAYS_READ)) if kept is not None else []
    return last_days(ends, today=today, days=days, opened="")

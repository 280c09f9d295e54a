"""Accounts and their transactions, read through PynamoDB.

Sequences have no gaps, so a page is a range of them and costs one query of exactly its rows, wherever it
lies (decision 0007). `created_at` follows the sequence, so dates are found by bisecting it.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from botocore.exceptions import ClientError
from pynamodb.exceptions import DoesNotExist, PynamoDBException
from pynamodb.expressions.condition import Condition

from chalicelib.adapters.dynamodb.items import Item, account_from, kind_of, named_by, transaction_from
from chalicelib.adapters.dynamodb.models import AccountRow, TransactionRow, bound
from chalicelib.domain.errors import Code, NewerForm, RetryLater
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import Kind
from chalicelib.domain.transactions import Total, Transaction
from chalicelib.ports.history import FOLLOWING_MAX, Matches, TransactionSums

WINDOW_MIN = 50
WINDOW_MAX = 1000
"""Transactions that one query of a filtered list looks at; it doubles from the least to the most."""
TRANSACTIONS_EXAMINED_MAX = 20_000
"""Transactions that one request for a filtered list looks at, matching or not."""
INDEX_PAUSE_SECONDS = 0.1
"""How long to wait before an index that lacks the newest transactions is queried once more."""

_SUMMED = ("operation_type", "transaction_type", "amount", "shortfall", "created_at")


class History:
    """Reads the two tables. Every method may raise `RetryLater` (`unavailable`) when they cannot answer."""

    def __init__(self, *, credits_table: str, transactions_table: str) -> None:
        self._accounts = bound(AccountRow, credits_table)
        self._transactions = bound(TransactionRow, transactions_table)

    def account(self, merchant_id: MerchantId) -> Account | None:
        """Return the merchant's current account, None if there is none."""
        with translated():
            try:
                row = self._accounts.get(merchant_id, consistent_read=True)
                return account_from(row.to_dynamodb_dict(), answering=True)
            except DoesNotExist:
                return None

    def transaction(self, transaction_id: TransactionId) -> Transaction | None:
        """Return one transaction, None if there is none or its id is a guard's."""
        item = self._item(transaction_id)
        return transaction_from(item, answering=True) if item and named_by(item) is None else None

    def named(self, name: TransactionId) -> Transaction | None:
        """Return the transaction of the fact that has this name, its own or another, None if there is none."""
        item = self._item(name)
        if item and (transaction := named_by(item)) is not None:
            return self.transaction(transaction)
        return transaction_from(item, answering=True) if item else None

    def _item(self, transaction_id: TransactionId) -> Item | None:
        with translated():
            try:
                return self._transactions.get(transaction_id, consistent_read=True).to_dynamodb_dict()
            except DoesNotExist:
                return None

    def transactions(self, account: Account, lowest: int, highest: int) -> tuple[Transaction, ...]:
        """Return the account's transactions of these sequences, both included, newest first: one query of its rows.

        An index is never read consistently. If it lacks only the newest transaction, that is read by its id; if it
        lacks more, it is queried once more. Transactions still missing then are left out, from the newest on.
        """
        if highest < lowest:
            return ()
        with translated():
            found = tuple(self._query(account.merchant_id, lowest, highest))
            if highest == account.sequence and _newest(found, lowest) < highest - 1:
                time.sleep(INDEX_PAUSE_SECONDS)
                found = tuple(self._query(account.merchant_id, lowest, highest))
        if account.last_transaction_id is None or (highest, _newest(found, lowest)) != (
            account.sequence,
            account.sequence - 1,
        ):
            return found
        newest = self.transaction(account.last_transaction_id)
        return found if newest is None else (newest, *found)

    def matching(
        self, merchant_id: MerchantId, lowest: int, highest: int, *, kinds: Sequence[Kind], wanted: int
    ) -> Matches:
        """Return up to `wanted` transactions of these kinds and sequences, newest first.

        What does not match is read too, and paid for; after `TRANSACTIONS_EXAMINED_MAX` of them the search stops, and
        `below` is where it would continue.
        """
        if not kinds:
            # DynamoDB takes no empty list of choices.
            return Matches(transactions=(), below=0)
        found: list[Transaction] = []
        floor = max(lowest, highest - TRANSACTIONS_EXAMINED_MAX + 1)
        window = max(WINDOW_MIN, wanted)
        condition = _of_kinds(kinds)
        with translated():
            while highest >= floor and len(found) < wanted:
                bottom = max(floor, highest - window + 1)
                found += self._query(merchant_id, bottom, highest, condition)
                highest, window = bottom - 1, min(2 * window, WINDOW_MAX)
        below = found[wanted - 1].sequence - 1 if len(found) >= wanted else highest
        return Matches(transactions=tuple(found[:wanted]), below=below if below >= lowest else 0)

    def sums(self, merchant_id: MerchantId, lowest: int, highest: int) -> TransactionSums:
        """Return the sums of the merchant's transactions of these sequences, both included; reads every one of them."""
        counts: dict[Kind, list[int]] = {}
        shortfall, newest = 0, None
        rows = self._rows(merchant_id, lowest, highest, attributes=_SUMMED) if lowest <= highest else iter(())
        with translated():
            for row in rows:
                of_kind = counts.setdefault(_kind(row), [0, 0])
                of_kind[0] += 1
                of_kind[1] += abs(int(row.amount))
                shortfall += int(row.shortfall or 0)
                newest = newest or Instant(row.created_at)
        totals = {kind: Total(count=count, credits=moved) for kind, (count, moved) in counts.items()}
        return TransactionSums(totals=totals, total_shortfall=shortfall, last_transaction_at=newest)

    def span(self, account: Account, start: Instant | None, end: Instant | None) -> tuple[int, int]:
        """Return the lowest and highest sequence of the transactions from `start` to `end`, both included.

        Bisected: two queries of one row for each doubling of the ledger's length, and none where the account itself
        shows it. Without a transaction in between, the lowest is above the highest.
        """
        lowest, highest = 1, account.sequence
        newest = account.last_transaction_at or account.created_at
        with translated():
            if start is not None and start > account.created_at:
                lowest = self._first_at(account, start) if start <= newest else highest + 1
            if end is not None and end < newest:
                highest = self._first_at(account, _just_after(end)) - 1 if end >= account.created_at else 0
        return lowest, highest

    def newest_by(self, account: Account, lowest: int, highest: int, time: Instant) -> tuple[Transaction, ...]:
        """Return the newest transaction of these sequences that was created by `time`, and those after it.

        Oldest first. At least `FOLLOWING_MAX` of those after it, or all of these sequences; empty if none was by then.
        One query where the range is no longer than `WINDOW_MAX`, and one more for each doubling of it.

        Raises:
            RetryLater: `unavailable` where the index lacks transactions that could be the answer.
        """
        last = highest
        with translated():
            while highest - lowest >= WINDOW_MAX:
                middle = (lowest + highest) // 2
                row = next(self._rows(account.merchant_id, middle, middle), None)
                if row is None or row.created_at > time:
                    highest = middle - 1
                else:
                    lowest = middle
        highest = min(highest + FOLLOWING_MAX, last)
        # Newest first, and whole: what the index lacks yet would be a balance that never was.
        transactions = self.transactions(account, lowest, highest)
        if _newest(transactions, lowest) < highest:
            raise RetryLater(Code.UNAVAILABLE, "the index of the history lacks its newest transactions")
        newest = next((place for place, one in enumerate(transactions) if one.created_at <= time), None)
        return () if newest is None else transactions[newest::-1]

    def _first_at(self, account: Account, time: str) -> int:
        """Return the lowest sequence whose transaction was created at `time` or later."""

        def created_at(sequence: int) -> str:
            row = next(self._rows(account.merchant_id, sequence, sequence), None)
            # A transaction that the index lacks yet is among the newest.
            return row.created_at if row is not None else _just_after(account.last_transaction_at or account.created_at)

        return bisect_left(range(account.sequence + 1), time, lo=1, key=created_at)

    def _query(
        self, merchant_id: MerchantId, lowest: int, highest: int, condition: Condition | None = None
    ) -> Iterator[Transaction]:
        rows = self._rows(merchant_id, lowest, highest, condition)
        return (transaction_from(row.to_dynamodb_dict(), answering=True) for row in rows)

    def _rows(
        self,
        merchant_id: MerchantId,
        lowest: int,
        highest: int,
        condition: Condition | None = None,
        attributes: Sequence[str] | None = None,
    ) -> Iterator[TransactionRow]:
        return self._transactions.by_sequence.query(
            merchant_id,
            TransactionRow.sequence.between(lowest, highest),
            filter_condition=condition,
            scan_index_forward=False,
            attributes_to_get=list(attributes) if attributes else None,
        )


@contextmanager
def translated() -> Iterator[None]:
    """Raise `RetryLater` (`unavailable`) where PynamoDB reports that a table did not answer."""
    try:
        yield
    except PynamoDBException as error:
        # Not `cause_response_code`: of a timeout it raises AttributeError
        cause = error.cause
        why = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__
        raise RetryLater(Code.UNAVAILABLE, f"the history did not answer: {why}") from error


def _kind(row: TransactionRow) -> Kind:
    try:
        return kind_of(row.transaction_type, row.operation_type)
    except KeyError as error:
        raise NewerForm from error


def _newest(found: Sequence[Transaction], lowest: int) -> int:
    return found[0].sequence if found else lowest - 1


def _of_kinds(kinds: Sequence[Kind]) -> Condition:
    types = sorted({kind.transaction_type for kind in kinds})
    directions = sorted({str(kind.direction) for kind in kinds})
    condition: Condition = TransactionRow.transaction_type.is_in(*types)
    condition &= TransactionRow.operation_type.is_in(*directions)
    return condition


def _just_after(time: str) -> str:
    # Times are texts of one length, so a longer text sorts right after its prefix, and before the next millisecond.
    return f"{time}~"

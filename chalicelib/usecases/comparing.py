"""Compares a file of a shop's orders with the ledger within the time of a call, so that another call can continue it.

First the file's orders, then the ledger's orders of the file's period, merchant by merchant (contract, section 17).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.source_orders import (
    BadRow,
    Difference,
    DifferenceKind,
    FilePosition,
    NotOrdersError,
    SourceOrder,
)
from chalicelib.domain.transactions import Transaction
from chalicelib.usecases.matching import Matching, together


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedFile:
    """A file of a feed. Another `version` is another file under the same name."""

    name: str
    version: str
    modified: Instant
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """How far the comparison of a file has come. `counts` and `found` are those of `Matching` until then.

    `place` is where the file is read on. Once the file `was_read`, the ledger is searched: the merchants before
    `merchant` are done, and the transactions of this one up to `sequence`. `fault` is why the file could not be read to
    its end; then the ledger is not searched, because the rest of the file is unknown.
    """

    file: FeedFile
    begun_at: Instant
    place: FilePosition = field(default_factory=FilePosition)
    was_read: bool = False
    merchant: MerchantId | None = None
    sequence: int = 0
    finished: bool = False
    fault: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    found: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of differences; a file that cannot be read counts as one."""
        return sum(self.found.values()) + bool(self.fault)

    def counters(self) -> tuple[Counter[str], Counter[DifferenceKind]]:
        """Return `counts` and `found` for a `Matching` that continues."""
        return Counter(self.counts), Counter({DifferenceKind(kind): count for kind, count in self.found.items()})


class OrderRows(Protocol):
    """A file of orders that is being read."""

    place: FilePosition

    def orders(self) -> Iterator[SourceOrder | BadRow]:
        """Yield the orders in their order, once; raises `NotOrdersError` where the file cannot be read further."""
        ...


Transactions = Callable[[MerchantId, Instant, Instant, int], Iterator[Sequence[Transaction | UnreadableTransaction]]]
"""Yields a merchant's transactions around two times, those after a sequence, page by page in their order."""


def compare(
    matching: Matching,
    bookmark: Bookmark,
    *,
    open_rows: Callable[[FilePosition], OrderRows],
    transactions: Transactions,
    out_of_time: Callable[[], bool],
    keep: Callable[[Iterable[Difference]], None],
) -> Iterator[Bookmark]:
    """Continue a comparison until it is finished or `out_of_time`; yield the bookmark after each step.

    `keep` gets the differences of a step before its bookmark is yielded. Each step is one read of the ledger.

    Raises:
        RetryLater: the ledger or the feed did not answer; the comparison continues from the last bookmark.
    """
    reached = bookmark
    if not bookmark.was_read:
        for reached in _file(matching, bookmark, open_rows(bookmark.place), keep):
            yield _counted(matching, reached)
            if out_of_time():
                return
    if not reached.fault:
        for last in _ledger(matching, reached, transactions, keep):
            reached = last
            yield _counted(matching, reached)
            if out_of_time():
                return
    yield _counted(matching, replace(reached, finished=True))


def _file(
    matching: Matching, bookmark: Bookmark, rows: OrderRows, keep: Callable[[Iterable[Difference]], None]
) -> Iterator[Bookmark]:
    try:
        for some in together(rows.orders()):
            keep(matching.compare_some(some))
            bookmark = replace(bookmark, place=rows.place)
            yield bookmark
    except NotOrdersError as error:
        bookmark = replace(bookmark, fault=str(error))
    yield replace(bookmark, was_read=True)


def _ledger(
    matching: Matching, bookmark: Bookmark, transactions: Transactions, keep: Callable[[Iterable[Difference]], None]
) -> Iterator[Bookmark]:
    done, after = bookmark.merchant or "", bookmark.sequence
    for merchant, first, last in matching.seen.spans():
        if merchant < done:
            continue
        for page in transactions(merchant, first, last, after if merchant == done else 0):
            # What cannot be read, `reconcile` reports.
            readable = [transaction for transaction in page if isinstance(transaction, Transaction)]
            keep(matching.not_there(merchant, first, last, readable))
            if page:
                bookmark = replace(bookmark, merchant=merchant, sequence=page[-1].sequence)
                yield bookmark


def _counted(matching: Matching, bookmark: Bookmark) -> Bookmark:
    found = {kind.value: count for kind, count in matching.found.items()}
    return replace(bookmark, counts=dict(matching.counts), found=found)

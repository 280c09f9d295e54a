"""Compares a file of a shop's orders with the ledger within the time of a call, so that another call can continue it.

First the file's orders, then the ledger's orders of the file's period, merchant by merchant (contract, section 17).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from chalicelib.domain.errors import RetryLater
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant, merchant_id
from chalicelib.domain.links import LinkKind, link_name_of
from chalicelib.domain.source_orders import (
    BadRow,
    Difference,
    DifferenceKind,
    FilePosition,
    NotOrdersError,
    SourceOrder,
)
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import CallTime, LedgerReader, LedgerStore, LinkTable
from chalicelib.usecases.matching import Matching, SeenOrders, Spans, around, together

MARGIN_SECONDS = 90.0
"""The last seconds of a call are for keeping an unfinished comparison: no read is begun in them."""
FILES_DAYS = 7
"""Files older than this are no longer looked at."""


class FileChangedError(Exception):
    """Raised where a file was replaced or removed while it was being read: another version is compared instead."""


class UnlinkedFolderError(Exception):
    """Raised for a file in a folder that is named by a shop which is linked to no merchant; the text says so."""


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


class Feed(Protocol):
    """The files of orders. Every method may raise `RetryLater`."""

    def files(self, since: Instant) -> Iterable[FeedFile]:
        """Return the files modified since then that have no report, the oldest first."""
        ...

    def owner(self, file: FeedFile) -> str:
        """Return the name of the file's folder: a merchant's id or a shop's domain; another name names nobody."""
        ...

    def rows(self, file: FeedFile, merchant: MerchantId | None, place: FilePosition) -> OrderRows:
        """Return the file, to be read from a place on; reading it raises `FileChangedError`."""
        ...


class Notes(Protocol):
    """What the comparison of a file keeps until it is finished."""

    @property
    def seen(self) -> SeenOrders:
        """The orders that it has seen."""
        ...

    def bookmark(self) -> Bookmark | None:
        """Return the kept bookmark, None if the comparison begins."""
        ...

    def add(self, differences: Iterable[Difference]) -> None:
        """Keep differences."""
        ...

    def keep(self, bookmark: Bookmark) -> None:
        """Keep the bookmark, and for good all that was kept before it."""
        ...

    def undo(self) -> None:
        """Take back what was kept after the last bookmark."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """Compares the files of a feed with the ledger, within the time of a call.

    `parked` returns for each file what says whether a parked event of a merchant names an order.
    """

    feed: Feed
    links: LinkTable
    ledger: LedgerStore
    spans: Spans
    reader: LedgerReader
    parked: Callable[[], Callable[[str, str], bool]]
    time: CallTime

    def files(self, begun: FeedFile | None) -> Iterator[FeedFile]:
        """Yield the file whose comparison was `begun`, then the new ones of the last days."""
        if begun is not None:
            yield begun
        since = instant(self._now() - timedelta(days=FILES_DAYS))
        yield from (file for file in self.feed.files(since) if file != begun)

    def owner(self, file: FeedFile) -> MerchantId | None:
        """Return whose orders a file has by its folder, None if each line states it.

        Raises:
            UnlinkedFolderError: nobody is linked to the folder's shop. RetryLater: the links cannot be read.
        """
        folder = self.feed.owner(file)
        if "." in folder:
            merchant = self._linked(folder)
            if merchant is None:
                raise UnlinkedFolderError(f"{folder} is linked to no merchant")
            return merchant
        try:
            return merchant_id(folder)
        except ValueError:
            return None

    def advance(self, file: FeedFile, merchant: MerchantId | None, notes: Notes) -> Bookmark:
        """Return how far the comparison of a file has come when it is finished, or the call's time is nearly over.

        Each step is one read of the ledger; its differences are kept in `notes`, then its bookmark.

        Raises:
            FileChangedError: it is another version now.
            RetryLater: the ledger or the feed did not answer; the comparison continues from the last bookmark.
        """
        bookmark = notes.bookmark() or Bookmark(file=file, begun_at=self.time.now())
        counts, found = bookmark.counters()
        matching = Matching(
            seen=notes.seen,
            lookup=self._lookup,
            parked=self.parked(),
            has_account=lambda merchant: self.spans.account(merchant) is not None,
            now=self._now(),
            counts=counts,
            found=found,
        )
        try:
            for step in self._steps(matching, bookmark, merchant, notes):
                bookmark = _counted(matching, step)
                notes.keep(bookmark)
                if self.time.remaining_seconds() < MARGIN_SECONDS:
                    break
        except RetryLater:
            notes.undo()
            raise
        return bookmark

    def _steps(
        self, matching: Matching, bookmark: Bookmark, merchant: MerchantId | None, notes: Notes
    ) -> Iterator[Bookmark]:
        reached = bookmark
        if not bookmark.was_read:
            for reached in _file(matching, bookmark, self.feed.rows(bookmark.file, merchant, bookmark.place), notes):
                yield reached
        if not reached.fault:
            for last in self._ledger(matching, reached, notes):
                reached = last
                yield reached
        yield replace(reached, finished=True)

    def _ledger(self, matching: Matching, bookmark: Bookmark, notes: Notes) -> Iterator[Bookmark]:
        done, after = bookmark.merchant or "", bookmark.sequence
        for merchant, first, last in matching.seen.spans():
            if merchant < done:
                continue
            begin = after if merchant == done else 0
            for page in around(self.spans, self.reader, merchant, first, last, after=begin):
                # What cannot be read, `reconcile` reports.
                readable = [transaction for transaction in page if isinstance(transaction, Transaction)]
                notes.add(matching.not_there(merchant, first, last, readable))
                if page:
                    bookmark = replace(bookmark, merchant=merchant, sequence=page[-1].sequence)
                    yield bookmark

    def _linked(self, domain: str) -> MerchantId | None:
        try:
            name = link_name_of(f"{LinkKind.SHOPIFY}:{domain}")
        except ValueError:
            return None
        return self.links.read([name]).get(name)

    def _lookup(self, wanted: Sequence[TransactionId]) -> Mapping[TransactionId, Transaction]:
        return self.ledger.read([], wanted).named(wanted)

    def _now(self) -> datetime:
        return datetime.fromisoformat(self.time.now())


def _file(matching: Matching, bookmark: Bookmark, rows: OrderRows, notes: Notes) -> Iterator[Bookmark]:
    try:
        for some in together(rows.orders()):
            notes.add(matching.compare_some(some))
            bookmark = replace(bookmark, place=rows.place)
            yield bookmark
    except NotOrdersError as error:
        bookmark = replace(bookmark, fault=str(error))
    yield replace(bookmark, was_read=True)


def _counted(matching: Matching, bookmark: Bookmark) -> Bookmark:
    found = {kind.value: count for kind, count in matching.found.items()}
    return replace(bookmark, counts=dict(matching.counts), found=found)

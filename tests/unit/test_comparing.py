"""Files of orders compared with the ledger: which files, whose, and how far within a call."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import pytest

from chalicelib.domain.errors import Code, RetryLater
from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.ids import Instant, MerchantId, instant
from chalicelib.domain.ledger import Account
from chalicelib.domain.links import Link
from chalicelib.domain.source_orders import BadRow, Difference, FilePosition, NotOrdersError, SourceOrder
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import CallTime, LedgerReader
from chalicelib.usecases import matching
from chalicelib.usecases.comparing import FILES_DAYS, Bookmark, Comparing, FeedFile, UnlinkedFolderError
from chalicelib.usecases.matching import AROUND, around
from tests.support.builders import NOON, SHOP, order, trial
from tests.support.fake_links import FakeLinks
from tests.support.fakes import FakeLedger, settle

DOMAIN = "lamps.myshopify.com"
FILE = FeedFile(name="some.csv", version="1", modified=NOON, size=1)
MINUTE = timedelta(minutes=1)


def after_noon(change: timedelta) -> Instant:
    return instant(datetime.fromisoformat(NOON) + change)


def sold(order_id: int, *, at: Instant = NOON) -> SourceOrder:
    return SourceOrder(
        line=order_id,
        merchant_id=SHOP,
        order_id=str(order_id),
        paid=True,
        paid_at=at,
        total=None,
        currency=None,
    )


@dataclass
class Rows:
    """A file whose place is the number of the rows that were taken; `fault` is where it cannot be read further."""

    rows: Sequence[SourceOrder | BadRow]
    place: FilePosition
    fault: str = ""

    def orders(self) -> Iterator[SourceOrder | BadRow]:
        for row in self.rows[self.place.lines :]:
            self.place = FilePosition(lines=self.place.lines + 1)
            yield row
        if self.fault:
            raise NotOrdersError(self.fault)


@dataclass
class Files:
    """A feed of files in one folder, all with the same rows."""

    rows_of_each: Sequence[SourceOrder | BadRow] = ()
    fault: str = ""
    folder: str = SHOP
    new: Sequence[FeedFile] = ()
    asked_since: list[Instant] = field(default_factory=list)

    def files(self, since: Instant) -> Sequence[FeedFile]:
        self.asked_since.append(since)
        return self.new

    def owner(self, _: FeedFile) -> str:
        return self.folder

    def rows(self, _file: FeedFile, _merchant: MerchantId | None, place: FilePosition) -> Rows:
        return Rows(self.rows_of_each, place, self.fault)


class Seen:
    """The orders that a comparison has seen, in memory."""

    def __init__(self) -> None:
        self.orders: set[tuple[MerchantId, str]] = set()
        self.times: dict[MerchantId, list[Instant]] = {}

    def add(self, merchant_id: MerchantId, order_id: str) -> bool:
        new = (merchant_id, order_id) not in self.orders
        self.orders.add((merchant_id, order_id))
        return new

    def stretch(self, merchant_id: MerchantId, paid_at: Instant) -> None:
        self.times.setdefault(merchant_id, []).append(paid_at)

    def holds(self, merchant_id: MerchantId, order_id: str) -> bool:
        return (merchant_id, order_id) in self.orders

    def spans(self) -> list[tuple[MerchantId, Instant, Instant]]:
        return [(merchant, min(times), max(times)) for merchant, times in sorted(self.times.items())]


@dataclass
class Kept:
    """A comparison's notes in memory. `undone` counts how often what came after the bookmark was taken back."""

    seen: Seen = field(default_factory=Seen)
    differences: list[Difference] = field(default_factory=list)
    bookmarks: list[Bookmark] = field(default_factory=list)
    undone: int = 0

    def bookmark(self) -> Bookmark | None:
        return self.bookmarks[-1] if self.bookmarks else None

    def add(self, differences: Iterable[Difference]) -> None:
        self.differences += differences

    def keep(self, bookmark: Bookmark) -> None:
        self.bookmarks.append(bookmark)

    def undo(self) -> None:
        self.undone += 1


@dataclass
class Pages:
    """The history of a ledger in memory, a transaction a page; `asked` are the sequences that were asked for."""

    ledger: FakeLedger
    asked: list[tuple[int, int]] = field(default_factory=list)

    def account(self, merchant: MerchantId) -> Account | None:
        return self.ledger.accounts.get(merchant)

    def span(self, account: Account, start: Instant, end: Instant) -> tuple[int, int]:
        history = self.ledger.history(account.merchant_id)
        return 1 + sum(one.created_at < start for one in history), sum(one.created_at <= end for one in history)

    def transactions(
        self, merchant_id: MerchantId, lowest: int, highest: int
    ) -> Iterator[Sequence[Transaction | UnreadableTransaction]]:
        self.asked.append((lowest, highest))
        return ([one] for one in self.ledger.history(merchant_id) if lowest <= one.sequence <= highest)


@dataclass
class Stage:
    """What a comparison works with; `seconds` are left of its call."""

    files: Files = field(default_factory=Files)
    links: FakeLinks = field(default_factory=FakeLinks)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    seconds: float = 800

    def comparing(self) -> Comparing:
        pages = Pages(self.ledger)
        return Comparing(
            feed=self.files,
            links=self.links,
            ledger=self.ledger,
            spans=pages,
            reader=cast("LedgerReader", pages),
            parked=lambda: lambda *_: False,
            time=CallTime(
                now=lambda: after_noon(timedelta(days=1)),
                remaining_seconds=lambda: self.seconds,
                sleep=lambda _: None,
            ),
        )


@pytest.fixture
def stage() -> Stage:
    """Three orders of a shop, which the ledger has as 1, 2 and 4, two hours after they were paid."""
    stage = Stage(Files([sold(1), sold(2), sold(3, at=after_noon(180 * MINUTE))]))
    orders = [order(order_id) for order_id in ("1", "2", "4")]
    settle(stage.ledger, [trial(), *orders], now=after_noon(120 * MINUTE))
    return stage


def found(notes: Kept) -> list[tuple[str, str | None]]:
    return [(one.kind.value, one.order_id) for one in notes.differences]


def test_the_file_and_then_the_ledger_are_compared(stage: Stage) -> None:
    notes = Kept()

    bookmark = stage.comparing().advance(FILE, SHOP, notes)

    assert bookmark.finished
    assert found(notes) == [("missing", "3"), ("not_there", "4")]
    assert (bookmark.counts, bookmark.found) == ({"recorded": 2}, {"missing": 1, "not_there": 1})
    assert notes.bookmarks[-1] == bookmark


def test_without_time_each_call_makes_one_step_and_they_come_to_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "READ_AT_ONCE", 1)
    whole, torn = Kept(), Kept()
    stage.comparing().advance(FILE, SHOP, whole)
    stage.seconds = 0

    calls = 0
    while not (torn.bookmarks and torn.bookmarks[-1].finished):
        stage.comparing().advance(FILE, SHOP, torn)
        calls += 1
        assert calls == len(torn.bookmarks) < 20

    assert torn.bookmarks[-1] == whole.bookmarks[-1]
    assert found(torn) == found(whole)


def test_what_was_half_done_is_taken_back_when_the_ledger_does_not_answer(stage: Stage) -> None:
    notes = Kept()
    stage.ledger.read_faults.append(RetryLater(Code.UNAVAILABLE, "no answer"))

    with pytest.raises(RetryLater):
        stage.comparing().advance(FILE, SHOP, notes)

    assert (notes.undone, notes.bookmarks) == (1, [])


def test_the_ledger_is_not_gone_over_for_a_file_that_cannot_be_read_to_its_end(stage: Stage) -> None:
    stage.files.fault = "line 4: not valid CSV"
    notes = Kept()

    bookmark = stage.comparing().advance(FILE, SHOP, notes)

    assert (bookmark.finished, bookmark.fault, bookmark.total) == (True, "line 4: not valid CSV", 2)
    assert found(notes) == [("missing", "3")]


@pytest.mark.parametrize(
    ("folder", "merchant"),
    [(SHOP, SHOP), (DOMAIN, SHOP), ("", None), ("november", None)],
    ids=["a merchant", "a shop", "no folder", "another name"],
)
def test_a_folder_names_a_merchant_or_a_linked_shop_or_nobody(folder: str, merchant: MerchantId | None) -> None:
    name = f"shopify:{DOMAIN}"
    links = FakeLinks(links={name: Link(name=name, merchant_id=SHOP, since=NOON)})

    assert Stage(Files(folder=folder), links).comparing().owner(FILE) == merchant


@pytest.mark.parametrize("folder", [DOMAIN, "2026.11"])
def test_a_shop_that_is_linked_to_nobody_is_reported(folder: str) -> None:
    with pytest.raises(UnlinkedFolderError, match=rf"^{folder} is linked to no merchant$"):
        Stage(Files(folder=folder)).comparing().owner(FILE)


def test_the_file_that_was_begun_comes_first_and_once() -> None:
    other = FeedFile(name="other.csv", version="1", modified=NOON, size=1)
    stage = Stage(Files(new=[other, FILE]))

    assert list(stage.comparing().files(FILE)) == [FILE, other]
    assert list(stage.comparing().files(None)) == [other, FILE]
    assert set(stage.files.asked_since) == {after_noon(timedelta(days=1 - FILES_DAYS))}


@pytest.mark.parametrize(
    ("first", "last", "after", "asked"),
    [
        (NOON, NOON, 0, [(1, 4)]),
        (NOON, NOON, 2, [(3, 4)]),
        (NOON, NOON, 4, []),
        (after_noon(AROUND + 121 * MINUTE), after_noon(AROUND + 122 * MINUTE), 0, []),
        (after_noon(-AROUND), after_noon(-AROUND), 0, []),
        (after_noon(AROUND + 120 * MINUTE), after_noon(AROUND + 120 * MINUTE), 0, [(1, 4)]),
    ],
    ids=["all", "the rest", "no more", "all are earlier", "all are later", "just within"],
)
def test_the_ledger_is_read_around_the_times_of_the_file(
    stage: Stage, first: Instant, last: Instant, after: int, asked: list[tuple[int, int]]
) -> None:
    pages = Pages(stage.ledger)

    read = list(around(pages, cast("LedgerReader", pages), SHOP, first, last, after=after))

    assert pages.asked == asked
    assert len(read) == sum(highest - lowest + 1 for lowest, highest in asked)


def test_a_merchant_without_an_account_has_no_transactions() -> None:
    pages = Pages(FakeLedger())

    assert list(around(pages, cast("LedgerReader", pages), SHOP, NOON, NOON)) == []

"""A comparison's scratch database: what it has seen and found, and its bookmark, in one file that can be moved."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from chalicelib.contracts.order_events import line_of
from chalicelib.domain.ids import Instant, MerchantId
from chalicelib.domain.source_orders import Difference, FilePosition
from chalicelib.usecases.comparing import Bookmark, FeedFile

REPORTED_MAX = 100_000
"""Most differences of a file that are kept whole; all are counted."""


class SeenOrdersTable:
    """The orders that a comparison has seen, in an SQLite database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(
            "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS seen (merchant TEXT, id TEXT, PRIMARY KEY (merchant, id)) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS span (merchant TEXT PRIMARY KEY, first TEXT, last TEXT) WITHOUT ROWID;"
        )

    def add(self, merchant_id: MerchantId, order_id: str) -> bool:
        """Add an order; return whether it was not there."""
        added = self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (merchant_id, order_id))
        return bool(added.rowcount)

    def stretch(self, merchant_id: MerchantId, paid_at: Instant) -> None:
        """Extend the merchant's span of paid orders to this time."""
        self._connection.execute(
            "INSERT INTO span VALUES (?1, ?2, ?2) "
            "ON CONFLICT DO UPDATE SET first = min(first, ?2), last = max(last, ?2)",
            (merchant_id, paid_at),
        )

    def holds(self, merchant_id: MerchantId, order_id: str) -> bool:
        """Return whether the order was added."""
        key = (merchant_id, order_id)
        return bool(self._connection.execute("SELECT 1 FROM seen WHERE merchant = ? AND id = ?", key).fetchone())

    def spans(self) -> list[tuple[MerchantId, Instant, Instant]]:
        """Return the merchants with paid orders, by id, with the times of their first and last one."""
        found = self._connection.execute("SELECT merchant, first, last FROM span ORDER BY merchant")
        return [(MerchantId(merchant), Instant(first), Instant(last)) for merchant, first, last in found]


class Scratch:
    """An SQLite file, with the orders that the comparison has `seen`."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path)
        self.seen = SeenOrdersTable(self.connection)
        self.connection.executescript(
            "CREATE TABLE IF NOT EXISTS difference (place INTEGER PRIMARY KEY, line TEXT);"
            "CREATE TABLE IF NOT EXISTS bookmark (one INTEGER PRIMARY KEY, members TEXT);"
        )
        [(self._differences,)] = self.connection.execute("SELECT count(*) FROM difference")

    def __enter__(self) -> Self:
        """Return itself; at the end, all that was kept is in the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write the file and close it."""
        self.connection.commit()
        self.connection.close()

    def add(self, differences: Iterable[Difference]) -> None:
        """Keep differences, `REPORTED_MAX` at most."""
        for difference in differences:
            if self._differences < REPORTED_MAX:
                self.connection.execute("INSERT INTO difference (line) VALUES (?)", (line_of(difference),))
                self._differences += 1

    def differences(self) -> Iterator[str]:
        """Yield the kept differences in their order, as lines of JSON Lines."""
        for (line,) in self.connection.execute("SELECT line FROM difference ORDER BY place"):
            yield line

    def bookmark(self) -> Bookmark | None:
        """Return the kept bookmark, None if there is none, or another release kept it in another form."""
        row = self.connection.execute("SELECT members FROM bookmark").fetchone()
        try:
            return _bookmark(json.loads(row[0])) if row else None
        except (TypeError, KeyError):
            return None

    def keep(self, bookmark: Bookmark) -> None:
        """Commit the bookmark, and everything kept before it."""
        self.connection.execute("INSERT OR REPLACE INTO bookmark VALUES (1, ?)", (json.dumps(asdict(bookmark)),))
        self.connection.commit()

    def undo(self) -> None:
        """Undo what was kept after the last bookmark."""
        self.connection.rollback()


def _bookmark(members: dict[str, Any]) -> Bookmark:
    place = members.pop("place")
    place["columns"] = tuple(place["columns"])
    return Bookmark(**members | {"file": FeedFile(**members["file"]), "place": FilePosition(**place)})

"""The old service's two tables, as PostgreSQL's COPY writes them, read, checked and laid by (contract, section 20).

Rows are kept in a scratch database on disk, so that tables of any size are read once and a key counts once.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from chalicelib.contracts.csv_rows import UnreadableFileError, rows_of, utf_8
from chalicelib.contracts.inbound.renewals import period_name
from chalicelib.contracts.values import KEY_LENGTH_MAX
from chalicelib.domain.ids import MerchantId, escaped, merchant_id
from chalicelib.domain.movements import TRIAL_KEY
from chalicelib.domain.orders import CREDITS_MAX

ACCOUNT_COLUMNS = ("merchant_id", "balance")
TRANSACTION_COLUMNS = ("merchant_id", "idempotency_key")
"""The columns that are needed; all others may be there, and move nothing."""
CELL_LENGTH_MAX = 16 * 1024 * 1024

_KEY = re.compile(rf"[\x20-\x7e]{{1,{KEY_LENGTH_MAX}}}")
_WHOLE = re.compile(r"[0-9]{1,10}")
_GLOBAL_ID = re.compile(r"gid://shopify/[A-Za-z]+/([0-9]+)(?:\?[\x20-\x7e]*)?$")
_RENEWAL = "SUBSCRIPTION_RENEWAL_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row that cannot be imported: where it is and why, without its value, which may be personal."""

    file: str
    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAccount:
    """A merchant as the old service had it."""

    merchant_id: MerchantId
    balance: int


@dataclass
class OldTables:
    """What was read of both files. `keyless` counts transactions without a key, `repeated` keys that came again.

    `differing` counts the merchants whose last `balance_after` is not their balance, where the file has that column.
    """

    scratch: sqlite3.Connection
    refusals: list[Refusal] = field(default_factory=list)
    accounts: int = 0
    credits: int = 0
    keys: int = 0
    keyless: int = 0
    repeated: int = 0
    differing: int = 0

    @classmethod
    def read(cls, accounts: Path, transactions: Path | None, scratch: Path) -> Self:
        """Return both files as read; `scratch` is a file that does not exist yet."""
        tables = cls(sqlite3.connect(scratch, check_same_thread=False))
        tables.scratch.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE account (merchant TEXT PRIMARY KEY, balance INTEGER, last INTEGER) WITHOUT ROWID;"
            "CREATE TABLE key (merchant TEXT, key TEXT, PRIMARY KEY (merchant, key)) WITHOUT ROWID;"
        )
        for line, row in tables._rows(accounts, ACCOUNT_COLUMNS):
            tables._account(accounts.name, line, row)
        if transactions is not None:
            for line, row in tables._rows(transactions, TRANSACTION_COLUMNS):
                tables._transaction(transactions.name, line, row)
        tables.scratch.commit()
        tables._count()
        return tables

    def openings(self) -> Iterator[OldAccount]:
        """Yield the merchants, always in the same order."""
        for merchant, balance in self.scratch.execute("SELECT merchant, balance FROM account ORDER BY merchant"):
            yield OldAccount(merchant_id=MerchantId(merchant), balance=balance)

    def keys_of(self, merchant: MerchantId) -> list[str]:
        """Return the merchant's old keys, each once, always in the same order."""
        found = self.scratch.execute("SELECT key FROM key WHERE merchant = ? ORDER BY key", (merchant,))
        return [key for (key,) in found]

    def _rows(self, path: Path, needed: Iterable[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Yield the rows with the line that each begins at; a file that is none of these tables is one refusal."""
        with path.open("rb") as file:
            lines = (utf_8(line, number=number) for number, line in enumerate(file, 1))
            rows = rows_of(lines, cell_length_max=CELL_LENGTH_MAX)
            try:
                columns = [name.strip().lower() for name in next(rows, (1, []))[1]]
                if missing := [name for name in needed if name not in columns]:
                    self._refuse(path.name, 1, missing[0], "the header has no such column: COPY … CSV HEADER writes it")
                    return
                for line, cells in rows:
                    if len(cells) != len(columns):
                        self._refuse(path.name, line, columns[-1], f"{len(cells)} cells, the header has {len(columns)}")
                    else:
                        yield line, dict(zip(columns, cells, strict=True))
            except UnreadableFileError as error:
                self._refuse(
                    path.name, error.line, error.column, f"{error.why}; a file of COPY … CSV ENCODING 'UTF8' is read"
                )

    def _account(self, file: str, line: int, row: Mapping[str, str]) -> None:
        merchant = self._merchant(file, line, row)
        balance = row["balance"]
        if _WHOLE.fullmatch(balance) is None or int(balance) > CREDITS_MAX:
            self._refuse(file, line, "balance", f"a balance is a whole number from 0 to {CREDITS_MAX}")
        elif merchant is not None:
            added = self.scratch.execute("INSERT OR IGNORE INTO account VALUES (?, ?, NULL)", (merchant, int(balance)))
            if not added.rowcount:
                self._refuse(file, line, "merchant_id", "this merchant had a row before: one account each")

    def _transaction(self, file: str, line: int, row: Mapping[str, str]) -> None:
        merchant = self._merchant(file, line, row)
        key = row["idempotency_key"]
        if key and _KEY.fullmatch(key) is None:
            self._refuse(file, line, "idempotency_key", f"a key has 1 to {KEY_LENGTH_MAX} printable ASCII characters")
            return
        if merchant is None:
            return
        after = row.get("balance_after", "")
        last = int(after) if _WHOLE.fullmatch(after) else None
        known = self.scratch.execute(
            "UPDATE account SET last = coalesce(?, last) WHERE merchant = ?", (last, merchant)
        ).rowcount
        if not known:
            self._refuse(file, line, "merchant_id", "this merchant has no row among the accounts")
        elif not key:
            self.keyless += 1
        else:
            for name in {key, current_key(key, row.get("reference_id", ""))} - {TRIAL_KEY}:
                added = self.scratch.execute("INSERT OR IGNORE INTO key VALUES (?, ?)", (merchant, name))
                self.repeated += name == key and not added.rowcount

    def _merchant(self, file: str, line: int, row: Mapping[str, str]) -> MerchantId | None:
        try:
            return merchant_id(row["merchant_id"])
        except ValueError as error:
            self._refuse(file, line, "merchant_id", str(error))
            return None

    def _refuse(self, file: str, line: int, column: str, why: str) -> None:
        self.refusals.append(Refusal(file=file, line=line, column=column, why=why))

    def _count(self) -> None:
        with closing(self.scratch.cursor()) as cursor:
            self.accounts, self.credits = cursor.execute(
                "SELECT count(*), coalesce(sum(balance), 0) FROM account"
            ).fetchone()
            [self.keys] = cursor.execute("SELECT count(*) FROM key").fetchone()
            [self.differing] = cursor.execute("SELECT count(*) FROM account WHERE last <> balance").fetchone()


def current_key(key: str, reference_id: str) -> str:
    """Return the key that the fact of an old key has here: ids in the one spelling, a renewal's two ids told apart.

    Any other key is the same in both services.
    """
    if found := _GLOBAL_ID.search(key):
        return key[: found.start()] + found[1]
    renewal = f"{_RENEWAL}{reference_id}_"
    if reference_id and key.startswith(renewal):
        return f"{_RENEWAL}{escaped(reference_id)}_{escaped(period_name(key.removeprefix(renewal)))}"
    return key

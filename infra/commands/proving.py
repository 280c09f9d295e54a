"""Checks a file of transactions without the tables, by its own hashes and the heads beside it.

Every row must match its hash, follow its merchant's previous row, and equal the API's answer about its transaction;
each merchant's chain must begin and end as the heads say. Findings name their lines.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from chalicelib.adapters.dynamodb.items import kind_of
from chalicelib.contracts.api import answers, tables
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, transaction_id
from chalicelib.domain.lots import Lot
from chalicelib.domain.transactions import Transaction, transaction_hash
from infra.commands.export_rows import Row
from infra.commands.exported import Head, NotAnExportError

MUTABLE = "updated_at"
"""What a later refund or edit changes of a transaction; no hash covers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A fault of the file: at a line and column if there is one, else of a merchant as a whole."""

    what: str
    line: int | None = None
    column: str = ""
    merchant_id: str | None = None
    sequence: int | None = None


@dataclass(slots=True)
class _Chain:
    """How far a merchant's rows have come."""

    first: int
    last: int
    end_hash: str
    expected: int
    hash: str | None

    @classmethod
    def of(cls, head: Head) -> Self:
        return cls(head.first_sequence, head.last_sequence, head.hash, head.first_sequence, head.previous_hash)


class Prover:
    """Walks the rows of a file; `rows` counts them."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.rows = 0
        self._chains = _chains(heads)
        self._strangers: set[str] = set()

    @property
    def merchants(self) -> int:
        """How many merchants the file holds."""
        return len(self._chains)

    def walk(self, rows: Iterable[Row]) -> Iterator[Wrong]:
        """Yield what is wrong with the rows, in their order, and then what is missing at the ends."""
        for row in rows:
            self.rows += 1
            yield from self._row(row)
        for merchant_id, chain in self._chains.items():
            if chain.expected <= chain.last:
                yield Wrong(what=_missing(chain.expected, chain.last), merchant_id=merchant_id, sequence=chain.expected)
            elif chain.hash is not None and chain.hash != chain.end_hash:
                yield Wrong(what="the chain ends in another hash than its head", merchant_id=merchant_id)

    def _row(self, row: Row) -> Iterator[Wrong]:
        if row.members is None:
            yield Wrong(what=row.why, line=row.line, column=row.column)
            self._forget_the_hashes()
            return
        try:
            transaction = transaction_of(row.members)
        except _NoTransactionError as error:
            yield Wrong(what=str(error), line=row.line, column=error.column)
            self._forget_the_hashes()
            return
        chain = self._chains.get(transaction.merchant_id)
        where: dict[str, Any] = {
            "line": row.line,
            "merchant_id": transaction.merchant_id,
            "sequence": transaction.sequence,
        }
        if chain is None:
            if transaction.merchant_id not in self._strangers:
                self._strangers.add(transaction.merchant_id)
                yield Wrong(what="the heads name no such merchant: the row was added", **where)
            return
        if transaction.sequence < chain.expected:
            yield Wrong(what="doubled: an earlier row has this sequence, or this row was added", **where)
            return
        if transaction.sequence > chain.last:
            yield Wrong(what="added: its sequence is after the end that the heads name", **where)
            return
        if transaction.sequence > chain.expected:
            yield Wrong(what=_missing(chain.expected, transaction.sequence - 1), **where)
            chain.hash = None
        yield from _changed(transaction, row.members, chain.hash, where)
        chain.expected, chain.hash = transaction.sequence + 1, transaction.hash

    def _forget_the_hashes(self) -> None:
        """Report no row for following one that could not be read; the missing sequence is still found."""
        for chain in self._chains.values():
            chain.hash = None


def _changed(
    transaction: Transaction, members: Mapping[str, Any], before: str | None, where: Mapping[str, Any]
) -> Iterator[Wrong]:
    if transaction_hash(transaction) != transaction.hash:
        yield Wrong(what="changed: the row is not what its hash seals", column="hash", **where)
        return
    if before is not None and transaction.previous_hash != before:
        yield Wrong(what="it does not follow the row before it", column="previous_hash", **where)
    if transaction.transaction_id != transaction_id(transaction.merchant_id, transaction.idempotency_key):
        yield Wrong(what="the id does not follow from merchant and key", column="id", **where)
    answered = answers.Transaction.of(transaction).model_dump(mode="json")
    for name in tables.COLUMNS:
        if name != MUTABLE and members[name] != answered[name]:
            yield Wrong(what=f"changed: the other columns make it {answered[name]!r}", column=name, **where)


class _NoTransactionError(Exception):
    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column


_TEXTS = tuple(name for name in tables.COLUMNS if name not in (*tables.WHOLE, *tables.JSON_TEXTS))


def transaction_of(members: Mapping[str, Any]) -> Transaction:
    """Return the transaction that a row holds."""
    if unknown := [name for name in (*tables.COLUMNS, *members) if name not in members or name not in tables.COLUMNS]:
        raise _NoTransactionError(unknown[0], "the column is missing" if unknown[0] not in members else "unknown")
    for name in tables.WHOLE:
        if type(members[name]) is not int:
            raise _NoTransactionError(name, "no whole number")
    for name in _TEXTS:
        if not isinstance(members[name], str) and not (members[name] is None and name in tables.NULLABLE):
            raise _NoTransactionError(name, "no text")
    metadata = members["extra_metadata"]
    if not isinstance(metadata, dict) or any(type(value) not in (str, int) for value in metadata.values()):
        raise _NoTransactionError("extra_metadata", "not an object of texts and whole numbers")
    drawn = members[tables.DRAWN]
    if not isinstance(drawn, list) or not all(_is_part(part) for part in drawn):
        raise _NoTransactionError(tables.DRAWN, "not pairs of an instant and credits")
    try:
        kind = kind_of(members["transaction_type"], members["operation_type"])
    except KeyError:
        raise _NoTransactionError("transaction_type", "not a type of this release in this direction") from None
    return Transaction(
        transaction_id=TransactionId(members["id"]),
        merchant_id=MerchantId(members["merchant_id"]),
        kind=kind,
        metadata=metadata,
        occurred_at=None if members["occurred_at"] is None else Instant(members["occurred_at"]),
        created_at=Instant(members["created_at"]),
        drawn=tuple(Lot(expires_at=Instant(expires_at), credits=moved) for expires_at, moved in drawn),
        **{name: members[name] for name in _SAME},
    )


def _is_part(part: Any) -> bool:
    return isinstance(part, list) and [type(member) for member in part] == [str, int]


_SAME = (
    *("sequence", "amount", "requested", "shortfall", "threshold", "balance_before", "balance_after", "schema_version"),
    *("idempotency_key", "reference_id", "correlation_id", "previous_hash", "hash"),
)
"""Members that a transaction has under the same name."""


def _chains(heads: Sequence[Head]) -> dict[str, _Chain]:
    """Return each merchant's chain, its parts joined.

    Raises:
        NotAnExportError: the parts do not follow each other.
    """
    chains: dict[str, _Chain] = {}
    for head in heads:
        chain = chains.get(head.merchant_id)
        if chain is None:
            chains[head.merchant_id] = _Chain.of(head)
        elif (head.first_sequence, head.previous_hash) != (chain.last + 1, chain.end_hash):
            raise NotAnExportError(f"the heads of {head.merchant_id} do not follow each other: a line is missing")
        else:
            chain.last, chain.end_hash = head.last_sequence, head.hash
    return chains


def _missing(first: int, last: int) -> str:
    return f"missing: row of sequence {first}" if first == last else f"missing: rows of sequences {first} to {last}"

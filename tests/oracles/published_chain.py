"""The hash chain once more, written from the published form alone (contract, "Hash").

It shares no line with the code that seals the transactions, so that the two can only agree by saying the same.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.domain.transactions import Transaction

FIELDS = (
    "schema_version",
    "transaction_id",
    "merchant_id",
    "sequence",
    "operation_type",
    "transaction_type",
    "amount",
    "requested",
    "shortfall",
    "threshold",
    "balance_before",
    "balance_after",
    "idempotency_key",
    "reference_id",
    "extra_metadata",
    "correlation_id",
    "occurred_at",
    "created_at",
    "drawn",
)
"""What is sealed of a transaction; what is null is left out, and so is a `drawn` without anything in it."""


def published_form(transaction: Transaction) -> str:
    """Return the transaction as UTF-8 JSON: keys sorted, compact, no nulls, whole numbers."""
    return _form(_said(transaction))


def broken_links(transactions: Iterable[Transaction]) -> list[int]:
    """Return the sequences at which the chain of one merchant's transactions, oldest first, does not hold."""
    return broken_links_in_answers(_said(transaction) for transaction in transactions)


def broken_links_in_answers(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the same of a merchant's transactions as the API answers them, oldest first."""
    previous, expected, balance, broken = "0" * 64, 1, 0, []
    for row in rows:
        link = hashlib.sha256((previous + "\n" + _form(row)).encode("utf-8")).hexdigest()
        holds = (
            row["previous_hash"] == previous
            and row["hash"] == link
            and row["sequence"] == expected
            and row["balance_before"] == balance
        )
        if not holds:
            broken.append(row["sequence"])
        previous, expected, balance = row["hash"], row["sequence"] + 1, row["balance_after"]
    return broken


def _said(transaction: Transaction) -> dict[str, Any]:
    """Return the transaction under the names of the API's answers."""
    said = {
        name: getattr(transaction, name) for name in (*FIELDS, "previous_hash", "hash") if hasattr(transaction, name)
    }
    return {
        **said,
        "id": transaction.transaction_id,
        "operation_type": transaction.kind.value[1].value,
        "transaction_type": transaction.kind.value[0],
        "extra_metadata": dict(transaction.metadata),
        "drawn": [[part.expires_at, part.credits] for part in transaction.drawn],
    }


def _form(row: Mapping[str, Any]) -> str:
    # In an answer the transaction's id is its `id`.
    sealed = {**row, "transaction_id": row["id"]}
    present = {name: sealed[name] for name in FIELDS if sealed.get(name) not in (None, [])}
    return json.dumps(present, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

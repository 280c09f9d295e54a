"""The hash chain once more, written from the published form alone (hard-cases.md, "Hash").

It shares no line with the code that seals the records, so that the two can only agree by saying the same.
"""

import hashlib
import json
from collections.abc import Iterable

from chalicelib.domain.ledger import Transaction


def published_form(record: Transaction) -> str:
    """Return the record as UTF-8 JSON: keys sorted, compact, no nulls, whole numbers."""
    fields: dict[str, object] = {
        "schema_version": record.schema_version,
        "transaction_id": record.transaction_id,
        "merchant_id": record.merchant_id,
        "sequence": record.sequence,
        "operation_type": record.kind.value[1].value,
        "transaction_type": record.kind.value[0],
        "amount": record.amount,
        "requested": record.requested,
        "shortfall": record.shortfall,
        "threshold": record.threshold,
        "balance_before": record.balance_before,
        "balance_after": record.balance_after,
        "idempotency_key": record.idempotency_key,
        "reference_id": record.reference_id,
        "extra_metadata": dict(record.metadata),
        "correlation_id": record.correlation_id,
        "occurred_at": record.occurred_at,
        "created_at": record.created_at,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(present, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def broken_links(records: Iterable[Transaction]) -> list[int]:
    """Return the sequences at which the chain of one merchant's records, oldest first, does not hold."""
    previous, expected, balance, broken = "0" * 64, 1, 0, []
    for record in records:
        link = hashlib.sha256((previous + "\n" + published_form(record)).encode("utf-8")).hexdigest()
        holds = (
            record.previous_hash == previous
            and record.hash == link
            and record.sequence == expected
            and record.balance_before == balance
        )
        if not holds:
            broken.append(record.sequence)
        previous, expected, balance = record.hash, record.sequence + 1, record.balance_after
    return broken

"""The items of guards, which are in the transactions table and name a transaction there (contract, section 13)."""

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.adapters.dynamodb.items import Item
from chalicelib.domain.ids import TransactionId
from chalicelib.domain.names import Guard

GUARD_VERSION: Final = 2
"""The form of a guard's item. Releases that know no guards take it for a newer form, and leave it to those that do."""


def guard_item(guard: Guard) -> Item:
    """Return a guard as an item: without a sequence, it is in no index, so no reader of histories gets it."""
    return {
        "transaction_id": {"S": guard.transaction_id},
        "merchant_id": {"S": guard.merchant_id},
        "idempotency_key": {"S": guard.key},
        "names": {"S": guard.names},
        "schema_version": {"N": str(GUARD_VERSION)},
    }


def named_by(item: Mapping[str, Any]) -> TransactionId | None:
    """Return the id of the transaction that the item names if it is a guard, None if it is a transaction itself."""
    return TransactionId(item["names"]["S"]) if "names" in item else None

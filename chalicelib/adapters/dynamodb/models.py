"""The two tables as PynamoDB models: what an item holds, for reading.

Writing goes through `items` and the botocore client (decision 0008); a contract test checks that both describe the same
items. `bound` gives a model its table.
"""

from typing import TypeVar

from pynamodb.attributes import BooleanAttribute, MapAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

CONNECT_SECONDS = 1.0
QUERY_SECONDS = 2.0
RETRIES_MAX = 2
"""A reader waits: three tries of two seconds fit into the function's ten."""


class ByLevel(GlobalSecondaryIndex["AccountRow"]):  # type: ignore[no-untyped-call]
    """The accounts at zero and the low ones; only they have a level. An entry holds only the keys."""

    class Meta:
        """The index as the template declares it."""

        index_name = "by_level"
        projection = KeysOnlyProjection()

    level = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute(range_key=True)


class ByDue(GlobalSecondaryIndex["AccountRow"]):  # type: ignore[no-untyped-call]
    """The accounts on which time acts, by hour and shard of the next instant (account_attributes.py). Only the keys."""

    class Meta:
        """The index as the template declares it."""

        index_name = "by_due"
        projection = KeysOnlyProjection()

    due_shard = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


class AccountRow(Model):
    """An account's item in the credits table."""

    class Meta:
        """How the table is reached."""

        table_name = ""
        connect_timeout_seconds = CONNECT_SECONDS
        read_timeout_seconds = QUERY_SECONDS
        max_retry_attempts = RETRIES_MAX

    by_level = ByLevel()
    by_due = ByDue()

    merchant_id = UnicodeAttribute(hash_key=True)
    balance = NumberAttribute()
    sequence = NumberAttribute()
    version = NumberAttribute()
    schema_version = NumberAttribute(null=True)
    totals: MapAttribute[str, dict[str, int]] = MapAttribute()  # type: ignore[no-untyped-call]
    counters = UnicodeAttribute(null=True)
    total_shortfall = NumberAttribute(null=True)
    hash = UnicodeAttribute()
    last_transaction_id = UnicodeAttribute(null=True)
    last_transaction_at = UnicodeAttribute(null=True)
    threshold = NumberAttribute()
    low_balance_threshold = NumberAttribute(null=True)
    debt = NumberAttribute(null=True)
    use = UnicodeAttribute(null=True)
    alerts = UnicodeAttribute(null=True)
    grace = UnicodeAttribute(null=True)
    grace_terms = UnicodeAttribute(null=True)
    freeze = UnicodeAttribute(null=True)
    closure = UnicodeAttribute(null=True)
    back_at = NumberAttribute(null=True)
    outdated = UnicodeAttribute(null=True)
    status_changed_at = UnicodeAttribute()
    status_transaction_id = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    level = UnicodeAttribute(null=True)
    crossings = UnicodeAttribute(null=True)
    lots = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    due_shard = UnicodeAttribute(null=True)


class BySequence(GlobalSecondaryIndex["TransactionRow"]):  # type: ignore[no-untyped-call]
    """A merchant's transactions in the order of their commits."""

    class Meta:
        """The index as the template declares it."""

        index_name = "by_merchant"
        projection = AllProjection()

    merchant_id = UnicodeAttribute(hash_key=True)
    sequence = NumberAttribute(range_key=True)


class TransactionRow(Model):
    """A transaction's item in the transactions table."""

    class Meta:
        """How the table is reached."""

        table_name = ""
        connect_timeout_seconds = CONNECT_SECONDS
        read_timeout_seconds = QUERY_SECONDS
        max_retry_attempts = RETRIES_MAX

    by_sequence = BySequence()

    transaction_id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    sequence = NumberAttribute()
    operation_type = UnicodeAttribute()
    transaction_type = UnicodeAttribute()
    amount = NumberAttribute()
    requested = NumberAttribute()
    shortfall = NumberAttribute(null=True)
    threshold = NumberAttribute()
    balance_before = NumberAttribute()
    balance_after = NumberAttribute()
    idempotency_key = UnicodeAttribute()
    reference_id = UnicodeAttribute()
    extra_metadata: MapAttribute[str, str | int] = MapAttribute()  # type: ignore[no-untyped-call]
    correlation_id = UnicodeAttribute(null=True)
    occurred_at = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    schema_version = NumberAttribute()
    drawn = UnicodeAttribute(null=True)
    previous_hash = UnicodeAttribute()
    hash = UnicodeAttribute()
    refunded_count = NumberAttribute(null=True)
    refunded_credits = NumberAttribute(null=True)
    refunded_money = UnicodeAttribute(null=True)
    refunded_total = UnicodeAttribute(null=True)
    refunded_full = BooleanAttribute(null=True)
    refunded_whole = NumberAttribute(null=True)
    refunded_seen = UnicodeAttribute(null=True)
    refunded_disputes = NumberAttribute(null=True)
    refunded_disputed = NumberAttribute(null=True)
    refunded_held = NumberAttribute(null=True)
    edited = UnicodeAttribute(null=True)
    refunded_at = UnicodeAttribute(null=True)
    names = UnicodeAttribute(null=True)


Row = TypeVar("Row", AccountRow, TransactionRow)


def bound(model: type[Row], table: str) -> type[Row]:
    """Return the model with its items in `table`."""
    return type(model.__name__, (model,), {"Meta": type("Meta", (model.Meta,), {"table_name": table})})

"""Transactions, and the hash chain that seals them (contract, "Hash").

Pure. Amounts are whole credits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring

from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.lots import Lots
from chalicelib.domain.movements import Kind
from chalicelib.domain.orders import Tally

SCHEMA_VERSION = 1
"""The version of the canonical form below that most transactions have; it is recorded with each."""
SCHEMA_VERSION_DRAWN = 2
"""The version of a transaction that took credits from lots or put them there: it has `drawn` too."""
GENESIS_HASH = "0" * 64
"""The `previous_hash` of a merchant's first transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A movement as recorded. `amount` is what was moved, signed; `requested` what was asked for, unsigned.

    `drawn` is what it took from lots, or put into them as asked: those in its metadata under `merged` joined others.
    Never changed once written, but for the `tally`: of what went back of an order or a payment, or of an order's edits,
    last at `refunded_at`.
    """

    transaction_id: TransactionId
    merchant_id: MerchantId
    sequence: int
    kind: Kind
    amount: int
    requested: int
    shortfall: int
    threshold: int
    balance_before: int
    balance_after: int
    idempotency_key: str
    reference_id: str
    metadata: Mapping[str, str | int]
    correlation_id: str | None
    occurred_at: Instant | None
    created_at: Instant
    previous_hash: str
    hash: str
    schema_version: int = SCHEMA_VERSION
    drawn: Lots = ()
    tally: Tally | None = None
    refunded_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many transactions of a kind there were, and how many credits they moved, unsigned."""

    count: int = 0
    credits: int = 0


_quoted = encode_basestring
"""A text as JSON has it, all of Unicode as it is."""


def canonical(transaction: Transaction) -> str:
    """Return the transaction's canonical form: what never changes, as sorted compact JSON without nulls.

    Version 2 has `drawn` too, a list of an instant and credits for each lot; a transaction without it is of version 1.

    Published in infra/docs/api.md, so that anybody can check a ledger from the API's answers alone. It is composed by
    hand because a JSON encoder takes three times as long, and every movement waits for it.
    """
    kind, correlation_id, occurred_at = transaction.kind, transaction.correlation_id, transaction.occurred_at
    correlated = "" if correlation_id is None else f'"correlation_id":{_quoted(correlation_id)},'
    occurred = "" if occurred_at is None else f'"occurred_at":{_quoted(occurred_at)},'
    drawn = ",".join(f"[{_quoted(part.expires_at)},{part.credits}]" for part in transaction.drawn)
    of_lots = f'"drawn":[{drawn}],' if drawn else ""
    metadata = ",".join(
        f"{_quoted(name)}:{_quoted(value) if isinstance(value, str) else value}"
        for name, value in sorted(transaction.metadata.items())
    )
    return (
        f'{{"amount":{transaction.amount},"balance_after":{transaction.balance_after},'
        f'"balance_before":{transaction.balance_before},{correlated}"created_at":{_quoted(transaction.created_at)},'
        f'{of_lots}"extra_metadata":{{{metadata}}},"idempotency_key":{_quoted(transaction.idempotency_key)},'
        f'"merchant_id":{_quoted(transaction.merchant_id)},{occurred}"operation_type":{_quoted(kind.direction)},'
        f'"reference_id":{_quoted(transaction.reference_id)},"requested":{transaction.requested},'
        f'"schema_version":{transaction.schema_version},"sequence":{transaction.sequence},'
        f'"shortfall":{transaction.shortfall},"threshold":{transaction.threshold},'
        f'"transaction_id":{_quoted(transaction.transaction_id)},"transaction_type":{_quoted(kind.transaction_type)}}}'
    )


def transaction_hash(transaction: Transaction) -> str:
    """Return the link that seals the transaction to its predecessor: SHA-256 in hex (contract, "Hash")."""
    return sha256(f"{transaction.previous_hash}\n{canonical(transaction)}".encode()).hexdigest()

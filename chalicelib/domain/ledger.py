"""Accounts and transactions, the only function that moves credits (`apply`), and the hash chain.

Pure: time comes in as an argument, nothing is read or written. Amounts are whole credits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring

from chalicelib.domain.debt import owed_by
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.movements import Kind, Movement
from chalicelib.domain.orders import Direction, Tally
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.runway import Use, use_after
from chalicelib.domain.thresholds import Crossing, Outdated, crossings, default_in_force

SCHEMA_VERSION = 1
"""The version of the canonical form below; recorded with each transaction."""
GENESIS_HASH = "0" * 64
"""The `previous_hash` of a merchant's first transaction."""
THRESHOLD_BEFORE = "threshold_before"
"""In a transaction's metadata: the account's threshold before it, if the previous transaction may hold another."""

CLOSED = "closed"
"""In a transaction's metadata: the account was closed, so it switched no plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many transactions of a kind there were, and how many credits they moved, unsigned."""

    count: int = 0
    credits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A merchant's credits. `sequence` counts the transactions posted so far.

    `version` grows with every write: by one, but for a changed threshold and a rebuild, which give it one that no
    write has had.
    `threshold` is the low-balance threshold in force at the last write, `low_balance_threshold` an admin's
    override of the default, `outdated` the default before the last change of the setting, while that is recent.
    `hash` is the newest link of the chain. While there is `debt`, the balance is 0. `use` is what its orders use.
    """

    merchant_id: MerchantId
    balance: int
    sequence: int
    version: int
    totals: Mapping[Kind, Total]
    total_shortfall: int
    hash: str
    last_transaction_id: TransactionId | None
    last_transaction_at: Instant | None
    threshold: int
    low_balance_threshold: int | None
    status_changed_at: Instant
    status_transaction_id: TransactionId | None
    created_at: Instant
    updated_at: Instant
    outdated: Outdated | None = None
    debt: int = 0
    closure: Closure | None = None
    use: Use | None = None

    @property
    def closed(self) -> bool:
        """Whether the shop has gone: its plugin is off whatever the balance, and movements are recorded as ever."""
        return self.closure is not None and self.closure.closed

    @property
    def enabled(self) -> bool:
        """Whether the shop's plugin is on."""
        return self.balance > 0 and not self.closed

    @property
    def low(self) -> bool:
        """Whether the balance is above zero and at or below the threshold."""
        return 0 < self.balance <= self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A movement as recorded. `amount` is what was moved, signed; `requested` what was asked for, unsigned.

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
    tally: Tally | None = None
    refunded_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingRecord:
    """A threshold passed by a movement (or, without a transaction, by a changed threshold), to be published."""

    type: Crossing
    transaction_id: TransactionId | None
    sequence: int
    balance: int
    threshold: int
    time: Instant
    correlation_id: str | None


def open_account(merchant_id: MerchantId, *, threshold: int, now: Instant) -> Account:
    """Return an account before its first transaction: empty, and never written in this state."""
    return Account(
        merchant_id=merchant_id,
        balance=0,
        sequence=0,
        version=0,
        totals={},
        total_shortfall=0,
        hash=GENESIS_HASH,
        last_transaction_id=None,
        last_transaction_at=None,
        threshold=threshold,
        low_balance_threshold=None,
        status_changed_at=now,
        status_transaction_id=None,
        created_at=now,
        updated_at=now,
    )


def apply(
    account: Account,
    movement: Movement,
    *,
    kind: Kind,
    requested: int,
    metadata: Mapping[str, str | int],
    default_threshold: int,
    now: Instant,
) -> tuple[Account, Transaction, tuple[CrossingRecord, ...]]:
    """Return the account after `movement`, its transaction and the thresholds it crossed.

    An order (or the refund of one that earned) takes what is left and records the rest as shortfall.
    `version` stays: it counts writes, and one write may hold many movements.

    Raises:
        Rejected: `insufficient_credits` where an admin's decrease would go below 0.
    """
    amount = _moved(account, kind, requested)
    # If this clock is behind the last writer's, time must not run backwards within the account.
    created_at = max(now, account.updated_at)
    threshold, outdated = _in_force(account, default=default_threshold, now=created_at)
    # Without it, this transaction's threshold, the account's and that of the transaction before are one and the same.
    if account.sequence and (threshold != account.threshold or account.updated_at != account.last_transaction_at):
        metadata = {**metadata, THRESHOLD_BEFORE: account.threshold}
    if account.closed:
        metadata = {**metadata, CLOSED: 1}
    transaction = Transaction(
        transaction_id=movement.transaction_id,
        merchant_id=account.merchant_id,
        sequence=account.sequence + 1,
        kind=kind,
        amount=amount,
        requested=requested,
        shortfall=requested - abs(amount),
        threshold=threshold,
        balance_before=account.balance,
        balance_after=account.balance + amount,
        idempotency_key=movement.key,
        reference_id=movement.reference_id,
        metadata=metadata,
        correlation_id=movement.correlation_id,
        occurred_at=movement.occurred_at,
        created_at=created_at,
        previous_hash=account.hash,
        hash="",
    )
    _seal(transaction)
    return _after(account, transaction, outdated), transaction, crossed_by(transaction, low_before=account.threshold)


def _moved(account: Account, kind: Kind, requested: int) -> int:
    """Return the credits that a movement moves, signed: a decrease takes no more than the balance."""
    if kind.direction is Direction.INCREASE:
        return requested
    if requested > account.balance and kind is Kind.MANUAL_REMOVED:
        raise Rejected(
            Code.INSUFFICIENT_CREDITS,
            f"the balance is {account.balance}, {requested} credits cannot be taken from it",
            field="credits",
        )
    return -min(requested, account.balance)


def _in_force(account: Account, *, default: int, now: Instant) -> tuple[int, Outdated | None]:
    """Return the threshold in force for the next transaction, and the default that it replaces."""
    if account.low_balance_threshold is not None:
        return account.low_balance_threshold, None
    return default_in_force(account.threshold, account.outdated, default=default, now=now)


def _seal(transaction: Transaction) -> None:
    # Nothing else refers to the transaction yet, and a copy would cost as much as all the rest of the movement.
    object.__setattr__(transaction, "hash", transaction_hash(transaction))


def _after(account: Account, transaction: Transaction, outdated: Outdated | None) -> Account:
    kind = transaction.kind
    total = account.totals.get(kind, Total())
    # The opening sets the status too: its transaction is the answer to "since when".
    status_changed = transaction.sequence == 1 or (account.balance > 0) != (transaction.balance_after > 0)
    return Account(
        merchant_id=account.merchant_id,
        balance=transaction.balance_after,
        sequence=transaction.sequence,
        version=account.version,
        totals={
            **account.totals,
            kind: Total(count=total.count + 1, credits=total.credits + abs(transaction.amount)),
        },
        total_shortfall=account.total_shortfall + transaction.shortfall,
        hash=transaction.hash,
        last_transaction_id=transaction.transaction_id,
        last_transaction_at=transaction.created_at,
        threshold=transaction.threshold,
        low_balance_threshold=account.low_balance_threshold,
        status_changed_at=transaction.created_at if status_changed else account.status_changed_at,
        status_transaction_id=transaction.transaction_id if status_changed else account.status_transaction_id,
        created_at=account.created_at,
        updated_at=transaction.created_at,
        outdated=outdated,
        closure=account.closure,
        debt=account.debt + owed_by(kind, transaction.amount, transaction.metadata),
        use=use_after(
            account.use,
            kind,
            transaction.requested,
            transaction.metadata,
            last=account.last_transaction_at,
            at=transaction.created_at,
        ),
    )


def crossed_by(transaction: Transaction, *, low_before: int) -> tuple[CrossingRecord, ...]:
    """Return the thresholds that a transaction passed; `low_before` is the low-balance threshold before it."""
    if transaction.sequence == 1:
        return ()  # Opening an account crosses nothing (contract, section 5).
    return tuple(
        CrossingRecord(
            type=crossing,
            transaction_id=transaction.transaction_id,
            sequence=transaction.sequence,
            balance=transaction.balance_after,
            threshold=transaction.threshold,
            time=transaction.created_at,
            correlation_id=transaction.correlation_id,
        )
        for crossing in crossings(
            transaction.balance_before,
            transaction.balance_after,
            low_before=low_before,
            low_after=transaction.threshold,
        )
        if not (crossing is Crossing.PLUGIN_STATUS_CHANGED and CLOSED in transaction.metadata)
    )


_quoted = encode_basestring
"""A text as JSON has it, all of Unicode as it is."""


def canonical(transaction: Transaction) -> str:
    """Return the transaction's canonical form, version 1: what never changes, as sorted compact JSON without nulls.

    Published in infra/docs/api.md, so that anybody can check a ledger from the API's answers alone. Written out here
    because a JSON encoder takes three times as long, and every movement waits for it.
    """
    kind, correlation_id, occurred_at = transaction.kind, transaction.correlation_id, transaction.occurred_at
    correlated = "" if correlation_id is None else f'"correlation_id":{_quoted(correlation_id)},'
    occurred = "" if occurred_at is None else f'"occurred_at":{_quoted(occurred_at)},'
    metadata = ",".join(
        f"{_quoted(name)}:{_quoted(value) if isinstance(value, str) else value}"
        for name, value in sorted(transaction.metadata.items())
    )
    return (
        f'{{"amount":{transaction.amount},"balance_after":{transaction.balance_after},'
        f'"balance_before":{transaction.balance_before},{correlated}"created_at":{_quoted(transaction.created_at)},'
        f'"extra_metadata":{{{metadata}}},"idempotency_key":{_quoted(transaction.idempotency_key)},'
        f'"merchant_id":{_quoted(transaction.merchant_id)},{occurred}"operation_type":{_quoted(kind.direction)},'
        f'"reference_id":{_quoted(transaction.reference_id)},"requested":{transaction.requested},'
        f'"schema_version":{transaction.schema_version},"sequence":{transaction.sequence},'
        f'"shortfall":{transaction.shortfall},"threshold":{transaction.threshold},'
        f'"transaction_id":{_quoted(transaction.transaction_id)},"transaction_type":{_quoted(kind.transaction_type)}}}'
    )


def transaction_hash(transaction: Transaction) -> str:
    """Return the link that seals the transaction to its predecessor: SHA-256 in hex (contract, "Hash")."""
    return sha256(f"{transaction.previous_hash}\n{canonical(transaction)}".encode()).hexdigest()

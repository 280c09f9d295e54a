"""Accounts, the thresholds that their transactions cross, and the atomic writes of both.

Pure: time comes in as an argument, nothing is read or written. Amounts are whole credits.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from chalicelib.domain.alerts import CROSSED, Alerts, LevelCrossed, Supply, crossed_from
from chalicelib.domain.freeze import FROZEN, OFF, ON, PLUGIN, Freeze
from chalicelib.domain.grace import ENDS, GRACE, Grace, GraceNote, limits, switched
from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.lots import Lots
from chalicelib.domain.movements import Kind
from chalicelib.domain.names import Guard
from chalicelib.domain.orders import Tally
from chalicelib.domain.plugin_status import Closure
from chalicelib.domain.runway import Runway, Use, runway
from chalicelib.domain.terms import GraceTerms, Outdated
from chalicelib.domain.transactions import GENESIS_HASH, Total, Transaction

THRESHOLD_BEFORE = "threshold_before"
"""In a transaction's metadata: the account's threshold before it, if the previous transaction may hold another."""

CLOSED = "closed"
"""In a transaction's metadata: the account was closed, so it switched no plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A merchant's credits. `sequence` counts the transactions posted so far.

    `version` grows with every write: by one, but for a changed threshold and a rebuild, which give it one that no
    write has had.
    `threshold` is the low-balance threshold in force at the last write, `low_balance_threshold` an admin's
    override of the default, `outdated` the default before the last change of the setting, while that is recent.
    `hash` is the newest link of the chain. While there is `debt`, the balance is 0. `use` is what its orders use.
    `alerts` are the levels in force, None if there are none; `grace_terms` an admin's override of the fleet's.
    `lots` are the credits that lapse, part of the balance; `due_at` is the next instant at which time alone changes
    something, None if nothing will (due.py).
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
    alerts: Alerts | None = None
    grace: Grace | None = None
    grace_terms: GraceTerms | None = None
    freeze: Freeze | None = None
    lots: Lots = ()
    due_at: Instant | None = None

    @property
    def closed(self) -> bool:
        """Whether the shop removed the app: its plugin is off whatever the balance; movements are still recorded."""
        return self.closure is not None and self.closure.closed

    @property
    def enabled(self) -> bool:
        """Whether the shop's plugin is on."""
        return self.covered and not self.closed and self.freeze is None

    @property
    def covered(self) -> bool:
        """Whether credits or a grace keep the plugin on, unless the account is closed or frozen."""
        return self.balance > 0 or self.in_grace

    @property
    def in_grace(self) -> bool:
        """Whether a grace runs, which keeps the plugin on without credits."""
        return self.grace is not None and self.grace.running

    @property
    def low(self) -> bool:
        """Whether the balance is above zero and at or below the threshold."""
        return 0 < self.balance <= self.threshold

    def is_due(self, now: Instant) -> bool:
        """Return whether time has changed something on the account by `now` that is not posted yet."""
        return self.due_at is not None and self.due_at <= now


class CrossingType(StrEnum):
    """What a crossing is: which threshold was passed, by a movement, or by time or a change alone.

    Three are never caused by a movement: the shop removed the app, it came back, or credits will lapse soon.
    """

    LOW_BALANCE_REACHED = "low_balance_reached"
    BALANCE_RESTORED = "balance_restored"
    BALANCE_EXHAUSTED = "balance_exhausted"
    PLUGIN_STATUS_CHANGED = "plugin_status_changed"
    SHOP_CLOSED = "shop_closed"
    SHOP_REOPENED = "shop_reopened"
    EXPIRING = "expiring"
    LEVEL_CROSSED = "level_crossed"
    GRACE_STARTED = "grace_started"
    GRACE_ENDED = "grace_ended"
    FROZEN = "frozen"
    UNFROZEN = "unfrozen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A threshold passed by a movement (or, without a transaction, by a changed threshold), to be published.

    `details` are the members that only its event has, by their names there.
    """

    type: CrossingType
    transaction_id: TransactionId | None
    sequence: int
    balance: int
    threshold: int
    time: Instant
    correlation_id: str | None
    details: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyChange:
    """The tally of a stored transaction, an order's or a payment's, before (None: as it was recorded) and after."""

    transaction_id: TransactionId
    before: Tally | None
    after: Tally
    time: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One atomic write: the account before (None: it does not exist) and after, and its new transactions.

    If the account is unchanged, there are no transactions, and only `tallies` and `guards` are written.
    """

    merchant_id: MerchantId
    before: Account | None
    after: Account
    transactions: tuple[Transaction, ...] = ()
    tallies: tuple[TallyChange, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    guards: tuple[Guard, ...] = ()

    @property
    def writes_account(self) -> bool:
        """Whether the account is written."""
        return self.before is None or bool(self.transactions) or self.before.version != self.after.version


def account_crossing(
    account: Account,
    crossing: CrossingType,
    *,
    time: Instant,
    details: Mapping[str, str | int] = MappingProxyType({}),
    correlation_id: str | None = None,
) -> Crossing:
    """Return a crossing without a transaction: time caused it, or a changed threshold, level, grace or closure."""
    return Crossing(
        type=crossing,
        transaction_id=None,
        sequence=account.sequence,
        balance=account.balance,
        threshold=account.threshold,
        time=time,
        correlation_id=correlation_id,
        details=details,
    )


def supply_of(account: Account, *, now: Instant) -> Supply:
    """Return what the account's levels are compared with at `now`."""
    return Supply(balance=account.balance, use=account.use, last=account.last_transaction_at, now=now)


def levels_crossed(
    account: Account, crossed: Iterable[LevelCrossed], *, time: Instant, correlation_id: str | None = None
) -> tuple[Crossing, ...]:
    """Return levels that an account crossed without a transaction, to be published."""
    return tuple(
        account_crossing(
            account, CrossingType.LEVEL_CROSSED, time=time, details=one.details(), correlation_id=correlation_id
        )
        for one in crossed
    )


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


def crossings(before: int, after: int, *, low_before: int, low_after: int) -> tuple[CrossingType, ...]:
    """Return the thresholds passed going from `before` to `after`, in credits (contract, section 5).

    `low_before` is the account's low-balance threshold before, `low_after` the one after: each balance is compared with
    its own, so a changed setting misses no crossing (contract, "Crossings"). The status event comes last, after its
    cause.
    """
    passed = []
    if before > low_before and after <= low_after:
        passed.append(CrossingType.LOW_BALANCE_REACHED)
    elif before <= low_before and after > low_after:
        passed.append(CrossingType.BALANCE_RESTORED)
    if before > 0 and after == 0:
        passed.append(CrossingType.BALANCE_EXHAUSTED)
    if (before > 0) != (after > 0):
        passed.append(CrossingType.PLUGIN_STATUS_CHANGED)
    return tuple(passed)


def crossed_by(transaction: Transaction, *, low_before: int) -> tuple[Crossing, ...]:
    """Return the thresholds that a transaction passed; `low_before` is the low-balance threshold before it."""
    if transaction.sequence == 1:
        return ()  # Opening an account crosses nothing (contract, section 5).
    return tuple(
        Crossing(
            type=crossing,
            transaction_id=transaction.transaction_id,
            sequence=transaction.sequence,
            balance=transaction.balance_after,
            threshold=transaction.threshold,
            time=transaction.created_at,
            correlation_id=transaction.correlation_id,
            details=details,
        )
        for crossing, details in _passed(transaction, low_before)
    )


def _passed(transaction: Transaction, low_before: int) -> Iterator[tuple[CrossingType, Mapping[str, str | int]]]:
    """Yield what a transaction passed, with the `details` of each; the status event comes last."""
    before, after, metadata = transaction.balance_before, transaction.balance_after, transaction.metadata
    for crossing in crossings(before, after, low_before=low_before, low_after=transaction.threshold):
        # A grace may keep the plugin on, or switch it off later.
        if crossing is not CrossingType.PLUGIN_STATUS_CHANGED:
            yield crossing, {}
    if (crossed := metadata.get(CROSSED)) is not None:
        for level in crossed_from(str(crossed)):
            yield CrossingType.LEVEL_CROSSED, level.details()
    if (note := metadata.get(GRACE)) is not None:
        if note == GraceNote.STARTED:
            yield CrossingType.GRACE_STARTED, limits(metadata)
        elif note in ENDS:
            yield CrossingType.GRACE_ENDED, {"reason": ENDS[GraceNote(str(note))]}
    if CLOSED not in metadata and (switch := _switched(transaction)) is not None:
        yield switch, {}


def _switched(transaction: Transaction) -> CrossingType | None:
    """Return how a transaction switched the plugin of an account that is not closed, None where it did not."""
    if (plugin := transaction.metadata.get(PLUGIN)) is not None:
        return CrossingType.FROZEN if plugin == OFF else CrossingType.UNFROZEN
    return CrossingType.PLUGIN_STATUS_CHANGED if switched(transaction) and FROZEN not in transaction.metadata else None


def decides_status(transaction: Transaction) -> bool:
    """Return whether a transaction decided the plugin's status, which lasts until the next one that does.

    These are the opening, passing zero without a grace, using a grace up, and unfreezing an account with credits.
    """
    return transaction.sequence == 1 or switched(transaction) or transaction.metadata.get(PLUGIN) == ON


def runway_of(account: Account, *, now: Instant) -> Runway | None:
    """Return how long the account's credits last as of `now`, None while the daily use is unknown."""
    return runway(account.use, account.balance, last=account.last_transaction_at, now=now)


def lasts_at_most(account: Account, days: int, *, now: Instant) -> bool:
    """Return whether the account's runway is known and at most so many whole days."""
    found = runway_of(account, now=now)
    return found is not None and found.days_left is not None and found.days_left <= days

"""What `fold` decides: one atomic write of one merchant's ledger, as the store takes it, and outcomes."""

from dataclasses import dataclass

from chalicelib.domain.ids import Instant, MerchantId, TransactionId
from chalicelib.domain.ledger import Account, Crossing, Transaction
from chalicelib.domain.names import Guard
from chalicelib.domain.orders import Tally
from chalicelib.domain.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyChange:
    """The tally of a stored transaction, an order's or a payment's, before (None: as it was recorded) and after."""

    order: TransactionId
    before: Tally | None
    after: Tally
    time: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One atomic write: the account as known (None: it does not exist) and as it becomes, and its new transactions.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """What to write (None: nothing) and an outcome for each movement, None for one that waits for the next write.

    `foreseen` are the outcomes if this write succeeds; with `foresee`, those of the following writes too.
    """

    commit: Commit | None
    outcomes: tuple[Outcome | None, ...]
    foreseen: tuple[Outcome | None, ...]

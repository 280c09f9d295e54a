"""What use cases and handlers need from outside: their Protocols, which adapters implement."""

# What is named in declarations alone is not imported: every function starts with this module.
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from chalicelib.domain.ids import MerchantId
from chalicelib.domain.plugin_status import KnownStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from chalicelib.domain.figures import Counted, Figures, FiguresChange
    from chalicelib.domain.findings import UnreadableAccount, UnreadableTransaction
    from chalicelib.domain.ids import Instant, TransactionId
    from chalicelib.domain.ledger import Account, Commit, Crossing
    from chalicelib.domain.links import Link, LinkKind
    from chalicelib.domain.names import Guards
    from chalicelib.domain.transactions import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTime:
    """The time of a call: the instant for its transactions, the seconds left, and a function that sleeps."""

    now: Callable[[], Instant]
    remaining_seconds: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a read found: accounts and transactions that are not there are left out.

    `guards` are those found under the requested ids; the transactions they name are in `transactions`. `unreadable`
    holds, by key, the error of each item that cannot be read, `NewerForm` included: it concerns one merchant, not the
    others. A guard whose transaction is missing or cannot be read is in `unreadable`, and not in `guards`.
    """

    accounts: Mapping[MerchantId, Account]
    transactions: Mapping[TransactionId, Transaction]
    guards: Guards = field(default_factory=dict)
    unreadable: Mapping[str, Exception] = field(default_factory=dict)

    def require(self, *keys: MerchantId | TransactionId) -> None:
        """Raise the error of the first of these items that cannot be read."""
        for key in keys:
            if (error := self.unreadable.get(key)) is not None:
                raise error

    def account(self, merchant_id: MerchantId) -> Account | None:
        """Return the merchant's account, None if there is none; raises its error if it cannot be read."""
        self.require(merchant_id)
        return self.accounts.get(merchant_id)

    def named(self, names: Iterable[TransactionId]) -> dict[TransactionId, Transaction]:
        """Return the transactions that exist, by the ids asked for; each may be the id of another name of its fact.

        Raises the error of one that cannot be read.
        """
        meant = {name: self.guards.get(name, name) for name in names}
        self.require(*meant)
        return {name: self.transactions[own] for name, own in meant.items() if own in self.transactions}


@dataclass(frozen=True, slots=True)
class Committed:
    """The write took effect, now or in an earlier attempt whose answer was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The write did not take effect, because the stored state has changed.

    `account` is the current account: `commit.before` if it is unchanged or unknown, None if there is no account.
    `transactions` and `guards` are those that exist under the ids of the write or have another tally. `contended`:
    another write was in progress. `repeated`: the request was sent more than once, so the write may have taken effect
    before.
    """

    account: Account | None
    transactions: tuple[Transaction, ...] = ()
    guards: Guards = field(default_factory=dict)
    contended: bool = False
    repeated: bool = False


class LedgerStore(Protocol):
    """The ledger's two tables. Every method may raise `RetryLater` (`unavailable`) when the store cannot answer."""

    def read(self, merchants: Iterable[MerchantId], transactions: Iterable[TransactionId]) -> Known:
        """Return the accounts and transactions as stored, in as few requests as possible.

        Guards are followed to the transactions that they name, with one more read for all of them.
        """
        ...

    def commit(self, commit: Commit) -> Committed | Refused:
        """Write all of `commit` or nothing of it.

        The account must still have the version of `commit.before` (or not exist), the ids of the transactions and
        guards must be free, and the orders' tallies must be the known ones. A write of guards alone leaves the account
        out. After `RetryLater` the write may have taken effect: then the merchant's next commit returns `Refused` with
        the stored state.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAccount:
    """An account for which something is due, as the store lists it."""

    merchant_id: MerchantId
    due_at: Instant


class DueList(Protocol):
    """Which accounts fall due when. The method may raise `RetryLater` (`unavailable`)."""

    def listed(self, hour: Instant, *, until: Instant) -> Iterator[DueAccount]:
        """Yield the accounts due in the hour that begins then, no later than `until`; it may lack the newest writes."""
        ...


class FiguresStore(Protocol):
    """The fleet's figures. Every method may raise `RetryLater` (`unavailable`) when the store cannot answer."""

    def counted(self, merchants: Iterable[MerchantId]) -> Mapping[MerchantId, Counted]:
        """Return the counted figures of each merchant that was counted, in as few requests as possible."""
        ...

    def count(self, bucket: int, changes: Sequence[FiguresChange]) -> bool:
        """Write all changes and add their differences to the bucket's sums, or do neither.

        Returns whether it took effect: only if every merchant is still at `before`. After `RetryLater` it may have
        taken effect: `counted` shows it.
        """
        ...

    def fleet(self) -> Figures:
        """Return the sum of all buckets."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An account with the crossings of its last write.

    `misplaced` is a sentence if the store lists the account at a wrong level, else None; `misdue` the same if it lists
    it as due at a wrong time.
    """

    account: Account
    crossings: tuple[Crossing, ...]
    misplaced: str | None = None
    misdue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPage:
    """Some of all accounts, in the store's own order; `last` is where the next page continues, None at the end."""

    accounts: tuple[Snapshot | UnreadableAccount, ...]
    last: MerchantId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantsPage:
    """The merchants of a page of `transactions` transactions, each once. `last` is where the next page begins."""

    merchants: tuple[MerchantId, ...]
    transactions: int
    last: str | None


class LedgerReader(Protocol):
    """The ledger read from end to end. Every method may raise `RetryLater` (`unavailable`)."""

    def accounts(self, after: MerchantId | None) -> AccountsPage:
        """Return the next accounts after `after`, or the first with None."""
        ...

    def account(self, merchant_id: MerchantId) -> Snapshot | UnreadableAccount | None:
        """Return the current account, None if there is none."""
        ...

    def merchants(self, after: str | None) -> MerchantsPage:
        """Return the merchants of the next transactions after `after`, in the store's own order."""
        ...

    def without_account(self, merchants: Iterable[MerchantId]) -> list[MerchantId]:
        """Return the merchants that have no account; one whose account was opened just now may be among them."""
        ...

    def transactions(
        self, merchant_id: MerchantId, lowest: int, highest: int | None
    ) -> Iterator[Sequence[Transaction | UnreadableTransaction]]:
        """Yield the merchant's transactions of these sequences, both included, page by page in their order.

        The newest may be missing for a moment after their write.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksPage:
    """Some links in the order of their names; the next page begins after `last`, which is None at the end."""

    links: tuple[Link, ...]
    last: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesPage:
    """Some names of a list with their merchants, in order; `last` is where the next page continues."""

    names: tuple[tuple[str, MerchantId], ...]
    last: str | None


class LinkTable(Protocol):
    """The merchants of names. Every method may raise `RetryLater` (`unavailable`). A name is never moved silently."""

    def read(self, names: Iterable[str]) -> Mapping[str, MerchantId]:
        """Return the merchant of each name, without the names that have none."""
        ...

    def get(self, name: str) -> Link | None:
        """Return the link of a shop's or customer's name, None if there is none."""
        ...

    def put(self, link: Link) -> MerchantId:
        """Link a name to a merchant, unless it is linked to another one; return the merchant that has it.

        A label replaces an earlier one. Without a label the earlier one stays; a later `since` changes nothing.
        """
        ...

    def put_payment(self, name: str, merchant_id: MerchantId) -> MerchantId:
        """Link a payment's name to a merchant, unless it is linked to another one; return the merchant that has it."""
        ...

    def put_invoice(self, payment_name: str, invoice_id: str) -> None:
        """Keep which invoice a payment paid."""
        ...

    def invoices(self, payment_names: Iterable[str]) -> Mapping[str, str]:
        """Return the invoice that each payment paid, without the payments that have none."""
        ...

    def put_sale(self, payment_name: str, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Add what a webhook says about a payment that is captured later; return all that is known about it."""
        ...

    def put_letter(self, fact: str, message_id: str) -> bool:
        """Record that this message is parked for a fact, unless another one is; return whether it is this one."""
        ...

    def remove(self, link: Link) -> bool:
        """Remove a name's link, if it still belongs to this merchant; return whether it did."""
        ...

    def of_merchants(self, merchants: Iterable[MerchantId]) -> Mapping[MerchantId, Mapping[str, str | None]]:
        """Return the names of each merchant with their labels, without the merchants that have none."""
        ...

    def page(self, kind: LinkKind, *, starting: str = "", after: str | None = None, limit: int) -> LinksPage:
        """Return the next links of a kind, by name; only those whose names begin so after the kind."""
        ...

    def starting(self, kind: str, prefix: str, *, after: str | None, limit: int) -> NamesPage:
        """Return the next names of a list, a kind of links or `WORD`, that start so; a little later than the writes."""
        ...


class MerchantList(Protocol):
    """Which merchants there are. Every method may raise `RetryLater` (`unavailable`)."""

    def merchants(self, *, starting: str = "", after: MerchantId | None = None, wanted: int) -> list[MerchantId]:
        """Return up to `wanted` merchants in the order of their ids, those after `after` whose ids start so."""
        ...


Readings = Mapping[MerchantId, KnownStatus | None]
"""What a read of the table brought: None for a merchant without an account, no entry for one that is unreadable."""


class StatusTable(Protocol):
    """Reads the statuses of one merchant or of many; `now` is the time at which the answers are known to be true."""

    def read_one(self, merchant: MerchantId, now: datetime) -> Readings:
        """Return the merchant's status, in one request."""
        ...

    def read_many(self, merchants: tuple[MerchantId, ...], now: datetime) -> Readings:
        """Return the statuses of distinct merchants, in one request for each hundred."""
        ...


class SharedStatuses(Protocol):
    """Statuses that containers share. Both methods return None, and soon, when it fails."""

    def read(self, merchants: Iterable[MerchantId]) -> Mapping[MerchantId, KnownStatus] | None:
        """Return the known statuses of these merchants; those without one are left out."""
        ...

    def write(
        self, statuses: Mapping[MerchantId, KnownStatus], *, now: datetime
    ) -> Mapping[MerchantId, KnownStatus] | None:
        """Write the statuses that are newer than the stored ones, and return those stored now."""
        ...

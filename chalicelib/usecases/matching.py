"""The orders of a source compared with the ledger: missing orders, surplus orders, and those charged differently."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from chalicelib.domain.findings import UnreadableTransaction
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant, transaction_id
from chalicelib.domain.ledger import Account
from chalicelib.domain.movements import order_key, refund_key, refund_of_order_key
from chalicelib.domain.outcomes import recorded_money
from chalicelib.domain.source_orders import (
    BadRow,
    Difference,
    DifferenceKind,
    NotOrdersError,
    SourceOrder,
    SourceRefund,
)
from chalicelib.domain.transactions import Transaction
from chalicelib.ports import LedgerReader

ON_ITS_WAY = timedelta(hours=1)
"""How long an order may take: what is younger is no finding."""
AROUND = timedelta(days=2)
"""How far around the file's times the ledger is read: an event comes later than its order."""
READ_AT_ONCE = 100
"""Rows that are compared together: one BatchGetItem, where none of them names refunds."""
_NO_ORDER = ""
"""No order's id: among the orders seen it marks a merchant without an account, so that a later call knows it too."""

Lookup = Callable[[Sequence[TransactionId]], Mapping[TransactionId, Transaction]]
"""Reads the transactions that exist, by id."""


class SeenOrders(Protocol):
    """The orders that a comparison has seen, kept in a file because there may be many."""

    def add(self, merchant_id: MerchantId, order_id: str) -> bool:
        """Add an order; return whether it was not there."""
        ...

    def stretch(self, merchant_id: MerchantId, paid_at: Instant) -> None:
        """Extend the merchant's span of paid orders to this time."""
        ...

    def holds(self, merchant_id: MerchantId, order_id: str) -> bool:
        """Return whether the order was added."""
        ...

    def spans(self) -> Sequence[tuple[MerchantId, Instant, Instant]]:
        """Return the merchants with paid orders, by id, with the times of their first and last one."""
        ...


class Spans(Protocol):
    """Which of an account's transactions were created when. Both methods may raise `RetryLater`."""

    def account(self, merchant: MerchantId, /) -> Account | None:
        """Return the merchant's current account, None if there is none."""
        ...

    def span(self, account: Account, start: Instant, end: Instant, /) -> tuple[int, int]:
        """Return the lowest and highest sequence from `start` to `end`; the lowest is above the highest without any."""
        ...


@dataclass
class Matching:
    """A comparison in progress. `counts` are the orders by result, `found` the differences by kind."""

    seen: SeenOrders
    lookup: Lookup
    parked: Callable[[str, str], bool]
    has_account: Callable[[MerchantId], bool]
    now: datetime
    counts: Counter[str] = field(default_factory=Counter)
    found: Counter[DifferenceKind] = field(default_factory=Counter)
    _with_account: set[MerchantId] = field(default_factory=set)

    def compare(self, rows: Iterable[SourceOrder | BadRow]) -> Iterator[Difference]:
        """Yield the differences of the file's orders, in the order of its lines."""
        for some in together(rows):
            yield from self.compare_some(some)

    def compare_some(self, rows: Sequence[SourceOrder | BadRow]) -> list[Difference]:
        """Return the differences of the file's next rows, in the order of its lines."""
        found: list[Difference] = []
        orders: list[SourceOrder] = []
        for row in rows:
            if isinstance(row, BadRow):
                found.append(Difference(kind=DifferenceKind.BAD_ROW, what=row.why, line=row.line, column=row.column))
            elif not self._see(row):
                found.append(_of(row, DifferenceKind.DOUBLED, "an earlier line has the same order"))
            else:
                orders.append(row)
        found += self._some(orders)
        self.found.update(one.kind for one in found)
        return sorted(found, key=lambda one: one.line or 0)

    def not_there(
        self, merchant: MerchantId, first: Instant, last: Instant, transactions: Iterable[Transaction]
    ) -> Iterator[Difference]:
        """Yield the orders of the ledger, paid in this span of the file, that are not in the file."""
        # An event says when it was sent: an order from just before the file's first one may look later.
        begins = instant(datetime.fromisoformat(first) + ON_ITS_WAY)
        for transaction in transactions:
            if (
                not transaction.kind.is_order
                or not begins <= (transaction.occurred_at or transaction.created_at) <= last
            ):
                continue
            if not self.seen.holds(merchant, transaction.reference_id):
                self.found[DifferenceKind.NOT_THERE] += 1
                yield Difference(
                    kind=DifferenceKind.NOT_THERE,
                    what=f"charged in the ledger at {transaction.created_at}, and not in the file",
                    merchant_id=merchant,
                    order_id=transaction.reference_id,
                )

    def _see(self, order: SourceOrder) -> bool:
        if order.paid:
            self.seen.stretch(order.merchant_id, order.paid_at)
        return self.seen.add(order.merchant_id, order.order_id)

    def _some(self, orders: Sequence[SourceOrder]) -> Iterator[Difference]:
        names = {order: transaction_id(order.merchant_id, order_key(order.order_id)) for order in orders}
        refunds = {
            (order, refund): transaction_id(order.merchant_id, refund_key(refund.refund_id))
            for order in orders
            for refund in order.refunds or ()
        }
        wanted = [*names.values(), *refunds.values()]
        transactions = self.lookup(wanted) if wanted else {}
        missing_of = {
            order: [refund for refund in order.refunds or () if refunds[order, refund] not in transactions]
            for order in orders
        }
        unnamed = {
            order: transaction_id(order.merchant_id, refund_of_order_key(transaction.reference_id))
            for order, missing in missing_of.items()
            if missing and (transaction := transactions.get(names[order])) is not None
        }
        without_id = self.lookup([*unnamed.values()]) if unnamed else {}
        for order, missing in missing_of.items():
            transaction = transactions.get(names[order])
            if order in unnamed and (came := without_id.get(unnamed[order])) is not None:
                # A refund was recorded without its id: it is one of these, and must not be given back twice.
                amount = recorded_money(came, "refund_amount")
                missing.remove(next((one for one in missing if one.amount == amount), missing[0]))
            differences = [*self._order(order, transaction, whole=not missing)]
            yield from differences
            if order.paid and (
                transaction is not None or any(one.kind is DifferenceKind.MISSING for one in differences)
            ):
                for refund in missing:
                    what = f"refund {refund.refund_id} is not in the ledger"
                    yield _of(order, DifferenceKind.REFUND_MISSING, what, refund)

    def _order(self, order: SourceOrder, transaction: Transaction | None, *, whole: bool) -> Iterator[Difference]:
        """Yield the differences of an order; those of its refunds' sum only if the ledger has all of them (`whole`)."""
        if transaction is None:
            yield from self._without_transaction(order)
            return
        self.counts["recorded"] += 1
        if transaction.reference_id != order.order_id:
            # It came under another of its names.
            self.seen.add(order.merchant_id, transaction.reference_id)
        if not order.paid:
            yield _of(
                order,
                DifferenceKind.NOT_PAID_THERE,
                f"charged in the ledger with {abs(transaction.amount)} credits, not paid in the file",
            )
            return
        total, code = recorded_total(transaction), transaction.metadata.get("currency")
        if code is not None and order.currency is not None and code != order.currency:
            yield _of(order, DifferenceKind.OTHER_CURRENCY, f"{code} in the ledger, {order.currency} in the file")
        elif total is not None and order.total is not None and total != order.total:
            yield _of(order, DifferenceKind.OTHER_TOTAL, f"{total:f} in the ledger, {order.total:f} in the file")
        elif whole and order.refunded is not None:
            back = refunded_here(transaction, order.total if total is None else total)
            if back not in (None, order.refunded):
                what = f"refunded {back or Decimal(0):f} in the ledger, {order.refunded:f} in the file"
                yield _of(order, DifferenceKind.OTHER_REFUND, what)

    def _without_transaction(self, order: SourceOrder) -> Iterator[Difference]:
        if not order.paid:
            self.counts["not_paid"] += 1
        elif order.paid_at > instant(self.now - ON_ITS_WAY):
            self.counts["on_its_way"] += 1
        elif self.parked(order.merchant_id, order.order_id):
            yield _of(order, DifferenceKind.PARKED, "its event is parked: `credits dead-letters list` says why")
        elif self._has_account(merchant := order.merchant_id):
            yield _of(order, DifferenceKind.MISSING, f"paid at {order.paid_at}, and never charged in the ledger")
        else:
            self.counts["without_account"] += 1
            if self.seen.add(merchant, _NO_ORDER):
                what = f"merchant {merchant} has no account: open it first; none of its orders can be charged before"
                yield Difference(kind=DifferenceKind.NO_ACCOUNT, what=what, line=order.line, merchant_id=merchant)

    def _has_account(self, merchant: MerchantId) -> bool:
        """Return whether the merchant has an account; what was found of a merchant stays so for the whole file."""
        if (
            merchant not in self._with_account
            and not self.seen.holds(merchant, _NO_ORDER)
            and self.has_account(merchant)
        ):
            self._with_account.add(merchant)
        return merchant in self._with_account


def around(
    spans: Spans, reader: LedgerReader, merchant: MerchantId, first: Instant, last: Instant, *, after: int = 0
) -> Iterator[Sequence[Transaction | UnreadableTransaction]]:
    """Yield a merchant's transactions `AROUND` two times, those after a sequence, page by page in their order.

    Raises:
        RetryLater: the ledger cannot be read.
    """
    account = spans.account(merchant)
    if account is None:
        return
    begins, ends = (instant(datetime.fromisoformat(time) + by) for time, by in ((first, -AROUND), (last, AROUND)))
    lowest, highest = spans.span(account, begins, ends)
    lowest = max(lowest, after + 1)
    if lowest <= highest:
        yield from reader.transactions(merchant, lowest, highest)


def together(rows: Iterable[SourceOrder | BadRow]) -> Iterator[list[SourceOrder | BadRow]]:
    """Yield the rows of a file in lists that are compared together, including those before a fault of the file."""
    some: list[SourceOrder | BadRow] = []
    try:
        for row in rows:
            some.append(row)
            if len(some) == READ_AT_ONCE:
                yield some
                some = []
    except NotOrdersError:
        if some:
            yield some
        raise
    if some:
        yield some


def recorded_total(transaction: Transaction) -> Decimal | None:
    """Return the order's newest total that the ledger knows."""
    edits = transaction.tally.edits if transaction.tally else None
    return edits.total if edits is not None and edits.total is not None else recorded_money(transaction, "total")


def refunded_here(transaction: Transaction, total: Decimal | None) -> Decimal | None:
    """Return the refunded money of the order, None if the ledger does not have it."""
    if transaction.tally is None or not transaction.tally.count:
        return Decimal(0)
    return total if transaction.tally.full else transaction.tally.money


def _of(order: SourceOrder, kind: DifferenceKind, what: str, refund: SourceRefund | None = None) -> Difference:
    return Difference(
        kind=kind,
        what=what,
        line=order.line,
        merchant_id=order.merchant_id,
        order_id=order.order_id,
        row=order,
        refund=refund,
    )

"""The orders of a source compared with the ledger: what is missing, what is too much, what was charged otherwise."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from chalicelib.contracts.values import money_text
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, instant, transaction_id
from chalicelib.domain.ledger import Transaction
from chalicelib.domain.movements import order_key
from infra.commands.events import Outgoing, made
from infra.commands.order_files import BadRow, SourceOrder, SourceRefund

ON_ITS_WAY = timedelta(hours=1)
"""How long an order may take: what is younger is no finding."""
ORDER_PAID = "evt.shopify.webhook.order_paid"
ORDER_REFUNDED = "evt.shopify.webhook.order_refunded"
READ_AT_ONCE = 100
"""Orders that are looked up together: one BatchGetItem."""


class Kinds(StrEnum):
    """What a comparison can find."""

    BAD_ROW = "bad_row"
    DOUBLED = "doubled"
    MISSING = "missing"
    REFUND_MISSING = "refund_missing"
    PARKED = "parked"
    OTHER_TOTAL = "other_total"
    OTHER_CURRENCY = "other_currency"
    OTHER_REFUND = "other_refund"
    NOT_PAID_THERE = "not_paid_there"
    NOT_THERE = "not_there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs; `event` is the body of the event that corrects it, if there is one."""

    kind: Kinds
    what: str
    line: int | None = None
    column: str = ""
    merchant_id: str | None = None
    order_id: str | None = None
    event: str | None = None


Lookup = Callable[[Sequence[TransactionId]], Mapping[TransactionId, Transaction]]
"""Reads the transactions that exist, by id."""


@dataclass
class Matching:
    """A comparison in progress; the orders that it has seen are in a scratch database, so a file may have any size.

    `counts` are the orders by result, `found` the differences by kind.
    """

    scratch: sqlite3.Connection
    lookup: Lookup
    parked: Callable[[str, str], bool]
    now: datetime
    counts: Counter[str] = field(default_factory=Counter)
    found: Counter[Kinds] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.scratch.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE seen (merchant TEXT, id TEXT, PRIMARY KEY (merchant, id)) WITHOUT ROWID;"
            "CREATE TABLE span (merchant TEXT PRIMARY KEY, first TEXT, last TEXT) WITHOUT ROWID;"
            "CREATE TABLE event (place INTEGER PRIMARY KEY, body TEXT);"
        )

    def compare(self, rows: Iterable[SourceOrder | BadRow]) -> Iterator[Difference]:
        """Yield the differences of the file's orders, in their order."""
        some: list[SourceOrder] = []
        for row in rows:
            if isinstance(row, BadRow):
                yield self._say(Difference(kind=Kinds.BAD_ROW, what=row.why, line=row.line, column=row.column))
            elif not self._see(row):
                what = "this order stands before it in the file"
                yield self._say(_of(row, Kinds.DOUBLED, what))
            else:
                some.append(row)
                if len(some) == READ_AT_ONCE:
                    yield from self._some(some)
                    some = []
        yield from self._some(some)

    def not_there(self, merchant: MerchantId, records: Iterable[Transaction]) -> Iterator[Difference]:
        """Yield the orders of the ledger, paid in the period of the file, that are not in the file."""
        [(first, last)] = self.scratch.execute("SELECT first, last FROM span WHERE merchant = ?", (merchant,))
        # An event says when it was sent: an order from just before the file's first one may look later.
        begins = instant(datetime.fromisoformat(first) + ON_ITS_WAY)
        for record in records:
            if not record.kind.is_order or not begins <= (record.occurred_at or record.created_at) <= last:
                continue
            key = (merchant, record.reference_id)
            if not self.scratch.execute("SELECT 1 FROM seen WHERE merchant = ? AND id = ?", key).fetchone():
                yield self._say(
                    Difference(
                        kind=Kinds.NOT_THERE,
                        what=f"charged here at {record.created_at}, and not in the file",
                        merchant_id=merchant,
                        order_id=record.reference_id,
                    )
                )

    def spans(self) -> list[tuple[MerchantId, Instant, Instant]]:
        """Return the merchants of the file, with the times of their first and last order."""
        found = self.scratch.execute("SELECT merchant, first, last FROM span ORDER BY merchant")
        return [(MerchantId(merchant), Instant(first), Instant(last)) for merchant, first, last in found]

    def events(self) -> Iterator[str]:
        """Yield the bodies of the events that correct what is missing, orders before their refunds."""
        for (body,) in self.scratch.execute("SELECT body FROM event ORDER BY place"):
            yield body

    def _see(self, order: SourceOrder) -> bool:
        key = (order.merchant_id, order.order_id)
        if order.paid:
            self.scratch.execute(
                "INSERT INTO span VALUES (?1, ?2, ?2) "
                "ON CONFLICT DO UPDATE SET first = min(first, ?2), last = max(last, ?2)",
                (order.merchant_id, order.paid_at),
            )
        return bool(self.scratch.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", key).rowcount)

    def _some(self, orders: Sequence[SourceOrder]) -> Iterator[Difference]:
        refunds = {(order, refund): refund_event(order, refund) for order in orders for refund in order.refunds or ()}
        names = {order: transaction_id(order.merchant_id, order_key(order.order_id)) for order in orders}
        wanted = [*names.values(), *(event.movements[0].transaction_id for event in refunds.values())]
        records = self.lookup(wanted) if wanted else {}
        for order in orders:
            record = records.get(names[order])
            differences = [*self._order(order, record)]
            if order.paid and (record is not None or any(one.kind is Kinds.MISSING for one in differences)):
                for refund in order.refunds or ():
                    event = refunds[order, refund]
                    if event.movements[0].transaction_id not in records:
                        differences += self._refund_missing(order, refund, event)
            yield from map(self._say, differences)

    def _order(self, order: SourceOrder, record: Transaction | None) -> Iterator[Difference]:
        if record is None:
            yield from self._without_record(order)
            return
        self.counts["recorded"] += 1
        if record.reference_id != order.order_id:
            # It came under another of its names.
            self.scratch.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (order.merchant_id, record.reference_id))
        if not order.paid:
            yield _of(order, Kinds.NOT_PAID_THERE, f"charged here with {abs(record.amount)} credits, not paid there")
            return
        total, code = recorded_total(record), record.metadata.get("currency")
        if code is not None and order.currency is not None and code != order.currency:
            yield _of(order, Kinds.OTHER_CURRENCY, f"{code} here, {order.currency} there")
        elif total is not None and order.total is not None and total != order.total:
            yield _of(order, Kinds.OTHER_TOTAL, f"{money_text(total)} here, {money_text(order.total)} there")
        elif order.refunded is not None and (back := refunded_here(record, total)) not in (None, order.refunded):
            what = f"{money_text(back or Decimal(0))} went back here, {money_text(order.refunded)} there"
            yield _of(order, Kinds.OTHER_REFUND, what)

    def _without_record(self, order: SourceOrder) -> Iterator[Difference]:
        if not order.paid:
            self.counts["not_paid"] += 1
        elif order.paid_at > instant(self.now - ON_ITS_WAY):
            self.counts["on_its_way"] += 1
        elif self.parked(order.merchant_id, order.order_id):
            yield _of(order, Kinds.PARKED, "its event is parked: `credits dead-letters list` says why")
        else:
            event = order_event(order)
            self._keep(event)
            yield _of(order, Kinds.MISSING, f"paid at {order.paid_at}, and never charged here", event)

    def _refund_missing(self, order: SourceOrder, refund: SourceRefund, event: Outgoing) -> Iterator[Difference]:
        self._keep(event)
        yield _of(order, Kinds.REFUND_MISSING, f"the refund {refund.refund_id} is not here", event)

    def _keep(self, event: Outgoing) -> None:
        self.scratch.execute("INSERT INTO event (body) VALUES (?)", (event.body,))

    def _say(self, difference: Difference) -> Difference:
        self.found[difference.kind] += 1
        return difference


def recorded_total(record: Transaction) -> Decimal | None:
    """Return the order's newest total that the ledger knows."""
    edits = record.tally.edits if record.tally else None
    if edits is not None and edits.total is not None:
        return edits.total
    text = record.metadata.get("total")
    return Decimal(str(text)) if text is not None else None


def refunded_here(record: Transaction, total: Decimal | None) -> Decimal | None:
    """Return the money that went back of the order, None if the ledger does not hold it."""
    if record.tally is None or not record.tally.count:
        return Decimal(0)
    return total if record.tally.full else record.tally.money


def order_event(order: SourceOrder) -> Outgoing:
    """Return the event that charges the order, always the same."""
    payload: dict[str, Any] = {"merchant_id": order.merchant_id, "order_id": order.order_id}
    if order.total is not None:
        payload["total"] = money_text(order.total)
    if order.currency is not None:
        payload["currency"] = order.currency
    if order.lines > 1:
        payload["order_items"] = [{}] * order.lines
    return made(ORDER_PAID, payload, checked=True, event_id=_event_id(order, "order"), happened=order.paid_at)


def refund_event(order: SourceOrder, refund: SourceRefund) -> Outgoing:
    """Return the event that gives back the refund's share, always the same."""
    payload = {"merchant_id": order.merchant_id, "order_id": order.order_id, "refund_id": refund.refund_id}
    if refund.amount is not None:
        payload["refund_amount"] = money_text(refund.amount)
        if order.total is not None:
            payload["order_total"] = money_text(order.total)
    return made(ORDER_REFUNDED, payload, checked=True, event_id=_event_id(order, f"refund {refund.refund_id}"))


def members(difference: Difference) -> dict[str, Any]:
    """Return a difference for programs."""
    return {**asdict(difference), "kind": difference.kind.value}


def _event_id(order: SourceOrder, what: str) -> str:
    return str(uuid5(UUID(order.merchant_id), f"match {order.order_id} {what}"))


def _of(order: SourceOrder, kind: Kinds, what: str, event: Outgoing | None = None) -> Difference:
    return Difference(
        kind=kind,
        what=what,
        line=order.line,
        merchant_id=order.merchant_id,
        order_id=order.order_id,
        event=event.body if event else None,
    )

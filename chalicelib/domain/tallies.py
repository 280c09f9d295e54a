"""What was refunded of each order, replayed from the refunds' own records (hard-cases.md, "Refund arithmetic").

An order's tally is the one part of a record that changes and that no hash seals; the refunds prove it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.errors import Rejected
from chalicelib.domain.findings import Drift, Finding
from chalicelib.domain.ids import MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import Transaction
from chalicelib.domain.movements import Kind, order_key
from chalicelib.domain.orders import Tally, refund

_REFUNDS = (Kind.REFUND_RETURNED, Kind.REFUND_TAKEN)


@dataclass(slots=True)
class _Refunded:
    """An order that was refunded: what its record says of it, and its refunds replayed so far."""

    sequence: int
    taken: int
    total: Decimal | None
    recorded: Tally
    replayed: Tally


class Tallies:
    """The refunded orders of one merchant, as its records come by in their order."""

    def __init__(self, merchant_id: MerchantId) -> None:
        self._merchant_id = merchant_id
        self._orders: dict[TransactionId, _Refunded] = {}

    def take(self, record: Transaction) -> Iterator[Finding]:
        """Take the next record, and yield what is wrong with it if it is a refund."""
        if record.kind.is_order:
            if record.tally is not None:
                self._orders[record.transaction_id] = _Refunded(
                    sequence=record.sequence,
                    taken=abs(record.amount),
                    total=_money(record, "total"),
                    recorded=record.tally,
                    replayed=Tally(),
                )
        elif record.kind in _REFUNDS and (wrong := self._replay(record)) is not None:
            yield Finding(
                kind=wrong[0],
                merchant_id=self._merchant_id,
                sequence=record.sequence,
                detail=wrong[1],
                transaction_id=record.transaction_id,
            )

    def differences(self) -> Iterator[Finding]:
        """Yield every order whose record says something else than its refunds."""
        for order_id, order in self._orders.items():
            if order.recorded != order.replayed:
                yield Finding(
                    kind=Drift.TALLY_WRONG,
                    merchant_id=self._merchant_id,
                    sequence=order.sequence,
                    detail=f"the order's record says {_said(order.recorded)}, its refunds say {_said(order.replayed)}",
                    transaction_id=order_id,
                )

    def _replay(self, record: Transaction) -> tuple[Drift, str] | None:
        named = str(record.metadata.get("order_id"))
        order = self._orders.get(transaction_id(self._merchant_id, order_key(named)))
        if order is None:
            return Drift.TALLY_WRONG, f"the refund is not counted on the record of order {named}"
        try:
            due, order.replayed = refund(
                order.replayed,
                taken=order.taken,
                recorded_total=order.total,
                amount=_money(record, "refund_amount"),
                order_total=_money(record, "order_total"),
            )
        except Rejected as error:
            return Drift.REFUND_WRONG, error.message
        if due != record.requested:
            return Drift.REFUND_WRONG, f"it asked back {record.requested} credits, {due} were due"
        return None


def _money(record: Transaction, name: str) -> Decimal | None:
    text = record.metadata.get(name)
    return None if text is None else Decimal(text)


def _said(tally: Tally) -> str:
    part = "all of it" if tally.full else f"{tally.money:f} of {tally.total if tally.total is not None else 'unknown'}"
    return f"{tally.credits} credits in {tally.count} refunds ({part})"

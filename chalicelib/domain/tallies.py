"""What went back of each order and payment, replayed from the refunds' own records (contract, "Refund arithmetic").

An order's tally is the one part of a record that changes and that no hash seals; the refunds prove it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.errors import Rejected
from chalicelib.domain.findings import Drift, Finding
from chalicelib.domain.fold import TallyChange
from chalicelib.domain.ids import Instant, MerchantId, TransactionId, transaction_id
from chalicelib.domain.ledger import Transaction
from chalicelib.domain.movements import Kind, order_key
from chalicelib.domain.orders import Tally, refund
from chalicelib.domain.reversal_tallies import OF_PAYMENTS, PaymentTallies
from chalicelib.domain.reversal_tallies import told as told_of_payment
from chalicelib.domain.reversals import PaymentTally

_REFUNDS = (Kind.REFUND_RETURNED, Kind.REFUND_TAKEN)


@dataclass(slots=True)
class _Refunded:
    """An order that was refunded: what its record says of it, and its refunds replayed so far."""

    sequence: int
    taken: int
    total: Decimal | None
    recorded: Tally | None
    replayed: Tally
    refunded_at: Instant


class Tallies:
    """The refunded orders and reversed payments of one merchant, as its records come by in their order.

    Each is known by the tally on its record; those in `uncounted` are known without. After the walk `uncounted` holds
    them, and every order of a refund and payment of a reversal whose record has no tally.
    """

    def __init__(self, merchant_id: MerchantId, *, uncounted: Collection[TransactionId] = ()) -> None:
        self.uncounted = set(uncounted)
        self._merchant_id = merchant_id
        self._orders: dict[TransactionId, _Refunded] = {}
        self._payments = PaymentTallies(merchant_id, self.uncounted)

    def take(self, record: Transaction) -> Iterator[Finding]:
        """Take the next record, and yield what is wrong with it if it is a refund or a reversal."""
        if record.kind in OF_PAYMENTS:
            yield from self._payments.take(record)
        elif record.kind.is_order:
            if record.tally is not None or record.transaction_id in self.uncounted:
                self._orders[record.transaction_id] = _Refunded(
                    sequence=record.sequence,
                    taken=abs(record.amount),
                    total=_money(record, "total"),
                    recorded=record.tally,
                    replayed=Tally(),
                    refunded_at=record.refunded_at or record.created_at,
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
        """Yield every order whose record says something else than its refunds, and every payment so."""
        for order_id, order in self._orders.items():
            if (order.recorded or Tally()) != order.replayed:
                said, proven = told(order.recorded or Tally()), told(order.replayed)
                yield Finding(
                    kind=Drift.TALLY_WRONG,
                    merchant_id=self._merchant_id,
                    sequence=order.sequence,
                    detail=f"the order's record says {said}, its refunds say {proven}",
                    transaction_id=order_id,
                )
        for payment_id, payment in self._payments.payments.items():
            if payment.wrong:
                said, proven = told(payment.recorded or PaymentTally()), told(payment.replayed)
                yield Finding(
                    kind=Drift.TALLY_WRONG,
                    merchant_id=self._merchant_id,
                    sequence=payment.sequence,
                    detail=f"the payment's record says {said}, its reversals say {proven}",
                    transaction_id=payment_id,
                )

    def corrections(self) -> Iterator[TallyChange]:
        """Yield for every order and payment whose record says something else than its refunds what it should say."""
        for order_id, order in self._orders.items():
            if (order.recorded or Tally()) != order.replayed:
                yield TallyChange(order=order_id, before=order.recorded, after=order.replayed, time=order.refunded_at)
        for payment_id, payment in self._payments.payments.items():
            if payment.wrong:
                yield TallyChange(
                    order=payment_id, before=payment.recorded, after=payment.replayed, time=payment.reversed_at
                )

    def _replay(self, record: Transaction) -> tuple[Drift, str] | None:
        named = str(record.metadata.get("order_id"))
        order_id = transaction_id(self._merchant_id, order_key(named))
        order = self._orders.get(order_id)
        if order is None:
            self.uncounted.add(order_id)
            return Drift.TALLY_WRONG, f"the refund is not counted on the record of order {named}"
        order.refunded_at = record.created_at
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


def told(tally: Tally) -> str:
    """Return a tally in words."""
    if isinstance(tally, PaymentTally):
        return told_of_payment(tally)
    part = "all of it" if tally.full else f"{tally.money:f} of {tally.total if tally.total is not None else 'unknown'}"
    return f"{tally.credits} credits in {tally.count} refunds ({part})"

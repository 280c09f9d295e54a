"""The payloads of orders and refunds, which may hold many of them (contract, section 3)."""

from collections.abc import Iterable, Sequence, Sized
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.payloads import Payload, Terms, escaped
from chalicelib.contracts.values import Currency, Id, Money, money_text
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.movements import ORDER_UPDATED, Movement, OrderMovement, RefundMovement, order_key

ORDERS_MAX = 100
"""Orders that one message may hold (contract, section 4)."""


class OrderEntry(BaseModel):
    """One line of an order, or one order of several; without an `order_id` it belongs to the payload's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    order_id: Id | None = None
    total: Money | None = None


_ONE_ORDER = (OrderEntry(),)


class OrderPaid(Payload):
    """One order was paid, or each of `order_items`' was."""

    updated: ClassVar[bool] = False

    order_id: Id | None = None
    total: Money | None = None
    currency: Currency | None = None
    order_items: Annotated[list[OrderEntry], Field(min_length=1)] | None = None

    def movements(self, envelope: Envelope, terms: Terms) -> list[Movement]:
        """Return one movement per distinct order.

        Raises:
            Rejected: an entry belongs to no order or to two, or the entries of an order do not agree.
        """
        entries = self.order_items or _ONE_ORDER
        lines: dict[str, list[OrderEntry]] = {}
        for place, entry in enumerate(entries):
            lines.setdefault(_order_of(entry.order_id, self.order_id, f"order_items.{place}"), []).append(entry)
        _check_count(lines, "order_items")
        merchant = self.merchant()
        return [
            OrderMovement(
                merchant_id=merchant,
                key=order_key(order_id),
                reference_id=order_id,
                occurred_at=envelope.occurred_at,
                correlation_id=envelope.correlation_id,
                metadata=self._metadata(of_order, total),
                policy=terms.policy,
                lines=len(of_order),
                total=total,
                updated=self.updated,
            )
            for order_id, of_order in lines.items()
            for total in [self._total(of_order, alone=len(lines) == 1)]
        ]

    def _total(self, entries: Sequence[OrderEntry], *, alone: bool) -> Decimal | None:
        """Return the order's total: the payload's where it is the only order, else its entries', which must agree."""
        if alone and self.total is not None:
            return self.total
        return _agreed((entry.total for entry in entries), Code.ORDER_AMBIGUOUS, "total")

    def _metadata(self, entries: Sequence[OrderEntry], total: Decimal | None) -> dict[str, str | int]:
        metadata: dict[str, str | int] = {"lines": len(entries)}
        if total is not None:
            metadata["total"] = money_text(total)
        if self.currency is not None:
            metadata["currency"] = self.currency
        if self.updated:
            # The record must tell which event charged the order: a later one may contradict it (contract, "Conflict or
            # duplicate").
            metadata["source"] = ORDER_UPDATED
        return metadata


class OrderUpdated(OrderPaid):
    """The same, from the event that follows an order's changes."""

    updated: ClassVar[bool] = True


class RefundEntry(BaseModel):
    """One refund of several, or one line of a refunded order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    order_id: Id | None = None
    refund_id: Id | None = None
    refund_amount: Money | None = None
    order_total: Money | None = None


class OrderRefunded(RefundEntry, Payload):
    """An order was refunded, in part or in full, or each of a list was; entries inherit what they leave out."""

    currency: Currency | None = None
    order_items: Annotated[list[RefundEntry], Field(min_length=1)] | None = None
    refunds: Annotated[list[RefundEntry], Field(min_length=1)] | None = None

    def movements(self, envelope: Envelope, _terms: Terms) -> list[Movement]:
        """Return one movement per distinct refund.

        Raises:
            Rejected: a refund is that of several orders, its lines do not agree, or it belongs to no order.
        """
        if self.order_items is not None and self.refunds is not None:
            raise Rejected(Code.REFUND_AMBIGUOUS, "order_items and refunds are both there", field="payload.refunds")
        name = "order_items" if self.refunds is None else "refunds"
        entries = self.order_items or self.refunds or [RefundEntry()]
        refunds: dict[str, dict[str, list[RefundEntry]]] = {}
        for place, entry in enumerate(entries):
            order_id = _order_of(entry.order_id, self.order_id, f"{name}.{place}")
            if None not in (entry.refund_id, self.refund_id) and entry.refund_id != self.refund_id:
                raise Rejected(
                    Code.REFUND_AMBIGUOUS,
                    "an entry's refund_id differs from the payload's",
                    field=f"payload.{name}.{place}.refund_id",
                )
            refund_key = _refund_key(entry.refund_id or self.refund_id, order_id)
            refunds.setdefault(refund_key, {}).setdefault(order_id, []).append(entry)
        _check_count(refunds, name)
        orders = {order_id for by_order in refunds.values() for order_id in by_order}
        merchant = self.merchant()
        movements: list[Movement] = []
        for key, by_order in refunds.items():
            if len(by_order) > 1:
                raise Rejected(
                    Code.REFUND_AMBIGUOUS,
                    "one refund_id is one order's, here it has several",
                    field="payload.refund_id",
                )
            [(order_id, of_order)] = by_order.items()
            amount = self._money(of_order, "refund_amount", alone=len(refunds) == 1)
            order_total = self._money(of_order, "order_total", alone=len(orders) == 1)
            movements.append(
                RefundMovement(
                    merchant_id=merchant,
                    key=key,
                    reference_id=of_order[0].refund_id or self.refund_id or order_id,
                    occurred_at=envelope.occurred_at,
                    correlation_id=envelope.correlation_id,
                    metadata=self._metadata(order_id, amount, order_total),
                    order_id=order_id,
                    amount=amount,
                    order_total=order_total,
                )
            )
        return movements

    def _money(self, entries: Sequence[RefundEntry], name: str, *, alone: bool) -> Decimal | None:
        """Return what the lines of one refund say, and the payload too, which speaks for a single refund only."""
        own: Decimal | None = getattr(self, name)
        if own is not None and not alone:
            raise Rejected(
                Code.REFUND_AMBIGUOUS, f"{name} stands beside several refunds: whose is it?", field=f"payload.{name}"
            )
        said = [getattr(entry, name) for entry in entries]
        return _agreed([*said, own] if own is not None else said, Code.REFUND_AMBIGUOUS, name)

    def _metadata(self, order_id: str, amount: Decimal | None, order_total: Decimal | None) -> dict[str, str | int]:
        metadata: dict[str, str | int] = {"order_id": order_id}
        if amount is not None:
            metadata["refund_amount"] = money_text(amount)
        if order_total is not None:
            metadata["order_total"] = money_text(order_total)
        if self.currency is not None:
            metadata["currency"] = self.currency
        return metadata


def _order_of(own: str | None, inherited: str | None, entry: str) -> str:
    if own is not None and inherited is not None and own != inherited:
        raise Rejected(
            Code.ORDER_AMBIGUOUS,
            "an entry's order_id differs from the payload's",
            field=f"payload.{entry}.order_id",
        )
    order_id = own if own is not None else inherited
    if order_id is None:
        raise Rejected(Code.FIELD_MISSING, "payload.order_id is missing", field="payload.order_id")
    return order_id


def _refund_key(refund_id: str | None, order_id: str) -> str:
    if refund_id is None:
        return f"SHOPIFY_REFUND_ORDER_{order_id}"
    # A refund that calls itself ORDER_… must not take the key of that order's refund without an id.
    taken = refund_id.startswith(("ORDER_", "ORDER%"))
    return f"SHOPIFY_REFUND_{escaped(refund_id) if taken else refund_id}"


def _agreed(values: Iterable[Decimal | None], code: Code, name: str) -> Decimal | None:
    """Return the one value that entries name; those that name none follow the others."""
    named = {value for value in values if value is not None}
    if len(named) > 1:
        raise Rejected(code, f"the entries of one order name different values of {name}", field=f"payload.{name}")
    return named.pop() if named else None


def _check_count(movements: Sized, name: str) -> None:
    if len(movements) > ORDERS_MAX:
        raise Rejected(
            Code.TOO_LARGE,
            f"a message holds up to {ORDERS_MAX} orders, this one {len(movements)}",
            field=f"payload.{name}",
        )

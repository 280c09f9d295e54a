"""The payloads of refunds of orders, each with one or many refunds (contract, section 3)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.orders import agreed, aliases, check_count, order_of, totals
from chalicelib.contracts.inbound.payloads import Ignored, Payload, Terms, known_by
from chalicelib.contracts.values import (
    Money,
    OptionalCurrency,
    OptionalMoney,
    Reading,
    ShopAliases,
    ShopId,
    given,
    money_text,
    nil_is_none,
)
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.movements import Movement, RefundMovement, refund_key, refund_of_order_key

REFUND_TOTALS = ("order_total", "total")
"""The names under which senders give the order's total; two that differ are poison (contract, section 11)."""


class RefundEntry(BaseModel):
    """One refund of several, or one line of a refunded order."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    order_id: ShopId | None = None
    refund_id: Annotated[ShopId | None, nil_is_none] = None
    refund_amount: Money | None = None
    order_total: OptionalMoney = None
    total: OptionalMoney = None
    aliases: ShopAliases = ()


class OrderRefunded(RefundEntry, Payload):
    """An order was refunded, in part or in full, or each of a list was; entries inherit what they leave out."""

    currency: OptionalCurrency = None
    order_currency: OptionalCurrency = None
    order_items: list[RefundEntry] | None = None
    refunds: list[RefundEntry] | None = None

    def movements(self, envelope: Envelope, _terms: Terms, reading: Reading) -> list[Movement | Ignored]:
        """Return one movement per distinct refund.

        Raises:
            Rejected: a refund is that of several orders, its lines do not agree, or it belongs to no order.
        """
        refunds = self._entries_of_refunds()
        orders = {order_id for by_order in refunds.values() for order_id in by_order}
        merchant = self.merchant()
        movements: list[Movement | Ignored] = []
        for key, by_order in refunds.items():
            order_id, entries = _of_one_order(by_order)
            amount = _one(
                [self.refund_amount], [entry.refund_amount for entry in entries], "refund_amount", len(refunds) == 1
            )
            needed = amount is not None
            order_total = _one(
                totals(self, *REFUND_TOTALS, needed=needed, reading=reading),
                [total for entry in entries for total in totals(entry, *REFUND_TOTALS, needed=needed, reading=reading)],
                "order_total",
                len(orders) == 1,
            )
            others = aliases(self, entries, alone=len(refunds) == 1, code=Code.REFUND_AMBIGUOUS)
            refund = RefundMovement(
                merchant_id=merchant,
                key=key,
                reference_id=entries[0].refund_id or self.refund_id or order_id,
                occurred_at=envelope.time,
                correlation_id=envelope.correlation_id,
                metadata=self._metadata(order_id, amount, order_total),
                order_id=order_id,
                amount=amount,
                order_total=order_total,
                order_currency=self.order_currency,
            )
            movements.append(known_by((_refund_key(name, order_id) for name in others), refund))
        return movements

    def _entries_of_refunds(self) -> dict[str, dict[str, list[RefundEntry]]]:
        """Return the entries of each distinct refund, by its key and the order's id."""
        if self.order_items and self.refunds:
            raise Rejected(Code.REFUND_AMBIGUOUS, "order_items and refunds are both given", field="payload.refunds")
        name = "refunds" if self.refunds else "order_items"
        refunds: dict[str, dict[str, list[RefundEntry]]] = {}
        for index, entry in enumerate(self.order_items or self.refunds or [RefundEntry()]):
            order_id = order_of(entry.order_id, self.order_id, f"{name}.{index}")
            if None not in (entry.refund_id, self.refund_id) and entry.refund_id != self.refund_id:
                raise Rejected(
                    Code.REFUND_AMBIGUOUS,
                    "an entry's refund_id differs from the payload's",
                    field=f"payload.{name}.{index}.refund_id",
                )
            refund_key = _refund_key(entry.refund_id or self.refund_id, order_id)
            refunds.setdefault(refund_key, {}).setdefault(order_id, []).append(entry)
        check_count(refunds, name)
        return refunds

    def _metadata(self, order_id: str, amount: Decimal | None, order_total: Decimal | None) -> dict[str, str | int]:
        return given(
            order_id=order_id,
            refund_amount=None if amount is None else money_text(amount),
            order_total=None if order_total is None else money_text(order_total),
            currency=self.currency,
        )


def _of_one_order(by_order: Mapping[str, list[RefundEntry]]) -> tuple[str, list[RefundEntry]]:
    """Return the one order that a refund is of, and its entries."""
    if len(by_order) > 1:
        raise Rejected(
            Code.REFUND_AMBIGUOUS, "a refund_id belongs to one order, this one has several", field="payload.refund_id"
        )
    [of_order] = by_order.items()
    return of_order


def _refund_key(refund_id: str | None, order_id: str) -> str:
    return refund_of_order_key(order_id) if refund_id is None else refund_key(refund_id)


def _one(own: Sequence[Decimal | None], of_lines: Sequence[Decimal | None], name: str, alone: bool) -> Decimal | None:
    """Return the one value of a refund's lines, and of the payload if it has only one refund."""
    if any(value is not None for value in own) and not alone:
        raise Rejected(
            Code.REFUND_AMBIGUOUS, f"{name} is given, but the message has several refunds", field=f"payload.{name}"
        )
    return agreed([*of_lines, *own], Code.REFUND_AMBIGUOUS, name)

"""The payloads of orders and refunds, which may hold many of them (contract, section 3)."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.payloads import Ignored, IgnoredReason, Payload, Terms, known_by
from chalicelib.contracts.lenient import OptionalCurrency, OptionalMoney, OptionalTime, Reading, Unreadable
from chalicelib.contracts.values import ALIASES_MAX, Money, ShopAliases, ShopId, money_text
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant, escaped
from chalicelib.domain.movements import (
    ORDER_UPDATED,
    Movement,
    OrderMovement,
    RefundMovement,
    order_key,
    refund_of_order_key,
)
from chalicelib.domain.orders import Basis

ORDERS_MAX = 100
"""Orders that one message may hold (contract, section 4)."""


ORDER_TOTALS = ("total", "order_total", "total_price")
REFUND_TOTALS = ("order_total", "total")
"""The names under which senders give an order's total; two that differ are poison (contract, section 11)."""
PAID = frozenset({"paid", "partially_paid", "partially_refunded", "refunded"})
"""The states of an order in which it has been paid; any other that is given is not charged (contract, section 12)."""

_YES, _NO = frozenset({"true", "1"}), frozenset({"false", "0"})


def _flag(value: Any) -> bool | None:
    if value is None or value == "":
        return None
    word = str(value).lower() if isinstance(value, bool | int | str) else ""
    if word not in _YES | _NO:
        raise PydanticCustomError(Code.FIELD_INVALID, "a flag is true or false")
    return word in _YES


def _totals(
    entry: "OrderEntry | RefundEntry", *names: str, needed: bool, reading: Reading, place: str = ""
) -> list[Decimal]:
    """Return what an entry's names of the total say; `place` is where in the payload it is, with a point after it.

    Raises:
        Rejected: one cannot be read, and the total is needed.
    """
    found: list[Decimal] = []
    for name in names:
        value = getattr(entry, name)
        if isinstance(value, Unreadable):
            field = f"payload.{place}{name}"
            if needed:
                raise Rejected(Code.FIELD_INVALID, f"{field} is no amount of money", field=field)
            reading.dropped.append(name)
        elif value is not None:
            found.append(value)
    return found


class OrderEntry(BaseModel):
    """One line of an order, or one order of several; without an `order_id` it belongs to the payload's.

    The total has three names, and two that differ are poison. Whether anybody needs it, the policy says: one that
    nobody needs and that cannot be read is absent.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    order_id: ShopId | None = None
    total: OptionalMoney = None
    order_total: OptionalMoney = None
    total_price: OptionalMoney = None
    financial_status: Annotated[str | None, Field(max_length=255)] = None
    test: Annotated[bool | None, BeforeValidator(_flag)] = None
    updated_at: OptionalTime = None
    aliases: ShopAliases = ()

    def ignored(self, terms: Terms) -> IgnoredReason | None:
        """Return why an order in this state is not charged, None if it is."""
        if self.test and not terms.count_test_orders:
            return IgnoredReason.TEST_ORDER
        if self.financial_status and self.financial_status.lower() not in PAID:
            return IgnoredReason.ORDER_NOT_PAID
        return None


_ONE_ORDER = (OrderEntry(),)


class OrderPaid(OrderEntry, Payload):
    """One order was paid, or each of `order_items`' was; an empty list of them is none."""

    updated: ClassVar[bool] = False

    currency: OptionalCurrency = None
    order_items: list[OrderEntry] | None = None

    def movements(self, envelope: Envelope, terms: Terms, reading: Reading) -> list[Movement | Ignored]:
        """Return one movement per distinct order, or that the order is ignored.

        Raises:
            Rejected: an entry belongs to no order or to two, or the entries of an order do not agree.
        """
        entries = self.order_items or _ONE_ORDER
        lines: dict[str, dict[int, OrderEntry]] = {}
        for place, entry in enumerate(entries):
            lines.setdefault(_order_of(entry.order_id, self.order_id, f"order_items.{place}"), {})[place] = entry
        _check_count(lines, "order_items")
        merchant = self.merchant()
        needed = terms.policy.basis is Basis.TOTAL
        found: list[Movement | Ignored] = []
        for order_id, of_order in lines.items():
            reason = next((why for entry in (self, *of_order.values()) if (why := entry.ignored(terms))), None)
            if reason is not None:
                found.append(Ignored(reason=reason, merchant_id=merchant, reference_id=order_id))
                continue
            others = _aliases(self, of_order.values(), alone=len(lines) == 1, code=Code.ORDER_AMBIGUOUS)
            total = self._total(of_order, alone=len(lines) == 1, needed=needed, reading=reading)
            # The lines of one order are of one version: the newest of their times is its own.
            updated_at = max(filter(None, (entry.updated_at for entry in of_order.values())), default=self.updated_at)
            order = OrderMovement(
                merchant_id=merchant,
                key=order_key(order_id),
                reference_id=order_id,
                occurred_at=envelope.time,
                correlation_id=envelope.correlation_id,
                metadata=self._metadata(of_order, total, updated_at),
                policy=terms.policy,
                lines=len(of_order),
                total=total,
                updated=self.updated,
                updated_at=updated_at,
            )
            found.append(known_by(map(order_key, others), order))
        return found

    def _total(
        self, entries: Mapping[int, OrderEntry], *, alone: bool, needed: bool, reading: Reading
    ) -> Decimal | None:
        """Return the order's total: the payload's where it is the only order, else its entries', which must agree."""
        own = _totals(self, *ORDER_TOTALS, needed=needed, reading=reading) if alone else []
        named = own or [
            total
            for place, entry in entries.items()
            for total in _totals(entry, *ORDER_TOTALS, needed=needed, reading=reading, place=f"order_items.{place}.")
        ]
        return _agreed(named, Code.ORDER_AMBIGUOUS, "total")

    def _metadata(self, entries: Sized, total: Decimal | None, updated_at: Instant | None) -> dict[str, str | int]:
        metadata: dict[str, str | int] = {"lines": len(entries)}
        if total is not None:
            metadata["total"] = money_text(total)
        if self.currency is not None:
            metadata["currency"] = self.currency
        if updated_at is not None:
            metadata["updated_at"] = updated_at
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

    order_id: ShopId | None = None
    refund_id: ShopId | None = None
    refund_amount: Money | None = None
    order_total: OptionalMoney = None
    total: OptionalMoney = None
    aliases: ShopAliases = ()


class OrderRefunded(RefundEntry, Payload):
    """An order was refunded, in part or in full, or each of a list was; entries inherit what they leave out."""

    currency: OptionalCurrency = None
    order_items: list[RefundEntry] | None = None
    refunds: list[RefundEntry] | None = None

    def movements(self, envelope: Envelope, _terms: Terms, reading: Reading) -> list[Movement | Ignored]:
        """Return one movement per distinct refund.

        Raises:
            Rejected: a refund is that of several orders, its lines do not agree, or it belongs to no order.
        """
        if self.order_items and self.refunds:
            raise Rejected(Code.REFUND_AMBIGUOUS, "order_items and refunds are both there", field="payload.refunds")
        name = "refunds" if self.refunds else "order_items"
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
        movements: list[Movement | Ignored] = []
        for key, by_order in refunds.items():
            if len(by_order) > 1:
                raise Rejected(
                    Code.REFUND_AMBIGUOUS,
                    "one refund_id is one order's, here it has several",
                    field="payload.refund_id",
                )
            [(order_id, of_order)] = by_order.items()
            amount = _one(
                [self.refund_amount], [entry.refund_amount for entry in of_order], "refund_amount", len(refunds) == 1
            )
            needed = amount is not None
            order_total = _one(
                _totals(self, *REFUND_TOTALS, needed=needed, reading=reading),
                [
                    total
                    for entry in of_order
                    for total in _totals(entry, *REFUND_TOTALS, needed=needed, reading=reading)
                ],
                "order_total",
                len(orders) == 1,
            )
            others = _aliases(self, of_order, alone=len(refunds) == 1, code=Code.REFUND_AMBIGUOUS)
            refund = RefundMovement(
                merchant_id=merchant,
                key=key,
                reference_id=of_order[0].refund_id or self.refund_id or order_id,
                occurred_at=envelope.time,
                correlation_id=envelope.correlation_id,
                metadata=self._metadata(order_id, amount, order_total),
                order_id=order_id,
                amount=amount,
                order_total=order_total,
            )
            movements.append(known_by((_refund_key(name, order_id) for name in others), refund))
        return movements

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


def _aliases(
    payload: "OrderEntry | RefundEntry", entries: Iterable["OrderEntry | RefundEntry"], *, alone: bool, code: Code
) -> tuple[str, ...]:
    """Return the other ids of one order or refund: its entries', and the payload's, which speaks for a single one only.

    Raises:
        Rejected: the payload names some beside several orders or refunds, or they are too many.
    """
    if payload.aliases and not alone:
        raise Rejected(code, "aliases are given beside several: whose are they?", field="payload.aliases")
    names = dict.fromkeys(name for entry in (payload, *entries) for name in entry.aliases)
    if len(names) > ALIASES_MAX:
        raise Rejected(Code.FIELD_INVALID, f"a fact has up to {ALIASES_MAX} aliases", field="payload.aliases")
    return tuple(names)


def _refund_key(refund_id: str | None, order_id: str) -> str:
    if refund_id is None:
        return refund_of_order_key(order_id)
    # A refund that calls itself ORDER_… must not take the key of that order's refund without an id.
    taken = refund_id.startswith(("ORDER_", "ORDER%"))
    return f"SHOPIFY_REFUND_{escaped(refund_id) if taken else refund_id}"


def _one(own: Sequence[Decimal | None], of_lines: Sequence[Decimal | None], name: str, alone: bool) -> Decimal | None:
    """Return what the lines of one refund say, and the payload too, which speaks for a single refund only."""
    if any(value is not None for value in own) and not alone:
        raise Rejected(
            Code.REFUND_AMBIGUOUS, f"{name} is given beside several refunds: whose is it?", field=f"payload.{name}"
        )
    return _agreed([*of_lines, *own], Code.REFUND_AMBIGUOUS, name)


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

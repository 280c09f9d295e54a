"""The payloads of orders, and what payloads of refunds have in common with them (contract, section 3)."""

from collections.abc import Iterable, Mapping, Sized
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from chalicelib.contracts.inbound.envelopes import Envelope
from chalicelib.contracts.inbound.expiry import NoEnd
from chalicelib.contracts.inbound.payloads import Ignored, IgnoredReason, Payload, Terms, known_by
from chalicelib.contracts.values import (
    ALIASES_MAX,
    OptionalCurrency,
    OptionalMoney,
    OptionalTime,
    Reading,
    ShopAliases,
    ShopId,
    UnreadableMoney,
    money_text,
)
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import Instant
from chalicelib.domain.movements import (
    ORDER_UPDATED,
    Movement,
    OrderMovement,
    order_key,
)
from chalicelib.domain.orders import Basis

ORDERS_MAX = 100
"""Orders that one message may hold (contract, section 4)."""
ORDER_TOTALS = ("total", "order_total", "total_price")
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


class Entry(Protocol):
    """An order or a refund, as a payload or an entry of it."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its other ids."""


def totals(entry: Entry, *names: str, needed: bool, reading: Reading, prefix: str = "") -> list[Decimal]:
    """Return the totals under an entry's three names; `prefix` is its path in the payload, with a dot at the end.

    Raises:
        Rejected: one cannot be read, and the total is needed.
    """
    found: list[Decimal] = []
    for name in names:
        value = getattr(entry, name)
        if isinstance(value, UnreadableMoney):
            field = f"payload.{prefix}{name}"
            if needed:
                raise Rejected(Code.FIELD_INVALID, f"{field} is not an amount of money", field=field)
            reading.dropped.append(name)
        elif value is not None:
            found.append(value)
    return found


class OrderEntry(BaseModel):
    """One line of an order, or one order of several; without an `order_id` it belongs to the payload's.

    The total has three names; two that differ are poison. The policy decides whether it is needed: an unreadable total
    that is not needed counts as absent.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    order_id: ShopId | None = None
    total: OptionalMoney = None
    order_total: OptionalMoney = None
    total_price: OptionalMoney = None
    financial_status: Annotated[str | None, Field(max_length=255)] = None
    test: Annotated[bool | None, BeforeValidator(_flag)] = None
    updated_at: OptionalTime = None
    aliases: ShopAliases = ()
    expires_at: NoEnd = None
    expires_in_days: NoEnd = None

    def ignored(self, terms: Terms) -> IgnoredReason | None:
        """Return why an order in this state is not charged, None if it is."""
        if self.test and not terms.count_test_orders:
            return IgnoredReason.TEST_ORDER
        if self.financial_status and self.financial_status.strip().lower() not in PAID:
            return IgnoredReason.ORDER_NOT_PAID
        return None


_ONE_ORDER = (OrderEntry(),)


class OrderPaid(OrderEntry, Payload):
    """One order was paid, or each order of `order_items`; an empty list counts as absent."""

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
        for index, entry in enumerate(entries):
            lines.setdefault(order_of(entry.order_id, self.order_id, f"order_items.{index}"), {})[index] = entry
        check_count(lines, "order_items")
        merchant = self.merchant()
        needed = terms.policy.basis is Basis.TOTAL
        found: list[Movement | Ignored] = []
        for order_id, of_order in lines.items():
            reason = next((why for entry in (self, *of_order.values()) if (why := entry.ignored(terms))), None)
            if reason is not None:
                found.append(Ignored(reason=reason, merchant_id=merchant, reference_id=order_id))
                continue
            others = aliases(self, of_order.values(), alone=len(lines) == 1, code=Code.ORDER_AMBIGUOUS)
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
        own = totals(self, *ORDER_TOTALS, needed=needed, reading=reading) if alone else []
        named = own or [
            total
            for index, entry in entries.items()
            for total in totals(entry, *ORDER_TOTALS, needed=needed, reading=reading, prefix=f"order_items.{index}.")
        ]
        return agreed(named, Code.ORDER_AMBIGUOUS, "total")

    def _metadata(self, entries: Sized, total: Decimal | None, updated_at: Instant | None) -> dict[str, str | int]:
        metadata: dict[str, str | int] = {"lines": len(entries)}
        if total is not None:
            metadata["total"] = money_text(total)
        if self.currency is not None:
            metadata["currency"] = self.currency
        if updated_at is not None:
            metadata["updated_at"] = updated_at
        if self.updated:
            # The transaction must tell which event charged the order: a later one may contradict it (contract,
            # "Conflict or duplicate").
            metadata["source"] = ORDER_UPDATED
        return metadata


class OrderUpdated(OrderPaid):
    """The same, from the event that follows an order's changes."""

    updated: ClassVar[bool] = True


def order_of(own: str | None, inherited: str | None, entry: str) -> str:
    """Return the order of an entry: its own, or the payload's, which may not differ."""
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


def aliases(payload: Entry, entries: Iterable[Entry], *, alone: bool, code: Code) -> tuple[str, ...]:
    """Return the other ids of one order or refund: those of its entries, and of the payload if it has only one.

    Raises:
        Rejected: the payload has aliases beside several orders or refunds, or there are too many.
    """
    if payload.aliases and not alone:
        raise Rejected(
            code, "aliases are given, but the message has several orders or refunds", field="payload.aliases"
        )
    names = dict.fromkeys(name for entry in (payload, *entries) for name in entry.aliases)
    if len(names) > ALIASES_MAX:
        raise Rejected(Code.FIELD_INVALID, f"a fact has up to {ALIASES_MAX} aliases", field="payload.aliases")
    return tuple(names)


def agreed(values: Iterable[Decimal | None], code: Code, name: str) -> Decimal | None:
    """Return the one value that entries have; an entry without one follows the others."""
    named = {value for value in values if value is not None}
    if len(named) > 1:
        raise Rejected(code, f"the entries of one order name different values of {name}", field=f"payload.{name}")
    return named.pop() if named else None


def check_count(movements: Sized, name: str) -> None:
    """Raise `Rejected` where the list `name` holds more orders or refunds than one message may."""
    if len(movements) > ORDERS_MAX:
        raise Rejected(
            Code.TOO_LARGE,
            f"a message holds up to {ORDERS_MAX} orders, this one {len(movements)}",
            field=f"payload.{name}",
        )

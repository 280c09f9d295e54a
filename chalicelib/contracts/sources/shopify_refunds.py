"""The money of Shopify's refunds (contract, section 15, point 3).

If an order is in another currency than the shop's, a refund's transactions state the customer's money; its lines,
duties, shipping and adjustments state both. The shop's money counts as Shopify states it: nothing is converted here.
"""

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pydantic_core import PydanticCustomError

from chalicelib.contracts.sources.fields import Fields, Shape
from chalicelib.contracts.sources.webhooks import Unused, UnusedReason
from chalicelib.contracts.values import NO_CURRENCY, money
from chalicelib.domain.errors import Rejected

_SHOPS, _CUSTOMERS = "shop_money", "presentment_money"
_MONEY: Shape = {"amount": None, "currency_code": None}
_BOTH: Shape = {_SHOPS: _MONEY, _CUSTOMERS: _MONEY}
REFUND: Final[Shape] = {
    "id": None,
    "admin_graphql_api_id": None,
    "order_id": None,
    "created_at": None,
    "processed_at": None,
    "transactions": {
        "kind": None,
        "status": None,
        "amount": None,
        "currency": None,
        "test": None,
        "amount_set": {_SHOPS: _MONEY},
    },
    "refund_line_items": {"subtotal_set": _BOTH, "total_tax_set": _BOTH},
    "order_adjustments": {"amount_set": _BOTH, "tax_amount_set": _BOTH},
    "duties": {"amount_set": _BOTH},
    "refund_shipping_lines": {"subtotal_amount_set": _BOTH},
}
_Sums = tuple[Decimal, Decimal]
"""Of the shop's money and of the customer's."""
_LINES, _ADJUSTMENTS, _DUTIES, _SHIPPING = _PARTS = (
    ("refund_line_items", ("subtotal_set", "total_tax_set")),
    ("order_adjustments", ("amount_set", "tax_amount_set")),
    ("duties", ("amount_set",)),
    ("refund_shipping_lines", ("subtotal_amount_set",)),
)
_SUBTOTALS = ("refund_line_items", ("subtotal_set",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """Money that a refund gave back. `abroad` is the field with the customer's currency, if no amount is in the shop's.

    Then `amount` and `currency` are the customer's, which must not be mixed with the order's total, and `shops` is the
    shop's currency.
    """

    amount: Decimal
    currency: str | None
    abroad: str | None = None
    shops: str | None = None


def refunded(refund: Fields, reference_id: str, *, count_tests: bool, shops: str | None = None) -> Refunded | Unused:
    """Return the money that a refund gave back: 0 for a restock, which has no transactions.

    A refund with a test transaction is `Unused`, unless `count_tests`. `shops` is the shop's currency, if it is known
    from elsewhere.

    Raises:
        Rejected: it cannot be read.
    """
    settled: list[tuple[Decimal, str | None, str]] = []
    failed = None
    for one in refund.each("transactions"):
        if one.flag("test") and not count_tests:
            return Unused(reason=UnusedReason.TEST_ORDER, field=one.path("test"), reference_id=reference_id)
        status = (one.text("status") or "").lower()
        if (one.text("kind") or "").lower() != "refund":
            continue
        if status == "pending":
            return Unused(reason=UnusedReason.REFUND_PENDING, field=one.path("status"), reference_id=reference_id)
        if status == "success":
            settled.append((*_of_transaction(one), one.path("currency")))
        else:
            failed = one.path("status")
    total = sum((amount for amount, _, _ in settled), Decimal(0))
    if failed and not total:
        return Unused(reason=UnusedReason.REFUND_FAILED, field=failed, reference_id=reference_id)
    shops = _shop_currency(refund) or shops or next((code for _, code, _ in settled if code is not None), None)
    abroad = next(((code, field) for _, code, field in settled if code not in (None, shops)), None)
    if abroad is None:
        return Refunded(amount=total, currency=shops)
    customers, field = abroad
    stated = None
    if all(code == customers for _, code, _ in settled):
        # A part that cannot be read states no amount.
        with suppress(Rejected):
            stated = _stated(refund, total, shops, customers)
    if stated is not None:
        return Refunded(amount=stated, currency=shops)
    paid = sum((amount for amount, code, _ in settled if code == customers), Decimal(0))
    return Refunded(amount=paid, currency=customers, abroad=field, shops=shops)


def _stated(refund: Fields, paid: Decimal, shops: str | None, customers: str | None) -> Decimal | None:
    """Return the shop's money that the refund states for exactly this sum of the customer's money, None if it does not.

    An adjustment is the value of the lines less what was paid back. It is negative for goodwill and for shipping, which
    newer versions also list separately. It may remain from the time when the money was pending.
    """
    lines, adjustments, duties, shipping = (_sums(refund, part, shops, customers) for part in _PARTS)
    # Where prices include taxes, a line's subtotal may hold its tax already.
    subtotals = _sums(refund, _SUBTOTALS, shops, customers)
    for worth in (_plus(lines, duties), _plus(subtotals, duties)):
        shipped = _plus(worth, shipping)
        for of_shop, of_customer in (_minus(worth, adjustments), worth, shipped, _minus(shipped, adjustments)):
            if of_customer == paid and of_shop > 0:
                return of_shop
    return None


def _plus(one: _Sums, other: _Sums) -> _Sums:
    return one[0] + other[0], one[1] + other[1]


def _minus(one: _Sums, other: _Sums) -> _Sums:
    return one[0] - other[0], one[1] - other[1]


def _sums(refund: Fields, part: tuple[str, tuple[str, ...]], shops: str | None, customers: str | None) -> _Sums:
    """Return the sums of the shop's and of the customer's money in the entries of a part that state both."""
    name, sets = part
    sums = Decimal(0), Decimal(0)
    for entry in refund.each(name):
        for both in (entry.within(one) for one in sets):
            places = both.within(_SHOPS), both.within(_CUSTOMERS)
            codes = [_currency(place, "currency_code") for place in places]
            of_shop, of_customer = (_signed(place.scalar("amount")) for place in places)
            if codes == [shops, customers] and of_shop is not None and of_customer is not None:
                sums = sums[0] + of_shop, sums[1] + of_customer
    return sums


def _signed(value: object) -> Decimal | None:
    text = str(value)
    try:
        return -money(text[1:]) if text.startswith("-") else money(text)
    except PydanticCustomError:
        return None


def _shop_currency(refund: Fields) -> str | None:
    """Return the first shop's currency that a part of the refund states, None if none does."""
    codes = (
        _currency(entry.within(one, _SHOPS), "currency_code")
        for name, sets in _PARTS
        # A part that cannot be read states none.
        for entry in _entries(refund, name)
        for one in sets
    )
    return next((code for code in codes if code is not None), None)


def _entries(refund: Fields, name: str) -> list[Fields]:
    try:
        return list(refund.each(name))
    except Rejected:
        return []


def _currency(money_set: Fields, name: str) -> str | None:
    code = (money_set.text(name) or NO_CURRENCY).upper()
    return None if code == NO_CURRENCY else code


def _of_transaction(transaction: Fields) -> tuple[Decimal, str | None]:
    # Some versions give a transaction's amount in both currencies; then the shop's is the one that counts.
    both = transaction.within("amount_set", _SHOPS)
    place, name = (both, "currency_code") if "amount" in both else (transaction, "currency")
    currency = _currency(place, name)
    if place.scalar("amount") is None:
        place.missing("amount")
    try:
        return money(place.scalar("amount")), currency
    except PydanticCustomError:
        place.invalid("amount", "an amount of money of at least 0")

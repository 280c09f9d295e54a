"""`invoice.paid` of Stripe: a renewal for each period that it pays for, else a payment (contract, section 15, point 4).

Since API version 2025-03-31 an invoice names its subscription in `parent` and no longer its payment intent and charge.
The paid period is that of a line: the invoice's own period is in the past. An invoice item, such as a fee, pays for no
period.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from chalicelib.contracts.event_types import PAYMENT_SUCCEEDED, RENEWED
from chalicelib.contracts.sources.fields import Fields, Shape
from chalicelib.contracts.sources.stripe_credits import (
    ID,
    METADATA,
    PRICED,
    in_range,
    is_priced,
    of_line,
    of_lines,
    of_price,
    stated,
    unknown,
)
from chalicelib.contracts.sources.webhooks import Part, SourceEvent, SourceTerms, Unused, UnusedReason
from chalicelib.contracts.values import given
from chalicelib.domain.errors import Code, Rejected

ALIASES_MAX = 4
"""Other names that one movement may have (contract, section 13)."""

_SUBSCRIPTION: Shape = {"id": None, "metadata": METADATA}
_LINE: Shape = {
    **PRICED,
    "id": None,
    "type": None,
    "amount": None,
    "proration": None,
    "price": {"id": None, "recurring": {"usage_type": None}},
    "plan": {"id": None, "usage_type": None},
    "period": {"start": None, "end": None},
    "parent": {
        "type": None,
        "subscription_item_details": {"proration": None},
        "invoice_item_details": {"proration": None},
    },
}
INVOICE: Final[Shape] = {
    "id": None,
    "status": None,
    "billing_reason": None,
    "amount_paid": None,
    "amount_due": None,
    "total": None,
    "starting_balance": None,
    "metadata": METADATA,
    "subscription": _SUBSCRIPTION,
    "subscription_details": {"metadata": METADATA},
    "parent": {"subscription_details": {"subscription": _SUBSCRIPTION, "metadata": METADATA}},
    "payment_intent": ID,
    "charge": ID,
    "payments": {"data": {"payment": {"payment_intent": ID, "charge": ID}}},
    "lines": {"has_more": None, "data": _LINE},
}
_ITEMS = ("invoice_item_details", "invoiceitem")
"""How a line says that it is an invoice item: its parent's type, and its own before 2025-03-31."""
_PARENTS = ("subscription_item_details", "invoice_item_details")
_FIRST, _THRESHOLD = "subscription_create", "subscription_threshold"


def paid_invoice(invoice: Fields, terms: SourceTerms) -> list[Part]:
    """Return what a paid invoice translates to.

    Raises:
        Rejected: it is not paid, not complete, or does not state its credits.
    """
    invoice_id = invoice.reference("id") or invoice.missing("id")
    if invoice.text("status") not in (None, "paid"):
        raise Rejected(Code.TOPIC_CONTRADICTS_BODY, "the invoice is not paid", field=invoice.path("status"))
    if not _paid(invoice):
        return [unused(UnusedReason.NOTHING_PAID, invoice, "amount_paid")]
    subscription = _subscription(invoice)
    reason = invoice.text("billing_reason") or ("subscription" if subscription else "manual")
    if reason.startswith("subscription"):
        return _renewals(invoice, invoice_id, subscription or _no_subscription(invoice), terms)
    return [_payment(invoice, invoice_id, _of_invoice(invoice, terms))]


def other_names(invoice: Fields) -> tuple[str, ...]:
    """Return the ids of an invoice's payment intents and charges, if it names them."""
    places = [invoice, *(one.within("payment") for one in invoice.within("payments").each("data"))]
    found = [place.reference(name) for place in places for name in ("payment_intent", "charge")]
    return tuple(dict.fromkeys(name for name in found if name is not None))


def subscription_metadata(invoice: Fields) -> Iterator[Fields]:
    """Yield the places in which an invoice repeats its subscription's metadata."""
    since_2025 = invoice.within("parent", "subscription_details")
    expanded = (one for one in (since_2025, invoice) if isinstance(one.values.get("subscription"), dict))
    places = (since_2025, invoice.within("subscription_details"), *(one.within("subscription") for one in expanded))
    yield from (place.within("metadata") for place in places if place.values.get("metadata") is not None)


def _paid(invoice: Fields) -> bool:
    if invoice.needed("amount_paid") > 0:
        return True
    total, due = invoice.whole("total"), invoice.whole("amount_due") or 0
    if due > 0:
        # Somebody paid it outside of Stripe, and said so: Stripe took nothing of it.
        return invoice.text("status") == "paid" and (total is None or total > 0)
    # What the customer had paid before pays an invoice of which nothing is due any more.
    return (invoice.whole("starting_balance") or 0) < 0 < (total or 0) and due == 0


def _subscription(invoice: Fields) -> str | None:
    since_2025 = invoice.within("parent", "subscription_details").reference("subscription")
    return since_2025 or invoice.reference("subscription")


def _no_subscription(invoice: Fields) -> str:
    return invoice.within("parent", "subscription_details").missing("subscription")


def _of_invoice(invoice: Fields, terms: SourceTerms) -> int:
    """Return the credits of an invoice that pays for no period."""
    whole = stated(invoice.within("metadata"))
    if whole is not None:
        return whole
    counted, _, prorated = _lines(invoice)
    if not counted:
        _unknown(invoice, prorated)
    return in_range(invoice, of_lines(counted, terms))


def _payment(invoice: Fields, invoice_id: str, credits_given: int) -> Part:
    if credits_given == 0:
        return unused(UnusedReason.NO_CREDITS, invoice, "lines")
    aliases = other_names(invoice)[:ALIASES_MAX]
    return SourceEvent(
        event_type=PAYMENT_SUCCEEDED,
        payload=given(payment_id=invoice_id, credits=credits_given, aliases=list(aliases) or None),
    )


def _renewals(invoice: Fields, invoice_id: str, subscription: str, terms: SourceTerms) -> list[Part]:
    """Return a renewal for each period; if there are only invoice items, a payment of their credits."""
    counted, parts, prorated = _lines(invoice)
    whole = stated(invoice.within("metadata"))
    if not counted and whole is None:
        # A change within a period: its lines pay for a share of a period, and no price says the credits of that.
        _unknown(invoice, prorated)
    if counted:
        parts += (unused(UnusedReason.PRORATION, line, "proration") for line in prorated)
    # There may be several such invoices in a period, and a change may be charged from the period's start.
    by_invoice = _is_of_threshold(invoice) or not counted
    counted = counted or prorated
    items = [line for line in counted if _is_item(line)]
    periods, used = _periods(invoice, [line for line in counted if line not in items])
    newest = max(periods, default=0)
    for start, lines in periods.items():
        # What was used in the last period is billed with the next, and comes with it, as items do.
        beside = used if start == newest else []
        # Credits of the whole invoice are those of the newest period that it pays for.
        if whole is not None:
            credits_given = whole if start == newest else 0
        else:
            credits_given = _of_period(invoice, [*lines, *beside], items if start == newest else [], terms)
        if by_invoice:
            named = given(renewal_id=invoice_id)
        else:
            # Another service may name the renewal by its invoice, if it pays for one period.
            named = given(period_start=start, aliases=[invoice_id] if len(periods) == 1 else None)
        parts.append(_renewal({"subscription_id": subscription, **named}, lines, in_range(invoice, credits_given)))
    if not periods:
        of_items = (
            whole if whole is not None else _of_items(items, terms, covered=_of_subscription(invoice) is not None)
        )
        parts.append(_payment(invoice, invoice_id, in_range(invoice, of_items)))
    return parts


def _periods(invoice: Fields, lines: list[Fields]) -> tuple[dict[int, list[Fields]], list[Fields]]:
    """Return the lines of each period that is paid for, by its start, and those that bill the use of a past one."""
    ahead = [line for line in lines if not _is_metered(line)] or lines
    periods = _by_period(ahead)
    newest = max(periods, default=0)
    if _of_subscription(invoice) is not None:
        # These credits are those of one period, and since 2025-03-31 its dates alone say that a line bills the past.
        past = [
            line for start, of_one in periods.items() for line in of_one if start < newest and _ends_by(line, newest)
        ]
        ahead = [line for line in ahead if line not in past]
        periods = _by_period(ahead)
    if _is_of_threshold(invoice) and ahead:
        periods = {newest: ahead}
    return periods, [line for line in lines if line not in ahead]


def _is_of_threshold(invoice: Fields) -> bool:
    """Whether the invoice bills a threshold of use in a period."""
    return invoice.text("billing_reason") == _THRESHOLD


def _ends_by(line: Fields, moment: int) -> bool:
    end = line.within("period").whole("end")
    return end is not None and end <= moment


def _by_period(lines: Sequence[Fields]) -> dict[int, list[Fields]]:
    periods: dict[int, list[Fields]] = {}
    for line in lines:
        start = line.within("period").whole("start")
        if start is None or start <= 0:
            line.within("period").invalid("start", "the start of the period that is paid for", Code.PERIOD_MISSING)
        periods.setdefault(start, []).append(line)
    return periods


def _renewal(named: Mapping[str, Any], lines: list[Fields], credits_given: int) -> Part:
    if credits_given == 0:
        return unused(UnusedReason.NO_CREDITS, lines[0], "metadata")
    ends = [end for line in lines if (end := line.within("period").whole("end")) is not None]
    return SourceEvent(
        event_type=RENEWED,
        payload=given(**named, period_end=max(ends, default=None), credits_used=credits_given),
    )


def _of_period(invoice: Fields, lines: list[Fields], items: list[Fields], terms: SourceTerms) -> int:
    """Return the credits of the lines of one period, and of items: one renewal, however many items a subscription has.

    Stripe copies a subscription's metadata to its lines: such a copy counts once.
    """
    whole = _of_subscription(invoice)
    own = [stated(line.within("metadata")) for line in lines]
    if not list(subscription_metadata(invoice)) and len(set(own)) == 1:
        whole = own[0]
    total = whole if whole is not None and not {None, whole}.isdisjoint(own) else 0
    for line, stated_here in zip(lines, own, strict=True):
        if stated_here is not None and stated_here != whole:
            total += stated_here
        elif stated_here is None and whole is None:
            total += of_price(line, terms)
    return total + _of_items(items, terms, covered=whole is not None)


def _of_subscription(invoice: Fields) -> int | None:
    """Return the credits that a subscription's metadata states."""
    return next((found for place in subscription_metadata(invoice) if (found := stated(place)) is not None), None)


def _of_items(items: list[Fields], terms: SourceTerms, *, covered: bool) -> int:
    """Return the credits of invoice items, by their own metadata or price.

    `covered`: the subscription's metadata states the credits, so an item whose price is not set gives none.
    """
    total = 0
    for item in items:
        own = stated(item.within("metadata"))
        if own is not None or not covered or is_priced(item, terms):
            total += of_line(item, terms)
    return total


def _lines(invoice: Fields) -> tuple[list[Fields], list[Part], list[Fields]]:
    """Return the lines that give credits, those that give none, and those that pay for a part of a period.

    Raises:
        Rejected: the webhook lacks some lines, or all.
    """
    lines = invoice.within("lines")
    if lines.flag("has_more"):
        raise Rejected(
            Code.LINES_MISSING, "the webhook does not contain all lines of the invoice", field=lines.path("has_more")
        )
    counted: list[Fields] = []
    others: list[Part] = []
    prorated: list[Fields] = []
    for line in lines.each("data"):
        if line.needed("amount") <= 0:
            others.append(unused(UnusedReason.NOTHING_PAID, line, "amount"))
        elif _is_prorated(line) and invoice.text("billing_reason") != _FIRST:
            prorated.append(line)
        else:
            counted.append(line)
    if not (counted or others or prorated):
        lines.missing("data")
    return counted, others, prorated


def _unknown(invoice: Fields, prorated: Sequence[Fields]) -> NoReturn:
    unknown(prorated[0].path("proration") if prorated else invoice.path("lines"))


def _is_item(line: Fields) -> bool:
    """Whether a line is an invoice item and not a proration, which may be an invoice item too."""
    return (line.within("parent").word("type") or line.word("type")) in _ITEMS and not _is_prorated(line)


def _is_metered(line: Fields) -> bool:
    """Whether a line bills the use of the period before; since 2025-03-31 no webhook states it."""
    price, plan = line.values.get("price"), line.values.get("plan")
    places = (price.get("recurring") if isinstance(price, dict) else None, plan)
    return "metered" in [place.get("usage_type") for place in places if isinstance(place, dict)]


def _is_prorated(line: Fields) -> bool:
    parent = line.within("parent")
    kind = parent.text("type")
    return line.flag("proration") or any(
        parent.within(name).flag("proration") for name in _PARENTS if kind in (None, name)
    )


def unused(reason: UnusedReason, resource: Fields, field: str) -> Unused:
    """Return an object of Stripe as unused, because of one of its fields."""
    return Unused(reason=reason, field=resource.path(field), reference_id=resource.reference("id"))

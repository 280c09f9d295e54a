"""`invoice.paid` of Stripe: a renewal for each period that it pays for, else a payment (contract, section 15, point 4).

Since API version 2025-03-31 an invoice names its subscription in `parent` and no longer its payment intent and charge.
The period paid for is a line's: the invoice's own looks back.
"""

from collections.abc import Iterator
from typing import Final

from chalicelib.contracts.sources.fields import Fields, Shape
from chalicelib.contracts.sources.stripe_credits import (
    ID,
    METADATA,
    PRICED,
    in_range,
    of_lines,
    of_price,
    stated,
    unknown,
)
from chalicelib.contracts.sources.webhooks import Part, SourceEvent, SourceTerms, Unused, UnusedReason, given
from chalicelib.domain.errors import Code, Rejected

PAYMENT_SUCCEEDED = "evt.billing.payment_succeeded"
RENEWED = "evt.subscription.renewed"
ALIASES_MAX = 4
"""Other names that one movement may have (contract, section 13)."""

_SUBSCRIPTION: Shape = {"id": None, "metadata": METADATA}
_LINE: Shape = {
    **PRICED,
    "id": None,
    "amount": None,
    "proration": None,
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
_PARENTS = ("subscription_item_details", "invoice_item_details")
_FIRST = "subscription_create"


def paid_invoice(invoice: Fields, terms: SourceTerms) -> list[Part]:
    """Return what a paid invoice comes to.

    Raises:
        Rejected: it is not paid, not whole, or does not say what it gives.
    """
    invoice_id = invoice.reference("id") or invoice.missing("id")
    if invoice.text("status") not in (None, "paid"):
        raise Rejected(Code.TOPIC_CONTRADICTS_BODY, "the invoice is not paid", field=invoice.path("status"))
    if not _paid(invoice):
        return [Unused(reason=UnusedReason.NOTHING_PAID, field=invoice.path("amount_paid"), reference_id=invoice_id)]
    subscription = _subscription(invoice)
    reason = invoice.text("billing_reason") or ("subscription" if subscription else "manual")
    if reason.startswith("subscription"):
        return _renewals(invoice, subscription or _no_subscription(invoice), terms)
    return [_payment(invoice, invoice_id, terms)]


def other_names(invoice: Fields) -> tuple[str, ...]:
    """Return the ids of what paid an invoice: payment intents and charges, where it names them."""
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
    # What the customer had paid before pays an invoice of which nothing is due any more.
    balance, total = invoice.whole("starting_balance") or 0, invoice.whole("total") or 0
    return balance < 0 < total and not invoice.whole("amount_due")


def _subscription(invoice: Fields) -> str | None:
    since_2025 = invoice.within("parent", "subscription_details").reference("subscription")
    return since_2025 or invoice.reference("subscription")


def _no_subscription(invoice: Fields) -> str:
    return invoice.within("parent", "subscription_details").missing("subscription")


def _payment(invoice: Fields, invoice_id: str, terms: SourceTerms) -> Part:
    credits_given = stated(invoice.within("metadata"))
    if credits_given is None:
        counted, _, prorated = _lines(invoice)
        if not counted:
            unknown(prorated or invoice.path("lines"))
        credits_given = in_range(invoice, of_lines(counted, terms))
    if credits_given == 0:
        return Unused(reason=UnusedReason.NO_CREDITS, field=invoice.path("lines"), reference_id=invoice_id)
    aliases = other_names(invoice)[:ALIASES_MAX]
    return SourceEvent(
        event_type=PAYMENT_SUCCEEDED,
        payload=given(payment_id=invoice_id, credits=credits_given, aliases=list(aliases) or None),
    )


def _renewals(invoice: Fields, subscription: str, terms: SourceTerms) -> list[Part]:
    counted, parts, prorated = _lines(invoice)
    if not counted:
        # A change within a period: its lines pay for a share of a period, and no price says the credits of that.
        unknown(prorated or invoice.path("lines"))
    periods: dict[int, list[Fields]] = {}
    for line in counted:
        start = line.within("period").whole("start")
        if start is None or start <= 0:
            line.within("period").invalid("start", "the start of the period that is paid for", Code.PERIOD_MISSING)
        periods.setdefault(start, []).append(line)
    whole = stated(invoice.within("metadata"))
    for start, lines in periods.items():
        # Credits of the whole invoice are those of the newest period that it pays for.
        of_whole = whole if start == max(periods) else 0
        credits_given = _of_period(invoice, lines, terms) if whole is None else of_whole or 0
        parts.append(_renewal(subscription, start, lines, in_range(invoice, credits_given)))
    return parts


def _renewal(subscription: str, start: int, lines: list[Fields], credits_given: int) -> Part:
    if credits_given == 0:
        return Unused(
            reason=UnusedReason.NO_CREDITS, field=lines[0].path("metadata"), reference_id=lines[0].reference("id")
        )
    ends = [end for line in lines if (end := line.within("period").whole("end")) is not None]
    return SourceEvent(
        event_type=RENEWED,
        payload=given(
            subscription_id=subscription,
            period_start=start,
            period_end=max(ends, default=None),
            credits_used=credits_given,
        ),
    )


def _of_period(invoice: Fields, lines: list[Fields], terms: SourceTerms) -> int:
    """Return the credits of the lines of one period: one renewal, however many items the subscription has.

    Stripe copies a subscription's metadata to its lines: what only repeats it counts once.
    """
    places = list(subscription_metadata(invoice))
    whole = next((found for place in places if (found := stated(place)) is not None), None)
    own = [stated(line.within("metadata")) for line in lines]
    if not places and len(set(own)) == 1:
        whole = own[0]
    total = whole if whole is not None and not {None, whole}.isdisjoint(own) else 0
    for line, stated_here in zip(lines, own, strict=True):
        if stated_here is not None and stated_here != whole:
            total += stated_here
        elif stated_here is None and whole is None:
            total += of_price(line, terms)
    return total


def _lines(invoice: Fields) -> tuple[list[Fields], list[Part], str | None]:
    """Return the lines that give credits, the others, and where the first line is that pays for a part of a period.

    Raises:
        Rejected: the webhook does not hold all lines, or none.
    """
    lines = invoice.within("lines")
    if lines.flag("has_more"):
        raise Rejected(
            Code.LINES_MISSING, "the webhook does not hold all lines of the invoice", field=lines.path("has_more")
        )
    counted: list[Fields] = []
    others: list[Part] = []
    prorated = None
    for line in lines.each("data"):
        if line.needed("amount") <= 0:
            others.append(_unused(UnusedReason.NOTHING_PAID, line, "amount"))
        elif _is_prorated(line) and invoice.text("billing_reason") != _FIRST:
            prorated = prorated or line.path("proration")
            others.append(_unused(UnusedReason.PRORATION, line, "proration"))
        else:
            counted.append(line)
    if not counted and not others:
        lines.missing("data")
    return counted, others, prorated


def _is_prorated(line: Fields) -> bool:
    parent = line.within("parent")
    kind = parent.text("type")
    return line.flag("proration") or any(
        parent.within(name).flag("proration") for name in _PARENTS if kind in (None, name)
    )


def _unused(reason: UnusedReason, line: Fields, field: str) -> Unused:
    return Unused(reason=reason, field=line.path(field), reference_id=line.reference("id"))

"""Stripe's events, of API versions before and after 2025-03-31, become events of ours (contract, section 15, point 4).

One payment has many names: invoice, payment intent, charge and checkout session. If Stripe reports one fact in several
events, only one of them counts: `invoice.paid` for a purchase with an invoice, and the cumulative figure of
`charge.refunded` for refunded money, never the refund too, which has no total.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from chalicelib.contracts.event_types import DISPUTE_WON, PAYMENT_DISPUTED, PAYMENT_REFUNDED
from chalicelib.contracts.sources import fields as reading
from chalicelib.contracts.sources.fields import Fields, Shape
from chalicelib.contracts.sources.stripe_checkout import checkout, own_id, sale
from chalicelib.contracts.sources.stripe_credits import ID, METADATA, PRICED
from chalicelib.contracts.sources.stripe_invoices import (
    INVOICE,
    other_names,
    paid_invoice,
    subscription_metadata,
    unused,
)
from chalicelib.contracts.sources.webhooks import (
    Part,
    SourceEvent,
    SourceTerms,
    Unused,
    UnusedReason,
    Webhook,
)
from chalicelib.contracts.values import money_text
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ids import NIL_UUID, MerchantId, merchant_id
from chalicelib.domain.links import LinkKind, link_name

_GOING_BACK = frozenset({PAYMENT_REFUNDED, PAYMENT_DISPUTED, DISPUTE_WON})

_OBJECT: Shape = {
    **INVOICE,
    "object": None,
    "customer": ID,
    "customer_account": ID,
    "currency": None,
    "invoice": ID,
    "invoice_creation": {"enabled": None},
    "mode": None,
    "payment_status": None,
    "amount_total": None,
    "amount": None,
    "amount_captured": None,
    "amount_refunded": None,
    "captured": None,
    "capture_method": None,
    "latest_charge": ID,
    "charge": {"id": None, "invoice": ID, "customer": ID, "metadata": METADATA},
    "payment": {"payment_intent": ID, "charge": ID},
    "is_default": None,
    "line_items": {"has_more": None, "data": PRICED},
}
_EVENT = dict.fromkeys(("id", "object", "type", "created", "livemode"))
SHAPE: Final[Shape] = {**_EVENT, "data": {"object": _OBJECT}, "related_object": ID}

_TYPE = re.compile(r"[a-z0-9_.\[\]-]{1,128}")
_PAYMENTS = frozenset({"charge", "payment_intent", "invoice", "checkout.session"})
_NAMING: Mapping[str, str] = {
    "charge.succeeded": "charge",
    "charge.captured": "charge",
    "payment_intent.succeeded": "payment_intent",
    "invoice_payment.paid": "invoice_payment",
}
"""Events that move nothing, but bring the names of one payment together, or a payment's and its customer's."""
_PAYMENT_NAMES = ("invoice", "payment_intent", "charge", "latest_charge")
_PAYMENT_NAMES_MAX = 8
_REFUND_OVER = frozenset({"failed", "canceled"})
_WITHOUT_CENTS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_WITH_MILS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def read(body: Mapping[str, Any], terms: SourceTerms) -> Webhook:
    """Return what an event of Stripe translates to, from its decoded body.

    Raises:
        Rejected: it is poison; `code` and `field` are the reason.
    """
    event = Fields(reading.cut(body, SHAPE))
    event_type = event.text("type") or event.missing("type")
    if _TYPE.fullmatch(event_type) is None:
        event.invalid("type", "the type of an event")
    # A thin event of an object of ours has the type of a snapshot event with `v1.` before it.
    kind, read_type = _READERS.get(event_type.removeprefix("v1."), (None, _unused))
    thin = kind and (event_type.startswith("v1.") or (event.word("object") or "").startswith("v2.core.event"))
    resource = Fields({}) if thin else event.within("data", "object")
    if kind is not None and resource.text("object") not in (None, kind):
        raise Rejected(Code.TOPIC_CONTRADICTS_BODY, f"the object is not a {kind}", field=resource.path("object"))
    live = event.values.get("livemode") is None or event.flag("livemode")
    counts = live or terms.count_test_orders
    if thin and counts:
        reason = "a thin event holds no data: let Stripe send snapshot events to this destination"
        raise Rejected(Code.FIELD_MISSING, reason, field="data.object")
    if kind is None or counts:
        parts = read_type(resource, terms)
    else:
        parts = [Unused(reason=UnusedReason.TEST_ORDER, field="livemode", reference_id=resource.reference("id"))]
    owner, paid = _Owner(), dict[str, str]()
    if kind is not None:
        owner = _owner(resource, kind)
    elif event_type in _NAMING:
        # What moves nothing cannot be poison either.
        with suppress(Rejected):
            owner = _owner(resource, _NAMING[event_type])
        if _NAMING[event_type] == "invoice_payment":
            with suppress(Rejected):
                paid = _paid_invoice(resource)
    created = event.scalar("created")
    return Webhook(
        source=LinkKind.STRIPE,
        topic=event_type,
        name=owner.name,
        merchant_id=owner.merchant_id,
        payment_names=owner.payment_names,
        paid=paid,
        sale=sale(event_type, resource, parts, terms) if counts else None,
        goes_back=_goes_back(parts),
        occurred_at=created if type(created) is int else None,
        correlation_id=event.word("id"),
        parts=tuple(parts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owner:
    name: str | None = None
    merchant_id: MerchantId | None = None
    payment_names: tuple[str, ...] = ()


def _owner(resource: Fields, kind: str) -> _Owner:
    return _Owner(
        name=_customer(resource), merchant_id=_merchant(resource), payment_names=_payment_names(resource, kind)
    )


def _unused(_resource: Fields, _terms: SourceTerms) -> list[Part]:
    return [Unused(reason=UnusedReason.TOPIC_UNUSED, field="type")]


def _refunded_charge(charge: Fields, _terms: SourceTerms) -> list[Part]:
    own_id(charge)
    if charge.values.get("captured") is not None and not charge.flag("captured"):
        return [unused(UnusedReason.NOTHING_PAID, charge, "captured")]
    total, back = charge.needed("amount"), charge.needed("amount_refunded")
    if total <= 0:
        charge.invalid("amount", "an amount above 0")
    if back <= 0:
        charge.invalid("amount_refunded", "an amount above 0")
    captured = charge.whole("amount_captured")
    if captured is not None and 0 < captured < total:
        # Stripe counts what it never took as refunded.
        total, back = captured, back - (total - captured)
        if back <= 0:
            return [unused(UnusedReason.NOTHING_PAID, charge, "amount_captured")]
    currency = (charge.text("currency") or charge.missing("currency")).upper()
    payload = {
        "payment_id": _payment(charge, "charge"),
        "amount_refunded": major(back, currency),
        "payment_total": major(total, currency),
    }
    return [SourceEvent(event_type=PAYMENT_REFUNDED, payload=payload)]


def _refund(refund: Fields, _terms: SourceTerms) -> list[Part]:
    # Up to three types of events report the same failure, and again when anything else about it changes.
    fact = link_name(LinkKind.STRIPE, own_id(refund))
    if refund.text("status") in _REFUND_OVER:
        # The charge's figure counted it when it was made, and no event of ours takes that back.
        reason = "the refund failed after it was counted: correct the balance with credits adjust"
        raise Rejected(Code.REFUND_FAILED, reason, field=refund.path("status"), fact=fact)
    if refund.reference("charge") is not None:
        return [unused(UnusedReason.NAMED_BY_CHARGE, refund, "charge")]
    if refund.reference("payment_intent") is not None:
        field = refund.path("charge")
        raise Rejected(Code.FIELD_MISSING, f"{field} is missing", field=field, fact=fact)
    return [unused(UnusedReason.NOTHING_PAID, refund, "charge")]


def _dispute(event_type: str) -> "Reader":
    def read_dispute(dispute: Fields, _terms: SourceTerms) -> list[Part]:
        payload = {"dispute_id": own_id(dispute), "payment_id": _payment(dispute, "dispute")}
        return [SourceEvent(event_type=event_type, payload=payload)]

    return read_dispute


def major(minor: int, currency: str) -> str:
    """Return an amount in a currency's smallest unit (Stripe's form) as money, in plain digits."""
    places = 0 if currency in _WITHOUT_CENTS else 3 if currency in _WITH_MILS else 2
    return money_text(Decimal(minor).scaleb(-places))


def _payment(resource: Fields, kind: str) -> str:
    """Return the id of the payment of an object: the invoice's, if it is named (a payment is recorded under it)."""
    charge = resource if kind == "charge" else _charge(resource)
    charge_id = resource.reference("id") if kind == "charge" else resource.reference("charge")
    return (
        charge.reference("invoice")
        or resource.reference("payment_intent")
        or charge_id
        or resource.missing("payment_intent")
    )


def _charge(resource: Fields) -> Fields:
    return resource.within("charge") if isinstance(resource.values.get("charge"), dict) else Fields({})


def _customer(resource: Fields) -> str | None:
    named = (
        resource.reference("customer")
        or resource.reference("customer_account")
        or _charge(resource).reference("customer")
    )
    return link_name(LinkKind.STRIPE, named) if named else None


def _merchant(resource: Fields) -> MerchantId | None:
    """Return the merchant in the metadata of the object or of its parent; a text that is not a UUID is ignored."""
    found = set()
    for place in (resource.within("metadata"), *subscription_metadata(resource), _charge(resource).within("metadata")):
        with suppress(ValueError):
            found.add(merchant_id(str(place.scalar("merchant_id"))))
    found.discard(MerchantId(NIL_UUID))
    if len(found) > 1:
        raise Rejected(
            Code.ENVELOPE_AMBIGUOUS, "metadata names two merchants", field=resource.path("metadata.merchant_id")
        )
    return found.pop() if found else None


def _paid_invoice(resource: Fields) -> dict[str, str]:
    invoice, payment = resource.reference("invoice"), resource.within("payment")
    if resource.values.get("is_default") is False:
        # Several payments paid this invoice, and Stripe does not state how much each: the invoice is linked to itself.
        return {link_name(LinkKind.STRIPE, invoice): invoice} if invoice else {}
    named = [payment.reference(name) for name in ("payment_intent", "charge")]
    return {link_name(LinkKind.STRIPE, name): invoice for name in named if name and invoice}


def _goes_back(parts: Iterable[Part]) -> str | None:
    """Return the name of the payment that is refunded or disputed, None if there is none."""
    back = (part for part in parts if isinstance(part, SourceEvent) and part.event_type in _GOING_BACK)
    return next((link_name(LinkKind.STRIPE, part.payload["payment_id"]) for part in back), None)


def _payment_names(resource: Fields, kind: str) -> tuple[str, ...]:
    own = resource.reference("id") if kind in _PAYMENTS else None
    places = [resource, _charge(resource)]
    if kind == "invoice_payment":
        places.append(resource.within("payment"))
    named = [place.reference(name) for place in places for name in _PAYMENT_NAMES]
    if kind == "invoice":
        named.extend(other_names(resource))
    every = dict.fromkeys(name for name in (own, *named) if name is not None)
    return tuple(link_name(LinkKind.STRIPE, name) for name in list(every)[:_PAYMENT_NAMES_MAX])


Reader = Callable[[Fields, SourceTerms], list[Part]]
_READERS: Mapping[str, tuple[str, Reader]] = {
    "invoice.paid": ("invoice", paid_invoice),
    "checkout.session.completed": ("checkout.session", checkout),
    # Money that takes days comes after a session that was completed unpaid.
    "checkout.session.async_payment_succeeded": ("checkout.session", checkout),
    "charge.refunded": ("charge", _refunded_charge),
    "refund.created": ("refund", _refund),
    "refund.updated": ("refund", _refund),
    "refund.failed": ("refund", _refund),
    "charge.refund.updated": ("refund", _refund),
    "charge.dispute.funds_withdrawn": ("dispute", _dispute(PAYMENT_DISPUTED)),
    "charge.dispute.funds_reinstated": ("dispute", _dispute(DISPUTE_WON)),
}
TYPES: Final = frozenset({*_READERS, *_NAMING})
"""The types of events that move credits, or bring the names of a payment."""
